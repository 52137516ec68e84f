#include "bind/system.h"

#include <stdlib.h>
#include <string.h>

#include "actor/census.h"
#include "actor/host.h"
#include "actor/scheduler.h"
#include "base/alloc.h"
#include "bind/current.h"
#include "engine/lua_api.h"

struct host_list {
	struct host **hosts;
	size_t n;
};

static int host_list_gc(lua_State *L)
{
	struct host_list *l = lua_touserdata(L, 1);

	for (size_t i = 0; i < l->n; i++)
		host_unref(l->hosts[i]);
	free(l->hosts);
	*l = (struct host_list){0};
	return 0;
}

int system_hosts_list(lua_State *L)
{
	struct host_list *l;

	SYSTEM_REQUIRE(L, "system.read", "hosts");
	handle_register(L, "system.host_list", NULL, host_list_gc);
	l = handle_new(L, "system.host_list", sizeof(*l));
	l->n = hosts_list(scheduler_hosts(current_node(L)->scheduler), &l->hosts);
	lua_createtable(L, (int)l->n, 0);
	for (size_t i = 0; i < l->n; i++) {
		lua_createtable(L, 0, 3);
		lua_pushstring(L, l->hosts[i]->id);
		lua_setfield(L, -2, "id");
		lua_pushinteger(L, l->hosts[i]->workers_max);
		lua_setfield(L, -2, "workers");
		lua_pushinteger(L, atomic_load_explicit(&l->hosts[i]->nprocesses, memory_order_relaxed));
		lua_setfield(L, -2, "processes");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/* -- the processes of a host ---------------------------------------------------------------------------- */

struct census_wait {
	struct pending pending;
	struct census *census; /* NULL while it is taken */
	bool dropped;
};

static void census_over(void *arg, struct census *c)
{
	struct census_wait *w = arg;

	if (w->dropped) {
		census_free(c);
		free(w);
		return;
	}
	w->census = c;
	pending_ready(&w->pending);
}

static void census_cancel(struct pending *p)
{
	struct census_wait *w = container_of(p, struct census_wait, pending);

	if (p->ready) {
		census_free(w->census);
		free(w);
	} else {
		w->dropped = true;
	}
}

static int census_gc(lua_State *L)
{
	struct census **c = lua_touserdata(L, 1);

	census_free(*c);
	*c = NULL;
	return 0;
}

static void push_member(lua_State *L, const struct census_entry *m, const char *host)
{
	char text[PID_TEXT_MAX];

	lua_createtable(L, 0, 5);
	lua_pushstring(L, pid_format(m->pid, text));
	lua_setfield(L, -2, "pid");
	lua_pushstring(L, host);
	lua_setfield(L, -2, "host");
	lua_pushstring(L, m->source);
	lua_setfield(L, -2, "source");
	lua_pushstring(L, m->state);
	lua_setfield(L, -2, "state");
	if (m->parent.number) {
		lua_pushstring(L, pid_format(m->parent, text));
		lua_setfield(L, -2, "parent");
	}
}

static int census_finish(lua_State *L, struct pending *p)
{
	struct census_wait *w = container_of(p, struct census_wait, pending);
	const char *host = lua_tostring(L, 1);
	struct census **guard, *c = w->census;
	size_t n;

	free(w);
	handle_register(L, "system.census", NULL, census_gc);
	guard = handle_new(L, "system.census", sizeof(*guard));
	*guard = c;
	n = census_count(c);
	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		push_member(L, census_at(c, i), host);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_pushnil(L);
	return 2;
}

int system_hosts_processes(lua_State *L)
{
	struct scheduler *s = current_node(L)->scheduler;
	size_t len;
	const char *id = luaL_optlstring(L, 1, "", &len);
	struct err e = {0};
	struct census_wait *w;
	struct host *h;

	SYSTEM_REQUIRE(L, "system.read", "hosts");
	if (len == 0) {
		err_set(&e, ERR_INVALID, "host ID required");
		return push_nil_and_err(L, &e);
	}
	if (!wait_is_possible(L))
		return raise_text(L, "cannot wait for the workers here: call this from a function");
	h = strlen(id) == len ? hosts_get(scheduler_hosts(s), id) : NULL;
	if (!h) {
		err_set(&e, ERR_NOT_FOUND, "host not found: %.256s", id);
		return push_nil_and_err(L, &e);
	}
	lua_settop(L, 1);
	w = xcalloc(1, sizeof(*w));
	w->pending.cancel = census_cancel;
	census_take(s, h, current_loop(L), census_over, w);
	return wait_for(L, &w->pending, census_finish);
}
