/*
 * i2p.h - an instance of the I2P driver, as its own files see it.
 *
 * What the entry says is immutable after open(). Sessions and listeners belong to the control thread.
 */
#ifndef OVERLAY_I2P_I2P_H
#define OVERLAY_I2P_I2P_H

#include "overlay/driver.h"
#include "overlay/i2p/sam.h"

enum { SESSION_NAME_MAX = 64 };

struct session_pool;

struct i2p {
	struct overlay base;
	char host[HOST_TEXT_MAX + 1]; /* of the bridge */
	uint16_t port;
	char session_name[SESSION_NAME_MAX + 1];
	char options[SAM_OPTIONS_MAX + 1]; /* " inbound.length=1 ..." */
	bool persistent;                   /* listeners keep their address */
	uint64_t idle_ns;                  /* of an isolated session before it is ended */

	/* -- control thread -------------------------------------------------------------------------- */
	struct session_pool *pool; /* from start() to stop(), else NULL */
	struct list listeners;
	unsigned nup;                     /* sessions that stand */
	unsigned nbroken;                 /* sessions that are to stand, but failed or were lost */
	bool tried;                       /* something failed or stood before */
	char trouble[OVERLAY_REASON_MAX]; /* the latest failure */
};

static inline struct i2p *i2p_of(struct overlay *o)
{
	return container_of(o, struct i2p, base);
}

/* Report what nup and nbroken say as the overlay's state. `why`: something has just failed; NULL: it did not. Control thread. */
void i2p_report(struct i2p *o, const struct err *why);

/* -- probe.c, for the driver's table ----------------------------------------------------------------- */

/* Says HELLO to the bridge; no session is made, and the state stays what sessions made it. */
struct probe *i2p_probe(struct overlay *base, const struct probe_options *opt);
void i2p_cancel_probe(struct probe *base);

/* -- listen.c, for the driver's table ---------------------------------------------------------------- */

struct listener *i2p_listen(struct overlay *base, const struct listen_options *opt);
void i2p_unlisten(struct listener *base);
/* Close what every listener has open; they stay to be told and to be unlistened. */
void i2p_stop_listeners(struct i2p *o);

#endif
