/*
 * websocket.h - what the files of the `websocket` module share: a connection of a process or call.
 *
 * Messages wait here until the program's channel takes them. What waits is bounded: at the bound reading stops, the peer is pushed back, and nothing is lost. Worker's thread.
 */
#ifndef BIND_WEBSOCKET_H
#define BIND_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actor/process.h"
#include "engine/wait.h"
#include "http/websocket_dial.h"

struct lua_State;
struct conn_message;

enum {
	CONN_CHANNEL_CAPACITY = 32,
	CONN_WAITING_MAX = 1024,                  /* messages that wait once there is a channel, at least */
	CONN_WAITING_BYTES_MAX = 4 * 1024 * 1024, /* beyond this one message at most */
};

struct conn {
	struct resource resource; /* ends with the process */
	struct list link;         /* of the worker's */
	struct process *process;  /* NULL: it has ended */
	struct websocket *ws;     /* NULL: over */
	struct subscription *subscription;
	bool subscribed; /* there is or was a channel */
	bool unwanted;   /* what comes is thrown away */
	bool closed;     /* by the program */
	bool paused;
	struct conn_message *head, **tail;
	size_t nwaiting;
	size_t bytes_waiting;
	unsigned capacity; /* messages that wait before there is a channel */
	struct list waits;
	unsigned refs; /* the websocket's, the process's, the Lua object's */
};

struct conn_settings {
	size_t message_max;
	uint64_t read_timeout_ns;
	uint64_t write_timeout_ns;
	unsigned capacity;
};

/* The context of TLS that the worker's connections share; NULL with `e` when there is none to be had. Borrowed. */
struct tls_client *conn_tls(struct worker *w, struct err *e);

/* The caller's reference; takes the transport. */
struct conn *conn_new(struct process *p, const struct websocket_dialled *w, const struct conn_settings *s);
void conn_unref(struct conn *c); /* NULL is fine */

/* Push its channel, made by the first call. */
void conn_push_channel(struct lua_State *L, struct conn *c);

/* -- operations of a coroutine ------------------------------------------------------------------------ */

struct conn_wait {
	struct pending pending;
	struct list link; /* linked until it is decided */
	bool is_close;    /* waits for the end of the connection */
	bool abandoned;   /* its coroutine is gone */
	bool ok;
};

/* Each NULL when the connection is over; else it is decided later, and `finish` frees it. */
struct conn_wait *conn_send(struct conn *c, bool is_binary, const char *data, size_t len);
struct conn_wait *conn_ping(struct conn *c);
/* Closes the channel at once. */
struct conn_wait *conn_close(struct conn *c, unsigned code, const char *reason);
void conn_wait_free(struct conn_wait *w);

/* -- the Client object (websocket.c) ------------------------------------------------------------------- */

extern const char websocket_client_type[];

/* The channel is the object's user value. */
struct websocket_client {
	struct conn *conn; /* NULL: not connected yet, or released */
};

/* websocket.connect(url, options); waits. websocket_connect.c. */
int websocket_connect(struct lua_State *L);

#endif
