#include "bind/registry.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/denial.h"
#include "engine/readonly.h"
#include "registry/filter.h"

/* Owns what is under way while something may raise. */
static const char guard_type[] = "registry.guard";

struct guard {
	struct filter *filter;
};

static int guard_gc(lua_State *L)
{
	struct guard *g = lua_touserdata(L, 1);

	filter_free(g->filter);
	g->filter = NULL;
	return 0;
}

/* -- from entries to tables ----------------------------------------------------------------------- */

void registry_push_entry(lua_State *L, const struct entry *e)
{
	luaL_checkstack(L, 8, NULL);
	lua_createtable(L, 0, 4);
	lua_pushstring(L, e->id);
	lua_setfield(L, -2, "id");
	lua_pushstring(L, e->kind);
	lua_setfield(L, -2, "kind");
	value_push(L, e->meta);
	lua_setfield(L, -2, "meta");
	if (e->data) {
		value_push(L, e->data);
		lua_setfield(L, -2, "data");
	}
}

/* -- from tables to entries ----------------------------------------------------------------------- */

static bool is_plain(const char *text, size_t len, size_t max)
{
	return len > 0 && len <= max && strlen(text) == len;
}

const char *registry_push_id(lua_State *L, int idx, struct err *e)
{
	const char *ns = "", *name = "";
	size_t ns_len = 0, name_len = 0, len;

	if (lua_type(L, idx) == LUA_TSTRING) {
		const char *id = lua_tolstring(L, idx, &len);

		if (!is_plain(id, len, REGISTRY_ID_BYTES_MAX))
			goto fail;
		if (strchr(id, ':'))
			lua_pushvalue(L, idx);
		else
			lua_pushfstring(L, ":%s", id);
		return lua_tostring(L, -1);
	}
	if (lua_type(L, idx) != LUA_TTABLE || !field_string(L, idx, "name", &name, &name_len) ||
		!is_plain(name, name_len, REGISTRY_ID_BYTES_MAX))
		goto fail;
	field_string(L, idx, "ns", &ns, &ns_len);
	if (strlen(ns) != ns_len || ns_len + name_len >= REGISTRY_ID_BYTES_MAX || strchr(ns, ':'))
		goto fail;
	return lua_pushfstring(L, "%s:%s", ns, name);
fail:
	err_set(e, ERR_INVALID, "invalid ID format");
	return NULL;
}

static bool is_shallow(const struct value *v, unsigned depth)
{
	if (depth == 0)
		return false;
	for (size_t i = 0; i < value_count(v); i++) {
		const struct value *item = value_type(v) == VALUE_LIST ? value_at(v, i) : value_pair(v, i, NULL, NULL);

		if (!is_shallow(item, depth - 1))
			return false;
	}
	return true;
}

/* A field of the table at idx as data; *ret stays NULL when it is absent. */
static int read_tree(lua_State *L, int idx, const char *field, struct value **ret, struct err *e)
{
	struct value *v;
	int rc = 0;

	if (lua_getfield(L, idx, field) != LUA_TNIL) {
		rc = value_from_lua(L, -1, &v, e);
		if (rc == 0 && !is_shallow(v, REGISTRY_DEPTH_MAX)) {
			value_unref(v);
			rc = err_set(e, ERR_INVALID, "nested too deeply: more than %d levels", REGISTRY_DEPTH_MAX);
		}
		if (rc == 0)
			*ret = v;
	}
	lua_pop(L, 1);
	return rc < 0 ? err_prefix(e, "field '%s'", field) : 0;
}

/* Where a map has to be: an empty table is one. */
static struct value *as_map(struct value *v)
{
	if (value_type(v) != VALUE_LIST || value_count(v) > 0)
		return v;
	value_unref(v);
	return value_map();
}

int registry_entry_at(lua_State *L, int idx, struct entry **ret, struct err *e)
{
	struct value *meta = NULL, *data = NULL;
	const char *kind = "", *id = NULL;
	size_t kind_len = 0;
	int top = lua_gettop(L);

	idx = lua_absindex(L, idx);
	if (lua_type(L, idx) == LUA_TTABLE) {
		lua_getfield(L, idx, "id");
		id = registry_push_id(L, -1, e);
	}
	if (!id) {
		lua_settop(L, top);
		return err_set(e, ERR_INVALID, "entry must have valid id field");
	}
	if (!field_string(L, idx, "kind", &kind, &kind_len) || !is_plain(kind, kind_len, REGISTRY_KIND_BYTES_MAX)) {
		lua_settop(L, top);
		return err_set(e, ERR_INVALID, "entry must have kind field");
	}
	if (read_tree(L, idx, "meta", &meta, e) < 0 || read_tree(L, idx, "data", &data, e) < 0) {
		value_unref(meta);
		lua_settop(L, top);
		return -1;
	}
	meta = as_map(meta);
	if (meta && value_type(meta) != VALUE_MAP) {
		value_unref(meta);
		value_unref(data);
		lua_settop(L, top);
		return err_set(e, ERR_INVALID, "field 'meta': expected a table with text keys");
	}
	*ret = entry_new(id, kind, meta, as_map(data));
	lua_settop(L, top);
	return 0;
}

/* `v` with an empty list made a map where `was` has one. */
static struct value *like(const struct value *v, const struct value *was)
{
	struct value *copy;

	if (value_type(v) == VALUE_LIST && value_count(v) == 0 && value_type(was) == VALUE_MAP)
		return value_map();
	if (value_type(v) != VALUE_MAP || value_type(was) != VALUE_MAP)
		return value_ref((struct value *)(uintptr_t)v);
	copy = value_map();
	for (size_t i = 0; i < value_count(v); i++) {
		const char *key;
		const struct value *item = value_pair(v, i, &key, NULL);

		value_map_set(copy, key, like(item, value_get(was, key)));
	}
	return copy;
}

struct entry *registry_entry_like(struct entry *e, const struct entry *was)
{
	if (!was)
		return entry_ref(e);
	return entry_new(e->id, e->kind, like(e->meta, was->meta), e->data ? like(e->data, was->data) : NULL);
}

/* -- looking -------------------------------------------------------------------------------------- */

static void add_criteria(lua_State *L, int idx, struct filter *f, bool below)
{
	luaL_checkstack(L, 8, NULL);
	if (readonly_resolve(L, idx))
		idx = lua_gettop(L);
	lua_pushnil(L);
	while (lua_next(L, idx)) {
		struct value *v;
		struct err e;

		if (lua_type(L, -2) == LUA_TSTRING && !below && lua_type(L, -1) == LUA_TTABLE &&
			strcmp(lua_tostring(L, -2), "meta") == 0) {
			add_criteria(L, lua_gettop(L), f, true);
		} else if (lua_type(L, -2) == LUA_TSTRING && value_from_lua(L, -1, &v, &e) == 0) {
			filter_add(f, lua_tostring(L, -2), v);
			value_unref(v);
		}
		lua_pop(L, 1);
	}
}

static bool may_see(lua_State *L, bool free, const char *id)
{
	return free || current_allows(L, "registry.get", id);
}

void registry_push_entries(lua_State *L, const struct snapshot *s, const char *ns, int filter_idx)
{
	bool free = frame_is_free(current_node(L), current_frame(L));
	struct guard *g;
	lua_Integer n = 0;

	handle_register(L, guard_type, NULL, guard_gc);
	g = handle_new(L, guard_type, sizeof(*g));
	if (filter_idx) {
		int top = lua_gettop(L);

		g->filter = filter_new();
		add_criteria(L, filter_idx, g->filter, false);
		lua_settop(L, top);
	}
	lua_newtable(L);
	for (size_t i = 0; i < snapshot_count(s); i++) {
		const struct entry *e = snapshot_at(s, i);

		if ((ns && strcmp(e->ns, ns) != 0) || (g->filter && !filter_matches(g->filter, e)) ||
			!may_see(L, free, e->id))
			continue;
		registry_push_entry(L, e);
		lua_rawseti(L, -2, ++n);
	}
	filter_free(g->filter);
	g->filter = NULL;
}

int registry_push_one(lua_State *L, const struct snapshot *s, const char *id)
{
	const struct entry *found = snapshot_get(s, id);
	struct err e;

	if (!current_allows(L, "registry.get", id)) {
		err_set(&e, ERR_PERMISSION_DENIED, "not allowed to access entry: %.256s", id);
		return push_nil_and_denial(L, &e, "registry.get", id);
	}
	if (!found) {
		err_set(&e, ERR_NOT_FOUND, "entry not found: %.256s", id);
		return push_nil_and_err(L, &e);
	}
	registry_push_entry(L, found);
	lua_pushnil(L);
	return 2;
}
