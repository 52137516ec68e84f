/*
 * client.h - one dial through a SOCKS5 proxy: connect over the clear network, then run the step machine (machine.h).
 *
 * The proxy may also be a Unix socket (Tor's `SocksPort unix:/path`); then "socks connect unix /path->" is what errors begin with.
 *
 * Those of a probe begin with "socks probe tcp <proxy>: ".
 *
 * A client runs on one worker's loop. One deadline bounds everything: looking the proxy up, connecting, each byte of
 * the handshake. The target is never looked up here. Every error begins with "socks connect tcp <proxy>-><target>: "
 * and says which phase failed:
 *
 *     ...: dial tcp 127.0.0.1:9050: connect: connection refused       not reached (codes of net/connect.h)
 *     ...: unknown error connection not allowed by ruleset            refused (codes "socks_*")
 *     ...: handshake: i/o timeout while waiting for the proxy to ...  TIMEOUT, code "socks_handshake_timeout"
 */
#ifndef OVERLAY_SOCKS5_CLIENT_H
#define OVERLAY_SOCKS5_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "loop/loop.h"
#include "overlay/socks5/machine.h"

struct socks5_client;

/* Everything is borrowed for the call; the credentials are copied and erased after the handshake. */
struct socks5_client_options {
	struct loop *loop;
	const char *proxy_host; /* name or literal, no brackets, at most HOST_TEXT_MAX */
	uint16_t proxy_port;
	const char *proxy_path; /* in place of both: the path of a Unix socket; NULL: none */
	const char *host;       /* name or literal, at most HOST_TEXT_MAX */
	uint16_t port;
	const char *username; /* both NULL or "": no authentication is offered */
	const char *password;
	uint64_t deadline_ns; /* loop_clock_ns() time; required */
};

struct socks5_client_result {
	int fd; /* connected, non-blocking, nothing of the stream read yet; the callee's. -1 on failure, and of a probe */
	uint64_t connected_ns;   /* when the proxy was reached; 0 = never */
	bool authenticated;      /* the proxy asked for the credentials and accepted them */
	enum socks5_state phase; /* where it ended: SOCKS5_READY, or what it failed in (machine.h) */
	uint8_t reply; /* the code of the proxy's refusal (RFC 1928 section 6, and what a server adds); 0 = none came */
	const char *why; /* the error without the addresses; NULL on success. Borrowed */
};

/* `result` and `e` (NULL on success) are borrowed. */
typedef void socks5_client_fn(void *arg, const struct socks5_client_result *result, const struct err *e);

/* `done` runs exactly once, later, on the loop's thread; never after socks5_client_cancel(). */
struct socks5_client *socks5_client_start(const struct socks5_client_options *opt, socks5_client_fn *done, void *arg);
/* Only before `done` ran: closes what is open. NULL is fine. */
void socks5_client_cancel(struct socks5_client *c);

#endif
