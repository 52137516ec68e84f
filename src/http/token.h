/*
 * token.h - what a method and a field's name are made of (RFC 9110 section 5.6.2). Pure.
 */
#ifndef HTTP_TOKEN_H
#define HTTP_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool http_is_token_char(unsigned char c)
{
	/* Bit c % 32 of word c / 32. */
	static const uint32_t chars[8] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};

	return chars[c / 32] >> c % 32 & 1;
}

/* How many bytes at the beginning of `s` can be of a token. */
static inline size_t http_token_len(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && http_is_token_char((unsigned char)s[i]))
		i++;
	return i;
}

#endif
