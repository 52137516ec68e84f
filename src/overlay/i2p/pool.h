/*
 * pool.h - the sessions that dials go through, and how a dial on any worker gets one.
 *
 * One session for all who ask for no isolation, one for each isolation key, one for each dial that shares with nobody. A dial
 * asks with a *ticket*: the control thread finds or makes the session and answers the worker; afterwards the worker says what
 * became of it. An isolated session stands as long as streams go through it, and its idle time beyond (that of a single dial
 * ends with its stream); at most POOL_SESSIONS_MAX stand at a time.
 */
#ifndef OVERLAY_I2P_POOL_H
#define OVERLAY_I2P_POOL_H

#include "overlay/i2p/i2p.h"

enum { POOL_SESSIONS_MAX = 64 };

/* -- control thread ------------------------------------------------------------------------------- */

struct session_pool *pool_new(struct i2p *o);
/* Ends every session; who still waits for one is told. NULL is fine. */
void pool_free(struct session_pool *p);

/* -- a worker ------------------------------------------------------------------------------------- */

struct ticket;

/* On the worker, later, once; not after ticket_drop(). `e` is NULL when there is a session: see ticket_session(). */
typedef void ticket_fn(void *arg, const struct err *e);

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

#endif
