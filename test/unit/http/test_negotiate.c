/*
 * Codings a client takes, origins that are let in, types by name, token buckets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "http/accept.h"
#include "http/content_type.h"
#include "http/cors.h"
#include "http/rate.h"

static void encodings(void **state)
{
	static const char *const offered[] = {"br", "gzip"};
	static const struct {
		const char *field;
		int index;
	} cases[] = {
		{NULL, -1},
		{"", -1},
		{"gzip", 1},
		{"GZIP", 1},
		{"gzip, deflate, br", 0},
		{"gzip;q=1.0, br;q=0.8", 1},
		{"gzip; q=0.8 , br ; q=0.80", 0},
		{"gzip;q=0", -1},
		{"gzip;q=0.000,br;q=0", -1},
		{"gzip;q=0.001", 1},
		{"gzip;q=1.5", -1},
		{"gzip;q=x", -1},
		{"gzip;level=1;q=0.5", 1},
		{"*", -1},
		{"gzipped, xgzip, x-gzip", -1},
		{"identity, gzip;q=0.5", 1},
		{",,gzip,", 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(http_accept_encoding(cases[i].field, offered, 2), cases[i].index);
}

static void origins(void **state)
{
	static const struct {
		const char *list, *origin;
		bool ok;
	} cases[] = {
		{"*", "https://a.example", true},
		{"*", "null", true},
		{"*", "", false},
		{"*", NULL, false},
		{"", "https://a.example", false},
		{"https://a.example", "https://a.example", true},
		{"https://a.example", "https://A.example", false},
		{"https://a.example", "https://a.example:8443", false},
		{" https://b.example , https://a.example ", "https://a.example", true},
		{"*.example.com", "https://a.example.com", true},
		{"*.example.com", "https://a.b.example.com", true},
		{"*.example.com", "https://example.com", false},
		{"*.example.com", "https://.example.com", false},
		{"*.example.com", "https://evilexample.com", false},
		{"*.example.com", "https://a.example.com:8080", false},
		{"*.example.com:8080", "https://a.example.com:8080", true},
		{"*.example.com", "https://a.example.com.evil.net", false},
		{"localhost", "http://localhost", true},
		{"localhost", "https://localhost:3000", true},
		{"localhost", "http://localhost.evil.net", false},
		{"localhost", "http://localhost:", false},
		{"localhost", "http://localhost:3000.evil.net", false},
		{",,", "https://a.example", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(cors_allows(cases[i].list, cases[i].origin), cases[i].ok);
}

static void types(void **state)
{
	static const char *const sorted[] = {"7z", "aac", "css", "gz", "html", "js", "mjs", "png", "svg", "txt", "wasm",
		"woff", "woff2", "zip", "zst", "map", "jpeg", "ico", "otf", "xml"};
	char name[64];

	(void)state;
	assert_string_equal(http_content_type("a/b.HTML"), "text/html; charset=utf-8");
	assert_string_equal(http_content_type("app.min.js"), "text/javascript; charset=utf-8");
	assert_null(http_content_type("Makefile"));
	assert_null(http_content_type("dir.html/file"));
	assert_null(http_content_type("a.unknown"));
	assert_null(http_content_type("a."));
	for (size_t i = 0; i < ARRAY_LEN(sorted); i++) {
		snprintf(name, sizeof(name), "x.%s", sorted[i]);
		assert_non_null(http_content_type(name));
	}
}

static const uint64_t second = 1000000000;

static void buckets(void **state)
{
	struct rate *r = rate_new(&(struct rate_config){
		.per_second = 2, .burst = 3, .sweep_ns = 5 * second, .ttl_ns = 10 * second, .entries_max = 2});
	uint64_t now = 100 * second;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(rate_take(r, "a", 1, now));
	assert_false(rate_take(r, "a", 1, now));
	assert_true(rate_take(r, "b", 1, now)); /* its own */
	assert_false(rate_take(r, "a", 1, now + second / 4));
	assert_true(rate_take(r, "a", 1, now + second / 2)); /* what was gained in between is kept */
	assert_false(rate_take(r, "a", 1, now));             /* a clock that is behind gains nothing */
	/* Never more than the bucket holds. */
	now += 1000 * second;
	for (int i = 0; i < 3; i++)
		assert_true(rate_take(r, "a", 1, now));
	assert_false(rate_take(r, "a", 1, now));
	rate_free(r);
}

static void buckets_are_bounded(void **state)
{
	struct rate *r = rate_new(&(struct rate_config){
		.per_second = 0.001, .burst = 1, .sweep_ns = 5 * second, .ttl_ns = 10 * second, .entries_max = 2});
	uint64_t now = 100 * second;
	char long_key[5000];

	(void)state;
	assert_true(rate_take(r, "a", 1, now));
	assert_true(rate_take(r, "b", 1, now));
	assert_false(rate_take(r, "a", 1, now)); /* used later than b */
	assert_true(rate_take(r, "c", 1, now));  /* in the place of b */
	assert_int_equal(rate_count(r), 2);
	assert_false(rate_take(r, "a", 1, now));
	assert_true(rate_take(r, "b", 1, now)); /* forgotten, so full */
	now += 11 * second;
	assert_true(rate_take(r, "d", 1, now)); /* the idle ones are gone */
	assert_int_equal(rate_count(r), 1);
	memset(long_key, 'x', sizeof(long_key));
	assert_true(rate_take(r, long_key, sizeof(long_key), now));
	assert_false(rate_take(r, long_key, sizeof(long_key), now));
	long_key[4999] = 'y';
	assert_true(rate_take(r, long_key, sizeof(long_key), now));
	assert_true(rate_take(r, "a\0b", 3, now));
	assert_false(rate_take(r, "a\0b", 3, now));
	assert_true(rate_take(r, "a\0c", 3, now));
	rate_free(r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodings),
		cmocka_unit_test(origins),
		cmocka_unit_test(types),
		cmocka_unit_test(buckets),
		cmocka_unit_test(buckets_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
