#include "base/block_cache.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#if defined(__SANITIZE_ADDRESS__)
#define BLOCKS_PLAIN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BLOCKS_PLAIN 1
#endif
#endif
#ifndef BLOCKS_PLAIN
#define BLOCKS_PLAIN 0
#endif

enum { CLASSES = BLOCK_BYTES_MAX / BLOCK_GRAIN, GIVE_BACK_MIN = 4 * 1024 * 1024, IDLE_KEPT_BYTES = 64 * 1024 };

struct block {
	struct block *next;
};

/* The kept blocks of one size. */
struct shelf {
	struct block *first;
	size_t bytes; /* of all of them */
};

static _Thread_local struct {
	struct shelf shelves[CLASSES];
	size_t kept_max; /* of each size, in bytes: 0 until the thread's end will be noticed */
	size_t freed;    /* to malloc, in bytes, since the last time it was asked to give back */
} mine;
static pthread_key_t end_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* How much went to malloc. */
static size_t clear_shelf(struct shelf *s, size_t grain, size_t keep)
{
	size_t cleared = 0;

	while (s->bytes > keep) {
		struct block *b = s->first;

		s->first = b->next;
		s->bytes -= grain;
		cleared += grain;
		free(b);
	}
	return cleared;
}

static void on_thread_end(void *unused)
{
	(void)unused;
	for (size_t i = 0; i < CLASSES; i++)
		clear_shelf(&mine.shelves[i], (i + 1) * BLOCK_GRAIN, 0);
	/* Another destructor of this thread may still free blocks: those come here again. */
	mine.kept_max = 0;
}

static void make_key(void)
{
	if (pthread_key_create(&end_key, on_thread_end) != 0)
		abort(); /* only when the program made a thousand keys */
}

static void notice_end(void)
{
	pthread_once(&once, make_key);
	pthread_setspecific(end_key, &mine);
	mine.kept_max = BLOCK_KEPT_BYTES;
}

static size_t shelf_of(size_t bytes)
{
	return (bytes - 1) / BLOCK_GRAIN;
}

/* The slow ways are not inlined, so that the usual ones need no stack. */
static __attribute__((noinline)) void *alloc_slowly(size_t bytes)
{
	size_t i = shelf_of(bytes);

	return xmalloc(BLOCKS_PLAIN || i >= CLASSES ? bytes : (i + 1) * BLOCK_GRAIN);
}

void *block_alloc(size_t bytes)
{
	size_t i = shelf_of(bytes);
	struct block *b;

	if (BLOCKS_PLAIN || i >= CLASSES || !(b = mine.shelves[i].first))
		return alloc_slowly(bytes);
	mine.shelves[i].first = b->next;
	mine.shelves[i].bytes -= (i + 1) * BLOCK_GRAIN;
	return b;
}

void *block_zalloc(size_t bytes)
{
	return memset(block_alloc(bytes), 0, bytes);
}

/* One that is not kept, or the thread's first. */
static __attribute__((noinline)) void free_slowly(void *block, size_t bytes)
{
	if (!BLOCKS_PLAIN && mine.kept_max == 0) {
		notice_end();
		block_free(block, bytes);
		return;
	}
	free(block);
	mine.freed += bytes;
}

void block_free(void *block, size_t bytes)
{
	size_t i = shelf_of(bytes);
	struct block *b = block;

	if (BLOCKS_PLAIN || !block || i >= CLASSES || mine.shelves[i].bytes >= mine.kept_max) {
		free_slowly(block, bytes);
		return;
	}
	b->next = mine.shelves[i].first;
	mine.shelves[i].first = b;
	mine.shelves[i].bytes += (i + 1) * BLOCK_GRAIN;
}

void block_give_back(void)
{
	for (size_t i = 0; i < CLASSES; i++)
		mine.freed += clear_shelf(&mine.shelves[i], (i + 1) * BLOCK_GRAIN, IDLE_KEPT_BYTES);
	if (mine.freed < GIVE_BACK_MIN)
		return;
	mine.freed = 0;
	malloc_trim(0);
}
