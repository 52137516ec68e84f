/*
 * key_file.c - see key_file.h
 */
#include "overlay/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "registry/file.h"

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
	if (len > KEY_FILE_MAX || memchr(text, '\0', len))
		return err_set(e, ERR_INVALID, "'%s' holds no key: put it back, or move it away", path);
	*ret_len = len;
	return 0;
}

int key_file_read(const char *path, struct secret **ret, struct err *e)
{
	char text[KEY_FILE_MAX + 3]; /* a line end may follow */
	size_t len = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int rc = -1;

	*ret = NULL;
	if (fd < 0 && errno == ENOENT) {
		rc = 0;
	} else if (fd < 0) {
		err_set_errno(e, ERR_INTERNAL, errno, "cannot read '%s'", path);
	} else if (check_file(fd, path, e) == 0 && read_all(fd, path, text, sizeof(text), &len, e) == 0) {
		*ret = secret_new(text, len);
		rc = 0;
	}
	explicit_bzero(text, sizeof(text));
	if (fd >= 0)
		close(fd);
	return rc;
}

int key_file_write(const char *path, const struct secret *key, struct err *e)
{
	char *temp = xasprintf("%s.new", path);
	int fd, rc = -1;

	/* Left by a crash: its permissions are unknown. */
	unlink(temp);
	fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		err_set_errno(e, ERR_INTERNAL, errno, "cannot write '%s'", temp);
		goto out;
	}
	if (file_write_all(fd, secret_reveal(key), secret_len(key)) < 0 || file_write_all(fd, "\n", 1) < 0 ||
		fsync(fd) < 0 || rename(temp, path) < 0) {
		err_set_errno(e, ERR_INTERNAL, errno, "cannot write '%s'", path);
		unlink(temp);
		goto out;
	}
	file_sync_dir_of(path);
	rc = 0;
out:
	if (fd >= 0)
		close(fd);
	free(temp);
	return rc;
}
