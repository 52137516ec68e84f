/*
 * lua_value.c - Lua values from and to data trees.
 */
#include "base/alloc.h"
#include "base/number.h"
#include "engine/lua_api.h"
#include "engine/readonly.h"

void value_push(lua_State *L, const struct value *v)
{
	const struct value *item;
	const char *key;
	const char *s;
	size_t n, len;

	luaL_checkstack(L, 4, "a value is nested too deeply");
	switch (value_type(v)) {
	case VALUE_NIL:
		lua_pushnil(L);
		return;
	case VALUE_BOOL:
		lua_pushboolean(L, value_get_bool(v));
		return;
	case VALUE_INT:
		lua_pushinteger(L, value_get_int(v));
		return;
	case VALUE_FLOAT:
		lua_pushnumber(L, value_get_float(v));
		return;
	case VALUE_STRING:
		s = value_get_string(v, &len);
		lua_pushlstring(L, s, len);
		return;
	case VALUE_LIST:
		n = value_count(v);
		lua_createtable(L, (int)n, 0);
		for (size_t i = 0; i < n; i++) {
			value_push(L, value_at(v, i));
			lua_rawseti(L, -2, (lua_Integer)i + 1);
		}
		return;
	case VALUE_MAP:
		n = value_count(v);
		lua_createtable(L, 0, (int)n);
		for (size_t i = 0; i < n; i++) {
			item = value_pair(v, i, &key, NULL);
			lua_pushstring(L, key);
			value_push(L, item);
			lua_rawset(L, -3);
		}
		return;
	}
	lua_pushnil(L);
}

/* -- from Lua ------------------------------------------------------------------------------------------ */

/* Trees have no cycles; the tables being read are the ones on the way down. */
struct path {
	const struct path *up;
	const void *table;
	unsigned depth;
};

static int from_lua(lua_State *L, int idx, const struct path *up, struct value **ret, struct err *e);

static int from_sequence(
	lua_State *L, int idx, lua_Integer n, const struct path *path, struct value **ret, struct err *e)
{
	struct value *list = value_list(), *item;

	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, idx, i);
		if (from_lua(L, lua_gettop(L), path, &item, e) < 0) {
			value_unref(list);
			return -1;
		}
		value_list_append(list, item);
		lua_pop(L, 1);
	}
	*ret = list;
	return 0;
}

/* The text of the key at idx; NULL when it has none. Writes into `number` if it must; converting in place would confuse lua_next(). */
static const char *key_text(lua_State *L, int idx, char number[static NUMBER_TEXT_MAX])
{
	switch (lua_type(L, idx)) {
	case LUA_TSTRING:
		return lua_tostring(L, idx);
	case LUA_TNUMBER:
		if (lua_isinteger(L, idx))
			number_format_int(lua_tointeger(L, idx), number);
		else
			number_format_float(lua_tonumber(L, idx), number);
		return number;
	case LUA_TBOOLEAN:
		return lua_toboolean(L, idx) ? "true" : "false";
	default:
		return NULL;
	}
}

static int from_pairs(lua_State *L, int idx, const struct path *path, struct value **ret, struct err *e)
{
	struct value *map = value_map(), *item;
	char number[NUMBER_TEXT_MAX];
	const char *key;

	lua_pushnil(L);
	while (lua_next(L, idx)) {
		key = key_text(L, -2, number);
		if (key) {
			if (from_lua(L, lua_gettop(L), path, &item, e) < 0) {
				value_unref(map);
				return -1;
			}
			value_map_set(map, key, item);
		}
		lua_pop(L, 1);
	}
	*ret = map;
	return 0;
}

/* Does the table hold the keys 1..n and nothing else? */
static bool is_sequence(lua_State *L, int idx, lua_Integer n)
{
	lua_Integer count = 0;

	lua_pushnil(L);
	while (lua_next(L, idx)) {
		lua_pop(L, 1);
		if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 1 || lua_tointeger(L, -1) > n) {
			lua_pop(L, 1);
			return false;
		}
		count++;
	}
	return count == n;
}

static int from_table(lua_State *L, int idx, const struct path *up, struct value **ret, struct err *e)
{
	struct path path = {.up = up, .depth = up ? up->depth + 1 : 1};
	int top = lua_gettop(L);
	lua_Integer n;
	int rc;

	if (path.depth > PACKED_DEPTH_MAX || !lua_checkstack(L, 8))
		return err_set(e, ERR_INVALID, "the value is nested too deeply: more than %d levels", PACKED_DEPTH_MAX);
	if (readonly_resolve(L, idx))
		idx = lua_gettop(L);
	path.table = lua_topointer(L, idx);
	for (const struct path *p = up; p; p = p->up) {
		if (p->table == path.table)
			return err_set(e, ERR_INVALID, "the value contains itself");
	}
	n = (lua_Integer)lua_rawlen(L, idx);
	rc = is_sequence(L, idx, n) ? from_sequence(L, idx, n, &path, ret, e) : from_pairs(L, idx, &path, ret, e);
	lua_settop(L, top);
	return rc;
}

static int from_lua(lua_State *L, int idx, const struct path *up, struct value **ret, struct err *e)
{
	struct failure *f;
	const char *s;
	size_t len;

	switch (lua_type(L, idx)) {
	case LUA_TBOOLEAN:
		*ret = value_bool(lua_toboolean(L, idx));
		return 0;
	case LUA_TNUMBER:
		*ret = lua_isinteger(L, idx) ? value_int(lua_tointeger(L, idx)) : value_float(lua_tonumber(L, idx));
		return 0;
	case LUA_TSTRING:
		s = lua_tolstring(L, idx, &len);
		*ret = value_string(s, len);
		return 0;
	case LUA_TTABLE:
		return from_table(L, idx, up, ret, e);
	case LUA_TUSERDATA:
		f = failure_at(L, idx);
		*ret = f ? value_string(f->message, f->message_len) : value_nil();
		return 0;
	default:
		*ret = value_nil();
		return 0;
	}
}

int value_from_lua(lua_State *L, int idx, struct value **ret, struct err *e)
{
	int top = lua_gettop(L);
	int rc;

	if (!lua_checkstack(L, 8))
		return err_set(e, ERR_INVALID, "the stack is full");
	rc = from_lua(L, lua_absindex(L, idx), NULL, ret, e);
	lua_settop(L, top);
	return rc;
}
