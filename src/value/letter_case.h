/*
 * letter_case.h - upper and lower case of UTF-8 text, whatever the locale of the program: one character for one, as the C library knows them. Bytes
 * that are no UTF-8 are copied. Any thread.
 */
#ifndef VALUE_LETTER_CASE_H
#define VALUE_LETTER_CASE_H

#include <stdint.h>

#include "base/buf.h"

/* Append to `out`. */
void letter_upper(struct buf *out, const char *s, size_t len);
void letter_lower(struct buf *out, const char *s, size_t len);
/* One code point, in UTF-8. */
void letter_put(struct buf *out, uint32_t code);

#endif
