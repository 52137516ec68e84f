/*
 * refcount.h - atomic reference counts for objects shared between threads.
 */
#ifndef BASE_REFCOUNT_H
#define BASE_REFCOUNT_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>

struct refcount {
	atomic_uint n;
};

static inline void refcount_init(struct refcount *r)
{
	atomic_init(&r->n, 1);
}

static inline void refcount_inc(struct refcount *r)
{
	unsigned old = atomic_fetch_add_explicit(&r->n, 1, memory_order_relaxed);

	assert(old > 0);
	(void)old;
}

/* True when this was the last reference: the caller frees the object. */
static inline bool refcount_dec(struct refcount *r)
{
	return atomic_fetch_sub_explicit(&r->n, 1, memory_order_acq_rel) == 1;
}

#endif
