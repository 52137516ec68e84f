/*
 * lib_os.c - the `os` library: clock and calendar, nothing of the system.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "engine/lua_api.h"
#include "engine/state.h"
#include "loop/loop.h"

enum { DATE_FIELD_MAX = 1000000000 };

static uint64_t started_ns;

/* Before main(), so that every worker counts from the same moment. */
__attribute__((constructor)) static void note_start(void)
{
	started_ns = loop_clock_ns();
}

/* -- time ---------------------------------------------------------------------------------------------- */

static int time_field(lua_State *L, const char *name, int absent)
{
	lua_Integer i;
	int ok;

	lua_getfield(L, 1, name);
	i = lua_tointegerx(L, -1, &ok);
	if (!ok && lua_isnumber(L, -1)) {
		i = (lua_Integer)lua_tonumber(L, -1);
		ok = 1;
	}
	if (!ok && !lua_isnil(L, -1))
		return luaL_error(L, "field '%s' is not a number", name);
	lua_pop(L, 1);
	if (!ok)
		return absent;
	if (i < -DATE_FIELD_MAX || i > DATE_FIELD_MAX)
		return luaL_error(L, "field '%s' is out of range", name);
	return (int)i;
}

static int l_time(lua_State *L)
{
	time_t now = time(NULL);
	struct tm tm, t = {0};

	if (lua_isnoneornil(L, 1)) {
		lua_pushinteger(L, now);
		return 1;
	}
	if (!lua_istable(L, 1))
		return raise_argument(L, 1, lua_pushfstring(L, "table expected, got %s", luaL_typename(L, 1)));
	localtime_r(&now, &tm);
	t.tm_year = time_field(L, "year", tm.tm_year + 1900) - 1900;
	t.tm_mon = time_field(L, "month", tm.tm_mon + 1) - 1;
	t.tm_mday = time_field(L, "day", tm.tm_mday);
	t.tm_hour = time_field(L, "hour", 0);
	t.tm_min = time_field(L, "min", 0);
	t.tm_sec = time_field(L, "sec", 0);
	t.tm_isdst = -1;
	lua_pushinteger(L, mktime(&t));
	return 1;
}

/* -- date ---------------------------------------------------------------------------------------------- */

/* The part of strftime() that is the dialect's; 'E', 'O' and the others are not. Names are English whatever the locale is. */
static void add_specifier(luaL_Buffer *b, char c, const struct tm *tm)
{
	static const char *const days[] = {
		"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
	static const char *const months[] = {"January", "February", "March", "April", "May", "June", "July", "August",
		"September", "October", "November", "December"};
	int hour12 = tm->tm_hour % 12 == 0 ? 12 : tm->tm_hour % 12;
	char text[80];

	switch (c) {
	case 'a':
		snprintf(text, sizeof(text), "%.3s", days[tm->tm_wday]);
		break;
	case 'A':
		snprintf(text, sizeof(text), "%s", days[tm->tm_wday]);
		break;
	case 'b':
		snprintf(text, sizeof(text), "%.3s", months[tm->tm_mon]);
		break;
	case 'B':
		snprintf(text, sizeof(text), "%s", months[tm->tm_mon]);
		break;
	case 'c':
		snprintf(text, sizeof(text), "%.3s %.3s %2d %02d:%02d:%02d %d", days[tm->tm_wday], months[tm->tm_mon],
			tm->tm_mday, tm->tm_hour, tm->tm_min, tm->tm_sec, tm->tm_year + 1900);
		break;
	case 'd':
		snprintf(text, sizeof(text), "%02d", tm->tm_mday);
		break;
	case 'H':
		snprintf(text, sizeof(text), "%02d", tm->tm_hour);
		break;
	case 'I':
		snprintf(text, sizeof(text), "%02d", hour12);
		break;
	case 'j':
		snprintf(text, sizeof(text), "%03d", tm->tm_yday + 1);
		break;
	case 'm':
		snprintf(text, sizeof(text), "%02d", tm->tm_mon + 1);
		break;
	case 'M':
		snprintf(text, sizeof(text), "%02d", tm->tm_min);
		break;
	case 'p':
		snprintf(text, sizeof(text), "%s", tm->tm_hour < 12 ? "AM" : "PM");
		break;
	case 'S':
		snprintf(text, sizeof(text), "%02d", tm->tm_sec);
		break;
	case 'U':
	case 'W':
		strftime(text, sizeof(text), "%V", tm);
		break;
	case 'w':
		snprintf(text, sizeof(text), "%d", tm->tm_wday);
		break;
	case 'x':
		snprintf(text, sizeof(text), "%02d/%02d/%02d", tm->tm_mon + 1, tm->tm_mday, (tm->tm_year + 1900) % 100);
		break;
	case 'X':
		snprintf(text, sizeof(text), "%02d:%02d:%02d", tm->tm_hour, tm->tm_min, tm->tm_sec);
		break;
	case 'y':
		snprintf(text, sizeof(text), "%02d", (tm->tm_year + 1900) % 100);
		break;
	case 'Y':
		snprintf(text, sizeof(text), "%d", tm->tm_year + 1900);
		break;
	case 'z':
		strftime(text, sizeof(text), "%z", tm);
		break;
	case 'Z':
		strftime(text, sizeof(text), "%Z", tm);
		/* What the C library calls Greenwich is meant to be UTC. */
		if (tm->tm_gmtoff == 0 && strcmp(text, "GMT") == 0)
			snprintf(text, sizeof(text), "UTC");
		break;
	case '%':
		snprintf(text, sizeof(text), "%%");
		break;
	default:
		snprintf(text, sizeof(text), "%%%c", c);
		break;
	}
	luaL_addstring(b, text);
}

static int push_fields(lua_State *L, const struct tm *tm)
{
	const struct {
		const char *name;
		int value;
	} fields[] = {
		{"year", tm->tm_year + 1900},
		{"month", tm->tm_mon + 1},
		{"day", tm->tm_mday},
		{"hour", tm->tm_hour},
		{"min", tm->tm_min},
		{"sec", tm->tm_sec},
		{"wday", tm->tm_wday + 1},
		{"yday", tm->tm_yday + 1},
	};

	lua_createtable(L, 0, 9);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		lua_pushinteger(L, fields[i].value);
		lua_setfield(L, -2, fields[i].name);
	}
	lua_pushboolean(L, tm->tm_gmtoff != 0);
	lua_setfield(L, -2, "isdst");
	return 1;
}

static int l_date(lua_State *L)
{
	const char *format = luaL_optstring(L, 1, "%c");
	time_t t = lua_isnoneornil(L, 2) ? time(NULL) : (time_t)luaL_checknumber(L, 2);
	luaL_Buffer b;
	struct tm tm;
	bool utc = *format == '!';

	format += utc;
	if (!(utc ? gmtime_r(&t, &tm) : localtime_r(&t, &tm)))
		return raise_argument(L, 2, "time out of range");
	if (strncmp(format, "*t", 2) == 0)
		return push_fields(L, &tm);
	luaL_buffinit(L, &b);
	for (; *format; format++) {
		if (*format != '%' || !format[1])
			luaL_addchar(&b, *format);
		else
			add_specifier(&b, *++format, &tm);
	}
	luaL_pushresult(&b);
	return 1;
}

static int l_clock(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)(loop_clock_ns() - started_ns) / 1e9);
	return 1;
}

static int l_difftime(lua_State *L)
{
	lua_pushnumber(L, luaL_checknumber(L, 1) - luaL_optnumber(L, 2, 0));
	return 1;
}

int lib_os_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"clock", l_clock},
		{"date", l_date},
		{"difftime", l_difftime},
		{"time", l_time},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	lua_pushliteral(L, "wippy");
	lua_setfield(L, -2, "platform");
	return 1;
}
