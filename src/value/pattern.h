/*
 * pattern.h - regular expressions of JSON Schema, over regex.h.
 *
 * JSON Schema asks for ECMA-262 syntax and recommends a subset (2020-12 core, section 6.4); this takes that subset and
 * what RE2 has besides: literals, ".", classes with ranges, \d \w \s and their opposites, anchors, \b, groups
 * (also without capture), alternation, quantifiers (greedy or not: only whether there is a match counts), \n \t ...,
 * \xHH, \uHHHH. Not anchored by itself. Looking around, back references, \p and empty classes are errors. Text is
 * UTF-8; characters, not bytes, are matched. A search that takes too many steps has no match. A pattern may be used by
 * any thread.
 */
#ifndef VALUE_PATTERN_H
#define VALUE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { PATTERN_BYTES_MAX = 4096 };

struct pattern;

/* INVALID says what is wrong. */
int pattern_compile(const char *text, size_t len, struct pattern **ret_pattern, struct err *e);
void pattern_free(struct pattern *p); /* NULL is fine */
/* Does any part of the text match? */
bool pattern_matches(const struct pattern *p, const char *text, size_t len);

#endif
