/*
 * client.h - the SAM machine (sam.h) on a connection to the bridge, on one loop: a control connection that stands, a stream
 * that is connected, or one that is accepted.
 *
 * The bridge is reached over the clear network (net/connect.h), and each descriptor has had its own connect() exactly once.
 * Every error begins with "i2p: " and the phase:
 *
 *     i2p: SAM bridge connect failed: dial tcp 127.0.0.1:7656: connect: connection refused     codes of net/connect.h
 *     i2p: STREAM CONNECT rejected: STREAM STATUS RESULT=CANT_REACH_PEER                        codes of sam.h
 *     i2p: SESSION CREATE response failed: i/o timeout                                          TIMEOUT, "i2p_timeout"
 *
 * One thread: the loop's.
 */
#ifndef OVERLAY_I2P_CLIENT_H
#define OVERLAY_I2P_CLIENT_H

#include "base/err.h"
#include "loop/loop.h"
#include "overlay/i2p/sam.h"

enum {
	SAM_REPLY_TIMEOUT_MS = 30000,
	SAM_CREATE_TIMEOUT_MS = 240000, /* tunnels are built meanwhile; i2pd looks every 20 s whether they are there */
};

struct sam_client;

/* Borrowed for the call. */
struct sam_client_options {
	struct loop *loop;
	const char *host; /* the bridge's name or literal, no brackets */
	uint16_t port;
	struct sam_request request;
	/* loop_clock_ns() time that bounds everything; 0: each reply has SAM_REPLY_TIMEOUT_MS, that of SESSION CREATE
	 * SAM_CREATE_TIMEOUT_MS, and a peer may take as long as it likes. */
	uint64_t deadline_ns;
};

/* `m` and `e` are borrowed. None runs inside sam_client_start() or after sam_client_cancel(). */
struct sam_client_events {
	/* Not final: the session stands, or the bridge accepts for us. Must not cancel the client. May be NULL. */
	void (*standing)(void *arg, struct sam *m);
	/* Final, once; the client is gone afterwards. fd >= 0 is the callee's: non-blocking, nothing of the stream read yet.
	 * -1: `e` says why it failed, or why the session has ended. `connected_ns`: when the bridge was reached, 0 = never. */
	void (*done)(void *arg, int fd, uint64_t connected_ns, struct sam *m, const struct err *e);
};

/* `events` must live as long as the client. */
struct sam_client *sam_client_start(
	const struct sam_client_options *opt, const struct sam_client_events *events, void *arg);
/* Only before `done` ran: closes what is open. NULL is fine. */
void sam_client_cancel(struct sam_client *c);

#endif
