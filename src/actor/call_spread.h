/*
 * call_spread.h - calls that run on another worker than the one that asks, because that one has enough to do.
 *
 * Asking another worker costs two wake-ups, so a function known to be quick stays, and so does one whose calls run one after the other
 * anyway. The rest is as with
 * call_start(): one answer on the asking worker, and the end of the caller ends the call. Owner thread of the asking worker.
 */
#ifndef ACTOR_CALL_SPREAD_H
#define ACTOR_CALL_SPREAD_H

#include "actor/call.h"

struct remote_call;

/* call_start(), but a function whose entry changed just now, so that the pool we found is closed, is called in the one that took its place. */
int call_start_current(struct worker *w, struct program *program, struct frame *frame, struct packed *args,
	call_done_fn *done, void *arg, struct call **ret_call, struct err *e);
/* Where a call of that function had better run: `here`, or a worker that has less to do. */
struct worker *call_place(struct worker *here, const struct program *program);
/* Start it there. Borrows program, frame and arguments. `done` runs exactly once, later, here; never after remote_call_cancel(). */
struct remote_call *remote_call_start(struct worker *here, struct worker *there, struct program *program,
	struct frame *frame, struct packed *args, call_done_fn *done, void *arg);
/* The caller went away: the callee is aborted with "context canceled". NULL is fine. */
void remote_call_cancel(struct remote_call *rc);

#endif
