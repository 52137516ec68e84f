/*
 * lifecycle.h - the `lifecycle` block of an entry: when its service starts, how long that may take, what happens when it fails.
 *
 *     lifecycle:
 *       auto_start: true
 *       requires: [cache, other:queue]     # running first; `depends_on` means the same; bare names are of the entry's namespace
 *       start_timeout: 10s                 # of each attempt
 *       stop_timeout: 10s
 *       stable_threshold: 5s               # running this long forgets earlier failures
 *       startup: required                  # or optional: its failures are its own
 *       restart: {initial_delay: 1s, max_delay: 90s, backoff_factor: 2.0, jitter: 0.1, max_attempts: 0}
 *
 * A zero means the default. Pure; a struct lifecycle owns its strings.
 */
#ifndef SERVICE_LIFECYCLE_H
#define SERVICE_LIFECYCLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/backoff.h"
#include "base/err.h"
#include "registry/entry.h"

struct requirement {
	char *id;
	bool implied; /* by a reference elsewhere in the entry: ignored when there is no such service */
};

struct lifecycle {
	bool auto_start;
	bool optional;
	struct requirement *requires;
	size_t nrequires;
	uint64_t start_timeout_ms;
	uint64_t stop_timeout_ms;
	uint64_t stable_threshold_ms;
	struct backoff restart;
	unsigned max_attempts; /* runs until the count resets; 0 = any number */
};

/* Read e->data.lifecycle, or fill in the defaults when there is none. INVALID names the field; then nothing is left to free. */
int lifecycle_read(struct lifecycle *lc, const struct entry *e, struct err *err);
/* Copies `id`. Twice is once. */
void lifecycle_require(struct lifecycle *lc, const char *id, bool implied);
void lifecycle_done(struct lifecycle *lc);

#endif
