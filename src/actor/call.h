/*
 * call.h - calls of registered functions: a process that runs one method on a pooled instance and ends.
 *
 * A call runs on the worker that asks for it, under a frame of its own. It is tied to its caller through call_cancel(). How many calls of
 * one function run at once, over all workers, is bounded; the rest wait first-in-first-out. Owner thread of the worker.
 */
#ifndef ACTOR_CALL_H
#define ACTOR_CALL_H

#include "actor/process.h"

struct call;

/* `value` is the first result (count 0 or 1, may be NULL); exactly then `failure` is NULL. Both borrowed. */
typedef void call_done_fn(void *arg, struct packed *value, struct failure *failure);

/* Start `program` (a function) with `args` (borrowed, may be NULL) under `frame` (borrowed). `done` runs exactly once, later, on this
 * worker; never after call_cancel(). Errors that are known at once: UNAVAILABLE "pool is closed", those of instance_new(). */
int call_start(struct worker *w, struct program *program, struct frame *frame, struct packed *args, call_done_fn *done,
	void *arg, struct call **ret_call, struct err *e);
/* The call answers that HTTP request: its process finds it as process->exchange. Right after call_start(), before the worker's next turn. Borrowed until the call is
 * over or cancelled. */
void call_attach(struct call *c, struct exchange *x);
/* The caller went away: abort the callee with "context canceled". NULL is fine. */
void call_cancel(struct call *c);

/* Pools belong to programs. */
struct call_pool *call_pool_new(struct scheduler *s, unsigned calls_max);
/* Instances stay however long they are idle, so what their chunk keeps lives as long as the function. Before the first call. */
void call_pool_keep(struct call_pool *pool);
/* Make `n` idle instances now, spread over the workers, whose chunks run under `frame` (borrowed). A chunk that fails is one record of the log; calls will
 * meet the error again. The scheduler has started. Main thread. */
void call_pool_warm(struct program *p, unsigned n, struct frame *frame);
/* No new calls; running ones finish; idle instances are freed on their workers. Main thread. */
void call_pool_close(struct program *p);
void call_pool_free(struct call_pool *pool);
/* How many calls run at once. */
unsigned call_pool_max(const struct call_pool *pool);

#endif
