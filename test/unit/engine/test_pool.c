/* Blocks do not overlap, are used again, and what is given back in bulk goes back to the system. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/pool.h"

enum { BLOCKS = 20000, ROUNDS = 400000 };

struct block {
	unsigned char *at;
	size_t bytes;
	unsigned char mark;
};

static void fill(struct block *b, unsigned char mark)
{
	b->mark = mark;
	memset(b->at, mark, b->bytes);
}

static void check(const struct block *b)
{
	for (size_t i = 0; i < b->bytes; i++)
		assert_int_equal(b->at[i], b->mark);
}

/* A fixed sequence: the same every time. */
static uint32_t next(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static void test_random_use(void **state)
{
	struct block *blocks = calloc(BLOCKS, sizeof(*blocks));
	uint32_t seed = 7;
	struct pool p;

	(void)state;
	pool_init(&p);
	for (unsigned n = 0; n < ROUNDS; n++) {
		struct block *b = &blocks[next(&seed) % BLOCKS];
		size_t bytes = 1 + next(&seed) % (n % 16 ? 200 : 3000);

		if (!b->at) {
			b->at = pool_alloc(&p, bytes);
			b->bytes = bytes;
			assert_int_equal((uintptr_t)b->at % POOL_GRAIN, 0);
			fill(b, (unsigned char)n);
		} else if (next(&seed) % 4 == 0) {
			size_t kept = bytes < b->bytes ? bytes : b->bytes;

			b->at = pool_resize(&p, b->at, b->bytes, bytes);
			b->bytes = kept;
			check(b);
			b->bytes = bytes;
			fill(b, (unsigned char)n);
		} else {
			check(b);
			pool_release(&p, b->at, b->bytes);
			b->at = NULL;
		}
	}
	for (unsigned i = 0; i < BLOCKS; i++) {
		if (!blocks[i].at)
			continue;
		check(&blocks[i]);
		pool_release(&p, blocks[i].at, blocks[i].bytes);
	}
	pool_done(&p);
	free(blocks);
}

static long resident_kib(void)
{
	char line[256];
	long kib = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

static void test_memory_goes_back(void **state)
{
	enum { MANY = 500000, BYTES = 100 };
	long before, full, after;
	struct pool p;
	void **blocks;

	(void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	skip(); /* their allocators keep what they get */
#endif
	blocks = malloc(MANY * sizeof(*blocks));
	memset(blocks, 1, MANY * sizeof(*blocks));
	pool_init(&p);
	before = resident_kib();
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < MANY; i++)
			blocks[i] = memset(pool_alloc(&p, BYTES), round, BYTES);
		full = resident_kib();
		assert_true(full - before > MANY / 1024 * BYTES / 2);
		for (int i = 0; i < MANY; i++)
			pool_release(&p, blocks[i], BYTES);
		after = resident_kib();
		assert_true(after - before < 8 * 1024);
	}
	pool_done(&p);
	free(blocks);
}

/* What a burst left behind goes in an idle moment; what is in use stays. */
static void test_trim(void **state)
{
	enum { MANY = 8000, BYTES = 100, KEPT = 100 };
	void **blocks = calloc(MANY, sizeof(*blocks));
	struct pool p;

	(void)state;
	pool_init(&p);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < MANY; i++)
			blocks[i] = memset(pool_alloc(&p, BYTES), i % 251, BYTES);
		for (int i = KEPT; i < MANY; i++)
			pool_release(&p, blocks[i], BYTES);
		pool_trim(&p);
		assert_true(p.nwarm <= 4);
		for (int i = 0; i < KEPT; i++) {
			for (int k = 0; k < BYTES; k++)
				assert_int_equal(((unsigned char *)blocks[i])[k], i % 251);
			pool_release(&p, blocks[i], BYTES);
		}
	}
	pool_done(&p);
	free(blocks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_use),
		cmocka_unit_test(test_memory_goes_back),
		cmocka_unit_test(test_trim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
