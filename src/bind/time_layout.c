#include "bind/time_layout.h"

#include <string.h>

#include "base/alloc.h"
#include "bind/time_layout_token.h"

const char *const layout_months[12] = {
	"January",
	"February",
	"March",
	"April",
	"May",
	"June",
	"July",
	"August",
	"September",
	"October",
	"November",
	"December",
};
const char *const layout_weekdays[7] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

/* -- tokens -------------------------------------------------------------------------------------------- */

/* Of those that begin alike, the longer stands first. */
static const struct {
	const char *text;
	enum layout_token token;
	bool not_in_word; /* a small letter behind makes it part of another word */
	struct layout_offset offset;
} tokens[] = {
	{"January", TOKEN_MONTH_LONG, false, {0}},
	{"Jan", TOKEN_MONTH, true, {0}},
	{"Monday", TOKEN_WEEKDAY_LONG, false, {0}},
	{"Mon", TOKEN_WEEKDAY, true, {0}},
	{"MST", TOKEN_ZONE, false, {0}},
	{"01", TOKEN_MONTH_ZERO, false, {0}},
	{"02", TOKEN_DAY_ZERO, false, {0}},
	{"03", TOKEN_HOUR12_ZERO, false, {0}},
	{"04", TOKEN_MINUTE_ZERO, false, {0}},
	{"05", TOKEN_SECOND_ZERO, false, {0}},
	{"06", TOKEN_YEAR, false, {0}},
	{"002", TOKEN_YEAR_DAY_ZERO, false, {0}},
	{"15", TOKEN_HOUR, false, {0}},
	{"1", TOKEN_MONTH_NUMBER, false, {0}},
	{"2006", TOKEN_YEAR_LONG, false, {0}},
	{"2", TOKEN_DAY, false, {0}},
	{"_2", TOKEN_DAY_SPACE, false, {0}},
	{"__2", TOKEN_YEAR_DAY_SPACE, false, {0}},
	{"3", TOKEN_HOUR12, false, {0}},
	{"4", TOKEN_MINUTE, false, {0}},
	{"5", TOKEN_SECOND, false, {0}},
	{"PM", TOKEN_PM, false, {0}},
	{"pm", TOKEN_PM_SMALL, false, {0}},
	{"-070000", TOKEN_OFFSET, false, {.minutes = true, .seconds = true}},
	{"-07:00:00", TOKEN_OFFSET, false, {.colons = true, .minutes = true, .seconds = true}},
	{"-0700", TOKEN_OFFSET, false, {.minutes = true}},
	{"-07:00", TOKEN_OFFSET, false, {.colons = true, .minutes = true}},
	{"-07", TOKEN_OFFSET, false, {0}},
	{"Z070000", TOKEN_OFFSET, false, {.z = true, .minutes = true, .seconds = true}},
	{"Z07:00:00", TOKEN_OFFSET, false, {.z = true, .colons = true, .minutes = true, .seconds = true}},
	{"Z0700", TOKEN_OFFSET, false, {.z = true, .minutes = true}},
	{"Z07:00", TOKEN_OFFSET, false, {.z = true, .colons = true, .minutes = true}},
	{"Z07", TOKEN_OFFSET, false, {.z = true}},
};

static bool begins_with(const char *p, const char *end, const char *text)
{
	size_t n = strlen(text);

	return (size_t)(end - p) >= n && memcmp(p, text, n) == 0;
}

/* A point or comma and a run of zeros or nines that no other digit follows: its length, else 0. */
static size_t fraction_length(const char *p, const char *end)
{
	const char *q = p + 1;

	if ((*p != '.' && *p != ',') || q == end || (*q != '0' && *q != '9'))
		return 0;
	while (q < end && *q == p[1])
		q++;
	return q < end && *q >= '0' && *q <= '9' ? 0 : (size_t)(q - p);
}

/* The token that begins at `p`. */
static bool match(const char *p, const char *end, struct layout_piece *piece)
{
	size_t fraction = fraction_length(p, end);

	piece->text = p;
	if (fraction) {
		piece->token = p[1] == '0' ? TOKEN_FRACTION_FIXED : TOKEN_FRACTION;
		piece->text_len = fraction;
		return true;
	}
	if (!memchr("JM0123456789_Pp-Z", *p, 17))
		return false;
	/* _2006 is an underscore and a year. */
	if (begins_with(p, end, "_2006"))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
		size_t n = strlen(tokens[i].text);

		if (!begins_with(p, end, tokens[i].text))
			continue;
		if (tokens[i].not_in_word && p + n < end && p[n] >= 'a' && p[n] <= 'z')
			continue;
		piece->token = tokens[i].token;
		piece->text_len = n;
		piece->offset = tokens[i].offset;
		return true;
	}
	return false;
}

struct layout_piece layout_next(const char *p, const char *end)
{
	struct layout_piece piece = {.literal = p, .token = TOKEN_END};
	const char *at;

	for (at = p; at < end; at++) {
		if (match(at, end, &piece)) {
			piece.literal_len = (size_t)(at - p);
			return piece;
		}
	}
	piece.literal_len = (size_t)(end - p);
	piece.text = end;
	return piece;
}

/* -- writing ------------------------------------------------------------------------------------------- */

/* Counts everything, keeps what fits. */
struct writer {
	char *out;
	size_t cap;
	size_t len;
};

static void put(struct writer *w, const char *s, size_t n)
{
	if (w->len < w->cap)
		memcpy(w->out + w->len, s, n < w->cap - w->len ? n : w->cap - w->len);
	w->len += n;
}

static void put_char(struct writer *w, char c)
{
	put(w, &c, 1);
}

/* At least `width` digits, zeros in front. */
static void put_number(struct writer *w, int64_t v, int width)
{
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	char text[24];
	char *end = text + sizeof(text), *p = end;

	while (u > 0 || p == end || end - p < width) {
		*--p = (char)('0' + u % 10);
		u /= 10;
	}
	if (v < 0)
		*--p = '-';
	put(w, p, (size_t)(end - p));
}

static void put_padded(struct writer *w, int v, int width)
{
	for (int limit = 10, i = 1; i < width; i++, limit *= 10) {
		if (v < limit)
			put_char(w, ' ');
	}
	put_number(w, v, 1);
}

/* Minutes are cut off, not rounded, where seconds are not asked for; the sign is that of the minutes. */
static void put_offset(struct writer *w, int32_t offset, struct layout_offset form)
{
	int minutes = offset / 60, seconds = offset % 60;

	if (form.z && offset == 0) {
		put_char(w, 'Z');
		return;
	}
	put_char(w, minutes < 0 ? '-' : '+');
	if (minutes < 0) {
		minutes = -minutes;
		seconds = -seconds;
	}
	put_number(w, minutes / 60, 2);
	if (form.minutes) {
		if (form.colons)
			put_char(w, ':');
		put_number(w, minutes % 60, 2);
	}
	if (form.seconds) {
		if (form.colons)
			put_char(w, ':');
		put_number(w, seconds, 2);
	}
}

/* `p` is the token: a separator and as many digits as are wanted; there are nine at most. */
static void put_fraction(struct writer *w, int32_t nanosecond, const char *p, size_t len, bool trim)
{
	char digits[9];
	size_t n = len - 1 < sizeof(digits) ? len - 1 : sizeof(digits);

	for (int i = 8; i >= 0; i--) {
		digits[i] = (char)('0' + nanosecond % 10);
		nanosecond /= 10;
	}
	while (trim && n > 0 && digits[n - 1] == '0')
		n--;
	if (n == 0)
		return;
	put_char(w, p[0]);
	put(w, digits, n);
}

static void put_token(struct writer *w, const struct layout_time *t, const struct layout_piece *piece)
{
	const struct calendar *c = &t->calendar;
	const char *name;

	switch (piece->token) {
	case TOKEN_END:
		break;
	case TOKEN_YEAR_LONG:
		put_number(w, c->year, 4);
		break;
	case TOKEN_YEAR:
		put_number(w, (c->year < 0 ? -c->year : c->year) % 100, 2);
		break;
	case TOKEN_MONTH_LONG:
	case TOKEN_MONTH:
		name = layout_months[c->month - 1];
		put(w, name, piece->token == TOKEN_MONTH ? 3 : strlen(name));
		break;
	case TOKEN_MONTH_ZERO:
		put_number(w, c->month, 2);
		break;
	case TOKEN_MONTH_NUMBER:
		put_number(w, c->month, 1);
		break;
	case TOKEN_WEEKDAY_LONG:
	case TOKEN_WEEKDAY:
		name = layout_weekdays[c->weekday];
		put(w, name, piece->token == TOKEN_WEEKDAY ? 3 : strlen(name));
		break;
	case TOKEN_DAY_ZERO:
		put_number(w, c->day, 2);
		break;
	case TOKEN_DAY_SPACE:
		put_padded(w, c->day, 2);
		break;
	case TOKEN_DAY:
		put_number(w, c->day, 1);
		break;
	case TOKEN_YEAR_DAY_ZERO:
		put_number(w, c->year_day, 3);
		break;
	case TOKEN_YEAR_DAY_SPACE:
		put_padded(w, c->year_day, 3);
		break;
	case TOKEN_HOUR:
		put_number(w, c->hour, 2);
		break;
	case TOKEN_HOUR12_ZERO:
	case TOKEN_HOUR12:
		put_number(w, c->hour % 12 == 0 ? 12 : c->hour % 12, piece->token == TOKEN_HOUR12 ? 1 : 2);
		break;
	case TOKEN_MINUTE_ZERO:
	case TOKEN_MINUTE:
		put_number(w, c->minute, piece->token == TOKEN_MINUTE ? 1 : 2);
		break;
	case TOKEN_SECOND_ZERO:
	case TOKEN_SECOND:
		put_number(w, c->second, piece->token == TOKEN_SECOND ? 1 : 2);
		break;
	case TOKEN_PM:
		put(w, c->hour >= 12 ? "PM" : "AM", 2);
		break;
	case TOKEN_PM_SMALL:
		put(w, c->hour >= 12 ? "pm" : "am", 2);
		break;
	case TOKEN_FRACTION_FIXED:
	case TOKEN_FRACTION:
		put_fraction(w, t->nanosecond, piece->text, piece->text_len, piece->token == TOKEN_FRACTION);
		break;
	case TOKEN_ZONE:
		if (t->abbreviation[0])
			put(w, t->abbreviation, strlen(t->abbreviation));
		else
			put_offset(w, t->offset, (struct layout_offset){.minutes = true});
		break;
	case TOKEN_OFFSET:
		put_offset(w, t->offset, piece->offset);
		break;
	}
}

size_t layout_format(const struct layout_time *t, const char *layout, size_t len, char *out, size_t cap)
{
	struct writer w = {.out = out, .cap = cap};
	const char *p = layout, *end = layout + len;

	while (p < end) {
		struct layout_piece piece = layout_next(p, end);

		put(&w, piece.literal, piece.literal_len);
		put_token(&w, t, &piece);
		p = piece.text + piece.text_len;
	}
	return w.len;
}
