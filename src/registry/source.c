#include "registry/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "registry/project.h"

static const char scheme[] = "file://";

/* Join and clean `dir`/`path` ("a/./b/../c" is "a/c"); NULL when it climbs above the top. malloc'd; "" for the top itself. */
static char *clean_path(const char *dir, const char *path)
{
	char *joined = xasprintf("%s/%s", dir, path);
	struct buf out = BUF_INIT;
	char *save = NULL;
	bool escaped = false;

	for (char *seg = strtok_r(joined, "/", &save); seg && !escaped; seg = strtok_r(NULL, "/", &save)) {
		if (strcmp(seg, ".") == 0)
			continue;
		if (strcmp(seg, "..") == 0) {
			const char *text = buf_str(&out);
			const char *slash = strrchr(text, '/');

			escaped = buf_len(&out) == 0;
			buf_truncate(&out, slash ? (size_t)(slash - text) : 0);
			continue;
		}
		if (buf_len(&out) > 0)
			buf_addc(&out, '/');
		buf_adds(&out, seg);
	}
	free(joined);
	if (escaped) {
		buf_done(&out);
		return NULL;
	}
	if (buf_len(&out) == 0)
		buf_adds(&out, "");
	return buf_detach(&out, NULL);
}

/* Links are followed, but not out of the root. */
static int check_inside(const char *root, const char *full, const char *shown, struct err *e)
{
	char real_root[PATH_MAX], real_file[PATH_MAX];
	size_t len;

	if (!realpath(root, real_root) || !realpath(full, real_file))
		return err_set_errno(e, ERR_INVALID, errno, "failed to read file %s", shown);
	len = strlen(real_root);
	if (strncmp(real_file, real_root, len) != 0 || (real_file[len] != '/' && len > 1))
		return err_set(e, ERR_INVALID,
			"path traversal detected in file path: %s is a link out of the source root", shown);
	return 0;
}

static int read_file(const char *full, const char *shown, struct value **ret, struct err *e)
{
	struct buf text = BUF_INIT;
	struct stat st;
	int fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int rc = -1;

	if (fd < 0 || fstat(fd, &st) < 0) {
		err_set_errno(e, ERR_INVALID, errno, "failed to read file %s", shown);
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		err_set(e, ERR_INVALID, "failed to read file %s: not a regular file", shown);
		goto out;
	}
	for (;;) {
		ssize_t n = read(fd, buf_reserve(&text, 65536), 65536);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err_set_errno(e, ERR_INVALID, errno, "failed to read file %s", shown);
			goto out;
		}
		if (n == 0)
			break;
		buf_commit(&text, (size_t)n);
		if (buf_len(&text) > PROJECT_FILE_BYTES_MAX) {
			err_set(e, ERR_INVALID, "failed to read file %s: larger than %d MiB", shown,
				PROJECT_FILE_BYTES_MAX >> 20);
			goto out;
		}
	}
	*ret = value_string(buf_data(&text), buf_len(&text));
	rc = 0;
out:
	if (fd >= 0)
		close(fd);
	buf_done(&text);
	return rc;
}

static int load_reference(const struct source_root *root, const char *url, struct value **ret, struct err *e)
{
	const char *path = url + strlen(scheme);
	char *clean, *full;
	int rc;

	if (!path[0])
		return err_set(e, ERR_INVALID, "empty file path in file:// URL");
	clean = clean_path(path[0] == '/' ? "" : root->dir, path);
	if (!clean)
		return err_set(e, ERR_INVALID, "path traversal detected in file path: %s", path);
	if (!clean[0]) {
		free(clean);
		return err_set(e, ERR_INVALID, "invalid file path: %s", path);
	}
	full = xasprintf("%s/%s", root->path, clean);
	rc = check_inside(root->path, full, clean, e);
	if (rc == 0)
		rc = read_file(full, clean, ret, e);
	if (rc == 0 && root->read)
		buf_addf(root->read, "%s\n", clean);
	free(full);
	free(clean);
	return rc;
}

static bool is_reference(const struct value *v)
{
	return value_type(v) == VALUE_STRING && strncmp(value_get_string(v, NULL), scheme, strlen(scheme)) == 0;
}

static bool has_reference(const struct value *v)
{
	enum value_type type = value_type(v);

	if (is_reference(v))
		return true;
	for (size_t i = 0; i < value_count(v); i++) {
		const char *key;

		if (has_reference(type == VALUE_LIST ? value_at(v, i) : value_pair(v, i, &key, NULL)))
			return true;
	}
	return false;
}

static int inline_children(
	const struct source_root *root, const struct value *v, const char *field, struct value **ret, struct err *e)
{
	bool is_list = value_type(v) == VALUE_LIST;
	struct value *copy = is_list ? value_list() : value_map();

	for (size_t i = 0; i < value_count(v); i++) {
		const char *key = NULL;
		const struct value *item = is_list ? value_at(v, i) : value_pair(v, i, &key, NULL);
		struct value *fresh = NULL;
		char *path =
			is_list ? xasprintf("%s[%zu]", field, i) : xasprintf("%s%s%s", field, field[0] ? "." : "", key);
		int rc = source_inline(root, item, path, &fresh, e);

		free(path);
		if (rc < 0) {
			value_unref(copy);
			return -1;
		}
		if (is_list)
			value_list_append(copy, fresh);
		else
			value_map_set(copy, key, fresh);
	}
	*ret = copy;
	return 0;
}

int source_inline(
	const struct source_root *root, const struct value *v, const char *field, struct value **ret, struct err *e)
{
	if (!has_reference(v)) {
		*ret = value_ref((struct value *)v);
		return 0;
	}
	if (is_reference(v)) {
		if (load_reference(root, value_get_string(v, NULL), ret, e) < 0)
			return err_prefix(e, "line %u: field '%s'", value_line(v), field);
	} else if (inline_children(root, v, field, ret, e) < 0) {
		return -1;
	}
	value_set_position(*ret, value_line(v), value_column(v));
	return 0;
}
