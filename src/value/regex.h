/*
 * regex.h - regular expressions over PCRE2, in the syntax that RE2 and PCRE2 share.
 *
 * No back references, no look-around, no recursion (INVALID), so that a pattern means what it means in RE2; leftmost-first, groups counted from 1, names
 * written (?P<name>...) or (?<name>...). Text is UTF-8; bytes that are not match as U+FFFD would. A search has a limit of steps: who meets it gets
 * INTERNAL, not a stalled thread. A compiled pattern may be used by any thread.
 */
#ifndef VALUE_REGEX_H
#define VALUE_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum {
	REGEX_PATTERN_BYTES_MAX = 64 * 1024,
	REGEX_GROUPS_MAX = 256,
	REGEX_REPEAT_MAX = 1000, /* in {m,n} */
	REGEX_TEXT_BYTES_MAX = 256 * 1024 * 1024,
	REGEX_STEPS_MAX = 3000000, /* of back-tracking, for each place where a match may begin */
	REGEX_SEARCH_MS_MAX = 500, /* of processor time, for a whole search */
};

struct regex;

/* Byte offsets into the text; start == SIZE_MAX: the group took no part. */
struct regex_span {
	size_t start;
	size_t end;
};

/* INVALID "invalid regex pattern: ... at offset n". */
int regex_compile(const char *pattern, size_t len, struct regex **ret_regex, struct err *e);
struct regex *regex_ref(struct regex *r); /* NULL gives NULL */
void regex_unref(struct regex *r);        /* NULL is fine */

const char *regex_source(const struct regex *r);
/* Without the whole match. */
unsigned regex_group_count(const struct regex *r);
/* "" for a group without a name; i from 1. */
const char *regex_group_name(const struct regex *r, unsigned i);

/* The first match at or behind `from`: 1 and spans[0 .. nspans-1] (0 is the whole match), 0 for none, -1 when the limit of steps is met. */
int regex_search(const struct regex *r, const char *text, size_t len, size_t from, struct regex_span *spans,
	unsigned nspans, struct err *e);
/*
 * A text made ready for many searches: regex_search() looks at every byte of a text each time, whether it is UTF-8, this does so once. Borrows `text`, which
 * must live as long. INVALID for more than REGEX_TEXT_BYTES_MAX.
 */
struct regex_text;
int regex_text_new(const char *text, size_t len, struct regex_text **ret_text, struct err *e);
void regex_text_free(struct regex_text *t); /* NULL is fine */
/* As regex_search(). */
int regex_search_text(const struct regex *r, const struct regex_text *t, size_t from, struct regex_span *spans,
	unsigned nspans, struct err *e);

/* Is there a match? A search that meets the limit has none. */
bool regex_matches(const struct regex *r, const char *text, size_t len);

#endif
