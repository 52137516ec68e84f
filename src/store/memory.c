/*
 * memory.c - a store in memory: a skip list of keys in their order, under a lock.
 *
 * Nothing is freed under the lock: data that is replaced may be large. What has expired is as good as gone at once; it
 * is dropped when it is in the way, when there is no room, and by store_clean().
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "store/backend.h"

enum { LEVELS = 16 };

struct node {
	struct store_data *data;
	uint64_t version;
	uint64_t expires_ns; /* loop_clock_ns(); 0 = never */
	struct node *dead;   /* list of what is to be freed */
	size_t key_len;
	char *key;
	unsigned levels;
	struct node *next[];
};

struct memory {
	struct store store;
	pthread_mutex_t lock;
	size_t max_size;
	size_t count;
	uint64_t version;     /* the last one given */
	uint64_t earliest_ns; /* no entry expires before that; 0 = none expires */
	uint64_t random;      /* for the height of nodes */
	struct node *heads[LEVELS];
	struct node *dead; /* while the lock is held */
};

static struct memory *memory_of(struct store *s)
{
	return container_of(s, struct memory, store);
}

/* -- the skip list; with the lock held ----------------------------------------------------------------------- */

static int compare(const char *a, size_t alen, const char *b, size_t blen)
{
	int c = memcmp(a, b, alen < blen ? alen : blen);

	if (c != 0)
		return c;
	return alen < blen ? -1 : alen > blen;
}

/* For each level the link behind the last node before the key. Returns the first node that is not before it. */
static struct node *seek(struct memory *m, const char *key, size_t len, struct node **links[LEVELS])
{
	struct node **row = m->heads;
	unsigned level = LEVELS;

	while (level-- > 0) {
		while (row[level] && compare(row[level]->key, row[level]->key_len, key, len) < 0)
			row = row[level]->next;
		links[level] = &row[level];
	}
	return row[0];
}

static struct node *find(struct memory *m, const char *key, size_t len, struct node **links[LEVELS])
{
	struct node *n = seek(m, key, len, links);

	return n && compare(n->key, n->key_len, key, len) == 0 ? n : NULL;
}

static unsigned random_levels(struct memory *m)
{
	unsigned levels = 1;

	/* xorshift64 */
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	for (uint64_t bits = m->random; levels < LEVELS && (bits & 3) == 0; bits >>= 2)
		levels++;
	return levels;
}

static void bury(struct memory *m, struct node *n)
{
	n->dead = m->dead;
	m->dead = n;
}

static void unlink_node(struct memory *m, struct node *n, struct node **links[LEVELS])
{
	for (unsigned i = 0; i < n->levels; i++)
		*links[i] = n->next[i];
	m->count--;
	bury(m, n);
}

static void insert(struct memory *m, const char *key, size_t len, struct node **links[LEVELS], struct node **ret)
{
	unsigned levels = random_levels(m);
	struct node *n = xcalloc(1, sizeof(*n) + levels * sizeof(n->next[0]));

	n->levels = levels;
	n->key = xmemdupz(key, len);
	n->key_len = len;
	for (unsigned i = 0; i < levels; i++) {
		n->next[i] = *links[i];
		*links[i] = n;
	}
	m->count++;
	*ret = n;
}

static bool is_expired(const struct node *n, uint64_t now)
{
	return n->expires_ns != 0 && n->expires_ns <= now;
}

static void drop_expired(struct memory *m, uint64_t now)
{
	struct node **links[LEVELS], *n, *next;
	uint64_t earliest = 0;

	if (m->earliest_ns == 0 || m->earliest_ns > now)
		return;
	for (n = m->heads[0]; n; n = next) {
		next = n->next[0];
		if (is_expired(n, now)) {
			find(m, n->key, n->key_len, links);
			unlink_node(m, n, links);
		} else if (n->expires_ns != 0 && (earliest == 0 || n->expires_ns < earliest)) {
			earliest = n->expires_ns;
		}
	}
	m->earliest_ns = earliest;
}

static void free_dead(struct node *n)
{
	while (n) {
		struct node *next = n->dead;

		store_data_unref(n->data);
		free(n->key);
		free(n);
		n = next;
	}
}

/* -- operations; with the lock held ------------------------------------------------------------------------- */

static void answer_entry(struct store_answer *a, const struct node *n)
{
	store_answer_add(a, n->key, n->key_len, store_data_ref(n->data), n->version);
}

static int fail_missing(struct store_answer *a)
{
	return err_set(&a->err, ERR_NOT_FOUND, "key not found");
}

static int put(struct memory *m, const struct store_request *r, uint64_t now, struct store_data **ret_old,
	struct store_answer *a)
{
	struct node **links[LEVELS], *n = find(m, r->key, r->key_len, links);
	bool present = n && !is_expired(n, now);

	if (r->only_if_absent && present)
		return err_set(&a->err, ERR_ALREADY_EXISTS, "key already exists");
	if (r->if_version && !present)
		return fail_missing(a);
	if (r->if_version && n->version != r->if_version) {
		err_set(&a->err, ERR_CONFLICT, "version mismatch");
		return err_retryable(&a->err);
	}
	if (!n) {
		if (m->count >= m->max_size) {
			drop_expired(m, now);
			seek(m, r->key, r->key_len, links); /* what they pointed into may be gone */
		}
		if (m->count >= m->max_size) {
			err_set(&a->err, ERR_UNAVAILABLE, "store is full");
			return err_retryable(&a->err);
		}
		insert(m, r->key, r->key_len, links, &n);
	}
	*ret_old = n->data;
	n->data = store_data_ref(r->data);
	n->version = ++m->version;
	n->expires_ns = 0;
	if (r->ttl_ns > 0) {
		n->expires_ns = now + (uint64_t)r->ttl_ns;
		if (m->earliest_ns == 0 || n->expires_ns < m->earliest_ns)
			m->earliest_ns = n->expires_ns;
	}
	answer_entry(a, n);
	return 0;
}

static void list(struct memory *m, const struct store_request *r, uint64_t now, struct store_answer *a)
{
	bool from_after = r->after_len > 0 && compare(r->after, r->after_len, r->prefix, r->prefix_len) >= 0;
	struct node **links[LEVELS], *n;

	n = from_after ? seek(m, r->after, r->after_len, links) : seek(m, r->prefix, r->prefix_len, links);
	for (; n; n = n->next[0]) {
		if (n->key_len < r->prefix_len || memcmp(n->key, r->prefix, r->prefix_len) != 0)
			break;
		if (is_expired(n, now) || (from_after && compare(n->key, n->key_len, r->after, r->after_len) == 0))
			continue;
		if (a->count == r->limit) {
			a->has_more = true;
			break;
		}
		answer_entry(a, n);
	}
}

static int run(struct memory *m, const struct store_request *r, struct store_data **ret_old, struct store_answer *a)
{
	uint64_t now = loop_clock_ns();
	struct node **links[LEVELS], *n;

	if (r->op == STORE_PUT)
		return put(m, r, now, ret_old, a);
	if (r->op == STORE_LIST) {
		list(m, r, now, a);
		return 0;
	}
	n = find(m, r->key, r->key_len, links);
	a->found = n && !is_expired(n, now);
	if (r->op == STORE_DELETE && n)
		unlink_node(m, n, links);
	if (r->op == STORE_GET && !a->found)
		return fail_missing(a);
	if (r->op == STORE_GET)
		answer_entry(a, n);
	return 0;
}

static struct store_wait *memory_begin(struct store *s, const struct store_request *r, struct store_answer *ret_a,
	struct loop *loop, store_done_fn *done, void *arg)
{
	struct memory *m = memory_of(s);
	struct store_data *old = NULL;
	struct node *dead;

	(void)loop;
	(void)done;
	(void)arg;
	pthread_mutex_lock(&m->lock);
	ret_a->rc = run(m, r, &old, ret_a);
	dead = m->dead;
	m->dead = NULL;
	pthread_mutex_unlock(&m->lock);
	store_data_unref(old);
	free_dead(dead);
	return NULL;
}

static struct store_wait *memory_clean(struct store *s, struct loop *loop, store_done_fn *done, void *arg)
{
	struct memory *m = memory_of(s);
	struct node *dead;

	(void)loop;
	(void)done;
	(void)arg;
	pthread_mutex_lock(&m->lock);
	drop_expired(m, loop_clock_ns());
	dead = m->dead;
	m->dead = NULL;
	pthread_mutex_unlock(&m->lock);
	free_dead(dead);
	return NULL;
}

static void memory_free(struct store *s)
{
	struct memory *m = memory_of(s);
	struct node *n = m->heads[0];

	while (n) {
		struct node *next = n->next[0];

		n->dead = NULL;
		free_dead(n);
		n = next;
	}
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static const struct store_backend backend = {
	.info =
		{
			.backend = "memory",
			.consistency = "local",
			.durable = false,
			.list = true,
			.versioned = true,
			.conditional_put = true,
			.ttl = true,
		},
	.begin = memory_begin,
	.clean = memory_clean,
	.free = memory_free,
};

struct store *store_memory_new(size_t max_size)
{
	struct memory *m = xcalloc(1, sizeof(*m));

	store_init(&m->store, &backend);
	pthread_mutex_init(&m->lock, NULL);
	m->max_size = max_size;
	m->random = loop_clock_ns() | 1;
	return &m->store;
}

void store_memory_set_max_size(struct store *s, size_t max_size)
{
	struct memory *m = memory_of(s);

	pthread_mutex_lock(&m->lock);
	m->max_size = max_size;
	pthread_mutex_unlock(&m->lock);
}
