/*
 * lib_base.c - the global functions.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "engine/lua_api.h"
#include "engine/readonly.h"
#include "engine/state.h"

static void check_any(lua_State *L, int idx)
{
	if (lua_isnone(L, idx))
		raise_argument(L, idx, "value expected");
}

static void check_table(lua_State *L, int idx)
{
	if (!lua_istable(L, idx))
		raise_argument(L, idx, lua_pushfstring(L, "table expected, got %s", luaL_typename(L, idx)));
}

/* The string at idx with the position of the code at `level` before it. */
static void push_with_position(lua_State *L, int idx, int level)
{
	luaL_where(L, level);
	lua_pushvalue(L, idx);
	lua_concat(L, 2);
}

static int l_assert(lua_State *L)
{
	if (lua_toboolean(L, 1))
		return lua_gettop(L);
	check_any(L, 1);
	if (lua_isnone(L, 2) || lua_isnil(L, 2)) {
		lua_settop(L, 1);
		lua_pushliteral(L, "assertion failed!");
	} else if (failure_at(L, 2)) {
		/* assert(f()) of a function that returned nil and an error object keeps the object. */
		lua_settop(L, 2);
		return lua_error(L);
	} else if (!lua_isstring(L, 2)) {
		return raise_argument(L, 2, lua_pushfstring(L, "string expected, got %s", luaL_typename(L, 2)));
	}
	push_with_position(L, 2, 1);
	return lua_error(L);
}

static int l_error(lua_State *L)
{
	int level = (int)luaL_optinteger(L, 2, 1);

	lua_settop(L, 1);
	if (lua_type(L, 1) == LUA_TSTRING && level > 0)
		push_with_position(L, 1, level);
	return lua_error(L);
}

static int l_getmetatable(lua_State *L)
{
	check_any(L, 1);
	/* Tables of the runtime show no metatable, unless a frozen one has its own. */
	if (globals_are_lazy(L, 1) || !lua_getmetatable(L, 1)) {
		lua_pushnil(L);
		return 1;
	}
	if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) {
		if (lua_isboolean(L, -1) && !lua_toboolean(L, -1))
			lua_pushnil(L);
		return 1;
	}
	if (readonly_is(L, 1))
		lua_pushnil(L);
	return 1;
}

/* The engine looks for finalizers when a metatable is set: hide the field while that happens. */
static void set_metatable_without_gc(lua_State *L)
{
	lua_pushliteral(L, "__gc");
	if (lua_rawget(L, 2) == LUA_TNIL) {
		lua_settop(L, 2);
		lua_setmetatable(L, 1);
		return;
	}
	lua_pushliteral(L, "__gc");
	lua_pushnil(L);
	lua_rawset(L, 2);
	lua_pushvalue(L, 2);
	lua_setmetatable(L, 1);
	lua_pushliteral(L, "__gc");
	lua_insert(L, -2);
	lua_rawset(L, 2);
}

static int l_setmetatable(lua_State *L)
{
	static const char *const unwanted[] = {"__mode", "__close"};

	check_table(L, 1);
	if (!lua_isnil(L, 2) && !lua_istable(L, 2))
		return raise_argument(L, 2, lua_pushfstring(L, "nil or table expected, got %s", luaL_typename(L, 2)));
	lua_settop(L, 2);
	if (readonly_is(L, 1))
		return readonly_refuse(L);
	if (globals_are_lazy(L, 1))
		globals_settle(L, 1);
	if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
		return luaL_error(L, "cannot change a protected metatable");
	if (lua_isnil(L, 2)) {
		lua_setmetatable(L, 1);
		return 1;
	}
	if (readonly_resolve(L, 2))
		lua_replace(L, 2);
	else
		/* The dialect has no weak tables and no closing: without the field nothing comes of it. */
		for (size_t i = 0; i < ARRAY_LEN(unwanted); i++) {
			lua_pushstring(L, unwanted[i]);
			if (lua_rawget(L, 2) != LUA_TNIL) {
				lua_pushstring(L, unwanted[i]);
				lua_pushnil(L);
				lua_rawset(L, 2);
			}
			lua_pop(L, 1);
		}
	set_metatable_without_gc(L);
	lua_settop(L, 1);
	return 1;
}

/* -- tables, raw --------------------------------------------------------------------------------------- */

/* Make index 1 the table whose content is meant. */
static void resolve_table(lua_State *L)
{
	check_table(L, 1);
	if (readonly_resolve(L, 1))
		lua_replace(L, 1);
	else if (globals_are_lazy(L, 1))
		globals_settle(L, 1);
}

static int l_next(lua_State *L)
{
	lua_settop(L, 2);
	resolve_table(L);
	if (lua_next(L, 1))
		return 2;
	lua_pushnil(L);
	return 1;
}

/* Upvalue: `next`. The program gets the table it has, never the one behind a read-only one. */
static int l_pairs(lua_State *L)
{
	check_table(L, 1);
	if (globals_are_lazy(L, 1))
		globals_settle(L, 1);
	lua_settop(L, 1);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_pushnil(L);
	return 3;
}

static int l_ipairs_step(lua_State *L)
{
	lua_Integer i = luaL_checkinteger(L, 2);

	i = luaL_intop(+, i, 1);
	lua_pushinteger(L, i);
	check_table(L, 1);
	if (lua_rawgeti(L, 1, i) != LUA_TNIL)
		return 2;
	if (readonly_resolve(L, 1)) {
		lua_replace(L, 1);
		lua_pop(L, 1);
		if (lua_rawgeti(L, 1, i) != LUA_TNIL)
			return 2;
	}
	lua_pushnil(L);
	return 1;
}

static int l_ipairs(lua_State *L)
{
	check_table(L, 1);
	lua_settop(L, 1);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_pushinteger(L, 0);
	return 3;
}

static int l_rawequal(lua_State *L)
{
	check_any(L, 1);
	check_any(L, 2);
	lua_pushboolean(L, lua_rawequal(L, 1, 2));
	return 1;
}

static int l_rawget(lua_State *L)
{
	check_any(L, 2);
	lua_settop(L, 2);
	resolve_table(L);
	lua_rawget(L, 1);
	return 1;
}

static int l_rawset(lua_State *L)
{
	check_table(L, 1);
	check_any(L, 3);
	lua_settop(L, 3);
	if (readonly_is(L, 1))
		return readonly_refuse(L);
	lua_rawset(L, 1);
	return 1;
}

static int l_select(lua_State *L)
{
	int n = lua_gettop(L);
	lua_Integer i;

	if (lua_type(L, 1) == LUA_TSTRING && *lua_tostring(L, 1) == '#') {
		lua_pushinteger(L, n - 1);
		return 1;
	}
	i = luaL_checkinteger(L, 1);
	if (i < 0)
		i = n + i;
	else if (i > n)
		i = n;
	if (i < 1)
		return raise_argument(L, 1, "index out of range");
	return n - (int)i;
}

/* -- conversions --------------------------------------------------------------------------------------- */

static int l_type(lua_State *L)
{
	check_any(L, 1);
	lua_pushstring(L, luaL_typename(L, 1));
	return 1;
}

static int l_tostring(lua_State *L)
{
	check_any(L, 1);
	push_text(L, 1, true, NULL);
	return 1;
}

static int digit_value(unsigned char c)
{
	if (isdigit(c))
		return c - '0';
	return isalpha(c) ? toupper(c) - 'A' + 10 : 99;
}

/* NULL when the text is no integer in that base. */
static const char *parse_integer(const char *s, int base, lua_Integer *ret)
{
	lua_Unsigned n = 0;
	bool negative = false;

	s += strspn(s, " \f\n\r\t\v");
	if (*s == '-' || *s == '+')
		negative = *s++ == '-';
	if (base == 16 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		s += 2;
	if (!isalnum((unsigned char)*s))
		return NULL;
	for (; isalnum((unsigned char)*s); s++) {
		int digit = digit_value((unsigned char)*s);

		if (digit >= base)
			return NULL;
		n = n * (lua_Unsigned)base + (lua_Unsigned)digit;
	}
	s += strspn(s, " \f\n\r\t\v");
	*ret = (lua_Integer)(negative ? 0u - n : n);
	return s;
}

static int l_tonumber(lua_State *L)
{
	lua_Integer base, n;
	const char *s;
	size_t len;

	if (lua_isnoneornil(L, 2)) {
		check_any(L, 1);
		if (lua_type(L, 1) == LUA_TNUMBER) {
			lua_settop(L, 1);
			return 1;
		}
		s = lua_type(L, 1) == LUA_TSTRING ? lua_tolstring(L, 1, &len) : NULL;
		if (s && lua_stringtonumber(L, s) == len + 1)
			return 1;
		lua_pushnil(L);
		return 1;
	}
	base = luaL_checkinteger(L, 2);
	if (base < 2 || base > 36)
		return raise_argument(L, 2, "base out of range");
	s = luaL_checklstring(L, 1, &len);
	if (parse_integer(s, (int)base, &n) == s + len)
		lua_pushinteger(L, n);
	else
		lua_pushnil(L);
	return 1;
}

/* -- print, require, package --------------------------------------------------------------------------- */

static void default_print(lua_State *L, const char *text)
{
	int line;
	const char *entry = caller_location(L, &line);
	char *location = xasprintf("%s:%d", entry, line);

	log_info("lua", text, LOG_STR("location", location));
	free(location);
}

static print_fn *print_hook = default_print;

void lua_set_print(print_fn *fn)
{
	print_hook = fn ? fn : default_print;
}

static int l_print(lua_State *L)
{
	luaL_Buffer b;
	int n = lua_gettop(L);

	luaL_buffinit(L, &b);
	for (int i = 1; i <= n; i++) {
		if (i > 1)
			luaL_addchar(&b, ' ');
		push_text(L, i, true, NULL);
		luaL_addvalue(&b);
	}
	luaL_pushresult(&b);
	print_hook(L, lua_tostring(L, -1));
	return 0;
}

static int l_require(lua_State *L)
{
	luaL_checkstring(L, 1);
	lua_settop(L, 1);
	instance_push_globals(L);
	/* The global table may lack the field that names it: see code.names_globals. */
	if (lua_istable(L, 2) && strcmp(lua_tostring(L, 1), "_G") == 0)
		return 1;
	if (lua_istable(L, 2)) {
		lua_pushvalue(L, 1);
		if (lua_gettable(L, 2) != LUA_TNIL)
			return 1;
	}
	return luaL_error(L, "module '%s' not found", lua_tostring(L, 1));
}

static int l_loadlib(lua_State *L)
{
	lua_pushnil(L);
	lua_pushliteral(L, "dynamic libraries are disabled");
	return 2;
}

static int l_index_globals(lua_State *L)
{
	instance_push_globals(L);
	lua_pushvalue(L, 2);
	lua_gettable(L, -2);
	return 1;
}

static int l_seeall(lua_State *L)
{
	check_table(L, 1);
	if (readonly_is(L, 1))
		return readonly_refuse(L);
	lua_settop(L, 1);
	if (!lua_getmetatable(L, 1)) {
		lua_createtable(L, 0, 1);
		lua_pushvalue(L, -1);
		lua_setmetatable(L, 1);
	}
	lua_pushcfunction(L, l_index_globals);
	lua_setfield(L, -2, "__index");
	return 0;
}

static void set_package(lua_State *L)
{
	lua_createtable(L, 0, 4);
	lua_pushliteral(L, "");
	lua_setfield(L, -2, "path");
	lua_pushliteral(L, "");
	lua_setfield(L, -2, "cpath");
	lua_pushcfunction(L, l_loadlib);
	lua_setfield(L, -2, "loadlib");
	lua_pushcfunction(L, l_seeall);
	lua_setfield(L, -2, "seeall");
	readonly_wrap(L);
	lua_setfield(L, -2, "package");
}

bool lib_base_is_pure(lua_CFunction f)
{
	static const lua_CFunction pure[] = {
		l_assert,
		l_getmetatable,
		l_ipairs,
		l_ipairs_step,
		l_rawequal,
		l_rawget,
		l_rawset,
		l_require, /* what may be required is fixed with the code */
		l_select,
		l_setmetatable,
		l_tonumber,
		l_type,
	};

	for (size_t i = 0; i < ARRAY_LEN(pure); i++)
		if (f == pure[i])
			return true;
	return false;
}

int lib_base_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"assert", l_assert},
		{"error", l_error},
		{"getmetatable", l_getmetatable},
		{"next", l_next},
		{"print", l_print},
		{"rawequal", l_rawequal},
		{"rawget", l_rawget},
		{"rawset", l_rawset},
		{"require", l_require},
		{"select", l_select},
		{"setmetatable", l_setmetatable},
		{"tonumber", l_tonumber},
		{"tostring", l_tostring},
		{"type", l_type},
		{"unpack", lib_table_unpack},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	lib_protect_open(L);
	lua_setfield(L, -3, "xpcall");
	lua_setfield(L, -2, "pcall");
	lua_getfield(L, -1, "next");
	lua_pushcclosure(L, l_pairs, 1);
	lua_setfield(L, -2, "pairs");
	lua_pushcfunction(L, l_ipairs_step);
	lua_pushcclosure(L, l_ipairs, 1);
	lua_setfield(L, -2, "ipairs");
	lua_pushliteral(L, "Lua 5.3");
	lua_setfield(L, -2, "_VERSION");
	lua_pushliteral(L, "wippy");
	lua_setfield(L, -2, "_GOPHER_LUA_VERSION");
	set_package(L);
	return 1;
}
