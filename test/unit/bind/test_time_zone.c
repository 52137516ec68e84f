/* Calendar, rules, compiled zone files (good and broken ones), and the names that are looked up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "bind/time_calendar.h"
#include "bind/time_zone.h"

/* -- calendar ------------------------------------------------------------------------------------------ */

static void calendar(void **state)
{
	static const struct {
		int64_t seconds;
		struct calendar c;
	} cases[] = {
		{0, {1970, 1, 1, 0, 0, 0, 4, 1}},
		{-1, {1969, 12, 31, 23, 59, 59, 3, 365}},
		{951782400, {2000, 2, 29, 0, 0, 0, 2, 60}},
		{1709251199, {2024, 2, 29, 23, 59, 59, 4, 60}},
		{1735603200, {2024, 12, 31, 0, 0, 0, 2, 366}},
		{4107542400, {2100, 3, 1, 0, 0, 0, 1, 60}},
		{-62135596800, {1, 1, 1, 0, 0, 0, 1, 1}},
		{-62135596801, {0, 12, 31, 23, 59, 59, 0, 366}},
		{-62198755200, {-1, 1, 1, 0, 0, 0, 5, 1}},
		{253402300799, {9999, 12, 31, 23, 59, 59, 5, 365}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct calendar *w = &cases[i].c;
		struct calendar c;
		struct calendar_sum s = {w->year, w->month, w->day, w->hour, w->minute, w->second, 0};
		int64_t seconds;
		int32_t ns;

		calendar_from_seconds(cases[i].seconds, &c);
		assert_int_equal(c.year, w->year);
		assert_int_equal(c.month, w->month);
		assert_int_equal(c.day, w->day);
		assert_int_equal(c.hour, w->hour);
		assert_int_equal(c.minute, w->minute);
		assert_int_equal(c.second, w->second);
		assert_int_equal(c.weekday, w->weekday);
		assert_int_equal(c.year_day, w->year_day);
		assert_true(calendar_to_seconds(&s, &seconds, &ns));
		assert_int_equal(seconds, cases[i].seconds);
	}
}

static void carries_over(void **state)
{
	static const struct {
		struct calendar_sum sum;
		int64_t seconds;
		int32_t ns;
	} cases[] = {
		{{2024, 13, 1, 0, 0, 0, 0}, 1735689600, 0},
		{{2024, 0, 1, 0, 0, 0, 0}, 1701388800, 0},
		{{2024, -11, 1, 0, 0, 0, 0}, 1672531200, 0},
		{{2024, 3, 0, 0, 0, 0, 0}, 1709164800, 0},
		{{2023, 2, 31, 0, 0, 0, 0}, 1677801600, 0},
		{{1970, 1, 1, 0, 0, 0, -1}, -1, 999999999},
		{{1970, 1, 1, -1, 60, 0, 2500000000}, 2, 500000000},
		{{1970, 1, 1, 0, 0, INT64_C(4000000000), 0}, INT64_C(4000000000), 0},
	};
	static const struct calendar_sum beyond[] = {
		{INT64_MAX, 1, 1, 0, 0, 0, 0},
		{INT64_MIN, 1, 1, 0, 0, 0, 0},
		{1970, INT64_MAX, 1, 0, 0, 0, 0},
		{1970, INT64_MIN, 1, 0, 0, 0, 0},
		{1970, 1, INT64_MAX, 0, 0, 0, 0},
		{1970, 1, 1, INT64_MIN, 0, 0, 0},
		{1970, 1, 1, 0, INT64_MAX, 0, 0},
		{1970, 1, 1, 0, 0, INT64_MAX, 0},
		{1970, 1, 1, 0, 0, INT64_MIN, INT64_MIN},
	};
	int64_t seconds = 5;
	int32_t ns;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_true(calendar_to_seconds(&cases[i].sum, &seconds, &ns));
		assert_int_equal(seconds, cases[i].seconds);
		assert_int_equal(ns, cases[i].ns);
	}
	for (size_t i = 0; i < ARRAY_LEN(beyond); i++)
		assert_false(calendar_to_seconds(&beyond[i], &seconds, &ns));
}

/* -- rules --------------------------------------------------------------------------------------------- */

static void rules(void **state)
{
	static const struct {
		const char *rule;
		int64_t seconds;
		int32_t offset;
		const char *abbreviation;
	} cases[] = {
		{"UTC0", 0, 0, "UTC"},
		{"<-03>3", 1700000000, -10800, "-03"},
		{"IST-5:30", 0, 19800, "IST"},
		{"CET-1CEST,M3.5.0,M10.5.0/3", 1711846799, 3600, "CET"},
		{"CET-1CEST,M3.5.0,M10.5.0/3", 1711846800, 7200, "CEST"},
		{"CET-1CEST,M3.5.0,M10.5.0/3", 1729990799, 7200, "CEST"},
		{"CET-1CEST,M3.5.0,M10.5.0/3", 1729990800, 3600, "CET"},
		/* Without a rule, that of the United States. */
		{"EST5EDT", 1710053999, -18000, "EST"},
		{"EST5EDT", 1710054000, -14400, "EDT"},
		/* Summer across the turn of the year. */
		{"AEST-10AEDT,M10.1.0,M4.1.0/3", 1704067200, 39600, "AEDT"},
		{"AEST-10AEDT,M10.1.0,M4.1.0/3", 1719792000, 36000, "AEST"},
		/* Half an hour only. */
		{"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1704067200, 39600, "+11"},
		/* Negative times, as in Greenland. */
		{"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1711846799, -7200, "-02"},
		{"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1711846800, -3600, "-01"},
		/* Negative saving, as in Ireland. */
		{"IST-1GMT0,M10.5.0,M3.5.0/1", 1704067200, 0, "GMT"},
		{"IST-1GMT0,M10.5.0,M3.5.0/1", 1719792000, 3600, "IST"},
		/* Day of the year with and without leap days: March 1, 2024. */
		{"AAA0BBB,J60/0,J61/0", 1709251199, 0, "AAA"},
		{"AAA0BBB,J60/0,J61/0", 1709251200, 3600, "BBB"},
		{"AAA0BBB,59/0,60/0", 1709164800, 3600, "BBB"},
		{"AAA0BBB,59/0,60/0", 1709251200, 0, "AAA"},
		/* All year. */
		{"EST5EDT,0/0,J365/25", 1704085200, -14400, "EDT"},
		{"EST5EDT,0/0,J365/25", 1704085199, -14400, "EDT"},
	};
	static const char *const broken[] = {
		"",
		"U",
		"UT0",
		"UTC",
		"UTC+",
		"UTC0x",
		"<UTC0",
		"<>0",
		"UTC26",
		"UTC0:60",
		"CET-1CEST,",
		"CET-1CEST,M3.5.0",
		"CET-1CEST,M3.5.0,",
		"CET-1CEST,M13.1.0,M10.5.0",
		"CET-1CEST,M3.6.0,M10.5.0",
		"CET-1CEST,M3.5.7,M10.5.0",
		"CET-1CEST,J0,J1",
		"CET-1CEST,366,1",
		"CET-1CEST,M3.5.0/168,M10.5.0",
		"CET-1CEST,M3.5.0,M10.5.0x",
		"CET-1CE,M3.5.0,M10.5.0",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJ0",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct zone z = {.name = cases[i].rule};
		struct zone_table *t;
		struct zone_period p;
		struct err e;

		if (zone_table_from_posix(z.name, strlen(z.name), &t, &e) < 0)
			fail_msg("%s: %s", z.name, e.text);
		z.table = t;
		p = zone_lookup(&z, cases[i].seconds);
		if (p.offset != cases[i].offset || strcmp(p.abbreviation, cases[i].abbreviation) != 0)
			fail_msg("%s at %lld: %d %s", z.name, (long long)cases[i].seconds, p.offset, p.abbreviation);
		zone_table_free(t);
	}
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		struct zone_table *t;

		if (zone_table_from_posix(broken[i], strlen(broken[i]), &t, NULL) == 0)
			fail_msg("\"%s\" was accepted", broken[i]);
	}
}

/* -- files --------------------------------------------------------------------------------------------- */

static void add_u32(struct buf *b, uint32_t v)
{
	char bytes[4] = {(char)(v >> 24), (char)(v >> 16), (char)(v >> 8), (char)v};

	buf_add(b, bytes, 4);
}

static void add_header(struct buf *b, char version, uint32_t times, uint32_t types, uint32_t chars)
{
	char reserved[15] = {0};

	buf_adds(b, "TZif");
	buf_addc(b, version);
	buf_add(b, reserved, sizeof(reserved));
	add_u32(b, 0);
	add_u32(b, 0);
	add_u32(b, 0);
	add_u32(b, times);
	add_u32(b, types);
	add_u32(b, chars);
}

/* Two types, LMT +100 and NEW +3600, and one transition at 1000; then the rule. */
static void make_file(struct buf *b, const char *rule)
{
	add_header(b, '2', 0, 0, 0);
	add_header(b, '2', 1, 2, 8);
	add_u32(b, 0);
	add_u32(b, 1000);
	buf_addc(b, 1);
	add_u32(b, 100);
	buf_add(b, "\0\0", 2);
	add_u32(b, 3600);
	buf_add(b, "\0\4", 2);
	buf_add(b, "LMT\0NEW", 8);
	buf_addf(b, "\n%s\n", rule);
}

static struct zone_period look(struct zone_table *t, int64_t seconds)
{
	struct zone z = {.name = "x", .table = t};

	return zone_lookup(&z, seconds);
}

static void file(void **state)
{
	struct buf b = BUF_INIT;
	struct zone_table *t;
	struct zone z = {.name = "x"};
	int32_t offset;
	struct err e;

	(void)state;
	make_file(&b, "");
	if (zone_table_parse(buf_data(&b), buf_len(&b), &t, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(look(t, INT64_MIN).abbreviation, "LMT");
	assert_int_equal(look(t, 999).offset, 100);
	assert_int_equal(look(t, 1000).offset, 3600);
	assert_string_equal(look(t, INT64_MAX).abbreviation, "NEW");
	z.table = t;
	assert_true(zone_lookup_abbreviation(&z, "NEW", 5000, &offset));
	assert_int_equal(offset, 3600);
	/* Not in force then, but known. */
	assert_true(zone_lookup_abbreviation(&z, "NEW", 0, &offset));
	assert_int_equal(offset, 3600);
	assert_false(zone_lookup_abbreviation(&z, "OLD", 0, &offset));
	assert_int_equal(zone_to_unix(&z, 50), -50);
	assert_int_equal(zone_to_unix(&z, 5000), 1400);
	zone_table_free(t);
	buf_clear(&b);
	make_file(&b, "AAA0");
	assert_int_equal(zone_table_parse(buf_data(&b), buf_len(&b), &t, &e), 0);
	assert_string_equal(look(t, 999).abbreviation, "LMT");
	assert_string_equal(look(t, 1000).abbreviation, "AAA");
	zone_table_free(t);
	buf_done(&b);
}

/* No prefix is a file, and no single changed byte breaks more than the answer. */
static void broken_files(void **state)
{
	struct buf b = BUF_INIT;
	struct zone_table *t;
	struct err e;
	char *copy;

	(void)state;
	make_file(&b, "AAA0BBB,M3.5.0,M10.5.0");
	for (size_t n = 0; n < buf_len(&b); n++) {
		copy = xmemdupz(buf_data(&b), n); /* a block of its own, so that a sanitizer sees its end */
		if (zone_table_parse(copy, n, &t, &e) == 0)
			fail_msg("the first %zu bytes were accepted", n);
		assert_int_equal(e.kind, ERR_INVALID);
		free(copy);
	}
	for (size_t i = 0; i < buf_len(&b); i++) {
		static const unsigned char values[] = {0, 1, 2, 8, 127, 128, 255};

		for (size_t k = 0; k < ARRAY_LEN(values); k++) {
			copy = xmemdupz(buf_data(&b), buf_len(&b));
			copy[i] = (char)values[k];
			if (zone_table_parse(copy, buf_len(&b), &t, &e) == 0) {
				assert_true(strlen(look(t, 0).abbreviation) < 9);
				assert_true(strlen(look(t, 1711846800).abbreviation) < 32);
				zone_table_free(t);
			}
			free(copy);
		}
	}
	buf_done(&b);
}

/* -- names --------------------------------------------------------------------------------------------- */

static void names(void **state)
{
	static const char *const unknown[] = {
		"Mars/Olympus",
		"../zoneinfo/UTC",
		"Europe/../UTC",
		"Europe/./Berlin",
		"/usr/share/zoneinfo/UTC",
		"Europe//Berlin",
		"Europe/Berlin/",
		"Europe",
		"..",
		".",
		"utc\n",
		"Europe\\Berlin",
		"tzdata.zi",
		"zone.tab",
	};
	const struct zone *z, *again;
	struct err e;
	char *longer;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
		if (zone_load(unknown[i], strlen(unknown[i]), &z, &e) == 0)
			fail_msg("%s was found", unknown[i]);
		assert_int_equal(e.kind, ERR_NOT_FOUND);
		assert_memory_equal(e.text, "unknown time zone ", 18);
	}
	assert_int_equal(zone_load("Europe/Berlin\0x", 15, &z, &e), -1);
	longer = xcalloc(1, 100001);
	memset(longer, 'a', 100000);
	assert_int_equal(zone_load(longer, 100000, &z, &e), -1);
	free(longer);
	assert_int_equal(zone_load("UTC", 3, &z, &e), 0);
	assert_ptr_equal(z, &zone_utc);
	assert_int_equal(zone_load("Local", 5, &z, &e), 0);
	assert_ptr_equal(z, zone_local());
	assert_string_equal(z->name, "Local");
	if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0)
		skip();
	assert_int_equal(zone_load("Europe/Berlin", 13, &z, &e), 0);
	assert_string_equal(z->name, "Europe/Berlin");
	assert_int_equal(zone_load("Europe/Berlin", 13, &again, &e), 0);
	assert_ptr_equal(z, again);
	assert_int_equal(zone_lookup(z, 1720000000).offset, 7200);
	assert_int_equal(zone_lookup(z, 1700000000).offset, 3600);
	assert_int_equal(zone_lookup(z, INT64_C(5000000000)).offset, 7200); /* 2128, by the rule */
	/* 02:30 on the days of change: skipped in March, twice in October. */
	assert_int_equal(zone_to_unix(z, 1711852200), 1711848600);
	assert_int_equal(zone_to_unix(z, 1729996200), 1729992600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calendar),
		cmocka_unit_test(carries_over),
		cmocka_unit_test(rules),
		cmocka_unit_test(file),
		cmocka_unit_test(broken_files),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
