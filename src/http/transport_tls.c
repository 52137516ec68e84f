/*
 * transport_tls.c - reading and writing through TLS.
 *
 * OpenSSL reads and writes the descriptor itself. While the handshake lasts it reads record by record, so that nothing that belongs to the time after stays unseen
 * in its buffer when the descriptor has nothing more; afterwards it reads ahead, and transport_tls_read() empties the buffer before it says AGAIN.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "http/tls.h"
#include "http/transport_private.h"
#include "loop/loop.h"

enum {
	RECORD_BYTES = 16 * 1024,     /* the most a record takes (RFC 8446 §5.1) */
	WRITE_BYTES_MAX = 256 * 1024, /* in one call: others wait for their turn */
	LINGER_BYTES_MAX = 64 * 1024, /* thrown away of a client we refuse, so that it reads why */
	HOST_BYTES_MAX = 255,
};

static const char plain_answer[] = "HTTP/1.0 400 Bad Request\r\n"
				   "Content-Type: text/plain; charset=utf-8\r\n"
				   "Connection: close\r\n\r\n"
				   "Client sent an HTTP request to an HTTPS server.\n";

/* -- making ------------------------------------------------------------------------------------------ */

static void setup_failed(struct transport *t, const char *why)
{
	struct err *e = transport_fail(t);

	ERR_clear_error();
	err_set(e, ERR_INTERNAL, "tls: %s", why);
	err_code(e, "tls_handshake");
}

/* What fails here is told by the first read or write. */
static struct transport *tls_new(int fd, SSL_CTX *ctx)
{
	struct transport *t = transport_new(fd);
	int flags = fcntl(fd, F_GETFL);

	t->tls = xcalloc(1, sizeof(*t->tls));
	t->tls->ssl = SSL_new(ctx);
	if (!t->tls->ssl || SSL_set_fd(t->tls->ssl, fd) != 1)
		setup_failed(t, "OpenSSL could not be set up");
	if (flags >= 0 && !(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	return t;
}

struct transport *transport_tls_accept(int fd, struct tls_server *s)
{
	struct tls_material *m = tls_server_material(s);
	struct transport *t = tls_new(fd, m->ctx);

	t->tls->server = m;
	if (!t->err)
		SSL_set_accept_state(t->tls->ssl);
	return t;
}

/* Without the brackets of a URL and the dot at the end, which certificates do not have. */
static char *plain_host(const char *host)
{
	size_t n = strlen(host);

	if (n >= 2 && host[0] == '[' && host[n - 1] == ']')
		return xmemdupz(host + 1, n - 2);
	return xmemdupz(host, n > 0 && host[n - 1] == '.' ? n - 1 : n);
}

static bool is_ip(const char *host)
{
	unsigned char ip[16];

	return inet_pton(AF_INET, host, ip) == 1 || inet_pton(AF_INET6, host, ip) == 1;
}

/* An empty name would mean to OpenSSL that any does. */
static bool want_host(SSL *ssl, const char *host)
{
	if (!*host || strlen(host) > HOST_BYTES_MAX)
		return false;
	if (is_ip(host))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	/* RFC 9525: names are those in subjectAltName, and wildcards whole labels. */
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

struct transport *transport_tls_connect(int fd, struct tls_client *c, const char *host)
{
	struct transport *t = tls_new(fd, c->ctx);

	t->tls->client = tls_client_ref(c);
	t->tls->host = plain_host(host);
	if (!t->err) {
		SSL_set_connect_state(t->tls->ssl);
		if (!want_host(t->tls->ssl, t->tls->host))
			setup_failed(t, "invalid host name");
	}
	return t;
}

void transport_tls_free(struct transport *t)
{
	struct transport_tls *tls = t->tls;
	char sink[4096];

	/* Bytes nobody read make the kernel reset the connection, and the alert that tells a client why it was refused would be lost. */
	if (t->err && tls->server) {
		shutdown(t->fd, SHUT_WR);
		for (size_t got = 0; got < LINGER_BYTES_MAX; got += sizeof(sink))
			if (recv(t->fd, sink, sizeof(sink), MSG_DONTWAIT) <= 0)
				break;
	}
	SSL_free(tls->ssl);
	tls_material_unref(tls->server);
	tls_client_unref(tls->client);
	free(tls->host);
	free(tls);
}

/* -- failures ---------------------------------------------------------------------------------------- */

static ssize_t fail(struct transport *t, const char *code, const char *text, const char *detail)
{
	struct err *e = transport_fail(t);

	err_set(e, ERR_UNAVAILABLE, "%s%s", text, detail);
	err_code(e, code);
	return TRANSPORT_FAILED;
}

static bool in_handshake(const struct transport *t)
{
	return !t->tls->ready;
}

static ssize_t fail_cut(struct transport *t)
{
	return in_handshake(t) ? fail(t, "eof", "EOF", " (during the TLS handshake)")
			       : fail(t, "eof", "unexpected EOF", "");
}

static ssize_t fail_system(struct transport *t, int errnum)
{
	bool handshake = in_handshake(t);

	if (errnum == 0)
		return fail_cut(t);
	transport_fail_errno(t, errnum);
	if (handshake && strcmp(t->err->code, "connection_reset") == 0)
		fail(t, "connection_reset", "connection reset by peer", " (during the TLS handshake)");
	return TRANSPORT_FAILED;
}

static ssize_t fail_verify(struct transport *t)
{
	struct err *e = transport_fail(t);

	http_tls_verify_text(SSL_get_verify_result(t->tls->ssl), t->tls->host ? t->tls->host : "", e);
	err_code(e, "tls_verify");
	return TRANSPORT_FAILED;
}

/* OpenSSL's reasons are fixed texts: nothing of the peer is in them. */
static ssize_t fail_protocol(struct transport *t, unsigned long error)
{
	const char *reason = ERR_reason_error_string(error);

	if (ERR_GET_LIB(error) == ERR_LIB_SSL) {
		switch (ERR_GET_REASON(error)) {
		case SSL_R_CERTIFICATE_VERIFY_FAILED:
			return fail_verify(t);
		case SSL_R_UNEXPECTED_EOF_WHILE_READING:
			return fail_cut(t);
		case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
			return fail(t, "tls_handshake", "tls: client didn't provide a certificate", "");
		case SSL_R_HTTP_REQUEST:
			/* All it can read. A socket that was never written to takes it whole. */
			if (send(t->fd, plain_answer, sizeof(plain_answer) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
				return fail_system(t, errno);
			return fail(t, "tls_handshake", "client sent an HTTP request to an HTTPS server", "");
		case SSL_R_WRONG_VERSION_NUMBER:
			if (t->tls->client && in_handshake(t))
				return fail(t, "tls_handshake", "http: server gave HTTP response to HTTPS client", "");
			break;
		default:
			break;
		}
	}
	return fail(t, "tls_handshake",
		in_handshake(t) ? "tls: handshake failed: " : "tls: ", reason ? reason : "protocol error");
}

static void note_ready(struct transport *t)
{
	if (!t->tls->ready && SSL_is_init_finished(t->tls->ssl))
		t->tls->ready = true;
}

/* What a call that did nothing means: 0, AGAIN (with *events) or FAILED. */
static ssize_t outcome(struct transport *t, int rc, int errnum, int *events)
{
	note_ready(t);
	switch (SSL_get_error(t->tls->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		*events = LOOP_READ;
		return TRANSPORT_AGAIN;
	case SSL_ERROR_WANT_WRITE:
		*events = LOOP_WRITE;
		return TRANSPORT_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		return fail_system(t, errnum);
	default:
		return fail_protocol(t, ERR_peek_error());
	}
}

/* -- reading and writing ----------------------------------------------------------------------------- */

static ssize_t read_some(struct transport *t, void *into, size_t n)
{
	size_t got = 0;
	int rc;

	ERR_clear_error();
	errno = 0;
	rc = SSL_read_ex(t->tls->ssl, into, n, &got);
	if (rc == 1) {
		note_ready(t);
		return (ssize_t)got;
	}
	return outcome(t, rc, errno, &t->read_events);
}

ssize_t transport_tls_read(struct transport *t, void *into, size_t n)
{
	SSL *ssl = t->tls->ssl;
	size_t got = 0;
	ssize_t r;

	if (!SSL_get_read_ahead(ssl) && !in_handshake(t))
		SSL_set_read_ahead(ssl, 1);
	/* The descriptor will not speak again for what is in OpenSSL's buffer. A failure after some bytes is told next time. */
	do {
		r = read_some(t, (char *)into + got, n - got);
		if (r <= 0)
			break;
		got += (size_t)r;
	} while (got < n && SSL_has_pending(ssl));
	ERR_clear_error();
	return got > 0 ? (ssize_t)got : r;
}

/* As much as fits into a record, from `skip` bytes on; small pieces are put together, so that a head and its body share one. */
static size_t gather(char *out, const struct iovec *iov, int niov, size_t skip)
{
	size_t n = 0;

	for (int i = 0; i < niov && n < RECORD_BYTES; i++) {
		size_t len = iov[i].iov_len, take;

		if (skip >= len) {
			skip -= len;
			continue;
		}
		take = len - skip < RECORD_BYTES - n ? len - skip : RECORD_BYTES - n;
		memcpy(out + n, (const char *)iov[i].iov_base + skip, take);
		n += take;
		skip = 0;
	}
	return n;
}

ssize_t transport_tls_writev(struct transport *t, const struct iovec *iov, int niov)
{
	char record[RECORD_BYTES];
	size_t put = 0, n, written;
	ssize_t r = 0;
	int rc;

	while (put < WRITE_BYTES_MAX) {
		n = gather(record, iov, niov, put);
		if (n == 0)
			break;
		ERR_clear_error();
		errno = 0;
		rc = SSL_write_ex(t->tls->ssl, record, n, &written);
		if (rc != 1) {
			r = outcome(t, rc, errno, &t->write_events);
			if (r == 0) /* not an answer to a write */
				r = fail_cut(t);
			break;
		}
		note_ready(t);
		put += written;
	}
	ERR_clear_error();
	return put > 0 ? (ssize_t)put : r;
}

bool transport_is_ready(const struct transport *t)
{
	return !t->tls || (!t->err && !in_handshake(t));
}

void transport_tls_shutdown(struct transport *t)
{
	/* After a failure OpenSSL must not be asked (the alert was sent), before the end of the handshake it refuses. */
	if (!t->tls->shut && transport_is_ready(t))
		SSL_shutdown(t->tls->ssl);
	t->tls->shut = true;
	ERR_clear_error();
}

/* -- who the peer is --------------------------------------------------------------------------------- */

/* False: it does not fit. */
static bool subject_text(X509 *cert, char *out, size_t n)
{
	BIO *b = BIO_new(BIO_s_mem());
	bool fits = false;
	char *text;
	long len;

	if (b && X509_NAME_print_ex(b, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0) {
		len = BIO_get_mem_data(b, &text);
		if (len >= 0 && (size_t)len < n) {
			memcpy(out, text, (size_t)len);
			out[len] = '\0';
			fits = true;
		}
	}
	BIO_free(b);
	return fits;
}

static bool is_verified(const struct transport_tls *tls)
{
	bool asked = tls->client || tls->server->client_auth == TLS_CLIENT_AUTH_VERIFY_IF_GIVEN ||
		     tls->server->client_auth == TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY;

	return asked && SSL_get_verify_result(tls->ssl) == X509_V_OK;
}

bool transport_peer_subject(const struct transport *t, char *out, size_t n)
{
	X509 *cert = t->tls && transport_is_ready(t) ? SSL_get0_peer_certificate(t->tls->ssl) : NULL;

	out[0] = '\0';
	return cert && subject_text(cert, out, n) && is_verified(t->tls);
}
