/*
 * port.h - a TCP port of ours that only Tor may come to.
 *
 * Tor runs as another user as a rule and cannot reach a socket file in a directory of ours, so the port is TCP: on the address from which we reach the control port, for
 * connections of Tor's user (on this machine) or from Tor's address (elsewhere) only. Loopback is open to all users of a machine, and who comes past Tor would also come
 * past its client authorisation.
 *
 * Control thread.
 */
#ifndef OVERLAY_TOR_PORT_H
#define OVERLAY_TOR_PORT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "loop/loop.h"
#include "net/addr.h"
#include "overlay/driver.h"

struct tor_port_events {
	/* Tor brings somebody: `fd` is the callee's, non-blocking. May close the port. */
	void (*accept)(void *arg, int fd);
	/* Who came cannot be told apart; the connection is refused. */
	void (*trouble)(void *arg, const char *text);
};

struct tor_port {
	struct loop *loop;
	const struct listener *listener; /* whose it is, for the log; borrowed */
	const struct tor_port_events *events;
	void *arg;

	int fd; /* -1: not open */
	struct loop_poll *poll;
	struct loop_timer accept_again;
	struct addr bound;  /* where it listens, once open */
	bool by_user;       /* Tor is on this machine: who runs as ... */
	uid_t user;         /* ... this user comes from it; the owner's to set */
	struct addr source; /* else: who comes from this address */
};

/* Nothing of `listener` is looked at before the port is open. */
void tor_port_init(struct tor_port *p, struct loop *loop, const struct listener *listener,
	const struct tor_port_events *events, void *arg);
/* Listen at `local`, the address from which we reach Tor at `peer`; where it listens already, it stays. UNAVAILABLE, retryable. */
int tor_port_open(struct tor_port *p, const struct addr *local, const struct addr *peer, struct err *e);
/* Also when it is not open. */
void tor_port_close(struct tor_port *p);

#endif
