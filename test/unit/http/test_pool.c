/*
 * Which connections are used again, by whom, and for how long.
 */
#include "fixture.h"

#include "net/connect.h"
#include "overlay/driver.h"

/* -- an overlay whose every target is the test's server -------------------------------------------------- */

struct fake_overlay {
	struct overlay base;
	int port;
};

struct fake_dial {
	struct dial base;
	struct net_connect *connect;
};

static struct server *fake_target;
static char fake_host[HOST_TEXT_MAX + 1], fake_key[ISOLATION_KEY_MAX];
static int fake_dials;
static bool fake_fails;

static int fake_open(const struct value *data, struct overlay **ret, struct err *e)
{
	struct fake_overlay *o = xcalloc(1, sizeof(*o));

	*ret = &o->base;
	return overlay_read_isolation(data, &o->base, e);
}

static void fake_connected(void *arg, int fd, const struct addr *peer, const struct err *e)
{
	struct fake_dial *d = arg;
	struct err refused;

	(void)peer;
	if (fake_fails) {
		close(fd);
		err_set(&refused, ERR_UNAVAILABLE, "socks connect tcp 127.0.0.1:9050->a.test:80: host unreachable");
		err_code(&refused, "socks_host_unreachable");
		dial_report(&d->base, -1, &refused);
	} else {
		dial_report(&d->base, fd, e);
	}
	free(d);
}

static struct dial *fake_dial(struct overlay *o, const struct dial_options *opt)
{
	struct fake_dial *d = xcalloc(1, sizeof(*d));
	struct net_connect_options how = {
		.host = "127.0.0.1", .port = (uint16_t)fake_target->port, .deadline_ns = opt->deadline_ns};

	(void)o;
	fake_dials++;
	snprintf(fake_host, sizeof(fake_host), "%s", opt->host);
	snprintf(fake_key, sizeof(fake_key), "%s", opt->isolation_key);
	d->connect = net_connect_start(opt->loop, &how, fake_connected, d);
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
	free(container_of(o, struct fake_overlay, base));
}

static const struct overlay_driver fake_driver = {
	.kind = "network.fake",
	.label = "fake",
	.open = fake_open,
	.dial = fake_dial,
	.cancel = fake_cancel,
	.close = fake_close,
};

static struct overlay *overlay_new_isolating(struct fixture *f, const char *id, const char *isolation)
{
	static const struct overlay_env env = {.state_dir = "/nonexistent"};
	struct value *data = value_map();
	struct overlay *o;
	struct err e;

	if (*isolation)
		value_map_set(data, "isolation", value_string(isolation, strlen(isolation)));
	fake_target = &f->server;
	fake_dials = 0;
	fake_fails = false;
	assert_int_equal(overlay_open(&fake_driver, &env, id, data, &o, &e), 0);
	value_unref(data);
	return o;
}

static struct overlay *overlay_new(struct fixture *f, const char *id)
{
	return overlay_new_isolating(f, id, "");
}

static void fetch(struct fixture *f, struct overlay *o, const char *key, const char *url, struct result *r)
{
	send_request(f, &(struct http_request){.method = "GET", .url = url, .overlay = o, .isolation_key = key}, r);
	check_ok(r, 200, "hello");
}

static void keys_divide_the_pool(void **state)
{
	struct fixture f;
	struct overlay *a, *b;
	struct result r = {0};
	char url[100], other[100];

	(void)state;
	fixture_open(&f, NULL, NULL);
	a = overlay_new(&f, "app:a");
	b = overlay_new(&f, "app:b");
	snprintf(url, sizeof(url), "http://site.test:%d/hello", f.server.port);
	snprintf(other, sizeof(other), "http://elsewhere.test:%d/hello", f.server.port);

	fetch(&f, NULL, "", url, &r);
	assert_int_equal(f.server.nconns, 1);
	fetch(&f, a, "", url, &r);
	assert_false(r.reused);
	assert_int_equal(f.server.nconns, 2);
	assert_string_equal(fake_host, "site.test"); /* unresolved */
	fetch(&f, b, "", url, &r);
	assert_int_equal(f.server.nconns, 3);
	fetch(&f, a, "p1", url, &r);
	assert_string_equal(fake_key, "p1");
	assert_int_equal(f.server.nconns, 4);
	fetch(&f, a, "p2", url, &r);
	assert_int_equal(f.server.nconns, 5);
	fetch(&f, a, "p2", other, &r);
	assert_string_equal(fake_host, "elsewhere.test");
	assert_int_equal(f.server.nconns, 6);
	/* Each finds its own again, and no other. */
	for (int i = 0; i < 3; i++) {
		fetch(&f, NULL, "", url, &r);
		assert_true(r.reused);
		fetch(&f, a, "", url, &r);
		assert_true(r.reused);
		fetch(&f, b, NULL, url, &r);
		assert_true(r.reused);
		fetch(&f, a, "p1", url, &r);
		assert_true(r.reused);
		fetch(&f, a, "p2", url, &r);
		assert_true(r.reused);
		fetch(&f, a, "p2", other, &r);
		assert_true(r.reused);
	}
	assert_int_equal(f.server.nconns, 6);
	overlay_unref(a);
	overlay_unref(b);
	result_done(&r);
	fixture_close(&f);
}

static void keys_follow_owner_and_hop(void **state)
{
	struct fixture f;
	struct overlay *by_process, *by_host;
	struct result r = {0};
	char url[200], key[ISOLATION_KEY_MAX];
	struct http_request req = {.method = "GET", .url = url};

	(void)state;
	fixture_open(&f, NULL, NULL);
	by_process = overlay_new_isolating(&f, "app:a", "process");
	by_host = overlay_new_isolating(&f, "app:b", "host");
	snprintf(url, sizeof(url), "http://site.test:%d/hello", f.server.port);
	req.overlay = by_process;
	for (req.owner = 1; req.owner <= 2; req.owner++) {
		send_request(&f, &req, &r);
		check_ok(&r, 200, "hello");
		assert_false(r.reused);
		send_request(&f, &req, &r);
		assert_true(r.reused);
	}
	assert_int_equal(f.server.nconns, 2);
	/* A redirect leads to another host, so to another identity. */
	req.overlay = by_host;
	snprintf(url, sizeof(url), "http://site.test:%d/redirect?to=http://elsewhere.test:%d/hello", f.server.port,
		f.server.port);
	send_request(&f, &req, &r);
	check_ok(&r, 200, "hello");
	assert_string_equal(fake_key, overlay_isolation_key(by_host, 3, "elsewhere.test", key));
	assert_string_not_equal(fake_key, overlay_isolation_key(by_host, 3, "site.test", key));
	overlay_unref(by_process);
	overlay_unref(by_host);
	result_done(&r);
	fixture_close(&f);
}

static void overlay_failures_are_final(void **state)
{
	struct fixture f;
	struct overlay *o;
	struct result r = {0};
	char url[100];

	(void)state;
	fixture_open(&f, NULL, NULL);
	o = overlay_new(&f, "app:a");
	fake_fails = true;
	snprintf(url, sizeof(url), "http://site.test:%d/hello", f.server.port);
	send_request(&f, &(struct http_request){.method = "GET", .url = url, .overlay = o}, &r);
	check_fails(&r, "socks connect tcp 127.0.0.1:9050->a.test:80: host unreachable");
	assert_string_equal(r.err.code, "socks_host_unreachable");
	assert_int_equal(fake_dials, 1);
	assert_int_equal(f.server.nrequests, 0);
	send_request(&f, &(struct http_request){.method = "GET", .url = url, .overlay = o, .unix_socket = "/x"}, &r);
	check_fails(&r, "Unix socket");
	overlay_unref(o);
	result_done(&r);
	fixture_close(&f);
}

static int refuse_private(void *arg, const struct addr *a, struct err *e)
{
	char text[ADDR_TEXT_MAX];

	(void)arg;
	if (!addr_is_private(a))
		return 0;
	return err_set(
		e, ERR_PERMISSION_DENIED, "not allowed: private IP %s via overlay network", addr_format_ip(a, text));
}

static void literals_on_an_overlay_are_judged(void **state)
{
	struct fixture f;
	struct overlay *o;
	struct result r = {0};
	struct http_request req = {.method = "GET", .judge = refuse_private};

	(void)state;
	fixture_open(&f, NULL, NULL);
	req.overlay = o = overlay_new(&f, "app:a");
	req.url = "http://10.0.0.1/hello";
	send_request(&f, &req, &r);
	assert_string_equal(r.err.text, "not allowed: private IP 10.0.0.1 via overlay network");
	req.url = "http://[::1]/hello";
	send_request(&f, &req, &r);
	assert_string_equal(r.err.text, "not allowed: private IP ::1 via overlay network");
	assert_int_equal(fake_dials, 0);
	req.url = "http://192.0.2.1/redirect?to=http://10.0.0.1/hello";
	send_request(&f, &req, &r);
	assert_string_equal(r.err.text, "not allowed: private IP 10.0.0.1 via overlay network");
	assert_int_equal(fake_dials, 1);
	/* A name is the far side's business, and so is where it leads. */
	req.url = "http://localhost/hello";
	send_request(&f, &req, &r);
	check_ok(&r, 200, "hello");
	overlay_unref(o);
	result_done(&r);
	fixture_close(&f);
}

static void dropped_generation(void **state)
{
	struct fixture f;
	struct overlay *old, *new;
	struct result r = {0}, slow = {0};
	char url[100], silent[100];
	struct http_call *call;

	(void)state;
	fixture_open(&f, NULL, NULL);
	old = overlay_new(&f, "app:a");
	new = overlay_new(&f, "app:a");
	slow.f = &f;
	slow.keep_running = true;
	snprintf(url, sizeof(url), "http://site.test:%d/hello", f.server.port);
	snprintf(silent, sizeof(silent), "http://site.test:%d/silent", f.server.port);
	call = http_client_start(
		f.client, &(struct http_request){.method = "GET", .url = silent, .overlay = old}, take_result, &slow);
	fetch(&f, old, "", url, &r);
	fetch(&f, NULL, "", url, &r);
	run_for_ms(&f, 20);
	assert_int_equal(f.server.nconns, 3);
	assert_int_equal(f.server.nclosed, 0);
	http_client_drop_generation(f.client, overlay_generation(old));
	run_for_ms(&f, 20);
	assert_int_equal(f.server.nclosed, 1); /* the idle one, at once; the one at work and other pools stay */
	fetch(&f, new, "", url, &r);
	assert_false(r.reused);
	fetch(&f, NULL, "", url, &r);
	assert_true(r.reused);
	fetch(&f, new, "", url, &r);
	assert_true(r.reused);
	assert_false(slow.called);
	http_call_cancel(call);
	/* Whoever still holds the old one gets connections of their own. */
	fetch(&f, old, "", url, &r);
	assert_false(r.reused);
	overlay_unref(old);
	overlay_unref(new);
	result_done(&r);
	fixture_close(&f);
}

static void dropped_while_at_work(void **state)
{
	struct fixture f;
	struct overlay *o;
	struct result r = {0};
	char url[100];

	(void)state;
	fixture_open(&f, NULL, NULL);
	o = overlay_new(&f, "app:a");
	r.f = &f;
	snprintf(url, sizeof(url), "http://site.test:%d/hello", f.server.port);
	http_client_start(f.client, &(struct http_request){.method = "GET", .url = url, .overlay = o}, take_result, &r);
	http_client_drop_generation(f.client, overlay_generation(o));
	overlay_unref(o); /* the call has its own reference */
	run_loop(&f);
	check_ok(&r, 200, "hello");
	run_for_ms(&f, 20);
	assert_int_equal(f.server.nclosed, 1);
	result_done(&r);
	fixture_close(&f);
}

/* -- connections that die -------------------------------------------------------------------------------- */

static void dead_while_idle(void **state)
{
	struct fixture f;
	struct result r = {0};

	(void)state;
	fixture_open(&f, NULL, NULL);
	get(&f, server_url(&f, "/hello"), &r);
	/* The server ends it; the next request, one that must not be sent twice, finds out before it is sent. */
	shutdown(f.server.conn_fds[0], SHUT_RDWR);
	send_request(&f,
		&(struct http_request){.method = "POST",
			.url = server_url(&f, "/hello"),
			.has_body = true,
			.body = "x",
			.body_len = 1},
		&r);
	check_ok(&r, 200, "hello");
	assert_false(r.reused);
	assert_int_equal(f.server.nconns, 2);
	result_done(&r);
	fixture_close(&f);
}

static void dies_under_the_request(void **state)
{
	struct fixture f;
	struct result r = {0};
	struct http_request post = {.method = "POST", .has_body = true, .body = "x", .body_len = 1};

	(void)state;
	fixture_open(&f, NULL, NULL);
	get(&f, server_url(&f, "/thenclose"), &r);
	check_ok(&r, 200, "ok");
	get(&f, server_url(&f, "/hello"), &r);
	check_ok(&r, 200, "hello"); /* on a second connection */
	assert_false(r.reused);
	assert_int_equal(f.server.nconns, 2);
	/* A POST may have done its work before the connection died: it is not repeated. */
	http_client_free(f.client);
	f.client = http_client_new(f.loop, &(struct http_client_config){0});
	get(&f, server_url(&f, "/thenclose"), &r);
	post.url = server_url(&f, "/hello");
	int before = f.server.nrequests;
	send_request(&f, &post, &r);
	check_fails(&r, "Post \"http://127.0.0.1:");
	if (!strstr(r.err.text, "EOF"))
		check_has(r.err.text, "connection reset by peer");
	assert_int_equal(f.server.nrequests, before);
	assert_int_equal(f.server.nconns, 3);
	result_done(&r);
	fixture_close(&f);
}

static void unasked_answers_are_not_believed(void **state)
{
	struct fixture f;
	struct result r = {0};

	(void)state;
	fixture_open(&f, NULL, NULL);
	get(&f, server_url(&f, "/unasked"), &r);
	check_ok(&r, 200, "ok");
	get(&f, server_url(&f, "/hello"), &r);
	check_ok(&r, 200, "hello");
	assert_int_equal(f.server.nconns, 2);
	result_done(&r);
	fixture_close(&f);
}

static void idle_life(void **state)
{
	struct fixture f;
	struct result r = {0};

	(void)state;
	fixture_open(&f,
		&(struct http_client_config){
			.timeout_ms = 5000, .idle_ms = 60, .idle_max = 100, .idle_per_host_max = 10},
		NULL);
	get(&f, server_url(&f, "/hello"), &r);
	run_for_ms(&f, 20);
	get(&f, server_url(&f, "/hello"), &r);
	assert_true(r.reused);
	run_for_ms(&f, 20);
	assert_int_equal(f.server.nclosed, 0);
	run_for_ms(&f, 120);
	assert_int_equal(f.server.nclosed, 1);
	get(&f, server_url(&f, "/hello"), &r);
	assert_false(r.reused);
	/* The descriptor itself is given back soon after, without another request. */
	run_for_ms(&f, 1400);
	int fds = 0;
	for (int fd = 3; fd < 100; fd++) {
		struct sockaddr_in a = {0};
		socklen_t len = sizeof(a);

		if (getpeername(fd, (struct sockaddr *)&a, &len) == 0 && a.sin_family == AF_INET &&
			ntohs(a.sin_port) == f.server.port)
			fds++;
	}
	for (int fd = 3; fd < 100; fd++) {
		struct sockaddr_in a = {0};
		socklen_t len = sizeof(a);

		if (getsockname(fd, (struct sockaddr *)&a, &len) == 0 && a.sin_family == AF_INET && a.sin_port != 0 &&
			ntohs(a.sin_port) != f.server.port)
			fail_msg("descriptor %d is still open", fd);
	}
	assert_int_equal(fds, 0);
	result_done(&r);
	fixture_close(&f);
}

struct crowd {
	struct fixture *f;
	int left;
};

static void crowd_done(void *arg, const struct http_response *r, const struct err *e)
{
	struct crowd *c = arg;

	assert_non_null(r);
	assert_null(e);
	if (--c->left == 0)
		loop_stop(c->f->loop);
}

static void idle_limits(void **state)
{
	struct fixture f;
	struct crowd c = {.f = &f, .left = 60};
	char url[100];

	(void)state;
	fixture_open(&f,
		&(struct http_client_config){
			.timeout_ms = 5000, .idle_ms = 5000, .idle_max = 12, .idle_per_host_max = 5},
		NULL);
	for (int i = 0; i < 60; i++) {
		snprintf(url, sizeof(url), "http://host%d.test:%d/hello", i % 5, f.server.port);
		http_client_start(f.client, &(struct http_request){.method = "GET", .url = url}, crowd_done, &c);
	}
	run_loop(&f);
	run_for_ms(&f, 50);
	assert_in_range(f.server.nconns - f.server.nclosed, 5, 13);
	fixture_close(&f);
}

static void unix_sockets(void **state)
{
	struct fixture f;
	struct server u;
	struct result r = {0};
	char path[100];
	struct http_request req = {.method = "GET", .url = "http://docker/hello", .unix_socket = path};

	(void)state;
	snprintf(path, sizeof(path), "/tmp/http-test-%d.sock", (int)getpid());
	unlink(path);
	fixture_open(&f, NULL, NULL);
	send_request(&f, &req, &r);
	check_fails(&r, "dial unix /tmp/http-test-");
	check_has(r.err.text, "connect: ");
	server_start_unix(&u, path);
	send_request(&f, &req, &r);
	check_ok(&r, 200, "hello");
	assert_false(r.reused);
	send_request(&f, &req, &r);
	check_ok(&r, 200, "hello");
	assert_true(r.reused);
	req.url = "http://docker/echo";
	send_request(&f, &req, &r);
	check_has(r.body, "\r\nHost: docker\r\n");
	shutdown(u.conn_fds[0], SHUT_RDWR);
	send_request(&f, &req, &r);
	assert_false(r.failed);
	assert_int_equal(u.nconns, 2);
	result_done(&r);
	fixture_close(&f);
	server_stop(&u);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_divide_the_pool),
		cmocka_unit_test(keys_follow_owner_and_hop),
		cmocka_unit_test(overlay_failures_are_final),
		cmocka_unit_test(literals_on_an_overlay_are_judged),
		cmocka_unit_test(dropped_generation),
		cmocka_unit_test(dropped_while_at_work),
		cmocka_unit_test(dead_while_idle),
		cmocka_unit_test(dies_under_the_request),
		cmocka_unit_test(unasked_answers_are_not_believed),
		cmocka_unit_test(idle_life),
		cmocka_unit_test(idle_limits),
		cmocka_unit_test(unix_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
