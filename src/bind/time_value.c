/*
 * time_value.c - moments as Lua values.
 */
#include <time.h>

#include "bind/time_calendar.h"
#include "bind/time_layout.h"
#include "bind/time_values.h"
#include "engine/lua_api.h"
#include "loop/loop.h"

static const char rfc3339[] = "2006-01-02T15:04:05Z07:00";
static const char text_layout[] = "2006-01-02 15:04:05.999999999 -0700 MST";

enum { SHORT_TEXT_MAX = 128 };

/* -- making them --------------------------------------------------------------------------------------- */

static struct time_value *time_check(lua_State *L, int idx)
{
	return handle_check(L, idx, TIME_TYPE);
}

void time_push(lua_State *L, const struct time_value *v)
{
	*(struct time_value *)handle_new(L, TIME_TYPE, sizeof(*v)) = *v;
}

void time_push_in(lua_State *L, const struct time_value *v, int idx)
{
	struct time_value in = *v;
	bool owned;

	idx = lua_absindex(L, idx);
	in.zone = location_check(L, idx, &owned);
	time_push(L, &in);
	if (owned) {
		lua_pushvalue(L, idx);
		lua_setiuservalue(L, -2, 1);
	}
}

/* Push a time in the same zone as the Time at idx. */
static int push_like(lua_State *L, const struct time_value *v, int idx)
{
	struct time_value in = *v;

	in.zone = time_check(L, idx)->zone;
	time_push(L, &in);
	if (lua_getiuservalue(L, idx, 1) == LUA_TUSERDATA)
		lua_setiuservalue(L, -2, 1);
	else
		lua_pop(L, 1);
	return 1;
}

struct time_value time_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (struct time_value){
		.seconds = ts.tv_sec,
		.nanosecond = (int32_t)ts.tv_nsec,
		.has_clock = true,
		.clock_ns = (int64_t)loop_clock_ns(),
		.zone = zone_local(),
	};
}

static int raise_range(lua_State *L)
{
	return raise_text(L, "time is out of range");
}

int time_push_clock(lua_State *L, const struct calendar_sum *s, int idx)
{
	struct time_value v = {.zone = zone_local()};
	int64_t seconds;

	if (!calendar_to_seconds(s, &seconds, &v.nanosecond))
		return raise_range(L);
	v.seconds = zone_to_unix(idx ? location_check(L, idx, NULL) : v.zone, seconds);
	if (idx)
		time_push_in(L, &v, idx);
	else
		time_push(L, &v);
	return 1;
}

/* -- reading them -------------------------------------------------------------------------------------- */

static struct layout_time shown(const struct time_value *v)
{
	struct zone_period p = zone_lookup(v->zone, v->seconds);
	struct layout_time t = {.nanosecond = v->nanosecond, .offset = p.offset, .abbreviation = p.abbreviation};

	calendar_from_seconds(v->seconds + p.offset, &t.calendar);
	return t;
}

static struct calendar calendar_of(lua_State *L)
{
	return shown(time_check(L, 1)).calendar;
}

static int push_formatted(lua_State *L, const struct time_value *v, const char *layout, size_t len)
{
	struct layout_time t = shown(v);
	char text[SHORT_TEXT_MAX];
	size_t n = layout_format(&t, layout, len, text, sizeof(text));
	luaL_Buffer b;

	if (n <= sizeof(text)) {
		lua_pushlstring(L, text, n);
		return 1;
	}
	layout_format(&t, layout, len, luaL_buffinitsize(L, &b, n), n);
	luaL_pushresultsize(&b, n);
	return 1;
}

const char *time_text_check(lua_State *L, int idx, size_t *ret_len)
{
	const char *s;

	if (lua_type(L, idx) != LUA_TSTRING)
		raise_argument(L, idx, lua_pushfstring(L, "string expected, got %s", luaL_typename(L, idx)));
	s = lua_tolstring(L, idx, ret_len);
	if (*ret_len > LAYOUT_BYTES_MAX)
		raise_argument(L, idx, "text is longer than 4096 bytes");
	return s;
}

static int l_format(lua_State *L)
{
	struct time_value *v = time_check(L, 1);
	size_t len;
	const char *layout = time_text_check(L, 2, &len);

	return push_formatted(L, v, layout, len);
}

static int l_format_rfc3339(lua_State *L)
{
	return push_formatted(L, time_check(L, 1), rfc3339, sizeof(rfc3339) - 1);
}

static int l_tostring(lua_State *L)
{
	return push_formatted(L, time_check(L, 1), text_layout, sizeof(text_layout) - 1);
}

static int l_unix(lua_State *L)
{
	lua_pushinteger(L, time_check(L, 1)->seconds);
	return 1;
}

/* Wraps around outside the years 1678 to 2262, which 64 bits of nanoseconds can tell. */
static int l_unix_nano(lua_State *L)
{
	struct time_value *v = time_check(L, 1);

	lua_pushinteger(L, (lua_Integer)((uint64_t)v->seconds * NS_PER_SECOND + (uint64_t)v->nanosecond));
	return 1;
}

static int l_date(lua_State *L)
{
	struct calendar c = calendar_of(L);

	lua_pushinteger(L, c.year);
	lua_pushinteger(L, c.month);
	lua_pushinteger(L, c.day);
	return 3;
}

static int l_clock(lua_State *L)
{
	struct calendar c = calendar_of(L);

	lua_pushinteger(L, c.hour);
	lua_pushinteger(L, c.minute);
	lua_pushinteger(L, c.second);
	return 3;
}

static int l_year(lua_State *L)
{
	lua_pushinteger(L, calendar_of(L).year);
	return 1;
}

static int l_month(lua_State *L)
{
	lua_pushinteger(L, calendar_of(L).month);
	return 1;
}

static int l_day(lua_State *L)
{
	lua_pushinteger(L, calendar_of(L).day);
	return 1;
}

static int l_hour(lua_State *L)
{
	lua_pushinteger(L, calendar_of(L).hour);
	return 1;
}

static int l_minute(lua_State *L)
{
	lua_pushinteger(L, calendar_of(L).minute);
	return 1;
}

static int l_second(lua_State *L)
{
	lua_pushinteger(L, calendar_of(L).second);
	return 1;
}

static int l_nanosecond(lua_State *L)
{
	lua_pushinteger(L, time_check(L, 1)->nanosecond);
	return 1;
}

static int l_weekday(lua_State *L)
{
	lua_pushinteger(L, calendar_of(L).weekday);
	return 1;
}

static int l_year_day(lua_State *L)
{
	lua_pushinteger(L, calendar_of(L).year_day);
	return 1;
}

static int l_is_zero(lua_State *L)
{
	struct time_value *v = time_check(L, 1);

	lua_pushboolean(L, v->seconds == -CALENDAR_ZERO_TO_UNIX && v->nanosecond == 0);
	return 1;
}

/* -- comparing ----------------------------------------------------------------------------------------- */

/* Two values of now() are told apart by the clock that nobody sets. */
static __int128 difference(const struct time_value *a, const struct time_value *b)
{
	if (a->has_clock && b->has_clock)
		return (__int128)a->clock_ns - b->clock_ns;
	return ((__int128)a->seconds - b->seconds) * NS_PER_SECOND + (a->nanosecond - b->nanosecond);
}

static int l_sub(lua_State *L)
{
	__int128 d = difference(time_check(L, 1), time_check(L, 2));

	if (d > INT64_MAX)
		d = INT64_MAX;
	if (d < INT64_MIN)
		d = INT64_MIN;
	return duration_push(L, (int64_t)d);
}

static int l_before(lua_State *L)
{
	lua_pushboolean(L, difference(time_check(L, 1), time_check(L, 2)) < 0);
	return 1;
}

static int l_after(lua_State *L)
{
	lua_pushboolean(L, difference(time_check(L, 1), time_check(L, 2)) > 0);
	return 1;
}

static int l_equal(lua_State *L)
{
	lua_pushboolean(L, difference(time_check(L, 1), time_check(L, 2)) == 0);
	return 1;
}

/* -- others made from them ----------------------------------------------------------------------------- */

static bool move(struct time_value *v, int64_t ns)
{
	int64_t seconds = v->seconds + ns / NS_PER_SECOND;
	int32_t nanosecond = v->nanosecond + (int32_t)(ns % NS_PER_SECOND);

	if (nanosecond >= NS_PER_SECOND) {
		nanosecond -= NS_PER_SECOND;
		seconds++;
	} else if (nanosecond < 0) {
		nanosecond += NS_PER_SECOND;
		seconds--;
	}
	if (seconds > CALENDAR_SECONDS_MAX || seconds < -CALENDAR_SECONDS_MAX)
		return false;
	v->seconds = seconds;
	v->nanosecond = nanosecond;
	if (v->has_clock && __builtin_add_overflow(v->clock_ns, ns, &v->clock_ns))
		v->has_clock = false;
	return true;
}

static int l_add(lua_State *L)
{
	struct time_value v = *time_check(L, 1);

	if (!move(&v, duration_check(L, 2)))
		return raise_range(L);
	return push_like(L, &v, 1);
}

static int l_add_date(lua_State *L)
{
	struct time_value v = *time_check(L, 1);
	int64_t years = whole_check(L, 2), months = whole_check(L, 3), days = whole_check(L, 4), seconds;
	struct calendar c = shown(&v).calendar;
	struct calendar_sum s = {.hour = c.hour, .minute = c.minute, .second = c.second, .nanosecond = v.nanosecond};

	if (__builtin_add_overflow(c.year, years, &s.year) || __builtin_add_overflow(c.month, months, &s.month) ||
		__builtin_add_overflow(c.day, days, &s.day) || !calendar_to_seconds(&s, &seconds, &v.nanosecond))
		return raise_range(L);
	v.seconds = zone_to_unix(v.zone, seconds);
	v.has_clock = false;
	return push_like(L, &v, 1);
}

/* How far the time lies behind a multiple of `d` since the zero time. */
static int64_t beyond_multiple(const struct time_value *v, int64_t d)
{
	__int128 ns = ((__int128)v->seconds + CALENDAR_ZERO_TO_UNIX) * NS_PER_SECOND + v->nanosecond;
	int64_t r = (int64_t)(ns % d);

	return r < 0 ? r + d : r;
}

static int round_or_truncate(lua_State *L, bool round)
{
	struct time_value v = *time_check(L, 1);
	int64_t d = *(int64_t *)handle_check(L, 2, DURATION_TYPE), r;

	v.has_clock = false;
	if (d > 0) {
		r = beyond_multiple(&v, d);
		if (!move(&v, round && r >= d - r ? d - r : -r))
			return raise_range(L);
	}
	return push_like(L, &v, 1);
}

static int l_round(lua_State *L)
{
	return round_or_truncate(L, true);
}

static int l_truncate(lua_State *L)
{
	return round_or_truncate(L, false);
}

static int push_in_zone(lua_State *L, const struct zone *z)
{
	struct time_value v = *time_check(L, 1);

	v.has_clock = false;
	v.zone = z;
	time_push(L, &v);
	return 1;
}

static int l_utc(lua_State *L)
{
	return push_in_zone(L, &zone_utc);
}

static int l_in_local(lua_State *L)
{
	return push_in_zone(L, zone_local());
}

static int l_in_location(lua_State *L)
{
	struct time_value v = *time_check(L, 1);

	v.has_clock = false;
	time_push_in(L, &v, 2);
	return 1;
}

static int l_location(lua_State *L)
{
	struct time_value *v = time_check(L, 1);

	if (lua_getiuservalue(L, 1, 1) == LUA_TUSERDATA)
		return 1;
	return location_push(L, v->zone);
}

void time_value_register(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"add", l_add},
		{"add_date", l_add_date},
		{"after", l_after},
		{"before", l_before},
		{"clock", l_clock},
		{"date", l_date},
		{"day", l_day},
		{"equal", l_equal},
		{"format", l_format},
		{"format_rfc3339", l_format_rfc3339},
		{"hour", l_hour},
		{"in_local", l_in_local},
		{"in_location", l_in_location},
		{"is_zero", l_is_zero},
		{"location", l_location},
		{"minute", l_minute},
		{"month", l_month},
		{"nanosecond", l_nanosecond},
		{"round", l_round},
		{"second", l_second},
		{"sub", l_sub},
		{"truncate", l_truncate},
		{"unix", l_unix},
		{"unix_nano", l_unix_nano},
		{"utc", l_utc},
		{"weekday", l_weekday},
		{"year", l_year},
		{"year_day", l_year_day},
		{NULL, NULL},
	};

	value_register(L, TIME_TYPE, methods, NULL, l_tostring);
}
