/*
 * pattern.h - regular expressions of JSON Schema, over the C library's regcomp(3).
 *
 * JSON Schema asks for ECMA-262 syntax and recommends a subset (2020-12 core, section 6.4); this takes that subset and
 * what has a POSIX counterpart: literals, ".", classes with ranges, \d \w \s and their opposites, anchors, \b, groups
 * (also without capture), alternation, quantifiers (greedy or not: only whether there is a match counts), \n \t ...,
 * \xHH, \uHHHH. Not anchored by itself. Looking around, back references, \p and empty classes are errors. Text is
 * UTF-8, whatever the locale of the program; characters, not bytes, are matched. Without back references matching
 * takes time in proportion to the text. Sizes are bounded, since bounded repetitions are unrolled by the library. A
 * pattern may be used by any thread.
 */
#ifndef VALUE_PATTERN_H
#define VALUE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum {
	PATTERN_BYTES_MAX = 4096,
	PATTERN_REPEAT_MAX = 1000,    /* in {m,n} */
	PATTERN_UNROLLED_MAX = 20000, /* characters of the pattern with its repetitions written out */
	PATTERN_LISTED_MAX = 30000,   /* characters beyond ASCII in ranges */
};

struct pattern;

/* INVALID says what is wrong. */
int pattern_compile(const char *text, size_t len, struct pattern **ret_pattern, struct err *e);
void pattern_free(struct pattern *p); /* NULL is fine */
/* Does any part of the text match? */
bool pattern_matches(const struct pattern *p, const char *text, size_t len);

/* The POSIX extended expression it becomes, for tests. */
int pattern_translate(const char *text, size_t len, struct buf *out, struct err *e);

#endif
