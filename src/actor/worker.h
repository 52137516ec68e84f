/*
 * worker.h - inside of a worker, for the files of this room.
 *
 * Fields belong to the worker's thread, except where noted.
 */
#ifndef ACTOR_WORKER_H
#define ACTOR_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "actor/number_map.h"
#include "actor/process.h"
#include "base/map.h"
#include "engine/heap.h"
#include "engine/pool.h"

enum {
	WORKER_HEAPS_MAX = 4096,
};

struct worker_slot {
	const void *key;
	void *value;
	void (*free_fn)(void *);
};

/* Idle instances of one function on one worker; lives in its call pool. */
struct idle_set {
	struct list link; /* in worker.idle_sets while not empty */
	struct instance **items;
	unsigned count;
	unsigned cap;
	uint64_t used_ns;
	bool keep; /* however long idle */
};

struct worker {
	struct scheduler *sched;
	unsigned index;
	struct loop *loop;
	pthread_t thread;

	struct list run_queue; /* of process.run_link */
	struct list reap;      /* of process.run_link: dead, to be taken apart */
	unsigned queued;
	unsigned careful; /* runs to be timed one by one */
	struct process *running;
	struct frame *loading;     /* of the process whose chunk is being run */
	struct process *beginning; /* the one that replaces its code */

	/* Processes by number. Only the owner changes it, under the lock; others look under the lock. */
	pthread_mutex_t lock;
	struct number_map processes;
	struct number_map unborn;         /* struct spawn, see spawn_ahead(); under the lock only */
	atomic_uint_fast64_t next_number; /* any thread: numbers given out so far */

	/* Published for placement: what is queued, and is the worker asleep. */
	atomic_uint load;
	atomic_uint nprocesses;
	atomic_uint incoming; /* calls on their way to it */
	atomic_uint nunborn;

	struct heap **heaps;
	unsigned nheaps;
	unsigned heap_hint; /* where there was room last */

	struct pool pool; /* of processes */
	struct list idle_sets;
	struct loop_timer sweep; /* idle instances */
	struct loop_timer rest;  /* see collect.c */
	bool worked;             /* since `rest` was armed */

	struct worker_slot *slots;
	unsigned nslots;
	struct map *program_cache;
	struct program *last_program; /* asked for last; in the cache, or NULL */
	unsigned long program_version;
	struct host *last_host; /* asked for last, a reference, or NULL */
	unsigned long host_version;
	uint32_t last_unlink; /* the last id given to an unlink */
	bool closing;

	/* For the watchdog: odd while Lua runs; changes with every process. */
	atomic_uint_fast64_t epoch;
	uint_fast64_t watched;      /* the watchdog's */
	struct heap *volatile heap; /* the signal handler's: whose code runs */
};

struct scheduler {
	struct worker *workers;
	unsigned nworkers;
	struct module_list modules;
	size_t heap_memory_max;
	unsigned heap_instances_max;
	struct process_hooks hooks;
	void *owner;
	struct hosts *hosts;
	struct programs *programs;
	struct names *names;
	struct list host_stops; /* under way; main thread */
	bool started;

	pthread_mutex_t lock; /* stop barrier, watchdog's sleep */
	pthread_cond_t changed;
	unsigned arrived;
	pthread_t watchdog;
	bool watchdog_stop;
	atomic_bool watchdog_asleep;
};

/* -- worker.c -- */
void worker_init(struct worker *w, struct scheduler *s, unsigned index);
void worker_done(struct worker *w);
void *worker_main(void *arg); /* the thread */
/* A heap with room for one more instance. */
int worker_heap(struct worker *w, struct heap **ret_heap, struct err *e);
/* Give an instance back; an emptied heap goes too unless it is the last. */
void worker_drop_instance(struct worker *w, struct instance *in);
void worker_enqueue(struct worker *w, struct process *p);
/* Run fn on the worker's thread, later; any thread. */
void worker_run_later(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg);

/* What instance_new() runs belongs to this frame, and the watchdog may interrupt it. */
struct worker_loading {
	struct frame *frame;
	struct heap *heap;
};
struct worker_loading worker_begin_loading(struct worker *w, struct frame *f, struct heap *h);
void worker_end_loading(struct worker *w, struct worker_loading before);

/* -- collect.c -- */
void worker_collect_init(struct worker *w);
/* There was work, so there may be garbage: collect when there is none for a while. Cheap. */
void worker_collect_soon(struct worker *w);

/* -- watchdog.c -- */
void watchdog_start(struct scheduler *s);
void watchdog_stop(struct scheduler *s);
/* On a worker's thread, when it begins to work. Cheap. */
void watchdog_notice(struct scheduler *s);

/* -- process.c -- */
struct process *process_alloc(struct worker *w);
void process_discard(struct process *p); /* one that never became routable */
void process_free(struct process *p);
/* Make it routable and queue it. `s` (NULL: none) is the promise it redeems. */
void process_publish(struct process *p, struct spawn *s);
/* An end with an error nobody else is told of. */
void process_report_end(const struct process *p, const struct failure *f);
void process_step(struct process *p);
/* Post from its own worker's thread. Takes `m`. */
void process_post_here(struct process *p, struct message *m);
/* Let it fail with `f` (borrowed) as soon as its code can be interrupted. */
void process_fail(struct process *p, struct failure *f);
/* Take apart what ended. */
void worker_reap(struct worker *w);
/* Sort what the mailbox holds: signals are obeyed, messages go on. */
void process_take_mail(struct process *p);
/* The same if there is any. */
static inline void process_drain(struct process *p)
{
	if (!mailbox_is_empty(&p->mailbox))
		process_take_mail(p);
}
/* Which worker owns that number. */
static inline struct worker *number_owner(struct scheduler *s, uint64_t number)
{
	return &s->workers[number % s->nworkers];
}
uint64_t worker_take_number(struct worker *w);
extern const struct task_ops process_task_ops;
/* The pid stops being routable; names go, watchers are told. The rest follows in worker_reap(). Both borrowed. */
void process_retire(struct process *p, struct packed *value, struct failure *failure);
/* An instance of that code in some heap of the worker; its chunk runs under `f`. */
int worker_make_instance(struct worker *w, struct code *code, struct frame *f, struct instance **ret_in, struct err *e);
/* -- upgrade.c -- */
/* Its code ended in order to be replaced. */
void process_begin_anew(struct process *p);
void process_drop_upgrade(struct process *p);

/* -- native.c -- */
void native_step(struct process *p);
void native_fail(struct process *p, struct failure *f); /* borrowed */
/* `m` joins those that wait. */
void native_arrived(struct process *p, const struct message *m);
void native_free(struct process *p);

/* -- relation.c -- */
/* SPAWNING: the peer is being made by another worker and cannot be reached yet. */
enum { RELATION_MONITORS = 1, RELATION_MONITORED = 2, RELATION_LINKED = 4, RELATION_SPAWNING = 8 };

void relation_add(struct process *p, struct pid peer, unsigned flags);
void relation_remove(struct process *p, struct pid peer, unsigned flags);
bool relation_has(const struct process *p, struct pid peer, unsigned flags);
/* Is it linked to anyone? */
bool relations_linked(const struct process *p);
/* Will anyone get its EXIT? */
bool relations_monitored(const struct process *p);
void relations_free(struct process *p);
/* Tell everyone related that `p` ended. */
void relations_announce(struct process *p, struct packed *value, struct failure *failure);
/* The peer says LINK, UNLINK, UNLINKED. */
void relation_accept_link(struct process *p, struct pid peer);
void relation_accept_unlink(struct process *p, struct pid peer, uint32_t id);
void relation_unlink_acknowledged(struct process *p, struct pid peer, uint32_t id);
/* LINK_DOWN `m` arrived. True: it is for Lua; else it was nothing, or the process was failed. */
bool relation_link_down(struct process *p, const struct message *m);
/* Of several deadlines the earliest holds. */
void relations_set_deadline(struct process *p, uint64_t after_ns, struct failure *failure);
/* A request to relate that came too late. Frees `m`. */
void signal_refuse(struct process *p, struct message *m, struct packed *value, struct failure *failure);

/* -- signal.c -- */
/* One message out of the mailbox. True when it is for Lua (caller keeps it), false when it was handled and freed. */
bool signal_handle(struct process *p, struct message *m);
/* Must the code that runs on the worker and cannot yield end, because another worker asked for it? Then its task is failed. heap_config.must_end. */
bool worker_must_end(void *worker);
struct failure *failure_terminated(void);

/* -- spawn.c -- */
/* For a process that spawn_ahead() promised and that does not live yet; under the worker's lock. False: there is none with that pid. */
bool unborn_exists(struct worker *w, struct pid pid);
bool unborn_post(struct worker *w, struct pid pid, struct message *m); /* takes `m` when true */
bool unborn_mark_named(struct worker *w, struct pid pid);

/* -- call.c -- */
/* A call's process ended: its instance goes back to the pool. */
void call_pool_put(struct worker *w, struct program *p, struct instance *in);
void call_sweep(struct worker *w, uint64_t older_than_ns);

#endif
