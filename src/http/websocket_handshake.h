/*
 * websocket_handshake.h - the client's side of the opening handshake (RFC 6455 section 4.1) as text: the request, and a strict reader of the answer. Pure.
 */
#ifndef HTTP_WEBSOCKET_HANDSHAKE_H
#define HTTP_WEBSOCKET_HANDSHAKE_H

#include "base/buf.h"
#include "base/err.h"
#include "http/headers.h"
#include "http/url.h"
#include "http/websocket.h"

enum {
	WEBSOCKET_HEAD_MAX = 64 * 1024, /* bytes of the answer's head, interim ones counted too */
	WEBSOCKET_KEY_SIZE = 25,        /* Sec-WebSocket-Key: base64 of 16 bytes, and a NUL */
};

void websocket_make_key(char out[static WEBSOCKET_KEY_SIZE]);

struct websocket_request {
	const struct http_url *url;
	const struct http_header_set *headers; /* fields that the handshake writes itself are left out */
	const char *key;
	const char *protocols;                   /* "a, b"; NULL = none */
	const struct websocket_deflate *deflate; /* offered when on */
	const char *authorization;               /* NULL = none; one of `headers` wins */
	const char *referer;                     /* NULL = none */
};

void websocket_write_request(const struct websocket_request *r, struct buf *out);

/* Zeroed at first. */
struct websocket_answer {
	size_t seen; /* bytes of heads so far */
	int status;
	/* Of repeated fields all values, joined by ", ", but the first Location only. */
	struct buf connection, upgrade, accept, protocol, extensions, location;
};

/* Take the head from the front of `in` when it is whole; 1 then, 0 when more is needed, -1 `e`. Interim answers are thrown away. */
int websocket_answer_take(struct websocket_answer *a, struct buf *in, struct err *e);
void websocket_answer_reset(struct websocket_answer *a); /* also frees */

/* Is it what `r` asked for? `ret_deflate` is what both sides use. INTERNAL `expected handshake response status code 101 but got 404`,
 * `WebSocket protocol violation: invalid Sec-WebSocket-Accept "x"`, `... unexpected Sec-WebSocket-Protocol from server: "x"`, ... */
int websocket_answer_check(const struct websocket_answer *a, const struct websocket_request *r,
	struct websocket_deflate *ret_deflate, struct err *e);

#endif
