/*
 * transport.h - a connected descriptor with or without TLS around it: what connections of the server and WebSockets read and write.
 *
 * Over OpenSSL (TLS 1.2 and later). A transport never waits and never watches: its user does, with loop_poll, for what transport_events() says after an
 * answer of TRANSPORT_AGAIN. A TLS handshake happens inside the first reads and writes. One thread at a time; contexts are shared by all threads.
 *
 *     n = transport_read(t, p, sizeof(p));
 *     if (n > 0) ...                                   // bytes
 *     else if (n == 0) ...                             // the peer will send no more (TLS: only with its close_notify; a cut is an error)
 *     else if (n == TRANSPORT_AGAIN) loop_poll_set(poll, transport_events(t));
 *     else ...                                         // TRANSPORT_FAILED: transport_error(t) says why; only transport_close() is left
 *
 * TLS may hold bytes it has decrypted already: after a read that filled the whole buffer read again, since the descriptor will not say so.
 *
 * transport_close() alone is a cut to a TLS peer (RFC 8446 §6.1): call transport_shutdown() before it when all was said. OpenSSL writes to sockets that may be
 * gone, so the program ignores SIGPIPE. A client that speaks plain HTTP to a TLS server gets a plain 400 before the failure is reported.
 */
#ifndef HTTP_TRANSPORT_H
#define HTTP_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/err.h"

struct transport;
struct tls_server;
struct tls_client;

enum { TRANSPORT_AGAIN = -1, TRANSPORT_FAILED = -2 };

/* -- contexts: any thread, counted ------------------------------------------------------- */

enum tls_client_auth {
	TLS_CLIENT_AUTH_NONE,
	TLS_CLIENT_AUTH_REQUEST,         /* ask; anything goes */
	TLS_CLIENT_AUTH_REQUIRE_ANY,     /* some certificate, unverified */
	TLS_CLIENT_AUTH_VERIFY_IF_GIVEN, /* verified when there is one */
	TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY,
};

/* A certificate for clients that ask for one of `hosts` (SNI, RFC 6066 §3): names in whatever case, "*.example.com" stands for one label. */
struct tls_server_name {
	const char *const *hosts;
	size_t nhosts;
	const char *cert;
	const char *key;
};

/* PEM texts, borrowed for the call. A chain follows the certificate in `cert`. */
struct tls_server_config {
	const char *cert; /* for clients that name no host, or none of `names` */
	const char *key;
	const char *client_ca; /* NULL: none */
	enum tls_client_auth client_auth;
	const struct tls_server_name *names; /* the first that fits; exact hosts come before wildcards */
	size_t nnames;
};

/* INVALID "failed to load TLS cert/key: ...", "client_ca PEM contains no valid certificates". No text of a key is in any error. Session tickets are its own: what
 * one context resumed another never does. */
int tls_server_new(const struct tls_server_config *cfg, struct tls_server **ret_server, struct err *e);
/* The same texts anew, for connections that begin from now on; on failure nothing changes. Any thread. */
int tls_server_set(struct tls_server *s, const struct tls_server_config *cfg, struct err *e);
struct tls_server *tls_server_ref(struct tls_server *s);
void tls_server_unref(struct tls_server *s); /* NULL is fine */

/* The system's trust store, or `ca` (PEM) instead of it when not NULL. */
int tls_client_new(const char *ca, struct tls_client **ret_client, struct err *e);
struct tls_client *tls_client_ref(struct tls_client *c);
void tls_client_unref(struct tls_client *c); /* NULL is fine */

/* -- transports: each takes `fd` (connected, made non-blocking) -------------------------------------- */

struct transport *transport_plain(int fd);
struct transport *transport_tls_accept(int fd, struct tls_server *s);
/* Verifies the peer's certificate for `host` (a name or an IP literal); sends SNI for names. ALPN: "http/1.1". */
struct transport *transport_tls_connect(int fd, struct tls_client *c, const char *host);

int transport_fd(const struct transport *t);
bool transport_is_tls(const struct transport *t);
/* Bytes > 0, 0 = end, TRANSPORT_AGAIN, TRANSPORT_FAILED. `n` > 0. */
ssize_t transport_read(struct transport *t, void *into, size_t n);
/* Bytes taken (perhaps fewer than given), TRANSPORT_AGAIN, TRANSPORT_FAILED. What was offered and not taken is offered again, at least, before anything else: TLS
 * may have begun to send it. */
ssize_t transport_write(struct transport *t, const void *data, size_t n);
ssize_t transport_writev(struct transport *t, const struct iovec *iov, int niov);
/* The same, when more is written at once: the system may wait for it, so that both leave together. */
ssize_t transport_writev_more(struct transport *t, const struct iovec *iov, int niov);
/* What to wait for, LOOP_READ or LOOP_WRITE, after the last read (write) that said AGAIN: a TLS handshake may read to write. */
int transport_read_events(const struct transport *t);
int transport_write_events(const struct transport *t);
/* Is the TLS handshake over (plain: always)? */
bool transport_is_ready(const struct transport *t);
/* Say that no more bytes come from us (TLS close_notify, then shutdown of the writing side); best effort, never waits. */
void transport_shutdown(struct transport *t);
/* Close the descriptor and free. NULL is fine. */
void transport_close(struct transport *t);
/* Of the failure: "tls: failed to verify certificate: x509: ...", "connection reset by peer"; codes "tls_verify", "tls_handshake", "connection_reset", "eof",
 * "connection_failed". Borrowed; an empty one when nothing failed. */
const struct err *transport_error(const struct transport *t);

/* After the handshake: the subject of the peer's certificate as RFC 2253 text; "" when there is none, or when it does not fit into `n` bytes with the NUL (a part of
 * a name is another name). True: it was verified. */
bool transport_peer_subject(const struct transport *t, char *out, size_t n);

#endif
