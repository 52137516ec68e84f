/*
 * proxy.h - what a driver needs whose dials go through a SOCKS5 server: where it is, with which credentials a dial comes, what the dials say about it.
 *
 * Tor (IsolateSOCKSAuth, on by default) puts streams with different SOCKS credentials on different circuits. So an
 * isolated dial carries made-up credentials in place of the configured ones: fresh ones for each dial
 * (`isolate_streams`), or ones derived from the isolation key and a secret of this instance (`isolation`), so that
 * equal keys share a circuit and nobody outside can tell or guess which. Without isolation the configured credentials
 * are used whatever the key.
 *
 * A driver embeds a proxy in its instance: read in open(), done in close(), immutable between. Any worker.
 */
#ifndef OVERLAY_SOCKS5_PROXY_H
#define OVERLAY_SOCKS5_PROXY_H

#include "base/secret.h"
#include "overlay/driver.h"

enum { PROXY_SECRET_BYTES = 32 };

/* All but the credentials and the path is proxy.c's own. */
struct socks5_proxy {
	char host[HOST_TEXT_MAX + 1];
	uint16_t port;
	char *socket_path; /* in place of host and port: a Unix socket; the driver's to set before socks5_proxy_read(). NULL: none */
	struct secret *username; /* NULL: none; the driver's to set, before any dial */
	struct secret *password;
	unsigned char secret[PROXY_SECRET_BYTES]; /* only with ISOLATION_PROCESS, _HOST, _NAME */
	atomic_bool warned;
};

/* `host` and `port` (absent with a socket_path) and the isolation fields of an entry; the latter go into `o`. ERR_INVALID as of overlay_read_*(). */
int socks5_proxy_read(struct socks5_proxy *p, const struct value *data, struct overlay *o, struct err *e);
/* Wipe and free. */
void socks5_proxy_done(struct socks5_proxy *p);

/* What a dial has just met, on its worker: the server serves us (READY; DEGRADED, when something is wrong all the same), or it does not. Not told when it is the target that
 * failed. */
typedef void socks5_met_fn(struct overlay *o, enum overlay_state state, bool serves, const char *reason);

/* For the driver's dial() and cancel(). */
struct dial *socks5_proxy_dial(
	struct socks5_proxy *p, struct overlay *o, const struct dial_options *opt, socks5_met_fn *met);
void socks5_proxy_cancel(struct dial *d);
/* For the driver's probe() and cancel_probe(): the greeting, with the credentials that a dial would have. */
struct probe *socks5_proxy_probe(
	struct socks5_proxy *p, struct overlay *o, const struct probe_options *opt, socks5_met_fn *met);
void socks5_proxy_cancel_probe(struct probe *p);

#endif
