/*
 * ticket.h - how a dial on any worker asks the control thread for a session, and says what became of it.
 *
 * A ticket goes back and forth between its worker and the control thread, and belongs to one of them at a time: what one
 * wrote before posting it, the other reads. Only a ticket that is dropped unanswered is touched by both; a lock decides
 * whether its answer is on its way (then it ends when it arrives) or never leaves (then it ends on the control thread).
 */
#ifndef OVERLAY_I2P_TICKET_H
#define OVERLAY_I2P_TICKET_H

#include <pthread.h>

#include "overlay/i2p/i2p.h"

/* On the worker, later, once; not after ticket_drop(). `e` is NULL when there is a session: see ticket_session(). */
typedef void ticket_fn(void *arg, const struct err *e);

/* A stream we gave away. A socket's inode number is its alone: what has another number under the same descriptor is another
 * file. */
struct stream {
	int fd; /* -1: none */
	uint64_t ino;
};

struct member;

/* pool.c's and ticket.c's. */
struct ticket {
	struct loop_post post;   /* asking, the answer, the end: one after the other */
	struct loop_post cancel; /* dropped before the answer */
	struct i2p *owner;       /* a reference */
	struct loop *worker;
	char *key; /* NULL: for this dial alone */
	uint64_t deadline_ns;

	pthread_mutex_t lock;
	bool answered, dropped; /* under the lock; never both */

	/* -- the answer ------------------------------------------------------------------------------ */
	bool granted;
	char id[SAM_ID_MAX + 1];
	struct err err;

	/* -- the worker ------------------------------------------------------------------------------ */
	ticket_fn *fn; /* NULL: dropped */
	void *arg;

	/* -- the end --------------------------------------------------------------------------------- */
	struct stream stream;
	bool unknown;

	/* -- control thread -------------------------------------------------------------------------- */
	struct member *member; /* NULL: it has none, or that has gone */
	struct list link;      /* in member->waiting or ->granted */
	struct loop_timer timer;
};

/* -- a worker ------------------------------------------------------------------------------------- */

/* `key` as of overlay_session_key(); NULL: a session for this dial alone. The ticket keeps a reference to `o`. */
struct ticket *ticket_ask(
	struct i2p *o, struct loop *worker, const char *key, uint64_t deadline_ns, ticket_fn *answered, void *arg);
const char *ticket_session(const struct ticket *t);
/* Give it back; each ends the ticket. It is over before any answer or without a stream: */
void ticket_drop(struct ticket *t);
/* The stream `fd` goes through the session, which is to stand while fd is open. Call it before fd is given away. */
void ticket_keep(struct ticket *t, int fd);
/* The bridge does not know the session: it has to be made again. */
void ticket_unknown(struct ticket *t, const struct err *e);

/* -- control thread ------------------------------------------------------------------------------- */

/* Once a ticket: with the id of its session, or with why there is none. */
void ticket_answer(struct ticket *t, const char *id, const struct err *e);
/* Is what was given away still open, here or by whoever has it now? */
bool stream_is_open(const struct stream *s);

#endif
