/*
 * scheduler.h - the workers: one thread each, with a loop, a run queue, Lua heaps and the processes it owns.
 *
 * A process lives and dies on one worker. A worker runs its queue first-in-first-out in batches and polls I/O between batches; it never
 * waits for another worker. A watchdog thread notices a worker that runs one process for more than a few milliseconds and
 * interrupts it (a signal to that thread makes the Lua code yield).
 */
#ifndef ACTOR_SCHEDULER_H
#define ACTOR_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actor/host.h"
#include "actor/names.h"
#include "actor/program.h"
#include "engine/module.h"
#include "loop/loop.h"

struct channel;
struct frame;
struct lua_State;
struct process;
struct scheduler;
struct worker;

enum {
	SCHEDULER_WORKERS_MAX = 256,
	SCHEDULER_SLICE_MS = 5, /* a process that computes longer is made to yield */
};

/* What bindings add to every process. All run on the process's worker. */
struct process_hooks {
	/* Hand waiting messages (process->inbox) to channels. */
	void (*deliver)(struct process *p);
	/* Push the next message for that channel on L, where its running code asks for it; false when none waits. */
	bool (*supply)(struct process *p, struct lua_State *L, struct channel *ch);
	/* The process ends: let go of the channels in process->inbox. */
	void (*release)(struct process *p);
};

struct scheduler_config {
	unsigned workers; /* 0 = one per core */
	const struct module_list *modules;
	size_t heap_memory_max;      /* bytes per Lua heap; 0 = no cap */
	unsigned heap_instances_max; /* 0 = 4096 */
	const struct process_hooks *hooks;
	void *owner; /* scheduler_owner(): the node, for bindings */
};

/* Makes the workers; no thread runs yet. Never NULL. */
struct scheduler *scheduler_new(const struct scheduler_config *cfg);
void scheduler_start(struct scheduler *s);
/* Abort what still runs ("context canceled"), end the threads and join them. -1 when a worker is stuck in native code and does not come
 * back: then only the end of the program helps. Main thread; twice is fine. */
int scheduler_stop(struct scheduler *s);
/* After scheduler_stop(). NULL is fine. */
void scheduler_free(struct scheduler *s);

void *scheduler_owner(const struct scheduler *s);
unsigned scheduler_nworkers(const struct scheduler *s);
struct worker *scheduler_worker(struct scheduler *s, unsigned i);
struct hosts *scheduler_hosts(struct scheduler *s);
struct programs *scheduler_programs(struct scheduler *s);
struct names *scheduler_names(struct scheduler *s);
/* The Lua modules of its heaps. */
const struct module_list *scheduler_modules(const struct scheduler *s);
/* Bytes a Lua heap may hold; 0 = no cap. */
size_t scheduler_heap_memory_max(const struct scheduler *s);
/* Processes and calls alive, roughly. */
unsigned scheduler_nprocesses(struct scheduler *s);

/* -- workers ---------------------------------------------------------------------------------------- */

struct loop *worker_loop(const struct worker *w);
struct scheduler *worker_scheduler(const struct worker *w);
/* The worker whose thread calls; NULL on any other thread. */
struct worker *worker_current(void);

/* One thing of a kind per worker, made on first use (its HTTP client, ...). `key` is the address of something static. Freed in reverse order
 * on the worker's thread when the scheduler stops, before its loop. Owner thread. */
void *worker_slot(struct worker *w, const void *key, void *(*make)(struct worker *w), void (*free_fn)(void *));

/* The frame of the process or call whose chunk is being run; NULL when none is. Owner thread. */
struct frame *worker_loading_frame(const struct worker *w);

/* The current program of that entry, NULL if there is none. Borrowed until the worker's next turn. Owner thread. */
struct program *worker_program(struct worker *w, const char *id);
/* hosts_get() on the worker's thread: the host asked for last is found without the table. A reference, or NULL. */
struct host *worker_host(struct worker *w, const char *id);

/* -- hosts ------------------------------------------------------------------------------------------ */

/* Send CANCEL (reason "scheduler shutdown") to all processes of the host, wait for its stop_timeout, abort the rest with "context canceled". The host
 * takes no new process meanwhile. `done` runs on `loop`, the caller's, later. Main thread. */
typedef void host_stopped_fn(void *arg, struct host *h);
void scheduler_stop_host(struct scheduler *s, struct host *h, struct loop *loop, host_stopped_fn *done, void *arg);

#endif
