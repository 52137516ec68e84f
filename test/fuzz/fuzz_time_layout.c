/*
 * Layouts and texts of times from programs and their peers.
 *
 * The input is a layout, a NUL, and a text. Writing must keep to its room whatever the layout says; reading must end with a valid date or one sentence;
 * what was read with a layout that tells all is read back from its own rendering.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bind/time_layout.h"

#define MUST(cond)                                                                         \
	do {                                                                               \
		if (!(cond)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                           \
		}                                                                          \
	} while (0)

static const char whole[] = "2006-01-02 15:04:05.000000000";

static void write_and_compare(const struct layout_time *t, const char *layout, size_t len)
{
	size_t n = layout_format(t, layout, len, NULL, 0);
	char *out = malloc(n + 1), *half = malloc(n / 2 + 1);

	MUST(n <= len * 16 + 64);
	MUST(layout_format(t, layout, len, out, n) == n);
	MUST(layout_format(t, layout, len, half, n / 2) == n);
	MUST(memcmp(out, half, n / 2) == 0);
	free(out);
	free(half);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *nul = memchr(data, '\0', len);
	const char *layout = (const char *)data, *value;
	size_t layout_len, value_len;
	struct layout_parsed p, again;
	struct err e = {0};
	struct calendar_sum s;
	struct layout_time t = {.abbreviation = ""};
	int64_t seconds;
	char out[64];
	size_t n;

	if (!nul)
		return 0;
	layout_len = (size_t)(nul - data);
	value = (const char *)nul + 1;
	value_len = len - layout_len - 1;
	if (layout_parse(layout, layout_len, value, value_len, &p, &e) < 0) {
		MUST(e.kind == ERR_INVALID && strncmp(e.text, "parsing time \"", 14) == 0);
		calendar_from_seconds((int64_t)len * 86399 * 365, &t.calendar);
		write_and_compare(&t, layout, layout_len);
		return 0;
	}
	MUST(p.year >= 0 && p.year <= 9999 && p.month >= 1 && p.month <= 12 && p.day >= 1 && p.day <= 31);
	MUST(p.hour >= 0 && p.hour < 24 && p.minute >= 0 && p.minute < 60 && p.second >= 0 && p.second < 60);
	MUST(p.nanosecond >= 0 && p.nanosecond < NS_PER_SECOND && p.offset >= -93660 && p.offset <= 93660);
	MUST(strlen(p.abbreviation) <= LAYOUT_ZONE_MAX);
	s = (struct calendar_sum){p.year, p.month, p.day, p.hour, p.minute, p.second, p.nanosecond};
	MUST(calendar_to_seconds(&s, &seconds, &t.nanosecond));
	calendar_from_seconds(seconds, &t.calendar);
	MUST(t.calendar.day == p.day && t.calendar.month == p.month && t.calendar.year == p.year);
	t.offset = p.offset;
	t.abbreviation = p.abbreviation;
	write_and_compare(&t, layout, layout_len);
	n = layout_format(&t, whole, strlen(whole), out, sizeof(out));
	MUST(n < sizeof(out));
	MUST(layout_parse(whole, strlen(whole), out, n, &again, &e) == 0);
	MUST(again.year == p.year && again.day == p.day && again.second == p.second &&
		again.nanosecond == p.nanosecond);
	return 0;
}
