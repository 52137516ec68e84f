/*
 * time_location.c - time zones as Lua values. A zone that lives as long as the program has one Location in each heap; a fixed zone lives in its own.
 */
#include <string.h>

#include "bind/time_values.h"
#include "engine/lua_api.h"

struct location {
	const struct zone *zone; /* &own, or one that is never freed */
	struct zone own;
	char name[]; /* of `own` */
};

int location_push(lua_State *L, const struct zone *z)
{
	struct location *l;

	if (lua_rawgetp(L, LUA_REGISTRYINDEX, z) == LUA_TUSERDATA)
		return 1;
	lua_pop(L, 1);
	l = handle_new(L, LOCATION_TYPE, sizeof(*l));
	l->zone = z;
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, z);
	return 1;
}

int location_push_fixed(lua_State *L, const char *name, size_t len, int32_t offset)
{
	struct location *l = handle_new(L, LOCATION_TYPE, sizeof(*l) + len + 1);

	memcpy(l->name, name, len);
	l->own = (struct zone){.name = l->name, .offset = offset};
	l->zone = &l->own;
	return 1;
}

const struct zone *location_check(lua_State *L, int idx, bool *ret_owned)
{
	struct location *l = handle_check(L, idx, LOCATION_TYPE);

	if (ret_owned)
		*ret_owned = l->zone == &l->own;
	return l->zone;
}

static const char *check_string(lua_State *L, int idx, size_t *ret_len)
{
	if (lua_type(L, idx) != LUA_TSTRING)
		raise_argument(L, idx, lua_pushfstring(L, "string expected, got %s", luaL_typename(L, idx)));
	return lua_tolstring(L, idx, ret_len);
}

int location_l_load(lua_State *L)
{
	const struct zone *z;
	struct err e = {0};
	size_t len;
	const char *name = check_string(L, 1, &len);

	if (len == 0) {
		err_set(&e, ERR_INVALID, "empty location name");
		return push_nil_and_err(L, &e);
	}
	if (zone_load(name, len, &z, &e) < 0)
		return push_nil_and_err(L, &e);
	return location_push(L, z);
}

int location_l_fixed(lua_State *L)
{
	size_t len;
	const char *name = check_string(L, 1, &len);
	int64_t offset = whole_check(L, 2);

	if (len > ZONE_NAME_MAX || strlen(name) != len)
		return raise_argument(L, 1, "a zone's name has at most 255 bytes, none of them NUL");
	if (offset > ZONE_OFFSET_MAX || offset < -ZONE_OFFSET_MAX)
		return raise_argument(L, 2, "the offset is in seconds and less than 100 hours");
	return location_push_fixed(L, name, len, (int32_t)offset);
}

static int l_string(lua_State *L)
{
	lua_pushstring(L, location_check(L, 1, NULL)->name);
	return 1;
}

void location_register(lua_State *L)
{
	static const luaL_Reg methods[] = {{"string", l_string}, {NULL, NULL}};

	value_register(L, LOCATION_TYPE, methods, NULL, l_string);
}
