/*
 * lua_text.c - the text of values, as the dialect prints them.
 */
#include "base/number.h"
#include "engine/lua_api.h"
#include "engine/state.h"

static const char *push_number(lua_State *L, int idx, size_t *ret_len)
{
	char text[NUMBER_TEXT_MAX];
	size_t len;

	if (lua_isinteger(L, idx))
		len = number_format_int(lua_tointeger(L, idx), text);
	else
		len = number_format_float(lua_tonumber(L, idx), text);
	if (ret_len)
		*ret_len = len;
	return lua_pushlstring(L, text, len);
}

const char *push_text(lua_State *L, int idx, bool metamethods, size_t *ret_len)
{
	struct failure *f;

	idx = lua_absindex(L, idx);
	switch (lua_type(L, idx)) {
	case LUA_TNUMBER:
		return push_number(L, idx, ret_len);
	case LUA_TSTRING:
		lua_pushvalue(L, idx);
		return lua_tolstring(L, -1, ret_len);
	case LUA_TUSERDATA:
		f = failure_at(L, idx);
		if (f) {
			if (ret_len)
				*ret_len = f->message_len;
			return lua_pushlstring(L, f->message, f->message_len);
		}
		break;
	default:
		break;
	}
	if (metamethods && luaL_callmeta(L, idx, "__tostring")) {
		if (!lua_isstring(L, -1))
			luaL_error(L, "'__tostring' must return a string");
		return lua_tolstring(L, -1, ret_len);
	}
	switch (lua_type(L, idx)) {
	case LUA_TNONE:
	case LUA_TNIL:
		lua_pushliteral(L, "nil");
		break;
	case LUA_TBOOLEAN:
		lua_pushstring(L, lua_toboolean(L, idx) ? "true" : "false");
		break;
	default:
		lua_pushfstring(L, "%s: %p", luaL_typename(L, idx), lua_topointer(L, idx));
		break;
	}
	return lua_tolstring(L, -1, ret_len);
}

int text_as(lua_State *L)
{
	if (lua_type(L, 1) == LUA_TNUMBER && !lua_isinteger(L, 1))
		push_number(L, 1, NULL);
	else
		lua_settop(L, 1);
	return 1;
}
