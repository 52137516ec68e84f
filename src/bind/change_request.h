/*
 * change_request.h - asking the main thread to change the registry.
 *
 * Whoever asks fills in `changes` or `version`, and `done`, and hands the request to node->change(), from any thread.
 * `done` runs once, on the main thread: when the change has failed, or when its services have started and stopped (at
 * the latest after registry.event_wait_timeout; a service that is slow is no failure). `canceled` may be set at any
 * time from any thread: a change that has not begun then never does.
 */
#ifndef BIND_CHANGE_REQUEST_H
#define BIND_CHANGE_REQUEST_H

#include <stdatomic.h>

#include "base/err.h"
#include "registry/change.h"

struct change_request {
	struct changes changes; /* to be applied; main thread's until `done` */
	bool goes_to_version;   /* instead: registry_apply_version() */
	uint64_t version;       /* where to go; afterwards where it went */
	atomic_bool canceled;
	int rc;
	struct err err;                         /* when rc < 0 */
	void (*done)(struct change_request *r); /* may free it */
};

#endif
