/* Blocks that threads keep for their next use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/block_cache.h"

enum { MANY = 20000 };

static void keeps_what_is_written(void **state)
{
	static unsigned char *blocks[BLOCK_BYTES_MAX + 100];

	(void)state;
	for (size_t round = 0; round < 3; round++) {
		for (size_t n = 1; n < sizeof(blocks) / sizeof(*blocks); n++) {
			blocks[n] = block_alloc(n);
			assert_true((uintptr_t)blocks[n] % BLOCK_GRAIN == 0);
			memset(blocks[n], (int)(n & 0xff), n);
		}
		for (size_t n = 1; n < sizeof(blocks) / sizeof(*blocks); n++) {
			for (size_t i = 0; i < n; i++)
				assert_int_equal(blocks[n][i], n & 0xff);
			block_free(blocks[n], n);
		}
	}
	block_free(NULL, 10);
}

static void gives_the_same_again(void **state)
{
#if defined(__SANITIZE_ADDRESS__)
	(void)state;
	skip();
#else
	void *a = block_alloc(40), *b;

	(void)state;
	block_free(a, 40);
	b = block_alloc(33); /* of the same size, rounded */
	assert_ptr_equal(a, b);
	block_free(b, 33);
#endif
}

static void zeroed_when_asked(void **state)
{
	unsigned char *b = block_alloc(500);

	(void)state;
	memset(b, 0xff, 500);
	block_free(b, 500);
	b = block_zalloc(500);
	for (size_t i = 0; i < 500; i++)
		assert_int_equal(b[i], 0);
	block_free(b, 500);
}

/* Frees what the other thread made, more than is kept, and ends. */
static void *free_all(void *arg)
{
	void **blocks = arg;

	for (size_t i = 0; i < MANY; i++)
		block_free(blocks[i], 1000);
	block_give_back();
	for (size_t i = 0; i < MANY; i++)
		blocks[i] = block_alloc(1000);
	for (size_t i = 0; i < MANY; i++)
		block_free(blocks[i], 1000);
	return NULL;
}

static void moves_between_threads(void **state)
{
	void **blocks = calloc(MANY, sizeof(*blocks));
	pthread_t thread;

	(void)state;
	for (size_t i = 0; i < MANY; i++)
		blocks[i] = block_alloc(1000);
	assert_int_equal(pthread_create(&thread, NULL, free_all, blocks), 0);
	pthread_join(thread, NULL);
	free(blocks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_what_is_written),
		cmocka_unit_test(gives_the_same_again),
		cmocka_unit_test(zeroed_when_asked),
		cmocka_unit_test(moves_between_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
