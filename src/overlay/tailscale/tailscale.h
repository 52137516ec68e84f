/*
 * tailscale.h - one entry `network.tailscale`, as the files of its driver share it.
 */
#ifndef OVERLAY_TAILSCALE_TAILSCALE_H
#define OVERLAY_TAILSCALE_TAILSCALE_H

#include <stdatomic.h>

#include "base/list.h"
#include "base/secret.h"
#include "overlay/driver.h"
#include "overlay/tailscale/sidecar.h"

struct tailscale {
	struct overlay base;
	/* -- of the entry; immutable -- */
	char *hostname;  /* "" = wippy */
	char *state_dir; /* "" = under the program's state directory */
	char *control_url;
	char *exit_node;
	struct secret *auth_key;
	bool ephemeral;
	bool strict;
	/* -- made by start(), which comes before every dial; then immutable -- */
	struct secret *user, *password; /* of the SOCKS5 server, for this instance alone */
	atomic_uint socks_port;         /* 0: not started */
	/* -- control thread -- */
	char *program;
	struct secret *config;
	int socks_fd;
	struct sidecar *sidecar;
	struct list listeners;
	uint64_t last_id;
};

/* -- dial.c -- */
struct dial *tailscale_dial(struct overlay *o, const struct dial_options *opt);
void tailscale_cancel(struct dial *d);

/* -- listen.c; control thread -- */
struct listener *tailscale_listen(struct overlay *o, const struct listen_options *opt);
void tailscale_unlisten(struct listener *l);
/* Ask a new sidecar for every listener. */
void tailscale_listen_again(struct tailscale *t);
/* SIDECAR_LISTENING, SIDECAR_LISTEN_FAILED. */
void tailscale_listen_event(struct tailscale *t, const struct sidecar_event *ev);
/* Takes fd. */
void tailscale_accepted(struct tailscale *t, int fd, const struct sidecar_notice *notice);

#endif
