#include "registry/pattern.h"

#include <stddef.h>
#include <string.h>

static bool alternatives_match(const char *pattern, size_t plen, const char *seg, size_t len)
{
	const char *end = pattern + plen;

	while (pattern <= end) {
		const char *bar = memchr(pattern, '|', (size_t)(end - pattern));
		const char *stop = bar ? bar : end;

		if ((size_t)(stop - pattern) == len && memcmp(pattern, seg, len) == 0)
			return true;
		pattern = stop + 1;
	}
	return false;
}

static bool segment_match(const char *pattern, size_t plen, const char *seg, size_t len)
{
	if (plen == 1 && pattern[0] == '*')
		return true;
	if (plen >= 2 && pattern[0] == '(' && pattern[plen - 1] == ')')
		return alternatives_match(pattern + 1, plen - 2, seg, len);
	return plen == len && memcmp(pattern, seg, len) == 0;
}

/* NULL marks the end of either text. */
static bool match_from(const char *pattern, const char *text)
{
	size_t plen, len;

	if (!pattern)
		return !text;
	plen = strcspn(pattern, ".");
	const char *pattern_rest = pattern[plen] ? pattern + plen + 1 : NULL;

	if (plen == 2 && pattern[0] == '*' && pattern[1] == '*') {
		for (;;) {
			if (match_from(pattern_rest, text))
				return true;
			if (!text)
				return false;
			len = strcspn(text, ".");
			text = text[len] ? text + len + 1 : NULL;
		}
	}
	if (!text)
		return false;
	len = strcspn(text, ".");
	return segment_match(pattern, plen, text, len) && match_from(pattern_rest, text[len] ? text + len + 1 : NULL);
}

bool dotted_matches(const char *pattern, const char *text)
{
	return match_from(pattern, text);
}

bool dotted_is_bounded(const char *pattern)
{
	size_t doubles = 0;

	for (const char *p = pattern; (p = strstr(p, "**")); p += 2)
		doubles++;
	return doubles <= DOTTED_DOUBLES_MAX && strlen(pattern) <= DOTTED_BYTES_MAX;
}

bool prefix_matches(const char *pattern, const char *text)
{
	size_t len = strlen(pattern);

	if (len == 0 || pattern[len - 1] != '*' || (len > 1 && pattern[len - 2] == '*'))
		return strcmp(pattern, text) == 0;
	return strncmp(pattern, text, len - 1) == 0;
}
