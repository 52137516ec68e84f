/*
 * stream_drain.c - reading a stream to its end, in one string.
 */
#include "bind/scratch.h"
#include "bind/stream.h"
#include "engine/lua_api.h"

/* On the stack above the stream: a scratch buffer, and what to do then. */
struct drain {
	struct stream *stream;
	struct buf *bytes;
	int (*drained)(lua_State *L);
	int top; /* of the stack before it began */
};

static int drain_step(lua_State *L, struct drain *d);

static int drain_read(lua_State *L, struct pending *p)
{
	return drain_step(L, stream_of(p)->op.user);
}

static int drain_step(lua_State *L, struct drain *d)
{
	struct stream *s = d->stream;
	struct err e;

	for (;;) {
		if (s->busy) {
			if (stream_over(s, "stream read", &e) < 0)
				return push_nil_and_err(L, &e);
			if (buf_len(&s->op.data) == 0)
				break;
			buf_add(d->bytes, buf_data(&s->op.data), buf_len(&s->op.data));
			if (buf_len(d->bytes) > STREAM_DRAIN_MAX) {
				err_set(&e, ERR_INTERNAL, "stream read: longer than %d MiB", STREAM_DRAIN_MAX >> 20);
				return push_nil_and_err(L, &e);
			}
		}
		if (stream_begin_read(L, s, 2 * STREAM_READ_DEFAULT, &e) < 0) {
			err_prefix(&e, "stream read");
			return push_nil_and_err(L, &e);
		}
		s->op.user = d;
		if (!stream_is_over(s))
			return stream_wait(L, s, drain_read);
	}
	lua_settop(L, d->top + 2);
	scratch_push(L, d->bytes);
	lua_replace(L, d->top + 1);
	lua_settop(L, d->top + 1);
	return d->drained(L);
}

int stream_drain(lua_State *L, int idx, int (*drained)(lua_State *L))
{
	struct stream *s = stream_at(L, idx);
	struct drain *d;
	struct buf *bytes;
	int top = lua_gettop(L);
	struct err e;

	if (!s->source || s->busy) {
		err_set(&e, ERR_INTERNAL, "%s",
			s->busy ? "stream read: another coroutine is using this stream" : "stream not found");
		return push_nil_and_err(L, &e);
	}
	luaL_checkstack(L, 6, "stream");
	bytes = scratch_buf(L);
	d = lua_newuserdatauv(L, sizeof(*d), 0);
	*d = (struct drain){s, bytes, drained, top};
	return drain_step(L, d);
}
