/*
 * duration.c - see duration.h
 *
 * The grammar and the text form are those of Go's time package (time.ParseDuration, time.Duration.String).
 */
#include "base/duration.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

enum { QUOTED_BYTES_MAX = 200 };

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_SECOND UINT64_C(1000000000)
#define NS_LIMIT (UINT64_C(1) << 63) /* the magnitude of INT64_MIN */

static const struct {
	const char *name;
	uint64_t ns;
} units[] = {
	{"ns", 1},
	{"us", NS_PER_US},
	{"\xc2\xb5s", NS_PER_US}, /* U+00B5 micro sign */
	{"\xce\xbcs", NS_PER_US}, /* U+03BC Greek mu */
	{"ms", NS_PER_MS},
	{"s", NS_PER_SECOND},
	{"m", 60 * NS_PER_SECOND},
	{"h", 3600 * NS_PER_SECOND},
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int fail(struct err *e, const char *what, const char *unit, size_t unit_len, const char *text, size_t len)
{
	struct buf b = BUF_INIT;

	buf_addf(&b, "time: %s ", what);
	if (unit) {
		buf_addc(&b, '"');
		buf_add_escaped(&b, unit, unit_len, QUOTED_BYTES_MAX);
		buf_adds(&b, "\" in duration ");
	}
	buf_addc(&b, '"');
	buf_add_escaped(&b, text, len, QUOTED_BYTES_MAX);
	buf_addc(&b, '"');
	err_set(e, ERR_INVALID, "%s", buf_str(&b));
	buf_done(&b);
	return -1;
}

static uint64_t unit_ns(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strlen(units[i].name) == len && memcmp(units[i].name, name, len) == 0)
			return units[i].ns;
	}
	return 0;
}

int duration_parse(const char *text, size_t len, int64_t *ret_ns, struct err *e)
{
	const char *p = text, *end = text + len;
	uint64_t total = 0;
	bool negative = false;

	if (p < end && (*p == '-' || *p == '+'))
		negative = *p++ == '-';
	if (end - p == 1 && *p == '0') {
		*ret_ns = 0;
		return 0;
	}
	if (p == end)
		return fail(e, "invalid duration", NULL, 0, text, len);
	while (p < end) {
		uint64_t whole = 0, fraction = 0, ns;
		double scale = 1;
		bool any = false, full = false;
		const char *unit;

		for (; p < end && is_digit(*p); p++) {
			if (whole > (NS_LIMIT - (uint64_t)(*p - '0')) / 10)
				return fail(e, "invalid duration", NULL, 0, text, len);
			whole = whole * 10 + (uint64_t)(*p - '0');
			any = true;
		}
		if (p < end && *p == '.') {
			for (p++; p < end && is_digit(*p); p++) {
				uint64_t more = fraction * 10 + (uint64_t)(*p - '0');

				any = true;
				/* Digits beyond what 63 bits hold are far below a nanosecond. */
				if (full || fraction > (NS_LIMIT - 1) / 10 || more > NS_LIMIT) {
					full = true;
					continue;
				}
				fraction = more;
				scale *= 10;
			}
		}
		if (!any)
			return fail(e, "invalid duration", NULL, 0, text, len);
		unit = p;
		while (p < end && *p != '.' && !is_digit(*p))
			p++;
		if (p == unit)
			return fail(e, "missing unit in duration", NULL, 0, text, len);
		ns = unit_ns(unit, (size_t)(p - unit));
		if (ns == 0)
			return fail(e, "unknown unit", unit, (size_t)(p - unit), text, len);
		if (whole > NS_LIMIT / ns)
			return fail(e, "invalid duration", NULL, 0, text, len);
		whole *= ns;
		if (fraction > 0)
			whole += (uint64_t)((double)fraction * ((double)ns / scale));
		/* Neither side exceeds 2^63 plus an hour, so the sum cannot wrap. */
		total += whole;
		if (total > NS_LIMIT)
			return fail(e, "invalid duration", NULL, 0, text, len);
	}
	if (!negative && total == NS_LIMIT)
		return fail(e, "invalid duration", NULL, 0, text, len);
	*ret_ns = negative ? (int64_t)(0 - total) : (int64_t)total;
	return 0;
}

/* Write backwards before `at`: the digits of v / 10^digits after the point, zeros at the end dropped. Returns the
 * new start; *ret_whole receives what is before the point. */
static char *put_fraction(char *at, uint64_t v, int digits, uint64_t *ret_whole)
{
	bool seen = false;

	for (int i = 0; i < digits; i++) {
		unsigned digit = (unsigned)(v % 10);

		seen = seen || digit != 0;
		if (seen)
			*--at = (char)('0' + digit);
		v /= 10;
	}
	if (seen)
		*--at = '.';
	*ret_whole = v;
	return at;
}

static char *put_int(char *at, uint64_t v)
{
	do {
		*--at = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	return at;
}

char *duration_format(int64_t ns, char out[static DURATION_TEXT_MAX])
{
	uint64_t v = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
	char text[DURATION_TEXT_MAX];
	char *end = text + sizeof(text);
	char *at = end;

	*--at = '\0';
	*--at = 's';
	if (v == 0) {
		*--at = '0';
	} else if (v < NS_PER_US) {
		*--at = 'n';
		at = put_int(at, v);
	} else if (v < NS_PER_MS) {
		at -= 2;
		memcpy(at, "\xc2\xb5", 2);
		at = put_fraction(at, v, 3, &v);
		at = put_int(at, v);
	} else if (v < NS_PER_SECOND) {
		*--at = 'm';
		at = put_fraction(at, v, 6, &v);
		at = put_int(at, v);
	} else {
		at = put_fraction(at, v, 9, &v);
		at = put_int(at, v % 60);
		v /= 60;
		if (v > 0) {
			*--at = 'm';
			at = put_int(at, v % 60);
			v /= 60;
		}
		if (v > 0) {
			*--at = 'h';
			at = put_int(at, v);
		}
	}
	if (ns < 0)
		*--at = '-';
	memcpy(out, at, (size_t)(end - at));
	return out;
}
