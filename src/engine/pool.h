/*
 * pool.h - memory for one heap: small blocks by size from slabs, large ones from malloc.
 *
 * Lua tells the size of what it frees, so a block needs no header. Freed small blocks go to a list of their size and are used again; slabs are
 * given back only by pool_done(), which suits heaps: a worker drops one that is empty. One thread.
 * Under the address sanitizer every block is a malloc of its own, so that it sees each one.
 */
#ifndef ENGINE_POOL_H
#define ENGINE_POOL_H

#include <stddef.h>

enum {
	POOL_GRAIN = 8,        /* sizes are rounded up to this; also the alignment */
	POOL_SMALL_MAX = 1024, /* larger ones are malloc's */
	POOL_SLAB_BYTES = 64 * 1024,
};

struct pool_slab;

struct pool {
	void *free[POOL_SMALL_MAX / POOL_GRAIN + 1];
	char *next; /* unused rest of the newest slab */
	size_t left;
	struct pool_slab *slabs;
};

void pool_init(struct pool *p);
/* Frees every slab, whatever is still in use in it. */
void pool_done(struct pool *p);

/* NULL only when a large block is refused by malloc. `bytes` > 0. */
void *pool_alloc(struct pool *p, size_t bytes);
void pool_release(struct pool *p, void *ptr, size_t bytes);
/* NULL leaves the old block as it is; never NULL when shrinking. */
void *pool_resize(struct pool *p, void *ptr, size_t old_bytes, size_t bytes);

#endif
