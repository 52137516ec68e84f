/*
 * fs_copy.c - writefile() from something readable: a stream or another open file, piece by piece.
 */
#include "bind/fs.h"
#include "bind/stream.h"
#include "engine/lua_api.h"

enum { PIECE_BYTES = 64 * 1024 };

enum copy_phase { COPY_BEGIN, COPY_READING, COPY_WRITING, COPY_CLOSING };

/* A userdata on the stack of the coroutine, above both streams. */
struct copy {
	struct stream *from, *to;
	enum copy_phase phase;
};

static int copy_step(lua_State *L, struct copy *c);

static int copy_go_on(lua_State *L, struct pending *p)
{
	return copy_step(L, stream_of(p)->op.user);
}

static int push_failed(lua_State *L, struct copy *c, struct err *e, const char *what)
{
	err_prefix(e, "%s", what);
	e->kind = ERR_INTERNAL;
	stream_shut(c->to);
	lua_pushboolean(L, false);
	push_err(L, e);
	return 2;
}

static int begin_read(lua_State *L, struct copy *c, struct err *e)
{
	c->phase = COPY_READING;
	c->from->op.user = c;
	return stream_begin_read(L, c->from, PIECE_BYTES, e);
}

/* The bytes that were read, or the end. */
static int begin_write(lua_State *L, struct copy *c, struct err *e)
{
	if (buf_len(&c->from->op.data) == 0) {
		c->phase = COPY_CLOSING;
		return stream_begin_close(L, c->to, e);
	}
	if (stream_check_write(L, c->to, e) < 0)
		return -1;
	c->phase = COPY_WRITING;
	buf_done(&c->to->op.data);
	c->to->op.data = c->from->op.data;
	buf_init(&c->from->op.data);
	stream_begin_write(c->to);
	return 0;
}

static int copy_step(lua_State *L, struct copy *c)
{
	struct stream *waits;
	struct err e;

	c->to->op.user = c;
	do {
		switch (c->phase) {
		case COPY_BEGIN:
			if (begin_read(L, c, &e) < 0)
				return push_failed(L, c, &e, "failed to read source");
			break;
		case COPY_READING:
			if (stream_over(c->from, NULL, &e) < 0)
				return push_failed(L, c, &e, "failed to read source");
			if (begin_write(L, c, &e) < 0)
				return push_failed(L, c, &e, "failed to write file");
			break;
		case COPY_WRITING:
			if (stream_over(c->to, NULL, &e) < 0)
				return push_failed(L, c, &e, "failed to write file");
			if (begin_read(L, c, &e) < 0)
				return push_failed(L, c, &e, "failed to read source");
			break;
		case COPY_CLOSING:
			if (stream_over(c->to, NULL, &e) < 0)
				return push_failed(L, c, &e, "failed to write file");
			stream_shut(c->to);
			lua_pushboolean(L, true);
			lua_pushnil(L);
			return 2;
		}
		waits = c->phase == COPY_READING ? c->from : c->to;
	} while (stream_is_over(waits));
	return stream_wait(L, waits, copy_go_on);
}

int fs_copy(lua_State *L, int from)
{
	struct stream *to = stream_at(L, -1);
	struct copy *c;

	c = lua_newuserdatauv(L, sizeof(*c), 0);
	*c = (struct copy){stream_at(L, from), to, COPY_BEGIN};
	return copy_step(L, c);
}
