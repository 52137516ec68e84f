/*
 * session.h - one SAM session: a control connection to the bridge that stands, and is made again when it is lost.
 *
 * A session is a destination of its own with tunnels of its own: making one takes tens of seconds, using it milliseconds. It
 * makes an attempt when session_want() asks for it; with `standing` also by itself after a failure, with growing delays. Each
 * attempt has an id never used before in this process, so a bridge that has not yet noticed the end of the last one does not
 * refuse. Control thread only.
 */
#ifndef OVERLAY_I2P_SESSION_H
#define OVERLAY_I2P_SESSION_H

#include "overlay/i2p/i2p.h"

struct session;

struct session_events {
	/* It stands. `m` is borrowed: version, name and private key of the session. Must not free the session. */
	void (*up)(void *arg, struct session *s, struct sam *m);
	/* An attempt failed or the session was lost; `e` is borrowed. It may free the session. */
	void (*down)(void *arg, struct session *s, const struct err *e);
};

/* Makes no attempt yet. `prefix`: of its ids, "<session_name>" or "<session_name>-listen". With `private_key` (taken; NULL:
 * the bridge makes one on the first attempt) or `keeps_key` its destination stays the same over attempts. `events` must live
 * as long as the session. Keeps no reference to `o`. */
struct session *session_new(struct i2p *o, const char *prefix, bool standing, bool keeps_key,
	struct secret *private_key, const struct session_events *events, void *arg);
/* Ends it at the bridge, too, with every stream that goes through it. Not inside `up`. NULL is fine. */
void session_free(struct session *s);

/* Make an attempt, unless it stands or one is under way; soon, when the last one began less than a second ago. */
void session_want(struct session *s);
bool session_is_up(const struct session *s);
/* Of the session that stands. */
const char *session_id(const struct session *s);
/* The bridge says it does not know this id: as if the connection had been lost. Does nothing when `id` is not the
 * current one. Calls `down`. */
void session_lost(struct session *s, const char *id, const struct err *e);

#endif
