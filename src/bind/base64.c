/*
 * base64.c - the `base64` module (RFC 4648).
 */
#include "base/base64.h"

#include "bind/modules.h"
#include "bind/scratch.h"
#include "engine/lua_api.h"

/* The string argument, or NULL with `nil, error` pushed. */
static const char *check_data(lua_State *L, size_t *ret_len)
{
	struct err e = {0};

	if (lua_type(L, 1) == LUA_TSTRING)
		return lua_tolstring(L, 1, ret_len);
	err_set(&e, ERR_INVALID, "string expected");
	push_nil_and_err(L, &e);
	return NULL;
}

static int l_encode(lua_State *L)
{
	struct buf *out;
	const char *data;
	size_t len;

	data = check_data(L, &len);
	if (!data)
		return 2;
	out = scratch_buf(L);
	base64_encode(out, data, len);
	scratch_push(L, out);
	return 1;
}

static int l_decode(lua_State *L)
{
	struct err e = {0};
	struct buf *out;
	const char *text;
	size_t len;

	text = check_data(L, &len);
	if (!text)
		return 2;
	out = scratch_buf(L);
	if (base64_decode(out, text, len, &e) < 0)
		return push_nil_and_err(L, &e);
	scratch_push(L, out);
	return 1;
}

int bind_base64_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"encode", l_encode}, {"decode", l_decode}, {NULL, NULL}};

	luaL_newlib(L, functions);
	return 1;
}
