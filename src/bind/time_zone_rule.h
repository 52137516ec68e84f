/*
 * time_zone_rule.h - the rule after the last known transition of a zone: a POSIX TZ string. Pure.
 */
#ifndef BIND_TIME_ZONE_RULE_H
#define BIND_TIME_ZONE_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ZONE_ABBREVIATION_MAX = 31 };

/* When a change happens in each year, on the clock that holds before it. */
struct zone_change {
	enum { CHANGE_JULIAN, CHANGE_YEAR_DAY, CHANGE_MONTH_WEEK_DAY } form;
	int day;  /* Jn: 1 to 365, February 29 never counts; n: 0 to 365; else the weekday, 0 = Sunday */
	int week; /* 1 to 5, 5 = the last */
	int month;
	int32_t time; /* seconds after midnight, may be negative or beyond the day */
};

struct zone_rule {
	char std[ZONE_ABBREVIATION_MAX + 1];
	char dst[ZONE_ABBREVIATION_MAX + 1];
	int32_t std_offset; /* seconds east of UTC */
	int32_t dst_offset;
	bool has_dst;
	struct zone_change start;
	struct zone_change end;
};

/* False when it is no such string. */
bool zone_rule_parse(const char *text, size_t len, struct zone_rule *ret);
/* Is daylight saving time in force? */
bool zone_rule_is_dst(const struct zone_rule *r, int64_t unix_seconds);

#endif
