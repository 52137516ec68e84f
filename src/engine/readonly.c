#include "engine/readonly.h"

#include <lauxlib.h>

static const char readonly_key; /* in the metatable: the real table */

int readonly_refuse(lua_State *L)
{
	return luaL_error(L, "cannot change an Immutable table: library tables and frozen tables are read-only");
}

static int l_len(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)lua_rawlen(L, lua_upvalueindex(1)));
	return 1;
}

/* Fill the metatable on top of the stack so that it shows the table at `real`. */
static void fill_metatable(lua_State *L, int real)
{
	lua_pushvalue(L, real);
	lua_rawsetp(L, -2, &readonly_key);
	lua_pushvalue(L, real);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, readonly_refuse);
	lua_setfield(L, -2, "__newindex");
	lua_pushvalue(L, real);
	lua_pushcclosure(L, l_len, 1);
	lua_setfield(L, -2, "__len");
}

void readonly_wrap(lua_State *L)
{
	int real = lua_gettop(L);

	luaL_checkstack(L, 10, NULL);
	lua_pushnil(L);
	while (lua_next(L, real)) {
		if (lua_type(L, -1) == LUA_TTABLE && !lua_getmetatable(L, -1)) {
			/* Setting a field that exists is allowed while walking. */
			readonly_wrap(L);
			lua_pushvalue(L, -2);
			lua_insert(L, -2);
			lua_rawset(L, real);
			continue;
		}
		lua_settop(L, real + 1);
	}
	lua_createtable(L, 0, 0);
	lua_createtable(L, 0, 6);
	fill_metatable(L, real);
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	lua_replace(L, real);
}

void readonly_freeze(lua_State *L, int idx)
{
	int meta, real;

	idx = lua_absindex(L, idx);
	luaL_checkstack(L, 10, NULL);
	lua_newtable(L);
	meta = lua_gettop(L);
	lua_newtable(L);
	real = lua_gettop(L);
	lua_pushnil(L);
	while (lua_next(L, idx)) {
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, real);
	}
	/* The old metatable keeps working for reads that miss, and its operators are taken over. */
	if (lua_getmetatable(L, idx)) {
		lua_pushnil(L);
		while (lua_next(L, -2)) {
			lua_pushvalue(L, -2);
			lua_insert(L, -2);
			lua_rawset(L, meta);
		}
		lua_pushvalue(L, -1);
		lua_setfield(L, meta, "__metatable");
		lua_setmetatable(L, real);
	}
	lua_pushvalue(L, meta);
	fill_metatable(L, real);
	lua_pop(L, 1);
	/* Empty the visible table; what the program held stays reachable through `real`. */
	lua_pushnil(L);
	while (lua_next(L, idx)) {
		lua_pop(L, 1);
		lua_pushvalue(L, -1);
		lua_pushnil(L);
		lua_rawset(L, idx);
	}
	lua_pushvalue(L, meta);
	lua_setmetatable(L, idx);
	lua_settop(L, meta - 1);
}

bool readonly_resolve(lua_State *L, int idx)
{
	idx = lua_absindex(L, idx);
	if (lua_type(L, idx) != LUA_TTABLE || !lua_getmetatable(L, idx))
		return false;
	if (lua_rawgetp(L, -1, &readonly_key) == LUA_TTABLE) {
		lua_remove(L, -2);
		return true;
	}
	lua_pop(L, 2);
	return false;
}

bool readonly_is(lua_State *L, int idx)
{
	if (!readonly_resolve(L, idx))
		return false;
	lua_pop(L, 1);
	return true;
}
