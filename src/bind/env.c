/*
 * env.c - the `env` module: variables of the application's environment.
 *
 * What is in memory is answered at once. What is in a file is read and written on the thread pool while the
 * calling coroutine waits; where it cannot wait (a chunk that is being loaded, a metamethod) a look-up reads its
 * small local file there and then, and a change raises.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/current.h"
#include "bind/modules.h"
#include "engine/lua_api.h"
#include "registry/env.h"

enum job_type { JOB_GET, JOB_SET, JOB_LIST };

/* One operation. Owned by the worker; the pool works on it between loop_work() and job_over(). */
struct job {
	struct pending pending;
	enum job_type type;
	struct env *env;               /* outlives the workers */
	struct env_variable *variable; /* JOB_GET, JOB_SET; a reference */
	char *text;                    /* what to set, or what was got */
	struct map *list;              /* JOB_LIST */
	int rc;
	struct err err;
	bool on_pool;
	bool dropped; /* nobody waits any more */
};

static void job_free(struct job *j)
{
	env_variable_unref(j->variable);
	env_text_free(j->text);
	if (j->list)
		env_list_free(j->list);
	free(j);
}

static void job_work(void *arg)
{
	struct job *j = arg;

	switch (j->type) {
	case JOB_GET:
		j->rc = env_variable_get(j->env, j->variable, &j->text, &j->err);
		break;
	case JOB_SET:
		j->rc = env_variable_set(j->env, j->variable, j->text, &j->err);
		break;
	case JOB_LIST:
		j->list = env_list(j->env);
		break;
	}
}

static void job_over(void *arg)
{
	struct job *j = arg;

	j->on_pool = false;
	if (j->dropped)
		job_free(j);
	else
		pending_ready(&j->pending);
}

static void job_cancel(struct pending *p)
{
	struct job *j = container_of(p, struct job, pending);

	if (j->on_pool)
		j->dropped = true;
	else
		job_free(j);
}

static void push_list(lua_State *L, const struct map *list)
{
	const char *key;
	size_t pos = 0;
	void *text;

	lua_newtable(L);
	while (map_next(list, &pos, &key, &text)) {
		if (!current_allows(L, "env.get", key))
			continue;
		lua_pushstring(L, text);
		lua_setfield(L, -2, key);
	}
}

static int job_finish(lua_State *L, struct pending *p)
{
	struct job *j = container_of(p, struct job, pending);

	if (j->rc < 0) {
		struct err e = j->err;

		err_prefix(
			&e, j->type == JOB_SET ? "set environment variable failed" : "get environment variable failed");
		job_free(j);
		return push_nil_and_err(L, &e);
	}
	switch (j->type) {
	case JOB_GET:
		lua_pushstring(L, j->text);
		break;
	case JOB_SET:
		lua_pushboolean(L, true);
		break;
	case JOB_LIST:
		push_list(L, j->list);
		break;
	}
	job_free(j);
	lua_pushnil(L);
	return 2;
}

/* Takes `variable` and `text`. */
static int run(lua_State *L, enum job_type type, struct env_variable *variable, char *text)
{
	struct job *j = xcalloc(1, sizeof(*j));
	bool waits;

	j->type = type;
	j->env = current_node(L)->env;
	j->variable = variable;
	j->text = text;
	j->pending.cancel = job_cancel;
	waits = variable ? env_variable_waits(j->env, variable) : env_list_waits(j->env);
	if (!waits || (type != JOB_SET && !wait_is_possible(L))) {
		job_work(j);
		return job_finish(L, &j->pending);
	}
	if (wait_is_possible(L)) { /* else wait_for() raises: then nothing may have begun */
		j->on_pool = true;
		loop_work(current_loop(L), job_work, job_over, j);
	}
	return wait_for(L, &j->pending, job_finish);
}

/* The variable that argument 1 names, once permission is settled. */
static int find(lua_State *L, const char *action, const char *verb, const char *failed, struct env_variable **ret,
	struct err *e)
{
	size_t len, ns_len;
	const char *name = luaL_checklstring(L, 1, &len);
	const char *entry = running_entry(L), *colon = strchr(entry, ':');
	char *ns;
	int rc;

	if (len == 0)
		return err_set(e, ERR_INVALID, "empty key");
	if (strlen(name) != len)
		return err_set(e, ERR_INVALID, "the name contains a NUL byte");
	if (!current_allows(L, action, name))
		return err_set(e, ERR_PERMISSION_DENIED, "not allowed to %s environment variable: %.256s", verb, name);
	ns_len = colon ? (size_t)(colon - entry) : 0;
	ns = xmemdupz(entry, ns_len);
	rc = env_variable_find(current_node(L)->env, ns, name, ret, e);
	free(ns);
	return rc < 0 ? err_prefix(e, "%s", failed) : 0;
}

static int l_get(lua_State *L)
{
	struct env_variable *v;
	struct err e;

	if (find(L, "env.get", "access", "get environment variable failed", &v, &e) < 0)
		return push_nil_and_err(L, &e);
	return run(L, JOB_GET, v, NULL);
}

static int l_set(lua_State *L)
{
	struct env_variable *v;
	const char *text;
	struct err e;
	size_t len;

	luaL_checkstring(L, 1);
	luaL_checktype(L, 2, LUA_TSTRING);
	text = lua_tolstring(L, 2, &len);
	if (find(L, "env.set", "set", "set environment variable failed", &v, &e) < 0)
		return push_nil_and_err(L, &e);
	if (len > ENV_VALUE_BYTES_MAX || strlen(text) != len) {
		env_variable_unref(v);
		err_set(&e, ERR_INVALID, "set environment variable failed: the value %s",
			len > ENV_VALUE_BYTES_MAX ? "is longer than a mebibyte" : "contains a NUL byte");
		return push_nil_and_err(L, &e);
	}
	return run(L, JOB_SET, v, xmemdupz(text, len));
}

static int l_get_all(lua_State *L)
{
	return run(L, JOB_LIST, NULL, NULL);
}

int bind_env_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"get", l_get}, {"get_all", l_get_all}, {"set", l_set}, {NULL, NULL}};

	luaL_newlib(L, functions);
	return 1;
}
