/*
 * fuzz_front.c - any bytes through the Lua front end.
 *
 * Beyond not crashing: what is accepted loads in the engine's Lua (but for the limits front.h leaves to it) and has as
 * many lines as it had, and what is declared in it are types the engine can read.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "engine/front.h"
#include "engine/type.h"

enum { INPUT_MAX = 64 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_engine_limit(const char *message)
{
	return strstr(message, "too many local variables") || strstr(message, "too many upvalues") ||
	       strstr(message, "function or expression needs too many registers");
}

static size_t count_lines(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += s[i] == '\n';
	return n;
}

static int as(lua_State *L)
{
	lua_settop(L, 1);
	return 1;
}

static void must_load(const struct front_output *o)
{
	lua_State *L = luaL_newstate();

	if (luaL_loadbuffer(L, o->lua, o->len, "=fuzz") != LUA_OK) {
		if (!is_engine_limit(lua_tostring(L, -1))) {
			fprintf(stderr, "does not load: %s\n%s\n", lua_tostring(L, -1), o->lua);
			abort();
		}
	} else {
		lua_pushcfunction(L, as);
		type_open(L);
		if (lua_pcall(L, 2, 1, 0) != LUA_OK) {
			fprintf(stderr, "types do not load: %s\n%s\n", lua_tostring(L, -1), o->lua);
			abort();
		}
	}
	lua_close(L);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct front_output o = {0};
	struct err e = {0};

	if (size > INPUT_MAX)
		return 0;
	if (front_translate("fuzz", (const char *)data, size, &o, &e) < 0) {
		if (strncmp(e.text, "fuzz", 4) != 0 || e.kind != ERR_INVALID)
			abort();
		return 0;
	}
	/* two more: the `end` of the factory has lines of its own */
	if (count_lines(o.lua, o.len) != count_lines((const char *)data, size) + 2)
		abort();
	must_load(&o);
	front_output_done(&o);
	return 0;
}
