/*
 * connection.h - one connection of the server, on its worker's loop; inside of the server.
 *
 * It reads requests one after the other (request_parse.h), makes an exchange of each head, feeds it the body, and sends what the exchange gives it. Responses leave
 * in the order of the requests: what a client sends ahead waits in `in`, up to CONN_AHEAD_MAX bytes, and then at the client.
 *
 * An idle connection has no buffers: reading goes through the worker's, and only an unfinished head is kept. Its one timer is armed for the earliest limit and looks
 * again when it fires, so that a request that is answered in time touches no timer.
 *
 * A client that shuts down its writing side after a whole request still gets its answer. Since one that went away looks the same, it is sent "100 Continue" (which any
 * client must skip, RFC 9110 section 15.2) while it waits: a socket nobody holds answers with a reset.
 */
#ifndef HTTP_CONNECTION_H
#define HTTP_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/list.h"
#include "http/request_parse.h"
#include "http/transport.h"
#include "loop/loop.h"
#include "value/value.h"

struct exchange;
struct server_worker;

enum {
	CONN_AHEAD_MAX = 16 * 1024,
	CONN_READ_BYTES = 64 * 1024, /* the worker's buffer */
	CONN_BATCH_BYTES = 64 * 1024,
	CONN_LINGER_MS = 1000,
	CONN_LINGER_BYTES_MAX = 4 * 1024 * 1024,
	CONN_PROBE_FIRST_MS = 100,
	CONN_PROBE_NEXT_MS = 5000,
};

/* Who is at the other end; shared by a connection and its exchanges, which may outlive it. One thread. */
struct peer {
	unsigned refs;
	bool is_tls;
	bool is_verified;
	bool has_subject; /* looked for */
	char *subject;    /* of the client's certificate; NULL: none */
	struct value *identity;
	char address[];
};

struct peer *peer_new(const char *address, bool is_tls, const struct value *identity);
struct peer *peer_ref(struct peer *p);
void peer_unref(struct peer *p);

struct conn {
	struct list link; /* server_worker.conns */
	struct server_worker *worker;
	struct transport *transport;
	struct loop_poll *poll;
	struct peer *peer;
	struct exchange *x;          /* whose request or response is in progress */
	struct request_parse *parse; /* NULL: between requests */
	struct buf in;               /* an unfinished head; while `x` is there: what came ahead */
	struct buf out;              /* not taken by the system yet */
	struct loop_timer timer;
	uint64_t read_due;  /* of a request, of the wait for one, of lingering; 0: none */
	uint64_t write_due; /* of a response */
	uint64_t probe_due;
	uint64_t discarded; /* bytes of a body nobody reads; while lingering: of everything */
	struct loop_post post;
	bool posted;
	bool running;   /* inside run(): others leave the end to it */
	bool ahead;     /* inside take(): more bytes wait, so responses are gathered */
	bool in_body;   /* the head is read, the body is not */
	bool blocked;   /* no room to read to; conn_read_on() goes on */
	bool eof;       /* the client says no more */
	bool finishing; /* close after this response */
	bool lingering; /* all is said: wait a little for the client to see it (RFC 9112 section 9.6) */
	bool broken;    /* to be dropped */
	bool closed;
};

/* Takes `t` and `peer`. */
void conn_open(struct server_worker *w, struct transport *t, struct peer *peer);
/* The worker stops: close unless a response is in progress. */
void conn_stop(struct conn *c);
/* Close without (the rest of) a response. */
void conn_cut(struct conn *c);
/* The exchange has something to send or ended: send it, or with `later` at the end of the turn. */
void conn_push(struct conn *c, bool later);
/* Tell a client that expects it to send the body. */
void conn_continue(struct conn *c);
/* There is room for the body again. */
void conn_read_on(struct conn *c);
/* Send now what can be sent, keep the rest in `out`. `body` (may be NULL) is the buffer the second of `iov` lies in: it may be emptied instead of copied. */
void conn_put(struct conn *c, struct iovec *iov, int niov, struct buf *body);
/* To be called after conn_put(): what is left is watched, what failed is dropped. */
void conn_check(struct conn *c);

#endif
