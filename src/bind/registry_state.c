#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "bind/registry.h"

static const char snapshot_type[] = "registry.Snapshot";
static const char version_type[] = "registry.Version";
static const char history_type[] = "registry.History";
static const char ids_type[] = "registry.ids";

struct snapshot_handle {
	struct snapshot *snapshot;
};

struct version_handle {
	uint64_t id;
};

/* -- versions ------------------------------------------------------------------------------------- */

void registry_push_version(lua_State *L, uint64_t id)
{
	struct version_handle *v = handle_new(L, version_type, sizeof(*v));

	v->id = id;
}

int registry_version_at(lua_State *L, int idx, uint64_t *ret, struct err *e)
{
	const struct version_handle *v = luaL_testudata(L, idx, version_type);

	if (!v)
		return err_set(e, ERR_INVALID, "expected version object");
	*ret = v->id;
	return 0;
}

static uint64_t check_version(lua_State *L)
{
	const struct version_handle *v = handle_check(L, 1, version_type);

	return v->id;
}

static int push_version_text(lua_State *L, const char *format)
{
	char text[64];

	snprintf(text, sizeof(text), format, check_version(L));
	lua_pushstring(L, text);
	return 1;
}

static int l_version_id(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)check_version(L));
	return 1;
}

static int l_version_string(lua_State *L)
{
	return push_version_text(L, "v%" PRIu64);
}

static int l_version_text(lua_State *L)
{
	return push_version_text(L, "registry.Version{v%" PRIu64 "}");
}

static struct history *history_of(lua_State *L)
{
	return registry_history(current_node(L)->registry);
}

static int l_version_previous(lua_State *L)
{
	uint64_t id = check_version(L), parent;
	struct history *h = history_of(L);
	struct err e;

	if (id == 0 || !h || history_parent(h, id, &parent, &e) < 0)
		lua_pushnil(L);
	else
		registry_push_version(L, parent);
	return 1;
}

static int l_version_next(lua_State *L)
{
	uint64_t id = check_version(L);
	struct history *h = history_of(L);
	uint64_t child = h ? history_child(h, id) : 0;

	if (child == 0)
		lua_pushnil(L);
	else
		registry_push_version(L, child);
	return 1;
}

/* -- snapshots ------------------------------------------------------------------------------------ */

struct snapshot **registry_push_snapshot(lua_State *L)
{
	struct snapshot_handle *h = handle_new(L, snapshot_type, sizeof(*h));

	return &h->snapshot;
}

static struct snapshot *check_snapshot(lua_State *L)
{
	const struct snapshot_handle *h = handle_check(L, 1, snapshot_type);

	return h->snapshot;
}

static int snapshot_gc(lua_State *L)
{
	struct snapshot_handle *h = lua_touserdata(L, 1);

	snapshot_unref(h->snapshot);
	h->snapshot = NULL;
	return 0;
}

static int l_snapshot_entries(lua_State *L)
{
	registry_push_entries(L, check_snapshot(L), NULL, 0);
	lua_pushnil(L);
	return 2;
}

static int l_snapshot_get(lua_State *L)
{
	return registry_push_one(L, check_snapshot(L), luaL_checkstring(L, 2));
}

static int l_snapshot_find(lua_State *L)
{
	luaL_checktype(L, 2, LUA_TTABLE);
	registry_push_entries(L, check_snapshot(L), NULL, 2);
	return 1;
}

static int l_snapshot_namespace(lua_State *L)
{
	registry_push_entries(L, check_snapshot(L), luaL_checkstring(L, 2), 0);
	return 1;
}

static int l_snapshot_version(lua_State *L)
{
	registry_push_version(L, snapshot_version(check_snapshot(L)));
	return 1;
}

static int l_snapshot_changes(lua_State *L)
{
	check_snapshot(L);
	registry_push_changes(L);
	return 1;
}

static int l_snapshot_text(lua_State *L)
{
	char text[64];

	snprintf(text, sizeof(text), "registry.Snapshot{version=v%" PRIu64 "}", snapshot_version(check_snapshot(L)));
	lua_pushstring(L, text);
	return 1;
}

/* -- the history ---------------------------------------------------------------------------------- */

static int push_no_history(lua_State *L)
{
	struct err e;

	err_set(&e, ERR_INTERNAL, "history not available");
	return push_nil_and_err(L, &e);
}

void registry_push_history(lua_State *L)
{
	handle_new(L, history_type, 1);
}

struct ids {
	uint64_t *items;
};

static int ids_gc(lua_State *L)
{
	struct ids *ids = lua_touserdata(L, 1);

	free(ids->items);
	ids->items = NULL;
	return 0;
}

int registry_push_versions(lua_State *L)
{
	struct history *h = history_of(L);
	struct ids *ids;
	size_t n;

	if (!h)
		return push_no_history(L);
	ids = handle_new(L, ids_type, sizeof(*ids));
	ids->items = history_ids(h, &n);
	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		registry_push_version(L, ids->items[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_pushnil(L);
	return 2;
}

int registry_push_snapshot_at(lua_State *L, uint64_t version)
{
	struct snapshot **s;
	struct err e;

	if (!history_of(L))
		return push_no_history(L);
	s = registry_push_snapshot(L);
	*s = registry_snapshot_at(current_node(L)->registry, version, &e);
	if (!*s)
		return push_nil_and_err(L, &e);
	lua_pushnil(L);
	return 2;
}

static int l_history_versions(lua_State *L)
{
	handle_check(L, 1, history_type);
	return registry_push_versions(L);
}

static int l_history_get_version(lua_State *L)
{
	lua_Integer n;
	struct history *h = history_of(L);
	uint64_t parent;
	struct err e;

	handle_check(L, 1, history_type);
	n = luaL_checkinteger(L, 2);
	if (!h)
		return push_no_history(L);
	if (n < 0) {
		err_set(&e, ERR_INVALID, "invalid version ID");
		return push_nil_and_err(L, &e);
	}
	if (history_parent(h, (uint64_t)n, &parent, &e) < 0)
		return push_nil_and_err(L, &e);
	registry_push_version(L, (uint64_t)n);
	lua_pushnil(L);
	return 2;
}

static int l_history_snapshot_at(lua_State *L)
{
	uint64_t version = 0;
	struct err e;

	handle_check(L, 1, history_type);
	if (registry_version_at(L, 2, &version, &e) < 0)
		return push_nil_and_err(L, &e);
	return registry_push_snapshot_at(L, version);
}

static int l_history_text(lua_State *L)
{
	handle_check(L, 1, history_type);
	lua_pushliteral(L, "registry.History{}");
	return 1;
}

/* -- types ---------------------------------------------------------------------------------------- */

static void set_text(lua_State *L, const char *type, lua_CFunction text)
{
	luaL_getmetatable(L, type);
	lua_pushcfunction(L, text);
	lua_setfield(L, -2, "__tostring");
	lua_pop(L, 1);
}

void registry_state_register(lua_State *L)
{
	static const luaL_Reg snapshot_methods[] = {
		{"changes", l_snapshot_changes},
		{"entries", l_snapshot_entries},
		{"find", l_snapshot_find},
		{"get", l_snapshot_get},
		{"namespace", l_snapshot_namespace},
		{"version", l_snapshot_version},
		{NULL, NULL},
	};
	static const luaL_Reg version_methods[] = {
		{"id", l_version_id},
		{"next", l_version_next},
		{"previous", l_version_previous},
		{"string", l_version_string},
		{NULL, NULL},
	};
	static const luaL_Reg history_methods[] = {
		{"get_version", l_history_get_version},
		{"snapshot_at", l_history_snapshot_at},
		{"versions", l_history_versions},
		{NULL, NULL},
	};

	handle_register(L, snapshot_type, snapshot_methods, snapshot_gc);
	set_text(L, snapshot_type, l_snapshot_text);
	handle_register(L, version_type, version_methods, NULL);
	set_text(L, version_type, l_version_text);
	handle_register(L, history_type, history_methods, NULL);
	set_text(L, history_type, l_history_text);
	handle_register(L, ids_type, NULL, ids_gc);
}
