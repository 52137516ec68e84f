/*
 * exec.c - the `exec` module: executors, which start programs.
 */
#include "bind/exec.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/current.h"
#include "bind/modules.h"
#include "bind/scratch.h"
#include "engine/lua_api.h"

static const char executor_type[] = "exec.Executor";

static void *native_ref(void *n)
{
	return exec_native_ref(n);
}

static void native_unref(void *n)
{
	exec_native_unref(n);
}

const struct instance_type exec_instance_type = {"executor", native_ref, native_unref};

struct executor {
	struct exec_native *native; /* NULL when released */
};

static int executor_gc(lua_State *L)
{
	struct executor *x = lua_touserdata(L, 1);

	exec_native_unref(x->native);
	x->native = NULL;
	return 0;
}

static int l_release(lua_State *L)
{
	struct executor *x = handle_check(L, 1, executor_type);

	exec_native_unref(x->native);
	x->native = NULL;
	lua_pushboolean(L, true);
	return 1;
}

/* What the options at index 3 say; the environment as a tree in *ret_env, which a userdata keeps. */
static int read_options(lua_State *L, const char **ret_dir, struct value **ret_env, bool *ret_stdin, struct err *e)
{
	size_t len = 0;

	if (lua_isnoneornil(L, 3))
		return 0;
	if (field_string(L, 3, "work_dir", ret_dir, &len) && (len == 0 || strlen(*ret_dir) != len))
		return err_set(e, ERR_INVALID, "work_dir must be the path of a folder");
	field_bool(L, 3, "stdin", ret_stdin);
	if (lua_getfield(L, 3, "env") == LUA_TNIL)
		return 0;
	if (!lua_istable(L, -1))
		return err_set(e, ERR_INVALID, "env must be a table of texts");
	if (value_from_lua(L, -1, ret_env, e) < 0)
		return err_prefix(e, "env");
	if (value_count(*ret_env) > 0 && value_type(*ret_env) != VALUE_MAP)
		return err_set(e, ERR_INVALID, "env must be a table of texts by name");
	return 0;
}

static int l_exec(lua_State *L)
{
	struct executor *x = handle_check(L, 1, executor_type);
	struct exec_words argv = {0}, env = {0};
	const char *dir = NULL;
	bool with_stdin = true;
	struct value **over;
	struct err e = {0};
	const char *command;
	size_t len;

	command = luaL_checklstring(L, 2, &len);
	if (!lua_isnoneornil(L, 3))
		luaL_checktype(L, 3, LUA_TTABLE);
	lua_settop(L, 3);
	luaL_checkstack(L, 8, "exec");
	over = scratch_value(L);
	if (!x->native) {
		err_set(&e, ERR_INVALID, "executor is released");
	} else if (len == 0) {
		err_set(&e, ERR_INVALID, "command is required");
	} else if (strlen(command) != len) {
		err_set(&e, ERR_INVALID, "command contains a NUL byte");
	} else if (!current_allows(L, "exec.run", command)) {
		err_set(&e, ERR_INVALID, "permission denied: execute command");
	} else if (!exec_native_allows(x->native, command, len)) {
		err_set(&e, ERR_INTERNAL, "create process: command not allowed");
	} else if (read_options(L, &dir, over, &with_stdin, &e) == 0 && exec_split(command, len, &argv, &e) == 0 &&
		   exec_environment(x->native->env, *over, &env, &e) == 0) {
		if (!dir)
			dir = x->native->work_dir;
		exec_process_push(L, &argv, &env, xstrdup(dir), with_stdin);
		lua_pushnil(L);
		return 2;
	}
	exec_words_done(&argv);
	return push_nil_and_err(L, &e);
}

static int l_get(lua_State *L)
{
	size_t len;
	const char *id = luaL_checklstring(L, 1, &len);
	struct exec_native *native = NULL;
	struct err e = {0};
	struct executor *x;

	if (len == 0 || strlen(id) != len)
		err_set(&e, ERR_INVALID, "executor id is required");
	else if (!current_allows(L, "exec.get", id))
		err_set(&e, ERR_INVALID, "permission denied: access executor");
	else
		native = instances_get(current_node(L)->instances, id, &exec_instance_type, &e);
	if (!native) {
		if (strncmp(e.text, "resource", 8) == 0) {
			err_prefix(&e, "failed to acquire executor");
			e.kind = ERR_INTERNAL;
		}
		return push_nil_and_err(L, &e);
	}
	x = handle_new(L, executor_type, sizeof(*x));
	x->native = native;
	lua_pushnil(L);
	return 2;
}

int bind_exec_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"get", l_get}, {NULL, NULL}};
	static const luaL_Reg methods[] = {{"exec", l_exec}, {"release", l_release}, {NULL, NULL}};

	stream_register(L);
	exec_process_register(L);
	handle_register(L, executor_type, methods, executor_gc);
	luaL_newlib(L, functions);
	return 1;
}
