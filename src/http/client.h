/*
 * client.h - the outbound HTTP client of one worker, over a libcurl multi handle on the worker's loop.
 *
 * libcurl never opens a connection by itself: every descriptor comes from overlay_dial(). Its one pool is divided by
 * (overlay instance, isolation key) with CURLOPT_CONNECT_TO under made-up host names, so a connection is never lent across.
 * No proxy environment variable, no resolver, no cookie jar, no netrc is used.
 *
 * One client per worker, used only on its thread. `done` runs exactly once, later; never after http_call_cancel().
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "loop/loop.h"
#include "net/addr.h"
#include "overlay/overlay.h"

struct http_client;
struct http_call;

enum {
	HTTP_HEADER_BYTES_MAX = 256 * 1024, /* of a response, all lines together */
	HTTP_HEADERS_MAX = 1000,
	HTTP_REDIRECTS_MAX = 10,
};

struct http_client_config {
	uint64_t timeout_ms;        /* whole exchange when a request sets none; 30000 */
	uint64_t idle_ms;           /* idle life of a kept-alive connection; 90000 */
	unsigned idle_max;          /* idle connections in all; 100 */
	unsigned idle_per_host_max; /* 10 */
};

struct http_header {
	char *name;
	char *value;
};

struct http_tls_options {
	const char *cert_pem; /* with key_pem; NULL = none. All borrowed until http_client_start returns */
	const char *key_pem;
	const char *ca_pem;
	const char *server_name;
	bool insecure_skip_verify;
};

struct http_request {
	const char *method;                /* upper case */
	const char *url;                   /* as the program gave it, query options already merged in */
	const struct http_header *headers; /* in order; names already canonical */
	size_t nheaders;
	const char *body;
	size_t body_len;
	bool has_body;
	uint64_t timeout_ns;     /* 0 = the client's default */
	uint64_t max_body;       /* decoded bytes of a buffered body; 0 = 120 MiB */
	bool stream;             /* deliver the body through http_call_read() */
	bool accept_gzip;        /* the program set neither Accept-Encoding nor Range */
	struct overlay *overlay; /* NULL = clear network; borrowed, the call keeps a reference */
	const char *isolation_key;
	/* 0, or the process or call that asks: each hop's key is then made of it and the hop's host, see overlay_isolation_key(). */
	uint64_t owner;
	const char *unix_socket;            /* NULL = none; never together with an overlay */
	const struct http_tls_options *tls; /* NULL = defaults */
	/* Judge each address connected to on the clear network and each literal target on an overlay, redirect hops too; NULL = allow all. */
	int (*judge)(void *arg, const struct addr *a, struct err *e);
	/* Judge each redirect hop's URL; NULL = allow all. */
	int (*judge_url)(void *arg, const char *url, struct err *e);
	void *judge_arg;
};

struct http_response {
	int status;
	const char *url;                   /* final, after redirects */
	const struct http_header *headers; /* canonical names, wire order, repeated ones kept */
	size_t nheaders;
	struct buf *body;        /* buffered body; may be taken with buf_detach() */
	bool reused;             /* a kept-alive connection served it */
	struct dial_trace trace; /* of the last dial; zero when reused */
};

/* Exactly one of `r` (borrowed) and `e` is set. */
typedef void http_done_fn(void *arg, const struct http_response *r, const struct err *e);

struct http_client *http_client_new(struct loop *l, const struct http_client_config *cfg);
/* All calls must be over or cancelled. */
void http_client_free(struct http_client *c);

/* Borrows everything in `req` for the call; the body is copied. Failures found at once are reported through `done` too. */
struct http_call *http_client_start(
	struct http_client *c, const struct http_request *req, http_done_fn *done, void *arg);
/* The way of a call, as far as it came. Durations; 0 = not reached, or not needed. Of the last hop, but for `total_ns`. */
struct http_trace {
	const char *resolver; /* of struct dial_trace; NULL: nothing was dialled */
	const char *
		phase; /* where it ended: "start", "dial", "handshake" (the overlay's), "tls", "response" (until its first byte), "body"; "done" */
	bool reused;   /* it ran on a kept-alive connection */
	uint64_t dial_ns; /* until the target, or the overlay's endpoint, was reached */
	uint64_t handshake_ns;
	uint64_t tls_ns;
	uint64_t first_byte_ns;                /* from the request's being sent */
	uint64_t total_ns;                     /* since http_client_start() */
	char isolation_key[ISOLATION_KEY_MAX]; /* of overlay_isolation_key(); "" when anyone may share the connection */
};
/* Inside `done`. */
void http_call_trace(const struct http_call *call, struct http_trace *ret);

/* At any time before `done`, or later to end a stream. Frees the call. */
void http_call_cancel(struct http_call *call);

/* -- streams: after `done` gave the headers of a stream call, until http_call_cancel() -------------- */

/* n > 0: bytes put into `out`; n == 0: end; -1: `e`. Runs once, later. One read at a time. */
typedef void http_read_fn(void *arg, int n, struct buf *out, const struct err *e);
void http_call_read(struct http_call *call, size_t max, http_read_fn *fn, void *arg);
/* Withdraw a read that has not reported. */
void http_call_read_cancel(struct http_call *call);

/* Close idle connections of overlay generation `gen` (after a hot swap). */
void http_client_drop_generation(struct http_client *c, uint64_t gen);
/* The same, and end the calls and streams that still use it: UNAVAILABLE, code "overlay_replaced". */
void http_client_end_generation(struct http_client *c, uint64_t gen);

#endif
