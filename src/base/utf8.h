/*
 * utf8.h - where a well-formed UTF-8 sequence ends (RFC 3629). Pure, any thread.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length (1-4) of the well-formed sequence at `s`, of which `len` bytes are there; 0 when there is none:
 * stray or missing continuation bytes, overlong forms, surrogates, beyond U+10FFFF, or len 0.
 * ret_code (may be NULL) receives the code point. */
size_t utf8_sequence(const char *s, size_t len, uint32_t *ret_code);

bool utf8_is_valid(const char *s, size_t len);

#endif
