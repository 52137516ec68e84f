#include "files/path.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

static void drop_last(struct buf *b)
{
	const char *s = buf_data(b);
	size_t n = buf_len(b);

	while (n > 0 && s[n - 1] != '/')
		n--;
	buf_truncate(b, n > 0 ? n - 1 : 0);
}

static int add_parts(struct buf *b, const char *path, size_t len, struct err *e)
{
	const char *end = path + len;

	for (const char *p = path; p < end;) {
		const char *slash = memchr(p, '/', (size_t)(end - p));
		size_t n = slash ? (size_t)(slash - p) : (size_t)(end - p);

		if (n == 2 && p[0] == '.' && p[1] == '.') {
			if (buf_len(b) == 0)
				return err_set(e, ERR_INVALID, "invalid path: path traversal not allowed");
			drop_last(b);
		} else if (n > FILES_NAME_BYTES_MAX) {
			return err_set(e, ERR_INVALID, "invalid path: a name in it is longer than %d bytes",
				FILES_NAME_BYTES_MAX);
		} else if (n > 0 && !(n == 1 && p[0] == '.')) {
			if (buf_len(b) > 0)
				buf_addc(b, '/');
			buf_add(b, p, n);
		}
		p += n + (slash ? 1 : 0);
	}
	return 0;
}

int files_path_clean(const char *place, const char *path, size_t len, char **ret_path, struct err *e)
{
	struct buf b = BUF_INIT;
	int rc = -1;

	if (len == 0)
		return err_set(e, ERR_INVALID, "path required");
	if (memchr(path, '\0', len))
		return err_set(e, ERR_INVALID, "invalid path: path contains null byte");
	if (len > FILES_PATH_BYTES_MAX) {
		err_set(e, ERR_INVALID, "invalid path: it is longer than %d bytes", FILES_PATH_BYTES_MAX);
		return -1;
	}
	if (path[0] != '/' && strcmp(place, ".") != 0)
		buf_adds(&b, place);
	if (add_parts(&b, path, len, e) < 0)
		goto out;
	if (buf_len(&b) > FILES_PATH_BYTES_MAX) {
		err_set(e, ERR_INVALID, "invalid path: it is longer than %d bytes", FILES_PATH_BYTES_MAX);
		goto out;
	}
	if (buf_len(&b) == 0)
		buf_addc(&b, '.');
	*ret_path = buf_detach(&b, NULL);
	rc = 0;
out:
	buf_done(&b);
	return rc;
}

const char *files_path_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
