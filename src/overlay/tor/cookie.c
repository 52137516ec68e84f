/*
 * cookie.c - see cookie.h
 */
#include "overlay/tor/cookie.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

static int read_exactly(int fd, unsigned char out[static COOKIE_BYTES])
{
	unsigned char bytes[COOKIE_BYTES + 1] = {0};
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(bytes) &&
		((n = read(fd, bytes + len, sizeof(bytes) - len)) > 0 || (n < 0 && errno == EINTR)))
		len += n > 0 ? (size_t)n : 0;
	memcpy(out, bytes, COOKIE_BYTES);
	explicit_bzero(bytes, sizeof(bytes));
	return len == COOKIE_BYTES ? 0 : -1;
}

int cookie_read(const char *path, unsigned char out[static COOKIE_BYTES], struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), errnum = errno;
	struct buf shown = BUF_INIT;
	struct stat st;
	int rc = -1;

	/* Tor names it. */
	buf_add_escaped(&shown, path, strlen(path), COOKIE_PATH_MAX);
	if (fd < 0 && (errnum == EACCES || errnum == EPERM))
		err_set(e, ERR_PERMISSION_DENIED,
			"the cookie file '%s' cannot be read: run as a member of Tor's group "
			"(CookieAuthFileGroupReadable 1 in torrc), or use `control_password`",
			buf_str(&shown));
	else if (fd < 0)
		err_set_errno(e, ERR_UNAVAILABLE, errnum, "the cookie file '%s' cannot be read", buf_str(&shown));
	else if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size != COOKIE_BYTES || read_exactly(fd, out) < 0)
		err_set(e, ERR_UNAVAILABLE, "'%s' is no cookie file: it must have 32 bytes", buf_str(&shown));
	else
		rc = 0;
	if (rc < 0) {
		err_retryable(e);
		err_code(e, "tor_no_cookie");
	}
	if (fd >= 0)
		close(fd);
	buf_done(&shown);
	return rc;
}
