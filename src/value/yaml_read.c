/*
 * yaml_read.c - a YAML file to a value. See yaml.h
 */
#include "value/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err_kind kind_of_errno(int errnum)
{
	switch (errnum) {
	case ENOENT:
	case ENOTDIR:
		return ERR_NOT_FOUND;
	case EACCES:
	case EPERM:
		return ERR_PERMISSION_DENIED;
	default:
		return ERR_INTERNAL;
	}
}

int yaml_read(const char *path, struct value **ret_value, struct err *e)
{
	struct buf text = BUF_INIT;
	struct stat st;
	int rc = -1;
	/* Without O_NONBLOCK a FIFO of that name would stop us here. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st) < 0) {
		err_set_errno(e, kind_of_errno(errno), errno, "cannot read '%s'", path);
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		err_set(e, ERR_INVALID, "cannot read '%s': it is not a regular file", path);
		goto out;
	}
	for (;;) {
		ssize_t n = read(fd, buf_reserve(&text, 65536), 65536);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err_set_errno(e, kind_of_errno(errno), errno, "cannot read '%s'", path);
			goto out;
		}
		if (n == 0)
			break;
		buf_commit(&text, (size_t)n);
		/* yaml_parse() says that it is too long; there is no need to hold the rest. */
		if (buf_len(&text) > YAML_BYTES_MAX)
			break;
	}
	rc = yaml_parse(path, buf_data(&text), buf_len(&text), ret_value, e);
out:
	if (fd >= 0)
		close(fd);
	buf_done(&text);
	return rc;
}
