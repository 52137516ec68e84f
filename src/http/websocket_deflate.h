/*
 * websocket_deflate.h - permessage-deflate (RFC 7692): the two coders of one connection, and the words of its negotiation.
 *
 * Over zlib. A coder takes its memory with the first message it sees: about 256 KiB to compress, 40 KiB to decompress. One thread at a time; the functions on texts are pure.
 */
#ifndef HTTP_WEBSOCKET_DEFLATE_H
#define HTTP_WEBSOCKET_DEFLATE_H

#include "base/buf.h"
#include "http/websocket.h"

/* -- coders ------------------------------------------------------------------------------------------ */

struct websocket_coders;

/* `agreed->on` is true. Never NULL. */
struct websocket_coders *websocket_coders_new(const struct websocket_deflate *agreed, bool is_client);
void websocket_coders_free(struct websocket_coders *c); /* NULL is fine */

/* Append the compressed form of one whole message (RFC 7692 section 7.2.1). False: it cannot be compressed, send it as it is. */
bool websocket_deflate_message(struct websocket_coders *c, const void *data, size_t len, struct buf *out);

enum { WEBSOCKET_INFLATE_CORRUPT = -1, WEBSOCKET_INFLATE_TOO_BIG = -2 };
/* Decompress the next bytes of a message; after its last frame once more with `is_end`. Stops as soon as `out` would hold more than `max` bytes. */
int websocket_inflate(
	struct websocket_coders *c, const void *data, size_t len, bool is_end, struct buf *out, size_t max);

/* -- negotiation ------------------------------------------------------------------------------------- */

/* The client's Sec-WebSocket-Extensions for `want`. */
void websocket_deflate_offer(const struct websocket_deflate *want, struct buf *out);
/* What the server's field means to the client that offered `want` (NULL: it offered nothing). An absent or empty field: no compression.
 * ERR_INTERNAL `WebSocket protocol violation: unsupported extensions from server: "..."`. */
int websocket_deflate_settle(
	const char *answer, const struct websocket_deflate *want, struct websocket_deflate *ret_agreed, struct err *e);

#endif
