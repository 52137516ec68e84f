/*
 * utf8.c - see utf8.h
 */
#include "base/utf8.h"

#include <string.h>

/* Bytes at the front that are ASCII, looked at by eights. */
static size_t ascii_run(const char *s, size_t len)
{
	size_t n = 0;
	uint64_t eight;

	for (; len - n >= sizeof(eight); n += sizeof(eight)) {
		memcpy(&eight, s + n, sizeof(eight));
		if (eight & 0x8080808080808080)
			break;
	}
	while (n < len && (unsigned char)s[n] < 0x80)
		n++;
	return n;
}

size_t utf8_sequence(const char *s, size_t len, uint32_t *ret_code)
{
	const unsigned char *p = (const unsigned char *)s;
	uint32_t code, least;
	size_t n;

	if (len == 0)
		return 0;
	if (p[0] < 0x80) {
		if (ret_code)
			*ret_code = p[0];
		return 1;
	}
	if ((p[0] & 0xe0) == 0xc0) {
		n = 2;
		least = 0x80;
		code = p[0] & 0x1f;
	} else if ((p[0] & 0xf0) == 0xe0) {
		n = 3;
		least = 0x800;
		code = p[0] & 0x0f;
	} else if ((p[0] & 0xf8) == 0xf0) {
		n = 4;
		least = 0x10000;
		code = p[0] & 0x07;
	} else {
		return 0;
	}
	if (len < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	/* A longer form than needed could smuggle a byte past a check for it. */
	if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	if (ret_code)
		*ret_code = code;
	return n;
}

bool utf8_is_valid(const char *s, size_t len)
{
	for (;;) {
		size_t n = ascii_run(s, len);

		if (n == len)
			return true;
		s += n;
		len -= n;
		n = utf8_sequence(s, len, NULL);
		if (n == 0)
			return false;
		s += n;
		len -= n;
	}
}
