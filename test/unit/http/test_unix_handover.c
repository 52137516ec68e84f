/*
 * Connections of an overlay that come as connected Unix sockets (Tor's SOCKS port behind a path): libcurl takes them, keeps them, and uses the right ones again.
 */
#include "fixture.h"

#include <dirent.h>
#include <fcntl.h>

#include "certificates.h"
#include "net/connect.h"
#include "overlay/driver.h"

/* -- an overlay whose every target is the server behind a path --------------------------------------------- */

struct fake_dial {
	struct dial base;
	struct net_connect *connect;
};

static char fake_path[100];
static int fake_dials;

static int fake_open(const struct value *data, struct overlay **ret, struct err *e)
{
	*ret = xcalloc(1, sizeof(**ret));
	return overlay_read_isolation(data, *ret, e);
}

static void fake_connected(void *arg, int fd, const struct addr *peer, const struct err *e)
{
	struct fake_dial *d = arg;

	(void)peer;
	d->base.trace.connected_ns = loop_clock_ns();
	dial_report(&d->base, fd, e);
	free(d);
}

static struct dial *fake_dial(struct overlay *o, const struct dial_options *opt)
{
	struct fake_dial *d = xcalloc(1, sizeof(*d));

	(void)o;
	fake_dials++;
	d->connect = net_connect_start(opt->loop,
		&(struct net_connect_options){.unix_path = fake_path, .deadline_ns = opt->deadline_ns}, fake_connected,
		d);
	return &d->base;
}

static void fake_cancel(struct dial *d)
{
	struct fake_dial *f = container_of(d, struct fake_dial, base);

	net_connect_cancel(f->connect);
	free(f);
}

static void fake_close(struct overlay *o)
{
	free(o);
}

static const struct overlay_driver fake_driver = {
	.kind = "network.fake",
	.label = "fake",
	.open = fake_open,
	.dial = fake_dial,
	.cancel = fake_cancel,
	.close = fake_close,
};

/* -- a machine without a loopback interface ---------------------------------------------------------------- */

static bool no_loopback;

int bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	static int (*real)(int, const struct sockaddr *, socklen_t);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "bind");
	if (no_loopback && sa->sa_family == AF_INET) {
		errno = EADDRNOTAVAIL;
		return -1;
	}
	return real(fd, sa, len);
}

/* -- the two ends ------------------------------------------------------------------------------------------ */

struct ends {
	struct fixture f;
	struct server u;
	struct overlay *o;
	struct result r;
	size_t fds;
};

static size_t count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void ends_open(struct ends *x, const struct http_client_config *cfg, SSL_CTX *tls)
{
	static const struct overlay_env env = {.state_dir = "/nonexistent"};
	struct value *data = value_map();
	struct err e;

	memset(x, 0, sizeof(*x));
	x->fds = count_fds();
	snprintf(fake_path, sizeof(fake_path), "/tmp/http-handover-%d.sock", (int)getpid());
	unlink(fake_path);
	fake_dials = 0;
	fixture_open(&x->f, cfg, NULL);
	server_start_unix(&x->u, fake_path);
	x->u.tls = tls;
	assert_int_equal(overlay_open(&fake_driver, &env, "app:a", data, &x->o, &e), 0);
	value_unref(data);
}

static void ends_close(struct ends *x)
{
	result_done(&x->r);
	overlay_unref(x->o);
	assert_int_equal(x->f.server.nconns, 0); /* nothing ever went another way */
	fixture_close(&x->f);
	server_stop(&x->u);
	unlink(fake_path);
	assert_int_equal(count_fds(), x->fds);
}

static void fetch(struct ends *x, const char *url, const char *key)
{
	send_request(&x->f, &(struct http_request){.method = "GET", .url = url, .overlay = x->o, .isolation_key = key},
		&x->r);
}

/* What libraries keep open for good is open from then on. */
static int warm_up(void **state)
{
	struct fixture f;
	struct result r = {0};

	(void)state;
	fixture_open(&f, NULL, NULL);
	get(&f, server_url(&f, "/hello"), &r);
	check_ok(&r, 200, "hello");
	result_done(&r);
	fixture_close(&f);
	return 0;
}

/* -- tests ------------------------------------------------------------------------------------------------- */

static void requests_and_keys(void **state)
{
	struct ends x;

	(void)state;
	ends_open(&x, NULL, NULL);
	for (int i = 0; i < 4; i++) {
		fetch(&x, "http://site.test/hello", "p1");
		check_ok(&x.r, 200, "hello");
		assert_int_equal(x.r.reused, i > 0);
		fetch(&x, "http://site.test/hello", "p2");
		check_ok(&x.r, 200, "hello");
		assert_int_equal(x.r.reused, i > 0);
	}
	assert_int_equal(x.u.nconns, 2);
	fetch(&x, "http://site.test/echo", "p1");
	check_has(x.r.body, "\r\nHost: site.test\r\n");
	assert_int_equal(fake_dials, 2);
	ends_close(&x);
}

static void a_gone_server_is_dialled_again(void **state)
{
	struct ends x;

	(void)state;
	ends_open(&x, NULL, NULL);
	fetch(&x, "http://site.test/hello", "");
	check_ok(&x.r, 200, "hello");
	shutdown(x.u.conn_fds[0], SHUT_RDWR);
	fetch(&x, "http://site.test/hello", "");
	check_ok(&x.r, 200, "hello");
	assert_false(x.r.reused);
	assert_int_equal(x.u.nconns, 2);
	/* Also while the loop sees it go. */
	shutdown(x.u.conn_fds[1], SHUT_RDWR);
	run_for_ms(&x.f, 20);
	fetch(&x, "http://site.test/hello", "");
	check_ok(&x.r, 200, "hello");
	assert_int_equal(x.u.nconns, 3);
	ends_close(&x);
}

static void unasked_answers_are_not_believed(void **state)
{
	struct ends x;

	(void)state;
	ends_open(&x, NULL, NULL);
	fetch(&x, "http://site.test/unasked", "");
	check_ok(&x.r, 200, "ok");
	fetch(&x, "http://site.test/hello", "");
	check_ok(&x.r, 200, "hello");
	assert_int_equal(x.u.nconns, 2);
	ends_close(&x);
}

static void idle_life(void **state)
{
	struct ends x;

	(void)state;
	ends_open(&x,
		&(struct http_client_config){
			.timeout_ms = 5000, .idle_ms = 60, .idle_max = 100, .idle_per_host_max = 10},
		NULL);
	fetch(&x, "http://site.test/hello", "");
	run_for_ms(&x.f, 20);
	fetch(&x, "http://site.test/hello", "");
	assert_true(x.r.reused);
	run_for_ms(&x.f, 20);
	assert_int_equal(x.u.nclosed, 0);
	run_for_ms(&x.f, 200);
	assert_int_equal(x.u.nclosed, 1);
	fetch(&x, "http://site.test/hello", "");
	assert_false(x.r.reused);
	ends_close(&x);
}

struct crowd {
	struct fixture *f;
	int left, reused;
};

static void crowd_done(void *arg, const struct http_response *r, const struct err *e)
{
	struct crowd *c = arg;

	if (e)
		fail_msg("%s", e->text);
	assert_int_equal(r->status, 200);
	assert_memory_equal(buf_data(r->body), "hello", 5);
	c->reused += r->reused;
	if (--c->left == 0)
		loop_stop(c->f->loop);
}

static void many_at_once(void **state)
{
	struct ends x;
	struct crowd c;

	(void)state;
	ends_open(&x, NULL, NULL);
	for (int round = 0; round < 3; round++) {
		c = (struct crowd){.f = &x.f, .left = 40};
		for (int i = 0; i < 40; i++)
			http_client_start(x.f.client,
				&(struct http_request){
					.method = "GET", .url = "http://site.test/hello", .overlay = x.o},
				crowd_done, &c);
		run_loop(&x.f);
		assert_true(round == 0 || c.reused > 0);
		run_for_ms(&x.f, 30);
		assert_in_range(x.u.nconns - x.u.nclosed, 1, 11);
	}
	ends_close(&x);
}

/* A request after the other with a connection each: none waits for a timer of libcurl's (200 ms). */
static void new_connections_answer_at_once(void **state)
{
	uint64_t begun_ns = loop_clock_ns();
	struct ends x;
	char key[8];

	(void)state;
	ends_open(&x, NULL, NULL);
	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof(key), "p%d", i);
		fetch(&x, "http://site.test/hello", key);
		check_ok(&x.r, 200, "hello");
	}
	assert_int_equal(fake_dials, 20);
	assert_in_range(loop_clock_ns() - begun_ns, 0, 20 * (uint64_t)100000000);
	ends_close(&x);
}

struct stream {
	struct fixture *f;
	struct overlay *o;
	int left, running, ok, given_up;
};

static void stream_next(struct stream *s);

static void stream_done(void *arg, const struct http_response *r, const struct err *e)
{
	struct stream *s = arg;

	if (e) {
		check_has(e->text, "/silent");
		s->given_up++;
	} else {
		assert_int_equal(r->status, 200);
		assert_memory_equal(buf_data(r->body), "hello", 5);
		s->ok++;
	}
	s->running--;
	stream_next(s);
}

/* Every eighth is one that never answers, given up after 0 to 30 ms: while it dials, connects or waits. */
static void stream_next(struct stream *s)
{
	while (s->running < 32 && s->left > 0) {
		int n = s->left--;
		bool mute = n % 8 == 0;

		s->running++;
		http_client_start(s->f->client,
			&(struct http_request){
				.method = "GET",
				.url = mute ? "http://site.test/silent" : "http://site.test/hello",
				.overlay = s->o,
				.timeout_ns = mute ? (uint64_t)(n % 31) * 1000000 + 1000 : 0,
			},
			stream_done, s);
	}
	if (s->running == 0)
		loop_stop(s->f->loop);
}

static void more_at_once_than_places(void **state)
{
	struct ends x;
	struct stream s;

	(void)state;
	ends_open(&x,
		&(struct http_client_config){
			.timeout_ms = 15000, .idle_ms = 90000, .idle_max = 100, .idle_per_host_max = 4},
		NULL);
	s = (struct stream){.f = &x.f, .o = x.o, .left = 400};
	stream_next(&s);
	run_loop(&x.f);
	assert_int_equal(s.ok, 350);
	assert_int_equal(s.given_up, 50);
	run_for_ms(&x.f, 30);
	assert_in_range(x.u.nconns - x.u.nclosed, 0, 5);
	ends_close(&x);
}

static void ignore_result(void *arg, const struct http_response *r, const struct err *e)
{
	(void)r;
	(void)e;
	(*(int *)arg)++;
}

/* Ended by its caller after so many turns of the loop: at each point of its way once. */
static void cancelled(void **state)
{
	struct ends x;
	int called = 0;

	(void)state;
	ends_open(&x, NULL, NULL);
	for (unsigned us = 0; us < 6000; us += 100) {
		struct http_request req = {.method = "GET", .url = "http://site.test/silent", .overlay = x.o};
		struct http_call *call = http_client_start(x.f.client, &req, ignore_result, &called);
		struct loop_timer t;

		loop_timer_init(&t, x.f.loop, sleep_fired);
		loop_timer_start_ns(&t, (uint64_t)us * 1000);
		run_loop(&x.f);
		http_call_cancel(call);
	}
	assert_int_equal(called, 0);
	fetch(&x, "http://site.test/hello", "");
	check_ok(&x.r, 200, "hello");
	ends_close(&x);
}

static void tls_goes_through(void **state)
{
	struct identity ca, id;
	SSL_CTX *ctx;
	struct ends x;

	(void)state;
	identity_make(&ca, "Test CA", NULL, NULL, 30);
	identity_make(&id, "server", "DNS:site.test", &ca, 30);
	ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(ctx, id.cert);
	SSL_CTX_use_PrivateKey(ctx, id.key);
	ends_open(&x, NULL, ctx);
	for (int i = 0; i < 2; i++) {
		const struct http_tls_options tls = {.ca_pem = ca.cert_pem};

		send_request(&x.f,
			&(struct http_request){
				.method = "GET", .url = "https://site.test/hello", .overlay = x.o, .tls = &tls},
			&x.r);
		check_ok(&x.r, 200, "hello");
		assert_int_equal(x.r.reused, i > 0);
	}
	ends_close(&x);
	SSL_CTX_free(ctx);
	identity_done(&ca);
	identity_done(&id);
}

/* The server takes the connection and says nothing to the ClientHello. */
static void a_handshake_is_given_up(void **state)
{
	struct ends x;

	(void)state;
	ends_open(&x, NULL, NULL);
	x.u.mute = true;
	for (int i = 0; i < 5; i++) {
		send_request(&x.f,
			&(struct http_request){.method = "GET",
				.url = "https://site.test/hello",
				.overlay = x.o,
				.timeout_ns = 20000000},
			&x.r);
		check_fails(&x.r, "TLS handshake");
	}
	assert_int_equal(x.u.nconns, 5);
	x.u.mute = false;
	fetch(&x, "http://site.test/hello", "");
	check_ok(&x.r, 200, "hello");
	ends_close(&x);
}

/* Only what is kept-alive is lost. */
static void without_a_loopback_interface(void **state)
{
	struct ends x;

	(void)state;
	ends_open(&x, NULL, NULL);
	no_loopback = true;
	for (int i = 0; i < 3; i++) {
		fetch(&x, "http://site.test/hello", "");
		check_ok(&x.r, 200, "hello");
	}
	no_loopback = false;
	ends_close(&x);
}

/* The socket a request names itself: nobody takes what waits in its queue, and the next is told so. */
static void a_path_without_room(void **state)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct fixture f;
	struct result r = {0};
	int listener, in_queue, fd;

	(void)state;
	fixture_open(&f, NULL, NULL);
	snprintf(a.sun_path, sizeof(a.sun_path), "/tmp/http-full-%d.sock", (int)getpid());
	unlink(a.sun_path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(listener, 0), 0);
	in_queue = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(in_queue, (struct sockaddr *)&a, sizeof(a)), 0);
	for (int i = 0; i < 4; i++) {
		send_request(&f,
			&(struct http_request){.method = "GET",
				.url = "http://docker/hello",
				.unix_socket = a.sun_path,
				.timeout_ns = 50000000},
			&r);
		check_fails(&r, "connect: resource temporarily unavailable");
		/* The number is free again, and nobody watches it. */
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		run_for_ms(&f, 5);
		close(fd);
	}
	close(in_queue);
	close(listener);
	unlink(a.sun_path);
	result_done(&r);
	fixture_close(&f);
}

static void nobody_there(void **state)
{
	struct ends x;

	(void)state;
	ends_open(&x, NULL, NULL);
	unlink(fake_path);
	fetch(&x, "http://site.test/hello", "");
	check_fails(&x.r, "dial unix /tmp/http-handover-");
	assert_string_equal(x.r.err.code, "connect_refused");
	ends_close(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_and_keys),
		cmocka_unit_test(a_gone_server_is_dialled_again),
		cmocka_unit_test(unasked_answers_are_not_believed),
		cmocka_unit_test(idle_life),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(tls_goes_through),
		cmocka_unit_test(new_connections_answer_at_once),
		cmocka_unit_test(more_at_once_than_places),
		cmocka_unit_test(cancelled),
		cmocka_unit_test(a_handshake_is_given_up),
		cmocka_unit_test(without_a_loopback_interface),
		cmocka_unit_test(a_path_without_room),
		cmocka_unit_test(nobody_there),
	};

	return cmocka_run_group_tests_name("http/unix_handover", tests, warm_up, NULL);
}
