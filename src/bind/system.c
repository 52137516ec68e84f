/*
 * system.c - the `system` module: the running program and the machine, for those who may look.
 *
 * Each function is an action on a resource that the caller's scope must allow. Numbers about memory: those of the C
 * library's allocator for the whole program; a collection is that of the caller's Lua heap.
 */
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actor/host.h"
#include "actor/scheduler.h"
#include "base/alloc.h"
#include "bind/current.h"
#include "bind/modules.h"
#include "engine/lua_api.h"

/* 0, or what is returned: nil and the error. */
static int deny_unless_allowed(lua_State *L, const char *action, const char *resource)
{
	struct err e = {0};

	if (current_allows(L, action, resource))
		return 0;
	err_set(&e, ERR_INVALID, "permission denied: %s on %s", action, resource);
	return push_nil_and_err(L, &e);
}

#define REQUIRE(L, action, resource)                                    \
	do {                                                            \
		int denied_ = deny_unless_allowed(L, action, resource); \
		if (denied_)                                            \
			return denied_;                                 \
	} while (0)

static int push_errno(lua_State *L, const char *what)
{
	struct err e = {0};

	err_set_errno(&e, ERR_INTERNAL, errno, "%s", what);
	return push_nil_and_err(L, &e);
}

static int l_exit(lua_State *L)
{
	lua_Integer code = luaL_optinteger(L, 1, 0);
	struct node *n = current_node(L);
	struct err e = {0};

	REQUIRE(L, "system.exit", "");
	if (!n->request_stop) {
		err_set(&e, ERR_INTERNAL, "runtime not available");
		return push_nil_and_err(L, &e);
	}
	/* The system reports the low eight bits; -1 becomes 255 as everywhere. */
	n->request_stop(n, (int)(code & 0xff));
	lua_pushboolean(L, true);
	return 1;
}

/* -- modules ------------------------------------------------------------------------------------------ */

struct about {
	const char *name, *description;
	const char *classes[2];
};

static const struct about modules_known[] = {
	{"base64", "Base64 encoding and decoding", {"encoding", "deterministic"}},
	{"channel", "Channels between coroutines", {NULL}},
	{"crypto", "Randomness, HMAC, ciphers, key derivation and tokens", {"nondeterministic", "workflow"}},
	{"ctx", "Context values of the call", {"workflow"}},
	{"env", "Variables of the application's environment", {"process"}},
	{"events", "The event bus", {"io"}},
	{"funcs", "Calls of functions", {"workflow"}},
	{"hash", "Digests and checksums", {"encoding", "deterministic"}},
	{"http", "The request and the response of an HTTP handler", {"network"}},
	{"http_client", "HTTP requests", {"network"}},
	{"io", "The standard streams of a terminal", {"io"}},
	{"json", "JSON encoding, decoding and validation", {"encoding", "deterministic"}},
	{"logger", "Structured log records", {"io"}},
	{"metrics", "Counters, gauges and histograms", {"io"}},
	{"payload", "Values tagged with a format", {NULL}},
	{"pg", "Groups of processes", {"process"}},
	{"process", "Processes and messages", {"process", "workflow"}},
	{"registry", "Entries of the registry", {"storage"}},
	{"security", "Actors, scopes and policies", {"security"}},
	{"sql", "SQL databases", {"storage"}},
	{"store", "Key-value stores", {"storage"}},
	{"stream", "Streams of bytes", {"io"}},
	{"system", "The running program and the machine", {"process"}},
	{"time", "Time, durations, timers", {"time", "workflow"}},
	{"uuid", "Universally unique identifiers", {"nondeterministic", "workflow"}},
	{"websocket", "WebSocket connections", {"network"}},
	{"yaml", "YAML encoding and decoding", {"encoding", "deterministic"}},
};

static void push_about(lua_State *L, const char *name)
{
	const struct about *about = NULL;

	for (size_t i = 0; i < ARRAY_LEN(modules_known) && !about; i++) {
		if (strcmp(modules_known[i].name, name) == 0)
			about = &modules_known[i];
	}
	lua_createtable(L, 0, 3);
	lua_pushstring(L, name);
	lua_setfield(L, -2, "name");
	lua_pushstring(L, about ? about->description : "");
	lua_setfield(L, -2, "description");
	lua_newtable(L);
	for (size_t i = 0; about && i < ARRAY_LEN(about->classes) && about->classes[i]; i++) {
		lua_pushstring(L, about->classes[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "class");
}

static int l_modules(lua_State *L)
{
	const struct module_list *list = scheduler_modules(current_node(L)->scheduler);

	REQUIRE(L, "system.read", "modules");
	lua_createtable(L, (int)list->count, 0);
	for (size_t i = 0; i < list->count; i++) {
		push_about(L, list->modules[i].name);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/* -- memory ------------------------------------------------------------------------------------------- */

static void set_bytes(lua_State *L, const char *name, size_t bytes)
{
	lua_pushinteger(L, (lua_Integer)bytes);
	lua_setfield(L, -2, name);
}

static size_t allocated(const struct mallinfo2 *m)
{
	return m->uordblks + m->hblkhd;
}

static int l_memory_stats(lua_State *L)
{
	struct mallinfo2 m;

	REQUIRE(L, "system.read", "memory");
	m = mallinfo2();
	lua_createtable(L, 0, 7);
	set_bytes(L, "alloc", allocated(&m));
	set_bytes(L, "heap_alloc", allocated(&m));
	set_bytes(L, "heap_in_use", allocated(&m));
	set_bytes(L, "heap_idle", m.fordblks);
	set_bytes(L, "heap_sys", m.arena + m.hblkhd);
	set_bytes(L, "sys", m.arena + m.hblkhd);
	set_bytes(L, "lua_heap", heap_bytes(heap_of(L)));
	return 1;
}

static int l_memory_allocated(lua_State *L)
{
	struct mallinfo2 m;

	REQUIRE(L, "system.read", "memory");
	m = mallinfo2();
	lua_pushinteger(L, (lua_Integer)allocated(&m));
	return 1;
}

static int l_gc_collect(lua_State *L)
{
	REQUIRE(L, "system.gc", "gc");
	lua_gc(L, LUA_GCCOLLECT);
	lua_pushboolean(L, true);
	return 1;
}

/* -- runtime ------------------------------------------------------------------------------------------ */

static int l_goroutines(lua_State *L)
{
	REQUIRE(L, "system.read", "goroutines");
	lua_pushinteger(L, scheduler_nprocesses(current_node(L)->scheduler));
	return 1;
}

static int l_max_procs(lua_State *L)
{
	struct err e = {0};

	if (!lua_isnoneornil(L, 1)) {
		luaL_checkinteger(L, 1);
		REQUIRE(L, "system.control", "gomaxprocs");
		err_set(&e, ERR_UNAVAILABLE, "the number of workers is fixed when the program starts");
		return push_nil_and_err(L, &e);
	}
	REQUIRE(L, "system.read", "gomaxprocs");
	lua_pushinteger(L, scheduler_nworkers(current_node(L)->scheduler));
	return 1;
}

static int l_cpu_count(lua_State *L)
{
	REQUIRE(L, "system.read", "cpu");
	lua_pushinteger(L, sysconf(_SC_NPROCESSORS_ONLN));
	return 1;
}

/* -- process, node, hosts ----------------------------------------------------------------------------- */

static int l_pid(lua_State *L)
{
	REQUIRE(L, "system.read", "pid");
	lua_pushinteger(L, getpid());
	return 1;
}

static int push_hostname(lua_State *L)
{
	char name[HOST_NAME_MAX + 1];

	if (gethostname(name, sizeof(name)) < 0)
		return push_errno(L, "hostname");
	name[sizeof(name) - 1] = '\0';
	lua_pushstring(L, name);
	return 1;
}

static int l_hostname(lua_State *L)
{
	REQUIRE(L, "system.read", "hostname");
	return push_hostname(L);
}

static int l_cwd(lua_State *L)
{
	char path[PATH_MAX];

	REQUIRE(L, "system.read", "cwd");
	if (!getcwd(path, sizeof(path)))
		return push_errno(L, "working directory");
	lua_pushstring(L, path);
	return 1;
}

/* One node has no other name than its machine's. */
static int l_node_id(lua_State *L)
{
	REQUIRE(L, "system.read", "node");
	return push_hostname(L);
}

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

static int l_hosts_list(lua_State *L)
{
	struct host_list *l;

	REQUIRE(L, "system.read", "hosts");
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

int bind_system_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"exit", l_exit}, {"modules", l_modules}, {NULL, NULL}};
	static const struct {
		const char *name;
		luaL_Reg functions[4];
	} groups[] = {
		{"gc", {{"collect", l_gc_collect}, {NULL, NULL}}},
		{"hosts", {{"list", l_hosts_list}, {NULL, NULL}}},
		{"memory", {{"stats", l_memory_stats}, {"allocated", l_memory_allocated}, {NULL, NULL}}},
		{"node", {{"id", l_node_id}, {NULL, NULL}}},
		{"process", {{"pid", l_pid}, {"hostname", l_hostname}, {"cwd", l_cwd}, {NULL, NULL}}},
		{"runtime", {{"goroutines", l_goroutines}, {"max_procs", l_max_procs}, {"cpu_count", l_cpu_count},
				    {NULL, NULL}}},
	};

	luaL_newlib(L, functions);
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		lua_newtable(L);
		luaL_setfuncs(L, groups[i].functions, 0);
		lua_setfield(L, -2, groups[i].name);
	}
	return 1;
}
