/*
 * task.h - a running method: its coroutines, what they wait for, its result.
 *
 * A task runs one method call on an instance: the main coroutine and those it spawned. The owner (a process) embeds it. task_run() runs ready
 * coroutines in FIFO order until all wait, one is interrupted, or the main one returns. Everything on the worker's thread.
 *
 * When a wait of a resting task ends, `wake` is called: the owner queues the task to be run again.
 */
#ifndef ENGINE_TASK_H
#define ENGINE_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "engine/failure.h"
#include "engine/heap.h"
#include "engine/packed.h"

struct channel;
struct lua_State;
struct task;
struct coroutine;

enum task_status {
	TASK_READY,   /* interrupted or out of budget: run it again after others */
	TASK_WAITING, /* every coroutine waits; `wake` will be called */
	TASK_DONE,    /* the main coroutine returned: see task_result() */
	TASK_FAILED,  /* see task_failure() */
};

struct task_ops {
	/* A coroutine became ready while the task was resting. Never called inside task_run(). */
	void (*wake)(struct task *t);
	/* All coroutines wait: is something outside (a mailbox with an open inbox, …) able to wake the task? Channels fed from outside and pendings count by themselves. */
	bool (*may_be_woken)(struct task *t);
	/* Before coroutines run and after each round in which some ran: hand messages to channels. May be NULL. */
	void (*deliver)(struct task *t);
	/* A coroutine found nothing to receive on a channel held for the task: push what waits for it on L and return true, or return false. Saves a
	 * suspension for each of many values. May be NULL. */
	bool (*supply)(struct task *t, struct lua_State *L, struct channel *ch);
};

/* Embedded by the owner; the fields are the engine's, kept small: a hundred thousand idle ones are normal. */
struct task {
	const struct task_ops *ops;
	struct instance *instance;
	struct coroutine *main;
	struct list ready;      /* of coroutine.link */
	struct list coroutines; /* all managed ones but main */
	uint32_t ncoroutines;
	uint32_t nfeeds;   /* channels that something outside may still feed: no deadlock while > 0 */
	uint32_t nwaits;   /* coroutines that wait for something other than a channel: no deadlock while > 0 */
	struct list feeds; /* of channels held with channel_hold() */
	bool running;
	bool ended; /* done or failed: nothing wakes it any more */
	bool woken; /* queued by the owner already */
	bool killed;
	bool left;     /* killed by task_leave(): no failure */
	bool uncaught; /* the failure is an error that left a coroutine */
	struct failure *failure;
	struct packed *result;
};

/* Prepare `method` (NULL: the code's own) with `args` (borrowed, NULL = none); nothing runs yet: the task is ready. `t` is zeroed storage; ops must be set.
 * ERR_NOT_FOUND `method "m" not found in module`. */
int task_init(struct task *t, const struct task_ops *ops, struct instance *in, const char *method,
	const struct packed *args, struct err *e);

/* `budget`: how many coroutine resumes at most before TASK_READY. */
enum task_status task_run(struct task *t, unsigned budget);

/* First return value as one packed payload (count 0 or 1); the caller's reference stays the task's. After TASK_DONE. */
struct packed *task_result(struct task *t);
struct failure *task_failure(struct task *t); /* after TASK_FAILED */

/* Make the task fail at its next task_run() with `f` (reference taken); also usable from inside a running coroutine's binding. The first one counts. */
void task_fail(struct task *t, struct failure *f);

/* From inside a running coroutine's binding: no code of the task runs any more, and it ends (TASK_DONE) without a result. */
void task_leave(struct task *t);

/* Cancel every wait, drop every coroutine; the instance stays. Not from inside task_run() of the same task. Safe to call twice, and after DONE/FAILED. */
void task_done(struct task *t);

/* The task whose coroutine runs on this Lua thread; NULL at chunk level. */
struct task *task_current(struct lua_State *L);

#endif
