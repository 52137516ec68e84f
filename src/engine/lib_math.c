/*
 * lib_math.c - the `math` library: the engine's own functions, and those of Lua 5.1.
 */
#include <lualib.h>
#include <math.h>
#include <sys/random.h>

#include "engine/lua_api.h"
#include "engine/state.h"

static const char random_key; /* the engine's own math.random in the registry */

#define UNARY(name, function)                                        \
	static int name(lua_State *L)                                \
	{                                                            \
		lua_pushnumber(L, function(luaL_checknumber(L, 1))); \
		return 1;                                            \
	}

UNARY(l_cosh, cosh)
UNARY(l_log, log)
UNARY(l_log10, log10)
UNARY(l_sinh, sinh)
UNARY(l_tanh, tanh)
UNARY(l_atan, atan)

static int l_atan2(lua_State *L)
{
	lua_pushnumber(L, atan2(luaL_checknumber(L, 1), luaL_checknumber(L, 2)));
	return 1;
}

static int l_pow(lua_State *L)
{
	lua_pushnumber(L, pow(luaL_checknumber(L, 1), luaL_checknumber(L, 2)));
	return 1;
}

static int l_frexp(lua_State *L)
{
	int e;

	lua_pushnumber(L, frexp(luaL_checknumber(L, 1), &e));
	lua_pushinteger(L, e);
	return 2;
}

static int l_ldexp(lua_State *L)
{
	lua_Integer e = luaL_checkinteger(L, 2);

	lua_pushnumber(L, ldexp(luaL_checknumber(L, 1), (int)(e < -5000 ? -5000 : e > 5000 ? 5000 : e)));
	return 1;
}

static int l_random(lua_State *L)
{
	int n = lua_gettop(L);

	/* The engine gives a random integer for 0. */
	if (n == 1 && luaL_checkinteger(L, 1) < 1)
		return raise_argument(L, 1, "interval is empty");
	lua_rawgetp(L, LUA_REGISTRYINDEX, &random_key);
	lua_insert(L, 1);
	lua_call(L, n, 1);
	return 1;
}

static int l_randomseed(lua_State *L)
{
	(void)L; /* always seeded; a program must not make another's numbers predictable */
	return 0;
}

static int l_tointeger(lua_State *L)
{
	lua_Integer i;
	int ok;

	i = lua_tointegerx(L, 1, &ok);
	if (ok)
		lua_pushinteger(L, i);
	else
		lua_pushnil(L);
	return 1;
}

static void seed(lua_State *L)
{
	lua_Integer n[2];

	if (getrandom(n, sizeof(n), 0) != (ssize_t)sizeof(n))
		return; /* the engine has seeded itself from time and addresses */
	lua_getfield(L, -1, "randomseed");
	lua_pushinteger(L, n[0]);
	lua_pushinteger(L, n[1]);
	lua_call(L, 2, 0);
}

int lib_math_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"atan", l_atan},
		{"atan2", l_atan2},
		{"cosh", l_cosh},
		{"frexp", l_frexp},
		{"ldexp", l_ldexp},
		{"log", l_log},
		{"log10", l_log10},
		{"pow", l_pow},
		{"random", l_random},
		{"randomseed", l_randomseed},
		{"sinh", l_sinh},
		{"tanh", l_tanh},
		{"tointeger", l_tointeger},
		{NULL, NULL},
	};

	luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, 0);
	seed(L);
	lua_getfield(L, -1, "random");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &random_key);
	luaL_setfuncs(L, functions, 0);
	lua_getfield(L, -1, "fmod");
	lua_setfield(L, -2, "mod");
	return 1;
}
