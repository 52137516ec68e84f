/*
 * fuzz_front.c - any bytes through the Lua front end.
 *
 * Beyond not crashing: what is accepted loads in the engine's Lua (but for the limits front.h leaves to it) and has as
 * many lines as it had, and what is declared in it are types the engine can read. The linter accepts the same sources, and all it tells of lies in them.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "engine/front.h"
#include "engine/front_lint.h"
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

static void check_place(const struct lint_place *p, size_t size)
{
	if (p->off > size || p->len == 0 || p->len > size - p->off + 1 || p->line == 0 || p->column == 0 ||
		p->column > p->off + 1)
		abort();
}

static void must_lint(const uint8_t *data, size_t size, bool is_accepted)
{
	struct lint_report *r = front_lint((const char *)data, size);

	if (r->has_syntax_error == is_accepted || (!is_accepted && r->nproblems != 1))
		abort();
	for (size_t i = 0; i < r->nproblems; i++) {
		check_place(&r->problems[i].place, size);
		if (!r->problems[i].text[0] || (i && r->problems[i].place.off < r->problems[i - 1].place.off))
			abort();
	}
	for (size_t i = 0; i < r->nuses; i++) {
		check_place(&r->uses[i].place, size);
		/* Only require() can ask for a name that is none. */
		if (r->uses[i].access != LINT_REQUIRE && r->uses[i].is_global && !r->uses[i].path[0])
			abort();
	}
	check_place(&r->export_place, size);
	lint_report_free(r);
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
		must_lint(data, size, false);
		return 0;
	}
	must_lint(data, size, true);
	/* two more: the `end` of the factory has lines of its own */
	if (count_lines(o.lua, o.len) != count_lines((const char *)data, size) + 2)
		abort();
	must_load(&o);
	front_output_done(&o);
	return 0;
}
