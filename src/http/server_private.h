/*
 * server_private.h - inside of the server, for its files: workers, connections, exchanges.
 *
 * Everything but struct http_server's upper part belongs to one worker's thread. Who holds a reference of an exchange: libmicrohttpd from the request line until its
 * completion notice; the handler from dispatch until exchange_end(); a posted event.
 */
#ifndef HTTP_SERVER_PRIVATE_H
#define HTTP_SERVER_PRIVATE_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "base/list.h"
#include "base/refcount.h"
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

/* One server on one worker. */
struct server_worker {
	struct http_server *server;
	unsigned index;
	struct loop *loop;
	struct MHD_Daemon *daemon;
	struct loop_poll *epoll;
	struct loop_poll *listen;
	int listen_fd;
	struct http_site *site;
	struct list conns;
	unsigned nconns;
	struct list waiting;        /* exchanges whose connection is suspended, oldest first */
	struct loop_timer watch;    /* look after them */
	struct loop_timer pause;    /* accept again: descriptors had run out */
	struct loop_timer deadline; /* of a stop */
	struct loop_post rerun;
	bool rerun_posted;
	bool running_daemon;
	bool stopping;
	bool opened;
	unsigned cut;
	struct loop_post control; /* open; later, that all is closed */
	struct loop_post control_stop;
	uint64_t stop_timeout_ms;
	struct conn *adopting; /* while MHD_add_connection() runs */
};

struct conn {
	struct list link; /* server_worker.conns */
	struct server_worker *worker;
	struct MHD_Connection *mhd;
	int fd;
	bool is_tls;
	bool closing; /* asked to close */
	char *remote;
	struct exchange *x;           /* the request in progress */
	struct loop_timer read_timer; /* also the wait between requests */
	struct loop_timer write_timer;
};

struct http_server {
	struct http_server_config config;
	struct loop **loops;
	char *addr;
	char *bound;
	struct server_worker *workers;
	bool started;
	/* of a stop */
	atomic_uint remaining;
	atomic_uint total_cut;
	struct loop_post stop_post;
	void (*stop_done)(void *arg, unsigned cut);
	void *stop_arg;
};

struct out_field {
	char *name;
	char *value;
};

struct attached {
	const void *key;
	void *object;
	void (*free_fn)(void *object);
};

enum { EXCHANGE_ATTACHED_MAX = 32 };

struct exchange { // NOLINT(clang-analyzer-optin.performance.Padding): its fields stand by what they are for
	unsigned refs;
	struct server_worker *worker;
	struct conn *conn; /* NULL: libmicrohttpd is through with it */
	struct http_site *site;

	/* request */
	char *text; /* one block for all texts */
	char *target;
	char *method;
	char *raw_path;
	char *path;
	const char *query;
	const char *host;
	char *remote; /* NULL: the connection's */
	char *conn_remote;
	struct exchange_field *fields;
	size_t nfields;
	int64_t length;
	uint64_t begun_ns;
	bool is_1_0, is_head, is_tls, expects_continue;

	/* body */
	struct buf body;
	uint64_t body_received;
	uint64_t body_discarded;
	uint64_t body_taken;
	uint64_t body_max;
	bool body_complete;
	bool body_wanted; /* somebody has read */
	bool discarding;
	void (*body_fn)(void *arg);
	void *body_arg;

	/* response */
	struct out_field *out_fields;
	size_t nout_fields;
	unsigned status;
	bool committed;
	bool leave; /* the head shall leave */
	bool heads_ran;
	bool head_left;
	bool ended;
	bool filtered_end;
	bool close_after;
	bool flushed;   /* the head left before the end was known */
	struct buf out; /* after the filter, if there is one */
	size_t hold;
	uint64_t sent;
	int file_fd;
	uint64_t file_offset, file_size;
	bool wants_body;
	middleware_filter_fn *filter;
	void *filter_state;
	void (*filter_free)(void *state);
	void (*drain_fn)(void *arg);
	void *drain_arg;

	/* upgrade */
	exchange_upgraded_fn *upgrade_fn;
	void *upgrade_arg;
	int upgraded_fd;
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

	/* state of the connection */
	bool at_head;    /* suspended before libmicrohttpd looks at the body: it may still be refused */
	bool in_handler; /* inside libmicrohttpd's callback: no resume needed */
	bool suspended;
	bool dead; /* close it at the next occasion */
	bool gone;
	uint64_t suspended_ns;
	struct list wait_link;
	struct loop_poll *poll; /* for the client's leaving, while suspended */
	void (*gone_fn)(void *arg);
	void *gone_arg;

	/* an answer that libmicrohttpd cannot send, see raw.c */
	struct raw_answer *raw;

	/* events to be told in a later turn */
	unsigned events;
	bool posted;
	struct loop_post post;

	struct attached attached[EXCHANGE_ATTACHED_MAX];
	unsigned nattached;
};

enum { EVENT_BODY = 1, EVENT_DRAIN = 2, EVENT_GONE = 4, EVENT_UPGRADED = 8 };

/* -- exchange.c -- */
struct exchange *exchange_new(struct server_worker *w, struct conn *c, const char *target);
/* Tell the waiting callback, in a later turn. */
void exchange_notify(struct exchange *x, unsigned events);
/* The client left, or was cut off. */
void exchange_lost(struct exchange *x);
/* Both the handler and libmicrohttpd are through with it: run the `end` hooks, once. */
void exchange_maybe_over(struct exchange *x);
const char *exchange_out_field(const struct exchange *x, const char *name);
void exchange_put_field(struct exchange *x, const char *name, const char *value, size_t len, bool add);
void exchange_drop_field(struct exchange *x, const char *name);

/* -- request.c -- */
/* Copy the head out of libmicrohttpd; NULL, or why it is refused. */
const char *request_read(
	struct exchange *x, struct MHD_Connection *c, const char *method, const char *url, const char *version);

/* -- response.c -- */
/* The head leaves now: give libmicrohttpd the response. Inside its callback only. */
enum MHD_Result response_queue(struct exchange *x, struct MHD_Connection *c);
/* Head hooks and the guess of a content type; once. */
void response_finish_head(struct exchange *x);
/* Something is there to send, or the end: let the connection go on. */
void response_push(struct exchange *x);

/* Of the response's fields: made by whoever frames it. */
bool response_is_framing(const char *name);

/* -- raw.c -- */
/* Write the response ourselves and close; the head shall leave. */
void raw_begin(struct exchange *x);
/* More to send, or the end. */
void raw_push(struct exchange *x);
void raw_stop(struct exchange *x); /* none is fine */

/* -- middleware.c -- */
/* From x->position on; ends in the target's serve(). */
void chain_run(struct exchange *x);
void chain_heads(struct exchange *x);
void chain_ends(struct exchange *x);

/* -- server_worker.c -- */
/* Make the daemon; control thread. */
int server_worker_init(struct server_worker *w, struct err *e);
/* On its thread, from here on. `w->listen_fd` is bound, or -1. */
void server_worker_open(struct server_worker *w);
void server_worker_stop(struct server_worker *w);
/* Takes `fd`. */
bool server_worker_add(
	struct server_worker *w, int fd, const struct sockaddr *sa, socklen_t len, const char *remote, bool is_tls);
void exchange_suspend(struct exchange *x);
/* The same when something else looks after the descriptor, and not only inside a callback of libmicrohttpd. */
void exchange_suspend_unwatched(struct exchange *x);
void exchange_resume(struct exchange *x);
void exchange_dispatch(struct exchange *x);

/* -- server.c -- */
/* The worker has stopped and its daemon is gone. On the worker's thread. */
void server_worker_is_done(struct server_worker *w);

#endif
