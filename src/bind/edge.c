/*
 * edge.c - what process.with_* and funcs.with_* have in common: context values, options, the choice of a network.
 */
#include <string.h>

#include "bind/process.h"

enum { CONTEXT_DEPTH_MAX = 100 };

/* A context value: a table with any positive integer key is an array, its other keys are dropped; what cannot travel becomes its text. The value
 * is on top of L and stays. */
static int context_value(lua_State *L, unsigned depth, struct value **ret, struct err *e)
{
	struct value *v, *item;
	const char *text;
	bool is_list = false;
	lua_Integer n = 0;
	size_t len;

	switch (lua_type(L, -1)) {
	case LUA_TFUNCTION:
	case LUA_TUSERDATA:
	case LUA_TTHREAD:
		text = push_text(L, -1, false, &len);
		*ret = value_string(text, len);
		lua_pop(L, 1);
		return 0;
	case LUA_TTABLE:
		break;
	default:
		return value_from_lua(L, -1, ret, e);
	}
	if (depth >= CONTEXT_DEPTH_MAX || !lua_checkstack(L, 8))
		return err_set(e, ERR_INVALID, "context value is nested too deeply");
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
		is_list |= lua_isinteger(L, -2) && lua_tointeger(L, -2) > 0;
	v = is_list ? value_list() : value_map();
	if (is_list) {
		while (lua_rawgeti(L, -1, ++n) != LUA_TNIL) {
			if (context_value(L, depth + 1, &item, e) < 0)
				goto fail;
			value_list_append(v, item);
			lua_pop(L, 1);
		}
		lua_pop(L, 1);
		*ret = v;
		return 0;
	}
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			continue;
		if (context_value(L, depth + 1, &item, e) < 0) {
			lua_pop(L, 1);
			goto fail;
		}
		value_map_set(v, lua_tostring(L, -2), item);
	}
	*ret = v;
	return 0;
fail:
	lua_pop(L, 1);
	value_unref(v);
	return -1;
}

int context_from_lua(lua_State *L, int idx, const struct value *base, struct value **ret, struct err *e)
{
	struct value *map = value_map();
	int rc = -1;

	idx = lua_absindex(L, idx);
	for (size_t i = 0; i < value_count(base); i++) {
		const char *key;
		const struct value *v = value_pair(base, i, &key, NULL);

		value_map_set(map, key, value_ref((struct value *)(uintptr_t)v));
	}
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
		struct value *v;

		if (lua_type(L, -2) != LUA_TSTRING)
			continue;
		if (context_value(L, 0, &v, e) < 0) {
			lua_pop(L, 2);
			goto out;
		}
		value_map_set(map, lua_tostring(L, -2), v);
	}
	*ret = map;
	map = NULL;
	rc = 0;
out:
	value_unref(map);
	return rc;
}

int options_from_lua(lua_State *L, int idx, struct value **ret, struct err *e)
{
	struct value *v;

	if (value_from_lua(L, idx, &v, e) < 0)
		return -1;
	/* An empty table counts as a list. */
	if (value_type(v) != VALUE_MAP) {
		value_unref(v);
		v = value_map();
	}
	*ret = v;
	return 0;
}

const char *options_network(const struct value *options)
{
	return value_text(value_get(options, "network"), NULL);
}

/* To drop an inherited overlay is a choice about that one. */
const char *network_selected(lua_State *L, const char *network)
{
	return *network ? network : current_frame(L)->overlay;
}

int network_select_allowed(lua_State *L, const char *network, struct err *e)
{
	const char *judged = network_selected(L, network);

	if (*judged && !current_allows(L, "network.select", judged))
		return err_set(e, ERR_PERMISSION_DENIED, "not allowed: network %.256s", judged);
	return 0;
}
