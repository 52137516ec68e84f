/*
 * backoff.h - how long to wait before trying again: growing, bounded, jittered.
 *
 * Pure but for the dice; any thread. Used for services that are restarted and for calls that are retried.
 */
#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

#include <stdint.h>

struct backoff {
	uint64_t initial_ns;
	uint64_t max_ns;
	double factor; /* of one delay over the one before; at least 1 */
	double jitter; /* fraction by which a delay differs at most, up or down; 0 to 1 */
};

/* The delay before retry `n` (1 is the first): initial * factor^(n-1), at most max, then moved by `dice` (0 <= dice < 1) within the jitter. */
uint64_t backoff_delay_at(const struct backoff *b, unsigned n, double dice);
/* The same with dice of its own. */
uint64_t backoff_delay(const struct backoff *b, unsigned n);

#endif
