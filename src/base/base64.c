#include "base/base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t v =
			(uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
		char quad[4] = {
			alphabet[v >> 18],
			alphabet[v >> 12 & 63],
			left > 1 ? alphabet[v >> 6 & 63] : '=',
			left > 2 ? alphabet[v & 63] : '=',
		};

		buf_add(out, quad, sizeof(quad));
	}
}

int base64_decode(struct buf *out, const char *text, size_t len, struct err *e)
{
	uint32_t v = 0;
	unsigned have = 0, padding = 0;

	for (size_t i = 0; i < len; i++) {
		const char *at;

		if (text[i] == '\n' || text[i] == '\r')
			continue;
		at = text[i] ? strchr(alphabet, text[i]) : NULL;
		/* Padding only fills the end of the last quad, and nothing follows it. */
		if (text[i] == '=' && have >= 2 && padding < 4 - have) {
			padding++;
			if (have + padding == 4) {
				v <<= 6 * padding;
				buf_addc(out, (char)(v >> 16));
				if (padding == 1)
					buf_addc(out, (char)(v >> 8));
			}
			continue;
		}
		if (!at || padding > 0)
			return err_set(e, ERR_INVALID, "illegal base64 data at input byte %zu", i);
		v = v << 6 | (uint32_t)(at - alphabet);
		if (++have == 4) {
			char triple[3] = {(char)(v >> 16), (char)(v >> 8), (char)v};

			buf_add(out, triple, sizeof(triple));
			v = 0;
			have = 0;
		}
	}
	if (have + padding != 0 && have + padding != 4)
		return err_set(e, ERR_INVALID, "illegal base64 data at input byte %zu", len);
	return 0;
}

static const char url_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_encode(struct buf *out, const void *data, size_t len)
{
	const unsigned char *p = data;
	unsigned have = 0;
	uint32_t v = 0;

	for (size_t i = 0; i < len; i++) {
		v = (v << 8 | p[i]) & 0xffff;
		for (have += 8; have >= 6; have -= 6)
			buf_addc(out, url_alphabet[v >> (have - 6) & 63]);
	}
	if (have > 0)
		buf_addc(out, url_alphabet[v << (6 - have) & 63]);
}

int base64url_decode(struct buf *out, const char *text, size_t len, struct err *e)
{
	unsigned have = 0;
	uint32_t v = 0;

	for (size_t i = 0; i < len; i++) {
		const char *at = text[i] ? strchr(url_alphabet, text[i]) : NULL;

		if (!at)
			return err_set(e, ERR_INVALID, "illegal base64 data at input byte %zu", i);
		v = (v << 6 | (uint32_t)(at - url_alphabet)) & 0xffff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			buf_addc(out, (char)(v >> have));
		}
	}
	/* Six bits alone are no byte, and bits beyond the last byte must be zero. */
	if (len % 4 == 1 || (v & ((1U << have) - 1)) != 0)
		return err_set(e, ERR_INVALID, "illegal base64 data at input byte %zu", len);
	return 0;
}
