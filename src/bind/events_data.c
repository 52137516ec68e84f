#include "bind/events_data.h"

#include "engine/lua_api.h"
#include "engine/readonly.h"

/* Stack slot of the table from tables met to their copies: what is shared or goes round in a circle is copied once. */
struct conversion {
	int copies;
	struct err *e;
};

static int push_copy(lua_State *L, const struct conversion *c, int idx, unsigned depth);

/* A positive integer key decides: then only those count. */
static bool is_array(lua_State *L, int idx)
{
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
		if (lua_isinteger(L, -2) && lua_tointeger(L, -2) > 0) {
			lua_pop(L, 2);
			return true;
		}
	}
	return false;
}

/* From the table at `from` into the one at `to`; holes stay holes. */
static int copy_array(lua_State *L, const struct conversion *c, int from, int to, unsigned depth)
{
	lua_pushnil(L);
	while (lua_next(L, from)) {
		int value = lua_gettop(L);

		if (lua_isinteger(L, value - 1) && lua_tointeger(L, value - 1) > 0) {
			if (push_copy(L, c, value, depth) < 0)
				return -1;
			lua_rawseti(L, to, lua_tointeger(L, value - 1));
		}
		lua_settop(L, value - 1);
	}
	return 0;
}

static int copy_map(lua_State *L, const struct conversion *c, int from, int to, unsigned depth)
{
	lua_pushnil(L);
	while (lua_next(L, from)) {
		int value = lua_gettop(L);

		/* A key that is no string becomes its text; tables and functions have none that means anything. */
		switch (lua_type(L, value - 1)) {
		case LUA_TSTRING:
		case LUA_TNUMBER:
		case LUA_TBOOLEAN:
			push_text(L, value - 1, false, NULL);
			if (push_copy(L, c, value, depth) < 0)
				return -1;
			lua_rawset(L, to);
			break;
		default:
			break;
		}
		lua_settop(L, value - 1);
	}
	return 0;
}

static int push_table(lua_State *L, const struct conversion *c, int idx, unsigned depth)
{
	int top = lua_gettop(L), to, from = idx;
	int rc;

	if (depth >= PACKED_DEPTH_MAX || !lua_checkstack(L, 12))
		return err_set(
			c->e, ERR_INVALID, "the data is nested too deeply: more than %d levels", PACKED_DEPTH_MAX);
	lua_pushvalue(L, idx);
	if (lua_rawget(L, c->copies) == LUA_TTABLE)
		return 0;
	lua_pop(L, 1);
	lua_newtable(L);
	to = lua_gettop(L);
	lua_pushvalue(L, idx);
	lua_pushvalue(L, to);
	lua_rawset(L, c->copies);
	if (readonly_resolve(L, idx))
		from = lua_gettop(L);
	rc = is_array(L, from) ? copy_array(L, c, from, to, depth + 1) : copy_map(L, c, from, to, depth + 1);
	lua_settop(L, rc < 0 ? top : to);
	return rc;
}

static int push_copy(lua_State *L, const struct conversion *c, int idx, unsigned depth)
{
	switch (lua_type(L, idx)) {
	case LUA_TNIL:
	case LUA_TBOOLEAN:
	case LUA_TNUMBER:
	case LUA_TSTRING:
		lua_pushvalue(L, idx);
		return 0;
	case LUA_TTABLE:
		return push_table(L, c, idx, depth);
	default:
		push_text(L, idx, lua_type(L, idx) == LUA_TUSERDATA, NULL);
		return 0;
	}
}

int events_data_push(lua_State *L, int idx, struct err *e)
{
	struct conversion c = {.e = e};
	int top = lua_gettop(L);

	idx = lua_absindex(L, idx);
	luaL_checkstack(L, 8, "event data");
	if (lua_type(L, idx) != LUA_TTABLE)
		return push_copy(L, &c, idx, 0);
	lua_newtable(L);
	c.copies = lua_gettop(L);
	if (push_copy(L, &c, idx, 0) < 0) {
		lua_settop(L, top);
		return -1;
	}
	lua_replace(L, c.copies);
	lua_settop(L, c.copies);
	return 0;
}
