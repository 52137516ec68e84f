/*
 * process_names.c - process.registry: names for processes. Only local ones; those of a cluster are refused.
 */
#include <stdio.h>
#include <string.h>

#include "actor/names.h"
#include "bind/process.h"

enum { SCOPE_LOCAL, SCOPE_EVENTUAL, SCOPE_CONSISTENT, SCOPE_STRONG };

static int check_scope(lua_Integer scope, struct err *e)
{
	if (scope == SCOPE_LOCAL)
		return 0;
	if (scope == SCOPE_EVENTUAL)
		return err_set(e, ERR_INTERNAL, "eventual registry not available");
	return err_set(e, ERR_INTERNAL, "global registry not available");
}

/* `action` for local names, with the scope's name behind it for those of a cluster. */
static int check_name_action(
	lua_State *L, const char *action, lua_Integer scope, const char *name, const char *words, struct err *e)
{
	static const char *const suffixes[] = {"", ".eventual", ".consistent", ".strong"};
	const char *suffix = scope > SCOPE_LOCAL && scope <= SCOPE_STRONG ? suffixes[scope] : "";
	char full[64];

	snprintf(full, sizeof(full), "%s%s", action, suffix);
	return process_action_check(L, full, name, words, e);
}

static int l_register(lua_State *L)
{
	struct process *self = current_process(L);
	const char *name = luaL_checkstring(L, 1);
	lua_Integer scope = luaL_optinteger(L, 3, SCOPE_LOCAL);
	char text[PID_TEXT_MAX];
	struct pid pid;
	struct err e;
	size_t len;

	if (!self)
		return push_no_process(L);
	if (!*name || strlen(name) > NAME_TEXT_MAX) {
		err_set(&e, ERR_INVALID, "name must have 1 to %d bytes", NAME_TEXT_MAX);
		return push_nil_and_err(L, &e);
	}
	pid = process_pid(self);
	if (!lua_isnoneornil(L, 2)) {
		const char *s;

		if (lua_type(L, 2) != LUA_TSTRING) {
			err_set(&e, ERR_INVALID, "pid must be a string");
			return push_nil_and_err(L, &e);
		}
		s = lua_tolstring(L, 2, &len);
		if (pid_parse(s, len, &pid, &e) < 0)
			return push_nil_and_err(L, &e);
	}
	if (check_name_action(L, "process.registry.register", scope, name, "not allowed to register: ", &e) < 0)
		return push_nil_and_err(L, &e);
	if (!pid_equal(pid, process_pid(self)) &&
		process_action_check(
			L, "process.registry.foreign", pid_format(pid, text), "not allowed to register for: ", &e) < 0)
		return push_nil_and_err(L, &e);
	if (check_scope(scope, &e) < 0)
		return push_nil_and_err(L, &e);
	return push_true_or_err(L, process_name(current_scheduler(L), pid, name, &e), &e);
}

static int l_lookup(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	char text[PID_TEXT_MAX];
	struct pid pid;
	struct err e;

	if (!names_lookup(scheduler_names(current_scheduler(L)), name, &pid)) {
		err_set(&e, ERR_NOT_FOUND, "name not registered");
		return push_nil_and_err(L, &e);
	}
	lua_pushstring(L, pid_format(pid, text));
	return 1;
}

static int l_unregister(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	lua_Integer scope = luaL_optinteger(L, 2, SCOPE_LOCAL);
	struct err e;

	if (check_name_action(L, "process.registry.unregister", scope, name, "not allowed to unregister: ", &e) < 0)
		return push_nil_and_err(L, &e);
	if (check_scope(scope, &e) < 0)
		return push_nil_and_err(L, &e);
	lua_pushboolean(L, names_unregister(scheduler_names(current_scheduler(L)), name));
	return 1;
}

void process_push_registry(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"register", l_register},
		{"lookup", l_lookup},
		{"unregister", l_unregister},
		{NULL, NULL},
	};
	static const struct {
		const char *name;
		int value;
	} scopes[] = {
		{"LOCAL", SCOPE_LOCAL},
		{"EVENTUAL", SCOPE_EVENTUAL},
		{"CONSISTENT", SCOPE_CONSISTENT},
		{"STRONG", SCOPE_STRONG},
	};

	luaL_newlib(L, functions);
	for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
		lua_pushinteger(L, scopes[i].value);
		lua_setfield(L, -2, scopes[i].name);
	}
}
