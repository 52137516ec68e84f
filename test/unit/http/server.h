/*
 * server.h - an HTTP server for tests that does as the path says, well or badly: one thread a connection, blocking,
 * on a loopback port of its own. It counts connections and requests.
 */
#ifndef TEST_HTTP_SERVER_H
#define TEST_HTTP_SERVER_H

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { SERVER_BOMB_ZEROS = 387, SERVER_CONNS_MAX = 512, SERVER_HEAD_MAX = 64 * 1024 };

struct server {
	int fd;
	int port;
	SSL_CTX *tls; /* NULL: plain */
	pthread_t thread;
	pthread_t conn_threads[SERVER_CONNS_MAX];
	atomic_int conn_fds[SERVER_CONNS_MAX];
	atomic_int nconns;
	atomic_int nrequests;
	atomic_int nclosed; /* connections whose client went away or that we closed */
	atomic_bool mute;   /* accept, then never say a word */
	char sni[256];      /* asked for in the last handshake */
};

struct server_conn {
	struct server *s;
	int fd;
	int index;
	SSL *ssl;
	char head[SERVER_HEAD_MAX]; /* of the present request */
	char *body;
	size_t body_len;
	size_t have; /* bytes read past the head so far */
};

static bool srv_write(struct server_conn *c, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = c->ssl ? SSL_write(c->ssl, p, (int)len) : send(c->fd, p, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static ssize_t srv_read(struct server_conn *c, void *out, size_t len)
{
	return c->ssl ? SSL_read(c->ssl, out, (int)len) : recv(c->fd, out, len, 0);
}

static bool srv_puts(struct server_conn *c, const char *s)
{
	return srv_write(c, s, strlen(s));
}

static bool srv_reply(struct server_conn *c, const char *status, const char *headers, const void *body, size_t len)
{
	char head[8192];

	snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n", status, len, headers);
	return srv_puts(c, head) && (len == 0 || srv_write(c, body, len));
}

/* Wait until the client closes. */
static void srv_wait_end(struct server_conn *c)
{
	char byte;

	while (srv_read(c, &byte, 1) > 0)
		;
}

static size_t srv_bomb(char *out)
{
	/* 400,000 zero bytes under gzip. */
	static const char front[] =
		"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xed\xc1\x31\x01\x00\x00\x00\xc2\xa0\xf5\x4f\x6d\x0a\x3f\xa0";
	static const char back[] = "\xe0\x6f\x71\x3d\x59\x5e\x80\x1a\x06\x00";

	memcpy(out, front, sizeof(front) - 1);
	memset(out + sizeof(front) - 1, 0, SERVER_BOMB_ZEROS);
	memcpy(out + sizeof(front) - 1 + SERVER_BOMB_ZEROS, back, sizeof(back) - 1);
	return sizeof(front) - 1 + SERVER_BOMB_ZEROS + sizeof(back) - 1;
}

static bool srv_is(const char *path, const char *want)
{
	size_t n = strlen(want);

	return strncmp(path, want, n) == 0 && (path[n] == '\0' || path[n] == '?' || path[n] == '/');
}

/* The value of ?name=, up to the end of the path; only one parameter may follow another with '&' before it. */
static bool srv_param(const char *path, const char *name, char *out, size_t cap)
{
	char key[32];
	const char *p;
	size_t n;

	snprintf(key, sizeof(key), "%s=", name);
	p = strstr(path, key);
	if (!p)
		return false;
	p += strlen(key);
	/* `to` is last and may hold '&' and '?' itself. */
	n = strcmp(name, "to") == 0 ? strlen(p) : strcspn(p, "&");
	assert(n < cap);
	memcpy(out, p, n);
	out[n] = '\0';
	return true;
}

/* Answer one request; false: close the connection. */
static bool srv_answer(struct server_conn *c, const char *method, const char *path, const char *version)
{
	static const char gz[] = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\x57\xc8\xa0\x3b\x09\x00"
				 "\x2f\xfa\xf8\x48\x78\x00\x00\x00"; /* "hello " twenty times */
	char text[2048], to[1024];

	(void)version;
	if (srv_is(path, "/hello"))
		return strcmp(method, "HEAD") == 0 ? srv_puts(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
						   : srv_reply(c, "200 OK", "Content-Type: text/plain\r\n", "hello", 5);
	if (srv_is(path, "/echo")) {
		size_t head = strlen(c->head);
		char *all = malloc(head + c->body_len + 1);
		bool ok;

		memcpy(all, c->head, head);
		if (c->body_len)
			memcpy(all + head, c->body, c->body_len);
		ok = srv_reply(c, "200 OK", "", all, head + c->body_len);
		free(all);
		return ok;
	}
	if (srv_is(path, "/status")) {
		snprintf(text, sizeof(text), "%.3s Word", path + 8);
		return atoi(path + 8) == 204 ? srv_puts(c, "HTTP/1.1 204 No Content\r\n\r\n")
					     : srv_reply(c, text, "", "body", 4);
	}
	if (srv_is(path, "/redirect")) {
		char code[8] = "302", headers[1200] = "";

		srv_param(path, "code", code, sizeof(code));
		if (srv_param(path, "to", to, sizeof(to)))
			snprintf(headers, sizeof(headers), "Location: %s\r\n", to);
		snprintf(text, sizeof(text), "%s Moved", code);
		/* A 304 never has a body (RFC 9110 section 15.4.5). */
		return srv_reply(c, text, headers, "moved", strcmp(code, "304") == 0 ? 0 : 5);
	}
	if (srv_is(path, "/chain")) { /* /chain/N goes to /chain/N-1, /chain/0 is there */
		int n = atoi(path + 7);
		char headers[64];

		if (n == 0)
			return srv_reply(c, "200 OK", "", "end", 3);
		snprintf(headers, sizeof(headers), "Location: /chain/%d\r\n", n - 1);
		return srv_reply(c, "301 Moved", headers, "", 0);
	}
	if (srv_is(path, "/bigredirect")) {
		srv_puts(c, "HTTP/1.1 302 Found\r\nLocation: /hello\r\nContent-Length: 10000000\r\n\r\n");
		memset(text, 'x', sizeof(text));
		for (int i = 0; i < 10000000 / (int)sizeof(text) + 1; i++) {
			if (!srv_write(c, text, sizeof(text)))
				break;
		}
		return false;
	}
	if (srv_is(path, "/gzip"))
		return srv_reply(c, "200 OK", "Content-Encoding: gzip\r\nX-Kept: 1\r\n", gz, sizeof(gz) - 1);
	if (srv_is(path, "/badgzip"))
		return srv_reply(c, "200 OK", "Content-Encoding: gzip\r\n", "this is not gzip at all", 23);
	if (srv_is(path, "/othercoding"))
		return srv_reply(c, "200 OK", "Content-Encoding: br\r\n", "raw bytes", 9);
	if (srv_is(path, "/bomb"))
		return srv_reply(c, "200 OK", "Content-Encoding: gzip\r\n", text, srv_bomb(text));
	if (srv_is(path, "/big")) {
		size_t n = (size_t)atol(path + 5);
		char *big = malloc(n + 1);
		bool ok;

		for (size_t i = 0; i < n; i++)
			big[i] = (char)('a' + i % 26);
		ok = srv_reply(c, "200 OK", "", big, n);
		free(big);
		return ok;
	}
	if (srv_is(path, "/chunked"))
		return srv_puts(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n"
				   "5\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n");
	if (srv_is(path, "/hints"))
		return srv_puts(c, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n") &&
		       srv_reply(c, "200 OK", "X-Final: 1\r\n", "ok", 2);
	if (srv_is(path, "/fields"))
		return srv_reply(c, "200 OK",
			"set-cookie: a=1\r\nx-request-ID: \t one two \t\r\nSet-Cookie: b=2\r\nX-Fold: one\r\n  "
			"two\r\nX-Empty:\r\n",
			"", 0);
	if (srv_is(path, "/manyheaders")) {
		srv_puts(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
		for (int i = 0; i < 2000; i++)
			srv_puts(c, "X-A: 1\r\n");
		return srv_puts(c, "\r\n");
	}
	if (srv_is(path, "/bigheader")) {
		srv_puts(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
		memset(text, 'x', sizeof(text));
		for (int i = 0; i < 200; i++) {
			srv_puts(c, "X-B: ");
			srv_write(c, text, sizeof(text));
			srv_puts(c, "\r\n");
		}
		return srv_puts(c, "\r\n");
	}
	if (srv_is(path, "/noreply"))
		return false;
	if (srv_is(path, "/reset")) {
		struct linger hard = {.l_onoff = 1, .l_linger = 0};

		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		return false;
	}
	if (srv_is(path, "/short")) {
		srv_puts(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
		return false;
	}
	if (srv_is(path, "/garbage")) {
		srv_puts(c, "220 smtp.example ready\r\n\r\n");
		return false;
	}
	if (srv_is(path, "/silent")) {
		srv_wait_end(c);
		return false;
	}
	if (srv_is(path, "/slowbody")) {
		srv_puts(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n01234");
		srv_wait_end(c);
		return false;
	}
	if (srv_is(path, "/thenclose")) { /* promise to stay, then go once the next request is there */
		char byte;

		if (!srv_reply(c, "200 OK", "", "ok", 2))
			return false;
		srv_read(c, &byte, 1);
		return false;
	}
	if (srv_is(path, "/unasked")) /* an answer to a request nobody made follows */
		return srv_puts(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
				   "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
	return srv_reply(c, "404 Not Found", "", "", 0);
}

static bool srv_request(struct server_conn *c)
{
	size_t n = 0;
	char method[32], path[1500], version[16];
	const char *length;

	/* Byte by byte, so that the next request is never read too early. */
	while (n < sizeof(c->head) - 1) {
		if (srv_read(c, c->head + n, 1) <= 0)
			return false;
		n++;
		if (n >= 4 && memcmp(c->head + n - 4, "\r\n\r\n", 4) == 0)
			break;
	}
	c->head[n] = '\0';
	atomic_fetch_add(&c->s->nrequests, 1);
	if (sscanf(c->head, "%31s %1499s %15s", method, path, version) != 3)
		return false;
	free(c->body);
	c->body = NULL;
	c->body_len = 0;
	length = strcasestr(c->head, "\r\nContent-Length:");
	if (length) {
		c->body_len = (size_t)atol(length + 17);
		c->body = malloc(c->body_len + 1);
		for (size_t have = 0; have < c->body_len;) {
			ssize_t got = srv_read(c, c->body + have, c->body_len - have);

			if (got <= 0)
				return false;
			have += (size_t)got;
		}
	}
	return srv_answer(c, method, path, version);
}

static void *srv_conn_main(void *arg)
{
	struct server_conn *c = arg;

	if (atomic_load(&c->s->mute)) {
		char byte;

		while (recv(c->fd, &byte, 1, 0) > 0)
			;
		goto out;
	}
	if (c->s->tls) {
		const char *name;

		c->ssl = SSL_new(c->s->tls);
		SSL_set_fd(c->ssl, c->fd);
		if (SSL_accept(c->ssl) != 1)
			goto out;
		name = SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name);
		snprintf(c->s->sni, sizeof(c->s->sni), "%s", name ? name : "");
	}
	while (srv_request(c))
		;
out:
	if (c->ssl)
		SSL_free(c->ssl);
	free(c->body);
	atomic_store(&c->s->conn_fds[c->index], -1);
	atomic_fetch_add(&c->s->nclosed, 1);
	close(c->fd);
	free(c);
	return NULL;
}

static void *srv_main(void *arg)
{
	struct server *s = arg;

	for (;;) {
		int fd = accept(s->fd, NULL, NULL);
		struct server_conn *c;
		int i;

		if (fd < 0)
			return NULL;
		i = atomic_load(&s->nconns);
		assert(i < SERVER_CONNS_MAX);
		c = calloc(1, sizeof(*c));
		c->s = s;
		c->fd = fd;
		c->index = i;
		atomic_store(&s->conn_fds[i], fd);
		/* Counted before it can answer; whoever joins the threads has joined this one first. */
		atomic_store(&s->nconns, i + 1);
		pthread_create(&s->conn_threads[i], NULL, srv_conn_main, c);
	}
}

static void server_start(struct server *s, SSL_CTX *tls)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);

	memset(s, 0, sizeof(*s));
	s->tls = tls;
	s->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert(bind(s->fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(s->fd, 128) == 0);
	getsockname(s->fd, (struct sockaddr *)&a, &len);
	s->port = ntohs(a.sin_port);
	pthread_create(&s->thread, NULL, srv_main, s);
}

static inline void server_start_unix(struct server *s, const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	memset(s, 0, sizeof(*s));
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	s->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert(bind(s->fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(s->fd, 128) == 0);
	pthread_create(&s->thread, NULL, srv_main, s);
}

static void server_stop(struct server *s)
{
	int n;

	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	n = atomic_load(&s->nconns);
	for (int i = 0; i < n; i++) {
		int fd = atomic_load(&s->conn_fds[i]);

		if (fd >= 0)
			shutdown(fd, SHUT_RDWR);
		pthread_join(s->conn_threads[i], NULL);
	}
}

#endif
