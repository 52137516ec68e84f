#include "registry/history.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"

struct version {
	uint64_t id;
	uint64_t parent;
	struct changes changes; /* each with its `previous` */
};

struct history {
	const struct history_store *store; /* NULL: none */
	void *self;
	pthread_mutex_t lock;      /* guards what follows */
	struct version **versions; /* by ascending id, without 0 */
	size_t count;
	size_t cap;
	uint64_t head;
};

static void version_free(struct version *v)
{
	if (!v)
		return;
	changes_done(&v->changes);
	free(v);
}

/* Takes `v`. */
static void add_version(struct history *h, struct version *v)
{
	pthread_mutex_lock(&h->lock);
	if (h->count == h->cap) {
		h->cap = h->cap ? 2 * h->cap : 16;
		h->versions = xreallocarray(h->versions, h->cap, sizeof(struct version *));
	}
	h->versions[h->count++] = v;
	h->head = v->id;
	pthread_mutex_unlock(&h->lock);
}

/* Under the lock, or on the main thread. NULL for 0 and what is not there. */
static struct version *find_version(const struct history *h, uint64_t id)
{
	size_t low = 0, high = h->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (h->versions[mid]->id == id)
			return h->versions[mid];
		if (h->versions[mid]->id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static int load_version(void *arg, uint64_t id, uint64_t parent, const char *text, size_t len, struct err *e)
{
	struct history *h = arg;
	struct version *v;

	/* So that every way back to the root ends. */
	if (id == 0 || parent >= id || (h->count > 0 && id <= h->versions[h->count - 1]->id) ||
		(parent != 0 && !find_version(h, parent)))
		return err_set(e, ERR_INVALID, "version %" PRIu64 " does not continue the history", id);
	v = xcalloc(1, sizeof(*v));
	v->id = id;
	v->parent = parent;
	if (changes_read(text, len, &v->changes, e) < 0) {
		version_free(v);
		return err_prefix(e, "version %" PRIu64, id);
	}
	add_version(h, v);
	return 0;
}

int history_open(const struct history_store *store, void *self, struct history **ret, struct err *e)
{
	struct history *h = xcalloc(1, sizeof(*h));
	uint64_t head = 0;

	pthread_mutex_init(&h->lock, NULL);
	if (store && store->load(self, load_version, h, &head, e) < 0)
		goto fail;
	if (head != 0 && !find_version(h, head)) {
		err_set(e, ERR_INVALID, "the head, version %" PRIu64 ", is missing", head);
		goto fail;
	}
	h->head = head;
	h->store = store;
	h->self = self;
	*ret = h;
	return 0;
fail:
	history_free(h);
	return -1;
}

void history_free(struct history *h)
{
	if (!h)
		return;
	if (h->store)
		h->store->close(h->self);
	for (size_t i = 0; i < h->count; i++)
		version_free(h->versions[i]);
	free(h->versions);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

uint64_t history_head(struct history *h)
{
	uint64_t head;

	pthread_mutex_lock(&h->lock);
	head = h->head;
	pthread_mutex_unlock(&h->lock);
	return head;
}

uint64_t history_last(struct history *h)
{
	uint64_t last;

	pthread_mutex_lock(&h->lock);
	last = h->count > 0 ? h->versions[h->count - 1]->id : 0;
	pthread_mutex_unlock(&h->lock);
	return last;
}

uint64_t *history_ids(struct history *h, size_t *ret_n)
{
	uint64_t *ids;

	pthread_mutex_lock(&h->lock);
	ids = xcalloc(h->count + 1, sizeof(*ids));
	for (size_t i = 0; i < h->count; i++)
		ids[i + 1] = h->versions[i]->id;
	*ret_n = h->count + 1;
	pthread_mutex_unlock(&h->lock);
	return ids;
}

int history_parent(struct history *h, uint64_t id, uint64_t *ret_parent, struct err *e)
{
	const struct version *v;
	uint64_t parent = 0;

	pthread_mutex_lock(&h->lock);
	v = find_version(h, id);
	if (v)
		parent = v->parent;
	pthread_mutex_unlock(&h->lock);
	if (!v && id != 0)
		return err_set(e, ERR_NOT_FOUND, "version not found");
	*ret_parent = parent;
	return 0;
}

uint64_t history_child(struct history *h, uint64_t id)
{
	uint64_t child = 0;

	pthread_mutex_lock(&h->lock);
	for (size_t i = h->count; i-- > 0 && child == 0 && h->versions[i]->id > id;) {
		if (h->versions[i]->parent == id)
			child = h->versions[i]->id;
	}
	pthread_mutex_unlock(&h->lock);
	return child;
}

static int collect_path(struct history *h, uint64_t from, uint64_t to, struct changes *ret, struct err *e)
{
	struct version **down = xcalloc(h->count + 1, sizeof(struct version *));
	size_t n = 0;

	/* The larger id is never an ancestor of the other. */
	while (from != to) {
		uint64_t larger = from > to ? from : to;
		struct version *v = find_version(h, larger);

		if (!v) {
			free(down);
			return err_set(e, ERR_NOT_FOUND, "version not found: %" PRIu64, larger);
		}
		if (larger == to) {
			down[n++] = v;
			to = v->parent;
			continue;
		}

		struct changes back = {0};

		changes_add_all(&back, &v->changes);
		changes_invert(&back);
		changes_add_all(ret, &back);
		changes_done(&back);
		from = v->parent;
	}
	while (n > 0)
		changes_add_all(ret, &down[--n]->changes);
	free(down);
	return 0;
}

int history_path(struct history *h, uint64_t from, uint64_t to, struct changes *ret, struct err *e)
{
	struct changes c = {0};
	int rc;

	pthread_mutex_lock(&h->lock);
	rc = collect_path(h, from, to, &c, e);
	pthread_mutex_unlock(&h->lock);
	if (rc < 0) {
		changes_done(&c);
		return -1;
	}
	changes_combine(&c);
	*ret = c;
	return 0;
}

int history_append(struct history *h, uint64_t id, uint64_t parent, const struct changes *c, struct err *e)
{
	struct version *v;

	if (h->store) {
		struct buf text = BUF_INIT;
		int rc;

		changes_write(c, &text);
		rc = h->store->append(h->self, id, parent, buf_data(&text), buf_len(&text), e);
		buf_done(&text);
		if (rc < 0)
			return -1;
	}
	v = xcalloc(1, sizeof(*v));
	v->id = id;
	v->parent = parent;
	changes_add_all(&v->changes, c);
	add_version(h, v);
	return 0;
}

int history_set_head(struct history *h, uint64_t id, struct err *e)
{
	if (h->store && h->store->set_head(h->self, id, e) < 0)
		return -1;
	pthread_mutex_lock(&h->lock);
	h->head = id;
	pthread_mutex_unlock(&h->lock);
	return 0;
}
