/*
 * fs_file.c - the File object of `fs`: a stream with methods of its own.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/fs.h"
#include "bind/stream.h"
#include "engine/lua_api.h"

enum { READ_DEFAULT = 4096 };

static int push_words(lua_State *L, int nfalse, enum err_kind kind, const char *text)
{
	struct err e = {0};

	err_set(&e, kind, "%s", text);
	if (nfalse)
		lua_pushboolean(L, false);
	else
		lua_pushnil(L);
	push_err(L, &e);
	return 2;
}

static struct stream *check_file(lua_State *L)
{
	return handle_check(L, 1, stream_file_type);
}

static bool is_closed(const struct stream *s)
{
	return !s->source || s->closing;
}

static int push_op_err(lua_State *L, bool is_false, struct err *e, const char *what)
{
	err_prefix(e, "%s", what);
	e->kind = ERR_INTERNAL;
	if (is_false)
		lua_pushboolean(L, false);
	else
		lua_pushnil(L);
	push_err(L, e);
	return 2;
}

static int push_true(lua_State *L)
{
	lua_pushboolean(L, true);
	lua_pushnil(L);
	return 2;
}

static int read_finish(lua_State *L, struct pending *p)
{
	struct stream *s = stream_of(p);
	struct err e;

	if (stream_over(s, NULL, &e) < 0)
		return push_op_err(L, false, &e, "read failed");
	if (buf_len(&s->op.data) == 0)
		return push_words(L, 0, ERR_NOT_FOUND, "EOF");
	lua_pushlstring(L, buf_data(&s->op.data), buf_len(&s->op.data));
	buf_done(&s->op.data);
	lua_pushnil(L);
	return 2;
}

static int l_read(lua_State *L)
{
	struct stream *s = check_file(L);
	lua_Number n = luaL_optnumber(L, 2, READ_DEFAULT);
	struct err e;

	if (!(n >= 1))
		return push_words(L, 0, ERR_INVALID, "size must be positive");
	if (is_closed(s))
		return push_words(L, 0, ERR_INTERNAL, "read failed: file already closed");
	if (stream_begin_read(L, s, n < STREAM_READ_MAX ? (size_t)n : STREAM_READ_MAX, &e) < 0)
		return push_op_err(L, false, &e, "read failed");
	return stream_wait(L, s, read_finish);
}

static int write_finish(lua_State *L, struct pending *p)
{
	struct err e;

	if (stream_over(stream_of(p), NULL, &e) < 0)
		return push_op_err(L, true, &e, "write failed");
	return push_true(L);
}

static int l_write(lua_State *L)
{
	struct stream *s = check_file(L);
	size_t len;
	const char *data = luaL_checklstring(L, 2, &len);
	struct err e;

	if (len == 0)
		return push_words(L, 1, ERR_INVALID, "data required");
	if (is_closed(s))
		return push_words(L, 1, ERR_INTERNAL, "write failed: file already closed");
	if (len > STREAM_WRITE_MAX)
		return push_words(L, 1, ERR_INVALID, "at most 64 MiB can be written at a time");
	if (stream_check_write(L, s, &e) < 0)
		return push_op_err(L, true, &e, "write failed");
	buf_add(&s->op.data, data, len);
	stream_begin_write(s);
	return stream_wait(L, s, write_finish);
}

static int seek_finish(lua_State *L, struct pending *p)
{
	struct stream *s = stream_of(p);
	struct err e;

	if (stream_over(s, NULL, &e) < 0)
		return push_op_err(L, false, &e, "seek failed");
	lua_pushinteger(L, s->op.n);
	lua_pushnil(L);
	return 2;
}

static int l_seek(lua_State *L)
{
	static const char *const words[] = {"set", "cur", "end"};
	static const int whences[] = {SEEK_SET, SEEK_CUR, SEEK_END};
	struct stream *s = check_file(L);
	const char *word = luaL_optstring(L, 2, "set");
	lua_Integer offset = luaL_optinteger(L, 3, 0);
	struct err e;
	size_t i = 0;

	while (i < ARRAY_LEN(words) && strcmp(words[i], word) != 0)
		i++;
	if (i == ARRAY_LEN(words))
		return push_words(L, 0, ERR_INVALID, "invalid whence: must be 'set', 'cur', or 'end'");
	if (is_closed(s))
		return push_words(L, 0, ERR_INTERNAL, "seek failed: file already closed");
	if (stream_begin_seek(L, s, whences[i], offset, &e) < 0)
		return push_op_err(L, false, &e, "seek failed");
	return stream_wait(L, s, seek_finish);
}

static int sync_finish(lua_State *L, struct pending *p)
{
	struct err e;

	if (stream_over(stream_of(p), NULL, &e) < 0)
		return push_op_err(L, true, &e, "sync failed");
	return push_true(L);
}

static int l_sync(lua_State *L)
{
	struct stream *s = check_file(L);
	struct err e;

	if (is_closed(s))
		return push_words(L, 1, ERR_INTERNAL, "sync failed: file already closed");
	if (stream_begin_flush(L, s, &e) < 0)
		return push_op_err(L, true, &e, "sync failed");
	return stream_wait(L, s, sync_finish);
}

/* fstat(2) of an open file asks nobody far away: what it needs is in memory. */
static int l_stat(lua_State *L)
{
	struct stream *s = check_file(L);
	struct files_stat st;
	struct err e;

	if (is_closed(s))
		return push_words(L, 0, ERR_INTERNAL, "stat failed: file already closed");
	if (fs_source_stat(s->source, &st, &e) < 0)
		return push_op_err(L, false, &e, "stat failed");
	fs_push_stat(L, &st);
	lua_pushnil(L);
	return 2;
}

static int close_finish(lua_State *L, struct pending *p)
{
	struct stream *s = stream_of(p);
	struct err e;
	int rc = stream_over(s, NULL, &e);

	stream_shut(s);
	return rc < 0 ? push_op_err(L, true, &e, "close failed") : push_true(L);
}

static int l_close(lua_State *L)
{
	struct stream *s = check_file(L);
	struct err e;

	if (is_closed(s))
		return push_true(L);
	if (!s->busy && stream_begin_close(L, s, &e) == 0)
		return stream_wait(L, s, close_finish);
	stream_shut(s);
	return push_true(L);
}

static int l_scanner(lua_State *L)
{
	struct stream *s = check_file(L);
	const char *split = luaL_optstring(L, 2, "lines");

	if (is_closed(s))
		return push_words(L, 0, ERR_INVALID, "file is closed");
	if (!stream_split_is_known(split))
		return push_words(L, 0, ERR_INVALID, "invalid split: must be 'lines', 'words', 'bytes', or 'runes'");
	stream_push_scanner(L, 1, split, true);
	lua_pushnil(L);
	return 2;
}

static int l_tostring(lua_State *L)
{
	lua_pushstring(L, is_closed(check_file(L)) ? "fs.File{closed}" : "fs.File{}");
	return 1;
}

void fs_push_stat(lua_State *L, const struct files_stat *st)
{
	lua_createtable(L, 0, 6);
	lua_pushstring(L, st->name);
	lua_setfield(L, -2, "name");
	lua_pushinteger(L, st->size);
	lua_setfield(L, -2, "size");
	lua_pushinteger(L, st->mode);
	lua_setfield(L, -2, "mode");
	lua_pushinteger(L, st->modified);
	lua_setfield(L, -2, "modified");
	lua_pushboolean(L, st->is_dir);
	lua_setfield(L, -2, "is_dir");
	lua_pushstring(L, st->is_dir ? "directory" : "file");
	lua_setfield(L, -2, "type");
}

void fs_file_register(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"read", l_read},
		{"write", l_write},
		{"seek", l_seek},
		{"stat", l_stat},
		{"sync", l_sync},
		{"close", l_close},
		{"scanner", l_scanner},
		{NULL, NULL},
	};

	handle_register(L, stream_file_type, methods, stream_gc);
	luaL_getmetatable(L, stream_file_type);
	lua_pushcfunction(L, l_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_pop(L, 1);
}
