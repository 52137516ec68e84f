/*
 * transport_private.h - what transport.c, transport_tls.c and tls_context.c share.
 */
#ifndef HTTP_TRANSPORT_PRIVATE_H
#define HTTP_TRANSPORT_PRIVATE_H

#include <openssl/ssl.h>
#include <pthread.h>

#include "base/refcount.h"
#include "http/transport.h"

/* A host, or a pattern of hosts, and the context that has its certificate. */
struct tls_host {
	char *pattern;
	SSL_CTX *ctx;
};

/* What a server's connections begin with, immutable; a connection keeps the one it began with. */
struct tls_material {
	struct refcount refs;
	SSL_CTX *ctx;
	enum tls_client_auth client_auth;
	struct tls_host *hosts; /* exact ones first */
	size_t nhosts;
};

struct tls_server {
	struct refcount refs;
	pthread_mutex_t lock; /* of the pointer */
	struct tls_material *material;
};

struct tls_client {
	struct refcount refs;
	SSL_CTX *ctx;
};

/* The current one, a reference. */
struct tls_material *tls_server_material(struct tls_server *s);
void tls_material_unref(struct tls_material *m); /* NULL is fine */

/* The TLS half of a transport. Exactly one of `server` and `client` is set. */
struct transport_tls {
	SSL *ssl;
	struct tls_material *server;
	struct tls_client *client;
	char *host; /* of a client: whom it wanted */
	bool ready; /* the handshake was over; OpenSSL forgets it when something fails later */
	bool shut;  /* our close_notify was sent, or there is no sense in sending one */
};

struct transport {
	int fd;
	int read_events; /* LOOP_*, after AGAIN */
	int write_events;
	struct transport_tls *tls; /* NULL: plain */
	struct err *err;           /* NULL: nothing failed so far; apart, since an idle connection should be small */
};

struct transport *transport_new(int fd);
/* Note the failure, with nothing in it yet, and fill what is returned. */
struct err *transport_fail(struct transport *t);
/* Words for a failed system call; returns TRANSPORT_FAILED. */
ssize_t transport_fail_errno(struct transport *t, int errnum);

ssize_t transport_tls_read(struct transport *t, void *into, size_t n);
ssize_t transport_tls_writev(struct transport *t, const struct iovec *iov, int niov);
void transport_tls_shutdown(struct transport *t);
void transport_tls_free(struct transport *t);

#endif
