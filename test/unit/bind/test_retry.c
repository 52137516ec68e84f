/* The retry option: defaults, units, refusals, and which failures are tried again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "bind/retry.h"
#include "value/yaml.h"

static struct value *parse(const char *text)
{
	struct value *v;
	struct err e;

	if (yaml_parse("retry.yaml", text, strlen(text), &v, &e) < 0)
		fail_msg("%s", e.text);
	return v;
}

static void test_fields(void **state)
{
	struct value *v = parse("{max_attempts: 3, initial_delay: 50, max_delay: 2s, backoff_factor: 3, jitter: 0.2}");
	struct retry r;
	struct err e;

	(void)state;
	assert_int_equal(retry_read(&r, NULL, &e), 0);
	assert_int_equal(r.max_attempts, 0);
	assert_int_equal(r.backoff.initial_ns, 100000000);
	assert_int_equal(r.backoff.max_ns, 10000000000);
	assert_true(r.backoff.factor == 2 && r.backoff.jitter == 0.1);
	retry_done(&r);
	assert_int_equal(retry_read(&r, v, &e), 0);
	assert_int_equal(r.max_attempts, 3);
	assert_int_equal(r.backoff.initial_ns, 50000000); /* a number is milliseconds */
	assert_int_equal(r.backoff.max_ns, 2000000000);
	assert_true(r.backoff.factor == 3 && r.backoff.jitter == 0.2);
	retry_done(&r);
	value_unref(v);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{"[3]", "option 'retry': expected table, got list"},
		{"{max_attempts: many}", "field 'max_attempts': expected number, got string"},
		{"{max_attempts: -1}", "field 'max_attempts': must be between 0 and 1e+06"},
		{"{initial_delay: -5}", "field 'initial_delay': must not be negative"},
		{"{max_delay: later}", "max_delay"},
		{"{backoff_factor: 0.1}", "field 'backoff_factor': must be between 1 and 1000"},
		{"{jitter: 2}", "field 'jitter': must be between 0 and 1"},
		{"{retry_kinds: Internal}", "field 'retry_kinds': expected list, got string"},
		{"{skip_kinds: [1]}", "field 'skip_kinds': expected kinds of errors"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct value *v = parse(cases[i].text);
		struct retry r;
		struct err e;

		assert_int_equal(retry_read(&r, v, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
		if (!strstr(e.text, cases[i].words))
			fail_msg("%s\n got: %s\nwant: %s", cases[i].text, e.text, cases[i].words);
		value_unref(v);
	}
}

static void test_wants(void **state)
{
	static const struct {
		const char *option;
		unsigned n;
		const char *kind;
		enum err_retry retry;
		bool want;
	} cases[] = {
		{"{max_attempts: 3}", 1, "Unavailable", ERR_RETRY_UNKNOWN, true},
		{"{max_attempts: 3}", 2, "Unavailable", ERR_RETRY_YES, true},
		{"{max_attempts: 3}", 3, "Unavailable", ERR_RETRY_YES, false},
		{"{max_attempts: 1}", 1, "Unavailable", ERR_RETRY_YES, false},
		{"{initial_delay: 1}", 1, "Unavailable", ERR_RETRY_YES, false},
		{"{max_attempts: 3}", 1, "Unavailable", ERR_RETRY_NO, false},
		{"{max_attempts: 3}", 1, "Canceled", ERR_RETRY_YES, false},
		{"{max_attempts: 3, retry_kinds: [Canceled]}", 1, "Canceled", ERR_RETRY_YES, false},
		{"{max_attempts: 3}", 1, "Internal", ERR_RETRY_UNKNOWN, false},
		{"{max_attempts: 3}", 1, "Invalid", ERR_RETRY_YES, false},
		{"{max_attempts: 3}", 1, "PermissionDenied", ERR_RETRY_YES, false},
		{"{max_attempts: 3}", 1, "NotFound", ERR_RETRY_UNKNOWN, true},
		{"{max_attempts: 3}", 1, "", ERR_RETRY_UNKNOWN, true},
		{"{max_attempts: 3, retry_kinds: [Internal]}", 1, "Internal", ERR_RETRY_UNKNOWN, true},
		{"{max_attempts: 3, retry_kinds: [Internal]}", 1, "NotFound", ERR_RETRY_UNKNOWN, false},
		{"{max_attempts: 3, retry_kinds: [Odd], skip_kinds: [Odd]}", 1, "Odd", ERR_RETRY_UNKNOWN, false},
		{"{max_attempts: 3, skip_kinds: [Timeout]}", 1, "Timeout", ERR_RETRY_UNKNOWN, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct value *v = parse(cases[i].option);
		struct failure *f = failure_new(cases[i].kind, cases[i].retry, "x", 1, NULL, NULL, NULL);
		struct retry r;
		struct err e;

		assert_int_equal(retry_read(&r, v, &e), 0);
		if (retry_wants(&r, cases[i].n, f) != cases[i].want)
			fail_msg("case %zu: %s, %u, %s", i, cases[i].option, cases[i].n, cases[i].kind);
		retry_done(&r);
		failure_unref(f);
		value_unref(v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_wants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
