/* Durations: the grammar, its three errors, the limits, and the text form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/duration.h"

static void parses(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} cases[] = {
		{"0", 0},
		{"-0", 0},
		{"+0", 0},
		{"0s", 0},
		{"5s", 5000000000},
		{"-5s", -5000000000},
		{"+1.5h", 5400000000000},
		{".5s", 500000000},
		{"1.s", 1000000000},
		{"1h30m45.5s", 5445500000000},
		{"1.5\xc2\xb5s", 1500},
		{"1.5\xce\xbcs", 1500},
		{"3us", 3000},
		{"250ms", 250000000},
		{"1m1m", 120000000000},
		{"0.100000000000000000000h", 360000000000},
		{"0.33333333333333333333h", 1200000000000},
		{"9223372036854775807ns", INT64_MAX},
		{"-9223372036854775808ns", INT64_MIN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = {0};
		int64_t ns = 1;

		if (duration_parse(cases[i].text, strlen(cases[i].text), &ns, &e) < 0)
			fail_msg("%s: %s", cases[i].text, e.text);
		assert_int_equal(ns, cases[i].ns);
	}
}

static void refuses(void **state)
{
	static const struct {
		const char *text;
		const char *error;
	} cases[] = {
		{"", "time: invalid duration \"\""},
		{"-", "time: invalid duration \"-\""},
		{"x", "time: invalid duration \"x\""},
		{".s", "time: invalid duration \".s\""},
		{" 1s", "time: invalid duration \" 1s\""},
		{"3", "time: missing unit in duration \"3\""},
		{"1.2.3s", "time: missing unit in duration \"1.2.3s\""},
		{"00", "time: missing unit in duration \"00\""},
		{"1d", "time: unknown unit \"d\" in duration \"1d\""},
		{"1s ", "time: unknown unit \"s \" in duration \"1s \""},
		{"1s\n", "time: unknown unit \"s\\x0a\" in duration \"1s\\x0a\""},
		{"9223372036854775808ns", "time: invalid duration \"9223372036854775808ns\""},
		{"-9223372036854775809ns", "time: invalid duration \"-9223372036854775809ns\""},
		{"3000000h", "time: invalid duration \"3000000h\""},
		{"9223372036s1s", "time: invalid duration \"9223372036s1s\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = {0};
		int64_t ns = 42;

		assert_int_equal(duration_parse(cases[i].text, strlen(cases[i].text), &ns, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
		assert_string_equal(e.text, cases[i].error);
		assert_int_equal(ns, 42);
	}
}

static void refuses_nul(void **state)
{
	struct err e = {0};
	int64_t ns;

	(void)state;
	assert_int_equal(duration_parse("1s\0", 3, &ns, &e), -1);
}

static void formats(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} cases[] = {
		{0, "0s"},
		{1, "1ns"},
		{20, "20ns"},
		{1100, "1.1\xc2\xb5s"},
		{1500, "1.5\xc2\xb5s"},
		{2200000, "2.2ms"},
		{500000000, "500ms"},
		{999999999, "999.999999ms"},
		{3300000000, "3.3s"},
		{60000000000, "1m0s"},
		{245000000000, "4m5s"},
		{3600000000000, "1h0m0s"},
		{5445500000000, "1h30m45.5s"},
		{-1500000000, "-1.5s"},
		{INT64_MAX, "2562047h47m16.854775807s"},
		{INT64_MIN, "-2562047h47m16.854775808s"},
	};
	char out[DURATION_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(duration_format(cases[i].ns, out), cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),
		cmocka_unit_test(refuses),
		cmocka_unit_test(refuses_nul),
		cmocka_unit_test(formats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
