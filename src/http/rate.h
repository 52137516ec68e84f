/*
 * rate.h - token buckets by key: who may come how often.
 *
 * A bucket is full at first, loses a token with each request and gains them at a fixed rate. Any thread; a lock is
 * held for one look-up. Keys are kept as they are up to RATE_KEY_BYTES, longer ones as their SHA-256, so that what
 * a client sends takes no more memory than `entries_max` allows.
 */
#ifndef HTTP_RATE_H
#define HTTP_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RATE_KEY_BYTES = 64 };

struct rate_config {
	double per_second;  /* tokens gained */
	double burst;       /* tokens a bucket holds */
	uint64_t sweep_ns;  /* how often idle buckets are looked for */
	uint64_t ttl_ns;    /* a bucket unused for longer is idle */
	size_t entries_max; /* beyond it the bucket least recently used is dropped */
};

struct rate;

struct rate *rate_new(const struct rate_config *cfg);
void rate_free(struct rate *r); /* NULL is fine */

/* May one more come? `now_ns` must not go back by more than the clock does between threads. */
bool rate_take(struct rate *r, const char *key, size_t len, uint64_t now_ns);
size_t rate_count(struct rate *r);

#endif
