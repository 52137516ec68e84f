/*
 * lib_table.c - the `table` library: raw access, as in Lua 5.1.
 */
#include <lualib.h>

#include "base/alloc.h"
#include "base/number.h"
#include "engine/lua_api.h"
#include "engine/readonly.h"
#include "engine/state.h"

enum { CREATE_MAX = 1 << 24, UNPACK_MAX = 1000000 };

static const char sort_key; /* the engine's own table.sort in the registry */

static void check_table(lua_State *L, int idx)
{
	if (!lua_istable(L, idx))
		raise_argument(L, idx, lua_pushfstring(L, "table expected, got %s", luaL_typename(L, idx)));
}

/* Make index 1 the table to read. */
static void check_readable(lua_State *L)
{
	check_table(L, 1);
	if (readonly_resolve(L, 1))
		lua_replace(L, 1);
}

static void check_writable(lua_State *L)
{
	check_table(L, 1);
	if (readonly_is(L, 1))
		readonly_refuse(L);
}

static void add_element(lua_State *L, luaL_Buffer *b, lua_Integer i)
{
	char text[NUMBER_TEXT_MAX];

	if (lua_rawgeti(L, 1, i) == LUA_TSTRING) {
		luaL_addvalue(b);
		return;
	}
	if (lua_type(L, -1) != LUA_TNUMBER)
		luaL_error(
			L, "invalid value (%s) at index %I in table for concat", luaL_typename(L, -1), (LUAI_UACINT)i);
	if (lua_isinteger(L, -1))
		number_format_int(lua_tointeger(L, -1), text);
	else
		number_format_float(lua_tonumber(L, -1), text);
	lua_pop(L, 1);
	luaL_addstring(b, text);
}

static int l_concat(lua_State *L)
{
	luaL_Buffer b;
	lua_Integer i, last;
	const char *separator;
	size_t len;

	check_readable(L);
	separator = luaL_optlstring(L, 2, "", &len);
	i = luaL_optinteger(L, 3, 1);
	last = luaL_optinteger(L, 4, (lua_Integer)lua_rawlen(L, 1));
	luaL_buffinit(L, &b);
	for (; i < last; i++) {
		add_element(L, &b, i);
		luaL_addlstring(&b, separator, len);
	}
	if (i == last)
		add_element(L, &b, i);
	luaL_pushresult(&b);
	return 1;
}

static int l_insert(lua_State *L)
{
	lua_Integer n, pos;

	check_writable(L);
	n = (lua_Integer)lua_rawlen(L, 1);
	switch (lua_gettop(L)) {
	case 2:
		lua_rawseti(L, 1, n + 1);
		return 0;
	case 3:
		break;
	default:
		return luaL_error(L, "wrong number of arguments to insert");
	}
	pos = luaL_checkinteger(L, 2);
	if (pos >= 1 && pos <= n) {
		for (lua_Integer i = n; i >= pos; i--) {
			lua_rawgeti(L, 1, i);
			lua_rawseti(L, 1, i + 1);
		}
	}
	lua_rawseti(L, 1, pos);
	return 0;
}

static int l_remove(lua_State *L)
{
	lua_Integer n, pos;

	check_writable(L);
	n = (lua_Integer)lua_rawlen(L, 1);
	pos = luaL_optinteger(L, 2, n);
	lua_settop(L, 1);
	if (pos < 1 || pos > n) {
		lua_pushnil(L);
		return 1;
	}
	lua_rawgeti(L, 1, pos);
	for (; pos < n; pos++) {
		lua_rawgeti(L, 1, pos + 1);
		lua_rawseti(L, 1, pos);
	}
	lua_pushnil(L);
	lua_rawseti(L, 1, n);
	return 1;
}

static int l_sort(lua_State *L)
{
	check_writable(L);
	if (!lua_isnoneornil(L, 2) && !lua_isfunction(L, 2))
		return raise_argument(L, 2, lua_pushfstring(L, "function expected, got %s", luaL_typename(L, 2)));
	lua_settop(L, 2);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &sort_key);
	lua_insert(L, 1);
	lua_call(L, 2, 0);
	return 0;
}

int lib_table_unpack(lua_State *L)
{
	lua_Integer i, last;
	lua_Unsigned n;

	check_readable(L);
	i = luaL_optinteger(L, 2, 1);
	last = luaL_optinteger(L, 3, (lua_Integer)lua_rawlen(L, 1));
	if (i > last)
		return 0;
	n = (lua_Unsigned)last - (lua_Unsigned)i;
	if (n >= UNPACK_MAX || !lua_checkstack(L, (int)n + 1))
		return luaL_error(L, "too many results to unpack");
	for (; i < last; i++)
		lua_rawgeti(L, 1, i);
	lua_rawgeti(L, 1, last);
	return (int)n + 1;
}

static int l_getn(lua_State *L)
{
	check_readable(L);
	lua_pushinteger(L, (lua_Integer)lua_rawlen(L, 1));
	return 1;
}

static int l_maxn(lua_State *L)
{
	lua_Number max = 0;

	check_readable(L);
	lua_settop(L, 1);
	lua_pushnil(L);
	while (lua_next(L, 1)) {
		lua_pop(L, 1);
		if (lua_type(L, -1) == LUA_TNUMBER && lua_tonumber(L, -1) > max)
			max = lua_tonumber(L, -1);
	}
	lua_pushnumber(L, max);
	return 1;
}

static lua_Integer check_size(lua_State *L, int idx)
{
	lua_Integer n = luaL_optinteger(L, idx, 0);

	if (n < 0 || n > CREATE_MAX)
		raise_argument(L, idx, "size out of range");
	return n;
}

static int l_create(lua_State *L)
{
	int narray = (int)check_size(L, 1);
	int nhash = (int)check_size(L, 2);

	lua_createtable(L, narray, nhash);
	return 1;
}

static int l_freeze(lua_State *L)
{
	check_table(L, 1);
	lua_settop(L, 1);
	if (globals_are_lazy(L, 1))
		return luaL_error(L, "cannot freeze the global table");
	if (!readonly_is(L, 1))
		readonly_freeze(L, 1);
	return 1;
}

static int l_isfrozen(lua_State *L)
{
	check_table(L, 1);
	lua_pushboolean(L, readonly_is(L, 1));
	return 1;
}

int lib_table_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"concat", l_concat},
		{"create", l_create},
		{"freeze", l_freeze},
		{"getn", l_getn},
		{"insert", l_insert},
		{"isfrozen", l_isfrozen},
		{"maxn", l_maxn},
		{"remove", l_remove},
		{"sort", l_sort},
		{"unpack", lib_table_unpack},
		{NULL, NULL},
	};

	luaL_requiref(L, LUA_TABLIBNAME, luaopen_table, 0);
	lua_getfield(L, -1, "sort");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &sort_key);
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	return 1;
}
