/*
 * html.h - the characters that cannot stand as they are in text or in a quoted attribute of HTML. Pure.
 */
#ifndef BASE_HTML_H
#define BASE_HTML_H

#include <stddef.h>

/* What is written for `c`; NULL: itself. Both quotes as numbers: shorter than their names, and "&apos;" is younger than HTML 4. */
static inline const char *html_entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&#34;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

#endif
