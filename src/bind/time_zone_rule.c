#include "bind/time_zone_rule.h"

#include <string.h>

#include "bind/time_calendar.h"

enum { HOURS_MAX = 167, SECONDS_PER_HOUR = 3600, OFFSET_HOURS_MAX = 25 };

struct reader {
	const char *p;
	const char *end;
};

static bool take(struct reader *r, char c)
{
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

static bool take_number(struct reader *r, int min, int max, int *ret)
{
	const char *start = r->p;
	int n = 0;

	while (r->p < r->end && *r->p >= '0' && *r->p <= '9') {
		n = n * 10 + (*r->p++ - '0');
		if (n > max)
			return false;
	}
	*ret = n;
	return r->p > start && n >= min;
}

/* Letters, or anything sensible between < and >. */
static bool take_name(struct reader *r, char out[static ZONE_ABBREVIATION_MAX + 1])
{
	bool quoted = take(r, '<');
	size_t n = 0;

	for (; r->p < r->end; r->p++) {
		char c = *r->p;
		bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
		bool other = (c >= '0' && c <= '9') || c == '+' || c == '-';

		if (!letter && !(quoted && other))
			break;
		if (n == ZONE_ABBREVIATION_MAX)
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	return n >= 3 && (!quoted || take(r, '>'));
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(struct reader *r, int hours_max, int32_t *ret)
{
	bool negative = take(r, '-');
	int h, m = 0, s = 0;

	if (!negative)
		take(r, '+');
	if (!take_number(r, 0, hours_max, &h))
		return false;
	if (take(r, ':')) {
		if (!take_number(r, 0, 59, &m))
			return false;
		if (take(r, ':') && !take_number(r, 0, 59, &s))
			return false;
	}
	*ret = h * SECONDS_PER_HOUR + m * 60 + s;
	if (negative)
		*ret = -*ret;
	return true;
}

static bool take_change(struct reader *r, struct zone_change *c)
{
	bool ok;

	*c = (struct zone_change){.time = 2 * SECONDS_PER_HOUR};
	if (take(r, 'J')) {
		c->form = CHANGE_JULIAN;
		ok = take_number(r, 1, 365, &c->day);
	} else if (take(r, 'M')) {
		c->form = CHANGE_MONTH_WEEK_DAY;
		ok = take_number(r, 1, 12, &c->month) && take(r, '.') && take_number(r, 1, 5, &c->week) &&
		     take(r, '.') && take_number(r, 0, 6, &c->day);
	} else {
		c->form = CHANGE_YEAR_DAY;
		ok = take_number(r, 0, 365, &c->day);
	}
	return ok && (!take(r, '/') || take_time(r, HOURS_MAX, &c->time));
}

bool zone_rule_parse(const char *text, size_t len, struct zone_rule *ret)
{
	struct reader r = {text, text + len};
	struct zone_rule rule = {0};

	/* POSIX counts offsets west of Greenwich. */
	if (!take_name(&r, rule.std) || !take_time(&r, OFFSET_HOURS_MAX, &rule.std_offset))
		return false;
	rule.std_offset = -rule.std_offset;
	if (r.p < r.end) {
		rule.has_dst = true;
		rule.dst_offset = rule.std_offset + SECONDS_PER_HOUR;
		if (!take_name(&r, rule.dst))
			return false;
		if (r.p < r.end && *r.p != ',') {
			if (!take_time(&r, OFFSET_HOURS_MAX, &rule.dst_offset))
				return false;
			rule.dst_offset = -rule.dst_offset;
		}
		if (r.p == r.end) {
			/* What is customary where none is given. */
			r = (struct reader){",M3.2.0,M11.1.0", NULL};
			r.end = r.p + strlen(r.p);
		}
		if (!take(&r, ',') || !take_change(&r, &rule.start) || !take(&r, ',') || !take_change(&r, &rule.end))
			return false;
	}
	if (r.p < r.end)
		return false;
	*ret = rule;
	return true;
}

/* Seconds from the year's beginning to the change, both on the clock before it. */
static int64_t change_in_year(const struct zone_change *c, int64_t year, int first_weekday)
{
	bool leap = calendar_is_leap(year);
	int day, first, length;

	switch (c->form) {
	case CHANGE_JULIAN:
		day = c->day - 1 + (leap && c->day >= 60);
		break;
	case CHANGE_YEAR_DAY:
		day = c->day;
		break;
	default:
		first = calendar_days_before(c->month) + (leap && c->month > 2); /* the month's first day */
		length = calendar_days_in(year, c->month);
		day = (c->day - (first_weekday + first) % 7 + 7) % 7 + (c->week - 1) * 7;
		if (day >= length)
			day -= 7;
		day += first;
	}
	return (int64_t)day * SECONDS_PER_DAY + c->time;
}

bool zone_rule_is_dst(const struct zone_rule *r, int64_t unix_seconds)
{
	struct calendar c;
	int64_t now, start, end;
	int first_weekday;

	if (!r->has_dst)
		return false;
	calendar_from_seconds(unix_seconds + r->std_offset, &c);
	now = (int64_t)(c.year_day - 1) * SECONDS_PER_DAY + c.hour * SECONDS_PER_HOUR + c.minute * 60 + c.second;
	first_weekday = ((c.weekday - (c.year_day - 1)) % 7 + 7) % 7;
	start = change_in_year(&r->start, c.year, first_weekday);
	end = change_in_year(&r->end, c.year, first_weekday) - (r->dst_offset - r->std_offset);
	return start < end ? now >= start && now < end : now >= start || now < end;
}
