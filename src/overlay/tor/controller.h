/*
 * controller.h - the connection to Tor's control port: made, authenticated, kept up with growing delays, and what Tor says about itself on it.
 *
 * Standing means: authenticated, events are subscribed to, and the first word about the bootstrap has come. A Tor that does not answer for CONTROLLER_TIMEOUT_MS is
 * as good as gone; one with nothing to say is asked as often. Onion services that were added on the connection end with it (Tor does that).
 *
 * Every error begins with "tor: " and names the phase:
 *
 *     tor: control port connect failed: dial tcp 127.0.0.1:9051: connect: connection refused     codes of net/connect.h
 *     tor: AUTHENTICATE rejected: 515 Authentication failed: ...                                 codes of control.h
 *     tor: GETINFO failed: i/o timeout                                                           TIMEOUT, "tor_timeout"
 *     tor: AUTHENTICATE failed: the connection was closed                                        "tor_closed"
 *
 * Control thread only.
 */
#ifndef OVERLAY_TOR_CONTROLLER_H
#define OVERLAY_TOR_CONTROLLER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/secret.h"
#include "loop/loop.h"
#include "net/addr.h"
#include "overlay/tor/control.h"
#include "overlay/tor/health.h"

enum { CONTROLLER_TIMEOUT_MS = 30000 };

struct controller;

/* Borrowed as long as the controller lives. */
struct controller_options {
	struct loop *loop;
	const char *overlay; /* id, for the log */
	const char *host;    /* of the control port, no brackets */
	uint16_t port;
	const char *socket_path;       /* in place of both: a Unix socket; NULL: none */
	const struct secret *password; /* NULL: none */
	const char *cookie_file;       /* NULL: as Tor says */
	unsigned reply_timeout_ms;     /* and the distance of probes; 0: CONTROLLER_TIMEOUT_MS */
};

/* None runs inside of a call to the controller; none may free it. */
struct controller_events {
	void (*up)(void *arg);
	void (*down)(void *arg, const struct err *e); /* it was lost, or an attempt failed; the next is on its way */
	void (*health)(void *arg);                    /* controller_health() has changed */
	void (*event)(void *arg, const char *text);   /* another event: "HS_DESC UPLOADED ..." */
};

struct controller *controller_new(
	const struct controller_options *opt, const struct controller_events *events, void *arg);
/* Ends the connection. NULL is fine. */
void controller_free(struct controller *c);

bool controller_is_up(const struct controller *c);
/* Only as long as it is up. */
const struct tor_health *controller_health(const struct controller *c);
/* Where the connection goes from and to. False for a Unix socket. Only as long as it is up. */
bool controller_ends(const struct controller *c, struct addr *ret_local, struct addr *ret_peer);

/* `r` is borrowed; NULL: the connection was lost before the answer (`down` tells why), or the controller is being freed. */
typedef void controller_reply_fn(void *arg, const struct control_reader *r);

/* Send a command (without its line end), only as long as it is up; `fn` runs once, later. `phase` is static. */
void controller_call(struct controller *c, const char *command, const char *phase, controller_reply_fn *fn, void *arg);

#endif
