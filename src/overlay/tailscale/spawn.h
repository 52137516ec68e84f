/*
 * spawn.h - one child process with the five descriptors that sidecar.h tells of: started, closed, waited for.
 */
#ifndef OVERLAY_TAILSCALE_SPAWN_H
#define OVERLAY_TAILSCALE_SPAWN_H

#include <sys/types.h>

#include "base/err.h"

/* Our ends, close-on-exec and non-blocking. */
struct sidecar_child {
	pid_t pid; /* -1: none */
	int pidfd; /* readable when it has ended */
	int in, out, err, inlet;
};

/* Start it in a process group of its own, with a short list of environment variables. UNAVAILABLE with the system's text. Blocks for as long as the system needs. */
int sidecar_child_start(struct sidecar_child *c, const char *program, int socks_fd, struct err *e);
/* Of one that was waited for: close what is open. */
void sidecar_child_close(struct sidecar_child *c);
/* Let go of one that runs: its standard input ends, and a thread waits for it, at most `ms`, then kills it. Does not block. */
void sidecar_child_release(struct sidecar_child *c, int ms);

#endif
