/*
 * time_layout_parse.c - reading a time after a layout.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "bind/time_layout.h"
#include "bind/time_layout_token.h"

enum { QUOTED_BYTES_MAX = 100, UNSET = -1 };

struct parser {
	const char *p; /* of the value, what is not read yet */
	const char *end;
	const char *out_of_range; /* the field, NULL when none is */
	int64_t year;
	int month; /* UNSET: not mentioned */
	int day;
	int year_day;
	int hour;
	int minute;
	int second;
	int32_t nanosecond;
	bool am;
	bool pm;
	bool is_utc;
	bool has_offset;
	int32_t offset;
	const char *zone;
	size_t zone_len;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t left(const struct parser *ps)
{
	return (size_t)(ps->end - ps->p);
}

static bool digit_at(const struct parser *ps, size_t i)
{
	return i < left(ps) && is_digit(ps->p[i]);
}

static bool separator_at(const struct parser *ps, size_t i)
{
	return i < left(ps) && (ps->p[i] == '.' || ps->p[i] == ',');
}

/* -- pieces of text: false and nothing taken when they are not there ---------------------------------- */

/* `min` to `max` digits. */
static bool take_number(struct parser *ps, size_t min, size_t max, int *ret)
{
	size_t n = 0;
	int v = 0;

	for (; n < max && digit_at(ps, n); n++)
		v = v * 10 + (ps->p[n] - '0');
	if (n < min)
		return false;
	ps->p += n;
	*ret = v;
	return true;
}

/* One of `names`, or of their first `length` letters (0 = all), in either case. */
static bool take_name(struct parser *ps, const char *const *names, int count, size_t length, int *ret)
{
	for (int i = 0; i < count; i++) {
		size_t n = length ? length : strlen(names[i]), k;

		for (k = 0; k < n && k < left(ps) && (ps->p[k] | 0x20) == (names[i][k] | 0x20); k++)
			;
		if (k < n)
			continue;
		ps->p += n;
		*ret = i + 1;
		return true;
	}
	return false;
}

static bool take_half(struct parser *ps, const char *am, const char *pm)
{
	if (left(ps) < 2)
		return false;
	if (memcmp(ps->p, pm, 2) == 0)
		ps->pm = true;
	else if (memcmp(ps->p, am, 2) == 0)
		ps->am = true;
	else
		return false;
	ps->p += 2;
	return true;
}

/* A separator and `digits` digits, those behind the ninth without effect. */
static bool take_fraction(struct parser *ps, size_t digits)
{
	int32_t ns = 0;

	if (!separator_at(ps, 0) || left(ps) < digits + 1)
		return false;
	for (size_t i = 1; i <= digits; i++) {
		if (!is_digit(ps->p[i]))
			return false;
	}
	for (size_t i = 1; i <= 9; i++)
		ns = ns * 10 + (i <= digits ? ps->p[i] - '0' : 0);
	ps->nanosecond = ns;
	ps->p += digits + 1;
	return true;
}

static size_t count_digits(const struct parser *ps, size_t from)
{
	size_t n = 0;

	while (digit_at(ps, from + n))
		n++;
	return n;
}

/* In sign, hours and what the form asks for. */
static bool take_offset(struct parser *ps, struct layout_offset form)
{
	size_t step = form.colons ? 3 : 2;
	size_t fields = 1 + (size_t)form.minutes + (size_t)form.seconds;
	size_t len = 3 + step * (fields - 1);
	int v[3] = {0};
	bool ok = true;

	if (form.z && left(ps) > 0 && ps->p[0] == 'Z') {
		ps->p++;
		ps->is_utc = true;
		return true;
	}
	if (left(ps) < len)
		return false;
	for (size_t i = 1; i < fields; i++) {
		if (form.colons && ps->p[i * step] != ':')
			return false;
	}
	for (size_t i = 0; i < fields && ok; i++) {
		const char *f = ps->p + 1 + i * step;

		ok = is_digit(f[0]) && is_digit(f[1]);
		if (ok)
			v[i] = (f[0] - '0') * 10 + (f[1] - '0');
	}
	/* People do write 24 hours and 60 minutes. */
	if (v[2] > 60)
		ps->out_of_range = "time zone offset second";
	else if (v[1] > 60)
		ps->out_of_range = "time zone offset minute";
	else if (v[0] > 24)
		ps->out_of_range = "time zone offset hour";
	if (!ok || (ps->p[0] != '+' && ps->p[0] != '-'))
		return false;
	ps->has_offset = true;
	ps->offset = (v[0] * 60 + v[1]) * 60 + v[2];
	if (ps->p[0] == '-')
		ps->offset = -ps->offset;
	ps->p += len;
	return true;
}

/* +h or -h, at most 23: its length, else 0. */
static size_t signed_hours_length(const char *p, const char *end)
{
	const char *q = p + 1;
	int v = 0;

	if (p == end || (*p != '+' && *p != '-'))
		return 0;
	for (; q < end && is_digit(*q); q++) {
		v = v * 10 + (*q - '0');
		if (v > 23)
			return 0;
	}
	return q == p + 1 ? 0 : (size_t)(q - p);
}

/* The length of what looks like a zone's abbreviation, else 0. */
static size_t zone_length(const char *p, const char *end)
{
	size_t n = (size_t)(end - p), upper = 0;

	if (n < 3)
		return 0;
	if (n >= 4 && (memcmp(p, "ChST", 4) == 0 || memcmp(p, "MeST", 4) == 0))
		return 4;
	if (memcmp(p, "GMT", 3) == 0)
		return 3 + signed_hours_length(p + 3, end);
	if (*p == '+' || *p == '-')
		return signed_hours_length(p, end);
	while (upper < 6 && upper < n && p[upper] >= 'A' && p[upper] <= 'Z')
		upper++;
	if (upper == 3 || (upper == 4 && (p[3] == 'T' || memcmp(p, "WITA", 4) == 0)) || (upper == 5 && p[4] == 'T'))
		return upper;
	return 0;
}

static bool take_zone(struct parser *ps)
{
	size_t n;

	if (left(ps) >= 3 && memcmp(ps->p, "UTC", 3) == 0) {
		ps->is_utc = true;
		ps->p += 3;
		return true;
	}
	n = zone_length(ps->p, ps->end);
	if (n == 0 || n > LAYOUT_ZONE_MAX)
		return false;
	ps->zone = ps->p;
	ps->zone_len = n;
	ps->p += n;
	return true;
}

/* -- tokens -------------------------------------------------------------------------------------------- */

static bool check_range(struct parser *ps, int v, int min, int max, const char *field)
{
	if (v < min || v > max)
		ps->out_of_range = field;
	return true;
}

static bool take_short_year(struct parser *ps)
{
	int v;

	if (!take_number(ps, 2, 2, &v))
		return false;
	ps->year = v + (v >= 69 ? 1900 : 2000);
	return true;
}

static bool take_long_year(struct parser *ps)
{
	int v;

	if (!take_number(ps, 4, 4, &v))
		return false;
	ps->year = v;
	return true;
}

static void skip_space(struct parser *ps)
{
	if (left(ps) > 0 && *ps->p == ' ')
		ps->p++;
}

static bool take_second(struct parser *ps, size_t min, const char *layout, const char *layout_end)
{
	struct layout_piece next;

	if (!take_number(ps, min, 2, &ps->second))
		return false;
	check_range(ps, ps->second, 0, 59, "second");
	if (ps->out_of_range || !separator_at(ps, 0) || !digit_at(ps, 1))
		return true;
	/* A fraction may be there though the layout does not show one. */
	next = layout_next(layout, layout_end);
	if (next.token == TOKEN_FRACTION || next.token == TOKEN_FRACTION_FIXED)
		return true;
	return take_fraction(ps, count_digits(ps, 1));
}

/* [layout, layout_end) is what follows the token. */
static bool take_token(struct parser *ps, const struct layout_piece *piece, const char *layout, const char *layout_end)
{
	int ignored;

	switch (piece->token) {
	case TOKEN_END:
		return true;
	case TOKEN_YEAR_LONG:
		return take_long_year(ps);
	case TOKEN_YEAR:
		return take_short_year(ps);
	case TOKEN_MONTH_LONG:
		return take_name(ps, layout_months, 12, 0, &ps->month);
	case TOKEN_MONTH:
		return take_name(ps, layout_months, 12, 3, &ps->month);
	case TOKEN_MONTH_ZERO:
	case TOKEN_MONTH_NUMBER:
		return take_number(ps, piece->token == TOKEN_MONTH_ZERO ? 2 : 1, 2, &ps->month) &&
		       check_range(ps, ps->month, 1, 12, "month");
	case TOKEN_WEEKDAY_LONG:
		return take_name(ps, layout_weekdays, 7, 0, &ignored);
	case TOKEN_WEEKDAY:
		return take_name(ps, layout_weekdays, 7, 3, &ignored);
	case TOKEN_DAY_SPACE:
		skip_space(ps);
		return take_number(ps, 1, 2, &ps->day);
	case TOKEN_DAY_ZERO:
	case TOKEN_DAY:
		return take_number(ps, piece->token == TOKEN_DAY_ZERO ? 2 : 1, 2, &ps->day);
	case TOKEN_YEAR_DAY_SPACE:
		skip_space(ps);
		skip_space(ps);
		return take_number(ps, 1, 3, &ps->year_day);
	case TOKEN_YEAR_DAY_ZERO:
		return take_number(ps, 3, 3, &ps->year_day);
	case TOKEN_HOUR:
		return take_number(ps, 1, 2, &ps->hour) && check_range(ps, ps->hour, 0, 23, "hour");
	case TOKEN_HOUR12_ZERO:
	case TOKEN_HOUR12:
		return take_number(ps, piece->token == TOKEN_HOUR12 ? 1 : 2, 2, &ps->hour) &&
		       check_range(ps, ps->hour, 0, 12, "hour");
	case TOKEN_MINUTE_ZERO:
	case TOKEN_MINUTE:
		return take_number(ps, piece->token == TOKEN_MINUTE ? 1 : 2, 2, &ps->minute) &&
		       check_range(ps, ps->minute, 0, 59, "minute");
	case TOKEN_SECOND_ZERO:
	case TOKEN_SECOND:
		return take_second(ps, piece->token == TOKEN_SECOND ? 1 : 2, layout, layout_end);
	case TOKEN_PM:
		return take_half(ps, "AM", "PM");
	case TOKEN_PM_SMALL:
		return take_half(ps, "am", "pm");
	case TOKEN_FRACTION_FIXED:
		return take_fraction(ps, piece->text_len - 1);
	case TOKEN_FRACTION:
		/* May be left out; as many digits as there are. */
		return !separator_at(ps, 0) || !digit_at(ps, 1) || take_fraction(ps, count_digits(ps, 1));
	case TOKEN_ZONE:
		return take_zone(ps);
	case TOKEN_OFFSET:
		return take_offset(ps, piece->offset);
	}
	return false;
}

/* A run of blanks in the layout stands for any run of blanks, or for the end. */
static bool take_literal(struct parser *ps, const char *p, size_t len)
{
	const char *end = p + len;

	while (p < end) {
		if (*p == ' ') {
			if (left(ps) > 0 && *ps->p != ' ')
				return false;
			while (p < end && *p == ' ')
				p++;
			while (left(ps) > 0 && *ps->p == ' ')
				ps->p++;
			continue;
		}
		if (left(ps) == 0 || *ps->p != *p)
			return false;
		p++;
		ps->p++;
	}
	return true;
}

/* -- the whole ----------------------------------------------------------------------------------------- */

/* Month and day from the day of the year; what is wrong, or NULL. */
static const char *settle_year_day(struct parser *ps)
{
	bool leap = calendar_is_leap(ps->year);
	int month = 1, day;

	if (ps->year_day < 1 || ps->year_day > 365 + leap)
		return "day-of-year out of range";
	while (month < 12 && ps->year_day > calendar_days_before(month + 1) + (leap && month >= 2))
		month++;
	day = ps->year_day - calendar_days_before(month) - (leap && month > 2);
	if (ps->month != UNSET && ps->month != month)
		return "day-of-year does not match month";
	if (ps->day != UNSET && ps->day != day)
		return "day-of-year does not match day";
	ps->month = month;
	ps->day = day;
	return NULL;
}

static const char *settle(struct parser *ps)
{
	const char *problem = ps->year_day != UNSET ? settle_year_day(ps) : NULL;

	if (problem)
		return problem;
	if (ps->pm && ps->hour < 12)
		ps->hour += 12;
	else if (ps->am && ps->hour == 12)
		ps->hour = 0;
	if (ps->month == UNSET)
		ps->month = 1;
	if (ps->day == UNSET)
		ps->day = 1;
	if (ps->day < 1 || ps->day > calendar_days_in(ps->year, ps->month))
		return "day out of range";
	return NULL;
}

static void add_quoted(struct buf *b, const char *before, const char *s, size_t len)
{
	buf_adds(b, before);
	buf_addc(b, '"');
	buf_add_escaped(b, s, len, QUOTED_BYTES_MAX);
	buf_addc(b, '"');
}

/* The sentence begins with the value. */
static int fail(struct err *e, const char *value, size_t len, struct buf *rest)
{
	struct buf b = BUF_INIT;

	add_quoted(&b, "parsing time ", value, len);
	buf_adds(&b, buf_str(rest));
	err_set(e, ERR_INVALID, "%s", buf_str(&b));
	buf_done(&b);
	buf_done(rest);
	return -1;
}

int layout_parse(const char *layout, size_t layout_len, const char *value, size_t value_len, struct layout_parsed *ret,
	struct err *e)
{
	struct parser ps = {.p = value, .end = value + value_len, .month = UNSET, .day = UNSET, .year_day = UNSET};
	const char *at = layout, *end = layout + layout_len, *problem, *hold;
	struct buf text = BUF_INIT;
	struct layout_piece piece;

	do {
		piece = layout_next(at, end);
		at = piece.text + piece.text_len;
		if (!take_literal(&ps, piece.literal, piece.literal_len)) {
			piece.text = piece.literal;
			piece.text_len = piece.literal_len;
			hold = ps.p;
			goto cannot_parse;
		}
		hold = ps.p;
		if (!take_token(&ps, &piece, at, end) && !ps.out_of_range)
			goto cannot_parse;
		if (ps.out_of_range) {
			buf_addf(&text, ": %s out of range", ps.out_of_range);
			return fail(e, value, value_len, &text);
		}
	} while (piece.token != TOKEN_END);
	if (left(&ps) > 0) {
		add_quoted(&text, ": extra text: ", ps.p, left(&ps));
		return fail(e, value, value_len, &text);
	}
	problem = settle(&ps);
	if (problem) {
		buf_addf(&text, ": %s", problem);
		return fail(e, value, value_len, &text);
	}
	*ret = (struct layout_parsed){
		.year = ps.year,
		.month = ps.month,
		.day = ps.day,
		.hour = ps.hour,
		.minute = ps.minute,
		.second = ps.second,
		.nanosecond = ps.nanosecond,
		.is_utc = ps.is_utc,
		.has_offset = ps.has_offset,
		.offset = ps.offset,
	};
	if (ps.zone_len > 0)
		memcpy(ret->abbreviation, ps.zone, ps.zone_len);
	return 0;
cannot_parse:
	add_quoted(&text, " as ", layout, layout_len);
	add_quoted(&text, ": cannot parse ", hold, (size_t)(ps.end - hold));
	add_quoted(&text, " as ", piece.text, piece.text_len);
	return fail(e, value, value_len, &text);
}
