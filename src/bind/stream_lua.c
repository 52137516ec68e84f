/*
 * stream_lua.c - the methods of a stream object, and the module `stream`.
 */
#include <stdio.h>

#include "bind/modules.h"
#include "bind/stream.h"
#include "engine/lua_api.h"

static int push_failed(lua_State *L, const struct err *e)
{
	push_err(L, e);
	return 2;
}

static int read_finish(lua_State *L, struct pending *p)
{
	struct stream *s = stream_of(p);
	struct err e;

	if (stream_over(s, "stream read", &e) < 0)
		return push_nil_and_err(L, &e);
	if (buf_len(&s->op.data) == 0) {
		lua_pushnil(L);
	} else {
		lua_pushlstring(L, buf_data(&s->op.data), buf_len(&s->op.data));
		buf_done(&s->op.data);
	}
	lua_pushnil(L);
	return 2;
}

static int l_read(lua_State *L)
{
	struct stream *s = handle_check(L, 1, stream_type);
	lua_Number want = luaL_optnumber(L, 2, 0);
	struct err e;

	if (stream_begin_read(L, s,
		    !(want >= 1)             ? STREAM_READ_DEFAULT
		    : want < STREAM_READ_MAX ? (size_t)want
					     : STREAM_READ_MAX,
		    &e) < 0) {
		err_prefix(&e, "stream read");
		return push_nil_and_err(L, &e);
	}
	return stream_wait(L, s, read_finish);
}

static int write_finish(lua_State *L, struct pending *p)
{
	struct stream *s = stream_of(p);
	struct err e;
	int rc = stream_over(s, "stream write", &e);

	buf_done(&s->op.data);
	if (rc < 0) {
		lua_pushinteger(L, 0);
		return push_failed(L, &e);
	}
	lua_pushinteger(L, s->op.n);
	lua_pushnil(L);
	return 2;
}

static int l_write(lua_State *L)
{
	struct stream *s = handle_check(L, 1, stream_type);
	size_t len;
	const char *data = luaL_checklstring(L, 2, &len);
	struct err e;
	int rc = stream_check_write(L, s, &e);

	if (rc == 0 && len > STREAM_WRITE_MAX)
		rc = err_set(&e, ERR_INTERNAL, "at most %d MiB at a time", STREAM_WRITE_MAX >> 20);
	if (rc < 0) {
		err_prefix(&e, "stream write");
		lua_pushinteger(L, 0);
		return push_failed(L, &e);
	}
	buf_add(&s->op.data, data, len);
	stream_begin_write(s);
	return stream_wait(L, s, write_finish);
}

static int seek_finish(lua_State *L, struct pending *p)
{
	struct stream *s = stream_of(p);
	struct err e;

	if (stream_over(s, "stream seek", &e) < 0) {
		lua_pushinteger(L, -1);
		return push_failed(L, &e);
	}
	lua_pushinteger(L, s->op.n);
	lua_pushnil(L);
	return 2;
}

static int l_seek(lua_State *L)
{
	static const char *const words[] = {"set", "cur", "end", NULL};
	static const int whences[] = {SEEK_SET, SEEK_CUR, SEEK_END};
	struct stream *s = handle_check(L, 1, stream_type);
	int whence = luaL_checkoption(L, 2, "set", words);
	lua_Integer offset = luaL_optinteger(L, 3, 0);
	struct err e;

	if (stream_begin_seek(L, s, whences[whence], offset, &e) < 0) {
		lua_pushinteger(L, -1);
		return push_failed(L, &e);
	}
	return stream_wait(L, s, seek_finish);
}

static int flush_finish(lua_State *L, struct pending *p)
{
	struct err e;
	bool ok = stream_over(stream_of(p), "stream flush", &e) == 0;

	lua_pushboolean(L, ok);
	if (!ok)
		return push_failed(L, &e);
	lua_pushnil(L);
	return 2;
}

static int l_flush(lua_State *L)
{
	struct stream *s = handle_check(L, 1, stream_type);
	struct err e;

	if (stream_begin_flush(L, s, &e) < 0) {
		lua_pushboolean(L, false);
		return push_failed(L, &e);
	}
	return stream_wait(L, s, flush_finish);
}

static int stat_finish(lua_State *L, struct pending *p)
{
	struct stream *s = stream_of(p);
	struct err e;

	if (stream_over(s, "stream stat", &e) < 0)
		return push_nil_and_err(L, &e);
	lua_createtable(L, 0, 5);
	lua_pushinteger(L, s->op.n);
	lua_setfield(L, -2, "size");
	lua_pushinteger(L, s->op.position);
	lua_setfield(L, -2, "position");
	lua_pushboolean(L, s->source && s->source->readable);
	lua_setfield(L, -2, "readable");
	lua_pushboolean(L, s->source && s->source->writable);
	lua_setfield(L, -2, "writable");
	lua_pushboolean(L, s->source && s->source->seekable);
	lua_setfield(L, -2, "seekable");
	lua_pushnil(L);
	return 2;
}

static int l_stat(lua_State *L)
{
	struct stream *s = handle_check(L, 1, stream_type);
	struct err e;

	if (stream_begin_stat(L, s, &e) < 0)
		return push_nil_and_err(L, &e);
	return stream_wait(L, s, stat_finish);
}

static int close_finish(lua_State *L, struct pending *p)
{
	struct stream *s = stream_of(p);
	struct err e;
	int rc = stream_over(s, "stream close", &e);

	stream_shut(s);
	lua_pushboolean(L, rc == 0);
	if (rc < 0)
		return push_failed(L, &e);
	lua_pushnil(L);
	return 2;
}

static int l_close(lua_State *L)
{
	struct stream *s = handle_check(L, 1, stream_type);
	struct err e;

	if (s->source && s->source->ops->close && !s->busy && stream_begin_close(L, s, &e) == 0)
		return stream_wait(L, s, close_finish);
	/* Who waits on it learns it: the operation ends with an error. */
	stream_shut(s);
	lua_pushboolean(L, true);
	lua_pushnil(L);
	return 2;
}

static int l_scanner(lua_State *L)
{
	static const char *const words[] = {"lines", "words", "bytes", "runes", NULL};
	int split;

	handle_check(L, 1, stream_type);
	split = luaL_checkoption(L, 2, "lines", words);
	stream_push_scanner(L, 1, words[split], false);
	lua_pushnil(L);
	return 2;
}

void stream_register(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"read", l_read},
		{"write", l_write},
		{"seek", l_seek},
		{"flush", l_flush},
		{"stat", l_stat},
		{"close", l_close},
		{"scanner", l_scanner},
		{NULL, NULL},
	};

	handle_register(L, stream_type, methods, stream_gc);
	stream_scanner_register(L);
}

/* Streams come from other modules; this one has nothing in it. */
int bind_stream_open(lua_State *L)
{
	stream_register(L);
	lua_newtable(L);
	return 1;
}
