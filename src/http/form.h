/*
 * form.h - name=value pairs as in the query of a URL and in application/x-www-form-urlencoded (WHATWG URL, section 5.1).
 *
 *     struct form_pair pair;
 *     form_open(&r, query, strlen(query), scratch);
 *     while (form_next(&r, &pair)) ...
 *
 * `+` is a blank, %xx a byte. `a` and `a=` have the value "". A pair that cannot be decoded, or has a `;` in it (read differently by different servers), is passed
 * over. Pure, allocates nothing; any thread.
 */
#ifndef HTTP_FORM_H
#define HTTP_FORM_H

#include <stdbool.h>
#include <stddef.h>

/* Decoded bytes: they may hold NUL. Valid until the next form_next(). */
struct form_pair {
	const char *name;
	size_t name_len;
	const char *value;
	size_t value_len;
};

struct form_reader {
	const char *at; /* borrowed text, not yet read */
	size_t left;
	char *scratch;
};

/* `scratch`: the caller's, `len` bytes or more; pairs are decoded there. */
void form_open(struct form_reader *r, const char *text, size_t len, char *scratch);
bool form_next(struct form_reader *r, struct form_pair *ret);

#endif
