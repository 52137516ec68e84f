/*
 * sidecar.h - the program wippy-tsnet (sidecar/ in this repository) as a child of ours: started, fed, read, started again when it ends.
 *
 * The child has five descriptors: our commands (0), its events (1), its log (2), the listening SOCKS5 socket (3) that its owner bound and keeps while the child is away, and a
 * SOCK_SEQPACKET socket (4) on which it hands over accepted connections, descriptor and notice in one message. So nobody else can speak with it or in its place. Its
 * configuration, the key in it, travels on descriptor 0 only: not in argv, not in the environment.
 *
 * A child that ends is started again with back-off; so is one that has reported itself down for a while, in case somebody mended what was wrong. Everything here belongs to the
 * control thread. Letting go of a child does not wait for it: it takes leave of the tailnet by itself, and a thread of its own sees to its end (SIDECAR_END_MS at most).
 */
#ifndef OVERLAY_TAILSCALE_SIDECAR_H
#define OVERLAY_TAILSCALE_SIDECAR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "loop/loop.h"
#include "overlay/tailscale/lines.h"

enum { SIDECAR_END_MS = 6000, SIDECAR_ACCEPTS_A_TURN = 64 };

struct sidecar;

/* All borrowed until sidecar_free(). The callbacks run on the loop's thread, never inside a call; sidecar_free() may be called by none of them. */
struct sidecar_options {
	struct loop *loop;
	const char *program;
	const char *config; /* one line of JSON, without its end; holds secrets */
	int socks_fd;
	/* A new child was started: tell it again what it has to do, with sidecar_send(). */
	void (*started)(void *arg);
	void (*event)(void *arg, const struct sidecar_event *ev);
	/* The child ended, or could not be started; it comes back by itself. One sentence. */
	void (*lost)(void *arg, const char *why);
	void (*accepted)(
		void *arg, int fd, const struct sidecar_notice *notice); /* takes fd: a non-blocking stream socket */
	void *arg;
};

/* The child runs when this returns. UNAVAILABLE when it cannot be started. */
int sidecar_new(const struct sidecar_options *opt, struct sidecar **ret, struct err *e);
/* Let the child go. NULL is fine. */
void sidecar_free(struct sidecar *s);

/* Send one line (without its end). Dropped while there is no child: `started` is the time to say it again. */
void sidecar_send(struct sidecar *s, const char *line);

#endif
