/*
 * process.h - a process: a task with a pid, a mailbox, a frame and relations to others.
 *
 * A function call is one too. Everything here runs on the worker that owns the process, except where it says any thread. A process
 * is named by its pid elsewhere: never keep a pointer across a wait.
 */
#ifndef ACTOR_PROCESS_H
#define ACTOR_PROCESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actor/frame.h"
#include "actor/inbox.h"
#include "actor/mailbox.h"
#include "actor/pid.h"
#include "actor/resource.h"
#include "actor/scheduler.h"
#include "actor/terminal.h"
#include "base/list.h"
#include "engine/task.h"

struct exchange;
struct native;
struct quota;
struct relations;

/* How a process ended: exactly one of value/failure counts; both are borrowed. */
struct process_end {
	struct pid pid;
	struct packed *value;    /* first result (count 0 or 1); NULL = none */
	struct failure *failure; /* NULL = success */
	bool uncaught;           /* the failure is an error nobody caught: its stack says where */
};

/* Runs once on the process's worker, after its pid stopped being routable and watchers were told. */
typedef void process_ended_fn(void *arg, const struct process_end *end);

/* Kept small: a hundred thousand idle ones are normal. */
struct process {
	struct task task; /* first */
	struct worker *worker;
	struct program *program;
	struct frame *frame;
	struct host *host; /* NULL: a function call */
	uint64_t number;
	struct pid parent;        /* who spawned it; number 0: the system. Not of calls */
	const char *parent_entry; /* an atom, or NULL: what ran there */
	struct mailbox mailbox;
	struct loop_post post;      /* another worker posted: look at the mailbox */
	struct list run_link;       /* in the run queue */
	struct message_queue queue; /* arrived before `inbox` was opened */
	struct inbox *inbox;        /* `own_inbox` once it is open, else NULL */
	struct inbox own_inbox;
	struct relations *relations; /* monitors, links, a deadline; NULL = none */
	struct quota *quota;         /* how many messages may wait for it; NULL = any number */
	struct terminal *terminal;   /* on a terminal host */
	struct upgrade *upgrade;     /* asked for: instead of ending, it begins anew */
	struct native *native;       /* its messages go to C and it has no task, see native.h; else NULL */
	struct resource *resources;  /* open streams and the like, released when it ends */
	struct exchange *exchange;   /* of the HTTP request that a call answers, see call_attach(); borrowed */
	process_ended_fn *ended;
	void *ended_arg;
	uint32_t next_order;
	atomic_bool posted; /* `post` is on its way */
	atomic_bool named;  /* holds a name, or did */
	atomic_bool doomed; /* another worker asked for its end: also code that cannot yield stops */
	bool queued;
	bool running;
	bool dead; /* unroutable; freed when `post` has come home */
	bool trap_links;
	bool aborted; /* ended from outside */
};

struct pid process_pid(const struct process *p);
static inline struct process *process_of_task(struct task *t)
{
	return container_of(t, struct process, task);
}
/* The live process with that number on this worker, or NULL. */
struct process *process_find(struct worker *w, uint64_t number);

/* -- spawning --------------------------------------------------------------------------------------- */

/* Everything a spawn needs; make it with spawn_new(). */
struct spawn {
	struct program *program; /* references, released by spawn_free() */
	struct host *host;
	struct frame *frame;
	struct packed *args;        /* may be NULL */
	struct terminal *terminal;  /* may be NULL */
	struct message_queue first; /* initial messages, `from` the system */
	char *name;                 /* claim this name, or be its holder; NULL = none */
	struct pid parent;          /* whom monitor and link are for */
	const char *parent_entry;   /* an atom, or NULL */
	bool monitor;
	bool link;
	process_ended_fn *ended;
	void *ended_arg;

	/* Set by spawn_run() / spawn_start(). */
	struct pid pid;
	bool found; /* the name was taken: `pid` is its holder, nothing was made */
	bool failed;
	bool named; /* spawn_ahead(): a name was registered for it meanwhile */

	/* spawn_start() only. */
	struct worker *worker;
	struct loop *reply_loop;
	void (*done)(struct spawn *s);
	void *done_arg;
	struct loop_post post;
	uint64_t number; /* reserved pid number; 0 = none yet */

	struct err err; /* when failed; last, since it is large and not zeroed */
};

struct spawn *spawn_new(void);
void spawn_free(struct spawn *s); /* NULL is fine */

/* Make the process here and queue it; its chunk has run when this returns. Errors: UNAVAILABLE "host is not running" / "host is shutting down"; those of
 * instance_new(). Owner thread of `w`. */
int spawn_run(struct worker *w, struct spawn *s);
/* The same on worker `w` from any other thread: `s->done(s)` runs later on `s->reply_loop` and then owns `s`. */
void spawn_start(struct worker *w, struct spawn *s);
/* The same without waiting for the outcome, when that is known beforehand: the program's chunks are steady (engine/code.h), and the host has room. True: `s->pid` was
 * written to `ret_pid` and `s` is taken; the pid can be used at once, what is sent to it waits for it. If memory is out over there, or the host stops, the
 * process ends with that error before it began. False: nothing was done. On a worker's thread. */
bool spawn_ahead(struct worker *w, struct spawn *s, struct pid *ret_pid);
/* Where it should run: `here` (NULL: not on a worker), unless another worker has less to do and the program is not known to be quick, or
 * crowds must be levelled out. */
struct worker *spawn_place(struct scheduler *sched, struct worker *here, const struct spawn *s);

/* -- messages and signals: any worker thread --------------------------------------------------------- */

/* Put `m` (taken, also on failure) into the target's mailbox. NOT_FOUND "process not found" / "host not found". */
int process_send(struct scheduler *s, struct pid to, struct message *m, struct err *e);
/* The quick way: post `m` if the receiver lives on the worker of `self`, who runs, and its mailbox has no bound. False: it does not, and nothing was done. */
bool process_send_here(struct process *self, struct pid to, struct message *m);
bool process_exists(struct scheduler *s, struct pid pid);
/* Give a live process a name, released when it ends. ALREADY_EXISTS "name already registered"; NOT_FOUND "process not found". */
int process_name(struct scheduler *s, struct pid pid, const char *name, struct err *e);

/* From `self`, on its worker. Errors as in the manual of `process`: INTERNAL "pid not registered" / "already monitoring pid". */
int process_monitor(struct process *self, struct pid target, struct err *e);
void process_unmonitor(struct process *self, struct pid target);
int process_link(struct process *self, struct pid target, struct err *e);
void process_unlink(struct process *self, struct pid target);
/* Enqueue a CANCEL event: the process decides by itself how to end. When it has not within `deadline_ns` (0: any time) after it is told, it is terminated: Timeout,
 * "process terminated: it did not stop within 5s after it was canceled". Of several deadlines the earliest holds; an upgrade does not escape it. A process on a terminal host
 * gets no deadline. CANCEL_DEADLINE_OF_HOST: what its host says (host.cancel_deadline). */
#define CANCEL_DEADLINE_OF_HOST UINT64_MAX
#define CANCEL_DEADLINE_NS_MAX (1ull << 62)
int process_cancel_within(struct scheduler *s, struct pid from, struct pid target, const char *reason, size_t len,
	uint64_t deadline_ns, struct err *e);
/* The same with the host's deadline. */
int process_cancel(
	struct scheduler *s, struct pid from, struct pid target, const char *reason, size_t len, struct err *e);
/* "process terminated", now or as soon as its code can be interrupted: between two instructions, also in a chunk and in callbacks of library functions, and while it waits for
 * anything. A process on a terminal host is left alone (success). INTERNAL "process not found". */
int process_terminate(struct scheduler *s, struct pid target, struct err *e);

/* -- owner's side ------------------------------------------------------------------------------------ */

/* End it now, or as soon as its running code can be interrupted; takes `f`. */
void process_abort(struct process *p, struct failure *f);
/* From inside its own running code: end that code and begin anew with `program` (NULL: there is none, the process fails) and `args` (taken). Pid, names, relations,
 * frame and what nobody received stay. A function call just ends, with nil. */
void process_upgrade(struct process *self, struct program *program, struct packed *args);
/* Open the inbox (once): messages already there are routed. Returns p->inbox. */
struct inbox *process_open_inbox(struct process *p);

#endif
