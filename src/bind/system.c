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

#include "actor/scheduler.h"
#include "base/alloc.h"
#include "bind/current.h"
#include "bind/modules.h"
#include "bind/system.h"
#include "engine/lua_api.h"

int system_deny(lua_State *L, const char *action, const char *resource)
{
	struct err e = {0};

	if (current_allows(L, action, resource))
		return 0;
	err_set(&e, ERR_INVALID, "permission denied: %s%s%s", action, *resource ? " on " : "", resource);
	return push_nil_and_err(L, &e);
}

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

	SYSTEM_REQUIRE(L, "system.exit", "");
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
	{"compress", "Packing and unpacking of bytes", {"encoding", "deterministic"}},
	{"crypto", "Randomness, HMAC, ciphers, key derivation and tokens", {"nondeterministic", "workflow"}},
	{"ctx", "Context values of the call", {"workflow"}},
	{"env", "Variables of the application's environment", {"process"}},
	{"events", "The event bus", {"io"}},
	{"exec", "Programs of this machine", {"process"}},
	{"fs", "Folders and files", {"storage"}},
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

	SYSTEM_REQUIRE(L, "system.read", "modules");
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

	SYSTEM_REQUIRE(L, "system.read", "memory");
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

	SYSTEM_REQUIRE(L, "system.read", "memory");
	m = mallinfo2();
	lua_pushinteger(L, (lua_Integer)allocated(&m));
	return 1;
}

/* There is one limit, that of each Lua heap, and it stands in the configuration. */
static int l_memory_limit(lua_State *L)
{
	size_t max;

	SYSTEM_REQUIRE(L, "system.read", "memory_limit");
	max = scheduler_heap_memory_max(current_node(L)->scheduler);
	lua_pushinteger(L, max ? (lua_Integer)max : -1);
	return 1;
}

static int push_fixed(lua_State *L, const char *what)
{
	struct err e = {0};

	err_set(&e, ERR_UNAVAILABLE, "%s is fixed when the program starts; set it in the configuration", what);
	return push_nil_and_err(L, &e);
}

static int l_memory_set_limit(lua_State *L)
{
	luaL_checkinteger(L, 1);
	SYSTEM_REQUIRE(L, "system.control", "memory_limit");
	return push_fixed(L, "the memory limit of a Lua heap");
}

/* A heap is collected when it has grown by as much as it held. */
static int l_gc_percent(lua_State *L)
{
	SYSTEM_REQUIRE(L, "system.read", "gc_percent");
	lua_pushinteger(L, 100);
	return 1;
}

static int l_gc_set_percent(lua_State *L)
{
	luaL_checkinteger(L, 1);
	SYSTEM_REQUIRE(L, "system.gc", "gc_percent");
	return push_fixed(L, "the growth at which a Lua heap is collected");
}

static int l_gc_collect(lua_State *L)
{
	SYSTEM_REQUIRE(L, "system.gc", "gc");
	lua_gc(L, LUA_GCCOLLECT);
	lua_pushboolean(L, true);
	return 1;
}

/* -- runtime ------------------------------------------------------------------------------------------ */

static int l_goroutines(lua_State *L)
{
	SYSTEM_REQUIRE(L, "system.read", "goroutines");
	lua_pushinteger(L, scheduler_nprocesses(current_node(L)->scheduler));
	return 1;
}

static int l_max_procs(lua_State *L)
{
	struct err e = {0};

	if (!lua_isnoneornil(L, 1)) {
		luaL_checkinteger(L, 1);
		SYSTEM_REQUIRE(L, "system.control", "gomaxprocs");
		err_set(&e, ERR_UNAVAILABLE, "the number of workers is fixed when the program starts");
		return push_nil_and_err(L, &e);
	}
	SYSTEM_REQUIRE(L, "system.read", "gomaxprocs");
	lua_pushinteger(L, scheduler_nworkers(current_node(L)->scheduler));
	return 1;
}

static int l_cpu_count(lua_State *L)
{
	SYSTEM_REQUIRE(L, "system.read", "cpu");
	lua_pushinteger(L, sysconf(_SC_NPROCESSORS_ONLN));
	return 1;
}

/* -- process, node, hosts ----------------------------------------------------------------------------- */

static int l_pid(lua_State *L)
{
	SYSTEM_REQUIRE(L, "system.read", "pid");
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
	SYSTEM_REQUIRE(L, "system.read", "hostname");
	return push_hostname(L);
}

static int l_cwd(lua_State *L)
{
	char path[PATH_MAX];

	SYSTEM_REQUIRE(L, "system.read", "cwd");
	if (!getcwd(path, sizeof(path)))
		return push_errno(L, "working directory");
	lua_pushstring(L, path);
	return 1;
}

/* One node has no other name than its machine's. */
static int l_node_id(lua_State *L)
{
	SYSTEM_REQUIRE(L, "system.read", "node");
	return push_hostname(L);
}

static int l_node_addr(lua_State *L)
{
	SYSTEM_REQUIRE(L, "system.read", "node");
	lua_pushliteral(L, ""); /* it listens for no other node */
	return 1;
}

static int l_node_role(lua_State *L)
{
	SYSTEM_REQUIRE(L, "system.read", "node");
	lua_pushliteral(L, "standalone");
	return 1;
}

/* -- cluster: one node is all there is ------------------------------------------------------------------ */

static int l_cluster_members(lua_State *L)
{
	SYSTEM_REQUIRE(L, "system.read", "cluster");
	lua_createtable(L, 1, 0);
	lua_createtable(L, 0, 2);
	if (push_hostname(L) != 1)
		return 2;
	lua_setfield(L, -2, "id");
	lua_pushboolean(L, true);
	lua_setfield(L, -2, "is_local");
	lua_rawseti(L, -2, 1);
	return 1;
}

static int l_cluster_leader(lua_State *L)
{
	SYSTEM_REQUIRE(L, "system.read", "cluster");
	lua_pushliteral(L, "");
	return 1;
}

static int l_cluster_size(lua_State *L)
{
	SYSTEM_REQUIRE(L, "system.read", "cluster");
	lua_pushinteger(L, 1);
	return 1;
}

static int no_raft(lua_State *L, const char *resource)
{
	struct err e = {0};

	SYSTEM_REQUIRE(L, "system.read", resource);
	err_set(&e, ERR_INTERNAL, "raft not available");
	return push_nil_and_err(L, &e);
}

static int l_raft(lua_State *L)
{
	return no_raft(L, "raft");
}

static int l_raft_stats(lua_State *L)
{
	return no_raft(L, "raft_stats");
}

int bind_system_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"exit", l_exit}, {"modules", l_modules}, {NULL, NULL}};
	static const struct {
		const char *name;
		luaL_Reg functions[7];
	} groups[] = {
		{"cluster", {{"members", l_cluster_members}, {"leader", l_cluster_leader}, {"size", l_cluster_size},
				    {NULL, NULL}}},
		{"gc", {{"collect", l_gc_collect}, {"set_percent", l_gc_set_percent}, {"get_percent", l_gc_percent},
			       {NULL, NULL}}},
		{"hosts", {{"list", system_hosts_list}, {"processes", system_hosts_processes}, {NULL, NULL}}},
		{"memory", {{"stats", l_memory_stats}, {"allocated", l_memory_allocated},
				   {"set_limit", l_memory_set_limit}, {"get_limit", l_memory_limit}, {NULL, NULL}}},
		{"network", {{"state", system_network_state}, {"states", system_network_states}, {NULL, NULL}}},
		{"node", {{"id", l_node_id}, {"addr", l_node_addr}, {"role", l_node_role}, {NULL, NULL}}},
		{"raft", {{"is_leader", l_raft}, {"is_member", l_raft}, {"role", l_raft}, {"term", l_raft},
				 {"commit_index", l_raft}, {"stats", l_raft_stats}, {NULL, NULL}}},
		{"process", {{"pid", l_pid}, {"hostname", l_hostname}, {"cwd", l_cwd}, {NULL, NULL}}},
		{"supervisor",
			{{"state", system_supervisor_state}, {"states", system_supervisor_states}, {NULL, NULL}}},
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
