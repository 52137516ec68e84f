/*
 * time_calendar.h - days, dates and clock readings: the proleptic Gregorian calendar, without zones. Pure.
 *
 * Seconds count from 1970-01-01 00:00:00. Everything takes and gives seconds within +-CALENDAR_SECONDS_MAX, so that adding an offset or a duration
 * never overflows.
 */
#ifndef BIND_TIME_CALENDAR_H
#define BIND_TIME_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

#define CALENDAR_SECONDS_MAX (INT64_C(1) << 62)
/* From 0001-01-01 00:00:00 to 1970-01-01 00:00:00. */
#define CALENDAR_ZERO_TO_UNIX INT64_C(62135596800)

enum { SECONDS_PER_DAY = 86400, NS_PER_SECOND = 1000000000 };

/* A moment as calendar and clock show it. */
struct calendar {
	int64_t year;
	int month; /* 1 to 12 */
	int day;   /* 1 to 31 */
	int hour;
	int minute;
	int second;
	int weekday;  /* 0 = Sunday */
	int year_day; /* 1 to 366 */
};

/* Fields as a caller gives them: any of them may be out of its range and is carried over. */
struct calendar_sum {
	int64_t year;
	int64_t month;
	int64_t day;
	int64_t hour;
	int64_t minute;
	int64_t second;
	int64_t nanosecond;
};

bool calendar_is_leap(int64_t year);
int calendar_days_in(int64_t year, int month);
/* Days before the first of that month in a year that is no leap year; month 13 is the whole year. */
int calendar_days_before(int month);
void calendar_from_seconds(int64_t seconds, struct calendar *ret);
/* False when the result is out of range; *ret_nanosecond is below a second. */
bool calendar_to_seconds(const struct calendar_sum *s, int64_t *ret_seconds, int32_t *ret_nanosecond);

#endif
