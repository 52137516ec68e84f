/*
 * server_private.h - inside of the server, for its files: workers, exchanges; connections are in connection.h.
 *
 * Everything but struct http_server's upper part belongs to one worker's thread. Who holds a reference of an exchange: its connection until the response has left or
 * the client is gone; the handler from dispatch until exchange_end(); a posted event.
 */
#ifndef HTTP_SERVER_PRIVATE_H
#define HTTP_SERVER_PRIVATE_H

#include <stdatomic.h>
#include <time.h>

#include "base/block_cache.h"
#include "base/list.h"
#include "base/refcount.h"
#include "http/connection.h"
#include "http/server.h"

struct http_site {
	struct refcount refs;
	struct route_table *routes;
	void (*free_fn)(void *arg);
	void *arg;
};

struct chain_item {
	const struct middleware_type *type;
	void *self;
};

struct middleware_chain {
	struct refcount refs;
	size_t n;
	struct chain_item items[];
};

enum { WORKER_PARSERS_KEPT = 64, DATE_TEXT_MAX = 64 };

/* One server on one worker. */
struct server_worker {
	struct http_server *server;
	unsigned index;
	struct loop *loop;
	struct loop_poll *listen;
	int listen_fd;
	struct http_site *site;
	struct list conns;
	unsigned nconns;
	struct loop_timer pause;    /* accept again: descriptors had run out */
	struct loop_timer deadline; /* of a stop */
	bool stopping;
	bool done; /* it has stopped */
	unsigned cut;
	struct loop_post control; /* open; later, that all is closed */
	struct loop_post control_stop;
	uint64_t stop_timeout_ms;
	/* shared by its connections, for the moment */
	char *read_buffer; /* CONN_READ_BYTES */
	struct buf text;   /* a head being written */
	struct request_parse *parsers[WORKER_PARSERS_KEPT];
	unsigned nparsers;
	time_t date_second;
	char date[DATE_TEXT_MAX]; /* "Date: ...\r\n" of that second */
	size_t date_len;
};

struct http_server {
	struct http_server_config config;
	struct loop **loops;
	char *addr;
	char *bound;
	struct server_worker *workers;
	bool started;
	bool stopping;
	unsigned next;                 /* worker for http_server_give() */
	_Atomic uint64_t told_full_ms; /* when the log was told that descriptors ran out; 0: never */
	/* of a stop */
	atomic_uint remaining;
	atomic_uint total_cut;
	struct loop_post stop_post;
	void (*stop_done)(void *arg, unsigned cut);
	void *stop_arg;
};

/* One block with both texts. */
struct out_field {
	char *name;
	char *value;
	uint32_t name_len, value_len;
};

struct attached {
	const void *key;
	void *object;
	void (*free_fn)(void *object);
};

enum { EXCHANGE_ATTACHED_MAX = 32, EXCHANGE_OUT_FIELDS = 8 };

enum response_framing {
	FRAMING_NONE,   /* no body is sent */
	FRAMING_LENGTH, /* Content-Length; x->promised is what is left of it */
	FRAMING_CHUNKED,
	FRAMING_CLOSE,
};

struct exchange { // NOLINT(clang-analyzer-optin.performance.Padding): its fields stand by what they are for
	unsigned refs;
	struct server_worker *worker;
	struct conn *conn; /* NULL: it is through with it */
	struct http_site *site;
	struct peer *peer;

	/* request */
	struct exchange_field *fields; /* one block: these, the head, a decoded path */
	size_t nfields;
	size_t texts_bytes; /* of that block */
	const char *target;
	const char *method;
	const char *raw_path;
	const char *path;
	const char *query;
	const char *host;
	char *remote; /* NULL: the connection's */
	int64_t length;
	uint64_t begun_ns;
	bool is_1_0, is_head, expects_continue, keep_alive, upgrades;

	/* body */
	struct buf body;
	uint64_t body_taken;
	uint64_t body_max;
	bool body_complete;
	bool body_wanted; /* somebody has read */
	bool discarding;
	void (*body_fn)(void *arg);
	void *body_arg;

	/* response */
	struct out_field *out_fields; /* `few` or a larger array */
	size_t nout_fields, out_fields_cap;
	unsigned status;
	enum response_framing framing;
	uint64_t promised;
	bool committed;
	bool leave; /* the head shall leave */
	bool heads_ran;
	bool head_left;
	bool ended;
	bool is_emitted; /* the connection has all of it */
	bool filtered_end;
	bool flushed;   /* the head left before the end was known */
	struct buf out; /* after the filter, if there is one */
	size_t hold;
	uint64_t sent;
	int file_fd;
	uint64_t file_offset, file_size;
	bool wants_body;
	bool leaves_at_eof;
	middleware_filter_fn *filter;
	void *filter_state;
	void (*filter_free)(void *state);
	void (*drain_fn)(void *arg);
	void *drain_arg;

	/* upgrade */
	exchange_upgraded_fn *upgrade_fn;
	void *upgrade_arg;
	struct transport *upgraded;
	struct buf upgraded_early;

	/* the way through the site */
	const struct http_target *target_of;
	const char *route; /* its pattern */
	struct param {
		const char *name;
		char *value;
	} * params;
	size_t nparams;
	size_t position; /* of the middleware that comes next, over both chains */
	bool waits_for_middleware;
	bool is_routed; /* route info is visible */
	bool over;
	bool over_told; /* to config.on_over */

	bool dead; /* close without the rest */
	bool gone;
	void (*gone_fn)(void *arg);
	void *gone_arg;

	/* events to be told in a later turn */
	unsigned events;
	bool posted;
	struct loop_post post;

	unsigned nattached;
	/* From here on nothing is cleared at the beginning. */
	struct out_field few[EXCHANGE_OUT_FIELDS];
	struct attached attached[EXCHANGE_ATTACHED_MAX];
};

enum { EVENT_BODY = 1, EVENT_DRAIN = 2, EVENT_GONE = 4, EVENT_UPGRADED = 8 };

_Static_assert(sizeof(struct exchange) <= BLOCK_BYTES_MAX, "kept for the next request");

/* -- exchange.c -- */
/* Of a whole head (c->parse), which is copied. */
struct exchange *exchange_new(struct server_worker *w, struct conn *c, const char *head);
/* Tell the waiting callback, in a later turn. */
void exchange_notify(struct exchange *x, unsigned events);
/* The client left, or was cut off. */
void exchange_lost(struct exchange *x);
/* Both the handler and the connection are through with it: run the `end` hooks, once. */
void exchange_maybe_over(struct exchange *x);

/* -- response.c: what handlers and middlewares say -- */
const char *exchange_out_field(const struct exchange *x, const char *name);
void exchange_put_field(struct exchange *x, const char *name, const char *value, size_t len, bool add);
void exchange_drop_field(struct exchange *x, const char *name);
void exchange_free_fields(struct exchange *x);
bool response_has_no_body(const struct exchange *x);
void response_finish_filter(struct exchange *x);

/* -- response_write.c: what is sent -- */
/* Give the connection what there is: the head when it has not left, framed bytes, the end. */
void response_emit(struct exchange *x);
/* `out` becomes a whole answer to what is no request. */
void response_refusal(struct server_worker *w, unsigned status, struct buf *out);

/* -- middleware.c -- */
/* From x->position on; ends in the target's serve(). */
void chain_run(struct exchange *x);
void chain_heads(struct exchange *x);
void chain_ends(struct exchange *x);

/* -- dispatch.c -- */
void exchange_dispatch(struct exchange *x);

/* -- server_worker.c -- */
void server_worker_init(struct server_worker *w);
/* It has stopped, or was never opened. */
void server_worker_done(struct server_worker *w);
/* On its thread, from here on. `w->listen_fd` is bound, or -1. */
void server_worker_open(struct server_worker *w);
void server_worker_stop(struct server_worker *w);
/* Takes `fd` and `peer`. */
void server_worker_add(struct server_worker *w, int fd, struct peer *peer);
/* A connection is closed. */
void server_worker_lost_one(struct server_worker *w);
/* "Date: ...\r\n" */
const char *server_worker_date(struct server_worker *w, size_t *ret_len);

/* -- server.c -- */
/* The worker has stopped. On the worker's thread. */
void server_worker_is_done(struct server_worker *w);

#endif
