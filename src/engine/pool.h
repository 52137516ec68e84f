/*
 * pool.h - memory for one heap: small blocks by size from slabs, large ones from malloc.
 *
 * Lua tells the size of what it frees, so a block needs no header. A slab holds blocks of one size; one that has become empty serves any size next, and
 * beyond a few its memory goes back to the system at once. Address space goes back in pool_done(). One thread.
 * Under the address sanitizer every block is a malloc of its own, so that it sees each one.
 */
#ifndef ENGINE_POOL_H
#define ENGINE_POOL_H

#include <stddef.h>

enum {
	POOL_GRAIN = 8,              /* sizes are rounded up to this; also the alignment */
	POOL_SMALL_MAX = 1024,       /* larger ones are malloc's */
	POOL_SLAB_BYTES = 16 * 1024, /* a heap has one begun for each size: small ones waste less */
};

struct pool_slab;

struct pool {
	struct pool_slab *open[POOL_SMALL_MAX / POOL_GRAIN + 1]; /* by size: slabs with a block to give */
	void **unused;                                           /* slabs; the last `nwarm` still have memory */
	size_t nunused, unused_cap;
	size_t nwarm;
	void **regions; /* mapped */
	size_t nregions, regions_cap;
	int closing; /* all will be released and done away with: memory is not given back slab by slab */
};

void pool_init(struct pool *p);
/* Frees every slab, whatever is still in use in it. */
void pool_done(struct pool *p);

/* In an idle moment: unused slabs give their memory back, but for a few. */
void pool_trim(struct pool *p);

/* NULL only when a large block is refused by malloc. `bytes` > 0. */
void *pool_alloc(struct pool *p, size_t bytes);
void pool_release(struct pool *p, void *ptr, size_t bytes);
/* NULL leaves the old block as it is; never NULL when shrinking. */
void *pool_resize(struct pool *p, void *ptr, size_t old_bytes, size_t bytes);

#endif
