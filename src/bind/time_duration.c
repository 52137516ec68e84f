/*
 * time_duration.c - lengths of time as Lua values. The userdata is one int64_t of nanoseconds, which duration_from_lua() reads, too.
 */
#include "base/duration.h"

#include "bind/time_values.h"
#include "engine/lua_api.h"

int duration_push(lua_State *L, int64_t ns)
{
	int64_t *d = handle_new(L, DURATION_TYPE, sizeof(*d));

	*d = ns;
	return 1;
}

int64_t duration_check(lua_State *L, int idx)
{
	struct err e = {0};
	int64_t ns = 0;

	if (duration_from_lua(L, idx, &ns, &e) < 0)
		raise_argument(L, idx, lua_pushstring(L, e.text));
	return ns;
}

int duration_l_parse(lua_State *L)
{
	struct err e = {0};
	int64_t ns;
	int type = lua_type(L, 1);

	if (type == LUA_TUSERDATA && !luaL_testudata(L, 1, DURATION_TYPE)) {
		err_set(&e, ERR_INVALID, "invalid duration type");
		return push_nil_and_err(L, &e);
	}
	if (type != LUA_TUSERDATA && type != LUA_TNUMBER && type != LUA_TSTRING) {
		err_set(&e, ERR_INVALID, "invalid value type");
		return push_nil_and_err(L, &e);
	}
	if (duration_from_lua(L, 1, &ns, &e) < 0)
		return push_nil_and_err(L, &e);
	return duration_push(L, ns);
}

static int64_t self(lua_State *L)
{
	return *(int64_t *)handle_check(L, 1, DURATION_TYPE);
}

static int push_whole(lua_State *L, int64_t unit)
{
	lua_pushinteger(L, self(L) / unit);
	return 1;
}

/* The whole part apart: a float holds all of it, while it would not hold all nanoseconds. */
static int push_part(lua_State *L, int64_t unit)
{
	int64_t ns = self(L), whole = ns / unit;

	lua_pushnumber(L, (lua_Number)whole + (lua_Number)(ns % unit) / (lua_Number)unit);
	return 1;
}

static int l_nanoseconds(lua_State *L)
{
	return push_whole(L, 1);
}

static int l_microseconds(lua_State *L)
{
	return push_whole(L, 1000);
}

static int l_milliseconds(lua_State *L)
{
	return push_whole(L, 1000000);
}

static int l_seconds(lua_State *L)
{
	return push_part(L, 1000000000);
}

static int l_minutes(lua_State *L)
{
	return push_part(L, 60000000000);
}

static int l_hours(lua_State *L)
{
	return push_part(L, 3600000000000);
}

static int l_tostring(lua_State *L)
{
	char text[DURATION_TEXT_MAX];

	lua_pushstring(L, duration_format(self(L), text));
	return 1;
}

void duration_register(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"hours", l_hours},
		{"microseconds", l_microseconds},
		{"milliseconds", l_milliseconds},
		{"minutes", l_minutes},
		{"nanoseconds", l_nanoseconds},
		{"seconds", l_seconds},
		{NULL, NULL},
	};

	value_register(L, DURATION_TYPE, methods, NULL, l_tostring);
}
