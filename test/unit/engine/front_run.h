/*
 * front_run.h - translate a source, run it with the engine's Lua and show what came out.
 *
 * run_source() gives what the program returned, or "error: ...", as text: values joined by ",", floats with an "f"
 * behind. The test's `as` turns floats into the dialect's text and an error object (a table with field `message`) into
 * its message.
 */
#ifndef TEST_ENGINE_FRONT_RUN_H
#define TEST_ENGINE_FRONT_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/number.h"
#include "engine/front.h"
#include "engine/type.h"

static int test_as(lua_State *L)
{
	char text[NUMBER_TEXT_MAX];

	lua_settop(L, 1);
	if (lua_type(L, 1) == LUA_TNUMBER && !lua_isinteger(L, 1)) {
		number_format_float(lua_tonumber(L, 1), text);
		lua_pushstring(L, text);
	} else if (lua_type(L, 1) == LUA_TTABLE && lua_getfield(L, 1, "message") == LUA_TNIL) {
		lua_pop(L, 1);
	}
	return 1;
}

/* four values of which the engine's Lua would try to close the last */
static int test_four(lua_State *L)
{
	(void)luaL_dostring(L, "local n = 0 return function() n = n + 1 if n <= 3 then return n end end");
	lua_pushnil(L);
	lua_pushnil(L);
	lua_pushliteral(L, "not to be closed");
	return 4;
}

static inline void show_values(lua_State *L, int first, struct buf *out)
{
	char text[NUMBER_TEXT_MAX];

	for (int i = first; i <= lua_gettop(L); i++) {
		if (i > first)
			buf_addc(out, ',');
		if (lua_type(L, i) == LUA_TNUMBER && !lua_isinteger(L, i)) {
			number_format_float(lua_tonumber(L, i), text);
			buf_addf(out, "%sf", text);
		} else if (lua_type(L, i) == LUA_TTABLE) {
			buf_adds(out, "table");
		} else {
			buf_adds(out, luaL_tolstring(L, i, NULL));
			lua_pop(L, 1);
		}
	}
}

/* Load the translation and leave the factory on the stack; false leaves a message. */
static inline bool load_factory(lua_State *L, const char *name, const char *lua, size_t len)
{
	if (luaL_loadbuffer(L, lua, len, name) != LUA_OK)
		return false;
	lua_pushcfunction(L, test_as);
	type_open(L);
	return lua_pcall(L, 2, 1, 0) == LUA_OK;
}

/* What front.h leaves to the engine's Lua to refuse. */
static inline bool is_engine_limit(const char *message)
{
	return strstr(message, "too many local variables") || strstr(message, "too many upvalues") ||
	       strstr(message, "function or expression needs too many registers");
}

/* An environment of its own that sees the standard library. */
static inline void push_env(lua_State *L)
{
	lua_newtable(L);
	lua_pushglobaltable(L);
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		lua_pushvalue(L, -2);
		lua_pushvalue(L, -2);
		lua_rawset(L, -6);
	}
	lua_pop(L, 1);
	lua_pushcfunction(L, test_four);
	lua_setfield(L, -2, "four");
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "_G");
}

/* Runs in the state `L`; the text is malloc'd. */
static inline char *run_source_in(lua_State *L, const char *source, size_t len)
{
	struct buf out = BUF_INIT;
	struct front_output o = {0};
	struct err e = {0};
	int top = lua_gettop(L);

	if (front_translate("test", source, len, &o, &e) < 0) {
		buf_addf(&out, "refused: %s", e.text);
		return buf_detach(&out, NULL);
	}
	if (!load_factory(L, "=test", o.lua, o.len)) {
		buf_addf(&out, "not loaded: %s\n%s", lua_tostring(L, -1), o.lua);
	} else {
		push_env(L);
		lua_pushliteral(L, "first");
		lua_pushliteral(L, "second");
		if (lua_pcall(L, 3, LUA_MULTRET, 0) != LUA_OK)
			buf_addf(&out, "error: %s", luaL_tolstring(L, -1, NULL));
		else
			show_values(L, top + 1, &out);
	}
	lua_settop(L, top);
	front_output_done(&o);
	return buf_len(&out) ? buf_detach(&out, NULL) : xstrdup("");
}

static inline char *run_source(const char *source, size_t len)
{
	lua_State *L = luaL_newstate();
	char *text;

	luaL_openlibs(L);
	text = run_source_in(L, source, len);
	lua_close(L);
	return text;
}

static inline void check_source(const char *source, const char *expected)
{
	char *got = run_source(source, strlen(source));

	if (strcmp(got, expected) != 0)
		fail_msg("%s\n  gives    %s\n  expected %s", source, got, expected);
	free(got);
}

#endif
