/*
 * lua_error.c - error objects: failures as immutable Lua values.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "engine/lua_api.h"
#include "engine/state.h"

static const char failure_key; /* the metatable in the registry */

enum {
	STACK_FRAMES_FIRST = 12, /* of a long stack */
	STACK_FRAMES_LAST = 8,
};

/* -- values -------------------------------------------------------------------------------------------- */

struct failure *failure_at(lua_State *L, int idx)
{
	struct failure **p = lua_touserdata(L, idx);
	bool same;

	if (!p || !lua_getmetatable(L, idx))
		return NULL;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &failure_key);
	same = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return same ? *p : NULL;
}

struct failure **push_failure_slot(lua_State *L)
{
	struct failure **p = lua_newuserdatauv(L, sizeof(*p), 0);

	*p = NULL;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &failure_key);
	lua_setmetatable(L, -2);
	return p;
}

void push_failure(lua_State *L, struct failure *f)
{
	*push_failure_slot(L) = failure_ref(f);
}

void push_err(lua_State *L, const struct err *e)
{
	struct failure **p = push_failure_slot(L);

	*p = failure_from_err(e);
	(*p)->stack = stack_text(L, 0);
}

int push_nil_and_err(lua_State *L, const struct err *e)
{
	lua_pushnil(L);
	push_err(L, e);
	return 2;
}

int push_nil_and_failure(lua_State *L, struct failure *f)
{
	lua_pushnil(L);
	push_failure(L, f);
	return 2;
}

/* push_text() may call __tostring, which may raise. */
static int l_text(lua_State *L)
{
	push_text(L, 1, true, NULL);
	return 1;
}

struct failure *failure_from_lua(lua_State *L, int idx)
{
	struct failure *f = failure_at(L, idx);
	const char *text;
	size_t len;

	if (f && f->kind[0])
		return failure_ref(f);
	if (f)
		return failure_new("Internal", f->retry, f->message, f->message_len, value_ref(f->details), f->stack,
			f->cause ? failure_ref(f->cause) : NULL);
	idx = lua_absindex(L, idx);
	/* An error may come from a stack that is full. */
	if (!lua_checkstack(L, 4) || lua_isnil(L, idx))
		return failure_new("Internal", ERR_RETRY_UNKNOWN, "nil", 3, NULL, NULL, NULL);
	lua_pushvalue(L, idx);
	if (lua_status(L) != LUA_OK) { /* a dead thread cannot call */
		lua_State *main = thread_heap(L)->L;

		lua_xmove(L, main, 1);
		L = main;
	}
	lua_pushcfunction(L, l_text);
	lua_insert(L, -2);
	if (lua_pcall(L, 1, 1, 0) == LUA_OK || lua_type(L, -1) == LUA_TSTRING) {
		text = lua_tolstring(L, -1, &len);
		f = failure_new("Internal", ERR_RETRY_UNKNOWN, text, len, NULL, NULL, NULL);
	} else {
		f = failure_new("Internal", ERR_RETRY_UNKNOWN, "(no text)", 9, NULL, NULL, NULL);
	}
	lua_pop(L, 1);
	return f;
}

int raise_argument(lua_State *L, int arg, const char *what)
{
	lua_Debug ar;

	if (!lua_getstack(L, 0, &ar))
		return luaL_error(L, "bad argument #%d (%s)", arg, what);
	lua_getinfo(L, "n", &ar);
	if (ar.namewhat && strcmp(ar.namewhat, "method") == 0) {
		arg--;
		if (arg == 0)
			return luaL_error(L, "calling '%s' on bad self (%s)", ar.name ? ar.name : "?", what);
	}
	return luaL_error(L, "bad argument #%d to %s (%s)", arg, ar.name ? ar.name : "?", what);
}

int raise_text(lua_State *L, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return luaL_error(L, "%s", text);
}

/* -- stacks -------------------------------------------------------------------------------------------- */

static int count_frames(lua_State *L)
{
	lua_Debug ar;
	int n = 0, step = 1;

	while (lua_getstack(L, n + step, &ar)) {
		n += step;
		step *= 2;
	}
	for (; step > 0; step /= 2) {
		if (lua_getstack(L, n + step, &ar))
			n += step;
	}
	return n + 1;
}

static void add_frame(struct buf *b, lua_State *L, lua_Debug *ar)
{
	lua_getinfo(L, "Sln", ar);
	if (buf_len(b) > 0)
		buf_addc(b, '\n');
	if (ar->what[0] == 'C') {
		buf_addf(b, "[native] (%s)", ar->name ? ar->name : "?");
		return;
	}
	buf_addf(b, "%s:%d (%s)", ar->source + (ar->source[0] == '='), ar->currentline,
		ar->name ? ar->name : "function");
}

char *stack_text(lua_State *L, int level)
{
	struct buf b = BUF_INIT;
	lua_Debug ar;
	int frames;

	if (!lua_getstack(L, level, &ar))
		return NULL;
	frames = count_frames(L);
	for (; lua_getstack(L, level, &ar); level++) {
		if (frames > STACK_FRAMES_FIRST + STACK_FRAMES_LAST && level == STACK_FRAMES_FIRST) {
			buf_adds(&b, "\n...");
			level = frames - STACK_FRAMES_LAST;
			if (!lua_getstack(L, level, &ar))
				break;
		}
		add_frame(&b, L, &ar);
	}
	return buf_detach(&b, NULL);
}

/* -- methods ------------------------------------------------------------------------------------------- */

static struct failure *check_failure(lua_State *L)
{
	struct failure *f = failure_at(L, 1);

	if (!f)
		raise_argument(L, 1, "error expected");
	return f;
}

static int l_message(lua_State *L)
{
	struct failure *f = check_failure(L);

	lua_pushlstring(L, f->message, f->message_len);
	return 1;
}

static int l_kind(lua_State *L)
{
	lua_pushstring(L, check_failure(L)->kind);
	return 1;
}

static int l_retryable(lua_State *L)
{
	switch (check_failure(L)->retry) {
	case ERR_RETRY_UNKNOWN:
		lua_pushnil(L);
		break;
	case ERR_RETRY_NO:
		lua_pushboolean(L, 0);
		break;
	case ERR_RETRY_YES:
		lua_pushboolean(L, 1);
		break;
	}
	return 1;
}

static int l_details(lua_State *L)
{
	struct failure *f = check_failure(L);

	if (f->details)
		value_push(L, f->details);
	else
		lua_pushnil(L);
	return 1;
}

/* Per level: the text, then its frames, indented; then the same for the cause. */
static void add_stack(luaL_Buffer *b, const struct failure *f)
{
	const char *line = f->stack ? f->stack : "";

	luaL_addlstring(b, f->message, f->message_len);
	while (*line) {
		size_t len = strcspn(line, "\n");

		luaL_addstring(b, "\n  ");
		luaL_addlstring(b, line, len);
		line += len + (line[len] == '\n');
	}
}

static int l_stack(lua_State *L)
{
	luaL_Buffer b;
	struct failure *f = check_failure(L);

	luaL_buffinit(L, &b);
	for (; f; f = f->cause) {
		add_stack(&b, f);
		if (f->cause)
			luaL_addchar(&b, '\n');
	}
	luaL_pushresult(&b);
	return 1;
}

static int l_tostring(lua_State *L)
{
	return l_message(L);
}

static int l_concat(lua_State *L)
{
	push_text(L, 1, true, NULL);
	push_text(L, 2, true, NULL);
	lua_concat(L, 2);
	return 1;
}

static int l_gc(lua_State *L)
{
	struct failure **p = lua_touserdata(L, 1);

	failure_unref(*p);
	*p = NULL;
	return 0;
}

void lua_error_init(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"details", l_details},
		{"kind", l_kind},
		{"message", l_message},
		{"retryable", l_retryable},
		{"stack", l_stack},
		{NULL, NULL},
	};

	lua_createtable(L, 0, 6);
	lua_newtable(L);
	luaL_setfuncs(L, methods, 0);
	lua_setfield(L, -2, "__index");
	lua_pushliteral(L, "error");
	lua_setfield(L, -2, "__name");
	lua_pushcfunction(L, l_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_pushcfunction(L, l_concat);
	lua_setfield(L, -2, "__concat");
	lua_pushcfunction(L, l_gc);
	lua_setfield(L, -2, "__gc");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &failure_key);
}
