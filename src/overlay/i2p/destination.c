/*
 * destination.c - see destination.h
 */
#include "overlay/i2p/destination.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/buf.h"
#include "overlay/i2p/sam.h"

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

static int check_file(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set_errno(e, ERR_INTERNAL, errno, "cannot read '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "'%s' is no plain file: move it away", path);
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return err_set(e, ERR_INVALID,
			"'%s' holds a private key and must be its user's alone: chown it, and chmod 600", path);
	return 0;
}

static int read_all(int fd, const char *path, char *text, size_t size, size_t *ret_len, struct err *e)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, text + len, size - len);

		if (n == 0)
			break;
		if (n < 0 && errno != EINTR)
			return err_set_errno(e, ERR_INTERNAL, errno, "cannot read '%s'", path);
		if (n > 0)
			len += (size_t)n;
	}
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	*ret_len = len;
	return 0;
}

/* What goes into a command to the bridge. */
static bool is_key(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-~=", text[i]) || !text[i])
			return false;
	}
	return len >= DESTINATION_BYTES_MIN && len <= SAM_KEY_MAX;
}

int keyfile_read(const char *dir, struct secret **ret, struct err *e)
{
	char *path = xasprintf("%s/%s", dir, KEY_FILE);
	char text[SAM_KEY_MAX + 3]; /* a line end may follow */
	size_t len = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int rc = -1;

	*ret = NULL;
	if (fd < 0 && errno == ENOENT) {
		rc = 0;
	} else if (fd < 0) {
		err_set_errno(e, ERR_INTERNAL, errno, "cannot read '%s'", path);
	} else if (check_file(fd, path, e) == 0 && read_all(fd, path, text, sizeof(text), &len, e) == 0) {
		if (is_key(text, len)) {
			*ret = secret_new(text, len);
			rc = 0;
		} else {
			err_set(e, ERR_INVALID,
				"'%s' holds no I2P private key: put it back, or move it away and get a new address",
				path);
		}
	}
	explicit_bzero(text, sizeof(text));
	if (fd >= 0)
		close(fd);
	free(path);
	return rc;
}

static bool write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static void sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* Not every file system offers it; the file itself is on disk by now. */
	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
}

int keyfile_write(const char *dir, const struct secret *key, struct err *e)
{
	char *path = xasprintf("%s/%s", dir, KEY_FILE);
	char *temp = xasprintf("%s/.%s.new", dir, KEY_FILE);
	int fd, rc = -1;

	/* Left by a crash: its permissions are unknown. */
	unlink(temp);
	fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		err_set_errno(e, ERR_INTERNAL, errno, "cannot write '%s'", temp);
		goto out;
	}
	if (!write_all(fd, secret_reveal(key), secret_len(key)) || !write_all(fd, "\n", 1) || fsync(fd) < 0 ||
		rename(temp, path) < 0) {
		err_set_errno(e, ERR_INTERNAL, errno, "cannot write '%s'", path);
		unlink(temp);
		goto out;
	}
	sync_dir(dir);
	rc = 0;
out:
	if (fd >= 0)
		close(fd);
	free(temp);
	free(path);
	return rc;
}
