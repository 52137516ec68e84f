/*
 * internal.h - what the files of the HTTP client share; nobody else includes it.
 *
 *   client.c    the multi handle on the loop: events in, finished transfers out, reports to the callers
 *   unix_handover.c  a connected Unix socket given to libcurl
 *   pool.c      routes (what may share a connection), connections, idle life
 *   handle.c    easy handles: options set once, options set when they change
 *   call.c      one exchange as its caller sees it: made, ended, timed, reported
 *   hop.c       its hops: dials, transfers, what comes after each
 *   transfer.c  libcurl's callbacks for a transfer
 *   stream.c    reading the body of a call bit by bit
 *   gunzip.c    decoding it bit by bit
 *   redirect.c  what the next hop looks like
 *   errors.c    results of libcurl as sentences
 *
 * Everything runs on the worker's thread. Callbacks of libcurl only take notes: no function of the caller (but the
 * judges, which are pure) runs inside one, so that a caller may start, read and cancel calls from anywhere.
 */
#ifndef HTTP_INTERNAL_H
#define HTTP_INTERNAL_H

#include <curl/curl.h>

#include "base/list.h"
#include "base/map.h"
#include "http/client.h"
#include "http/headers.h"
#include "http/tls.h"
#include "http/url.h"

enum {
	HTTP_TLS_HANDSHAKE_MS = 10000,
	HTTP_CONNECT_MS = 30000, /* clear network only */
	HTTP_BODY_BYTES_DEFAULT = 120 * 1024 * 1024,
	HTTP_DISCARD_BYTES_MAX = 64 * 1024, /* of a redirect's body, to keep the connection */
	HTTP_STREAM_HIGH = 64 * 1024,       /* a stream holding more stops reading from its connection */
	HTTP_HANDLES_KEPT = 64,
};

/* -- pool.c ------------------------------------------------------------------------------------------ */

/* What may share a connection: one overlay instance, one isolation key, one origin, one set of TLS options or one Unix
 * socket. To libcurl it is an address of its own that CURLOPT_CONNECT_TO puts in the place of every host. */
struct http_route {
	struct http_client *client;
	char *key;
	uint64_t generation;
	struct curl_slist connect_to;
	char connect_to_text[48];
	struct list conns;
	unsigned live;    /* connections that may still be used */
	unsigned idle;    /* of these */
	unsigned running; /* transfers that libcurl has */
	unsigned refs;    /* calls */
	bool is_http2;
	bool is_unix;
	bool is_portless; /* its connections are Unix sockets: no port tells which is which */
	bool dropped;     /* no longer in the map */
};

struct http_conn {
	struct http_client *client;
	struct http_route *route;
	struct list in_route;
	struct list in_idle; /* linked while no call uses it; oldest first */
	struct list calls;   /* more than one under HTTP/2 */
	struct loop_poll *poll;
	struct addr peer;
	uint16_t local_port;
	int fd;
	int real_fd; /* a Unix socket that has yet to take the place of `fd` (unix_handover.c); else -1 */
	int events;
	bool is_unix;
	uint64_t idle_since_ns;
	bool doomed; /* shut down; libcurl will find out */
};

struct http_route_id {
	uint64_t generation; /* 0: the clear network */
	const char *isolation_key;
	const char *unix_socket;
	const char *tls_fingerprint;
	const struct http_url *url;
};

/* A reference to the live route of that identity. */
struct http_route *http_route_get(struct http_client *c, const struct http_route_id *id);
void http_route_put(struct http_route *r);
/* Is it worth asking libcurl for a kept-alive connection before dialling? */
bool http_route_may_reuse(const struct http_route *r);
/* Must a connection of `r` be closed after the transfer that uses it? */
bool http_route_is_full(const struct http_route *r);
/* `call` is about to use the kept-alive connection of its route with this local port: have it judged, and see that
 * nothing but silence came from the peer since the last response. Returns 0 fine, 1 stale, -1 refused (`e`). */
int http_route_inspect(struct http_call *call, int local_port,
	int (*judge)(void *call, const struct addr *, struct err *), struct err *e);

/* `real_fd`: what `fd` stands for, or -1. Both are the connection's from now on. */
struct http_conn *http_conn_new(struct http_route *r, int fd, int real_fd);
struct http_conn *http_conn_find(struct http_client *c, int fd);
void http_conn_watch(struct http_conn *conn, int events);
void http_conn_attach(struct http_conn *conn, struct http_call *call);
/* The call is over; the last one leaves the connection idle. */
void http_conn_detach(struct http_call *call);
/* libcurl waits for nothing on it: keep an eye on it all the same, unless somebody does not want its data now. */
void http_conn_unwatch(struct http_conn *conn);
/* Closes the descriptor. */
void http_conn_free(struct http_conn *conn);
void http_pool_idle_fired(struct loop_timer *t);
void http_pool_sweep_fired(struct loop_timer *t);

/* -- handle.c ---------------------------------------------------------------------------------------- */

/* An easy handle, and what was last set on it. */
struct http_handle {
	struct http_client *client;
	struct http_call *call; /* NULL: free, or the sweeper */
	struct list link;
	CURL *easy;
	bool in_multi;
	bool is_special; /* has options that are not undone: thrown away after use */
	bool is_bodyless;
	bool is_custom;
	bool wants_gzip;
	bool wants_http2;
	bool is_fresh;
	bool forbids_reuse;
	bool skips_decoding;
	bool is_post;
	bool keeps_alive;
	char errbuf[CURL_ERROR_SIZE];
};

struct http_handle *http_handle_new(struct http_client *c);
void http_handle_free(struct http_handle *h);
struct http_handle *http_handle_take(struct http_client *c);
void http_handle_give(struct http_handle *h);
/* Put the options of the call's present hop on its handle. */
void http_handle_setup(struct http_handle *h, struct http_call *call);
void http_handle_forbid_reuse(struct http_handle *h, bool on);
void http_handle_skip_decoding(struct http_handle *h, bool on);

/* -- client.c ---------------------------------------------------------------------------------------- */

struct http_client {
	struct loop *loop;
	struct http_client_config cfg;
	CURLM *multi; /* made by the first call */
	struct loop_timer curl_timer;
	uint64_t curl_due_ns; /* 0: libcurl waits for nothing */
	bool kick;            /* libcurl wants to run now */
	bool acting;          /* inside curl_multi_socket_action() or the reading of its results */
	struct loop_timer report_timer;
	struct loop_timer idle_timer;
	struct loop_timer sweep_timer;
	struct list calls;
	struct list ready; /* calls with something to report */
	struct list handles;
	unsigned nhandles;
	struct http_handle *sweeper;
	struct map *routes;
	uint64_t last_route;
	struct http_conn **conns; /* by descriptor */
	size_t nconns;
	struct list idle;
	unsigned nidle;
	unsigned doomed;
};

/* Have libcurl do what became possible: `fd` has `bits`, or CURL_SOCKET_TIMEOUT. Nothing is reported yet. */
void http_client_act(struct http_client *c, curl_socket_t fd, int bits);
/* Report to callers; only from the loop's callbacks. */
void http_client_report(struct http_client *c);
/* Have http_client_report() run in a later turn if there is something to report. */
void http_client_report_later(struct http_client *c);

/* -- call.c ------------------------------------------------------------------------------------------ */

enum http_phase {
	HTTP_PHASE_START,
	HTTP_PHASE_DIAL,
	HTTP_PHASE_TLS,
	HTTP_PHASE_HEADERS,
	HTTP_PHASE_BODY,
	HTTP_PHASE_OVER
};

struct http_call {
	struct http_client *client;
	struct list link;
	struct list ready_link;
	http_done_fn *done;
	void *arg;

	/* The request, copied. */
	char first_method[32];
	struct http_header_set headers;
	char *body; /* NULL when there is none (any more) */
	size_t body_len;
	uint64_t max_body;
	bool is_stream;
	bool accept_gzip;
	struct overlay *overlay;
	uint64_t owner;
	char isolation_key[ISOLATION_KEY_MAX]; /* of the present hop */
	char *unix_socket;
	struct http_tls *tls;
	int (*judge)(void *arg, const struct addr *a, struct err *e);
	int (*judge_url)(void *arg, const char *url, struct err *e);
	void *judge_arg;
	uint64_t deadline_ns;
	uint64_t tls_deadline_ns; /* 0: no handshake under way */
	uint64_t begun_ns;
	struct loop_timer timer;

	/* The present hop. */
	char method[32];
	struct http_url url;
	char *origin_host; /* of the first hop, once there is another: credentials go there and below only */
	char *referer;
	struct secret *userinfo_auth; /* Authorization made of the URL's credentials */
	unsigned redirects;
	struct http_route *route;
	struct http_handle *handle;
	struct http_conn *conn; /* NULL: none yet, or not known */
	struct list in_conn;
	struct http_header_list list;
	struct dial *dial;
	struct dial_trace trace;
	enum http_phase ended_in;                   /* in HTTP_PHASE_OVER: the phase before */
	uint64_t tls_begun_ns, request_ns, head_ns; /* 0: not reached */
	int fd;                                     /* dialled, not yet taken by libcurl */
	bool dial_is_late;                          /* the deadline has passed; the dial is about to say so */
	bool is_fresh;                              /* this transfer runs on a connection dialled for it */
	bool wants_dial;                            /* libcurl asked for a connection */
	bool judged;                                /* `err` comes from a judge: reported as it is */
	bool noted;        /* a callback of libcurl found the reason to end and put it into `err` */
	bool dead_reuse;   /* a kept-alive connection died under a request that may not be repeated */
	unsigned dials;    /* of this hop */
	unsigned attempts; /* times this hop's request was about to be sent */

	/* The response. */
	struct http_head head;
	bool redirecting;
	bool hop_over; /* enough of the redirect's body was discarded */
	uint64_t discarded;
	struct buf body_in;
	bool paused;
	bool finished; /* nothing more will come: `failed` says how it ended */
	bool failed;
	bool reported; /* `done` ran */
	enum http_phase phase;
	struct err err;

	/* stream.c */
	http_read_fn *read_fn;
	void *read_arg;
	size_t read_max;
	struct http_gunzip
		*gunzip; /* the body is decoded as it is read; NULL: it is not coded, or not ours to decode */
};

/* Copies what is needed of `req`. */
struct http_call *http_call_new(struct http_client *c, const struct http_request *req, http_done_fn *done, void *arg);
/* Leave libcurl and the gate; connections in the middle of something are closed. */
void http_call_stop(struct http_call *call);
/* Nothing more will come: stopped, and to be reported. */
void http_call_finish(struct http_call *call, bool failed);
/* End with `call->err`, the request's name put in front; `raw`: as it is. */
void http_call_fail(struct http_call *call, bool raw);
/* For the deadline, and the handshake's when one is under way. */
void http_call_arm_timer(struct http_call *call);
void http_call_ready(struct http_call *call);
/* Give the caller what is there for it. `call` may be gone afterwards. */
void http_call_report(struct http_call *call);

/* -- hop.c ------------------------------------------------------------------------------------------- */

void http_call_begin(struct http_call *call, const struct http_request *req);
/* The caller's judge, if there is one: 0, or -1 with `call->err` and `e` set. `arg` is the call. */
int http_call_judge(void *arg, const struct addr *a, struct err *e);
/* May the request be sent once more? Not if it may have had its effect already (RFC 9110 section 9.2.2). */
bool http_call_may_repeat(const struct http_call *call);
/* The transfer is over; its handle still is in the multi handle. */
void http_call_transfer_done(struct http_call *call, CURLcode rc);

/* -- transfer.c -------------------------------------------------------------------------------------- */

/* Callbacks of the handle, for handle.c. */
curl_socket_t http_call_open_socket(void *handle, curlsocktype purpose, struct curl_sockaddr *address);
CURLcode http_call_before_handshake(CURL *easy, void *ssl_ctx, void *handle);
int http_call_before_request(void *handle, char *remote_ip, char *local_ip, int remote_port, int local_port);
size_t http_call_on_header(char *line, size_t size, size_t n, void *handle);
size_t http_call_on_body(char *data, size_t size, size_t n, void *handle);

/* -- unix_handover.c --------------------------------------------------------------------------------- */

/* A descriptor for libcurl in the place of a connected Unix socket, and in `address` what libcurl may connect() it to. -1 with errno set. */
int http_handover_open(struct curl_sockaddr *address);
/* The first byte is about to go out: `conn` becomes what it stands for, if it is not yet. -1: it may not be used. */
int http_handover_finish(struct http_conn *conn);

/* -- stream.c ---------------------------------------------------------------------------------------- */

void http_stream_report(struct http_call *call);

/* -- gunzip.c ---------------------------------------------------------------------------------------- */

/* A gzip decoder (RFC 1952) that makes no more output than it is asked for: what a bomb unfolds to waits in its coded form. */
struct http_gunzip *http_gunzip_new(void);
void http_gunzip_free(struct http_gunzip *g);
/* Append up to `max` decoded bytes to `out`, consuming `in`; 0, or -1 when this is no gzip. */
int http_gunzip_take(struct http_gunzip *g, struct buf *in, size_t max, struct buf *out);
/* May there be output without more input? */
bool http_gunzip_has_more(const struct http_gunzip *g);
/* Did the data end where it may end? */
bool http_gunzip_is_whole(const struct http_gunzip *g);

/* -- redirect.c -------------------------------------------------------------------------------------- */

/* Does this response send the client elsewhere? */
bool http_redirect_is_wanted(const struct http_head *h);
/* Turn `call` into its next hop; 0, or -1 with `call->err` set. */
int http_redirect_follow(struct http_call *call, const char *location);
/* Authorization from the URL's credentials, NULL when it has none. */
struct secret *http_basic_auth(const char *userinfo);
/* A field that only the host it was meant for may see. */
bool http_header_is_credential(const char *name);

/* -- errors.c ---------------------------------------------------------------------------------------- */

struct http_failure {
	CURLcode rc;
	const char *detail; /* libcurl's own words */
	long os_errno;
	long verify_result;
	const char *host;
	const char *unix_socket;
	enum http_phase phase;
	bool dead_reuse; /* a kept-alive connection died under a request that may not be repeated */
};

/* Fill `e` (ERR_INTERNAL, with a code) for a failed transfer. */
void http_failure_text(const struct http_failure *f, struct err *e);
void http_timeout_text(enum http_phase phase, struct err *e);
/* The same for a dial that reached the deadline: it says itself what it waited for. */
void http_dial_timeout_text(const struct err *dial, struct err *e);
/* `Get "http://u:***@h/": ` in front; INTERNAL and retryable, the code kept. */
void http_error_name_request(struct err *e, const char *method, const char *url);

#endif
