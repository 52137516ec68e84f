#include "registry/registry.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "registry/order.h"

struct snapshot {
	struct refcount refs;
	uint64_t version;
	struct entry **items; /* sorted by id */
	size_t count;
};

struct registry {
	const struct kind_list *kinds;
	struct runtime *rt;
	struct entry **applied; /* in the order of application; main thread only */
	size_t napplied;
	pthread_mutex_t lock; /* guards `current`: held for a pointer copy, never across a handler */
	struct snapshot *current;
};

static struct snapshot *snapshot_make(struct entry *const *entries, size_t n, uint64_t version);

struct registry *registry_new(const struct kind_list *kinds, struct runtime *rt)
{
	struct registry *r = xcalloc(1, sizeof(*r));

	r->kinds = kinds;
	r->rt = rt;
	pthread_mutex_init(&r->lock, NULL);
	r->current = snapshot_make(NULL, 0, 0);
	return r;
}

static void unapply(struct registry *r)
{
	while (r->napplied > 0) {
		struct entry *e = r->applied[--r->napplied];
		const struct kind *k = kind_find(r->kinds, e->kind);

		if (k && k->remove)
			k->remove(r->rt, e);
		entry_unref(e);
	}
}

void registry_free(struct registry *r)
{
	if (!r)
		return;
	unapply(r);
	free(r->applied);
	snapshot_unref(r->current);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* How many single-byte edits turn `a` into `b`; only for short texts. */
static size_t edit_distance(const char *a, const char *b)
{
	enum { LEN_MAX = 63 };
	size_t row[LEN_MAX + 1], la = strlen(a), lb = strlen(b);

	if (la > LEN_MAX || lb > LEN_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[lb];
}

static int refuse_kind(const struct registry *r, const struct entry *e, struct err *err)
{
	const char *nearest = NULL;
	size_t nearest_distance = 4; /* further away is no typing mistake */

	for (size_t i = 0; i < r->kinds->count; i++) {
		size_t d = edit_distance(e->kind, r->kinds->kinds[i]->name);

		if (d < nearest_distance) {
			nearest_distance = d;
			nearest = r->kinds->kinds[i]->name;
		}
	}
	if (nearest)
		return err_set(err, ERR_INVALID, "field 'kind': no listener for kind '%s'; did you mean '%s'?", e->kind,
			nearest);
	return err_set(err, ERR_INVALID,
		"field 'kind': no listener for kind '%s'; `wippy help kinds` lists those there are", e->kind);
}

static int apply_one(struct registry *r, struct entry *e, struct err *err)
{
	const struct kind *k = kind_find(r->kinds, e->kind);

	if (!k)
		return refuse_kind(r, e, err);
	if (!k->add)
		return 0;
	if (!e->data)
		return err_set(err, ERR_INVALID, "configuration data is required");
	return k->add(r->rt, e, err);
}

static int load_in_passes(struct registry *r, struct entry **pending, size_t n, struct err *err)
{
	while (n > 0) {
		size_t left = 0;
		struct err first = {0};

		for (size_t i = 0; i < n; i++) {
			struct err one = {0};

			if (apply_one(r, pending[i], &one) == 0) {
				r->applied[r->napplied++] = entry_ref(pending[i]);
				continue;
			}
			entry_prefix(&one, pending[i], NULL);
			if (one.kind != ERR_NOT_FOUND) {
				*err = one;
				return -1;
			}
			if (left == 0)
				first = one;
			pending[left++] = pending[i];
		}
		if (left == n) {
			*err = first;
			return n == 1 ? -1 : err_prefix(err, "unresolved dependencies of %zu entries, the first", n);
		}
		n = left;
	}
	return 0;
}

int registry_load(struct registry *r, struct entry *const *entries, size_t n, struct err *e)
{
	struct entry **order = xcalloc(n ? n : 1, sizeof(*order));
	struct snapshot *fresh, *old;
	int rc = -1;

	if (n > 0)
		memcpy(order, entries, n * sizeof(*order));
	r->applied = xreallocarray(r->applied, n ? n : 1, sizeof(*r->applied));
	if (entries_sort_dependencies(order, n) > 0)
		log_warn("registry", "entries refer to each other in a circle; they are applied in order of their ids");
	if (load_in_passes(r, order, n, e) < 0) {
		unapply(r);
		goto out;
	}
	fresh = snapshot_make(entries, n, 0);
	pthread_mutex_lock(&r->lock);
	old = r->current;
	r->current = fresh;
	pthread_mutex_unlock(&r->lock);
	snapshot_unref(old);
	rc = 0;
out:
	free(order);
	return rc < 0 ? err_prefix(e, "failed to load state") : 0;
}

struct entry *registry_get(struct registry *r, const char *id)
{
	struct snapshot *s = registry_snapshot(r);
	struct entry *e = entry_ref(snapshot_get(s, id));

	snapshot_unref(s);
	return e;
}

struct snapshot *registry_snapshot(struct registry *r)
{
	struct snapshot *s;

	pthread_mutex_lock(&r->lock);
	s = r->current;
	refcount_inc(&s->refs);
	pthread_mutex_unlock(&r->lock);
	return s;
}

/* -- snapshots -- */

static int by_id(const void *a, const void *b)
{
	const struct entry *const *x = a, *const *y = b;

	return strcmp((*x)->id, (*y)->id);
}

static struct snapshot *snapshot_make(struct entry *const *entries, size_t n, uint64_t version)
{
	struct snapshot *s = xcalloc(1, sizeof(*s));

	refcount_init(&s->refs);
	s->version = version;
	s->count = n;
	s->items = xcalloc(n ? n : 1, sizeof(*s->items));
	for (size_t i = 0; i < n; i++)
		s->items[i] = entry_ref(entries[i]);
	qsort(s->items, n, sizeof(*s->items), by_id);
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
