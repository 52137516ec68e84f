/*
 * env_file.c - a storage in a file of KEY=VALUE lines.
 *
 * Blank lines, lines without '=' and everything after the first '#' of a line are no data; key and value are
 * trimmed, nothing is quoted, the first line of a key counts. The file is read anew for each look-up and replaced
 * whole by each change, so a reader sees the old or the new one.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "registry/env_storage.h"
#include "registry/file.h"

enum { READ_BYTES = 4096 };

struct file {
	struct env_storage base;
	char *path;
	bool auto_create;
	mode_t file_mode;
	mode_t dir_mode;
};

/* One change of any file at a time in this program: two entries may name the same file. Look-ups don't take it. */
static pthread_mutex_t change_lock = PTHREAD_MUTEX_INITIALIZER;

/* -- lines ----------------------------------------------------------------------------------------------- */

/* Offsets into the text; a line without data has key_len 0. */
struct line {
	size_t begin, end; /* without the line feed */
	size_t key, key_len;
	size_t value, value_len;
	size_t comment; /* where '#' is; `end` when there is none */
};

static void trim(const char *text, size_t *begin, size_t *end)
{
	while (*begin < *end && isspace((unsigned char)text[*begin]))
		++*begin;
	while (*end > *begin && isspace((unsigned char)text[*end - 1]))
		--*end;
}

/* The line at *pos, which moves behind it; false at the end of the text. */
static bool next_line(const char *text, size_t len, size_t *pos, struct line *ret)
{
	struct line l = {.begin = *pos};
	const char *stop;
	size_t end;

	if (*pos >= len)
		return false;
	stop = memchr(text + *pos, '\n', len - *pos);
	l.end = stop ? (size_t)(stop - text) : len;
	*pos = stop ? l.end + 1 : len;
	stop = memchr(text + l.begin, '#', l.end - l.begin);
	l.comment = stop ? (size_t)(stop - text) : l.end;
	stop = memchr(text + l.begin, '=', l.comment - l.begin);
	if (stop) {
		l.key = l.begin;
		end = (size_t)(stop - text);
		trim(text, &l.key, &end);
		l.key_len = end - l.key;
		l.value = (size_t)(stop - text) + 1;
		end = l.comment;
		trim(text, &l.value, &end);
		l.value_len = end - l.value;
	}
	*ret = l;
	return true;
}

static bool find_key(const char *text, size_t len, const char *key, struct line *ret)
{
	size_t pos = 0, key_len = strlen(key);

	while (next_line(text, len, &pos, ret)) {
		if (ret->key_len == key_len && key_len > 0 && memcmp(text + ret->key, key, key_len) == 0)
			return true;
	}
	return false;
}

/* -- the file -------------------------------------------------------------------------------------------- */

static void wipe(struct buf *b)
{
	if (b->mem)
		explicit_bzero(b->mem, b->cap);
	buf_done(b);
}

/* Whole, with its status. ERR_NOT_FOUND when there is no such file. */
static int read_file(const char *path, struct buf *text, struct stat *st, struct err *e)
{
	/* Non-blocking: opening a pipe by that name must not hang. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int rc = -1;

	if (fd < 0)
		return err_set_errno(e, errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_INTERNAL, errno,
			"failed to open environment file %.256s", path);
	if (fstat(fd, st) < 0) {
		err_set_errno(e, ERR_INTERNAL, errno, "failed to read environment file %.256s", path);
		goto out;
	}
	if (!S_ISREG(st->st_mode)) {
		err_set(e, ERR_INTERNAL, "failed to read environment file %.256s: not a regular file", path);
		goto out;
	}
	/* At once, so that a growing buf leaves no copies of its content behind. */
	buf_reserve(text, (st->st_size < ENV_FILE_BYTES_MAX ? (size_t)st->st_size : ENV_FILE_BYTES_MAX) + READ_BYTES);
	for (;;) {
		ssize_t n = read(fd, buf_reserve(text, READ_BYTES), READ_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err_set_errno(e, ERR_INTERNAL, errno, "failed to read environment file %.256s", path);
			goto out;
		}
		if (n == 0)
			break;
		buf_commit(text, (size_t)n);
		if (buf_len(text) > ENV_FILE_BYTES_MAX) {
			err_set(e, ERR_INTERNAL, "failed to read environment file %.256s: larger than %d bytes", path,
				ENV_FILE_BYTES_MAX);
			goto out;
		}
	}
	rc = 0;
out:
	close(fd);
	return rc;
}

/* Give the new file the owner of the old one where that is allowed, and its mode: rewriting must not open a
 * private file to others. */
static int copy_status(int fd, const struct stat *old)
{
	if ((old->st_uid != geteuid() || old->st_gid != getegid()) && fchown(fd, old->st_uid, old->st_gid) < 0 &&
		errno != EPERM)
		return -1;
	return fchmod(fd, old->st_mode & 0777);
}

/* `old` NULL: the file is new. */
static int replace_file(const struct file *f, const struct buf *text, const struct stat *old, struct err *e)
{
	/* A link stays a link; what it names is replaced. */
	char *path = old ? realpath(f->path, NULL) : xstrdup(f->path);
	char *tmp = xasprintf("%s.tmp", path ? path : f->path);
	int fd = -1, rc = -1;

	if (!path)
		goto out;
	/* One left by a program that died; never one that links elsewhere. */
	if (unlink(tmp) < 0 && errno != ENOENT)
		goto out;
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, old ? 0600 : f->file_mode);
	if (fd < 0)
		goto out;
	if (file_write_all(fd, buf_data(text), buf_len(text)) == 0 && (!old || copy_status(fd, old) == 0) &&
		fsync(fd) == 0 && rename(tmp, path) == 0) {
		file_sync_dir_of(path);
		rc = 0;
	}
out:
	if (rc < 0) {
		err_set_errno(e, ERR_INTERNAL, errno, "failed to write environment file %.256s", f->path);
		if (fd >= 0)
			unlink(tmp);
	}
	if (fd >= 0)
		close(fd);
	free(tmp);
	free(path);
	return rc;
}

static int make_directories(const struct file *f, struct err *e)
{
	char *path = xstrdup(f->path);
	int rc = 0;

	for (char *slash = strchr(path + 1, '/'); slash && rc == 0; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, f->dir_mode) < 0 && errno != EEXIST)
			rc = err_set_errno(e, ERR_INTERNAL, errno, "failed to make directory %.256s", path);
		*slash = '/';
	}
	free(path);
	return rc;
}

/* -- a storage ------------------------------------------------------------------------------------------- */

static int file_get(struct env_storage *s, const char *key, unsigned depth, char **ret, struct err *e)
{
	const struct file *f = container_of(s, struct file, base);
	struct buf text = BUF_INIT;
	struct stat st;
	struct err why;
	struct line l;
	int rc = 0;

	(void)depth;
	if (read_file(f->path, &text, &st, &why) < 0) {
		if (why.kind == ERR_NOT_FOUND)
			*ret = NULL;
		else {
			if (e)
				*e = why;
			rc = -1;
		}
	} else if (find_key(buf_data(&text), buf_len(&text), key, &l)) {
		*ret = xmemdupz(buf_data(&text) + l.value, l.value_len);
	} else {
		*ret = NULL;
	}
	wipe(&text);
	return rc;
}

/* What could not be read back as it was written is refused, above all a line feed, behind which another key could
 * follow. */
static int check_pair(const char *key, const char *value, struct err *e)
{
	if (strpbrk(key, "=#\r\n") || isspace((unsigned char)key[0]) || isspace((unsigned char)key[strlen(key) - 1]))
		return err_set(e, ERR_INVALID,
			"the name '%.256s' cannot be a key of an environment file; give the variable a public name",
			key);
	if (strpbrk(value, "\r\n"))
		return err_set(e, ERR_INVALID, "a value in an environment file cannot contain a line break");
	if (strchr(value, '#'))
		return err_set(
			e, ERR_INVALID, "a value in an environment file cannot contain '#', which begins a comment");
	return 0;
}

/* `out` becomes `in` with that pair: in the place of the key's first line, whose comment stays, or at the end. */
static void edit(const struct buf *in, const char *key, const char *value, struct buf *out)
{
	const char *text = buf_data(in);
	size_t len = buf_len(in);
	struct line l;

	if (!find_key(text, len, key, &l)) {
		buf_add(out, text, len);
		if (len > 0 && text[len - 1] != '\n')
			buf_addc(out, '\n');
		buf_adds(out, key);
		buf_addc(out, '=');
		buf_adds(out, value);
		buf_addc(out, '\n');
		return;
	}
	buf_add(out, text, l.begin);
	buf_adds(out, key);
	buf_addc(out, '=');
	buf_adds(out, value);
	if (l.comment < l.end) {
		size_t gap = l.value + l.value_len; /* the blanks before the comment stay as they were */

		if (gap == l.comment)
			buf_addc(out, ' ');
		buf_add(out, text + gap, l.end - gap);
	} else if (l.end > l.begin && text[l.end - 1] == '\r') {
		buf_addc(out, '\r');
	}
	buf_add(out, text + l.end, len - l.end);
}

static int change(const struct file *f, const char *key, const char *value, struct err *e)
{
	struct buf in = BUF_INIT, out = BUF_INIT;
	struct stat st;
	bool is_new = false;
	struct err why;
	int rc = -1;

	if (read_file(f->path, &in, &st, &why) < 0) {
		is_new = why.kind == ERR_NOT_FOUND && f->auto_create;
		if (!is_new) {
			if (e)
				*e = why;
			goto out;
		}
		if (make_directories(f, e) < 0)
			goto out;
	}
	buf_reserve(&out,
		buf_len(&in) + strlen(key) + strlen(value) + 4); /* once, so that no copy of a value is left behind */
	edit(&in, key, value, &out);
	if (buf_len(&out) > ENV_FILE_BYTES_MAX) {
		err_set(e, ERR_INVALID, "environment file %.256s would become larger than %d bytes", f->path,
			ENV_FILE_BYTES_MAX);
		goto out;
	}
	rc = replace_file(f, &out, is_new ? NULL : &st, e);
out:
	wipe(&in);
	wipe(&out);
	return rc;
}

static int file_set(struct env_storage *s, const char *key, const char *text, unsigned depth, struct err *e)
{
	const struct file *f = container_of(s, struct file, base);
	int rc;

	(void)depth;
	if (check_pair(key, text, e) < 0)
		return -1;
	pthread_mutex_lock(&change_lock);
	rc = change(f, key, text, e);
	pthread_mutex_unlock(&change_lock);
	return rc;
}

static int file_each(struct env_storage *s, env_pair_fn *fn, void *arg, struct err *e)
{
	const struct file *f = container_of(s, struct file, base);
	struct buf text = BUF_INIT;
	struct map *seen;
	struct stat st;
	struct line l;
	size_t pos = 0;

	if (read_file(f->path, &text, &st, e) < 0) {
		wipe(&text);
		return -1;
	}
	seen = map_new();
	while (next_line(buf_data(&text), buf_len(&text), &pos, &l)) {
		char *key = xmemdupz(buf_data(&text) + l.key, l.key_len);

		if (l.key_len > 0 && !map_has(seen, key)) {
			char *value = xmemdupz(buf_data(&text) + l.value, l.value_len);

			map_set(seen, key, seen);
			fn(arg, key, value);
			env_text_free(value);
		}
		free(key);
	}
	map_free(seen, NULL);
	wipe(&text);
	return 0;
}

static bool file_waits(struct env_storage *s, const char *key, unsigned depth)
{
	(void)s;
	(void)key;
	(void)depth;
	return true;
}

static void file_free(struct env_storage *s)
{
	struct file *f = container_of(s, struct file, base);

	free(f->path);
	free(f);
}

/* A mode is 0o644 or "0644" in YAML 1.2, where 0644 is six hundred and forty-four: of such numbers, those that
 * can't be a mode otherwise are read by their digits, and those that could mean either are refused. */
static int read_mode(const struct value *data, const char *key, bool is_dir, mode_t *ret, struct err *e)
{
	const struct value *v = value_get(data, key);
	const char *text = "";
	char digits[24];
	char *end;
	unsigned long mode;

	if (value_type(v) == VALUE_NIL)
		return 0;
	if (value_type(v) == VALUE_INT) {
		int64_t n = value_get_int(v);

		if (n < 0 || n > 777)
			goto bad;
		snprintf(digits, sizeof(digits), n > 0777 ? "%lld" : "%llo", (long long)n);
		text = digits;
	} else if (value_type(v) == VALUE_STRING) {
		text = value_get_string(v, NULL);
	} else {
		return err_set(e, ERR_INVALID,
			"failed to unmarshal config: line %u: field '%s': expected integer, got %s", value_line(v), key,
			value_type_name(v));
	}
	if (!*text || strlen(text) > 4 || text[strspn(text, "01234567")])
		goto bad;
	mode = strtoul(text, &end, 8);
	if (mode > 0777)
		goto bad;
	if (value_type(v) == VALUE_INT) {
		unsigned long owner = mode >> 6, group = mode >> 3 & 7, other = mode & 7, any = owner | group | other;

		/* 0440 written without the o comes out as 0670: nobody gives others more than the owner, or a
		 * folder without its x. */
		if ((group & ~owner) || (other & ~group) || ((group & 2) && !(group & 4)) ||
			(is_dir && (any & 4) && (owner & 5) != 5) ||
			(is_dir && (((group & 4) && !(group & 1)) || ((other & 4) && !(other & 1)))))
			goto bad;
	}
	*ret = (mode_t)mode;
	return 0;
bad:
	return err_set(e, ERR_INVALID, "invalid configuration: line %u: field '%s': no file mode; write it as 0o%s",
		value_line(v), key, is_dir ? "755" : "644");
}

int env_file_new(const struct value *data, struct env_storage **ret, struct err *e)
{
	static const struct env_storage_ops ops = {
		.get = file_get, .set = file_set, .each = file_each, .waits = file_waits, .free = file_free};
	mode_t file_mode = 0644, dir_mode = 0755;
	bool auto_create = false;
	const char *path = "";
	struct file *f;

	if (value_read_string(data, "file_path", &path, e) < 0 ||
		value_read_bool(data, "auto_create", &auto_create, e) < 0)
		return err_prefix(e, "failed to unmarshal config");
	if (!path[0])
		return err_set(e, ERR_INVALID, "invalid configuration: file path must not be empty");
	if (read_mode(data, "file_mode", false, &file_mode, e) < 0 ||
		read_mode(data, "dir_mode", true, &dir_mode, e) < 0)
		return -1;
	f = xcalloc(1, sizeof(*f));
	f->base.ops = &ops;
	refcount_init(&f->base.refs);
	f->path = xstrdup(path);
	f->auto_create = auto_create;
	f->file_mode = file_mode;
	f->dir_mode = dir_mode;
	*ret = &f->base;
	return 0;
}
