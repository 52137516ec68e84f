/*
 * Ranges of bytes, conditions, dates.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "http/date.h"
#include "http/range.h"

static void ranges(void **state)
{
	static const struct {
		const char *text;
		uint64_t size;
		enum http_range_result result;
		const char *got; /* "start+len ..." */
	} cases[] = {
		{NULL, 10, HTTP_RANGE_WHOLE, ""},
		{"bytes=0-0", 10, HTTP_RANGE_SOME, "0+1 "},
		{"BYTES=2-4", 10, HTTP_RANGE_SOME, "2+3 "},
		{"bytes=5-", 10, HTTP_RANGE_SOME, "5+5 "},
		{"bytes=-3", 10, HTTP_RANGE_SOME, "7+3 "},
		{"bytes=-30", 10, HTTP_RANGE_SOME, "0+10 "},
		{"bytes=8-99", 10, HTTP_RANGE_SOME, "8+2 "},
		{"bytes= 0-1 ,\t3-4, ,5-5,", 10, HTTP_RANGE_SOME, "0+2 3+2 5+1 "},
		{"bytes=9-9,0-0", 10, HTTP_RANGE_SOME, "9+1 0+1 "},
		{"bytes=20-,0-0", 10, HTTP_RANGE_SOME, "0+1 "},
		{"bytes=10-", 10, HTTP_RANGE_UNSATISFIABLE, ""},
		{"bytes=-0", 10, HTTP_RANGE_UNSATISFIABLE, ""},
		{"bytes=4-2", 10, HTTP_RANGE_UNSATISFIABLE, ""},
		{"bytes=a-b", 10, HTTP_RANGE_UNSATISFIABLE, ""},
		{"bytes=1", 10, HTTP_RANGE_UNSATISFIABLE, ""},
		{"bytes=1-2x", 10, HTTP_RANGE_UNSATISFIABLE, ""},
		{"bytes=--1", 10, HTTP_RANGE_UNSATISFIABLE, ""},
		{"bytes=99999999999999999999999999-", 10, HTTP_RANGE_UNSATISFIABLE, ""},
		{"bytes=0-99999999999999999999999999", 10, HTTP_RANGE_SOME, "0+10 "},
		{"bytes=-99999999999999999999999999", 10, HTTP_RANGE_SOME, "0+10 "},
		{"bytes=0-,0-", 10, HTTP_RANGE_WHOLE, ""},
		{"bytes=0-0", 0, HTTP_RANGE_WHOLE, ""},
		{"bytes=", 10, HTTP_RANGE_WHOLE, ""},
		{"lines=0-1", 10, HTTP_RANGE_WHOLE, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_range r[HTTP_RANGES_MAX];
		char got[256] = "";
		size_t n;

		assert_int_equal(http_range_parse(cases[i].text, cases[i].size, r, &n), cases[i].result);
		for (size_t k = 0; k < n; k++)
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%llu+%llu ",
				(unsigned long long)r[k].start, (unsigned long long)r[k].len);
		assert_string_equal(got, cases[i].got);
	}
}

static void many_ranges_are_ignored(void **state)
{
	char text[16 * (HTTP_RANGES_MAX + 2)] = "bytes=";
	struct http_range r[HTTP_RANGES_MAX];
	size_t n;

	(void)state;
	for (int i = 0; i < HTTP_RANGES_MAX; i++)
		strcat(text, "1-1,");
	assert_int_equal(http_range_parse(text, 1000, r, &n), HTTP_RANGE_SOME);
	assert_int_equal(n, HTTP_RANGES_MAX);
	strcat(text, "1-1");
	assert_int_equal(http_range_parse(text, 1000, r, &n), HTTP_RANGE_WHOLE);
}

static void conditions(void **state)
{
	static const char then[] = "Sun, 06 Nov 1994 08:49:37 GMT", before[] = "Sun, 06 Nov 1994 08:49:36 GMT";
	static const struct {
		struct http_conditions c;
		enum http_condition result;
	} cases[] = {
		{{.is_get = true}, HTTP_CONDITION_PASS},
		{{.is_get = true, .if_modified_since = then}, HTTP_CONDITION_NOT_MODIFIED},
		{{.is_get = true, .if_modified_since = before}, HTTP_CONDITION_PASS},
		{{.is_get = true, .if_modified_since = "yesterday"}, HTTP_CONDITION_PASS},
		{{.is_get = false, .if_modified_since = then}, HTTP_CONDITION_PASS},
		{{.is_get = true, .if_unmodified_since = then}, HTTP_CONDITION_PASS},
		{{.is_get = true, .if_unmodified_since = before}, HTTP_CONDITION_FAILED},
		{{.is_get = false, .if_unmodified_since = before}, HTTP_CONDITION_FAILED},
		{{.is_get = true, .if_none_match = "\"b\", W/\"a\""}, HTTP_CONDITION_NOT_MODIFIED},
		{{.is_get = true, .if_none_match = "*"}, HTTP_CONDITION_NOT_MODIFIED},
		{{.is_get = false, .if_none_match = "\"a\""}, HTTP_CONDITION_FAILED},
		/* It is there, so the date does not count. */
		{{.is_get = true, .if_none_match = "\"b\"", .if_modified_since = then}, HTTP_CONDITION_PASS},
		{{.is_get = true, .if_match = "\"a\""}, HTTP_CONDITION_PASS},
		{{.is_get = true, .if_match = "W/\"a\""}, HTTP_CONDITION_FAILED},
		{{.is_get = true, .if_match = "\"a"}, HTTP_CONDITION_FAILED},
		{{.is_get = true, .if_match = "\"x\" \"a\"", .if_unmodified_since = before}, HTTP_CONDITION_PASS},
	};
	struct http_validators v = {.has_modified = true, .etag = "\"a\""};

	(void)state;
	assert_true(http_date_parse(then, &v.modified));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(http_condition_check(&cases[i].c, &v), cases[i].result);
	assert_true(http_if_range(NULL, &v));
	assert_true(http_if_range(then, &v));
	assert_false(http_if_range(before, &v));
	assert_true(http_if_range("\"a\"", &v));
	assert_false(http_if_range("\"b\"", &v));
	v.etag = "W/\"a\"";
	assert_false(http_if_range("W/\"a\"", &v));
	v.etag = NULL;
	assert_int_equal(
		http_condition_check(&(struct http_conditions){.if_match = "\"a\""}, &v), HTTP_CONDITION_FAILED);
	assert_int_equal(http_condition_check(&(struct http_conditions){.if_none_match = "\"a\"", .is_get = true}, &v),
		HTTP_CONDITION_PASS);
}

static void dates(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds; /* -1: none */
	} cases[] = {
		{"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
		{"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
		{"Sun Nov  6 08:49:37 1994", 784111777},
		{"Thu, 01 Jan 1970 00:00:00 GMT", 0},
		{"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
		{"Sun, 06 Nov 1994 08:49:37", -1},
		{"Sun, 06 Nov 1994 08:49:37 GMT ", -1},
		{"Sun, 06 Foo 1994 08:49:37 GMT", -1},
		{"Sun, 06 Nov 1994 25:49:37 GMT", -1},
		{"Sun, 00 Nov 1994 08:49:37 GMT", -1},
		{"Sun, 06 Nov 1994 08:49:37 CET", -1},
		{"784111777", -1},
		{"", -1},
	};
	char out[HTTP_DATE_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t t = -1;

		assert_int_equal(http_date_parse(cases[i].text, &t), cases[i].seconds >= 0);
		assert_int_equal(t, cases[i].seconds);
	}
	assert_string_equal(http_date_format(784111777, out), "Sun, 06 Nov 1994 08:49:37 GMT");
	assert_string_equal(http_date_format(INT64_MAX, out), "Thu, 01 Jan 1970 00:00:00 GMT");
	assert_string_equal(http_date_format(-1, out), "Wed, 31 Dec 1969 23:59:59 GMT");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges),
		cmocka_unit_test(many_ranges_are_ignored),
		cmocka_unit_test(conditions),
		cmocka_unit_test(dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
