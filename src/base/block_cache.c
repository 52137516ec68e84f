#include "base/block_cache.h"

#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

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

static _Thread_local struct shelf shelves[CLASSES];
static _Thread_local size_t freed;    /* to malloc, in bytes, since the last time it was asked to give back */
static _Thread_local bool registered; /* its end will be noticed */
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

static void on_thread_end(void *mine)
{
	struct shelf *s = mine;

	for (size_t i = 0; i < CLASSES; i++)
		clear_shelf(&s[i], (i + 1) * BLOCK_GRAIN, 0);
	/* Another destructor of this thread may still free blocks: those come here again. */
	registered = false;
}

static void make_key(void)
{
	if (pthread_key_create(&end_key, on_thread_end) != 0)
		abort(); /* only when the program made a thousand keys */
}

static void notice_end(void)
{
	pthread_once(&once, make_key);
	pthread_setspecific(end_key, shelves);
	registered = true;
}

static size_t shelf_of(size_t bytes)
{
	return (bytes - 1) / BLOCK_GRAIN;
}

void *block_alloc(size_t bytes)
{
	struct shelf *s;
	struct block *b;
	size_t i = shelf_of(bytes);

	if (BLOCKS_PLAIN || i >= CLASSES)
		return xmalloc(bytes);
	s = &shelves[i];
	b = s->first;
	if (!b)
		return xmalloc((i + 1) * BLOCK_GRAIN);
	s->first = b->next;
	s->bytes -= (i + 1) * BLOCK_GRAIN;
	return b;
}

void block_free(void *block, size_t bytes)
{
	struct shelf *s;
	struct block *b = block;
	size_t i = shelf_of(bytes);

	if (BLOCKS_PLAIN || !block || i >= CLASSES || shelves[i].bytes >= BLOCK_KEPT_BYTES) {
		free(block);
		freed += bytes;
		return;
	}
	if (!registered)
		notice_end();
	s = &shelves[i];
	b->next = s->first;
	s->first = b;
	s->bytes += (i + 1) * BLOCK_GRAIN;
}

void block_give_back(void)
{
	for (size_t i = 0; i < CLASSES; i++)
		freed += clear_shelf(&shelves[i], (i + 1) * BLOCK_GRAIN, IDLE_KEPT_BYTES);
	if (freed < GIVE_BACK_MIN)
		return;
	freed = 0;
	malloc_trim(0);
}
