/*
 * http_relay.h - the middlewares websocket_relay and sse_relay: what the handler answered becomes a connection that is a process.
 *
 * A handler names the target process in the header X-WS-Relay or X-SSE-Relay of its response (relay.h) and returns; without that header its response stands as it is, and the
 * header itself never reaches the client. Both belong in post_middleware. Options, all texts:
 *
 *   wsrelay.allowed.origins [allow_origins, allowed_origins]    who but the server's own pages may connect, see relay_origin.h
 *   wsrelay.message.limit    32768   bytes of a message from the client; a longer one closes the connection with 1009
 *   wsrelay.write.timeout    60s     how long a client may leave unread what waits for it; then the connection is cut
 *   sserelay.allowed.origins [allow_origins, allowed_origins]
 *   sserelay.write.timeout   60s
 *
 * Connections are processes on the host that has the server's id. Of messages to a connection ten (WebSocket) are on their way to the client, or 256 KiB (events); the rest waits in its
 * mailbox, at most http.service's host.buffer_size (1024): with more waiting, process.send() waits. Messages of one sender stay in order.
 */
#ifndef SERVICE_HTTP_RELAY_H
#define SERVICE_HTTP_RELAY_H

#include "http/exchange.h"

/* After the handler of `x` has returned without an error: does the relay take over? Then it sees to the end of the exchange. */
bool websocket_relay_serve(struct exchange *x);
bool sse_relay_serve(struct exchange *x);

#endif
