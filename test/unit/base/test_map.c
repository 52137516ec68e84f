/* The map: order, replacement, removal, growth, and that a long history of removals keeps it small and fast. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/map.h"

static void empty(void **state)
{
	struct map *m = map_new();
	size_t pos = 0;

	(void)state;
	assert_int_equal(map_count(m), 0);
	assert_null(map_get(m, "x"));
	assert_false(map_has(m, ""));
	assert_null(map_remove(m, "x"));
	assert_false(map_next(m, &pos, NULL, NULL));
	map_free(m, free);
	map_free(NULL, free);
}

static void assert_keys(const struct map *m, const char *want)
{
	char got[256] = "";
	const char *key;

	for (size_t i = 0; map_next(m, &i, &key, NULL);)
		strcat(strcat(got, key), " ");
	assert_string_equal(got, want);
}

static void keeps_order(void **state)
{
	struct map *m = map_new();
	char one[] = "one", two[] = "two", three[] = "three";
	char key[] = "c";

	(void)state;
	assert_null(map_set(m, key, one));
	key[0] = 'a'; /* keys are copied */
	assert_null(map_set(m, key, two));
	assert_null(map_set(m, "", three));
	assert_keys(m, "c a  ");
	assert_ptr_equal(map_set(m, "c", two), one);
	assert_keys(m, "c a  ");
	assert_ptr_equal(map_get(m, "c"), two);
	assert_ptr_equal(map_remove(m, "c"), two);
	assert_keys(m, "a  ");
	assert_null(map_set(m, "c", NULL));
	assert_true(map_has(m, "c"));
	assert_null(map_get(m, "c"));
	assert_keys(m, "a  c ");
	assert_int_equal(map_count(m), 3);
	map_free(m, NULL);
}

static void frees_values(void **state)
{
	struct map *m = map_new();
	char key[16];

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "%d", i);
		map_set(m, key, xstrdup(key));
	}
	free(map_remove(m, "50"));
	map_free(m, free); /* the leak checker is the judge */
}

/* Compare with a plain array through many random operations. */
static void random_operations(void **state)
{
	enum { KEYS = 300 };
	struct map *m = map_new();
	void *want[KEYS] = {0};
	size_t count = 0;

	(void)state;
	srand(1);
	for (int round = 0; round < 200000; round++) {
		int k = rand() % KEYS;
		char key[16];

		snprintf(key, sizeof(key), "key%d", k);
		switch (rand() % 3) {
		case 0:
			count += want[k] == NULL;
			assert_ptr_equal(map_set(m, key, &want[round % KEYS]), want[k]);
			want[k] = &want[round % KEYS];
			break;
		case 1:
			count -= want[k] != NULL;
			assert_ptr_equal(map_remove(m, key), want[k]);
			want[k] = NULL;
			break;
		default:
			assert_ptr_equal(map_get(m, key), want[k]);
			break;
		}
		assert_int_equal(map_count(m), count);
	}
	for (size_t i = 0; map_next(m, &i, NULL, NULL);)
		count--;
	assert_int_equal(count, 0);
	map_free(m, NULL);
}

/* Used as a queue of a few thousand keys: quadratic walks over holes would take minutes here. */
static void as_queue(void **state)
{
	struct map *m = map_new();
	char key[32];

	(void)state;
	for (int i = 0; i < 200000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		map_set(m, key, m);
		if (i >= 5000) {
			const char *oldest;
			size_t pos = 0;

			assert_true(map_next(m, &pos, &oldest, NULL));
			assert_int_equal(atoi(oldest), i - 5000);
			assert_ptr_equal(map_remove(m, oldest), m);
		}
	}
	assert_int_equal(map_count(m), 5000);
	map_free(m, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty),
		cmocka_unit_test(keeps_order),
		cmocka_unit_test(frees_values),
		cmocka_unit_test(random_operations),
		cmocka_unit_test(as_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
