/*
 * lib_errors.c - the `errors` library.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/lua_api.h"
#include "engine/readonly.h"
#include "engine/state.h"

enum { DETAILS_DEPTH_MAX = 64 };

/* -- details: plain data; what is no data becomes text ------------------------------------------------- */

/* Copy the table at `from` so that value_from_lua() loses nothing: functions and userdata become text, deeper keys that are no strings go. */
static void push_plain(lua_State *L, int from, int depth, bool top)
{
	int to;

	if (depth > DETAILS_DEPTH_MAX)
		luaL_error(L, "details are nested too deeply");
	luaL_checkstack(L, 10, "details are nested too deeply");
	from = lua_absindex(L, from);
	lua_newtable(L);
	to = lua_gettop(L);
	if (readonly_resolve(L, from))
		from = lua_gettop(L);
	lua_pushnil(L);
	while (lua_next(L, from)) {
		if (top && lua_type(L, -2) != LUA_TSTRING) {
			lua_pop(L, 1);
			continue;
		}
		lua_pushvalue(L, -2);
		switch (lua_type(L, -2)) {
		case LUA_TTABLE:
			push_plain(L, -2, depth + 1, false);
			break;
		case LUA_TNUMBER:
		case LUA_TSTRING:
		case LUA_TBOOLEAN:
			lua_pushvalue(L, -2);
			break;
		default:
			push_text(L, -2, true, NULL);
			break;
		}
		lua_rawset(L, to);
		lua_pop(L, 1);
	}
	lua_settop(L, to);
}

/* The plain table at idx as a map; an empty table would read as a list. */
static struct value *plain_to_map(lua_State *L, int idx)
{
	struct value *v = NULL;

	if (value_from_lua(L, idx, &v, NULL) < 0 || value_type(v) != VALUE_MAP) {
		value_unref(v);
		v = value_map();
	}
	return v;
}

/* -- functions ----------------------------------------------------------------------------------------- */

/* Push an error object with what push_plain() left at `details` (0: none). */
static int push_new(lua_State *L, const char *kind, enum err_retry retry, const char *message, size_t len, int details)
{
	struct failure **slot = push_failure_slot(L); /* may raise: nothing is held yet */
	char *stack = stack_text(L, 1);

	*slot = failure_new(kind, retry, message, len, details ? plain_to_map(L, details) : NULL, stack, NULL);
	free(stack);
	return 1;
}

static int new_from_table(lua_State *L)
{
	int details = 0;
	enum err_retry retry = ERR_RETRY_UNKNOWN;
	const char *kind = "", *message;
	size_t len;

	lua_settop(L, 1);
	lua_getfield(L, 1, "message");
	if (lua_isnil(L, -1))
		return luaL_error(L, "message field is required");
	if (lua_type(L, -1) != LUA_TSTRING)
		return luaL_error(L, "message must be a string");
	message = lua_tolstring(L, -1, &len);
	lua_getfield(L, 1, "kind");
	if (lua_type(L, -1) == LUA_TSTRING)
		kind = lua_tostring(L, -1);
	lua_getfield(L, 1, "retryable");
	if (lua_isboolean(L, -1))
		retry = lua_toboolean(L, -1) ? ERR_RETRY_YES : ERR_RETRY_NO;
	lua_getfield(L, 1, "details");
	if (lua_istable(L, -1)) {
		push_plain(L, -1, 0, true);
		details = lua_gettop(L);
	}
	return push_new(L, kind, retry, message, len, details);
}

static int l_new(lua_State *L)
{
	const char *message;
	size_t len;

	switch (lua_type(L, 1)) {
	case LUA_TSTRING:
		message = lua_tolstring(L, 1, &len);
		return push_new(L, "", ERR_RETRY_UNKNOWN, message, len, 0);
	case LUA_TTABLE:
		return new_from_table(L);
	default:
		return raise_argument(L, 1, "expected string or table");
	}
}

static int l_wrap(lua_State *L)
{
	struct failure *cause = failure_at(L, 1);
	struct failure *context = failure_at(L, 2);
	struct failure **slot;
	char *stack;
	const char *text;
	size_t len;

	lua_settop(L, 2);
	if (!cause && lua_type(L, 1) != LUA_TSTRING)
		return raise_argument(L, 1, "expected string or error object");
	if (!context && lua_type(L, 2) != LUA_TSTRING)
		return raise_argument(L, 2, "expected string or error object");
	push_text(L, 2, false, NULL);
	lua_pushliteral(L, ": ");
	push_text(L, 1, false, NULL);
	lua_concat(L, 3);
	text = lua_tolstring(L, -1, &len);
	if (!cause)
		return push_new(L, "", ERR_RETRY_UNKNOWN, text, len, 0);
	slot = push_failure_slot(L);
	stack = stack_text(L, 1);
	*slot = failure_new(cause->kind, cause->retry, text, len, value_ref(cause->details), stack, failure_ref(cause));
	free(stack);
	return 1;
}

static int l_is(lua_State *L)
{
	struct failure *f = failure_at(L, 1);

	if (lua_type(L, 2) != LUA_TSTRING)
		return raise_argument(L, 2, lua_pushfstring(L, "string expected, got %s", luaL_typename(L, 2)));
	lua_pushboolean(L, f && strcmp(f->kind, lua_tostring(L, 2)) == 0);
	return 1;
}

/* One line of stack_text(): "entry:12 (name)" or "[native] (name)". */
static void push_frame(lua_State *L, const char *line, size_t len, int level)
{
	const char *open = memchr(line, '(', len), *colon = NULL;
	size_t head = open ? (size_t)(open - line) - 1 : len;

	for (size_t i = 0; i < head; i++) {
		if (line[i] == ':')
			colon = line + i;
	}
	lua_createtable(L, 0, 5);
	lua_pushinteger(L, level);
	lua_setfield(L, -2, "level");
	lua_pushlstring(L, line, colon ? (size_t)(colon - line) : head);
	lua_setfield(L, -2, "source");
	lua_pushinteger(L, colon ? atoi(colon + 1) : 0);
	lua_setfield(L, -2, "line");
	if (open)
		lua_pushlstring(L, open + 1, len - (size_t)(open - line) - 2);
	else
		lua_pushliteral(L, "");
	lua_setfield(L, -2, "name");
	lua_pushstring(L, colon ? "Lua" : "native");
	lua_setfield(L, -2, "type");
}

static int l_call_stack(lua_State *L)
{
	struct failure *f = failure_at(L, 1);
	const char *line;
	int level = 0;

	if (!f || !f->stack) {
		lua_pushnil(L);
		return 1;
	}
	lua_createtable(L, 0, 2);
	lua_pushliteral(L, "main");
	lua_setfield(L, -2, "thread");
	lua_newtable(L);
	for (line = f->stack; *line;) {
		size_t len = strcspn(line, "\n");

		if (strncmp(line, "...", len) != 0) {
			push_frame(L, line, len, level);
			lua_rawseti(L, -2, ++level);
		}
		line += len + (line[len] == '\n');
	}
	lua_setfield(L, -2, "frames");
	return 1;
}

int lib_errors_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"call_stack", l_call_stack},
		{"is", l_is},
		{"new", l_new},
		{"wrap", l_wrap},
		{NULL, NULL},
	};
	static const struct {
		const char *name;
		enum err_kind kind;
	} kinds[] = {
		{"ALREADY_EXISTS", ERR_ALREADY_EXISTS},
		{"CANCELED", ERR_CANCELED},
		{"CONFLICT", ERR_CONFLICT},
		{"INTERNAL", ERR_INTERNAL},
		{"INVALID", ERR_INVALID},
		{"NOT_FOUND", ERR_NOT_FOUND},
		{"PERMISSION_DENIED", ERR_PERMISSION_DENIED},
		{"RATE_LIMITED", ERR_RATE_LIMITED},
		{"TIMEOUT", ERR_TIMEOUT},
		{"UNAVAILABLE", ERR_UNAVAILABLE},
		{"UNKNOWN", ERR_UNKNOWN},
	};

	luaL_newlib(L, functions);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		lua_pushstring(L, err_kind_name(kinds[i].kind));
		lua_setfield(L, -2, kinds[i].name);
	}
	return 1;
}
