/*
 * lock.c - wippy.lock: reading it, and writing it the way `wippy init` does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "registry/file.h"
#include "registry/project.h"
#include "value/yaml.h"

static bool is_module_name(const char *name)
{
	const char *slash = strchr(name, '/');

	return slash && slash != name && slash[1] && !strchr(slash + 1, '/');
}

static int check_modules(const struct value *modules, struct err *e)
{
	for (size_t i = 0; i < value_count(modules); i++) {
		const struct value *m = value_at(modules, i);
		const char *name = "", *version = "";

		if (value_read_string(m, "name", &name, e) < 0 || value_read_string(m, "version", &version, e) < 0)
			return -1;
		if (!is_module_name(name))
			return err_set(e, ERR_INVALID, "line %u: invalid format (expected org/module, got \"%s\")",
				value_line(m), name);
		if (!version[0])
			return err_set(e, ERR_INVALID, "line %u: module \"%s\" has empty version", value_line(m), name);
	}
	return 0;
}

static int check_replacements(const struct value *replacements, const char *lock_path, struct err *e)
{
	const char *slash = strrchr(lock_path, '/');
	int dir_len = slash ? (int)(slash - lock_path + 1) : 0;

	for (size_t i = 0; i < value_count(replacements); i++) {
		const struct value *r = value_at(replacements, i);
		const char *from = "", *to = "";
		char *path;
		int missing;

		if (value_read_string(r, "from", &from, e) < 0 || value_read_string(r, "to", &to, e) < 0)
			return -1;
		if (!is_module_name(from))
			return err_set(e, ERR_INVALID, "line %u: invalid format (expected org/module, got \"%s\")",
				value_line(r), from);
		path = to[0] == '/' ? xstrdup(to) : xasprintf("%.*s%s", dir_len, lock_path, to);
		missing = !to[0] || access(path, F_OK) < 0;
		free(path);
		if (missing)
			return err_set(
				e, ERR_INVALID, "line %u: replacement path \"%s\" does not exist", value_line(r), to);
	}
	return 0;
}

static int read_directories(const struct value *root, const char *lock_path, struct project_lock *ret, struct err *e)
{
	const struct value *dirs = value_get(root, "directories");
	const char *src = ".", *modules = ".wippy";

	if (dirs && value_type(dirs) != VALUE_MAP)
		return err_set(e, ERR_INVALID, "line %u: field 'directories': expected a map, got %s", value_line(dirs),
			value_type_name(dirs));
	if (value_read_string(dirs, "src", &src, e) < 0 || value_read_string(dirs, "modules", &modules, e) < 0)
		return -1;
	if (!src[0])
		return err_set(e, ERR_INVALID, "directories.src cannot be empty");
	if (!modules[0])
		return err_set(e, ERR_INVALID, "directories.modules cannot be empty");
	if (check_modules(value_get(root, "modules"), e) < 0 ||
		check_replacements(value_get(root, "replacements"), lock_path, e) < 0)
		return -1;
	ret->src = xstrdup(src);
	ret->modules = xstrdup(modules);
	return 0;
}

int project_lock_read(const char *path, struct project_lock *ret, struct err *e)
{
	struct value *root = NULL;

	if (yaml_read(path, &root, e) < 0) {
		if (e->kind == ERR_NOT_FOUND)
			return err_set(e, ERR_NOT_FOUND,
				"lock file not found: %s; run `wippy init` in the project's folder", path);
		return err_prefix(e, "failed to load lock file");
	}
	if (value_type(root) != VALUE_MAP && value_type(root) != VALUE_NIL)
		err_set(e, ERR_INVALID, "%s: expected a map, got %s", path, value_type_name(root));
	else if (read_directories(root, path, ret, e) == 0) {
		ret->root = root;
		return 0;
	} else {
		err_prefix(e, "%s", path);
	}
	value_unref(root);
	return err_prefix(e, "invalid lock file");
}

static int replace_file(const char *path, const struct buf *text, struct err *e)
{
	char *tmp = xasprintf("%s.tmp.%ld", path, (long)getpid());
	int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int rc = -1;

	if (fd < 0) {
		err_set_errno(e, ERR_UNAVAILABLE, errno, "failed to write '%s'", path);
		goto out;
	}
	if (file_write_all(fd, buf_data(text), buf_len(text)) < 0 || fsync(fd) < 0 || rename(tmp, path) < 0) {
		err_set_errno(e, ERR_UNAVAILABLE, errno, "failed to write '%s'", path);
		unlink(tmp);
		goto out;
	}
	rc = 0;
out:
	if (fd >= 0)
		close(fd);
	free(tmp);
	return rc;
}

int project_lock_write(const char *path, const char *src, const char *modules, struct err *e)
{
	static const char *const kept[] = {"modules", "replacements", "options"};
	struct project_lock old = {0};
	struct value *root, *dirs;
	struct buf text = BUF_INIT;
	int rc;

	/* An existing file that can't be read is not overwritten: it may hold pinned modules. */
	if (project_lock_read(path, &old, e) < 0 && e->kind != ERR_NOT_FOUND)
		return -1;
	root = value_map();
	dirs = value_map();
	value_map_set(dirs, "modules", value_cstring(modules));
	value_map_set(dirs, "src", value_cstring(src));
	value_map_set(root, "directories", dirs);
	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		const struct value *v = value_get(old.root, kept[i]);

		if (v)
			value_map_set(root, kept[i], value_ref((struct value *)v));
	}
	yaml_write(root, &text);
	rc = replace_file(path, &text, e);
	buf_done(&text);
	value_unref(root);
	project_lock_done(&old);
	return rc;
}

void project_lock_done(struct project_lock *l)
{
	free(l->src);
	free(l->modules);
	value_unref(l->root);
	*l = (struct project_lock){0};
}
