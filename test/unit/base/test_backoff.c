#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/backoff.h"

static const struct backoff plain = {.initial_ns = 100, .max_ns = 1000, .factor = 2.0, .jitter = 0.1};

/* Dice of one half leave the delay where it is. */
static void test_grows_to_the_bound(void **state)
{
	static const uint64_t want[] = {100, 200, 400, 800, 1000, 1000};

	(void)state;
	for (unsigned i = 0; i < sizeof(want) / sizeof(*want); i++)
		assert_int_equal(backoff_delay_at(&plain, i + 1, 0.5), want[i]);
	assert_int_equal(backoff_delay_at(&plain, UINT32_MAX, 0.5), 1000);
}

static void test_jitter(void **state)
{
	(void)state;
	assert_int_equal(backoff_delay_at(&plain, 1, 0.0), 90);
	assert_in_range(backoff_delay_at(&plain, 1, 0.999999), 109, 110);
	for (unsigned i = 0; i < 1000; i++)
		assert_in_range(backoff_delay(&plain, 2), 180, 220);
}

static void test_constant_and_huge(void **state)
{
	const struct backoff constant = {.initial_ns = 5, .max_ns = 100, .factor = 1.0, .jitter = 0};
	const struct backoff huge = {.initial_ns = 1, .max_ns = INT64_MAX, .factor = 1e300, .jitter = 0};

	(void)state;
	assert_int_equal(backoff_delay_at(&constant, 4000000000u, 0.3), 5);
	assert_true(backoff_delay_at(&huge, 50, 0.5) >= INT64_MAX / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grows_to_the_bound),
		cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_constant_and_huge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
