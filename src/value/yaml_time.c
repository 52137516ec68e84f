/*
 * yaml_time.c - plain scalars that are dates or times. See yaml_scalar.h
 *
 * The forms of https://yaml.org/type/timestamp.html: 2001-12-14, and 2001-12-14t21:59:43.10-05:00 with "T", "t" or
 * blanks between, and blanks before the zone.
 */
#include "value/yaml_scalar.h"

struct cursor {
	const char *at, *end;
};

/* `min` to `max` digits. */
static bool read_number(struct cursor *c, int min, int max, int *ret)
{
	int n = 0, v = 0;

	for (; n < max && c->at < c->end && *c->at >= '0' && *c->at <= '9'; n++, c->at++)
		v = v * 10 + (*c->at - '0');
	*ret = v;
	return n >= min;
}

static bool skip(struct cursor *c, char ch)
{
	if (c->at == c->end || *c->at != ch)
		return false;
	c->at++;
	return true;
}

static bool skip_blanks(struct cursor *c)
{
	const char *start = c->at;

	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
		c->at++;
	return c->at > start;
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return month == 2 && leap ? 29 : days[month - 1];
}

/* From 1970-01-01 in the proleptic Gregorian calendar; the year begins in March, so that the leap day is its last. */
static int64_t days_since_1970(int year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool read_date(struct cursor *c, int64_t *ret_seconds)
{
	int year, month, day;

	if (!read_number(c, 4, 4, &year) || !skip(c, '-') || !read_number(c, 1, 2, &month) || !skip(c, '-') ||
		!read_number(c, 1, 2, &day))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
		return false;
	*ret_seconds = days_since_1970(year, month, day) * 86400;
	return true;
}

/* Nothing, "Z", or an offset of hours and perhaps minutes. */
static bool read_zone(struct cursor *c, int64_t *ret_offset)
{
	int hours, minutes = 0, sign;

	*ret_offset = 0;
	skip_blanks(c);
	if (c->at == c->end)
		return true;
	if (skip(c, 'Z'))
		return c->at == c->end;
	sign = skip(c, '-') ? -1 : skip(c, '+') ? 1 : 0;
	if (sign == 0 || !read_number(c, 1, 2, &hours))
		return false;
	if (c->at < c->end && (!skip(c, ':') || !read_number(c, 2, 2, &minutes)))
		return false;
	*ret_offset = sign * (hours * 3600 + minutes * 60);
	return c->at == c->end && hours < 24 && minutes < 60;
}

static bool read_time(struct cursor *c, int64_t *seconds)
{
	int hour, minute, second;
	int64_t offset;

	if (!skip(c, 'T') && !skip(c, 't') && !skip_blanks(c))
		return false;
	if (!read_number(c, 1, 2, &hour) || !skip(c, ':') || !read_number(c, 2, 2, &minute) || !skip(c, ':') ||
		!read_number(c, 2, 2, &second))
		return false;
	if (skip(c, '.')) {
		while (c->at < c->end && *c->at >= '0' && *c->at <= '9')
			c->at++;
	}
	if (hour > 23 || minute > 59 || second > 59 || !read_zone(c, &offset))
		return false;
	*seconds += hour * 3600 + minute * 60 + second - offset;
	return true;
}

struct value *yaml_plain_scalar_or_time(const char *text, size_t len)
{
	struct cursor c = {text, text + len};
	int64_t seconds;

	if (read_date(&c, &seconds) && (c.at == c.end || read_time(&c, &seconds)))
		return value_int(seconds);
	return yaml_plain_scalar(text, len);
}
