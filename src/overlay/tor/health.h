/*
 * health.h - what Tor says about itself (https://spec.torproject.org/control-spec, "STATUS_CLIENT", "NETWORK_LIVENESS"), as pure functions over its texts.
 */
#ifndef OVERLAY_TOR_HEALTH_H
#define OVERLAY_TOR_HEALTH_H

#include <stdbool.h>

enum { BOOTSTRAP_TEXT_MAX = 96 };

struct tor_health {
	unsigned progress;                    /* of the bootstrap, 0-100 */
	char summary[BOOTSTRAP_TEXT_MAX + 1]; /* "Loading relay descriptors"; escaped, cut */
	bool network_is_down;                 /* NETWORK_LIVENESS */
	char version[65];                     /* "0.4.8.10"; "" = unknown */
};

/* "NOTICE BOOTSTRAP PROGRESS=80 TAG=conn SUMMARY=\"Connecting to the Tor network\"", as GETINFO status/bootstrap-phase answers. False: it does not tell a progress. */
bool tor_health_take_bootstrap(struct tor_health *h, const char *text);

/* Is the event (without its code) about Tor itself? */
bool tor_health_is_event(const char *text);
/* Take one; true: `h` may have changed. */
bool tor_health_take_event(struct tor_health *h, const char *text);

#endif
