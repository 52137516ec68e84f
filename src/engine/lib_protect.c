/*
 * lib_protect.c - pcall and xpcall: they work across waits, and never catch the end of their own process.
 */
#include "engine/lua_api.h"
#include "engine/state.h"

static int finish(lua_State *L, int status, lua_KContext extra)
{
	if (status == LUA_OK || status == LUA_YIELD)
		return lua_gettop(L) - (int)extra;
	task_note_error(L, status);
	if (task_is_doomed(L))
		return lua_error(L);
	lua_pushboolean(L, 0);
	lua_pushvalue(L, -2);
	return 2;
}

static int l_pcall(lua_State *L)
{
	int status;

	if (lua_isnone(L, 1))
		return raise_argument(L, 1, "value expected");
	lua_pushboolean(L, 1);
	lua_insert(L, 1);
	status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, finish);
	return finish(L, status, 0);
}

/* At the point of the throw. Upvalue: the program's handler. What the handler raises replaces the error. */
static int l_handler(lua_State *L)
{
	if (task_is_doomed(L))
		return 1;
	lua_settop(L, 1);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_pcall(L, 1, 1, 0);
	return 1;
}

static int l_xpcall(lua_State *L)
{
	int status;

	if (lua_isnone(L, 2))
		return raise_argument(L, 2, "value expected");
	lua_settop(L, 2);
	lua_pushvalue(L, 2);
	lua_pushcclosure(L, l_handler, 1);
	lua_replace(L, 2);
	lua_pushboolean(L, 1);
	lua_pushvalue(L, 1);
	/* handler is at 2, below the results: true, ... */
	status = lua_pcallk(L, 0, LUA_MULTRET, 2, 2, finish);
	return finish(L, status, 2);
}

int lib_protect_open(lua_State *L)
{
	lua_pushcfunction(L, l_pcall);
	lua_pushcfunction(L, l_xpcall);
	return 2;
}
