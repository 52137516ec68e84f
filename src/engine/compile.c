/*
 * compile.c - the text of a code object becomes a factory in one heap.
 *
 * A program's global table is empty and shows the base globals and modules through its metatable, and the tables of libraries are read-only
 * through metatables of their own: reading `process.send` so costs two detours at each use. But most programs never assign to such a name, and
 * then it stands for the same value from the beginning to the end: a constant. The text is compiled where constants are local variables
 * around it, and one of which only fields are read stands for the library's real table.
 */
#include <string.h>

#include "base/buf.h"
#include "engine/front_parse.h"
#include "engine/lua_api.h"
#include "engine/readonly.h"
#include "engine/state.h"
#include "engine/type.h"

/* What is beyond stays global. Few enough for Lua's bounds on local variables, and on upvalues of any but strange functions. */
enum { CONSTANTS_MAX = 48 };

/* Push the value that programs with this code find under the name; nil when there is none. */
static void push_global(lua_State *L, struct heap *h, const struct code *code, const char *name)
{
	for (size_t i = 0; i < code->nmodules; i++) {
		if (strcmp(code->modules[i]->name, name) == 0) {
			heap_push_module(h, L, code->modules[i]);
			return;
		}
	}
	lua_rawgeti(L, LUA_REGISTRYINDEX, h->base_globals);
	lua_pushstring(L, name);
	lua_rawget(L, -2);
	lua_remove(L, -2);
}

/* Does the value allow all that the code does with it? If not, it stays a global variable, for that is what the engine's error is to call it. */
static bool fits(lua_State *L, const struct code_constant *k)
{
	switch (lua_type(L, -1)) {
	case LUA_TTABLE:
		return !k->is_called;
	case LUA_TFUNCTION:
		return !k->is_indexed;
	default:
		return false;
	}
}

/* Push the constants' values and add their names to the list. Returns how many there are. */
static int push_constants(lua_State *L, struct heap *h, const struct code *code, struct buf *names)
{
	int n = 0;

	for (size_t i = 0; i < code->nconstants && n < CONSTANTS_MAX; i++) {
		const struct code_constant *k = &code->constants[i];

		push_global(L, h, code, k->name);
		if (!fits(L, k)) {
			lua_pop(L, 1);
			continue;
		}
		if (k->is_only_indexed && readonly_resolve(L, -1))
			lua_remove(L, -2);
		buf_addf(names, ",%s", k->name);
		n++;
	}
	return n;
}

/* What the loader reads: the statement that names the constants, then the text. */
struct source {
	struct {
		const char *at;
		size_t len;
	} parts[2];
	unsigned next;
};

static const char *read_source(lua_State *L, void *arg, size_t *ret_len)
{
	struct source *s = arg;

	(void)L;
	if (s->next == ARRAY_LEN(s->parts)) {
		*ret_len = 0;
		return NULL;
	}
	*ret_len = s->parts[s->next].len;
	return s->parts[s->next++].at;
}

struct compiling {
	struct heap *heap;
	const struct code *code;
	struct buf names;
	bool with_constants;
};

/* Runs protected; what must be freed is the caller's. */
static int l_compile(lua_State *L)
{
	struct compiling *c = lua_touserdata(L, 1);
	struct source s = {.parts[1] = {c->code->text, c->code->text_len}};
	int n;

	luaL_checkstack(L, CONSTANTS_MAX + 16, NULL);
	lua_pushfstring(L, "=%s", c->code->id);
	lua_pushcfunction(L, text_as);
	type_open(L);
	n = 2;
	if (c->with_constants)
		n += push_constants(L, c->heap, c->code, &c->names);
	if (n > 2) {
		buf_adds(&c->names, "=... ");
		s.parts[0].at = buf_str(&c->names);
		s.parts[0].len = buf_len(&c->names);
	} else {
		s.next = 1;
	}
	if (lua_load(L, read_source, &s, lua_tostring(L, 2), "t") != LUA_OK)
		return lua_error(L);
	lua_insert(L, 3);
	lua_call(L, n, 1);
	return 1;
}

int compile_factory(struct heap *h, const struct code *code, struct err *e)
{
	struct compiling c = {.heap = h, .code = code, .names = BUF_INIT, .with_constants = code->nconstants > 0};
	lua_State *L = h->L;
	int rc;

	for (;;) {
		buf_adds(&c.names, "local " FRONT_TEXT "," FRONT_TYPEOF);
		lua_pushcfunction(L, l_compile);
		lua_pushlightuserdata(L, &c);
		rc = lua_pcall(L, 1, 1, 0);
		if (rc == LUA_OK || !c.with_constants)
			break;
		/* A function that needs nearly all the upvalues there are: without constants it may do. */
		lua_pop(L, 1);
		c.with_constants = false;
		buf_clear(&c.names);
	}
	buf_done(&c.names);
	if (rc == LUA_OK)
		return 0;
	err_set(e, ERR_INVALID, "%s", lua_tostring(L, -1));
	lua_pop(L, 1);
	return -1;
}
