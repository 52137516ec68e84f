#include "bind/stream.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/current.h"
#include "engine/lua_api.h"

const char stream_type[] = "stream";
const char stream_file_type[] = "fs.File";

/* -- operations ------------------------------------------------------------------------------------- */

void stream_op_done(struct stream_op *op)
{
	pending_ready(&op->pending);
}

void stream_op_fail(struct stream_op *op, const struct err *e)
{
	op->failed = true;
	op->err = *e;
	pending_ready(&op->pending);
}

struct stream *stream_of(struct pending *p)
{
	return container_of(container_of(p, struct stream_op, pending), struct stream, op);
}

/* Nobody waits any more. */
static void op_cancel(struct pending *p)
{
	struct stream *s = stream_of(p);

	if (s->source && !p->ready)
		s->source->ops->cancel(s->source, &s->op);
	s->busy = false;
	buf_done(&s->op.data);
	if (s->closing && s->source) {
		s->closing = false;
		stream_shut(s);
	}
}

static int check_ready(lua_State *L, struct stream *s, struct err *e)
{
	if (!s->source || s->closing)
		return err_set(e, ERR_INTERNAL, "stream not found: it is closed");
	if (s->busy)
		return err_set(e, ERR_INTERNAL, "another coroutine is using this stream");
	s->op.pending = (struct pending){.cancel = op_cancel};
	s->op.failed = false;
	s->op.may_wait = wait_is_possible(L);
	buf_clear(&s->op.data);
	return 0;
}

int stream_begin_read(lua_State *L, struct stream *s, size_t max, struct err *e)
{
	if (check_ready(L, s, e) < 0)
		return -1;
	if (!s->source->readable)
		return err_set(e, ERR_INTERNAL, "stream is not readable");
	s->op.max = max;
	s->busy = true;
	s->source->ops->read(s->source, &s->op);
	return 0;
}

int stream_check_write(lua_State *L, struct stream *s, struct err *e)
{
	if (check_ready(L, s, e) < 0)
		return -1;
	if (!s->source->writable)
		return err_set(e, ERR_INTERNAL, "stream is not writable");
	return 0;
}

void stream_begin_write(struct stream *s)
{
	s->op.n = 0;
	s->busy = true;
	s->source->ops->write(s->source, &s->op);
}

int stream_begin_seek(lua_State *L, struct stream *s, int whence, int64_t offset, struct err *e)
{
	if (check_ready(L, s, e) < 0)
		return -1;
	if (!s->source->seekable)
		return err_set(e, ERR_INTERNAL, "stream is not seekable");
	s->op.whence = whence;
	s->op.n = offset;
	s->busy = true;
	s->source->ops->seek(s->source, &s->op);
	return 0;
}

int stream_begin_flush(lua_State *L, struct stream *s, struct err *e)
{
	if (check_ready(L, s, e) < 0)
		return -1;
	s->busy = true;
	if (s->source->ops->flush)
		s->source->ops->flush(s->source, &s->op);
	else
		stream_op_done(&s->op);
	return 0;
}

int stream_begin_stat(lua_State *L, struct stream *s, struct err *e)
{
	if (check_ready(L, s, e) < 0)
		return -1;
	s->op.n = s->op.position = -1;
	s->busy = true;
	if (s->source->ops->stat)
		s->source->ops->stat(s->source, &s->op);
	else
		stream_op_done(&s->op);
	return 0;
}

int stream_begin_close(lua_State *L, struct stream *s, struct err *e)
{
	if (check_ready(L, s, e) < 0)
		return -1;
	s->busy = s->closing = true;
	if (s->source->ops->close)
		s->source->ops->close(s->source, &s->op);
	else
		stream_op_done(&s->op);
	return 0;
}

bool stream_is_over(const struct stream *s)
{
	return s->op.pending.ready;
}

int stream_wait(lua_State *L, struct stream *s, pending_finish_fn *finish)
{
	/* At chunk level what ended at once needs no coroutine. */
	if (stream_is_over(s))
		return finish(L, &s->op.pending);
	return wait_for(L, &s->op.pending, finish);
}

int stream_over(struct stream *s, const char *what, struct err *e)
{
	assert(s->busy);
	s->busy = false;
	if (!s->op.failed)
		return 0;
	*e = s->op.err;
	e->kind = ERR_INTERNAL;
	e->retry = ERR_RETRY_NO;
	return what ? err_prefix(e, "%s", what) : -1;
}

void stream_shut(struct stream *s)
{
	struct stream_source *source = s->source;

	if (!source)
		return;
	if (s->busy && !s->op.pending.ready) {
		struct err e = {0};

		source->ops->cancel(source, &s->op);
		err_set(&e, ERR_INTERNAL, "stream closed");
		stream_op_fail(&s->op, &e);
	}
	s->source = NULL;
	s->closing = false;
	resource_drop(&s->resource);
	source->ops->free(source);
}

/* The owner ends: nobody hears of it, and the waiting coroutine is about to be cancelled. */
static void stream_release(struct resource *r)
{
	struct stream *s = container_of(r, struct stream, resource);
	struct stream_source *source = s->source;

	if (s->busy && !s->op.pending.ready)
		source->ops->cancel(source, &s->op);
	s->source = NULL;
	source->ops->free(source);
}

int stream_gc(lua_State *L)
{
	struct stream *s = lua_touserdata(L, 1);

	stream_shut(s);
	buf_done(&s->op.data);
	return 0;
}

void stream_init(lua_State *L, struct stream *s, struct stream_source *source)
{
	struct process *p = current_process(L);

	s->source = source;
	if (p) /* not while a chunk is loaded: then the collector closes it */
		resource_own(&p->resources, &s->resource, stream_release);
}

void stream_push(lua_State *L, struct stream_source *source)
{
	struct stream *s = handle_new(L, stream_type, sizeof(*s));

	stream_init(L, s, source);
}

struct stream *stream_at(lua_State *L, int idx)
{
	struct stream *s = luaL_testudata(L, idx, stream_type);

	return s ? s : luaL_testudata(L, idx, stream_file_type);
}
