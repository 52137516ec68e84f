/*
 * server.h - an HTTP/1.1 server: connections on the workers' own loops, requests parsed by llhttp.
 *
 * Each worker has a listening socket of its own (SO_REUSEPORT) and serves what it accepts: an exchange never changes its thread, and nothing is locked. Connections that come
 * from elsewhere (an overlay's listener) enter through http_server_give(). What cannot be a request is answered by the server itself: 400 (malformed, or of doubtful length),
 * 431 (a head over HTTP_HEAD_BYTES_MAX or 1000 fields), 501 (an unknown transfer coding), 505; then the connection closes.
 *
 * The *site* says what is served: routes, chains, handlers. It is immutable and replaced whole; requests in progress finish with the site they began with.
 *
 * Everything here is for the control (main) thread.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "http/exchange.h"
#include "http/middleware.h"
#include "http/route.h"
#include "http/transport.h"
#include "loop/loop.h"
#include "value/value.h"

struct http_server;
struct http_site;

/* -- sites ------------------------------------------------------------------------------------------- */

/* Data of a route (route_spec.data). Lives as long as its site; all pointers are the site's. */
struct http_target {
	const char *id;                 /* entry id of the endpoint; NULL for mounts and automatic answers */
	struct middleware_chain *outer; /* NULL: none */
	struct middleware_chain *inner; /* after route parameters and endpoint id are known */
	bool is_endpoint;               /* has captured parameters and a route label */
	/* Serve: must see to exchange_end(), now or later. On the exchange's worker. */
	void (*serve)(void *arg, struct exchange *x);
	void *arg;
};

/* Takes `routes` (built). `free_fn(arg)` runs when the last request that uses the site is over, on any thread: free targets there. */
struct http_site *http_site_new(struct route_table *routes, void (*free_fn)(void *arg), void *arg);
struct http_site *http_site_ref(struct http_site *s);
void http_site_unref(struct http_site *s); /* any thread; NULL is fine */

/* -- servers ----------------------------------------------------------------------------------------- */

/* All copied. */
struct http_server_config {
	const char
		*addr; /* "host:port" or ":port" (all interfaces, IPv4 and IPv6); NULL: it does not listen by itself */
	uint64_t read_ns;          /* whole request, from its beginning; 0 = no limit */
	uint64_t write_ns;         /* from the end of the head of the request to the end of the response */
	uint64_t idle_ns;          /* between requests; 0 = read_ns */
	unsigned connections_max;  /* per worker; 0 = 65536 */
	struct tls_server *tls;    /* NULL: plain; the server takes a reference */
	struct loop *const *loops; /* of the workers; threads run already */
	unsigned nloops;
	struct loop *control; /* where done callbacks run */
	void *owner;          /* exchange_owner() */
	/* An exchange is over, whatever answered it, or its client was lost; once, on its worker. NULL: nobody wants to know. */
	void (*on_over)(void *owner, const struct exchange *x);
};

enum { HTTP_HEAD_BYTES_MAX = 1024 * 1024 + 4096 }; /* request line and fields together; over it: 431 */

/* Reads certificates, resolves nothing yet. INVALID "failed to load TLS cert/key", "client_ca PEM contains no valid certificates", "invalid address ...". */
int http_server_new(const struct http_server_config *cfg, struct http_server **ret_server, struct err *e);
/* Takes a reference; NULL: every request gets 404. Any time until the server is stopped; each worker that runs takes it up in its next turn. */
void http_server_set_site(struct http_server *s, struct http_site *site);
/* Bind and begin to accept. When it returns 0 the kernel queues connections already. UNAVAILABLE with the system's text ("address already in use"). */
int http_server_start(struct http_server *s, struct err *e);
/* "127.0.0.1:8080"; the bound one (port 0 resolved). "" when it does not listen. */
const char *http_server_bound(const struct http_server *s);
/* Stop accepting, close idle connections, let requests in progress finish for `timeout_ms`, then cut the rest (their on_gone runs). `done(arg, cut)` runs once, later, on the control
 * loop, when all connections are gone; `cut` says how many had to be cut. Upgraded connections are nobody's business here. */
void http_server_stop(struct http_server *s, uint64_t timeout_ms, void (*done)(void *arg, unsigned cut), void *arg);
/* After it stopped, or was never started. NULL is fine. */
void http_server_free(struct http_server *s);

/* Who is at the other end of a connection that came through an overlay. Copied; `identity` is referenced. */
struct http_peer {
	const char *address;          /* what exchange_remote() says */
	const struct value *identity; /* what the network vouches for (exchange_identity()), a map, or NULL */
	bool is_tls;                  /* TLS ended before us */
};

/* Serve a connected descriptor (taken) on the next worker in turn; closed when the server is full or stopping. Control thread. With `tls` in the configuration the
 * connection begins with a TLS handshake, unless peer->is_tls. */
void http_server_give(struct http_server *s, int fd, const struct http_peer *peer);

#endif
