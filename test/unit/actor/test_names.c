/* Names of processes, and the map from numbers they use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actor/names.h"
#include "actor/number_map.h"

static void test_names(void **state)
{
	struct names *n = names_new();
	struct pid one = {"h", 1}, two = {"h", 2}, got;
	struct err e;

	(void)state;
	assert_int_equal(names_register(n, "a", one, NULL, &e), 0);
	assert_int_equal(names_register(n, "b", one, NULL, &e), 0);
	assert_int_equal(names_register(n, "a", one, NULL, &e), 0);
	assert_int_equal(names_register(n, "a", two, &got, &e), -1);
	assert_int_equal(e.kind, ERR_ALREADY_EXISTS);
	assert_string_equal(e.text, "name already registered");
	assert_true(pid_equal(got, one));
	assert_true(names_lookup(n, "b", &got));
	assert_true(pid_equal(got, one));
	assert_true(names_unregister(n, "b"));
	assert_false(names_unregister(n, "b"));
	assert_int_equal(names_register(n, "c", two, NULL, &e), 0);
	names_release(n, one);
	assert_false(names_lookup(n, "a", &got));
	assert_true(names_lookup(n, "c", &got));
	names_release(n, one);
	names_free(n);
}

/* Against a plain array, with removals that close gaps. */
static void test_number_map(void **state)
{
	enum { KEYS = 500, ROUNDS = 20000 };
	static char present[KEYS + 1];
	struct number_map m = {0};
	size_t count = 0, seen = 0;
	void *v;

	(void)state;
	srand(7);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t key = (uint64_t)(rand() % KEYS) + 1;

		if (rand() % 2) {
			number_map_set(&m, key * 4096, &present[key]);
			count += !present[key];
			present[key] = 1;
		} else {
			v = number_map_remove(&m, key * 4096);
			assert_ptr_equal(v, present[key] ? &present[key] : NULL);
			count -= present[key] != 0;
			present[key] = 0;
		}
		assert_int_equal(m.count, count);
	}
	for (uint64_t key = 1; key <= KEYS; key++)
		assert_ptr_equal(number_map_get(&m, key * 4096), present[key] ? &present[key] : NULL);
	for (size_t i = 0; number_map_next(&m, &i, &v);)
		seen++;
	assert_int_equal(seen, count);
	assert_null(number_map_get(&m, 0));
	number_map_done(&m);
	assert_null(number_map_get(&m, 4096));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_number_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
