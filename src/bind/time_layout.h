/*
 * time_layout.h - times as text, after a layout: an example rendering of Monday, January 2 2006, 15:04:05, zone MST (-0700).
 *
 *     year 2006 06         month January Jan 01 1      weekday Monday Mon     day 02 _2 2, of the year 002 __2
 *     hour 15, 03 3        minute 04 4                 second 05 5            AM/PM PM pm
 *     fraction .000 ,000 (all digits) .999 ,999 (without the zeros at the end)
 *     zone MST, -0700 -07:00 -07 -070000 -07:00:00, the same with Z in front (Z where the offset is 0)
 *
 * Everything else stands for itself. Tokens and rules are those of Go's package time (https://pkg.go.dev/time#pkg-constants). Pure; any thread.
 */
#ifndef BIND_TIME_LAYOUT_H
#define BIND_TIME_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "bind/time_calendar.h"

enum {
	LAYOUT_BYTES_MAX = 4096,
	LAYOUT_ZONE_MAX = 31, /* of an abbreviation in parsed text */
};

struct layout_time {
	struct calendar calendar;
	int32_t nanosecond;
	int32_t offset;           /* seconds east of UTC */
	const char *abbreviation; /* "" prints the offset instead */
};

/* Write `t` to `out`, at most `cap` bytes and no NUL; returns how many it takes. */
size_t layout_format(const struct layout_time *t, const char *layout, size_t len, char *out, size_t cap);

/* What a text says; fields it does not mention are year 0, month 1, day 1, 00:00:00. */
struct layout_parsed {
	int64_t year;
	int month;
	int day;
	int hour;
	int minute;
	int second;
	int32_t nanosecond;
	bool is_utc; /* it said Z or UTC */
	bool has_offset;
	int32_t offset;
	char abbreviation[LAYOUT_ZONE_MAX + 1]; /* "" when there is none */
};

/* ERR_INVALID: `parsing time "<value>" as "<layout>": cannot parse "<rest>" as "<token>"`, `parsing time "<value>": month out of range`,
 * `...: extra text: "<rest>"`. */
int layout_parse(const char *layout, size_t layout_len, const char *value, size_t value_len, struct layout_parsed *ret,
	struct err *e);

#endif
