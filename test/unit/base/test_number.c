/* Numbers as text: shortest digits that read back, and where the exponent form begins. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/number.h"

static void floats(void **state)
{
	static const struct {
		double v;
		const char *text;
	} cases[] = {
		{0, "0"},
		{-0.0, "-0"},
		{5.0, "5"},
		{-3, "-3"},
		{0.1, "0.1"},
		{-2.5, "-2.5"},
		{1.0 / 3, "0.3333333333333333"},
		{0.1 + 0.2, "0.30000000000000004"},
		{9007199254740993.0, "9007199254740992"},
		{123456789012345680.0, "123456789012345680"},
		{1e20, "100000000000000000000"},
		{123456789.125, "123456789.125"},
		{1e21, "1e+21"},
		{-1.5e300, "-1.5e+300"},
		{1e100, "1e+100"},
		{1e-6, "0.000001"},
		{1.25e-6, "0.00000125"},
		{9.99e-7, "9.99e-07"},
		{1e-7, "1e-07"},
		{5e-324, "5e-324"},
		{2.2250738585072014e-308, "2.2250738585072014e-308"},
		{1.7976931348623157e308, "1.7976931348623157e+308"},
	};
	char out[NUMBER_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len = number_format_float(cases[i].v, out);

		assert_string_equal(out, cases[i].text);
		assert_int_equal(len, strlen(out));
	}
	number_format_float(INFINITY, out);
	assert_string_equal(out, "+Inf");
	number_format_float(-INFINITY, out);
	assert_string_equal(out, "-Inf");
	number_format_float(NAN, out);
	assert_string_equal(out, "NaN");
}

static void ints(void **state)
{
	char out[NUMBER_TEXT_MAX];

	(void)state;
	assert_int_equal(number_format_int(0, out), 1);
	assert_string_equal(out, "0");
	number_format_int(INT64_MIN, out);
	assert_string_equal(out, "-9223372036854775808");
	number_format_int(INT64_MAX, out);
	assert_string_equal(out, "9223372036854775807");
}

static void plain(void **state)
{
	char out[NUMBER_PLAIN_MAX];

	(void)state;
	number_format_plain(1e21, out, sizeof(out));
	assert_string_equal(out, "1000000000000000000000");
	number_format_plain(-1e-7, out, sizeof(out));
	assert_string_equal(out, "-0.0000001");
	number_format_plain(3.0, out, sizeof(out));
	assert_string_equal(out, "3");
	assert_int_equal(number_format_plain(NAN, out, sizeof(out)), 0);
	assert_int_equal(number_format_plain(INFINITY, out, sizeof(out)), 0);
	/* Four bytes and the NUL need five. */
	assert_int_equal(number_format_plain(12.5, out, 4), 0);
	assert_int_equal(number_format_plain(12.5, out, 5), 4);
	assert_true(number_format_plain(-2.2250738585072014e-308, out, sizeof(out)) > 0);
	assert_true(strtod(out, NULL) == -2.2250738585072014e-308);
	assert_true(number_format_plain(-5e-324, out, sizeof(out)) > 0);
}

/* Any bit pattern must survive both forms. */
static void round_trip(void **state)
{
	uint64_t x = 88172645463325252u;
	char out[NUMBER_PLAIN_MAX], text[NUMBER_TEXT_MAX];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		double v;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(&v, &x, sizeof(v));
		if (isnan(v) || isinf(v))
			continue;
		number_format_float(v, text);
		assert_true(strtod(text, NULL) == v);
		assert_true(number_format_plain(v, out, sizeof(out)) > 0);
		assert_true(strtod(out, NULL) == v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(floats),
		cmocka_unit_test(ints),
		cmocka_unit_test(plain),
		cmocka_unit_test(round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
