/*
 * destination.c - see destination.h
 */
#include "overlay/destination.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/buf.h"

/* RFC 4648 section 6, small letters, no padding. 32 bytes make 52 characters. */
static void base32_encode(const unsigned char *bytes, size_t len, char *out)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned bits = 0, nbits = 0;

	for (size_t i = 0; i < len; i++) {
		bits = (bits << 8 | bytes[i]) & 0xfff;
		for (nbits += 8; nbits >= 5; nbits -= 5)
			*out++ = digits[bits >> (nbits - 5) & 31];
	}
	if (nbits > 0)
		*out++ = digits[bits << (5 - nbits) & 31];
	*out = '\0';
}

/* Keys of 384 bytes, the certificate's kind, its length in two bytes, and so many bytes: nothing else
 * (https://geti2p.net/spec/common-structures, "Destination"). */
static bool is_destination(const struct buf *b)
{
	const unsigned char *end = (const unsigned char *)buf_data(b) + DESTINATION_BYTES_MIN;

	return buf_len(b) >= DESTINATION_BYTES_MIN &&
	       buf_len(b) == DESTINATION_BYTES_MIN + ((size_t)end[-2] << 8 | end[-1]);
}

bool destination_b32(const char *base64, char out[static B32_NAME_MAX])
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	static const char suffix[] = ".b32.i2p";
	struct buf bytes = BUF_INIT;
	size_t len = strnlen(base64, DESTINATION_TEXT_MAX + 1);
	char *text;
	bool ok;

	if (len < DESTINATION_TEXT_MIN || len > DESTINATION_TEXT_MAX)
		return false;
	text = xmemdupz(base64, len);
	for (char *p = text; *p; p++) {
		if (*p == '-')
			*p = '+';
		else if (*p == '~')
			*p = '/';
		else if (*p == '+' || *p == '/' || *p == '\r' || *p == '\n')
			len = 0; /* base64, but not I2P's */
	}
	ok = len > 0 && base64_decode(&bytes, text, len, NULL) == 0 && is_destination(&bytes);
	if (ok) {
		SHA256((const unsigned char *)buf_data(&bytes), buf_len(&bytes), digest);
		base32_encode(digest, sizeof(digest), out);
		memcpy(out + B32_NAME_MAX - sizeof(suffix), suffix, sizeof(suffix));
	}
	buf_done(&bytes);
	free(text);
	return ok;
}
