/*
 * http_stream.c - the body of a response as a stream object.
 *
 * The stream belongs to the process or call that made the request: it is closed with it, at the latest when the object is collected.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/http_call.h"
#include "engine/lua_api.h"

static const char stream_type[] = "stream";

enum { READ_DEFAULT = 32 * 1024, READ_MAX = 64 * 1024 };

struct stream {
	struct http_call *call; /* NULL when closed */
	struct resource resource;
	struct read *reading; /* the one outstanding read */
};

/* Lives apart from the userdata: the collector may not move under a wait. */
struct read {
	struct pending pending;
	struct stream *stream;
	struct buf data;
	int n;
	struct err err;
	int (*drained)(lua_State *L); /* http_stream_drain(): read to the end, then this */
};

static void stream_close(struct stream *s)
{
	struct http_call *call = s->call;

	if (!call)
		return;
	s->call = NULL;
	resource_drop(&s->resource);
	http_call_cancel(call);
}

static void stream_release(struct resource *r)
{
	stream_close(container_of(r, struct stream, resource));
}

static int stream_gc(lua_State *L)
{
	stream_close(lua_touserdata(L, 1));
	return 0;
}

static void read_done(void *arg, int n, struct buf *out, const struct err *e)
{
	struct read *r = arg;

	r->n = n;
	if (n > 0)
		buf_add(&r->data, buf_data(out), buf_len(out));
	if (n < 0)
		r->err = *e;
	if (n > 0 && r->drained && buf_len(&r->data) <= HTTP_STREAM_DRAIN_MAX) {
		http_call_read(r->stream->call, READ_MAX, read_done, r);
		return;
	}
	r->stream->reading = NULL;
	pending_ready(&r->pending);
}

static int read_finish(lua_State *L, struct pending *p)
{
	struct read *r = container_of(p, struct read, pending);
	struct err e = r->err;
	int n = r->n;

	if (n > 0) {
		lua_pushlstring(L, buf_data(&r->data), buf_len(&r->data));
		lua_pushnil(L);
	}
	buf_done(&r->data);
	free(r);
	if (n > 0)
		return 2;
	if (n == 0) {
		lua_pushnil(L);
		lua_pushnil(L);
		return 2;
	}
	e.kind = ERR_INTERNAL;
	e.retry = ERR_RETRY_NO;
	err_prefix(&e, "stream read");
	return push_nil_and_err(L, &e);
}

static void read_cancel(struct pending *p)
{
	struct read *r = container_of(p, struct read, pending);

	if (r->stream->call)
		http_call_read_cancel(r->stream->call);
	r->stream->reading = NULL;
	buf_done(&r->data);
	free(r);
}

static int drain_finish(lua_State *L, struct pending *p)
{
	struct read *r = container_of(p, struct read, pending);
	int (*drained)(lua_State * L) = r->drained;
	struct err e = r->err;
	int n = r->n;

	if (n == 0)
		lua_pushlstring(L, buf_data(&r->data), buf_len(&r->data));
	buf_done(&r->data);
	free(r);
	if (n == 0)
		return drained(L);
	if (n > 0)
		err_set(&e, ERR_INTERNAL, "longer than %d MiB", HTTP_STREAM_DRAIN_MAX >> 20);
	e.kind = ERR_INTERNAL;
	e.retry = ERR_RETRY_NO;
	err_prefix(&e, "stream read");
	return push_nil_and_err(L, &e);
}

static int push_failure_text(lua_State *L, const char *text)
{
	struct err e = {0};

	err_set(&e, ERR_INTERNAL, "%s", text);
	return push_nil_and_err(L, &e);
}

static int start_read(lua_State *L, struct stream *s, size_t max, int (*drained)(lua_State *L))
{
	struct read *r;

	if (!s->call)
		return push_failure_text(L, "stream not found");
	if (s->reading)
		return push_failure_text(L, "stream read: another coroutine is reading this stream");
	r = xcalloc(1, sizeof(*r));
	r->pending.cancel = read_cancel;
	r->stream = s;
	r->drained = drained;
	s->reading = r;
	http_call_read(s->call, max, read_done, r);
	return wait_for(L, &r->pending, drained ? drain_finish : read_finish);
}

static int l_read(lua_State *L)
{
	struct stream *s = handle_check(L, 1, stream_type);
	lua_Number want = luaL_optnumber(L, 2, 0);

	return start_read(L, s, want >= 1 ? (want < READ_MAX ? (size_t)want : READ_MAX) : READ_DEFAULT, NULL);
}

bool http_stream_is(lua_State *L, int idx)
{
	return luaL_testudata(L, idx, stream_type) != NULL;
}

int http_stream_drain(lua_State *L, int idx, int (*drained)(lua_State *L))
{
	return start_read(L, luaL_checkudata(L, idx, stream_type), READ_MAX, drained);
}

static int l_close(lua_State *L)
{
	struct stream *s = handle_check(L, 1, stream_type);

	if (s->reading) {
		/* The reader learns it: its read ends with an error. */
		struct read *r = s->reading;

		http_call_read_cancel(s->call);
		r->n = -1;
		err_set(&r->err, ERR_INTERNAL, "stream closed");
		s->reading = NULL;
		pending_ready(&r->pending);
	}
	stream_close(s);
	lua_pushboolean(L, true);
	lua_pushnil(L);
	return 2;
}

static int l_seek(lua_State *L)
{
	struct err e = {0};

	handle_check(L, 1, stream_type);
	err_set(&e, ERR_INTERNAL, "stream is not seekable");
	lua_pushinteger(L, -1);
	push_err(L, &e);
	return 2;
}

static int l_write(lua_State *L)
{
	struct err e = {0};

	handle_check(L, 1, stream_type);
	err_set(&e, ERR_INTERNAL, "stream is not writable");
	lua_pushinteger(L, 0);
	push_err(L, &e);
	return 2;
}

static int l_flush(lua_State *L)
{
	handle_check(L, 1, stream_type);
	lua_pushboolean(L, true);
	lua_pushnil(L);
	return 2;
}

static int l_stat(lua_State *L)
{
	handle_check(L, 1, stream_type);
	lua_createtable(L, 0, 5);
	lua_pushinteger(L, -1);
	lua_setfield(L, -2, "size");
	lua_pushinteger(L, -1);
	lua_setfield(L, -2, "position");
	lua_pushboolean(L, true);
	lua_setfield(L, -2, "readable");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "writable");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "seekable");
	lua_pushnil(L);
	return 2;
}

void http_stream_register(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"read", l_read},
		{"close", l_close},
		{"seek", l_seek},
		{"write", l_write},
		{"flush", l_flush},
		{"stat", l_stat},
		{NULL, NULL},
	};

	handle_register(L, stream_type, methods, stream_gc);
}

void http_stream_push(lua_State *L, struct http_call *call)
{
	struct stream *s = handle_new(L, stream_type, sizeof(*s));

	s->call = call;
	resource_own(&current_process(L)->resources, &s->resource, stream_release);
}
