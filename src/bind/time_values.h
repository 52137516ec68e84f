/*
 * time_values.h - the values of the `time` module as Lua userdata: Time, Duration, Location.
 *
 * All are immutable. They stay in the process that made them: elsewhere they arrive as nil.
 */
#ifndef BIND_TIME_VALUES_H
#define BIND_TIME_VALUES_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "bind/time_zone.h"

#define TIME_TYPE "time.Time"
#define DURATION_TYPE "time.Duration"
#define LOCATION_TYPE "time.Location"

/* The zone of a value made from a fixed Location lives in that Location, which is the Time's user value. */
struct time_value {
	int64_t seconds; /* since 1970, within CALENDAR_SECONDS_MAX */
	int32_t nanosecond;
	bool has_clock; /* from now(): `clock_ns` is a monotonic reading, for differences */
	int64_t clock_ns;
	const struct zone *zone;
};

/* -- Time (time_value.c) ----------------------------------------------------------------------------- */

void time_value_register(lua_State *L);
/* Push a time in a zone that lives as long as the program. */
void time_push(lua_State *L, const struct time_value *v);
/* Push a time in the zone of the Location at idx; `v->zone` does not matter. */
void time_push_in(lua_State *L, const struct time_value *v, int idx);
/* The wall clock, with its monotonic reading, in the local zone. */
struct time_value time_now(void);
/* Push the time of these clock fields in the Location at idx, 0 = local. Raises when out of range. */
struct calendar_sum;
int time_push_clock(lua_State *L, const struct calendar_sum *s, int idx);
/* A layout or a time as text, at most LAYOUT_BYTES_MAX; raises when there is none. */
const char *time_text_check(lua_State *L, int idx, size_t *ret_len);

/* time.parse (time_parse.c) */
int time_l_parse(lua_State *L);

/* -- Duration (time_duration.c) ---------------------------------------------------------------------- */

void duration_register(lua_State *L);
int duration_push(lua_State *L, int64_t ns);
/* A duration argument; raises when it is none. */
int64_t duration_check(lua_State *L, int idx);
int duration_l_parse(lua_State *L); /* time.parse_duration */

/* -- Location (time_location.c) ---------------------------------------------------------------------- */

void location_register(lua_State *L);
/* The one Location of a zone that lives as long as the program. */
int location_push(lua_State *L, const struct zone *z);
/* Push a fixed zone; `name` at most ZONE_NAME_MAX. */
int location_push_fixed(lua_State *L, const char *name, size_t len, int32_t offset);
/* Its zone; *ret_owned: it lives in the Location. Raises when there is none at idx. */
const struct zone *location_check(lua_State *L, int idx, bool *ret_owned);
int location_l_load(lua_State *L);  /* time.load_location */
int location_l_fixed(lua_State *L); /* time.fixed_zone */

/* -- timers (time_timer.c) --------------------------------------------------------------------------- */

void timer_register(lua_State *L);
int timer_l_sleep(lua_State *L);
int timer_l_after(lua_State *L);
int timer_l_timer(lua_State *L);
int timer_l_ticker(lua_State *L);

/* -- arguments (time.c) ------------------------------------------------------------------------------ */

/* A number as a whole one, fractions cut off; raises when it is none or does not fit. */
int64_t whole_check(lua_State *L, int idx);
/* handle_register() plus __tostring. */
void value_register(lua_State *L, const char *type, const luaL_Reg *methods, lua_CFunction gc, lua_CFunction tostring);

#endif
