#include "sql/timestamp.h"

#include <stdbool.h>
#include <stdio.h>

static const char unreadable[] = "0001-01-01T00:00:00Z";

struct reader {
	const char *at;
	const char *end;
};

/* Days since 1970-01-01 of a date of the Gregorian calendar, counted in eras of 400 years. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	unsigned of_era = (unsigned)(y - era * 400);
	unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + (int64_t)(of_era * 365 + of_era / 4 - of_era / 100 + of_year) - 719468;
}

static void date_of(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned doe = (unsigned)(z - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;

	*ret_day = doy - (153 * mp + 2) / 5 + 1;
	*ret_month = mp < 10 ? mp + 3 : mp - 9;
	*ret_year = (int64_t)yoe + era * 400 + (*ret_month <= 2);
}

static size_t write_seconds(int64_t seconds, char out[static SQL_TIMESTAMP_MAX])
{
	int64_t days = seconds >= 0 ? seconds / 86400 : -((-seconds + 86399) / 86400);
	unsigned rest = (unsigned)(seconds - days * 86400);
	unsigned month, day;
	int64_t year;

	date_of(days, &year, &month, &day);
	return (size_t)snprintf(out, SQL_TIMESTAMP_MAX, "%04lld-%02u-%02uT%02u:%02u:%02uZ", (long long)year, month, day,
		rest / 3600, rest / 60 % 60, rest % 60);
}

size_t sql_timestamp_from_int(int64_t v, char out[static SQL_TIMESTAMP_MAX])
{
	if (v > 1000000000000 || v < -1000000000000)
		v = v >= 0 ? v / 1000 : -(-(v + 1) / 1000) - 1; /* down, also before 1970 */
	return write_seconds(v, out);
}

static bool take_digits(struct reader *r, unsigned n, unsigned *ret)
{
	unsigned v = 0;

	for (unsigned i = 0; i < n; i++) {
		if (r->at == r->end || *r->at < '0' || *r->at > '9')
			return false;
		v = v * 10 + (unsigned)(*r->at++ - '0');
	}
	*ret = v;
	return true;
}

static bool take(struct reader *r, char c)
{
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

static unsigned days_in(unsigned year, unsigned month)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		return 29;
	return days[month - 1];
}

static bool read_date(struct reader *r, int64_t *ret_seconds)
{
	unsigned year, month, day;

	if (!take_digits(r, 4, &year) || !take(r, '-') || !take_digits(r, 2, &month) || !take(r, '-') ||
		!take_digits(r, 2, &day))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > days_in(year, month))
		return false;
	*ret_seconds = days_of(year, month, day) * 86400;
	return true;
}

static bool read_clock(struct reader *r, int64_t *seconds)
{
	unsigned hour, minute, second = 0;

	if (!take_digits(r, 2, &hour) || !take(r, ':') || !take_digits(r, 2, &minute))
		return false;
	if (take(r, ':')) {
		if (!take_digits(r, 2, &second))
			return false;
		if (take(r, '.')) {
			const char *digits = r->at;

			while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
				r->at++;
			if (r->at == digits)
				return false;
		}
	}
	if (hour > 23 || minute > 59 || second > 59)
		return false;
	*seconds += hour * 3600 + minute * 60 + second;
	return true;
}

static bool read_zone(struct reader *r, int64_t *seconds)
{
	unsigned hour, minute;
	int sign;

	if (r->at == r->end)
		return true;
	sign = *r->at == '+' ? 1 : *r->at == '-' ? -1 : 0;
	r->at++;
	if (sign == 0 || !take_digits(r, 2, &hour) || !take(r, ':') || !take_digits(r, 2, &minute) || hour > 23 ||
		minute > 59)
		return false;
	*seconds -= sign * (int64_t)(hour * 3600 + minute * 60);
	return true;
}

size_t sql_timestamp_from_text(const char *text, size_t len, char out[static SQL_TIMESTAMP_MAX])
{
	struct reader r = {text, text + len};
	int64_t seconds;
	bool ok;

	if (len > 0 && text[len - 1] == 'Z')
		r.end--;
	ok = read_date(&r, &seconds);
	if (ok && r.at < r.end && (*r.at == ' ' || *r.at == 'T')) {
		r.at++;
		ok = read_clock(&r, &seconds);
	}
	if (!ok || !read_zone(&r, &seconds) || r.at != r.end)
		return (size_t)snprintf(out, SQL_TIMESTAMP_MAX, "%s", unreadable);
	return write_seconds(seconds, out);
}

size_t sql_timestamp_format(int64_t unix_ns, char out[static SQL_TIMESTAMP_MAX])
{
	int64_t seconds = unix_ns / 1000000000;
	int ns = (int)(unix_ns % 1000000000), digits = 9;
	size_t len;

	if (ns < 0) {
		ns += 1000000000;
		seconds--;
	}
	len = write_seconds(seconds, out) - 1; /* without the Z */
	out[10] = ' ';
	while (digits > 0 && ns % 10 == 0) {
		ns /= 10;
		digits--;
	}
	if (digits > 0)
		len += (size_t)snprintf(out + len, SQL_TIMESTAMP_MAX - len, ".%0*d", digits, ns);
	return len + (size_t)snprintf(out + len, SQL_TIMESTAMP_MAX - len, "+00:00");
}
