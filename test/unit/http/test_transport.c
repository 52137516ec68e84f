/*
 * Transports over socket pairs: handshakes whole, byte by byte and cut anywhere, who is believed, and how an end looks. Certificates are made here.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "certificates.h"
#include "http/transport.h"
#include "loop/loop.h"

static struct identity ca, other_ca, site, site_ip, site_cn, wild, second, old, client_ok, client_other, long_name;

static int setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	identity_make(&ca, "Test CA", NULL, NULL, 30);
	identity_make(&other_ca, "Other CA", NULL, NULL, 30);
	identity_make(&site, "site", "DNS:site.test", &ca, 30);
	identity_make(&site_ip, "ip", "IP:127.0.0.1,IP:::1", &ca, 30);
	identity_make(&site_cn, "cn.test", NULL, &ca, 30);
	identity_make(&wild, "wild", "DNS:*.wild.test,DNS:w*d.part.test", &ca, 30);
	identity_make(&second, "second", "DNS:second.test", &ca, 30);
	identity_make(&old, "old", "DNS:site.test", &ca, -1);
	identity_make(&client_ok, "client, \"of\" us", NULL, &ca, 30);
	identity_make(&client_other, "stranger", NULL, &other_ca, 30);
	identity_make(&long_name, "a-name-that-is-quite-long-for-a-small-field", NULL, &ca, 30);
	return 0;
}

static int teardown(void **state)
{
	struct identity *all[] = {
		&ca, &other_ca, &site, &site_ip, &site_cn, &wild, &second, &old, &client_ok, &client_other, &long_name};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		identity_done(all[i]);
	return 0;
}

/* -- two ends ---------------------------------------------------------------------------------------- */

static void pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

static struct tls_server *server_of(const struct identity *id, enum tls_client_auth auth, const char *client_ca)
{
	struct tls_server_config cfg = {
		.cert = id->cert_pem, .key = id->key_pem, .client_auth = auth, .client_ca = client_ca};
	struct tls_server *s;
	struct err e;

	assert_int_equal(tls_server_new(&cfg, &s, &e), 0);
	return s;
}

struct ends {
	struct transport *client;
	struct transport *server;
	/* With a relay between: its two descriptors, and how much it may still carry to the server. */
	int relay[2];
	size_t left;
	bool relayed;
	char client_got[64], server_got[64];
	ssize_t client_last, server_last; /* of the last read */
	bool client_said;
};

static void ends_open(struct ends *x, struct tls_server *s, const char *ca_pem, const char *host, bool relayed)
{
	struct tls_client *c;
	struct err e;
	int a[2], b[2];

	*x = (struct ends){.left = SIZE_MAX, .relayed = relayed};
	assert_int_equal(tls_client_new(ca_pem, &c, &e), 0);
	pair(a);
	if (relayed) {
		pair(b);
		x->relay[0] = a[1];
		x->relay[1] = b[0];
		a[1] = b[1];
	}
	x->client = transport_tls_connect(a[0], c, host);
	x->server = transport_tls_accept(a[1], s);
	tls_client_unref(c);
	assert_true(transport_is_tls(x->client));
	assert_false(transport_is_ready(x->client));
	assert_false(transport_is_ready(x->server));
}

static void ends_close(struct ends *x)
{
	transport_close(x->client);
	transport_close(x->server);
	if (x->relayed)
		for (int i = 0; i < 2; i++)
			if (x->relay[i] >= 0)
				close(x->relay[i]);
}

/* One byte each way. */
static bool relay_step(struct ends *x)
{
	bool moved = false;
	char c;

	if (!x->relayed || x->relay[0] < 0)
		return false;
	if (x->left == 0) {
		close(x->relay[0]);
		close(x->relay[1]);
		x->relay[0] = x->relay[1] = -1;
		return true;
	}
	if (recv(x->relay[0], &c, 1, MSG_DONTWAIT) == 1) {
		assert_int_equal(send(x->relay[1], &c, 1, MSG_NOSIGNAL | MSG_DONTWAIT), 1);
		if (x->left != SIZE_MAX)
			x->left--;
		moved = true;
	}
	if (recv(x->relay[1], &c, 1, MSG_DONTWAIT) == 1) {
		send(x->relay[0], &c, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		moved = true;
	}
	return moved;
}

static ssize_t read_into(struct transport *t, char *text, size_t size)
{
	size_t have = strlen(text);
	ssize_t n;

	if (have + 1 >= size)
		return TRANSPORT_AGAIN;
	n = transport_read(t, text + have, size - have - 1);
	if (n > 0)
		text[have + (size_t)n] = '\0';
	return n;
}

/* A request and an answer, until both ends say the same twice: the client says "ping" and the server answers "pong". */
static void converse(struct ends *x)
{
	bool answered = false;
	ssize_t n;

	for (int idle = 0, turns = 0; idle < 3; turns++) {
		bool moved = relay_step(x);

		assert_true(turns < 200000);
		if (!x->client_said) {
			n = transport_write(x->client, "ping", 4);
			x->client_said = n != TRANSPORT_AGAIN;
			moved |= x->client_said;
		}
		x->server_last = read_into(x->server, x->server_got, sizeof(x->server_got));
		moved |= x->server_last > 0;
		if (!answered && strcmp(x->server_got, "ping") == 0) {
			n = transport_write(x->server, "pong", 4);
			answered = n != TRANSPORT_AGAIN;
			moved |= answered;
		}
		if (x->client_said) {
			x->client_last = read_into(x->client, x->client_got, sizeof(x->client_got));
			moved |= x->client_last > 0;
		}
		idle = moved ? 0 : idle + 1;
	}
}

/* -- plain ------------------------------------------------------------------------------------------- */

static void plain(void **state)
{
	struct iovec iov[] = {{.iov_base = "he", .iov_len = 2}, {.iov_base = "llo", .iov_len = 3}};
	struct transport *a, *b;
	char text[16] = "";
	int fds[2];

	(void)state;
	pair(fds);
	a = transport_plain(fds[0]);
	b = transport_plain(fds[1]);
	assert_true(transport_is_ready(a));
	assert_false(transport_is_tls(a));
	assert_int_equal(transport_fd(a), fds[0]);
	assert_int_equal(transport_read(a, text, sizeof(text)), TRANSPORT_AGAIN);
	assert_int_equal(transport_read_events(a), LOOP_READ);
	assert_int_equal(transport_writev(a, iov, 2), 5);
	assert_int_equal(read_into(b, text, sizeof(text)), 5);
	assert_string_equal(text, "hello");
	assert_int_equal(transport_writev_more(a, iov, 2), 5);
	assert_int_equal(transport_write(a, "!", 1), 1);
	assert_int_equal(read_into(b, text, sizeof(text)), 6);
	assert_string_equal(text, "hellohello!");
	assert_false(transport_peer_subject(a, text, sizeof(text)));
	assert_string_equal(text, "");
	/* Half an end: the other way still works. */
	transport_shutdown(a);
	assert_int_equal(transport_read(b, text, sizeof(text)), 0);
	assert_int_equal(transport_write(b, "x", 1), 1);
	assert_int_equal(transport_read(a, text, sizeof(text)), 1);
	transport_close(a);
	assert_int_equal(transport_write(b, "x", 1), TRANSPORT_FAILED);
	assert_string_equal(transport_error(b)->text, "broken pipe");
	assert_string_equal(transport_error(b)->code, "connection_reset");
	/* It stays so. */
	assert_int_equal(transport_read(b, text, sizeof(text)), TRANSPORT_FAILED);
	transport_close(b);
	transport_close(NULL);
}

static void plain_never_waits(void **state)
{
	struct transport *a, *b;
	char text[4096] = "";
	int fds[2], n = 0;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	a = transport_plain(fds[0]);
	b = transport_plain(fds[1]);
	assert_int_equal(transport_read(b, text, sizeof(text)), TRANSPORT_AGAIN);
	while (transport_write(a, text, sizeof(text)) > 0)
		assert_true(++n < 10000);
	assert_string_equal(transport_error(a)->text, "");
	assert_int_equal(transport_write_events(a), LOOP_WRITE);
	transport_close(a);
	transport_close(b);
}

/* -- handshakes -------------------------------------------------------------------------------------- */

static void whole_and_byte_by_byte(void **state)
{
	struct tls_server *s = server_of(&site, TLS_CLIENT_AUTH_NONE, NULL);

	(void)state;
	for (int relayed = 0; relayed < 2; relayed++) {
		char subject[64];
		struct ends x;

		ends_open(&x, s, ca.cert_pem, "site.test", relayed);
		converse(&x);
		assert_string_equal(x.server_got, "ping");
		assert_string_equal(x.client_got, "pong");
		assert_true(transport_is_ready(x.client));
		assert_true(transport_is_ready(x.server));
		assert_true(transport_peer_subject(x.client, subject, sizeof(subject)));
		assert_string_equal(subject, "CN=site");
		assert_false(transport_peer_subject(x.server, subject, sizeof(subject)));
		assert_string_equal(subject, "");
		ends_close(&x);
	}
	tls_server_unref(s);
}

/* Wherever the client's bytes end, the server fails: a cut is never an end. */
static void cut_at_each_byte(void **state)
{
	struct tls_server *s = server_of(&site, TLS_CLIENT_AUTH_NONE, NULL);
	bool whole = false;

	(void)state;
	for (size_t at = 0; !whole; at++) {
		struct ends x;

		assert_true(at < 4000);
		ends_open(&x, s, ca.cert_pem, "site.test", true);
		x.left = at;
		converse(&x);
		whole = strcmp(x.client_got, "pong") == 0;
		if (!whole) {
			assert_int_equal(x.server_last, TRANSPORT_FAILED);
			/* Which of both depends on what the relay had not read of the server yet. */
			assert_true(strcmp(transport_error(x.server)->code, "eof") == 0 ||
				    strcmp(transport_error(x.server)->code, "connection_reset") == 0);
			assert_int_equal(x.client_last, x.client_said ? TRANSPORT_FAILED : 0);
		}
		ends_close(&x);
	}
	tls_server_unref(s);
}

static void events(void **state)
{
	struct tls_server *s = server_of(&site, TLS_CLIENT_AUTH_NONE, NULL);
	struct ends x;

	(void)state;
	ends_open(&x, s, ca.cert_pem, "site.test", false);
	/* The client's hello left; to write on it must read. */
	assert_int_equal(transport_write(x.client, "ping", 4), TRANSPORT_AGAIN);
	assert_int_equal(transport_write_events(x.client), LOOP_READ);
	assert_int_equal(transport_read(x.server, x.server_got, 1), TRANSPORT_AGAIN);
	assert_int_equal(transport_read_events(x.server), LOOP_READ);
	converse(&x);
	assert_string_equal(x.client_got, "pong");
	ends_close(&x);
	tls_server_unref(s);
}

/* -- whom the client believes ------------------------------------------------------------------------ */

static void verification(void **state)
{
	static const char prefix[] = "tls: failed to verify certificate: x509: ";
	const struct {
		const struct identity *id;
		const char *trusted;
		const char *host;
		const char *error; /* NULL: fine */
	} rows[] = {
		{&site, ca.cert_pem, "site.test", NULL},
		{&site, ca.cert_pem, "SITE.test.", NULL},
		{&site, ca.cert_pem, "other.test", "certificate is not valid for other.test"},
		{&site, ca.cert_pem, "sub.site.test", "certificate is not valid for sub.site.test"},
		{&site, ca.cert_pem, "127.0.0.1", "certificate is not valid for 127.0.0.1"},
		{&site_ip, ca.cert_pem, "127.0.0.1", NULL},
		{&site_ip, ca.cert_pem, "[::1]", NULL},
		{&site_ip, ca.cert_pem, "::1", NULL},
		{&site_ip, ca.cert_pem, "127.0.0.2", "certificate is not valid for 127.0.0.2"},
		{&site_ip, ca.cert_pem, "::2", "certificate is not valid for ::2"},
		/* RFC 9525 §2: the common name is no name to believe. */
		{&site_cn, ca.cert_pem, "cn.test", "certificate is not valid for cn.test"},
		{&wild, ca.cert_pem, "a.wild.test", NULL},
		{&wild, ca.cert_pem, "wild.test", "certificate is not valid for wild.test"},
		{&wild, ca.cert_pem, "a.b.wild.test", "certificate is not valid for a.b.wild.test"},
		{&wild, ca.cert_pem, "world.part.test", "certificate is not valid for world.part.test"},
		{&old, ca.cert_pem, "site.test", "certificate has expired or is not yet valid"},
		{&site, other_ca.cert_pem, "site.test", "certificate signed by unknown authority"},
		{&site, NULL, "site.test", "certificate signed by unknown authority"},
		{&ca, other_ca.cert_pem, "site.test", "certificate signed by unknown authority"},
		/* Who names a certificate trusts it, also one that another has signed. */
		{&site, site.cert_pem, "site.test", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tls_server *s = server_of(rows[i].id, TLS_CLIENT_AUTH_NONE, NULL);
		struct ends x;

		ends_open(&x, s, rows[i].trusted, rows[i].host, false);
		converse(&x);
		if (rows[i].error) {
			const struct err *e = transport_error(x.client);

			assert_int_equal(x.client_last, TRANSPORT_FAILED);
			assert_memory_equal(e->text, prefix, sizeof(prefix) - 1);
			assert_string_equal(e->text + sizeof(prefix) - 1, rows[i].error);
			assert_string_equal(e->code, "tls_verify");
			assert_false(transport_is_ready(x.client));
			/* The server heard nothing but the refusal. */
			assert_string_equal(x.server_got, "");
			assert_int_equal(x.server_last, TRANSPORT_FAILED);
			assert_non_null(strstr(transport_error(x.server)->text, "alert"));
		} else {
			assert_string_equal(x.client_got, "pong");
		}
		ends_close(&x);
		tls_server_unref(s);
	}
}

static void hosts_that_are_none(void **state)
{
	static const char *const hosts[] = {"", ".", "[]"};
	struct tls_client *c;
	struct err e;
	char text[8];
	int fds[2];

	(void)state;
	assert_int_equal(tls_client_new(ca.cert_pem, &c, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct transport *t;

		pair(fds);
		t = transport_tls_connect(fds[0], c, hosts[i]);
		assert_int_equal(transport_write(t, "x", 1), TRANSPORT_FAILED);
		assert_string_equal(transport_error(t)->text, "tls: invalid host name");
		assert_int_equal(recv(fds[1], text, sizeof(text), MSG_DONTWAIT), -1);
		transport_close(t);
		close(fds[1]);
	}
	tls_client_unref(c);
}

static void server_is_no_tls(void **state)
{
	struct tls_client *c;
	struct transport *t;
	struct err e;
	char text[8];
	int fds[2];

	(void)state;
	assert_int_equal(tls_client_new(ca.cert_pem, &c, &e), 0);
	pair(fds);
	t = transport_tls_connect(fds[0], c, "site.test");
	assert_int_equal(transport_write(t, "x", 1), TRANSPORT_AGAIN);
	assert_true(send(fds[1], "HTTP/1.1 400 Bad Request\r\n\r\n", 28, 0) == 28);
	assert_int_equal(transport_read(t, text, sizeof(text)), TRANSPORT_FAILED);
	assert_string_equal(transport_error(t)->text, "http: server gave HTTP response to HTTPS client");
	assert_string_equal(transport_error(t)->code, "tls_handshake");
	transport_close(t);
	close(fds[1]);
	tls_client_unref(c);
}

static void client_is_no_tls(void **state)
{
	struct tls_server *s = server_of(&site, TLS_CLIENT_AUTH_NONE, NULL);
	static const char request[] = "GET / HTTP/1.1\r\nHost: site.test\r\n\r\n";
	struct transport *t;
	char text[512];
	ssize_t n;
	int fds[2];

	(void)state;
	pair(fds);
	t = transport_tls_accept(fds[1], s);
	assert_true(send(fds[0], request, sizeof(request) - 1, 0) > 0);
	assert_int_equal(transport_read(t, text, sizeof(text)), TRANSPORT_FAILED);
	assert_string_equal(transport_error(t)->text, "client sent an HTTP request to an HTTPS server");
	transport_close(t);
	n = recv(fds[0], text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	assert_memory_equal(text, "HTTP/1.0 400 Bad Request\r\n", 26);
	assert_non_null(strstr(text, "\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"));
	close(fds[0]);
	tls_server_unref(s);
}

/* -- peers with a mind of their own: OpenSSL itself --------------------------------------------------- */

static SSL_CTX *raw_ctx(const struct identity *id)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (id) {
		SSL_CTX_use_certificate(ctx, id->cert);
		SSL_CTX_use_PrivateKey(ctx, id->key);
	}
	return ctx;
}

struct raw {
	SSL *ssl;
	struct transport *server;
	char got[64];
	ssize_t server_last;
	int client_rc; /* of the last read: SSL_get_error() */
	unsigned long client_error;
	bool said;
};

static void raw_open(struct raw *x, SSL_CTX *ctx, struct tls_server *s, SSL_SESSION *session, const char *sni)
{
	int fds[2];

	*x = (struct raw){0};
	pair(fds);
	x->ssl = SSL_new(ctx);
	SSL_set_fd(x->ssl, fds[0]);
	SSL_set_connect_state(x->ssl);
	if (session)
		SSL_set_session(x->ssl, session);
	if (sni)
		SSL_set_tlsext_host_name(x->ssl, sni);
	x->server = transport_tls_accept(fds[1], s);
}

static void raw_close(struct raw *x)
{
	int fd = SSL_get_fd(x->ssl);

	/* A session of a connection that was cut is not resumed. */
	SSL_shutdown(x->ssl);
	SSL_free(x->ssl);
	close(fd);
	transport_close(x->server);
	ERR_clear_error();
}

static bool raw_step(struct raw *x, bool answered)
{
	char c[8];
	int rc;

	ERR_clear_error();
	if (!x->said) {
		rc = SSL_write(x->ssl, "ping", 4);
		x->said = rc > 0;
	} else {
		rc = SSL_read(x->ssl, c, sizeof(c));
	}
	x->client_rc = SSL_get_error(x->ssl, rc);
	if (x->client_rc == SSL_ERROR_SSL || x->client_rc == SSL_ERROR_SYSCALL) {
		x->client_error = ERR_peek_error();
		return false;
	}
	return !(answered && x->said && rc > 0);
}

/* False: one of both failed. */
static bool raw_converse(struct raw *x)
{
	bool answered = false, going = true;

	for (int turns = 0; going && turns < 1000; turns++) {
		going = raw_step(x, answered);
		x->server_last = read_into(x->server, x->got, sizeof(x->got));
		if (x->server_last == TRANSPORT_FAILED)
			raw_step(x, false); /* lets the client read why */
		if (x->server_last == TRANSPORT_FAILED || x->server_last == 0)
			return false;
		if (!answered && strcmp(x->got, "ping") == 0)
			answered = transport_write(x->server, "pong", 4) == 4;
	}
	return answered && x->client_rc == SSL_ERROR_NONE;
}

static void client_certificates(void **state)
{
	enum { NONE, GOOD, OTHER };
	static const char missing[] = "tls: client didn't provide a certificate";
	static const char unknown[] =
		"tls: failed to verify certificate: x509: certificate signed by unknown authority";
	const struct {
		enum tls_client_auth auth;
		const char *error[3]; /* NULL: fine */
		bool has_subject;
		bool verified;
	} rows[] = {
		{TLS_CLIENT_AUTH_NONE, {NULL, NULL, NULL}, false, false},
		{TLS_CLIENT_AUTH_REQUEST, {NULL, NULL, NULL}, true, false},
		{TLS_CLIENT_AUTH_REQUIRE_ANY, {missing, NULL, NULL}, true, false},
		{TLS_CLIENT_AUTH_VERIFY_IF_GIVEN, {NULL, NULL, unknown}, true, true},
		{TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY, {missing, NULL, unknown}, true, true},
	};
	const struct identity *who[] = {NULL, &client_ok, &client_other};
	const char *subjects[] = {"", "CN=client\\, \\\"of\\\" us", "CN=stranger"};

	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			struct tls_server *s = server_of(&site, rows[i].auth, ca.cert_pem);

			for (int k = NONE; k <= OTHER; k++) {
				SSL_CTX *ctx = raw_ctx(who[k]);
				char subject[64] = "?";
				bool verified;
				struct raw x;

				SSL_CTX_set_min_proto_version(ctx, version);
				SSL_CTX_set_max_proto_version(ctx, version);
				raw_open(&x, ctx, s, NULL, NULL);
				assert_int_equal(raw_converse(&x), rows[i].error[k] == NULL);
				verified = transport_peer_subject(x.server, subject, sizeof(subject));
				if (rows[i].error[k]) {
					assert_string_equal(transport_error(x.server)->text, rows[i].error[k]);
					assert_string_equal(subject, "");
					assert_false(verified);
					/* The client is told by an alert, and nothing of it was taken. */
					assert_int_equal(x.client_rc, SSL_ERROR_SSL);
					assert_string_equal(x.got, "");
				} else {
					assert_string_equal(subject, rows[i].has_subject ? subjects[k] : "");
					assert_int_equal(verified, rows[i].verified && k == GOOD);
				}
				raw_close(&x);
				SSL_CTX_free(ctx);
			}
			tls_server_unref(s);
		}
	}
}

static void subject_is_whole_or_none(void **state)
{
	struct tls_server *s = server_of(&site, TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY, ca.cert_pem);
	SSL_CTX *ctx = raw_ctx(&long_name);
	char subject[80];
	struct raw x;

	(void)state;
	raw_open(&x, ctx, s, NULL, NULL);
	assert_true(raw_converse(&x));
	assert_true(transport_peer_subject(x.server, subject, sizeof(subject)));
	assert_string_equal(subject, "CN=a-name-that-is-quite-long-for-a-small-field");
	assert_true(transport_peer_subject(x.server, subject, 47));
	assert_false(transport_peer_subject(x.server, subject, 46));
	assert_string_equal(subject, "");
	raw_close(&x);
	SSL_CTX_free(ctx);
	tls_server_unref(s);
}

/* A resumed session is as verified as the one it comes from, and only its own context resumes it. */
static void resumption(void **state)
{
	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct tls_server *s = server_of(&site, TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY, ca.cert_pem);
		struct tls_server *other = server_of(&site, TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY, ca.cert_pem);
		SSL_CTX *ctx = raw_ctx(&client_ok);
		SSL_SESSION *session;
		char subject[64];
		struct raw x;

		SSL_CTX_set_max_proto_version(ctx, version);
		raw_open(&x, ctx, s, NULL, NULL);
		assert_true(raw_converse(&x));
		session = SSL_get1_session(x.ssl);
		raw_close(&x);
		raw_open(&x, ctx, s, session, NULL);
		assert_true(raw_converse(&x));
		assert_true(SSL_session_reused(x.ssl));
		assert_true(transport_peer_subject(x.server, subject, sizeof(subject)));
		assert_string_equal(subject, "CN=client\\, \\\"of\\\" us");
		raw_close(&x);
		raw_open(&x, ctx, other, session, NULL);
		assert_true(raw_converse(&x));
		assert_false(SSL_session_reused(x.ssl));
		raw_close(&x);
		SSL_SESSION_free(session);
		SSL_CTX_free(ctx);
		tls_server_unref(s);
		tls_server_unref(other);
	}
}

static void old_versions(void **state)
{
	struct tls_server *s = server_of(&site, TLS_CLIENT_AUTH_NONE, NULL);

	(void)state;
	for (int version = TLS1_VERSION; version <= TLS1_3_VERSION; version++) {
		SSL_CTX *ctx = raw_ctx(NULL);
		struct raw x;

		SSL_CTX_set_security_level(ctx, 0);
		SSL_CTX_set_min_proto_version(ctx, version);
		SSL_CTX_set_max_proto_version(ctx, version);
		raw_open(&x, ctx, s, NULL, NULL);
		assert_int_equal(raw_converse(&x), version >= TLS1_2_VERSION);
		if (version < TLS1_2_VERSION) {
			assert_string_equal(
				transport_error(x.server)->text, "tls: handshake failed: unsupported protocol");
			assert_int_equal(ERR_GET_REASON(x.client_error), SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
		}
		raw_close(&x);
		SSL_CTX_free(ctx);
	}
	tls_server_unref(s);
}

static void no_renegotiation(void **state)
{
	struct tls_server *s = server_of(&site, TLS_CLIENT_AUTH_NONE, NULL);
	SSL_CTX *ctx = raw_ctx(NULL);
	struct raw x;
	char c[8];

	(void)state;
	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	raw_open(&x, ctx, s, NULL, NULL);
	assert_true(raw_converse(&x));
	assert_int_equal(SSL_renegotiate(x.ssl), 1);
	for (int i = 0; i < 4; i++) {
		SSL_do_handshake(x.ssl);
		assert_true(transport_read(x.server, c, sizeof(c)) < 0);
	}
	assert_int_equal(SSL_do_handshake(x.ssl), -1);
	assert_true(SSL_renegotiate_pending(x.ssl) || SSL_get_error(x.ssl, -1) == SSL_ERROR_SSL);
	raw_close(&x);
	SSL_CTX_free(ctx);
	tls_server_unref(s);
}

static void protocols(void **state)
{
	static const struct {
		const char *offer;
		size_t len;
		const char *chosen; /* NULL: refused */
	} rows[] = {
		{"\x08http/1.1", 9, "http/1.1"},
		{"\x02h2\x08http/1.1", 12, "http/1.1"},
		{"\x08http/1.0", 9, "http/1.0"},
		{"\x02h2", 3, NULL},
	};
	struct tls_server *s = server_of(&site, TLS_CLIENT_AUTH_NONE, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		SSL_CTX *ctx = raw_ctx(NULL);
		const unsigned char *chosen;
		unsigned len;
		struct raw x;

		SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)rows[i].offer, (unsigned)rows[i].len);
		raw_open(&x, ctx, s, NULL, NULL);
		assert_int_equal(raw_converse(&x), rows[i].chosen != NULL);
		SSL_get0_alpn_selected(x.ssl, &chosen, &len);
		assert_int_equal(len, rows[i].chosen ? strlen(rows[i].chosen) : 0);
		if (rows[i].chosen)
			assert_memory_equal(chosen, rows[i].chosen, len);
		else
			assert_int_equal(ERR_GET_REASON(x.client_error), SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
		raw_close(&x);
		SSL_CTX_free(ctx);
	}
	tls_server_unref(s);
}

static void certificate_by_name(void **state)
{
	static const char *const wild_hosts[] = {"*.wild.test", "*.second.test"};
	static const char *const second_hosts[] = {"Second.test", "exact.wild.test"};
	const struct tls_server_name names[] = {
		{wild_hosts, 2, wild.cert_pem, wild.key_pem}, {second_hosts, 2, second.cert_pem, second.key_pem}};
	struct tls_server_config cfg = {.cert = site.cert_pem,
		.key = site.key_pem,
		.client_auth = TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY,
		.client_ca = ca.cert_pem,
		.names = names,
		.nnames = 2};
	static const struct {
		const char *sni;
		const char *subject;
	} rows[] = {
		{NULL, "/CN=site"},
		{"site.test", "/CN=site"},
		{"unknown.test", "/CN=site"},
		{"second.test", "/CN=second"},
		{"SECOND.TEST", "/CN=second"},
		{"second.test.", "/CN=second"},
		{"a.wild.test", "/CN=wild"},
		{"a.second.test", "/CN=wild"},
		{"exact.wild.test", "/CN=second"},
		{"a.b.wild.test", "/CN=site"},
		{".wild.test", "/CN=site"},
		{"wild.test", "/CN=site"},
		{".", "/CN=site"},
	};
	struct tls_server *s;
	struct err e;

	(void)state;
	assert_int_equal(tls_server_new(&cfg, &s, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		SSL_CTX *ctx = raw_ctx(&client_ok), *anonymous = raw_ctx(NULL);
		char subject[64];
		struct raw x;

		raw_open(&x, ctx, s, NULL, rows[i].sni);
		assert_true(raw_converse(&x));
		X509_NAME_oneline(X509_get_subject_name(SSL_get0_peer_certificate(x.ssl)), subject, sizeof(subject));
		assert_string_equal(subject, rows[i].subject);
		/* Whatever the name, the client's certificate is asked for and verified. */
		assert_true(transport_peer_subject(x.server, subject, sizeof(subject)));
		raw_close(&x);
		raw_open(&x, anonymous, s, NULL, rows[i].sni);
		assert_false(raw_converse(&x));
		raw_close(&x);
		SSL_CTX_free(anonymous);
		SSL_CTX_free(ctx);
	}
	tls_server_unref(s);
}

/* New certificates are for new connections; what cannot be loaded changes nothing. */
static void another_certificate(void **state)
{
	struct tls_server *s = server_of(&site, TLS_CLIENT_AUTH_NONE, NULL);
	struct tls_server_config next = {.cert = second.cert_pem, .key = second.key_pem},
				 bad = {.cert = second.cert_pem, .key = site.key_pem};
	SSL_CTX *ctx = raw_ctx(NULL);
	const char *const subjects[] = {"/CN=site", "/CN=site", "/CN=second"};
	struct raw first;
	struct err e;

	(void)state;
	raw_open(&first, ctx, s, NULL, NULL);
	for (int i = 0; i < 3; i++) {
		char subject[64];
		struct raw x;

		if (i == 1)
			assert_int_equal(tls_server_set(s, &bad, &e), -1);
		else if (i == 2)
			assert_int_equal(tls_server_set(s, &next, &e), 0);
		raw_open(&x, ctx, s, NULL, NULL);
		assert_true(raw_converse(&x));
		X509_NAME_oneline(X509_get_subject_name(SSL_get0_peer_certificate(x.ssl)), subject, sizeof(subject));
		assert_string_equal(subject, subjects[i]);
		raw_close(&x);
	}
	/* Even while its handshake lasts a connection stays with what it began with. */
	assert_true(raw_converse(&first));
	assert_non_null(strstr(
		X509_NAME_oneline(X509_get_subject_name(SSL_get0_peer_certificate(first.ssl)), (char[64]){0}, 64),
		"CN=site"));
	raw_close(&first);
	SSL_CTX_free(ctx);
	tls_server_unref(s);
}

struct changer {
	struct tls_server *server;
	atomic_bool over;
};

static void *change(void *arg)
{
	struct changer *c = arg;
	struct tls_server_config cfg[] = {
		{.cert = second.cert_pem, .key = second.key_pem}, {.cert = site.cert_pem, .key = site.key_pem}};
	struct err e;

	for (int i = 0; !atomic_load(&c->over); i++)
		if (tls_server_set(c->server, &cfg[i % 2], &e) < 0)
			return c;
	return NULL;
}

/* While one thread replaces the certificates, connections of others begin and end. */
static void changes_meanwhile(void **state)
{
	struct changer c = {.server = server_of(&site, TLS_CLIENT_AUTH_NONE, NULL)};
	SSL_CTX *ctx = raw_ctx(NULL);
	pthread_t thread;
	void *failed;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, change, &c), 0);
	for (int i = 0; i < 100; i++) {
		struct raw x;

		raw_open(&x, ctx, c.server, NULL, NULL);
		assert_true(raw_converse(&x));
		raw_close(&x);
	}
	atomic_store(&c.over, true);
	pthread_join(thread, &failed);
	assert_null(failed);
	SSL_CTX_free(ctx);
	tls_server_unref(c.server);
}

/* -- ends -------------------------------------------------------------------------------------------- */

static void end_and_cut(void **state)
{
	struct tls_server *s = server_of(&site, TLS_CLIENT_AUTH_NONE, NULL);
	char text[16];
	struct ends x;

	(void)state;
	/* close_notify ends one way; the other goes on. */
	ends_open(&x, s, ca.cert_pem, "site.test", false);
	converse(&x);
	transport_shutdown(x.client);
	transport_shutdown(x.client);
	assert_int_equal(transport_read(x.server, text, sizeof(text)), 0);
	assert_int_equal(transport_read(x.server, text, sizeof(text)), 0);
	assert_int_equal(transport_write(x.server, "more", 4), 4);
	assert_int_equal(transport_read(x.client, text, sizeof(text)), 4);
	transport_shutdown(x.server);
	assert_int_equal(transport_read(x.client, text, sizeof(text)), 0);
	ends_close(&x);
	/* Without it, it is a cut, also when the descriptor ends in good order. */
	ends_open(&x, s, ca.cert_pem, "site.test", false);
	converse(&x);
	transport_close(x.client);
	x.client = NULL;
	assert_int_equal(transport_read(x.server, text, sizeof(text)), TRANSPORT_FAILED);
	assert_string_equal(transport_error(x.server)->text, "unexpected EOF");
	assert_int_equal(transport_write(x.server, "more", 4), TRANSPORT_FAILED);
	ends_close(&x);
	/* Bytes before the end come before it. */
	ends_open(&x, s, ca.cert_pem, "site.test", false);
	converse(&x);
	assert_int_equal(transport_write(x.client, "last", 4), 4);
	transport_shutdown(x.client);
	assert_int_equal(transport_read(x.server, text, sizeof(text)), 4);
	assert_int_equal(transport_read(x.server, text, sizeof(text)), 0);
	ends_close(&x);
	/* A shutdown before the handshake is just an end. */
	ends_open(&x, s, ca.cert_pem, "site.test", false);
	transport_shutdown(x.client);
	assert_int_equal(transport_read(x.server, text, sizeof(text)), TRANSPORT_FAILED);
	assert_string_equal(transport_error(x.server)->text, "EOF (during the TLS handshake)");
	ends_close(&x);
	tls_server_unref(s);
}

static void garbage_after_the_handshake(void **state)
{
	struct tls_server *s = server_of(&site, TLS_CLIENT_AUTH_NONE, NULL);
	char text[64] = "";
	struct ends x;

	(void)state;
	ends_open(&x, s, ca.cert_pem, "site.test", false);
	converse(&x);
	/* A record with a broken seal behind a good one: the good one is read, then it fails. */
	assert_int_equal(transport_write(x.client, "good", 4), 4);
	assert_true(send(transport_fd(x.client),
			    "\x17\x03\x03\x00\x14"
			    "aaaaaaaaaaaaaaaaaaaa",
			    25, 0) == 25);
	assert_int_equal(read_into(x.server, text, sizeof(text)), 4);
	assert_string_equal(text, "good");
	assert_int_equal(transport_read(x.server, text, sizeof(text)), TRANSPORT_FAILED);
	assert_string_equal(transport_error(x.server)->text, "tls: decryption failed or bad record mac");
	ends_close(&x);
	tls_server_unref(s);
}

/* -- much -------------------------------------------------------------------------------------------- */

static unsigned char pattern_at(size_t i)
{
	return (unsigned char)(i * 2654435761u >> 13);
}

/* Several records that arrive together are all read before AGAIN, since the descriptor says no more about them. */
static void nothing_is_left_unseen(void **state)
{
	struct tls_server *s = server_of(&site, TLS_CLIENT_AUTH_NONE, NULL);
	struct ends x;

	(void)state;
	for (size_t chunk = 1; chunk < 40; chunk += 3) {
		size_t got = 0;
		char text[64];

		ends_open(&x, s, ca.cert_pem, "site.test", false);
		converse(&x);
		for (int i = 0; i < 100; i++)
			assert_int_equal(transport_write(x.client, "0123456789", 10), 10);
		while (got < 1000) {
			struct pollfd p = {.fd = transport_fd(x.server), .events = POLLIN};
			ssize_t n;

			assert_int_equal(poll(&p, 1, 1000), 1);
			do {
				n = transport_read(x.server, text, chunk);
				assert_true(n > 0 || n == TRANSPORT_AGAIN);
				got += n > 0 ? (size_t)n : 0;
			} while (n == (ssize_t)chunk);
		}
		assert_int_equal(got, 1000);
		ends_close(&x);
	}
	tls_server_unref(s);
}

/* Both ways at once, in pieces of odd sizes, against narrow sockets. */
static void large(void **state)
{
	enum { SIZE = 1000 * 1000 };
	struct tls_server *s = server_of(&site, TLS_CLIENT_AUTH_NONE, NULL);
	unsigned char *data = xmalloc(SIZE), *into = xmalloc(100 * 1024);
	size_t sent[2] = {0}, got[2] = {0};
	unsigned seed = 7, again = 0;
	struct transport *t[2];
	struct ends x;

	(void)state;
	for (size_t i = 0; i < SIZE; i++)
		data[i] = pattern_at(i);
	ends_open(&x, s, ca.cert_pem, "site.test", false);
	t[0] = x.client;
	t[1] = x.server;
	for (int turns = 0; got[0] < SIZE || got[1] < SIZE; turns++) {
		assert_true(turns < 1000000);
		for (int k = 0; k < 2; k++) {
			size_t left = SIZE - sent[k], first, want = 1 + (size_t)(rand_r(&seed) % (100 * 1024 - 1));
			struct iovec iov[3];
			ssize_t n = 0;

			/* The same bytes are offered again, and often more. */
			first = left < 100 ? left : (size_t)(rand_r(&seed) % 100);
			iov[0] = (struct iovec){data + sent[k], first};
			iov[1] = (struct iovec){data + sent[k] + first, 0};
			iov[2] = (struct iovec){data + sent[k] + first, left - first};
			if (left > 0)
				n = transport_writev(t[k], iov, 3);
			assert_int_not_equal(n, TRANSPORT_FAILED);
			again += n == TRANSPORT_AGAIN;
			sent[k] += n > 0 ? (size_t)n : 0;
			n = transport_read(t[!k], into, want);
			assert_true(n > 0 || n == TRANSPORT_AGAIN);
			if (n > 0) {
				assert_memory_equal(into, data + got[!k], (size_t)n);
				got[!k] += (size_t)n;
			}
		}
	}
	assert_int_equal(sent[0], SIZE);
	assert_int_equal(sent[1], SIZE);
	assert_true(again > 2);
	ends_close(&x);
	free(data);
	free(into);
	tls_server_unref(s);
}

/* -- contexts that cannot be ------------------------------------------------------------------------- */

static void bad_texts(void **state)
{
	static const char garbage[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
	static const char no_cert[] = "failed to load TLS cert/key: tls: failed to find any PEM data in certificate "
				      "input, or it cannot be read";
	static const char no_key[] = "failed to load TLS cert/key: tls: failed to parse private key";
	static const char no_match[] = "failed to load TLS cert/key: tls: private key does not match public key";
	static const char no_ca[] = "client_ca PEM contains no valid certificates";
	char *half = xmemdupz(site.key_pem, strlen(site.key_pem) / 2);
	char *broken_chain = xmalloc(strlen(site.cert_pem) + sizeof(garbage));
	const struct tls_server_name bad_name = {NULL, 0, site.cert_pem, second.key_pem};
	const struct {
		struct tls_server_config cfg;
		const char *error;
	} rows[] = {
		{{.cert = "", .key = ""}, no_cert},
		{{.cert = "no PEM", .key = site.key_pem}, no_cert},
		{{.cert = garbage, .key = site.key_pem}, no_cert},
		{{.cert = site.key_pem, .key = site.key_pem}, no_cert},
		{{.cert = broken_chain, .key = site.key_pem}, no_cert},
		{{.cert = site.cert_pem, .key = ""}, no_key},
		{{.cert = site.cert_pem, .key = half}, no_key},
		{{.cert = site.cert_pem, .key = site.cert_pem}, no_key},
		{{.cert = site.cert_pem, .key = second.key_pem}, no_match},
		{{.cert = site.cert_pem, .key = site.key_pem, .names = &bad_name, .nnames = 1}, no_match},
		{{.cert = site.cert_pem, .key = site.key_pem, .client_auth = TLS_CLIENT_AUTH_REQUEST, .client_ca = "x"},
			no_ca},
		{{.cert = site.cert_pem,
			 .key = site.key_pem,
			 .client_auth = TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY,
			 .client_ca = site.key_pem},
			no_ca},
	};
	struct tls_server *s;
	struct tls_client *c;
	struct err e;

	(void)state;
	strcpy(broken_chain, site.cert_pem);
	strcat(broken_chain, garbage);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(tls_server_new(&rows[i].cfg, &s, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
		assert_string_equal(e.text, rows[i].error);
		assert_int_equal(ERR_peek_error(), 0);
	}
	assert_int_equal(tls_client_new("", &c, &e), -1);
	assert_string_equal(e.text, "parse CA certificate: no valid certificates found");
	free(half);
	free(broken_chain);
}

/* Key and certificate in one text, with words around them, is what many tools write. */
static void one_text_for_both(void **state)
{
	size_t n = strlen(site.cert_pem) + strlen(site.key_pem) + 64;
	char *both = xmalloc(n);
	struct tls_server_config cfg = {.cert = both, .key = both};
	struct tls_server *s;
	struct ends x;
	struct err e;

	(void)state;
	snprintf(both, n, "Bag Attributes\n%s\nkey:\n%s", site.cert_pem, site.key_pem);
	assert_int_equal(tls_server_new(&cfg, &s, &e), 0);
	free(both);
	ends_open(&x, s, ca.cert_pem, "site.test", false);
	converse(&x);
	assert_string_equal(x.client_got, "pong");
	ends_close(&x);
	tls_server_unref(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(plain_never_waits),
		cmocka_unit_test(whole_and_byte_by_byte),
		cmocka_unit_test(cut_at_each_byte),
		cmocka_unit_test(events),
		cmocka_unit_test(verification),
		cmocka_unit_test(hosts_that_are_none),
		cmocka_unit_test(server_is_no_tls),
		cmocka_unit_test(client_is_no_tls),
		cmocka_unit_test(client_certificates),
		cmocka_unit_test(subject_is_whole_or_none),
		cmocka_unit_test(resumption),
		cmocka_unit_test(old_versions),
		cmocka_unit_test(no_renegotiation),
		cmocka_unit_test(protocols),
		cmocka_unit_test(certificate_by_name),
		cmocka_unit_test(another_certificate),
		cmocka_unit_test(changes_meanwhile),
		cmocka_unit_test(end_and_cut),
		cmocka_unit_test(garbage_after_the_handshake),
		cmocka_unit_test(nothing_is_left_unseen),
		cmocka_unit_test(large),
		cmocka_unit_test(bad_texts),
		cmocka_unit_test(one_text_for_both),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
