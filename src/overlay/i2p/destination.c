/*
 * destination.c - see destination.h
 */
#include "overlay/i2p/destination.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/buf.h"
#include "overlay/i2p/sam.h"
#include "overlay/key_file.h"

#define KEY_FILE "destination.key"

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

bool destination_b32(const char *base64, char out[static B32_NAME_MAX])
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	static const char suffix[] = ".b32.i2p";
	struct buf bytes = BUF_INIT;
	size_t len = strnlen(base64, DESTINATION_TEXT_MAX + 1);
	char *text;
	bool ok;

	if (len > DESTINATION_TEXT_MAX)
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
	ok = len > 0 && base64_decode(&bytes, text, len, NULL) == 0 && buf_len(&bytes) >= DESTINATION_BYTES_MIN;
	if (ok) {
		SHA256((const unsigned char *)buf_data(&bytes), buf_len(&bytes), digest);
		base32_encode(digest, sizeof(digest), out);
		memcpy(out + B32_NAME_MAX - sizeof(suffix), suffix, sizeof(suffix));
	}
	buf_done(&bytes);
	free(text);
	return ok;
}

/* -- the key file ----------------------------------------------------------------------------------- */

/* What goes into a command to the bridge. */
static bool is_key(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-~=", text[i]) || !text[i])
			return false;
	}
	return len >= DESTINATION_BYTES_MIN && len <= SAM_KEY_MAX;
}

static char *key_path(const char *dir)
{
	return xasprintf("%s/%s", dir, KEY_FILE);
}

int keyfile_read(const char *dir, struct secret **ret, struct err *e)
{
	char *path = key_path(dir);
	int rc = key_file_read(path, ret, e);

	if (rc == 0 && *ret && !is_key(secret_reveal(*ret), secret_len(*ret))) {
		secret_free(*ret);
		*ret = NULL;
		rc = err_set(e, ERR_INVALID,
			"'%s' holds no I2P private key: put it back, or move it away and get a new address", path);
	}
	free(path);
	return rc;
}

int keyfile_write(const char *dir, const struct secret *key, struct err *e)
{
	char *path = key_path(dir);
	int rc = key_file_write(path, key, e);

	free(path);
	return rc;
}
