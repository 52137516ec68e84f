/*
 * snapshot.c - immutable states of the registry: entries sorted by id.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "registry/internal.h"

/* An entry, or that there is none; `seen` tells which came last. */
struct slot {
	const char *id;
	struct entry *entry;
	size_t seen;
};

static int by_id(const void *a, const void *b)
{
	const struct slot *x = a, *y = b;
	int c = strcmp(x->id, y->id);

	return c ? c : (x->seen > y->seen) - (x->seen < y->seen);
}

/* Sort, keep the last of each id; returns how many are left. */
static size_t settle(struct slot *slots, size_t n)
{
	size_t kept = 0;

	qsort(slots, n, sizeof(*slots), by_id);
	for (size_t i = 0; i < n; i++) {
		if (i + 1 < n && strcmp(slots[i].id, slots[i + 1].id) == 0)
			continue;
		slots[kept++] = slots[i];
	}
	return kept;
}

static struct snapshot *snapshot_alloc(size_t room, uint64_t version)
{
	struct snapshot *s = xcalloc(1, sizeof(*s));

	refcount_init(&s->refs);
	s->version = version;
	s->items = xcalloc(room ? room : 1, sizeof(*s->items));
	return s;
}

struct snapshot *snapshot_new(struct entry *const *entries, size_t n, uint64_t version)
{
	struct snapshot *s = snapshot_alloc(n, version);
	struct slot *slots = xcalloc(n ? n : 1, sizeof(*slots));

	for (size_t i = 0; i < n; i++)
		slots[i] = (struct slot){entries[i]->id, entries[i], i};
	n = settle(slots, n);
	for (size_t i = 0; i < n; i++)
		s->items[s->count++] = entry_ref(slots[i].entry);
	free(slots);
	return s;
}

struct snapshot *snapshot_with(const struct snapshot *base, const struct changes *c, uint64_t version)
{
	struct snapshot *s = snapshot_alloc(base->count + c->count, version);
	struct slot *slots = xcalloc(c->count ? c->count : 1, sizeof(*slots));
	size_t n, at = 0;

	for (size_t i = 0; i < c->count; i++) {
		struct entry *e = c->items[i].entry;

		slots[i] = (struct slot){e->id, c->items[i].type == CHANGE_DELETE ? NULL : e, i};
	}
	n = settle(slots, c->count);
	for (size_t i = 0; i < n; i++) {
		while (at < base->count && strcmp(base->items[at]->id, slots[i].id) < 0)
			s->items[s->count++] = entry_ref(base->items[at++]);
		if (at < base->count && strcmp(base->items[at]->id, slots[i].id) == 0)
			at++;
		if (slots[i].entry)
			s->items[s->count++] = entry_ref(slots[i].entry);
	}
	while (at < base->count)
		s->items[s->count++] = entry_ref(base->items[at++]);
	free(slots);
	return s;
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
	if (s)
		refcount_inc(&s->refs);
	return s;
}

void snapshot_unref(struct snapshot *s)
{
	if (!s || !refcount_dec(&s->refs))
		return;
	for (size_t i = 0; i < s->count; i++)
		entry_unref(s->items[i]);
	free(s->items);
	free(s);
}

size_t snapshot_count(const struct snapshot *s)
{
	return s->count;
}

struct entry *snapshot_at(const struct snapshot *s, size_t i)
{
	return s->items[i];
}

struct entry *snapshot_get(const struct snapshot *s, const char *id)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = strcmp(id, s->items[mid]->id);

		if (c == 0)
			return s->items[mid];
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

uint64_t snapshot_version(const struct snapshot *s)
{
	return s->version;
}
