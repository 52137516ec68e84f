/* The set of live instances, under many threads: a look-up during an update finds the old instance or the new one. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "overlay/driver.h"

enum { LIVE = 0x11fe, CLOSED = 0xdead };

struct counted {
	struct overlay base;
	int state; /* plain: the sanitizers watch for a use after the close */
};

static atomic_uint live;

static int counted_open(const struct value *data, struct overlay **ret_overlay, struct err *e)
{
	struct counted *c = xcalloc(1, sizeof(*c));

	(void)data;
	(void)e;
	c->state = LIVE;
	atomic_fetch_add(&live, 1);
	*ret_overlay = &c->base;
	return 0;
}

static void counted_close(struct overlay *o)
{
	struct counted *c = container_of(o, struct counted, base);

	assert_int_equal(c->state, LIVE);
	c->state = CLOSED;
	atomic_fetch_sub(&live, 1);
	free(c);
}

static const struct overlay_driver counted_driver = {
	.kind = "network.counted",
	.label = "counted",
	.open = counted_open,
	.close = counted_close,
};

static struct overlay *make(const char *id)
{
	struct value *data = value_map();
	struct overlay *o = NULL;

	assert_int_equal(overlay_open(&counted_driver, NULL, id, data, &o, NULL), 0);
	value_unref(data);
	return o;
}

static void test_put_get_remove(void **state)
{
	struct overlay_set *s = overlay_set_new();
	struct overlay *first = make("app:a"), *second = make("app:a"), *o;

	(void)state;
	assert_null(overlay_set_get(s, "app:a"));
	overlay_set_put(s, first);
	overlay_set_put(s, make("app:b"));
	o = overlay_set_get(s, "app:a");
	assert_ptr_equal(o, first);

	overlay_set_put(s, second);
	assert_int_equal(atomic_load(&live), 3); /* `o` still holds the first */
	assert_string_equal(overlay_id(o), "app:a");
	overlay_unref(o);
	assert_int_equal(atomic_load(&live), 2);
	o = overlay_set_get(s, "app:a");
	assert_ptr_equal(o, second);
	overlay_unref(o);

	overlay_set_remove(s, "app:a");
	assert_null(overlay_set_get(s, "app:a"));
	overlay_set_remove(s, "app:a");
	overlay_set_remove(s, "app:never");
	assert_int_equal(atomic_load(&live), 1);
	overlay_set_free(s);
	assert_int_equal(atomic_load(&live), 0);
	overlay_set_free(NULL);
}

/* -- threads --------------------------------------------------------------------------------------- */

enum { READERS = 3, SWAPS = 3000 };

static struct overlay_set *shared;
static atomic_bool over;

static void *reader(void *arg)
{
	uint64_t last = 0;
	size_t *found = arg;

	while (!atomic_load_explicit(&over, memory_order_relaxed)) {
		struct overlay *o = overlay_set_get(shared, "app:swapped");

		if (!o || ((struct counted *)o)->state != LIVE || overlay_generation(o) < last)
			abort();
		last = overlay_generation(o);
		overlay_unref(o);
		o = overlay_set_get(shared, "app:blinking");
		overlay_unref(o);
		++*found;
	}
	return NULL;
}

static void test_swap_under_readers(void **state)
{
	pthread_t threads[READERS];
	size_t found[READERS] = {0};

	(void)state;
	shared = overlay_set_new();
	overlay_set_put(shared, make("app:swapped"));
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader, &found[i]), 0);
	for (int i = 0; i < SWAPS; i++) {
		overlay_set_put(shared, make("app:swapped"));
		if (i % 2)
			overlay_set_remove(shared, "app:blinking");
		else
			overlay_set_put(shared, make("app:blinking"));
	}
	atomic_store(&over, true);
	for (int i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	overlay_set_free(shared);
	assert_int_equal(atomic_load(&live), 0);
}

/* -- generations ----------------------------------------------------------------------------------- */

enum { MAKERS = 4, MADE = 500 };

static void *maker(void *arg)
{
	uint64_t *generations = arg;

	for (int i = 0; i < MADE; i++) {
		struct overlay *o = make("app:x");

		generations[i] = overlay_generation(o);
		overlay_unref(o);
	}
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void test_generations_are_unique(void **state)
{
	static uint64_t generations[MAKERS * MADE];
	pthread_t threads[MAKERS];

	(void)state;
	for (int i = 0; i < MAKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, maker, generations + (size_t)i * MADE), 0);
	for (int i = 0; i < MAKERS; i++)
		pthread_join(threads[i], NULL);
	qsort(generations, MAKERS * MADE, sizeof(generations[0]), by_value);
	for (int i = 1; i < MAKERS * MADE; i++)
		assert_true(generations[i] > generations[i - 1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_get_remove),
		cmocka_unit_test(test_swap_under_readers),
		cmocka_unit_test(test_generations_are_unique),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
