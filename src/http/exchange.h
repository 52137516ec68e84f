/*
 * exchange.h - one request and its response, as a handler sees it.
 *
 * An exchange belongs to one worker: every function here is for that worker's thread, and callbacks run there, never inside the call that arranged them
 * (a later turn), so they may do anything, exchange_unref() included. It is reference counted without atomics. What serves it holds a reference from its
 * begin until exchange_end(); whoever keeps a pointer across a wait takes one of his own. Texts that are returned live as long as the exchange.
 *
 * The order of a handler:
 *
 *     exchange_on_gone(x, gone, self);                     // the client left: stop working (once; not after exchange_end)
 *     switch (exchange_body_read(x, &buf, 32768)) {        // the request's body, pulled
 *     case EXCHANGE_BODY_DATA: ...                         // bytes were appended to buf
 *     case EXCHANGE_BODY_WAIT: exchange_body_wait(x, more, self);   // `more` runs once, when another read would not wait
 *     case EXCHANGE_BODY_END: case EXCHANGE_BODY_TOO_LARGE: case EXCHANGE_BODY_GONE: ...
 *     }
 *     exchange_set_header(x, "Content-Type", "text/plain", SIZE_MAX);
 *     exchange_commit(x, 200);                             // headers are fixed from here on
 *     exchange_write(x, data, len);                        // copies; commits with 200 when nobody did
 *     if (exchange_pending(x) > EXCHANGE_PENDING_HIGH)     // a slow client: wait before writing on
 *             exchange_on_drain(x, drained, self);
 *     exchange_flush(x);                                   // let what is written leave now
 *     exchange_end(x);                                     // always, exactly once, also after the client left
 *
 * What reaches the wire: the head leaves when 2048 bytes are written, at a flush or at the end. If by the end nothing has left, the response carries
 * Content-Length; else HTTP/1.1 gets chunks and HTTP/1.0 an end by closing. HEAD, 1xx, 204 and 304 have no body: writes to HEAD vanish, writes after 204/304
 * fail. Middlewares see the head just before it leaves, with the bytes held so far (middleware.h).
 *
 * A client that left: reads give EXCHANGE_BODY_GONE, writes fail, on_gone runs; headers and commit do nothing. exchange_end() is still due. A request whose body
 * nobody read is drained when the head leaves, up to EXCHANGE_DISCARD_MAX bytes; with more the connection closes after the response. From the head's leaving on
 * reads of an unfinished body give GONE.
 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "http/transport.h"
#include "loop/loop.h"
#include "value/value.h"

enum {
	EXCHANGE_HOLD_BYTES = 2048,             /* written bytes that make the head leave */
	EXCHANGE_PENDING_HIGH = 256 * 1024,     /* a writer should wait from here on ... */
	EXCHANGE_PENDING_LOW = 64 * 1024,       /* ... until on_drain, at no more than this */
	EXCHANGE_DISCARD_MAX = 256 * 1024,      /* of an unread body */
	EXCHANGE_BODY_BUFFER_BYTES = 64 * 1024, /* of the request that wait in memory; the rest waits at the client */
	EXCHANGE_PARAMS_MAX = 32,
};

struct exchange;
struct http_server;

struct exchange *exchange_ref(struct exchange *x); /* NULL gives NULL */
void exchange_unref(struct exchange *x);           /* NULL is fine */

/* -- the request ------------------------------------------------------------------------------------- */

const char *exchange_method(const struct exchange *x); /* as sent, a token */
const char *exchange_path(const struct exchange *x);   /* decoded, without query; never holds a NUL byte */
const char *exchange_query(const struct exchange *x);  /* as sent, without '?'; "" = none */
const char *exchange_host(const struct exchange *x);   /* the Host field, with port; "" = none (HTTP/1.0) */
bool exchange_is_http_1_0(const struct exchange *x);
bool exchange_is_tls(const struct exchange *x);
bool exchange_is_head(const struct exchange *x);

/* The peer, "ip:port" or what the overlay says. A middleware may replace it (copied). */
const char *exchange_remote(const struct exchange *x);
void exchange_set_remote(struct exchange *x, const char *remote);
/* What the overlay vouches for about the peer (http_peer.identity), a map; NULL = nothing. */
const struct value *exchange_identity(const struct exchange *x);
/* Of the client's certificate, as RFC 2253 text; "" = none. `*ret_verified`: checked against client_ca. */
const char *exchange_client_subject(const struct exchange *x, bool *ret_verified);

/* Header fields in wire order, as sent; values have no outer blanks, no NUL, CR or LF. */
struct exchange_field {
	const char *name;
	const char *value;
	size_t name_len;
	size_t value_len;
};
size_t exchange_nheaders(const struct exchange *x);
const struct exchange_field *exchange_header_at(const struct exchange *x, size_t i);
/* The first of that name, whatever the case; NULL when there is none. */
const char *exchange_header(const struct exchange *x, const char *name);
/* All of that name joined by ", " into `out`; false when there is none. */
bool exchange_header_joined(const struct exchange *x, const char *name, struct buf *out);

/* -- its body ---------------------------------------------------------------------------------------- */

/* -1: unknown (chunked); 0: no body. */
int64_t exchange_content_length(const struct exchange *x);

enum exchange_body {
	EXCHANGE_BODY_DATA,      /* at least one byte was appended */
	EXCHANGE_BODY_WAIT,      /* nothing is there yet */
	EXCHANGE_BODY_END,       /* all was read */
	EXCHANGE_BODY_TOO_LARGE, /* the limit is reached and there is more, or Content-Length says there will be */
	EXCHANGE_BODY_GONE,      /* the client left, or timeouts.read is over, before the end */
};
/* Append at most `max` bytes to `into`. The first read of a client that expects 100-continue sends it that. What is read makes room for more; nothing read
 * means that the client waits. */
enum exchange_body exchange_body_read(struct exchange *x, struct buf *into, size_t max);
/* `fn` runs once, later, when the next read would not answer WAIT. One at a time; NULL withdraws it. */
void exchange_body_wait(struct exchange *x, void (*fn)(void *arg), void *arg);
/* From here on no more than `max` bytes of body in all are given out (default: any number). */
void exchange_body_limit(struct exchange *x, uint64_t max);
/* How many bytes were given out so far. */
uint64_t exchange_body_taken(const struct exchange *x);

/* -- the response ------------------------------------------------------------------------------------ */

/* Replace a field. CR, LF and NUL in the value become blanks. False (nothing done): committed, or the name is no token. len SIZE_MAX: up to the NUL. The framing is
 * ours: Transfer-Encoding and Connection are kept to be looked at but not sent as such ("close" is honoured); Content-Length fixes the length when the body streams. */
bool exchange_set_header(struct exchange *x, const char *name, const char *value, size_t len);
/* One more of that name (Set-Cookie, Vary). */
bool exchange_add_header(struct exchange *x, const char *name, const char *value, size_t len);
void exchange_remove_header(struct exchange *x, const char *name);
/* Of the response; the first of that name or NULL. Valid until the next change. */
const char *exchange_response_header(const struct exchange *x, const char *name);

/* Fix status and headers. False: committed before, or status outside 200-999 (interim responses: exchange_interim()). */
bool exchange_commit(struct exchange *x, unsigned status);
/* Send an interim response (102, 103; not 100 and 101) at once with the headers set so far, which stay set. False: committed, HTTP/1.0, or no such status. */
bool exchange_interim(struct exchange *x, unsigned status);
bool exchange_is_committed(const struct exchange *x);
unsigned exchange_status(const struct exchange *x); /* 0 before commit */
/* Did anything leave for the wire? Then middlewares have seen the head. */
bool exchange_head_left(const struct exchange *x);

/* Copy bytes into the response. False: the client left, it ended, or the status has no body. */
bool exchange_write(struct exchange *x, const void *data, size_t len);
/* Bytes written that the connection has not taken. */
size_t exchange_pending(const struct exchange *x);
/* `fn` runs once, later, when no more than EXCHANGE_PENDING_LOW are pending, or the client left. One at a time; NULL withdraws it. */
void exchange_on_drain(struct exchange *x, void (*fn)(void *arg), void *arg);
void exchange_flush(struct exchange *x);
/* `size` bytes of a plain file from `offset` as the whole body; commits with 200 when nobody did, ends the exchange. Takes `fd` when it returns true. False, nothing
 * done: something was written, a middleware wants to see the bytes, or the client left: then read and write them. */
bool exchange_send_file(struct exchange *x, int fd, uint64_t offset, uint64_t size);
/* The response is whole; commits with 200 when nobody did. No callback runs afterwards. Drops the server's reference: touch `x` no more unless you hold one. */
void exchange_end(struct exchange *x);
/* Cut the connection without (the rest of) a response, and end. */
void exchange_abort(struct exchange *x);

/* An answer in one go: plain text plus newline, Content-Type text/plain, X-Content-Type-Options nosniff; ends. Only before commit. */
void exchange_answer_text(struct exchange *x, unsigned status, const char *text);

/* The client left before the end (also: a time limit is over, the server stops). One that only shut its writing side down did not leave. Once, later; NULL withdraws it. */
void exchange_on_gone(struct exchange *x, void (*fn)(void *arg), void *arg);
bool exchange_is_gone(const struct exchange *x);
/* From here on a client that says it will send no more has left. Otherwise it may still wait for its response; of a client that closed, nothing else shows until something is
 * written. For streams without an end. */
void exchange_leave_at_eof(struct exchange *x);

/* -- upgrade (RFC 9110 section 7.8) ------------------------------------------------------------------ */

/* Answer 101 with the headers set so far (Upgrade, Sec-WebSocket-Accept ...; Connection: Upgrade is added) and hand the connection over: `fn` runs once, later, with a
 * transport that is the callee's from then on and bytes the client sent already (borrowed); NULL when the client left meanwhile. Ends the
 * exchange: keep a reference for its slots. False: committed, or HTTP/1.0, or the client did not ask for it (Connection: upgrade), or a body is due. */
typedef void exchange_upgraded_fn(void *arg, struct transport *t, const void *early, size_t nearly);
bool exchange_upgrade(struct exchange *x, exchange_upgraded_fn *fn, void *arg);

/* -- where it belongs -------------------------------------------------------------------------------- */

struct loop *exchange_loop(const struct exchange *x);
/* http_server_config.owner of the server that accepted it. */
void *exchange_owner(const struct exchange *x);
/* loop_clock_ns() when the request's head was complete. */
uint64_t exchange_begun_ns(const struct exchange *x);
uint64_t exchange_bytes_sent(
	const struct exchange *x); /* of the body, before transfer coding, as handed to the connection */

/* What the route captured, decoded; in order of the pattern. -1: no route of an endpoint matched. */
int exchange_nparams(const struct exchange *x);
const char *exchange_param_at(const struct exchange *x, int i, const char **ret_name);
const char *exchange_param(const struct exchange *x, const char *name);
/* The pattern ("/users/{id}", prefix included) and entry id of the matched endpoint; NULL before it is known (the outer chain) and for mounts. */
const char *exchange_route(const struct exchange *x);
const char *exchange_endpoint(const struct exchange *x);

/* Something of yours that lives with the exchange. `key` is an address of your choice (a static, a middleware's self); attaching under a key that is taken frees the old one first.
 * `object` NULL removes. */
void exchange_attach(struct exchange *x, const void *key, void *object, void (*free_fn)(void *object));
void *exchange_attached(const struct exchange *x, const void *key);

#endif
