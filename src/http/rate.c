#include "http/rate.h"

#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"

struct bucket {
	struct list used; /* in rate.used, most recently used first */
	double tokens;
	uint64_t at_ns;
	char key[2 * SHA256_DIGEST_LENGTH + 2];
};

struct rate {
	struct rate_config cfg;
	pthread_mutex_t lock;
	struct map *buckets;
	struct list used;
	uint64_t swept_ns;
};

struct rate *rate_new(const struct rate_config *cfg)
{
	struct rate *r = xcalloc(1, sizeof(*r));

	r->cfg = *cfg;
	pthread_mutex_init(&r->lock, NULL);
	r->buckets = map_new();
	list_init(&r->used);
	return r;
}

void rate_free(struct rate *r)
{
	if (!r)
		return;
	map_free(r->buckets, free);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static void drop(struct rate *r, struct bucket *b)
{
	map_remove(r->buckets, b->key);
	list_remove(&b->used);
	free(b);
}

static bool is_idle(const struct rate *r, const struct bucket *b, uint64_t now_ns)
{
	return now_ns > b->at_ns && now_ns - b->at_ns > r->cfg.ttl_ns;
}

static void sweep(struct rate *r, uint64_t now_ns)
{
	if (now_ns < r->swept_ns + r->cfg.sweep_ns)
		return;
	r->swept_ns = now_ns;
	for (struct list *at = r->used.prev, *before; at != &r->used; at = before) {
		struct bucket *b = list_entry(at, struct bucket, used);

		before = at->prev;
		if (!is_idle(r, b, now_ns))
			break;
		drop(r, b);
	}
}

/* A name for the key that holds no NUL; one kept as it is never looks like a digest's. */
static void name_key(const char *key, size_t len, char out[static sizeof(((struct bucket *)NULL)->key)])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char digest[SHA256_DIGEST_LENGTH];

	if (len <= RATE_KEY_BYTES && !memchr(key, '\0', len)) {
		out[0] = '=';
		memcpy(out + 1, key, len);
		out[len + 1] = '\0';
		return;
	}
	SHA256((const unsigned char *)key, len, digest);
	out[0] = '#';
	for (size_t i = 0; i < sizeof(digest); i++) {
		out[1 + 2 * i] = hex[digest[i] >> 4];
		out[2 + 2 * i] = hex[digest[i] & 15];
	}
	out[1 + 2 * sizeof(digest)] = '\0';
}

static struct bucket *find(struct rate *r, const char *name, uint64_t now_ns)
{
	struct bucket *b = map_get(r->buckets, name);

	if (b) {
		list_remove(&b->used);
	} else {
		if (map_count(r->buckets) >= r->cfg.entries_max)
			drop(r, list_entry(r->used.prev, struct bucket, used));
		b = xcalloc(1, sizeof(*b));
		b->tokens = r->cfg.burst;
		b->at_ns = now_ns;
		memcpy(b->key, name, strlen(name) + 1);
		map_set(r->buckets, name, b);
	}
	list_push_front(&r->used, &b->used);
	return b;
}

bool rate_take(struct rate *r, const char *key, size_t len, uint64_t now_ns)
{
	char name[sizeof(((struct bucket *)NULL)->key)];
	struct bucket *b;
	bool ok;

	name_key(key, len, name);
	pthread_mutex_lock(&r->lock);
	b = find(r, name, now_ns);
	if (now_ns > b->at_ns) {
		b->tokens += (double)(now_ns - b->at_ns) / 1e9 * r->cfg.per_second;
		b->at_ns = now_ns;
	}
	if (b->tokens > r->cfg.burst)
		b->tokens = r->cfg.burst;
	ok = b->tokens >= 1;
	if (ok)
		b->tokens -= 1;
	sweep(r, now_ns);
	pthread_mutex_unlock(&r->lock);
	return ok;
}

size_t rate_count(struct rate *r)
{
	size_t n;

	pthread_mutex_lock(&r->lock);
	n = map_count(r->buckets);
	pthread_mutex_unlock(&r->lock);
	return n;
}
