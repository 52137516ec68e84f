/*
 * connect.h - look a name up on the thread pool and open a TCP connection on the clear network, or connect to a Unix socket.
 *
 * Addresses of both families are raced (RFC 8305: 250 ms between attempts, IPv6 first); the first to connect wins. Each
 * descriptor is non-blocking, close-on-exec, TCP_NODELAY, and had connect() called on it exactly once, asynchronously:
 * libcurl 7.88 calls connect() again on a descriptor handed to it, and Linux answers success to that only in this
 * state. Only overlay/ calls this: everything else goes through the dial gate.
 *
 * A Unix socket connects at once or not at all; one whose listener has no room now is tried again until the deadline.
 */
#ifndef NET_CONNECT_H
#define NET_CONNECT_H

#include <stdint.h>

#include "base/err.h"
#include "loop/loop.h"
#include "net/addr.h"

struct net_connect;

struct net_connect_options {
	const char *host; /* name or literal; borrowed for the call */
	uint16_t port;
	const char *unix_path; /* in place of host and port: a Unix stream socket; borrowed for the call. NULL: none */
	uint64_t deadline_ns;  /* loop_clock_ns() time; 0 = none */
	/* Judge each resolved or literal address before it is tried; return -1 with `e` set to refuse. NULL allows all.
	 * All addresses are judged before any is tried and one refusal refuses the connect. Runs on the loop's thread,
	 * for a literal inside net_connect_start(). */
	int (*judge)(void *arg, const struct addr *a, struct err *e);
	void *judge_arg;
};

/* On success fd >= 0 is the callee's, `peer` its address (all 0 for a Unix socket); on failure fd is -1 and `e` set (borrowed):
 * `dial tcp 127.0.0.1:9050: connect: connection refused` (UNAVAILABLE, code "connect_refused"),
 * `dial tcp: lookup x.test: no such host` (code "no_such_host"), `dial tcp x:80: i/o timeout` (TIMEOUT, code
 * "connect_timeout"), other codes "connect_unreachable", "connect_failed", "lookup_failed"; all retryable but
 * no_such_host and what `judge` said; with "dial unix /path" for a Unix socket (also "connect_refused" where no file is). A name that is not looked up at all reads `lookup x.onion: refused: ...` (see
 * net/resolve.h). Of several addresses' errors the first counts. */
typedef void net_connect_fn(void *arg, int fd, const struct addr *peer, const struct err *e);

/* `done` runs exactly once, later, on the loop's thread; never after net_connect_cancel(). */
struct net_connect *net_connect_start(
	struct loop *l, const struct net_connect_options *opt, net_connect_fn *done, void *arg);
/* Only before `done` ran. NULL is fine. */
void net_connect_cancel(struct net_connect *c);

#endif
