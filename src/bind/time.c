/*
 * time.c - the `time` module: what lies in its table. Values are in time_value.c, time_duration.c, time_location.c, timers in time_timer.c.
 */
#include "base/alloc.h"
#include "bind/modules.h"
#include "bind/time_calendar.h"
#include "bind/time_values.h"
#include "engine/lua_api.h"

int64_t whole_check(lua_State *L, int idx)
{
	lua_Number n;

	if (lua_type(L, idx) != LUA_TNUMBER)
		raise_argument(L, idx, lua_pushfstring(L, "number expected, got %s", luaL_typename(L, idx)));
	if (lua_isinteger(L, idx))
		return lua_tointeger(L, idx);
	n = lua_tonumber(L, idx);
	if (!(n > -0x1p63 && n < 0x1p63))
		raise_argument(L, idx, "number is out of range");
	return (int64_t)n;
}

void value_register(lua_State *L, const char *type, const luaL_Reg *methods, lua_CFunction gc, lua_CFunction tostring)
{
	handle_register(L, type, methods, gc);
	luaL_getmetatable(L, type);
	lua_pushcfunction(L, tostring);
	lua_setfield(L, -2, "__tostring");
	lua_pop(L, 1);
}

static int l_now(lua_State *L)
{
	struct time_value v = time_now();

	time_push(L, &v);
	return 1;
}

static int l_unix(lua_State *L)
{
	struct calendar_sum s = {
		.year = 1970, .month = 1, .day = 1, .second = whole_check(L, 1), .nanosecond = whole_check(L, 2)};
	struct time_value v = {.zone = zone_local()};

	if (!calendar_to_seconds(&s, &v.seconds, &v.nanosecond))
		return raise_argument(L, 1, "time is out of range");
	time_push(L, &v);
	return 1;
}

static int l_date(lua_State *L)
{
	struct calendar_sum s = {
		.year = whole_check(L, 1),
		.month = whole_check(L, 2),
		.day = whole_check(L, 3),
		.hour = whole_check(L, 4),
		.minute = whole_check(L, 5),
		.second = whole_check(L, 6),
		.nanosecond = whole_check(L, 7),
	};

	if (lua_isnoneornil(L, 8))
		return time_push_clock(L, &s, 0);
	location_check(L, 8, NULL);
	return time_push_clock(L, &s, 8);
}

/* -- constants ----------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	lua_Integer value;
} numbers[] = {
	{"NANOSECOND", 1},
	{"MICROSECOND", 1000},
	{"MILLISECOND", 1000000},
	{"SECOND", 1000000000},
	{"MINUTE", 60000000000},
	{"HOUR", 3600000000000},
	{"JANUARY", 1},
	{"FEBRUARY", 2},
	{"MARCH", 3},
	{"APRIL", 4},
	{"MAY", 5},
	{"JUNE", 6},
	{"JULY", 7},
	{"AUGUST", 8},
	{"SEPTEMBER", 9},
	{"OCTOBER", 10},
	{"NOVEMBER", 11},
	{"DECEMBER", 12},
	{"SUNDAY", 0},
	{"MONDAY", 1},
	{"TUESDAY", 2},
	{"WEDNESDAY", 3},
	{"THURSDAY", 4},
	{"FRIDAY", 5},
	{"SATURDAY", 6},
};

static const struct {
	const char *name;
	const char *layout;
} layouts[] = {
	{"RFC3339", "2006-01-02T15:04:05Z07:00"},
	{"RFC3339NANO", "2006-01-02T15:04:05.999999999Z07:00"},
	{"RFC822", "02 Jan 06 15:04 MST"},
	{"RFC822Z", "02 Jan 06 15:04 -0700"},
	{"RFC850", "Monday, 02-Jan-06 15:04:05 MST"},
	{"RFC1123", "Mon, 02 Jan 2006 15:04:05 MST"},
	{"RFC1123Z", "Mon, 02 Jan 2006 15:04:05 -0700"},
	{"KITCHEN", "3:04PM"},
	{"STAMP", "Jan _2 15:04:05"},
	{"STAMP_MILLI", "Jan _2 15:04:05.000"},
	{"STAMP_MICRO", "Jan _2 15:04:05.000000"},
	{"STAMP_NANO", "Jan _2 15:04:05.000000000"},
	{"DATE_TIME", "2006-01-02 15:04:05"},
	{"DATE_ONLY", "2006-01-02"},
	{"TIME_ONLY", "15:04:05"},
};

int bind_time_open(struct lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"after", timer_l_after},
		{"date", l_date},
		{"fixed_zone", location_l_fixed},
		{"load_location", location_l_load},
		{"now", l_now},
		{"parse", time_l_parse},
		{"parse_duration", duration_l_parse},
		{"sleep", timer_l_sleep},
		{"ticker", timer_l_ticker},
		{"timer", timer_l_timer},
		{"unix", l_unix},
		{NULL, NULL},
	};

	location_register(L);
	duration_register(L);
	time_value_register(L);
	timer_register(L);
	luaL_newlib(L, functions);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		lua_pushinteger(L, numbers[i].value);
		lua_setfield(L, -2, numbers[i].name);
	}
	for (size_t i = 0; i < ARRAY_LEN(layouts); i++) {
		lua_pushstring(L, layouts[i].layout);
		lua_setfield(L, -2, layouts[i].name);
	}
	location_push(L, &zone_utc);
	lua_setfield(L, -2, "utc");
	location_push(L, zone_local());
	lua_setfield(L, -2, "localtz");
	return 1;
}
