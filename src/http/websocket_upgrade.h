/*
 * websocket_upgrade.h - the server's side of the opening handshake (RFC 6455 section 4.2): is this request one, and the answer's fields.
 *
 * Subprotocols and extensions that are offered stay unanswered, which declines them.
 */
#ifndef HTTP_WEBSOCKET_UPGRADE_H
#define HTTP_WEBSOCKET_UPGRADE_H

#include "base/err.h"
#include "http/exchange.h"

/* Is it an opening handshake? -1: no; INVALID, and the status to refuse it with: 426 (not an upgrade at all), 405 (not GET), 400 (version, key, a body). What fields the refusal
 * needs (Upgrade, Sec-WebSocket-Version) are set then. */
int websocket_check_upgrade(struct exchange *x, unsigned *ret_status, struct err *e);
/* Set Upgrade and Sec-WebSocket-Accept: exchange_upgrade() is next. After the check. */
void websocket_accept_upgrade(struct exchange *x);

#endif
