/*
 * host.h - where processes run: a name, limits, and a life of its own.
 *
 * Every host uses the scheduler's workers; `workers_max` bounds how many of them. Stopping a host asks its processes to stop,
 * waits, then aborts the rest. Looked up by any thread, changed by the main thread.
 *
 *     - name: processes
 *       kind: process.host
 *       host:
 *         workers: 4             # of the program's workers, all by default
 *         max_processes: 1000    # 0: any number. One more is refused: RateLimited, retryable
 *         mailbox_size: 10000    # 0: any number. Messages of programs that may wait for one process: then send() waits for room, see quota.h
 *         cancel_deadline: 5s    # 0: none. A process that was asked to stop and has not ended by then is terminated, see process_cancel_within()
 *       lifecycle: {auto_start: true, stop_timeout: 10s}
 *
 * These four change in place; a process keeps the unbounded mailbox it began with.
 */
#ifndef ACTOR_HOST_H
#define ACTOR_HOST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/refcount.h"

enum host_type {
	HOST_PROCESS,
	HOST_TERMINAL,
	/* Of a server: its connections (native.h). Nothing is spawned there, and a message to one that is not there any more is dropped without a word. */
	HOST_NATIVE,
};
enum host_state { HOST_STOPPED, HOST_RUNNING, HOST_STOPPING };

struct host {
	struct refcount refs;
	enum host_type type;
	const char *id; /* an atom */
	atomic_uint workers_max;
	uint64_t stop_timeout_ms;
	bool hide_logs;
	atomic_int state;       /* enum host_state */
	atomic_uint nprocesses; /* alive, being made, or being taken apart */
	atomic_uint nplaces;    /* taken: of those that can be reached, or are being made */
	/* Limits, 0 = none; any thread. */
	atomic_uint processes_max;
	atomic_uint mailbox_max;
	atomic_uint_fast64_t cancel_deadline_ns;
};

struct host *host_new(enum host_type type, const char *id);
struct host *host_ref(struct host *h);
void host_unref(struct host *h); /* NULL is fine */

/* UNAVAILABLE "host is not running" / "host is shutting down"; any thread. */
int host_check_running(const struct host *h, struct err *e);
/* Count one more process; any thread. RATE_LIMITED, retryable: "host app:x is full: it runs 100 processes (host.max_processes)". */
int host_enter(struct host *h, struct err *e);
/* Would host_enter() fail, as far as one can tell? Any thread. */
bool host_is_full(const struct host *h);
/* Its place is free: before anybody hears of its end, so that whoever does finds room. */
void host_free_place(struct host *h);
/* Nothing is left of it. After host_free_place(). */
void host_leave(struct host *h);

struct hosts;

struct hosts *hosts_new(void);
void hosts_free(struct hosts *t);
/* Takes `h`; a previous host of that id is dropped. */
void hosts_put(struct hosts *t, struct host *h);
void hosts_remove(struct hosts *t, const char *id);
/* A reference, or NULL. */
struct host *hosts_get(struct hosts *t, const char *id);
/* Changes after every hosts_put() and hosts_remove(): what hosts_get() said before it changed may be outdated. */
unsigned long hosts_version(struct hosts *t);
/* All of them: returns how many, and the caller's array of references. */
size_t hosts_list(struct hosts *t, struct host ***ret_hosts);

#endif
