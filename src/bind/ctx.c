/*
 * ctx.c - the `ctx` module: the context values of the running frame, read-only.
 */
#include "bind/current.h"
#include "bind/modules.h"
#include "engine/lua_api.h"

static int l_get(lua_State *L)
{
	const char *key = luaL_checkstring(L, 1);
	const struct frame *f = current_frame(L);
	const struct value *v;
	struct err e;

	if (!f)
		err_set(&e, ERR_INTERNAL, "no context");
	else if (!*key)
		err_set(&e, ERR_INVALID, "empty key");
	else if (!(v = value_get(f->values, key)))
		err_set(&e, ERR_NOT_FOUND, "key not found: %.256s", key);
	else {
		value_push(L, v);
		return 1;
	}
	return push_nil_and_err(L, &e);
}

static int l_all(lua_State *L)
{
	const struct frame *f = current_frame(L);

	if (f && value_count(f->values) > 0)
		value_push(L, f->values);
	else
		lua_newtable(L);
	return 1;
}

int bind_ctx_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"all", l_all}, {"get", l_get}, {NULL, NULL}};

	luaL_newlib(L, functions);
	return 1;
}
