/*
 * retry.h - the `retry` option of a function call: which failures are worth another attempt, and after how long.
 *
 *     retry: {max_attempts: 3, initial_delay: 100, max_delay: "10s", backoff_factor: 2, jitter: 0.1,
 *             retry_kinds: ["Unavailable"], skip_kinds: ["NotFound"]}
 *
 * A number is a delay in milliseconds. Pure; any thread.
 */
#ifndef BIND_RETRY_H
#define BIND_RETRY_H

#include <stdbool.h>

#include "base/backoff.h"
#include "base/err.h"
#include "engine/failure.h"
#include "value/value.h"

struct retry {
	unsigned max_attempts; /* the first included; 0 and 1: none but the first */
	struct backoff backoff;
	struct value *retry_kinds; /* lists of strings; NULL = not given */
	struct value *skip_kinds;
};

/* Read the option; NULL and nil give one that never retries. INVALID names the field; then nothing is left to free. */
int retry_read(struct retry *r, const struct value *option, struct err *e);
void retry_done(struct retry *r);
/* After attempt `n` failed with `f`: once more? */
bool retry_wants(const struct retry *r, unsigned n, const struct failure *f);

#endif
