/*
 * edge.c - what process.with_* and funcs.with_* have in common: context values, options, the choice of a network.
 */
#include <string.h>

#include "bind/process.h"

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
		const char *text;
		size_t len;

		if (lua_type(L, -2) != LUA_TSTRING)
			continue;
		switch (lua_type(L, -1)) {
		case LUA_TFUNCTION:
		case LUA_TUSERDATA:
		case LUA_TTHREAD:
			/* They cannot travel: their text does. */
			text = push_text(L, -1, false, &len);
			v = value_string(text, len);
			lua_pop(L, 1);
			break;
		default:
			if (value_from_lua(L, -1, &v, e) < 0) {
				lua_pop(L, 2);
				goto out;
			}
			break;
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
	const struct value *v = value_get(options, "network");

	return value_type(v) == VALUE_STRING ? value_get_string(v, NULL) : NULL;
}

int network_select_allowed(lua_State *L, const char *network, struct err *e)
{
	/* To drop an inherited overlay is a choice about that one. */
	const char *judged = *network ? network : current_frame(L)->overlay;

	if (*judged && !current_allows(L, "network.select", judged))
		return err_set(e, ERR_PERMISSION_DENIED, "not allowed: network %.256s", judged);
	return 0;
}
