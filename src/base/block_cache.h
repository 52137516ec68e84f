/*
 * block_cache.h - small blocks of memory that come and go all the time: messages and what they carry.
 *
 * Each thread keeps what it frees for its next allocation of that size, up to a bound; the rest is malloc's. Any thread may free what
 * another one allocated. The caller says the size again when it frees, so a block has no header. A thread that ends returns what it
 * kept. Under the address sanitizer every block is malloc's, so that it sees each one.
 */
#ifndef BASE_BLOCK_CACHE_H
#define BASE_BLOCK_CACHE_H

#include <stddef.h>

enum {
	BLOCK_GRAIN = 16,               /* sizes are rounded up to this; also the alignment */
	BLOCK_BYTES_MAX = 2048,         /* larger blocks are not kept */
	BLOCK_KEPT_BYTES = 4096 * 1024, /* of each size, by each thread, until block_give_back() */
};

/* Never NULL; not zeroed. `bytes` > 0. */
void *block_alloc(size_t bytes);
/* The same, zeroed. */
void *block_zalloc(size_t bytes);
/* NULL is fine. */
void block_free(void *block, size_t bytes);
/* In an idle moment: after a flood, give up most of what this thread keeps and let malloc return it to the system. Not cheap then. */
void block_give_back(void);

#endif
