/*
 * websocket_dial.h - open a WebSocket as a client: dial, TLS, opening handshake, redirects.
 *
 * Every connection comes from overlay_dial(): through the given overlay or the clear network, and nothing else is tried. One thread, the loop's.
 */
#ifndef HTTP_WEBSOCKET_DIAL_H
#define HTTP_WEBSOCKET_DIAL_H

#include "http/client.h"
#include "http/transport.h"
#include "http/websocket.h"
#include "loop/loop.h"
#include "overlay/overlay.h"

struct websocket_dial;

enum {
	WEBSOCKET_CONNECT_MS = 30000, /* TCP, on the clear network */
	WEBSOCKET_TLS_MS = 10000,     /* the TLS handshake */
	WEBSOCKET_DIAL_MS = 120000,   /* all together, when `timeout_ns` is 0 */
};

/* Borrowed for the call. */
struct websocket_dial_options {
	struct loop *loop;
	const char *url;                   /* ws, wss; http and https mean the same */
	const struct http_header *headers; /* more fields of the request; the handshake's own win */
	size_t nheaders;
	const char *const *protocols; /* offered, best first */
	size_t nprotocols;
	uint64_t timeout_ns;
	struct overlay *overlay;          /* NULL: the clear network */
	uint64_t owner;                   /* for overlay_isolation_key() */
	struct tls_client *tls;           /* of wss; a reference is kept */
	struct websocket_deflate deflate; /* offered when on */
	/* Judge each redirect hop's URL; NULL = allow all. Its error is reported as it is. Kept: valid until the end of the dial. */
	int (*judge_url)(void *arg, const char *url, struct err *e);
	void *judge_arg;
	/* NULL, or where to write how far a dial came that failed: `resolver` and `phase` (client.h). Kept: valid until the end of the dial. */
	struct http_trace *ret_way;
};

struct websocket_dialled {
	struct transport *transport; /* the callee's */
	const void *early;           /* bytes after the handshake; borrowed */
	size_t nearly;
	struct websocket_deflate deflate; /* agreed; its threshold is that of the options */
};

/* Exactly one of `w` and `e` is set. Errors: what a dial, TLS and the handshake say, `unexpected url scheme: "ftp"`, `context deadline exceeded (phase: handshake)`. */
typedef void websocket_dialled_fn(void *arg, const struct websocket_dialled *w, const struct err *e);

/* `done` runs exactly once, later; never after websocket_dial_cancel(). Never NULL. */
struct websocket_dial *websocket_dial_start(
	const struct websocket_dial_options *opt, websocket_dialled_fn *done, void *arg);
/* Only before `done` ran. NULL is fine. */
void websocket_dial_cancel(struct websocket_dial *d);

#endif
