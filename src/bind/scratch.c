#include "bind/scratch.h"

#include <string.h>

#include "engine/lua_api.h"

static int buf_gc(lua_State *L)
{
	buf_done(lua_touserdata(L, 1));
	return 0;
}

static int secret_gc(lua_State *L)
{
	struct buf *b = lua_touserdata(L, 1);

	if (b->mem)
		explicit_bzero(b->mem, b->cap);
	buf_done(b);
	return 0;
}

static int value_gc(lua_State *L)
{
	struct value **v = lua_touserdata(L, 1);

	value_unref(*v);
	*v = NULL;
	return 0;
}

struct buf *scratch_buf(lua_State *L)
{
	handle_register(L, "bind.buffer", NULL, buf_gc);
	return handle_new(L, "bind.buffer", sizeof(struct buf));
}

struct buf *scratch_secret(lua_State *L)
{
	handle_register(L, "bind.secret", NULL, secret_gc);
	return handle_new(L, "bind.secret", sizeof(struct buf));
}

struct value **scratch_value(lua_State *L)
{
	handle_register(L, "bind.value", NULL, value_gc);
	return handle_new(L, "bind.value", sizeof(struct value *));
}

void scratch_push(lua_State *L, struct buf *b)
{
	lua_pushlstring(L, buf_data(b), buf_len(b));
	buf_done(b);
}
