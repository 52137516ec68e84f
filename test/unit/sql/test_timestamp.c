/*
 * Times in columns, as one text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sql/timestamp.h"

static void check_text(const char *text, const char *want)
{
	char out[SQL_TIMESTAMP_MAX];
	size_t len = sql_timestamp_from_text(text, strlen(text), out);

	assert_string_equal(out, want);
	assert_int_equal(len, strlen(want));
}

static void test_text(void **state)
{
	(void)state;
	check_text("2024-06-15", "2024-06-15T00:00:00Z");
	check_text("2024-06-15 14:30", "2024-06-15T14:30:00Z");
	check_text("2024-06-15T14:30:45", "2024-06-15T14:30:45Z");
	check_text("2024-06-15 14:30:45.999999999", "2024-06-15T14:30:45Z");
	check_text("2024-06-15T14:30:45Z", "2024-06-15T14:30:45Z");
	check_text("2024-06-15 14:30:45.5+02:00", "2024-06-15T12:30:45Z");
	check_text("2024-12-31 23:30:00-01:30", "2025-01-01T01:00:00Z");
	check_text("2024-02-29", "2024-02-29T00:00:00Z");
	check_text("1969-12-31 23:59:59", "1969-12-31T23:59:59Z");
	check_text("0000-01-01", "0000-01-01T00:00:00Z");
}

static void test_unreadable(void **state)
{
	static const char *const texts[] = {"", "Z", "yesterday", "2023-02-29", "2024-13-01", "2024-00-10",
		"2024-06-15 ", "2024-06-15 24:00", "2024-06-15 14:60", "2024-06-15 14:30:60", "2024-06-15 14:30:45.",
		"2024-06-15x", "2024-06-15 14:30:45+2", "2024-06-15 14:30:45 +02:00", "2024-6-15", "24-06-15",
		"2024-06-15 14:30:45+24:00"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check_text(texts[i], "0001-01-01T00:00:00Z");
}

static void check_int(int64_t v, const char *want)
{
	char out[SQL_TIMESTAMP_MAX];

	assert_int_equal(sql_timestamp_from_int(v, out), strlen(want));
	assert_string_equal(out, want);
}

static void test_int(void **state)
{
	char out[SQL_TIMESTAMP_MAX];

	(void)state;
	check_int(0, "1970-01-01T00:00:00Z");
	check_int(1718461845, "2024-06-15T14:30:45Z");
	check_int(1718461845999, "2024-06-15T14:30:45Z");
	check_int(-1, "1969-12-31T23:59:59Z");
	check_int(-1000000000001, "1938-04-24T22:13:19Z");
	/* No overflow, whatever they mean. */
	assert_true(sql_timestamp_from_int(INT64_MAX, out) < SQL_TIMESTAMP_MAX);
	assert_true(sql_timestamp_from_int(INT64_MIN, out) < SQL_TIMESTAMP_MAX);
}

static void check_format(int64_t ns, const char *want)
{
	char out[SQL_TIMESTAMP_MAX];

	assert_int_equal(sql_timestamp_format(ns, out), strlen(want));
	assert_string_equal(out, want);
}

static void test_format(void **state)
{
	(void)state;
	check_format(0, "1970-01-01 00:00:00+00:00");
	check_format(1718461845123456789, "2024-06-15 14:30:45.123456789+00:00");
	check_format(1718461845100000000, "2024-06-15 14:30:45.1+00:00");
	check_format(-1, "1969-12-31 23:59:59.999999999+00:00");
	check_format(INT64_MAX, "2262-04-11 23:47:16.854775807+00:00");
}

/* Stores compare them as text. */
static void test_order(void **state)
{
	static const int64_t times[] = {0, 1, 100000000, 120000000, 123456789, 900000000, 1000000000, 1000000001};
	char before[SQL_TIMESTAMP_MAX], after[SQL_TIMESTAMP_MAX];

	(void)state;
	for (size_t i = 1; i < sizeof(times) / sizeof(times[0]); i++) {
		sql_timestamp_format(times[i - 1], before);
		sql_timestamp_format(times[i], after);
		assert_true(strcmp(before, after) < 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_int),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
