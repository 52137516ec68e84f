/*
 * websocket.h - one open WebSocket (RFC 6455), client or server side, over a transport on a worker's loop.
 *
 * Begins after the opening handshake (the client's is http/websocket_dial.h, the server's an exchange_upgrade()). Frames are the library wslay's; permessage-deflate
 * (RFC 7692) is zlib's. Pings are answered by themselves. One thread: the loop's. Callbacks run later, never inside a call that arranged them; they may do anything,
 * websocket_free() included.
 */
#ifndef HTTP_WEBSOCKET_H
#define HTTP_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "http/transport.h"
#include "loop/loop.h"

struct websocket;

enum {
	WEBSOCKET_REASON_MAX = 123,        /* bytes of a close reason */
	WEBSOCKET_CLOSE_WAIT_MS = 5000,    /* for the peer's close frame, and before that to write ours */
	WEBSOCKET_PENDING_LOW = 64 * 1024, /* `drained` runs when what is queued falls from above to at most this */
};

/* What both sides agreed on (RFC 7692); all false: no compression. */
struct websocket_deflate {
	bool on;
	bool client_no_context_takeover;
	bool server_no_context_takeover;
	int client_max_window_bits; /* 8-15; 0 = 15 */
	int server_max_window_bits;
	size_t threshold; /* smaller messages leave uncompressed */
};

struct websocket_callbacks {
	/* A whole message, `data` borrowed. Not while paused. */
	void (*message)(void *arg, bool is_binary, const void *data, size_t len);
	/* A pong for a ping of ours; may be NULL. */
	void (*pong)(void *arg, const void *data, size_t len);
	/* What was queued is below the mark again; may be NULL. */
	void (*drained)(void *arg);
	/* It is over: once, nothing runs after it. `code` is the peer's (1005: none given), or 1006 with `e` when the connection broke, or ours when we closed for a breach
	 * of protocol (1002, 1007, 1009) or for silence. `reason` is NUL-terminated UTF-8 of the peer. */
	void (*closed)(void *arg, unsigned code, const char *reason, const struct err *e);
};

struct websocket_config {
	struct loop *loop;
	struct transport *transport; /* taken */
	const void *early;           /* bytes that came with the handshake; borrowed */
	size_t nearly;
	bool is_client;
	size_t message_max;        /* of received messages, after decompression; over it: close 1009 */
	uint64_t read_timeout_ns;  /* longest silence between messages; 0 = none */
	uint64_t write_timeout_ns; /* longest time a queued message waits for the peer; 0 = none */
	struct websocket_deflate deflate;
};

/* Never NULL. Begins to read in the next turn. */
struct websocket *websocket_new(const struct websocket_config *cfg, const struct websocket_callbacks *cb, void *arg);
/* Drop the connection at once, without a closing handshake. No callback runs any more. NULL is fine. */
void websocket_free(struct websocket *ws);

/* Queue one message (copied). False: it is closing or closed. `sent` (may be NULL) runs once, later: 0 when the last byte was taken by the system, -1 when it never will be. */
bool websocket_send(struct websocket *ws, bool is_binary, const void *data, size_t len, void (*sent)(void *arg, int rc),
	void *sent_arg);
bool websocket_ping(struct websocket *ws, const void *data, size_t len); /* at most 125 bytes */
/* Run `sent` once, later, when all that is queued now was taken by the system (0), or never will be (-1). False: it is closing or closed. */
bool websocket_flush(struct websocket *ws, void (*sent)(void *arg, int rc), void *sent_arg);
/* Bytes queued that the system has not taken. */
size_t websocket_pending(const struct websocket *ws);
/* Begin the closing handshake; `closed` runs when the peer answered, or after WEBSOCKET_CLOSE_WAIT_MS. Codes that must not be sent (1005, 1006, 1015) drop the connection
 * at once. Later calls do nothing. */
void websocket_close(struct websocket *ws, unsigned code, const char *reason);
/* While paused no message is delivered and (after what is buffered) nothing is read: the peer is pushed back. Control frames wait too. */
void websocket_pause(struct websocket *ws);
void websocket_resume(struct websocket *ws);

/* Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455 section 4.2.2): base64(SHA-1(key + GUID)), 28 characters and a NUL. */
enum { WEBSOCKET_ACCEPT_SIZE = 29 };
void websocket_accept_key(const char *key, char out[static WEBSOCKET_ACCEPT_SIZE]);

#endif
