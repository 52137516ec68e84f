/*
 * time_parse.c - time.parse: text to moments, in the zone that the text tells or the caller gives.
 */
#include <string.h>

#include "bind/time_calendar.h"
#include "bind/time_layout.h"
#include "bind/time_values.h"
#include "engine/lua_api.h"

/* Hours of an abbreviation such as GMT-3; 0 for all others. */
static int32_t gmt_hours(const char *s)
{
	int hours = 0;

	if (s[0] != 'G' || s[1] != 'M' || s[2] != 'T' || !s[3])
		return 0;
	for (const char *p = s + 4; *p >= '0' && *p <= '9'; p++)
		hours = hours * 10 + (*p - '0');
	return s[3] == '-' ? -hours : hours;
}

/* Where the text named a zone, but only that: the Location's own if it knows the offset or name, else a fixed one. The Location lies at index 3. */
static int push_in_named(lua_State *L, struct time_value *v, const struct layout_parsed *p)
{
	const struct zone *local = location_check(L, 3, NULL);
	int32_t offset = 0;

	if (p->has_offset) {
		struct zone_period period = zone_lookup(local, v->seconds - p->offset);

		v->seconds -= p->offset;
		if (period.offset == p->offset &&
			(!p->abbreviation[0] || strcmp(p->abbreviation, period.abbreviation) == 0))
			goto out;
		offset = p->offset;
	} else if (zone_lookup_abbreviation(local, p->abbreviation, v->seconds, &offset)) {
		v->seconds -= offset;
		goto out;
	} else {
		/* A name that nobody knows is kept, and the clock's reading is taken as UTC. A GMT one is then shown with the hours it tells, as in Go. */
		offset = gmt_hours(p->abbreviation) * 3600;
	}
	location_push_fixed(L, p->abbreviation, strlen(p->abbreviation), offset);
	lua_replace(L, 3);
out:
	time_push_in(L, v, 3);
	return 1;
}

int time_l_parse(lua_State *L)
{
	struct layout_parsed p;
	struct err e = {0};
	size_t layout_len, len;
	const char *layout = time_text_check(L, 1, &layout_len), *text = time_text_check(L, 2, &len);
	struct time_value v = {.zone = &zone_utc};
	struct calendar_sum s;

	if (lua_isnoneornil(L, 3)) {
		lua_settop(L, 2);
		location_push(L, zone_local());
	} else {
		location_check(L, 3, NULL);
		lua_settop(L, 3);
	}
	if (layout_parse(layout, layout_len, text, len, &p, &e) < 0)
		return push_nil_and_err(L, &e);
	s = (struct calendar_sum){p.year, p.month, p.day, p.hour, p.minute, p.second, p.nanosecond};
	if (!p.is_utc && !p.has_offset && !p.abbreviation[0])
		return time_push_clock(L, &s, 3);
	/* Four digits of a year are never out of range. */
	calendar_to_seconds(&s, &v.seconds, &v.nanosecond);
	if (!p.is_utc)
		return push_in_named(L, &v, &p);
	time_push(L, &v);
	return 1;
}
