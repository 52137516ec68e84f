/*
 * quota.h - a bound on the messages that wait for one process (host.mailbox_size), and the senders that wait for room.
 *
 * Counted is what programs send; events, signals and what the bus brings are not, and are never refused. A message counts from the moment it
 * is posted until a channel takes it. A sender who finds the box full parks its message: those are posted in the order they came, one for
 * each that is received, so nothing is lost and nobody overtakes. Processes of hosts without a bound have no quota and cost nothing.
 *
 * All topics share the bound: a process that receives from one of them only, while the box is full of others, waits for ever. So do two
 * that fill each other's box and only send.
 */
#ifndef ACTOR_QUOTA_H
#define ACTOR_QUOTA_H

#include <stdatomic.h>
#include <stdbool.h>

#include "actor/process.h"

struct quota {
	atomic_uint count;
	atomic_uint nparked;
	struct list parked; /* under the lock of the process's worker */
};

/* A message that waits for room; embedded by whoever waits. */
struct parked {
	struct list link;
	struct worker *target;
	struct quota *quota; /* only while linked */
	struct message *message;
	struct loop *loop;
	struct loop_post post;
	bool delivered;
	/* On the sender's thread, once; never after parked_cancel() returned true. `delivered` says whether the message arrived or the process ended. */
	void (*done)(struct parked *p);
};

/* Like process_send(), but keeps to the receiver's bound. 0: `m` was taken and posted; 1: no room, `m` is still the caller's; -1: an error, `m` is freed. Any worker. */
int process_offer(struct scheduler *s, struct pid to, struct message *m, struct err *e);
/* Wait for room with that message, always taken: 0: there was room after all and `done` will not run; 1: it waits; -1: an error. `done` and `loop` are set, the
 * loop is the caller's own. */
int process_park(struct scheduler *s, struct pid to, struct message *m, struct parked *p, struct err *e);
/* Stop waiting. True: `p` can be freed now. False: its `done` is on its way and still runs. */
bool parked_cancel(struct parked *p);
/* RATE_LIMITED, retryable: "mailbox of <pid> is full: host app:x lets 100 messages wait (host.mailbox_size)". Returns -1. */
int quota_full(struct scheduler *s, struct pid to, struct err *e);

/* -- the receiver's side, owner thread --------------------------------------------------------------- */

void quota_begin(struct process *p); /* before it is routable; nothing when its host has no bound */
/* A channel took `m`, which counts. */
void quota_free_place(struct process *p, struct message *m);
/* The same of any message. */
static inline void quota_received(struct process *p, struct message *m)
{
	if (m->counted)
		quota_free_place(p, m);
}
/* It is not routable any more: whoever waits is told. */
void quota_close(struct process *p);
void quota_free(struct process *p);
/* Count a message that is posted without asking. Any thread, with the process held by the lock or on its own worker. */
void quota_note(struct process *p, struct message *m);

#endif
