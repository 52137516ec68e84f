#include "engine/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#if defined(__SANITIZE_ADDRESS__)
#define POOL_PLAIN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_PLAIN 1
#endif
#endif
#ifndef POOL_PLAIN
#define POOL_PLAIN 0
#endif

struct pool_slab {
	struct pool_slab *next;
	max_align_t bytes[];
};

void pool_init(struct pool *p)
{
	memset(p, 0, sizeof(*p));
}

void pool_done(struct pool *p)
{
	struct pool_slab *s;

	while ((s = p->slabs) != NULL) {
		p->slabs = s->next;
		free(s);
	}
	memset(p, 0, sizeof(*p));
}

static size_t size_class(size_t bytes)
{
	return (bytes + POOL_GRAIN - 1) / POOL_GRAIN;
}

static int is_small(size_t bytes)
{
	return !POOL_PLAIN && bytes <= POOL_SMALL_MAX;
}

static void *carve(struct pool *p, size_t bytes)
{
	void *block;

	if (p->left < bytes) {
		struct pool_slab *s = xmalloc(sizeof(*s) + POOL_SLAB_BYTES);

		s->next = p->slabs;
		p->slabs = s;
		p->next = (char *)s->bytes;
		p->left = POOL_SLAB_BYTES;
	}
	block = p->next;
	p->next += bytes;
	p->left -= bytes;
	return block;
}

void *pool_alloc(struct pool *p, size_t bytes)
{
	size_t c;
	void *block;

	if (!is_small(bytes))
		return malloc(bytes);
	c = size_class(bytes);
	block = p->free[c];
	if (!block)
		return carve(p, c * POOL_GRAIN);
	p->free[c] = *(void **)block;
	return block;
}

void pool_release(struct pool *p, void *ptr, size_t bytes)
{
	size_t c;

	if (!ptr)
		return;
	if (!is_small(bytes)) {
		free(ptr);
		return;
	}
	c = size_class(bytes);
	*(void **)ptr = p->free[c];
	p->free[c] = ptr;
}

void *pool_resize(struct pool *p, void *ptr, size_t old_bytes, size_t bytes)
{
	void *block;

	if (!ptr)
		return pool_alloc(p, bytes);
	if (!is_small(old_bytes) && !is_small(bytes)) {
		block = realloc(ptr, bytes);
		/* Lua relies on shrinking always succeeding. */
		return block || bytes > old_bytes ? block : ptr;
	}
	if (is_small(old_bytes) && is_small(bytes) && size_class(old_bytes) == size_class(bytes))
		return ptr;
	block = pool_alloc(p, bytes);
	if (!block)
		return NULL;
	memcpy(block, ptr, old_bytes < bytes ? old_bytes : bytes);
	pool_release(p, ptr, old_bytes);
	return block;
}
