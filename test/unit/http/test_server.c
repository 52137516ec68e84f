/* The server, seen through raw sockets. */
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "../../../src/http/server.h" /* this folder has a server.h of its own */

/* -- a server on a thread of its own ------------------------------------------------------------------- */

struct rig {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t ready;
	struct loop *loop;
	struct http_server *server;
	struct http_server_config config;
	int port;
	unsigned cut;
	struct loop_post stop;
	uint64_t stop_ms;
	atomic_int begun;   /* requests that wait for ever */
	atomic_int gone;    /* on_gone calls */
	atomic_int ended;   /* end hooks */
	atomic_int written; /* bytes of the big body accepted so far */
};

static struct rig rig;

static void say(struct exchange *x, const char *text)
{
	exchange_write(x, text, strlen(text));
}

static void serve_hello(void *arg, struct exchange *x)
{
	(void)arg;
	exchange_set_header(x, "Content-Type", "text/plain", SIZE_MAX);
	say(x, "hello");
	exchange_end(x);
}

static void serve_param(void *arg, struct exchange *x)
{
	(void)arg;
	say(x, exchange_param(x, "who"));
	say(x, " via ");
	say(x, exchange_route(x));
	exchange_end(x);
}

struct later {
	struct loop_timer timer;
	struct exchange *x;
};

static void answer_later(struct loop_timer *t)
{
	struct later *l = container_of(t, struct later, timer);

	say(l->x, "later");
	exchange_end(l->x);
	free(l);
}

static void serve_later(void *arg, struct exchange *x)
{
	struct later *l = xcalloc(1, sizeof(*l));

	(void)arg;
	l->x = x;
	loop_timer_init(&l->timer, exchange_loop(x), answer_later);
	loop_timer_start_ms(&l->timer, 60);
}

static void echo_more(void *arg)
{
	struct exchange *x = arg;
	struct buf b = BUF_INIT;
	size_t *total = exchange_attached(x, &rig);

	for (;;) {
		switch (exchange_body_read(x, &b, 10000)) {
		case EXCHANGE_BODY_DATA:
			*total += buf_len(&b);
			buf_clear(&b);
			continue;
		case EXCHANGE_BODY_WAIT:
			exchange_body_wait(x, echo_more, x);
			break;
		case EXCHANGE_BODY_END:
			buf_addf(&b, "%zu bytes", *total);
			exchange_write(x, buf_data(&b), buf_len(&b));
			exchange_end(x);
			break;
		case EXCHANGE_BODY_TOO_LARGE:
			exchange_answer_text(x, 413, "too large");
			break;
		case EXCHANGE_BODY_GONE:
			exchange_end(x);
			break;
		}
		break;
	}
	buf_done(&b);
}

static void serve_echo(void *arg, struct exchange *x)
{
	exchange_attach(x, &rig, xcalloc(1, sizeof(size_t)), free);
	if (arg)
		exchange_body_limit(x, 1000);
	echo_more(x);
}

static void serve_stream(void *arg, struct exchange *x)
{
	(void)arg;
	say(x, "one,");
	exchange_flush(x);
	say(x, "two,");
	exchange_flush(x);
	say(x, "three");
	exchange_end(x);
}

enum { BIG = 64 * 1024 * 1024 };

static void more_of_big(void *arg)
{
	static char block[64 * 1024];
	struct exchange *x = arg;
	size_t *n = exchange_attached(x, &rig);

	while (*n < BIG && exchange_pending(x) < EXCHANGE_PENDING_HIGH) {
		if (!exchange_write(x, block, sizeof(block)))
			break;
		*n += sizeof(block);
		atomic_store(&rig.written, (int)*n);
	}
	if (*n >= BIG || exchange_is_gone(x))
		exchange_end(x);
	else
		exchange_on_drain(x, more_of_big, x);
}

static void serve_big(void *arg, struct exchange *x)
{
	(void)arg;
	exchange_attach(x, &rig, xcalloc(1, sizeof(size_t)), free);
	more_of_big(x);
}

static void on_gone(void *arg)
{
	atomic_fetch_add(&rig.gone, 1);
	exchange_end(arg);
}

static void serve_never(void *arg, struct exchange *x)
{
	(void)arg;
	exchange_on_gone(x, on_gone, x);
	atomic_fetch_add(&rig.begun, 1);
}

static void serve_no_body(void *arg, struct exchange *x)
{
	(void)arg;
	exchange_commit(x, 204);
	assert_false(exchange_write(x, "x", 1));
	exchange_end(x);
}

static void upgraded(void *arg, struct transport *t, const void *early, size_t nearly)
{
	(void)arg;
	if (!t)
		return;
	dprintf(transport_fd(t), "[%.*s]", (int)nearly, (const char *)early);
	transport_close(t);
}

static void serve_upgrade(void *arg, struct exchange *x)
{
	(void)arg;
	exchange_set_header(x, "Upgrade", "test", SIZE_MAX);
	if (!exchange_upgrade(x, upgraded, NULL))
		exchange_answer_text(x, 426, "upgrade, please");
}

static void serve_hints(void *arg, struct exchange *x)
{
	(void)arg;
	exchange_set_header(x, "Link", "</style.css>", SIZE_MAX);
	assert_false(exchange_interim(x, 100));
	assert_false(exchange_interim(x, 200));
	if (!exchange_interim(x, 103))
		say(x, "too old");
	exchange_commit(x, 200);
	assert_false(exchange_interim(x, 103));
	exchange_end(x);
}

static void serve_peer(void *arg, struct exchange *x)
{
	const struct value *who = exchange_identity(x) ? value_get(exchange_identity(x), "user") : NULL;

	(void)arg;
	say(x, exchange_remote(x));
	say(x, exchange_is_tls(x) ? " tls " : " plain ");
	say(x, who ? value_get_string(who, NULL) : "nobody");
	exchange_end(x);
}

/* Promises more, or less, than it says. */
static void serve_promise(void *arg, struct exchange *x)
{
	exchange_set_header(x, "Content-Length", arg ? "3" : "10", SIZE_MAX);
	say(x, "hello");
	exchange_flush(x);
	exchange_end(x);
}

static void serve_header(void *arg, struct exchange *x)
{
	struct buf b = BUF_INIT;

	(void)arg;
	exchange_set_header(x, "X-Bad", "a\r\nInjected: 1", SIZE_MAX);
	exchange_add_header(x, "Set-Cookie", "a=1", SIZE_MAX);
	exchange_add_header(x, "Set-Cookie", "b=2", SIZE_MAX);
	assert_false(exchange_set_header(x, "bad name", "v", SIZE_MAX));
	exchange_header_joined(x, "x-many", &b);
	exchange_write(x, buf_data(&b), buf_len(&b));
	buf_done(&b);
	exchange_end(x);
}

/* A middleware with everything: a header at the head, upper case in the body, and `later`. */
static int loud_create(void *env, const struct value *options, void **ret_self, struct err *e)
{
	(void)env, (void)options, (void)e;
	*ret_self = xcalloc(1, 1);
	return 0;
}

static void loud_resume(struct loop_timer *t)
{
	struct later *l = container_of(t, struct later, timer);
	struct exchange *x = l->x;

	free(l);
	middleware_resume(x);
	exchange_unref(x);
}

static enum middleware_next loud_begin(void *self, struct exchange *x)
{
	struct later *l = xcalloc(1, sizeof(*l));

	(void)self;
	assert_null(exchange_route(x));
	middleware_wants_body(x);
	l->x = exchange_ref(x);
	loop_timer_init(&l->timer, exchange_loop(x), loud_resume);
	loop_timer_start_ms(&l->timer, 1);
	return MIDDLEWARE_LATER;
}

static void shout(void *state, const void *data, size_t len, enum middleware_filter_step step, struct buf *out)
{
	(void)state;
	for (size_t i = 0; i < len; i++)
		buf_addc(out, (char)(((const char *)data)[i] & ~0x20));
	if (step == MIDDLEWARE_FILTER_END)
		buf_addc(out, '!');
}

static void loud_head(void *self, struct exchange *x)
{
	(void)self;
	middleware_set_header(x, "X-Loud", "yes");
	middleware_filter(x, shout, NULL, NULL);
}

static void loud_end(void *self, struct exchange *x)
{
	(void)self, (void)x;
	atomic_fetch_add(&rig.ended, 1);
}

static const struct middleware_type loud = {"loud", loud_create, free, loud_begin, loud_head, loud_end};
static const struct middleware_type *const types[] = {&loud, NULL};

static struct middleware_chain *loud_chain;

static const struct {
	const char *method, *path;
	void (*serve)(void *arg, struct exchange *x);
	void *arg;
	bool loud;
} table[] = {
	{"GET", "/hello", serve_hello, NULL, false},
	{"GET", "/to/{who}", serve_param, NULL, false},
	{"GET", "/later", serve_later, NULL, false},
	{"POST", "/echo", serve_echo, NULL, false},
	{"POST", "/small", serve_echo, &rig, false},
	{"POST", "/early", serve_hello, NULL, false},
	{"POST", "/latepost", serve_later, NULL, false},
	{"GET", "/stream", serve_stream, NULL, false},
	{"GET", "/big", serve_big, NULL, false},
	{"GET", "/never", serve_never, NULL, false},
	{"GET", "/nobody", serve_no_body, NULL, false},
	{"GET", "/upgrade", serve_upgrade, NULL, false},
	{"GET", "/header", serve_header, NULL, false},
	{"GET", "/hints", serve_hints, NULL, false},
	{"GET", "/peer", serve_peer, NULL, false},
	{"GET", "/less", serve_promise, NULL, false},
	{"GET", "/more", serve_promise, &rig, false},
	{"GET", "/loud", serve_hello, NULL, true},
	{"GET", "/loudstream", serve_stream, NULL, true},
	{"GET", "/sub/", serve_hello, NULL, false},
};

static struct http_target targets[ARRAY_LEN(table)];

static struct http_site *make_site(void)
{
	struct route_table *t = route_table_new();
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct route_spec spec = {.method = table[i].method, .path = table[i].path, .data = &targets[i]};

		targets[i] = (struct http_target){.is_endpoint = true, .serve = table[i].serve, .arg = table[i].arg};
		if (table[i].loud)
			targets[i].outer = loud_chain;
		assert_int_equal(route_add(t, &spec, &e), 0);
	}
	assert_int_equal(route_table_build(t, &e), 0);
	return http_site_new(t, NULL, NULL);
}

static void stopped(void *arg, unsigned cut)
{
	(void)arg;
	rig.cut = cut;
	loop_stop(rig.loop);
}

static void stop_now(struct loop_post *p)
{
	(void)p;
	http_server_stop(rig.server, rig.stop_ms, stopped, NULL);
}

static void *run(void *arg)
{
	struct http_site *site;
	struct err e;

	(void)arg;
	rig.loop = loop_new();
	rig.config.addr = "127.0.0.1:0";
	rig.config.loops = &rig.loop;
	rig.config.nloops = 1;
	rig.config.control = rig.loop;
	assert_int_equal(http_server_new(&rig.config, &rig.server, &e), 0);
	site = make_site();
	http_server_set_site(rig.server, site);
	http_site_unref(site);
	assert_int_equal(http_server_start(rig.server, &e), 0);
	pthread_mutex_lock(&rig.lock);
	rig.port = atoi(strrchr(http_server_bound(rig.server), ':') + 1);
	pthread_cond_signal(&rig.ready);
	pthread_mutex_unlock(&rig.lock);
	loop_run(rig.loop);
	return NULL;
}

static void start_with(const struct http_server_config *cfg)
{
	struct value *names = value_list();
	struct err e;

	memset(&rig, 0, sizeof(rig));
	rig.config = *cfg;
	value_list_append(names, value_string("loud", 4));
	assert_int_equal(middleware_chain_new(types, NULL, names, NULL, &loud_chain, &e), 0);
	value_unref(names);
	pthread_mutex_init(&rig.lock, NULL);
	pthread_cond_init(&rig.ready, NULL);
	pthread_create(&rig.thread, NULL, run, NULL);
	pthread_mutex_lock(&rig.lock);
	while (rig.port == 0)
		pthread_cond_wait(&rig.ready, &rig.lock);
	pthread_mutex_unlock(&rig.lock);
}

static int start(void **state)
{
	(void)state;
	start_with(&(struct http_server_config){0});
	return 0;
}

static int finish(void **state)
{
	(void)state;
	rig.stop.run = stop_now;
	loop_post(rig.loop, &rig.stop);
	pthread_join(rig.thread, NULL);
	http_server_free(rig.server);
	loop_free(rig.loop); /* only now: the post above may still be under way when the thread is through */
	middleware_chain_unref(loud_chain);
	pthread_mutex_destroy(&rig.lock);
	pthread_cond_destroy(&rig.ready);
	return 0;
}

/* -- a client ------------------------------------------------------------------------------------------ */

static int dial(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)rig.port)};
	struct timeval limit = {.tv_sec = 5};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void put(int fd, const void *data, size_t len)
{
	assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void puts_to(int fd, const char *s)
{
	put(fd, s, strlen(s));
}

/* A connection that has said this much. */
static int begin(const char *text)
{
	int fd = dial();

	puts_to(fd, text);
	return fd;
}

/* Until the server closes or nothing comes. */
static char *rest(int fd)
{
	struct buf b = BUF_INIT;
	char tmp[65536];
	ssize_t n;

	while ((n = recv(fd, tmp, sizeof(tmp), 0)) > 0)
		buf_add(&b, tmp, (size_t)n);
	close(fd);
	return buf_detach(&b, NULL);
}

/* One request on a connection of its own. */
static char *ask_n(const void *request, size_t len)
{
	int fd = dial();

	put(fd, request, len);
	return rest(fd);
}

static char *ask(const char *request)
{
	return ask_n(request, strlen(request));
}

/* At least until `end` shows. */
static char *until(int fd, const char *end)
{
	struct buf b = BUF_INIT;
	char c;

	while (!strstr(buf_str(&b), end) && recv(fd, &c, 1, 0) == 1)
		buf_addc(&b, c);
	return buf_detach(&b, NULL);
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' not in '%.600s'", part, text);
}

static void lacks(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("'%s' in '%.600s'", part, text);
}

static void begins(const char *text, const char *part)
{
	if (strncmp(text, part, strlen(part)) != 0)
		fail_msg("'%.300s' does not begin with '%s'", text, part);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

/* -- plain answers ------------------------------------------------------------------------------------- */

static void hello(void **state)
{
	char *r = ask(GET("/hello"));

	(void)state;
	begins(r, "HTTP/1.1 200 OK\r\n");
	has(r, "Content-Length: 5\r\n");
	has(r, "Content-Type: text/plain\r\n");
	has(r, "Date: ");
	lacks(r, "Server:");
	has(r, "\r\n\r\nhello");
	free(r);
}

static void keep_alive_and_pipelining(void **state)
{
	int fd = begin("GET /hello HTTP/1.1\r\nHost: h\r\n\r\nGET /later HTTP/1.1\r\nHost: h\r\n\r\n" GET("/to/b%20c"));
	char *r;

	(void)state;
	r = rest(fd);
	has(r, "\r\n\r\nhelloHTTP/1.1 200 OK\r\n");
	has(r, "\r\n\r\nlaterHTTP/1.1 200 OK\r\n");
	has(r, "b c via /to/{who}");
	free(r);
}

static void head_has_no_body(void **state)
{
	char *r = ask("HEAD /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");

	(void)state;
	begins(r, "HTTP/1.1 200 OK\r\n");
	has(r, "Content-Length: 5\r\n");
	lacks(r, "hello");
	free(r);
}

static void no_content(void **state)
{
	char *r = ask(GET("/nobody"));

	(void)state;
	begins(r, "HTTP/1.1 204 No Content\r\n");
	lacks(r, "Content-Length");
	lacks(r, "chunked");
	free(r);
}

static void streams_in_chunks(void **state)
{
	char *r = ask(GET("/stream"));

	(void)state;
	has(r, "Transfer-Encoding: chunked\r\n");
	lacks(r, "Content-Length");
	has(r, "one,");
	has(r, "three\r\n0\r\n\r\n");
	free(r);
	r = ask("GET /stream HTTP/1.0\r\n\r\n");
	lacks(r, "chunked");
	has(r, "\r\n\r\none,two,three");
	free(r);
}

static void fields(void **state)
{
	char *r = ask("GET /header HTTP/1.1\r\nHost: h\r\nX-Many: a\r\nx-many:  b \r\nConnection: close\r\n\r\n");

	(void)state;
	has(r, "X-Bad: a  Injected: 1\r\n");
	has(r, "Set-Cookie: a=1\r\n");
	has(r, "Set-Cookie: b=2\r\n");
	has(r, "\r\n\r\na, b");
	free(r);
}

static void no_handler(void **state)
{
	static const struct {
		const char *request, *status, *part;
	} cases[] = {
		{GET("/nothing"), "HTTP/1.1 404 Not Found\r\n", "404 page not found\n"},
		{"POST /hello HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
			"HTTP/1.1 405 Method Not Allowed\r\n", "Allow: GET, HEAD\r\n"},
		{GET("/a//b?x=1"), "HTTP/1.1 307 Temporary Redirect\r\n", "Location: /a/b?x=1\r\n"},
		{GET("/sub?x"), "HTTP/1.1 307 Temporary Redirect\r\n", "Location: /sub/?x\r\n"},
		{GET("/sub/deep"), "HTTP/1.1 200 OK\r\n", "hello"},
		{GET("/nothing"), "HTTP/1.1 404 Not Found\r\n", "X-Content-Type-Options: nosniff\r\n"},
		{"GET http://other/hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK\r\n",
			"hello"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *r = ask(cases[i].request);

		begins(r, cases[i].status);
		has(r, cases[i].part);
		free(r);
	}
}

/* -- bodies -------------------------------------------------------------------------------------------- */

static void bodies(void **state)
{
	static const struct {
		const char *request, *status, *part;
	} cases[] = {
		{"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nConnection: close\r\n\r\n12345",
			"HTTP/1.1 200", "5 bytes"},
		{"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
		 "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n",
			"HTTP/1.1 200", "7 bytes"},
		{"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "HTTP/1.1 200",
			"0 bytes"},
		{"POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\nConnection: close\r\n\r\n",
			"HTTP/1.1 413", "too large"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *r = ask(cases[i].request);

		begins(r, cases[i].status);
		has(r, cases[i].part);
		free(r);
	}
}

static void large_body(void **state)
{
	static char block[1024 * 1024];
	int fd = begin("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 20971520\r\nConnection: close\r\n\r\n");
	char *r;

	(void)state;
	for (int i = 0; i < 20; i++)
		put(fd, block, sizeof(block));
	r = rest(fd);
	has(r, "20971520 bytes");
	free(r);
}

static void expects_continue(void **state)
{
	int fd = begin("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: "
		       "close\r\n\r\n");
	char *r;

	(void)state;
	r = until(fd, "\r\n\r\n");
	begins(r, "HTTP/1.1 100 Continue\r\n");
	free(r);
	puts_to(fd, "abc");
	r = rest(fd);
	has(r, "3 bytes");
	free(r);
	/* A handler that does not read: no 100. */
	r = ask("POST /early HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	begins(r, "HTTP/1.1 200 OK\r\n");
	free(r);
}

static void unread_body(void **state)
{
	static char body[300000];
	int fd = dial();
	char *r;

	(void)state;
	/* Little: it is thrown away and the connection goes on. */
	puts_to(fd, "POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
	put(fd, body, 1000);
	puts_to(fd, "POST /latepost HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
	put(fd, body, 1000);
	puts_to(fd, GET("/hello"));
	r = rest(fd);
	has(r, "\r\n\r\nhelloHTTP/1.1 200 OK\r\n");
	has(r, "\r\n\r\nlaterHTTP/1.1 200 OK\r\n");
	free(r);
	/* Much: answered, and closed. */
	fd = begin("POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 30000000\r\n\r\n");
	r = until(fd, "hello");
	begins(r, "HTTP/1.1 200 OK\r\n");
	has(r, "Connection: close\r\n");
	free(r);
	close(fd);
}

static void much_unread_body_of_a_slow_handler(void **state)
{
	static char body[300000];
	int fd = begin("POST /latepost HTTP/1.1\r\nHost: h\r\nContent-Length: 30000000\r\n\r\n");
	char *r;

	(void)state;
	put(fd, body, sizeof(body));
	r = until(fd, "later");
	begins(r, "HTTP/1.1 200 OK\r\n");
	has(r, "later");
	free(r);
	close(fd);
}

/* -- back-pressure and clients that leave -------------------------------------------------------------- */

static void slow_reader_suspends_the_writer(void **state)
{
	int fd = begin(GET("/big"));
	size_t total = 0;
	char tmp[65536];
	ssize_t n;

	(void)state;
	usleep(300000);
	/* What the kernel took and what may be pending; not the whole. */
	assert_in_range(atomic_load(&rig.written), 1, BIG - 1);
	while ((n = recv(fd, tmp, sizeof(tmp), 0)) > 0)
		total += (size_t)n;
	assert_true(total > BIG);
	close(fd);
}

static void wait_for(atomic_int *n, int value)
{
	for (int i = 0; i < 200 && atomic_load(n) != value; i++)
		usleep(10000);
	assert_int_equal(atomic_load(n), value);
}

static void client_leaves(void **state)
{
	int fd = begin("GET /never HTTP/1.1\r\nHost: h\r\n\r\n");

	(void)state;
	usleep(100000);
	assert_int_equal(atomic_load(&rig.gone), 0);
	close(fd);
	wait_for(&rig.gone, 1);
	/* In the middle of a response. */
	fd = begin(GET("/big"));
	usleep(100000);
	close(fd);
	free(ask(GET("/hello")));
}

static void stop_cuts_what_remains(void **state)
{
	int fd = dial(), idle = dial();
	char *r;

	puts_to(fd, "GET /never HTTP/1.1\r\nHost: h\r\n\r\n");
	usleep(100000);
	rig.stop_ms = 100;
	finish(state);
	assert_int_equal(rig.cut, 1);
	assert_int_equal(atomic_load(&rig.gone), 1);
	r = rest(fd);
	assert_string_equal(r, "");
	free(r);
	free(rest(idle));
}

static void stop_waits_for_requests(void **state)
{
	int fd = begin("GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	char *r;

	usleep(20000);
	rig.stop_ms = 5000;
	finish(state);
	assert_int_equal(rig.cut, 0);
	r = rest(fd);
	has(r, "\r\n\r\nlater");
	free(r);
}

/* -- upgrade and middlewares --------------------------------------------------------------------------- */

static void upgrade(void **state)
{
	char *r = ask("GET /upgrade HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\nearly");

	(void)state;
	begins(r, "HTTP/1.1 101 Switching Protocols\r\n");
	has(r, "Upgrade: test\r\n");
	has(r, "Connection: Upgrade\r\n");
	has(r, "\r\n\r\n[early]");
	free(r);
	r = ask(GET("/upgrade"));
	begins(r, "HTTP/1.1 426 ");
	free(r);
}

static void middlewares(void **state)
{
	char *r = ask(GET("/loud"));

	(void)state;
	has(r, "X-Loud: yes\r\n");
	has(r, "Content-Length: 6\r\n");
	has(r, "\r\n\r\nHELLO!");
	free(r);
	r = ask(GET("/loudstream"));
	has(r, "chunked");
	has(r, "THREE");
	has(r, "!\r\n0\r\n\r\n");
	free(r);
	wait_for(&rig.ended, 2);
}

/* -- what must be refused ------------------------------------------------------------------------------ */

#define BAD(s)                   \
	{                        \
		s, sizeof(s) - 1 \
	}

static void smuggling(void **state)
{
	static const struct {
		const char *request;
		size_t len;
	} cases[] = {
		BAD("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: "
		    "chunked\r\n\r\n0\r\n\r\n"),
		BAD("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: "
		    "4\r\n\r\n0\r\n\r\n"),
		BAD("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde"),
		BAD("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4, 4\r\n\r\nabcd"),
		BAD("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: +4\r\n\r\nabcd"),
		BAD("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: -4\r\n\r\nabcd"),
		BAD("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0x4\r\n\r\nabcd"),
		BAD("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\nabcd"),
		BAD("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
		BAD("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
		BAD("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
		    "chunked\r\n\r\n0\r\n\r\n"),
		BAD("POST /echo HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
		BAD("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
		BAD("GET /hello HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n"),
		BAD("GET /hello HTTP/1.1\r\nHost: h\r\nX: a\0b\r\nY: c\r\n\r\n"),
		BAD("GET /hello HTTP/1.1\r\nHost: h\r\nX: a\0\r\nY: c\r\n\r\n"),
		BAD("GET /hello HTTP/1.1\r\nHost: h\r\nX\0: a\r\nY: c\r\n\r\n"),
		BAD("GET /hello HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n"),
		BAD("GET /hello HTTP/1.1\r\nHost: h\r\nX: a\rContent-Length: 5\r\n\r\n"),
		BAD("GET /hello HTTP/1.1\r\nHost: h\r\nX: a\x01\r\n\r\n"),
		BAD("GET /hello HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n"),
		BAD("GET /hello HTTP/1.1\r\n\r\n"),
		BAD("GET /hello HTTP/1.1\r\nHost: h\r\n: x\r\nY: z\r\n\r\n"),
		BAD("GET /hello HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n"),
		BAD("G(T /hello HTTP/1.1\r\nHost: h\r\n\r\n"),
		BAD("G\x01T /hello HTTP/1.1\r\nHost: h\r\n\r\n"),
		BAD("GET /hel\0lo HTTP/1.1\r\nHost: h\r\n\r\n"),
		BAD("GET /hello%00 HTTP/1.1\r\nHost: h\r\n\r\n"),
		BAD("GET hello HTTP/1.1\r\nHost: h\r\n\r\n"),
		BAD("GET /hello HTTP/1.1 \r\nHost: h\r\n\r\n"),
		BAD("GET /hello\r\n\r\n"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int fd = dial();
		char *r;

		put(fd, cases[i].request, cases[i].len);
		/* Were it taken for good, a second one would be answered too. */
		send(fd, GET("/hello"), strlen(GET("/hello")), MSG_NOSIGNAL);
		r = rest(fd);
		if (strncmp(r, "HTTP/1.1 400 ", 13) != 0 && strncmp(r, "HTTP/1.1 501 ", 13) != 0)
			fail_msg("case %zu answered '%.300s'", i, r);
		lacks(r, "hello");
		lacks(r, "bytes");
		lacks(r, "200 OK");
		free(r);
	}
}

static void head_too_large(void **state)
{
	int fd = dial();
	char *big = xcalloc(1, HTTP_HEAD_BYTES_MAX * 2);
	char *r;

	(void)state;
	memset(big, 'a', HTTP_HEAD_BYTES_MAX * 2 - 1);
	puts_to(fd, "GET /hello HTTP/1.1\r\nHost: h\r\nX: ");
	send(fd, big, strlen(big), MSG_NOSIGNAL);
	r = until(fd, "\r\n");
	begins(r, "HTTP/1.1 431 ");
	free(r);
	free(big);
	close(fd);
}

/* -- connections --------------------------------------------------------------------------------------- */

static unsigned count(const char *text, const char *part)
{
	unsigned n = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		n++;
	return n;
}

static void half_close(void **state)
{
	int fd = begin("GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	char *r;

	(void)state;
	shutdown(fd, SHUT_WR);
	r = rest(fd);
	begins(r, "HTTP/1.1 200 OK\r\n");
	has(r, "\r\n\r\nlater");
	free(r);
	/* So does one who waits longer; it is asked whether it is still there. */
	fd = begin("GET /never HTTP/1.1\r\nHost: h\r\n\r\n");
	shutdown(fd, SHUT_WR);
	r = until(fd, "\r\n\r\n");
	assert_string_equal(r, "HTTP/1.1 100 Continue\r\n\r\n");
	assert_int_equal(atomic_load(&rig.gone), 0);
	free(r);
	close(fd);
}

static void many_ahead(void **state)
{
	struct buf b = BUF_INIT;
	char *r;

	(void)state;
	for (int i = 0; i < 2000; i++)
		buf_adds(&b, i % 100 == 50 ? "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
					   : "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
	buf_adds(&b, GET("/to/end"));
	r = ask_n(buf_data(&b), buf_len(&b));
	assert_int_equal(count(r, "\r\n\r\nhello"), 1980);
	assert_int_equal(count(r, "\r\n\r\n3 bytes"), 20);
	has(r, "end via ");
	free(r);
	buf_done(&b);
}

static struct gift {
	struct loop_post post;
	int fd;
	bool is_tls;
} gift;

static void give_now(struct loop_post *p)
{
	struct gift *g = container_of(p, struct gift, post);
	struct value *who = value_map();
	struct http_peer peer = {.address = "peer.i2p", .identity = who, .is_tls = g->is_tls};

	value_map_set(who, "user", value_string("ann", 3));
	http_server_give(rig.server, g->fd, &peer);
	value_unref(who);
}

static void given_connections(void **state)
{
	int fds[2];
	char *r;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		gift = (struct gift){.post.run = give_now, .fd = fds[1], .is_tls = i == 1};
		loop_post(rig.loop, &gift.post);
		puts_to(fds[0], GET("/peer"));
		r = rest(fds[0]);
		has(r, i == 1 ? "\r\n\r\npeer.i2p tls ann" : "\r\n\r\npeer.i2p plain ann");
		free(r);
	}
	r = ask(GET("/peer"));
	has(r, "\r\n\r\n127.0.0.1:");
	has(r, " plain nobody");
	free(r);
}

static void interim(void **state)
{
	char *r = ask(GET("/hints"));

	(void)state;
	begins(r, "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\nHTTP/1.1 200 OK\r\n");
	assert_int_equal(count(r, "Link: "), 2);
	free(r);
	r = ask("GET /hints HTTP/1.0\r\n\r\n");
	begins(r, "HTTP/1.1 200 OK\r\n");
	has(r, "too old");
	free(r);
}

static void promised_lengths(void **state)
{
	char *r = ask("GET /less HTTP/1.1\r\nHost: h\r\n\r\n");

	(void)state;
	/* Closed, so that nobody waits for the rest. */
	has(r, "Content-Length: 10\r\n");
	has(r, "\r\n\r\nhello");
	free(r);
	r = ask("GET /more HTTP/1.1\r\nHost: h\r\n\r\n" GET("/hello"));
	has(r, "\r\n\r\nhelHTTP/1.1 200 OK");
	free(r);
}

static void old_clients(void **state)
{
	int fd = begin("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	char *r = until(fd, "hello");

	(void)state;
	has(r, "Connection: keep-alive\r\n");
	free(r);
	puts_to(fd, "GET /hello HTTP/1.0\r\n\r\n");
	r = rest(fd);
	has(r, "Connection: close\r\n");
	has(r, "\r\n\r\nhello");
	free(r);
}

/* -- what costs nothing to send ------------------------------------------------------------------------ */

static char *long_head(const char *piece, size_t n)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n");
	for (size_t i = 0; i < n; i++)
		buf_adds(&b, piece);
	buf_adds(&b, "\r\n");
	return buf_detach(&b, NULL);
}

static void large_heads(void **state)
{
	static const struct {
		const char *piece;
		size_t n;
		const char *status;
	} cases[] = {
		{"x:y\r\n", 900, "HTTP/1.1 200 "},
		{"x:y\r\n", 100000, "HTTP/1.1 431 "},
		{"X: "
		 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
		 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
		 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
		 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
		 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
		 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
		 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
		 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
		 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
		 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
		 "\r\n",
			990, "HTTP/1.1 200 "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *head = long_head(cases[i].piece, cases[i].n), *r;
		int fd = dial();

		send(fd, head, strlen(head), MSG_NOSIGNAL);
		r = rest(fd);
		begins(r, cases[i].status);
		free(head);
		free(r);
	}
}

static void long_query(void **state)
{
	struct buf b = BUF_INIT;
	char *r;

	(void)state;
	buf_adds(&b, "GET /hello?");
	for (int i = 0; i < 20000; i++)
		buf_addf(&b, "a%d=b&", i);
	buf_adds(&b, " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	r = ask_n(buf_data(&b), buf_len(&b));
	has(r, "\r\n\r\nhello");
	free(r);
	buf_done(&b);
}

static void bodies_nobody_reads(void **state)
{
	static char block[100000];
	int fd = begin("POST /early HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	char *r = until(fd, "hello");

	(void)state;
	/* Not whole when the answer left, and short: the connection goes on. */
	lacks(r, "Connection: close");
	free(r);
	puts_to(fd, "3\r\nabc\r\n0\r\n\r\n" GET("/to/next"));
	r = rest(fd);
	has(r, "next via ");
	free(r);
	/* Malformed. */
	fd = begin("POST /early HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	free(until(fd, "hello"));
	puts_to(fd, "zz\r\n" GET("/to/next"));
	r = rest(fd);
	lacks(r, "next via ");
	free(r);
	/* Without end. */
	fd = begin("POST /early HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n");
	free(until(fd, "hello"));
	for (int i = 0; i < 1000 && send(fd, block, sizeof(block), MSG_NOSIGNAL) > 0; i++)
		;
	assert_true(send(fd, block, sizeof(block), MSG_NOSIGNAL) < 0);
	close(fd);
	/* Ten gigabytes, they say. */
	r = ask("POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 10737418240\r\n\r\nabc");
	has(r, "Connection: close\r\n");
	has(r, "\r\n\r\nhello");
	free(r);
	/* Malformed in the middle of what a handler reads. */
	fd = begin("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
	usleep(50000);
	puts_to(fd, "zz\r\n");
	r = rest(fd);
	begins(r, "HTTP/1.1 400 ");
	free(r);
}

static void resets(void **state)
{
	struct linger now = {.l_onoff = 1};

	(void)state;
	for (int i = 0; i < 25; i++) {
		int fd = begin("GET /never HTTP/1.1\r\nHost: h\r\n\r\n"), big = begin(GET("/big"));

		wait_for(&rig.begun, i + 1);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		setsockopt(big, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(fd);
		close(big);
	}
	wait_for(&rig.gone, 25);
	free(ask(GET("/hello")));
}

/* -- time limits --------------------------------------------------------------------------------------- */

static int start_limited(void **state)
{
	(void)state;
	start_with(&(struct http_server_config){
		.read_ns = 200000000, .write_ns = 400000000, .idle_ns = 100000000, .connections_max = 3});
	return 0;
}

static void time_limits(void **state)
{
	char *r;
	int fd;

	(void)state;
	/* Nothing is sent. */
	r = ask("");
	assert_string_equal(r, "");
	free(r);
	/* A body that does not come: the handler learns it, nobody is answered. */
	r = ask("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
	assert_string_equal(r, "");
	free(r);
	/* A response that does not come. */
	r = ask("GET /never HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_string_equal(r, "");
	free(r);
	wait_for(&rig.gone, 1);
	/* Between requests. */
	fd = begin("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
	r = rest(fd);
	has(r, "hello");
	free(r);
}

/* A byte now and then does not keep a connection. */
static void dribbling_clients(void **state)
{
	int fd = begin("GET /hello HTTP/1.1\r\nHost: h\r\n");
	bool closed = false;

	(void)state;
	for (int i = 0; i < 40 && !closed; i++) {
		usleep(25000);
		closed = send(fd, "X", 1, MSG_NOSIGNAL) < 0;
	}
	assert_true(closed);
	close(fd);
}

static void too_many_connections(void **state)
{
	int fds[3];
	char *r;

	(void)state;
	for (int i = 0; i < 3; i++) {
		fds[i] = dial();
		puts_to(fds[i], "GET /never HTTP/1.1\r\nHost: h\r\n\r\n");
	}
	usleep(50000);
	r = ask("");
	assert_string_equal(r, "");
	free(r);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	wait_for(&rig.gone, 3);
}

/* Nothing of it may be under way on the workers' loops when it is freed. */
static void a_taken_port_leaves_nothing(void **state)
{
	struct loop *loop = loop_new();
	struct http_server_config cfg = {.addr = "127.0.0.1:0", .loops = &loop, .nloops = 1, .control = loop};
	struct route_table *routes = route_table_new();
	struct sockaddr_in taken = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(taken);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct http_server *server;
	struct http_site *site;
	char *addr;
	struct err e;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&taken, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&taken, &len), 0);
	addr = xasprintf("127.0.0.1:%u", ntohs(taken.sin_port));
	cfg.addr = addr;
	assert_int_equal(route_table_build(routes, &e), 0);
	site = http_site_new(routes, NULL, NULL);
	assert_int_equal(http_server_new(&cfg, &server, &e), 0);
	http_server_set_site(server, site);
	assert_int_equal(http_server_start(server, &e), -1);
	assert_int_equal(e.kind, ERR_UNAVAILABLE);
	http_server_free(server);
	loop_free(loop); /* asserts that nothing is posted */
	http_site_unref(site);
	free(addr);
	close(fd);
}

int main(void)
{
#define SERVED(t) cmocka_unit_test_setup_teardown(t, start, finish)
	const struct CMUnitTest tests[] = {
		SERVED(hello),
		SERVED(keep_alive_and_pipelining),
		SERVED(head_has_no_body),
		SERVED(no_content),
		SERVED(streams_in_chunks),
		SERVED(fields),
		SERVED(no_handler),
		SERVED(bodies),
		SERVED(large_body),
		SERVED(expects_continue),
		SERVED(unread_body),
		SERVED(much_unread_body_of_a_slow_handler),
		SERVED(slow_reader_suspends_the_writer),
		SERVED(client_leaves),
		cmocka_unit_test_setup(stop_cuts_what_remains, start),
		cmocka_unit_test_setup(stop_waits_for_requests, start),
		SERVED(upgrade),
		SERVED(middlewares),
		SERVED(half_close),
		SERVED(many_ahead),
		SERVED(given_connections),
		SERVED(interim),
		SERVED(promised_lengths),
		SERVED(old_clients),
		SERVED(large_heads),
		SERVED(long_query),
		SERVED(bodies_nobody_reads),
		SERVED(resets),
		SERVED(smuggling),
		SERVED(head_too_large),
		cmocka_unit_test_setup_teardown(time_limits, start_limited, finish),
		cmocka_unit_test_setup_teardown(dribbling_clients, start_limited, finish),
		cmocka_unit_test_setup_teardown(too_many_connections, start_limited, finish),
		cmocka_unit_test(a_taken_port_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
