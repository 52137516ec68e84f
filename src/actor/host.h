/*
 * host.h - where processes run: a name, limits, and a life of its own.
 *
 * Every host uses the scheduler's workers; `workers_max` bounds how many of them. Stopping a host asks its processes to stop,
 * waits, then aborts the rest. Looked up by any thread, changed by the main thread.
 */
#ifndef ACTOR_HOST_H
#define ACTOR_HOST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/refcount.h"

enum host_type { HOST_PROCESS, HOST_TERMINAL };
enum host_state { HOST_STOPPED, HOST_RUNNING, HOST_STOPPING };

struct host {
	struct refcount refs;
	enum host_type type;
	const char *id; /* an atom */
	unsigned workers_max;
	uint64_t stop_timeout_ms;
	bool hide_logs;
	atomic_int state;       /* enum host_state */
	atomic_uint nprocesses; /* alive */
};

struct host *host_new(enum host_type type, const char *id);
struct host *host_ref(struct host *h);
void host_unref(struct host *h); /* NULL is fine */

struct hosts;

struct hosts *hosts_new(void);
void hosts_free(struct hosts *t);
/* Takes `h`; a previous host of that id is dropped. */
void hosts_put(struct hosts *t, struct host *h);
void hosts_remove(struct hosts *t, const char *id);
/* A reference, or NULL. */
struct host *hosts_get(struct hosts *t, const char *id);
/* All of them: returns how many, and the caller's array of references. */
size_t hosts_list(struct hosts *t, struct host ***ret_hosts);

#endif
