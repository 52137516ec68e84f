/*
 * fs_source.c - open files as a source of streams.
 *
 * Each operation runs on the thread pool while the coroutine waits; where it cannot wait (a chunk that is being loaded,
 * a metamethod) a local file is read and written there and then.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "bind/current.h"
#include "bind/fs.h"
#include "bind/stream.h"
#include "engine/lua_api.h"

enum file_op { FILE_READ, FILE_WRITE, FILE_SEEK, FILE_SYNC, FILE_STAT, FILE_CLOSE };

/* On the pool; what it works on is its own. */
struct file_job {
	enum file_op op;
	struct files_file *file; /* a reference */
	struct stream_op *to;    /* NULL: nobody waits any more */
	struct source *source;
	struct buf data;
	size_t max;
	int whence;
	int64_t n, position;
	int rc;
	struct err err;
};

struct source {
	struct stream_source base;
	struct files_file *file;
	struct loop *loop;
	struct file_job *job; /* the one that somebody waits for */
};

static struct source *source_of(struct stream_source *s)
{
	return container_of(s, struct source, base);
}

static void job_free(struct file_job *j)
{
	files_file_unref(j->file);
	buf_done(&j->data);
	free(j);
}

static int do_read(struct file_job *j)
{
	size_t n;

	if (files_file_read(j->file, buf_reserve(&j->data, j->max), j->max, &n, &j->err) < 0)
		return -1;
	buf_commit(&j->data, n);
	return 0;
}

static int do_stat(struct file_job *j)
{
	struct files_stat st;

	if (files_file_stat(j->file, &st, &j->err) < 0)
		return -1;
	j->n = st.size;
	return files_file_seek(j->file, SEEK_CUR, 0, &j->position, &j->err);
}

static void job_work(void *arg)
{
	struct file_job *j = arg;

	switch (j->op) {
	case FILE_READ:
		j->rc = do_read(j);
		break;
	case FILE_WRITE:
		j->rc = files_file_write(j->file, buf_data(&j->data), buf_len(&j->data), &j->err);
		j->n = (int64_t)buf_len(&j->data);
		buf_done(&j->data);
		break;
	case FILE_SEEK:
		j->rc = files_file_seek(j->file, j->whence, j->n, &j->n, &j->err);
		break;
	case FILE_SYNC:
		j->rc = files_file_sync(j->file, &j->err);
		break;
	case FILE_STAT:
		j->rc = do_stat(j);
		break;
	case FILE_CLOSE: /* a file system far away writes what is left only now */
		files_file_unref(j->file);
		j->file = NULL;
		break;
	}
}

static void job_over(void *arg)
{
	struct file_job *j = arg;
	struct stream_op *op = j->to;

	if (op) {
		j->source->job = NULL;
		if (j->op == FILE_READ) {
			buf_done(&op->data);
			op->data = j->data;
			buf_init(&j->data);
		}
		op->n = j->n;
		op->position = j->position;
		if (j->rc < 0)
			stream_op_fail(op, &j->err);
		else
			stream_op_done(op);
	}
	job_free(j);
}

static void begin(struct stream_source *s, struct stream_op *to, enum file_op op)
{
	struct source *src = source_of(s);
	struct file_job *j = xcalloc(1, sizeof(*j));

	j->op = op;
	j->to = to;
	j->source = src;
	src->job = j;
	if (op == FILE_CLOSE) {
		j->file = src->file;
		src->file = NULL;
	} else {
		j->file = files_file_ref(src->file);
	}
	j->max = to->max < STREAM_READ_MAX ? to->max : STREAM_READ_MAX;
	j->whence = to->whence;
	j->n = to->n;
	if (op == FILE_WRITE) {
		j->data = to->data;
		buf_init(&to->data);
	}
	if (to->may_wait) {
		loop_work(src->loop, job_work, job_over, j);
	} else {
		job_work(j);
		job_over(j);
	}
}

#define FILE_OP(name, op)                                                        \
	static void source_##name(struct stream_source *s, struct stream_op *to) \
	{                                                                        \
		begin(s, to, op);                                                \
	}

FILE_OP(read, FILE_READ)
FILE_OP(write, FILE_WRITE)
FILE_OP(seek, FILE_SEEK)
FILE_OP(flush, FILE_SYNC)
FILE_OP(stat, FILE_STAT)
FILE_OP(close, FILE_CLOSE)

static void source_cancel(struct stream_source *s, struct stream_op *op)
{
	struct source *src = source_of(s);

	(void)op;
	if (src->job)
		src->job->to = NULL;
	src->job = NULL;
}

static void source_free(struct stream_source *s)
{
	struct source *src = source_of(s);

	files_file_unref(src->file);
	free(src);
}

static const struct stream_ops file_ops = {
	.read = source_read,
	.write = source_write,
	.seek = source_seek,
	.flush = source_flush,
	.stat = source_stat,
	.close = source_close,
	.cancel = source_cancel,
	.free = source_free,
};

void fs_file_push(lua_State *L, struct files_file *f)
{
	struct stream *s = handle_new(L, stream_file_type, sizeof(*s));
	struct source *src = xcalloc(1, sizeof(*src));

	src->base.ops = &file_ops;
	src->base.readable = files_file_reads(f);
	src->base.writable = files_file_writes(f);
	src->base.seekable = true;
	src->file = f;
	src->loop = current_loop(L);
	stream_init(L, s, &src->base);
}

int fs_source_stat(struct stream_source *s, struct files_stat *ret, struct err *e)
{
	return files_file_stat(source_of(s)->file, ret, e);
}
