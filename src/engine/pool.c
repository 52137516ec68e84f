#include "engine/pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

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

enum {
	REGION_SLABS = 64,   /* mapped at once */
	COLD_SLABS_MAX = 8,  /* get their memory from the system at once */
	COLD_SLABS_DEN = 8,  /* ... but no more than one for so many in use */
	WARM_SLABS_MAX = 64, /* unused ones that keep their memory for the next use, ... */
	WARM_SLABS_IDLE = 4, /* ... and after pool_trim() */
	REGION_BYTES = (REGION_SLABS + 1) * POOL_SLAB_BYTES, /* one more than used, to find aligned ones inside */
	/* Headers at the same place of every slab would fight for the same lines of the cache. */
	HEADER_BYTES = 64,
	HEADER_PLACES = 4,
};

/* Blocks of one size, at an address that is a multiple of the slab's bytes, so that a block finds its slab. */
struct pool_slab {
	struct pool_slab *next; /* in pool.open while a block can be had here */
	struct pool_slab *prev;
	void *free;  /* blocks given back */
	char *fresh; /* the first block never used */
	char *last;  /* the last place a block can begin */
	uint32_t live;
	uint32_t class;
};

_Static_assert(sizeof(struct pool_slab) <= HEADER_BYTES, "a slab's header fits its place");

static size_t size_class(size_t bytes)
{
	return (bytes + POOL_GRAIN - 1) / POOL_GRAIN;
}

static int is_small(size_t bytes)
{
	return !POOL_PLAIN && bytes <= POOL_SMALL_MAX;
}

/* -- slabs --------------------------------------------------------------------------------------------- */

static void add(void ***list, size_t *count, size_t *cap, void *item)
{
	if (*count == *cap) {
		*cap = *cap ? *cap * 2 : 16;
		*list = xreallocarray(*list, *cap, sizeof(void *));
	}
	(*list)[(*count)++] = item;
}

static void map_region(struct pool *p)
{
	char *region = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t first;

	if (region == MAP_FAILED)
		abort(); /* as xmalloc() does: the runtime cannot go on without */
	first = ((uintptr_t)region + POOL_SLAB_BYTES - 1) & ~(uintptr_t)(POOL_SLAB_BYTES - 1);
	add(&p->regions, &p->nregions, &p->regions_cap, region);
	for (unsigned i = 0; i < REGION_SLABS; i++)
		add(&p->unused, &p->nunused, &p->unused_cap,
			(char *)first + (size_t)(REGION_SLABS - 1 - i) * POOL_SLAB_BYTES);
}

static char *slab_base(const void *inside)
{
	return (char *)((uintptr_t)inside & ~(uintptr_t)(POOL_SLAB_BYTES - 1));
}

static struct pool_slab *slab_of(const void *inside)
{
	char *base = slab_base(inside);

	return (struct pool_slab *)(base + ((uintptr_t)base / POOL_SLAB_BYTES % HEADER_PLACES) * HEADER_BYTES);
}

static void link_open(struct pool *p, struct pool_slab *s)
{
	s->prev = NULL;
	s->next = p->open[s->class];
	if (s->next)
		s->next->prev = s;
	p->open[s->class] = s;
}

static void unlink_open(struct pool *p, struct pool_slab *s)
{
	if (s->prev)
		s->prev->next = s->next;
	else
		p->open[s->class] = s->next;
	if (s->next)
		s->next->prev = s->prev;
}

/* One call for many pages costs a fraction of a fault for each. */
static void warm_up(struct pool *p)
{
#ifdef MADV_POPULATE_WRITE
	char *base = p->unused[p->nunused - 1];
	size_t used = p->nregions * REGION_SLABS - p->nunused;
	size_t max = used / COLD_SLABS_DEN < COLD_SLABS_MAX ? used / COLD_SLABS_DEN : COLD_SLABS_MAX;
	size_t n = 1;

	if (max < 2)
		return;
	while (n < max && n < p->nunused && p->unused[p->nunused - 1 - n] == base + n * POOL_SLAB_BYTES)
		n++;
	if (madvise(base, n * POOL_SLAB_BYTES, MADV_POPULATE_WRITE) == 0)
		p->nwarm = n;
#else
	(void)p;
#endif
}

static void open_slab(struct pool *p, size_t class)
{
	struct pool_slab *s;
	char *base;

	if (p->nunused == 0)
		map_region(p);
	if (p->nwarm == 0)
		warm_up(p);
	base = p->unused[--p->nunused];
	if (p->nwarm > 0)
		p->nwarm--;
	s = slab_of(base);
	s->free = NULL;
	s->fresh = base + HEADER_PLACES * HEADER_BYTES;
	s->last = base + POOL_SLAB_BYTES - class * POOL_GRAIN;
	s->live = 0;
	s->class = (uint32_t) class;
	link_open(p, s);
}

/* The warm ones are the last of `unused`, used again first. */
static void cool_one(struct pool *p)
{
	madvise(p->unused[p->nunused - p->nwarm], POOL_SLAB_BYTES, MADV_DONTNEED);
	p->nwarm--;
}

static __attribute__((noinline)) void retire_slab(struct pool *p, struct pool_slab *s)
{
	unlink_open(p, s);
	if (p->nwarm >= WARM_SLABS_MAX && !p->closing)
		cool_one(p);
	add(&p->unused, &p->nunused, &p->unused_cap, slab_base(s));
	p->nwarm++;
}

static int slab_is_full(const struct pool_slab *s)
{
	return !s->free && s->fresh > s->last;
}

/* -- blocks -------------------------------------------------------------------------------------------- */

void pool_init(struct pool *p)
{
	memset(p, 0, sizeof(*p));
}

void pool_trim(struct pool *p)
{
	while (p->nwarm > WARM_SLABS_IDLE)
		cool_one(p);
}

void pool_done(struct pool *p)
{
	for (size_t i = 0; i < p->nregions; i++)
		munmap(p->regions[i], REGION_BYTES);
	free(p->regions);
	free(p->unused);
	memset(p, 0, sizeof(*p));
}

/* Without a begun slab of that size. Not inlined, so that pool_alloc() itself needs no stack. */
static __attribute__((noinline)) void *alloc_slowly(struct pool *p, size_t bytes)
{
	if (!is_small(bytes))
		return malloc(bytes);
	open_slab(p, size_class(bytes));
	return pool_alloc(p, bytes);
}

void *pool_alloc(struct pool *p, size_t bytes)
{
	struct pool_slab *s;
	void *block;

	if (!is_small(bytes) || !(s = p->open[size_class(bytes)]))
		return alloc_slowly(p, bytes);
	block = s->free;
	if (block) {
		s->free = *(void **)block;
	} else {
		block = s->fresh;
		s->fresh += size_class(bytes) * POOL_GRAIN;
	}
	s->live++;
	if (slab_is_full(s))
		unlink_open(p, s);
	return block;
}

void pool_release(struct pool *p, void *ptr, size_t bytes)
{
	struct pool_slab *s;

	if (!ptr)
		return;
	if (!is_small(bytes)) {
		free(ptr);
		return;
	}
	s = slab_of(ptr);
	if (slab_is_full(s))
		link_open(p, s);
	*(void **)ptr = s->free;
	s->free = ptr;
	/* The only one of its size stays, or a program that makes and drops one object would open a slab each time. */
	if (--s->live == 0 && (s->next || s->prev))
		retire_slab(p, s);
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
