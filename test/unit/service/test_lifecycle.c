/* The lifecycle block: defaults, every field, what is refused. */
#include "app_run.h"
#include "service/lifecycle.h"

static struct entry *entry_with(const char *block)
{
	struct entry *entries[APP_ENTRIES_MAX];
	char *yaml = xasprintf("- {name: s, kind: process.service, %s}\n", block);
	size_t n = 0;

	app_entries(yaml, entries, &n);
	free(yaml);
	assert_int_equal(n, 1);
	return entries[0];
}

static void test_defaults(void **state)
{
	static const char *const blocks[] = {
		"x: 1", "lifecycle: {}", "lifecycle: {start_timeout: 0s, restart: {jitter: 0, backoff_factor: 0}}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
		struct entry *e = entry_with(blocks[i]);
		struct lifecycle lc;
		struct err err;

		assert_int_equal(lifecycle_read(&lc, e, &err), 0);
		assert_false(lc.auto_start);
		assert_false(lc.optional);
		assert_int_equal(lc.start_timeout_ms, 10000);
		assert_int_equal(lc.stop_timeout_ms, 10000);
		assert_int_equal(lc.stable_threshold_ms, 5000);
		assert_int_equal(lc.restart.initial_ns, 1000000000);
		assert_int_equal(lc.restart.max_ns, 90000000000);
		assert_true(lc.restart.factor == 2.0 && lc.restart.jitter == 0.1);
		assert_int_equal(lc.max_attempts, 0);
		assert_int_equal(lc.nrequires, 0);
		lifecycle_done(&lc);
		entry_unref(e);
	}
}

static void test_fields(void **state)
{
	struct entry *e =
		entry_with("lifecycle: {auto_start: true, startup: optional, start_timeout: 1s, stop_timeout: 1500us, "
			   "stable_threshold: 2s, requires: [a, 'x:b'], depends_on: [a, c], restart: {initial_delay: "
			   "10ms, max_delay: 1s, backoff_factor: 1.5, jitter: 0.5, max_attempts: 4}}");
	struct lifecycle lc;
	struct err err;

	(void)state;
	if (lifecycle_read(&lc, e, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(lc.auto_start && lc.optional);
	assert_int_equal(lc.start_timeout_ms, 1000);
	assert_int_equal(lc.stop_timeout_ms, 2); /* rounded up */
	assert_int_equal(lc.stable_threshold_ms, 2000);
	assert_int_equal(lc.restart.initial_ns, 10000000);
	assert_int_equal(lc.restart.max_ns, 1000000000);
	assert_true(lc.restart.factor == 1.5 && lc.restart.jitter == 0.5);
	assert_int_equal(lc.max_attempts, 4);
	assert_int_equal(lc.nrequires, 3);
	assert_string_equal(lc.requires[0].id, "app:a");
	assert_string_equal(lc.requires[1].id, "x:b");
	assert_string_equal(lc.requires[2].id, "app:c");
	lifecycle_require(&lc, "app:d", true);
	lifecycle_require(&lc, "app:d", false);
	assert_int_equal(lc.nrequires, 4);
	assert_false(lc.requires[3].implied);
	lifecycle_done(&lc);
	entry_unref(e);
}

static void test_refused(void **state)
{
	static const struct {
		const char *block, *words;
	} cases[] = {
		{"lifecycle: 3", "field 'lifecycle': expected map, got integer"},
		{"lifecycle: {auto_start: 3}", "auto_start"},
		{"lifecycle: {start_timeout: soon}", "start_timeout"},
		{"lifecycle: {stop_timeout: -1s}", "field 'stop_timeout': must not be negative"},
		{"lifecycle: {startup: maybe}", "field 'startup': must be required or optional"},
		{"lifecycle: {requires: a}", "field 'requires': expected list, got string"},
		{"lifecycle: {requires: [3]}", "field 'requires': expected service ids, got integer"},
		{"lifecycle: {restart: 3}", "field 'restart': expected map, got integer"},
		{"lifecycle: {restart: {backoff_factor: 0.5}}", "field 'backoff_factor': must be between 1 and 1000"},
		{"lifecycle: {restart: {jitter: 1.5}}", "field 'jitter': must be between 0 and 1"},
		{"lifecycle: {restart: {jitter: a}}", "field 'jitter': expected number, got string"},
		{"lifecycle: {restart: {max_attempts: -1}}", "field 'restart.max_attempts': must not be negative"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct entry *e = entry_with(cases[i].block);
		struct lifecycle lc;
		struct err err;

		assert_int_equal(lifecycle_read(&lc, e, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		if (!strstr(err.text, cases[i].words))
			fail_msg("%s\n got: %s\nwant: %s", cases[i].block, err.text, cases[i].words);
		entry_unref(e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
