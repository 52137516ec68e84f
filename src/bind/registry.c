/*
 * registry.c - the `registry` module: entries, versions, changes of the running system.
 */
#include "bind/registry.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "bind/denial.h"
#include "bind/modules.h"
#include "engine/readonly.h"

static const char list_type[] = "registry.list";

/* Owns entries while something may raise. */
struct list_handle {
	struct entry **items;
	size_t count;
	struct changes changes;
};

static int list_gc(lua_State *L)
{
	struct list_handle *h = lua_touserdata(L, 1);

	for (size_t i = 0; i < h->count; i++)
		entry_unref(h->items[i]);
	free(h->items);
	changes_done(&h->changes);
	*h = (struct list_handle){0};
	return 0;
}

static struct snapshot *push_current(lua_State *L)
{
	struct snapshot **s = registry_push_snapshot(L);

	*s = registry_snapshot(current_node(L)->registry);
	return *s;
}

static int l_parse_id(lua_State *L)
{
	char *ns, *name;

	entry_id_split(luaL_checkstring(L, 1), &ns, &name);
	lua_createtable(L, 0, 2);
	lua_pushstring(L, ns);
	lua_setfield(L, -2, "ns");
	lua_pushstring(L, name);
	lua_setfield(L, -2, "name");
	free(ns);
	free(name);
	return 1;
}

static int l_get(lua_State *L)
{
	const char *id = luaL_checkstring(L, 1);

	return registry_push_one(L, push_current(L), id);
}

static int l_find(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	registry_push_entries(L, push_current(L), NULL, 1);
	lua_pushnil(L);
	return 2;
}

static int l_snapshot(lua_State *L)
{
	push_current(L);
	lua_pushnil(L);
	return 2;
}

static int l_snapshot_at(lua_State *L)
{
	lua_Integer n = luaL_checkinteger(L, 1);
	struct err e;

	if (n <= 0) {
		err_set(&e, ERR_INVALID, "invalid version ID");
		return push_nil_and_err(L, &e);
	}
	return registry_push_snapshot_at(L, (uint64_t)n);
}

static int l_current_version(lua_State *L)
{
	registry_push_version(L, registry_version(current_node(L)->registry));
	lua_pushnil(L);
	return 2;
}

static int l_versions(lua_State *L)
{
	return registry_push_versions(L);
}

static int l_history(lua_State *L)
{
	struct err e;

	if (!registry_history(current_node(L)->registry)) {
		err_set(&e, ERR_INTERNAL, "history not available");
		return push_nil_and_err(L, &e);
	}
	registry_push_history(L);
	lua_pushnil(L);
	return 2;
}

static int l_apply_version(lua_State *L)
{
	uint64_t version;
	struct err e;

	if (registry_version_at(L, 1, &version, &e) < 0)
		return push_nil_and_err(L, &e);
	if (!current_allows(L, "registry.apply_version", "")) {
		err_set(&e, ERR_PERMISSION_DENIED, "registry version change is not allowed");
		return push_nil_and_denial(L, &e, "registry.apply_version", "");
	}
	return registry_go_to(L, version);
}

/* The entries of the array at idx in a handle that is pushed; what is malformed is left out. */
static struct list_handle *push_list(lua_State *L, int idx)
{
	struct list_handle *h = handle_new(L, list_type, sizeof(*h));
	int top = lua_gettop(L);
	size_t n;

	if (readonly_resolve(L, idx))
		idx = lua_gettop(L);
	n = lua_rawlen(L, idx);
	h->items = xcalloc(n + 1, sizeof(*h->items));
	for (size_t i = 1; i <= n; i++) {
		struct err e;

		lua_rawgeti(L, idx, (lua_Integer)i);
		if (registry_entry_at(L, -1, &h->items[h->count], &e) == 0)
			h->count++;
		lua_pop(L, 1);
	}
	lua_settop(L, top);
	return h;
}

static int l_build_delta(lua_State *L)
{
	struct list_handle *from, *to;

	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checktype(L, 2, LUA_TTABLE);
	from = push_list(L, 1);
	to = push_list(L, 2);
	registry_diff(from->items, from->count, to->items, to->count, &to->changes);
	registry_push_operations(L, &to->changes);
	lua_pushnil(L);
	return 2;
}

int bind_registry_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"apply_version", l_apply_version},
		{"build_delta", l_build_delta},
		{"current_version", l_current_version},
		{"find", l_find},
		{"get", l_get},
		{"history", l_history},
		{"parse_id", l_parse_id},
		{"snapshot", l_snapshot},
		{"snapshot_at", l_snapshot_at},
		{"versions", l_versions},
		{NULL, NULL},
	};

	registry_state_register(L);
	registry_change_register(L);
	handle_register(L, list_type, NULL, list_gc);
	luaL_newlib(L, functions);
	return 1;
}
