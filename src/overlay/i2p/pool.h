/*
 * pool.h - the sessions that dials go through. Control thread only; dials on any worker get them with tickets (ticket.h).
 *
 * One session for all who ask for no isolation, one for each isolation key, one for each dial that shares with nobody. An
 * isolated session stands as long as streams go through it, and its idle time beyond (that of a single dial ends with its
 * stream); at most POOL_SESSIONS_MAX stand at a time.
 */
#ifndef OVERLAY_I2P_POOL_H
#define OVERLAY_I2P_POOL_H

#include "overlay/i2p/i2p.h"

enum { POOL_SESSIONS_MAX = 64 };

struct ticket;

struct session_pool *pool_new(struct i2p *o);
/* Ends every session; who still waits for one is told. NULL is fine. */
void pool_free(struct session_pool *p);

/* -- for ticket.c; each `t` is lent ----------------------------------------------------------------- */

/* Find or make its session; ticket_answer() follows, now or later. Also when the pool is gone. */
void pool_ask(struct ticket *t);
/* Its deadline has passed while it waited. */
void pool_expire(struct ticket *t);
/* It was dropped before its answer: let go of it. */
void pool_forget(struct ticket *t);
/* What became of it after its answer: note the stream, or the loss of the session, and let go of it. */
void pool_end(struct ticket *t);

#endif
