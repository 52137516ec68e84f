/*
 * fixture.h - one loop, one client, one server, and requests made as if they were plain calls. Also a guard: libcurl
 * must not look a name up or connect a socket that is not connected yet, in any test.
 */
#ifndef TEST_HTTP_FIXTURE_H
#define TEST_HTTP_FIXTURE_H

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "http/client.h"
#include "loop/loop.h"
#include "net/addr.h"
#include "server.h"

/* -- what libcurl does behind our back ------------------------------------------------------------------ */

static atomic_int curl_lookups;    /* names */
static atomic_int curl_sockets;    /* internet stream sockets */
static atomic_int curl_connects;   /* on a socket that leads nowhere yet */
static atomic_int curl_reconnects; /* on one that is connected: what 7.88 does with ours */
static atomic_int curl_reconnect_errors;

static bool is_curl(void *caller)
{
	Dl_info info;

	return dladdr(caller, &info) && info.dli_fname && strstr(info.dli_fname, "libcurl");
}

int connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	static int (*real)(int, const struct sockaddr *, socklen_t);
	struct sockaddr_storage peer;
	socklen_t peer_len = sizeof(peer);
	bool ours = is_curl(__builtin_return_address(0)) && sa->sa_family != AF_UNIX, connected;
	int rc;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "connect");
	connected = ours && getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0;
	rc = real(fd, sa, len);
	if (ours) {
		atomic_fetch_add(connected ? &curl_reconnects : &curl_connects, 1);
		if (connected && rc != 0)
			atomic_fetch_add(&curl_reconnect_errors, 1);
	}
	return rc;
}

int socket(int domain, int type, int protocol)
{
	static int (*real)(int, int, int);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "socket");
	if ((domain == AF_INET || domain == AF_INET6) && (type & 0xf) == SOCK_STREAM &&
		is_curl(__builtin_return_address(0)))
		atomic_fetch_add(&curl_sockets, 1);
	return real(domain, type, protocol);
}

/* Every name under .test is this machine, and no other name exists. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	size_t n = host ? strlen(host) : 0;
	struct addrinfo four = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	if (is_curl(__builtin_return_address(0)))
		atomic_fetch_add(&curl_lookups, 1);
	if (n > 5 && strcmp(host + n - 5, ".test") == 0) {
		(void)hints;
		return real("127.0.0.1", service, &four, ret);
	}
	return EAI_NONAME;
}

/* -- plain calls ---------------------------------------------------------------------------------------- */

struct fixture {
	struct loop *loop;
	struct http_client *client;
	struct server server;
	struct loop_timer guard;
};

struct result {
	struct fixture *f;
	bool called;
	bool failed;
	bool keep_running; /* do not stop the loop */
	int status;
	char *url;
	char *headers; /* "Name: value\n" ... */
	char *body;
	size_t body_len;
	bool reused;
	struct err err;
};

static void guard_fired(struct loop_timer *t)
{
	(void)t;
	fprintf(stderr, "the test hangs\n");
	abort();
}

static inline void fixture_open(struct fixture *f, const struct http_client_config *cfg, SSL_CTX *tls)
{
	static const struct http_client_config defaults = {30000, 90000, 100, 10};

	signal(SIGPIPE, SIG_IGN);
	memset(f, 0, sizeof(*f));
	f->loop = loop_new();
	f->client = http_client_new(f->loop, cfg ? cfg : &defaults);
	server_start(&f->server, tls);
	loop_timer_init(&f->guard, f->loop, guard_fired);
}

static inline void fixture_close(struct fixture *f)
{
	http_client_free(f->client);
	server_stop(&f->server);
	loop_timer_stop(&f->guard);
	loop_free(f->loop);
	assert_int_equal(curl_lookups, 0);
	assert_int_equal(curl_sockets, 0);
	assert_int_equal(curl_connects, 0);
	assert_int_equal(curl_reconnect_errors, 0);
}

static inline void run_loop(struct fixture *f)
{
	loop_timer_start_ms(&f->guard, 20000);
	loop_run(f->loop);
	loop_timer_stop(&f->guard);
}

static void sleep_fired(struct loop_timer *t)
{
	loop_stop(t->loop);
}

/* Let the loop turn for a while. */
static inline void run_for_ms(struct fixture *f, unsigned ms)
{
	struct loop_timer t;

	loop_timer_init(&t, f->loop, sleep_fired);
	loop_timer_start_ms(&t, ms);
	run_loop(f);
	loop_timer_stop(&t);
}

static inline void result_done(struct result *r)
{
	free(r->url);
	free(r->headers);
	free(r->body);
	memset(r, 0, sizeof(*r));
}

static void take_result(void *arg, const struct http_response *r, const struct err *e)
{
	struct result *res = arg;
	struct buf b = BUF_INIT;

	assert_false(res->called);
	assert_true(!r != !e);
	res->called = true;
	res->failed = e != NULL;
	if (e) {
		res->err = *e;
	} else {
		res->status = r->status;
		res->url = xstrdup(r->url);
		res->reused = r->reused;
		for (size_t i = 0; i < r->nheaders; i++)
			buf_addf(&b, "%s: %s\n", r->headers[i].name, r->headers[i].value);
		buf_adds(&b, "");
		res->headers = xstrdup(buf_str(&b));
		buf_done(&b);
		if (r->body)
			res->body = buf_detach(r->body, &res->body_len);
	}
	if (!res->keep_running)
		loop_stop(res->f->loop);
}

static inline void send_request(struct fixture *f, const struct http_request *req, struct result *r)
{
	result_done(r);
	r->f = f;
	http_client_start(f->client, req, take_result, r);
	assert_false(r->called); /* always later */
	run_loop(f);
	assert_true(r->called);
}

/* "%s/path" on the fixture's server. */
static inline const char *server_url(struct fixture *f, const char *path)
{
	static char text[4096];

	snprintf(text, sizeof(text), "%s://127.0.0.1:%d%s", f->server.tls ? "https" : "http", f->server.port, path);
	return text;
}

static inline void get(struct fixture *f, const char *url, struct result *r)
{
	send_request(f, &(struct http_request){.method = "GET", .url = url}, r);
}

/* The texts say what both were when they differ. */
#define check_has(text, part)                                                \
	do {                                                                 \
		if (!strstr((text), (part)))                                 \
			fail_msg("\"%s\" is not in \"%s\"", (part), (text)); \
	} while (0)

#define check_lacks(text, part)                                          \
	do {                                                             \
		if (strstr((text), (part)))                              \
			fail_msg("\"%s\" is in \"%s\"", (part), (text)); \
	} while (0)

#define check_ok(r, want_status, want_body)                                   \
	do {                                                                  \
		if ((r)->failed)                                              \
			fail_msg("failed: %s", (r)->err.text);                \
		assert_int_equal((r)->status, (want_status));                 \
		assert_string_equal((r)->body ? (r)->body : "", (want_body)); \
	} while (0)

#define check_fails(r, words)                                                                  \
	do {                                                                                   \
		if (!(r)->failed)                                                              \
			fail_msg("status %d where \"%s\" was expected", (r)->status, (words)); \
		check_has((r)->err.text, (words));                                             \
		assert_int_equal((r)->err.kind, ERR_INTERNAL);                                 \
		assert_int_equal((r)->err.retry, ERR_RETRY_YES);                               \
	} while (0)

#endif
