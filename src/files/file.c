#include "files/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/refcount.h"

enum { PIECE_BYTES = 64 * 1024 };

struct files_file {
	struct refcount refs;
	int fd;
	enum files_how how;
	char *name;
};

struct files_file *files_file_new(int fd, enum files_how how, const char *name)
{
	struct files_file *f = xcalloc(1, sizeof(*f));

	refcount_init(&f->refs);
	f->fd = fd;
	f->how = how;
	f->name = xstrdup(name);
	return f;
}

struct files_file *files_file_ref(struct files_file *f)
{
	refcount_inc(&f->refs);
	return f;
}

void files_file_unref(struct files_file *f)
{
	if (!f || !refcount_dec(&f->refs))
		return;
	close(f->fd);
	free(f->name);
	free(f);
}

bool files_file_reads(const struct files_file *f)
{
	return f->how == FILES_READ;
}

bool files_file_writes(const struct files_file *f)
{
	return f->how != FILES_READ;
}

static int fail(struct err *e)
{
	err_set(e, ERR_INTERNAL, "%s", strerrordesc_np(errno) ? strerrordesc_np(errno) : "unknown error");
	if (e && e->text[0] >= 'A' && e->text[0] <= 'Z' && !(e->text[1] >= 'A' && e->text[1] <= 'Z'))
		e->text[0] += 'a' - 'A';
	return -1;
}

int files_file_read(struct files_file *f, void *out, size_t max, size_t *ret_n, struct err *e)
{
	ssize_t n;

	do
		n = read(f->fd, out, max);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(e);
	*ret_n = (size_t)n;
	return 0;
}

int files_file_read_all(struct files_file *f, size_t max, struct buf *out, struct err *e)
{
	struct stat st;
	size_t n = 0, total = 0;

	if (fstat(f->fd, &st) < 0)
		return fail(e);
	if (st.st_size > 0 && (uintmax_t)st.st_size > max)
		return err_set(e, ERR_INTERNAL, "it is longer than %zu MiB; open it and read it in pieces", max >> 20);
	if (st.st_size > 0)
		buf_reserve(out, (size_t)st.st_size + 1);
	do {
		if (files_file_read(f, buf_reserve(out, PIECE_BYTES), PIECE_BYTES, &n, e) < 0)
			return -1;
		buf_commit(out, n);
		total += n;
		/* It may grow meanwhile. */
		if (total > max)
			return err_set(
				e, ERR_INTERNAL, "it is longer than %zu MiB; open it and read it in pieces", max >> 20);
	} while (n > 0);
	return 0;
}

int files_file_write(struct files_file *f, const void *data, size_t len, struct err *e)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(f->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(e);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int files_file_seek(struct files_file *f, int whence, int64_t offset, int64_t *ret_position, struct err *e)
{
	off_t at = lseek(f->fd, offset, whence);

	if (at < 0)
		return fail(e);
	*ret_position = at;
	return 0;
}

void files_stat_fill(struct files_stat *ret, const struct stat *st, const char *name)
{
	size_t n = strnlen(name, sizeof(ret->name) - 1);

	memcpy(ret->name, name, n);
	ret->name[n] = '\0';
	ret->size = st->st_size;
	ret->mode = st->st_mode & 07777;
	ret->modified = st->st_mtim.tv_sec;
	ret->is_dir = S_ISDIR(st->st_mode);
}

int files_file_stat(struct files_file *f, struct files_stat *ret, struct err *e)
{
	struct stat st;

	if (fstat(f->fd, &st) < 0)
		return fail(e);
	files_stat_fill(ret, &st, f->name);
	return 0;
}

int files_file_sync(struct files_file *f, struct err *e)
{
	return fsync(f->fd) < 0 ? fail(e) : 0;
}
