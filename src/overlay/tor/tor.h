/*
 * tor.h - an instance of the Tor driver, as its own files see it.
 *
 * What the entry says is immutable after open(). The controller and the listeners belong to the control thread; `view` to whoever holds the lock.
 */
#ifndef OVERLAY_TOR_TOR_H
#define OVERLAY_TOR_TOR_H

#include <pthread.h>

#include "overlay/driver.h"
#include "overlay/socks5/proxy.h"
#include "overlay/tor/controller.h"

enum control_view { CONTROL_CONNECTING, CONTROL_STANDING, CONTROL_LOST };

struct tor {
	struct overlay base;
	struct socks5_proxy proxy;
	bool has_control;
	char control_host[HOST_TEXT_MAX + 1];
	uint16_t control_port;
	char *control_socket; /* in place of host and port; NULL: none */
	char *cookie_file;    /* NULL: as Tor says */
	struct secret *control_password;

	/* -- control thread -------------------------------------------------------------------------- */
	struct controller *controller; /* from start() to stop(), with has_control; else NULL */
	struct list listeners;

	/* Dials met a SOCKS port that serves us, since the control connection was last lost: they need no lock to say it again. */
	atomic_bool socks_works;
	pthread_mutex_t lock;
	struct {
		enum control_view control;
		bool was_ready; /* the bootstrap was once over */
		struct tor_health health;
		char control_trouble[OVERLAY_REASON_MAX];
		enum overlay_state socks; /* STARTING: unknown */
		bool socks_serves;        /* the last dial was, since the control connection was last lost */
		char socks_trouble[OVERLAY_REASON_MAX];
		char listener_trouble[OVERLAY_REASON_MAX]; /* "" = none */
	} view;
};

static inline struct tor *tor_of(struct overlay *o)
{
	return container_of(o, struct tor, base);
}

/* -- listen.c ----------------------------------------------------------------------------------------- */

struct listener *tor_listen(struct overlay *base, const struct listen_options *opt);
void tor_unlisten(struct listener *base);
/* What the controller tells. */
void tor_listeners_up(struct tor *o);
void tor_listeners_down(struct tor *o, const struct err *e);
void tor_listeners_event(struct tor *o, const char *text);
/* Close what every listener has open; they stay to be told and to be unlistened. */
void tor_stop_listeners(struct tor *o);

/* Something about our onion services that people should know; "" = nothing any more. */
void tor_listener_trouble(struct tor *o, const char *trouble);

#endif
