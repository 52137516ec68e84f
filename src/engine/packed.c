#include "engine/packed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/block_cache.h"
#include "engine/packed_format.h"

enum { TABLE_HEAD_BYTES = 10 };

/* The ends follow the bytes, aligned. */
static size_t ends_at(size_t len)
{
	return (sizeof(struct packed) + len + 3) & ~(size_t)3;
}

static size_t block_bytes(const struct packed *p)
{
	return (size_t)((const char *)(p->ends + p->count) - (const char *)p);
}

/* -- references ---------------------------------------------------------------------------------------- */

struct packed *packed_ref(struct packed *p)
{
	if (p)
		refcount_inc(&p->refs);
	return p;
}

void packed_unref(struct packed *p)
{
	if (!p || !refcount_dec(&p->refs))
		return;
	for (uint32_t i = 0; i < p->nfailures; i++)
		failure_unref(p->failures[i]);
	free(p->failures);
	block_free(p, block_bytes(p));
}

unsigned packed_count(const struct packed *p)
{
	return p ? p->count : 0;
}

size_t packed_bytes(const struct packed *p)
{
	return p ? sizeof(*p) + p->len + p->count * sizeof(uint32_t) : 0;
}

size_t packed_inline_bytes(const struct packed *p, size_t max)
{
	size_t bytes = block_bytes(p);

	return p->nfailures == 0 && bytes <= max ? bytes : 0;
}

const struct packed *packed_inline(void *mem, const struct packed *p)
{
	struct packed *copy = mem;
	size_t skip = offsetof(struct packed, count); /* others count their references meanwhile */

	refcount_init(&copy->refs);
	memcpy((char *)mem + skip, (const char *)p + skip, block_bytes(p) - skip);
	copy->ends = (uint32_t *)(void *)((char *)copy + ((const char *)p->ends - (const char *)p));
	return copy;
}

/* -- building ------------------------------------------------------------------------------------------ */

void packing_init(struct packing *k)
{
	k->bytes = k->small;
	k->cap = sizeof(k->small);
	k->len = 0;
	k->ends = k->small_ends;
	k->cap_ends = ARRAY_LEN(k->small_ends);
	k->count = 0;
	k->failures = NULL;
	k->nfailures = 0;
	k->has_refs = false;
}

void packing_done(struct packing *k)
{
	for (uint32_t i = 0; i < k->nfailures; i++)
		failure_unref(k->failures[i]);
	free(k->failures);
	if (k->bytes != k->small)
		free(k->bytes);
	if (k->ends != k->small_ends)
		free(k->ends);
	packing_init(k);
}

/* Make room; -1 ERR_INVALID when the block would exceed PACKED_BYTES_MAX. */
static int packing_room(struct packing *k, size_t bytes, struct err *e)
{
	size_t cap = k->cap;

	if (bytes <= k->cap - k->len)
		return 0;
	if (bytes > (size_t)PACKED_BYTES_MAX || bytes > PACKED_BYTES_MAX - k->len)
		return err_set(e, ERR_INVALID, "the value is too large to copy: more than %d MiB",
			PACKED_BYTES_MAX / (1024 * 1024));
	while (cap - k->len < bytes)
		cap *= 2;
	if (k->bytes == k->small) {
		k->bytes = xmalloc(cap);
		memcpy(k->bytes, k->small, k->len);
	} else {
		k->bytes = xrealloc(k->bytes, cap);
	}
	k->cap = cap;
	return 0;
}

static void put(struct packing *k, const void *data, size_t len)
{
	memcpy(k->bytes + k->len, data, len);
	k->len += len;
}

int packing_tag(struct packing *k, enum packed_tag tag, struct err *e)
{
	if (packing_room(k, 1, e) < 0)
		return -1;
	k->bytes[k->len++] = (unsigned char)tag;
	return 0;
}

static int put_item(struct packing *k, enum packed_tag tag, const void *data, size_t len, struct err *e)
{
	if (packing_room(k, 1 + len, e) < 0)
		return -1;
	k->bytes[k->len++] = (unsigned char)tag;
	put(k, data, len);
	return 0;
}

int packing_int(struct packing *k, int64_t i, struct err *e)
{
	return put_item(k, PACKED_INT, &i, sizeof(i), e);
}

int packing_float(struct packing *k, double f, struct err *e)
{
	return put_item(k, PACKED_FLOAT, &f, sizeof(f), e);
}

int packing_string(struct packing *k, const char *s, size_t len, struct err *e)
{
	if (packing_room(k, 5 + len, e) < 0)
		return -1;
	if (len <= UINT8_MAX) {
		k->bytes[k->len++] = PACKED_STR8;
		k->bytes[k->len++] = (unsigned char)len;
	} else {
		uint32_t n = (uint32_t)len;

		k->bytes[k->len++] = PACKED_STR32;
		put(k, &n, sizeof(n));
	}
	put(k, s, len);
	return 0;
}

int packing_ref(struct packing *k, uint32_t index, struct err *e)
{
	k->has_refs = true;
	return put_item(k, PACKED_REF, &index, sizeof(index), e);
}

int packing_failure(struct packing *k, struct failure *f, struct err *e)
{
	if (put_item(k, PACKED_FAIL, &k->nfailures, sizeof(k->nfailures), e) < 0)
		return -1;
	k->failures = xreallocarray(k->failures, k->nfailures + 1, sizeof(*k->failures));
	k->failures[k->nfailures++] = failure_ref(f);
	return 0;
}

int packing_table(struct packing *k, size_t *ret_at, struct err *e)
{
	static const unsigned char head[TABLE_HEAD_BYTES - 1];

	*ret_at = k->len;
	return put_item(k, PACKED_TABLE, head, sizeof(head), e);
}

void packing_table_end(struct packing *k, size_t at, uint32_t narray, uint32_t npairs, bool has_meta)
{
	k->bytes[at + 1] = has_meta ? PACKED_TABLE_META : 0;
	memcpy(k->bytes + at + 2, &narray, sizeof(narray));
	memcpy(k->bytes + at + 6, &npairs, sizeof(npairs));
}

void packing_end_payload(struct packing *k)
{
	if (k->count == k->cap_ends) {
		uint32_t cap = k->cap_ends * 2;

		if (k->ends == k->small_ends) {
			k->ends = xcalloc(cap, sizeof(*k->ends));
			memcpy(k->ends, k->small_ends, sizeof(k->small_ends));
		} else {
			k->ends = xreallocarray(k->ends, cap, sizeof(*k->ends));
		}
		k->cap_ends = cap;
	}
	k->ends[k->count++] = (uint32_t)k->len;
}

struct packed *packing_finish(struct packing *k)
{
	struct packed *p = block_alloc(ends_at(k->len) + k->count * sizeof(uint32_t));

	refcount_init(&p->refs);
	p->count = k->count;
	p->len = k->len;
	p->has_refs = k->has_refs;
	p->nfailures = k->nfailures;
	p->failures = k->failures;
	p->ends = (uint32_t *)(void *)((char *)p + ends_at(k->len));
	memcpy(p->bytes, k->bytes, k->len);
	memcpy(p->ends, k->ends, k->count * sizeof(uint32_t));
	k->failures = NULL;
	k->nfailures = 0;
	packing_done(k);
	return p;
}

struct packed *packed_item_new(size_t len)
{
	struct packed *p = block_alloc(ends_at(len) + sizeof(uint32_t));

	refcount_init(&p->refs);
	p->count = 1;
	p->len = len;
	p->has_refs = false;
	p->nfailures = 0;
	p->failures = NULL;
	p->ends = (uint32_t *)(void *)((char *)p + ends_at(len));
	p->ends[0] = (uint32_t)len;
	return p;
}

/* -- reading ------------------------------------------------------------------------------------------- */

bool unpacking_init(struct unpacking *u, const struct packed *p, unsigned i)
{
	if (i >= packed_count(p))
		return false;
	u->packed = p;
	u->at = i > 0 ? p->ends[i - 1] : 0;
	u->end = p->ends[i];
	return true;
}

static bool take(struct unpacking *u, void *ret, size_t len)
{
	if (len > u->end - u->at)
		return false;
	memcpy(ret, u->packed->bytes + u->at, len);
	u->at += len;
	return true;
}

static bool take_string(struct unpacking *u, size_t len, struct packed_item *ret)
{
	if (len > u->end - u->at)
		return false;
	ret->str = (const char *)u->packed->bytes + u->at;
	ret->len = len;
	u->at += len;
	return true;
}

static bool take_table(struct unpacking *u, struct packed_item *ret)
{
	unsigned char flags;
	size_t left;

	if (!take(u, &flags, 1) || !take(u, &ret->narray, 4) || !take(u, &ret->npairs, 4))
		return false;
	ret->has_meta = flags & PACKED_TABLE_META;
	left = u->end - u->at;
	return ret->narray <= left && ret->npairs <= (left - ret->narray) / 2;
}

bool unpacking_next(struct unpacking *u, struct packed_item *ret)
{
	unsigned char tag, n8;
	uint32_t n32;

	if (!take(u, &tag, 1))
		return false;
	ret->tag = tag;
	switch (ret->tag) {
	case PACKED_NIL:
	case PACKED_FALSE:
	case PACKED_TRUE:
		return true;
	case PACKED_INT:
		return take(u, &ret->i, sizeof(ret->i));
	case PACKED_FLOAT:
		return take(u, &ret->f, sizeof(ret->f));
	case PACKED_STR8:
		return take(u, &n8, 1) && take_string(u, n8, ret);
	case PACKED_STR32:
		return take(u, &n32, 4) && take_string(u, n32, ret);
	case PACKED_TABLE:
		return take_table(u, ret);
	case PACKED_REF:
		return take(u, &ret->index, 4);
	case PACKED_FAIL:
		if (!take(u, &n32, 4) || n32 >= u->packed->nfailures)
			return false;
		ret->failure = u->packed->failures[n32];
		return true;
	}
	return false;
}

/* -- without Lua --------------------------------------------------------------------------------------- */

struct packed *packed_from_strings(const char *const *strings, unsigned n)
{
	struct packing k;

	packing_init(&k);
	for (unsigned i = 0; i < n; i++) {
		/* Too much in all cannot come from a command line; what exceeds is left out. */
		if (packing_string(&k, strings[i], strlen(strings[i]), NULL) < 0)
			break;
		packing_end_payload(&k);
	}
	return packing_finish(&k);
}

/* Write an item's head again; what is inside a table follows in the same order, so nothing else is needed. */
static int copy_item(struct packing *k, const struct packed_item *it)
{
	size_t at;

	switch (it->tag) {
	case PACKED_NIL:
	case PACKED_FALSE:
	case PACKED_TRUE:
		return packing_tag(k, it->tag, NULL);
	case PACKED_INT:
		return packing_int(k, it->i, NULL);
	case PACKED_FLOAT:
		return packing_float(k, it->f, NULL);
	case PACKED_STR8:
	case PACKED_STR32:
		return packing_string(k, it->str, it->len, NULL);
	case PACKED_TABLE:
		if (packing_table(k, &at, NULL) < 0)
			return -1;
		packing_table_end(k, at, it->narray, it->npairs, it->has_meta);
		return 0;
	case PACKED_REF:
		return packing_ref(k, it->index, NULL);
	case PACKED_FAIL:
		return packing_failure(k, it->failure, NULL);
	}
	return -1;
}

struct packed *packed_concat(struct packed *const *parts, unsigned n)
{
	struct packing k;

	packing_init(&k);
	for (unsigned i = 0; i < n; i++) {
		for (unsigned j = 0; j < packed_count(parts[i]); j++) {
			struct unpacking u;
			struct packed_item it;

			unpacking_init(&u, parts[i], j);
			while (u.at < u.end) {
				if (!unpacking_next(&u, &it) || copy_item(&k, &it) < 0)
					goto out;
			}
			packing_end_payload(&k);
		}
	}
out:
	return packing_finish(&k);
}
