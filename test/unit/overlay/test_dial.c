/* The dial gate: what it refuses, that it never reports inside the call, and what it hands to whom. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "overlay/destination.h"
#include "overlay/driver.h"
#include "overlay_test.h"

static struct loop *loop;

static int set_up(void **state)
{
	(void)state;
	forget_log();
	atomic_store(&lookups, 0);
	loop = loop_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	loop_free(loop); /* asserts that nothing is left on it */
	forget_log();
	return 0;
}

/* -- a driver that does nothing but remember ------------------------------------------------------- */

struct fake_dial {
	struct dial base;
	struct loop_timer timer;
};

static struct {
	unsigned dials, cancels, closes;
	char host[TARGET_TEXT_MAX + 1];
	char key[ISOLATION_KEY_MAX];
	bool refuse;
} fake;

static int fake_open(const struct value *data, struct overlay **ret_overlay, struct err *e)
{
	struct overlay *o = xcalloc(1, sizeof(*o));

	if (overlay_read_isolation(data, o, e) < 0) {
		free(o);
		return -1;
	}
	if (value_get(data, "unreadable")) {
		free(o);
		return err_set(e, ERR_NOT_FOUND, "failed to resolve auth key env var X");
	}
	*ret_overlay = o;
	return 0;
}

static void fake_fire(struct loop_timer *t)
{
	struct fake_dial *f = container_of(t, struct fake_dial, timer);
	struct err e;

	err_set(&e, ERR_UNAVAILABLE, "fake: nowhere to go");
	dial_report(&f->base, -1, &e);
	free(f);
}

static struct dial *fake_dial(struct overlay *o, const struct dial_options *opt)
{
	struct fake_dial *f;
	struct err e;

	(void)o;
	fake.dials++;
	snprintf(fake.host, sizeof(fake.host), "%s", opt->host);
	snprintf(fake.key, sizeof(fake.key), "%s", opt->isolation_key);
	if (fake.refuse) {
		err_set(&e, ERR_INTERNAL, "fake: refused at once");
		return dial_new_failed(opt, &e);
	}
	f = xcalloc(1, sizeof(*f));
	loop_timer_init(&f->timer, opt->loop, fake_fire);
	loop_timer_start_ms(&f->timer, 5);
	return &f->base;
}

static void fake_cancel(struct dial *d)
{
	struct fake_dial *f = container_of(d, struct fake_dial, base);

	fake.cancels++;
	loop_timer_stop(&f->timer);
	free(f);
}

static void fake_close(struct overlay *o)
{
	fake.closes++;
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

static const struct overlay_env env = {.state_dir = "/nonexistent"};

static struct overlay *open_fake(struct value *data)
{
	struct overlay *o = NULL;
	struct err e = {0};

	memset(&fake, 0, sizeof(fake));
	if (overlay_open(&fake_driver, &env, "app:fake", data, &o, &e) < 0)
		fail_msg("%s", e.text);
	value_unref(data);
	return o;
}

/* -- refusals -------------------------------------------------------------------------------------- */

static void test_overlay_names_stay_off_the_clear_network(void **state)
{
	static const char *const names[] = {
		"expyuzz4wqqyqhjn.onion", "www.x.ONION", "x.onion.", "stats.i2p", "a.b32.I2P."};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct dialled r = dial_once(loop, NULL, names[i], 80, 2000, "");

		assert_int_equal(r.fd, -1);
		assert_string_equal(r.err.code, "overlay_only_host");
		assert_int_equal(r.err.retry, ERR_RETRY_NO);
		assert_non_null(strstr(r.err.text, names[i]));
		assert_string_equal(r.trace.resolver, "none");
		assert_int_equal(r.trace.connected_ns, 0);
	}
	assert_int_equal(kept_log.dial_failures, ARRAY_LEN(names));
	assert_int_equal(atomic_load(&lookups), 0);
}

static void test_targets_that_are_none(void **state)
{
	char longest[258];
	const char *const hosts[] = {"", " ", "a b", "a\nb", "a\r\nDESTINATION=x", "a:80", "[::1", "::g", "user@host",
		"a/b",
		"b\xc3\xbc"
		"cher.de",
		"\x7f", "a\"b", "fe80::1%eth0", longest};
	struct overlay *o = open_fake(value_map());

	(void)state;
	memset(longest, 'a', 256);
	longest[256] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		for (int through = 0; through < 2; through++) {
			struct dialled r = dial_once(loop, through ? o : NULL, hosts[i], 80, 1000, "");

			assert_int_equal(r.fd, -1);
			assert_int_equal(r.err.kind, ERR_INVALID);
			assert_string_equal(r.err.code, "bad_target");
		}
	}
	assert_int_equal(dial_once(loop, o, "a.b", 0, 1000, "").err.kind, ERR_INVALID);
	assert_int_equal(fake.dials, 0);
	overlay_unref(o);
	assert_int_equal(fake.closes, 1);
}

/* 387 zero bytes in base64, with an empty certificate: I2P's shortest. */
static const char *destination(char last)
{
	static char text[DESTINATION_TEXT_MIN + 1];

	memset(text, 'A', DESTINATION_TEXT_MIN);
	text[DESTINATION_TEXT_MIN - 1] = last;
	return text;
}

static void test_long_hosts(void **state)
{
	static char too_long[TARGET_TEXT_MAX + 2];
	struct overlay *o = open_fake(value_map());
	struct overlay_driver roomy = fake_driver;
	struct dialled r;

	(void)state;
	memset(too_long, 'a', TARGET_TEXT_MAX + 1);
	/* The clear network refuses a destination as what it is, and looks nothing up. */
	r = dial_once(loop, NULL, destination('A'), 80, 2000, "");
	assert_string_equal(r.err.code, "overlay_only_host");
	assert_non_null(strstr(r.err.text, "'gem7z2yovuoqqbg3sd5qzb5dhaiit6osezfdo3cbuonanzjsuzaq.b32.i2p' cannot be"));
	r = dial_once(loop, NULL, destination('B'), 80, 2000, "");
	assert_string_equal(r.err.code, "bad_target");
	assert_non_null(strstr(r.err.text, "the host has more than 255 bytes"));
	assert_int_equal(atomic_load(&lookups), 0);
	/* A driver says how much it can carry. */
	r = dial_once(loop, o, destination('A'), 80, 2000, "");
	assert_string_equal(r.err.code, "bad_target");
	assert_int_equal(fake.dials, 0);
	roomy.host_max = TARGET_TEXT_MAX;
	o->driver = &roomy;
	r = dial_once(loop, o, destination('A'), 80, 2000, "");
	assert_int_equal(fake.dials, 1);
	assert_string_equal(fake.host, destination('A'));
	r = dial_once(loop, o, too_long, 80, 2000, "");
	assert_string_equal(r.err.code, "bad_target");
	assert_non_null(strstr(r.err.text, "the host has more than 2048 bytes"));
	/* What could end a line of the bridge's is refused at any length. */
	too_long[TARGET_TEXT_MAX] = '\0';
	too_long[TARGET_TEXT_MAX - 1] = '\n';
	r = dial_once(loop, o, too_long, 80, 2000, "");
	assert_string_equal(r.err.code, "bad_target");
	assert_int_equal(fake.dials, 1);
	overlay_unref(o);
}

static void test_deadline_that_has_passed(void **state)
{
	struct overlay *o = open_fake(value_map());
	struct dialled r = dial_once(loop, o, "a.b", 80, 0, "");

	(void)state;
	assert_int_equal(r.err.kind, ERR_TIMEOUT);
	assert_non_null(strstr(r.err.text, "dial tcp a.b:80: i/o timeout"));
	assert_int_equal(fake.dials, 0);
	overlay_unref(o);
}

/* -- the clear network ----------------------------------------------------------------------------- */

static void test_clear_literal(void **state)
{
	uint16_t port;
	int listener = listen_on("127.0.0.1", 5, &port);
	struct dialled r = dial_once(loop, NULL, "127.0.0.1", port, 2000, "");
	int on = 0;
	socklen_t len = sizeof(on);

	(void)state;
	assert_true(r.fd >= 0);
	assert_string_equal(r.trace.resolver, "none");
	assert_true(r.trace.begun_ns > 0 && r.trace.connected_ns >= r.trace.begun_ns);
	assert_true(r.trace.ready_ns == r.trace.connected_ns);
	assert_true(fcntl(r.fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(r.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(getsockopt(r.fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
	assert_true(on);
	close(r.fd);

	r = dial_once(loop, NULL, "localhost", port, 5000, "");
	assert_true(r.fd >= 0);
	assert_string_equal(r.trace.resolver, "system");
	assert_true(atomic_load(&lookups) > 0); /* the watch works */
	close(r.fd);
	close(listener);
	assert_int_equal(kept_log.dial_failures, 0);
}

static void test_clear_refused(void **state)
{
	uint16_t port;
	int dead = dead_port(&port);
	struct dialled r = dial_once(loop, NULL, "127.0.0.1", port, 2000, "");
	char want[100];

	(void)state;
	snprintf(want, sizeof(want), "dial tcp 127.0.0.1:%u: connect: connection refused", port);
	assert_string_equal(r.err.text, want);
	assert_string_equal(r.err.code, "connect_refused");
	assert_int_equal(kept_log.dial_failures, 1);
	assert_non_null(strstr(buf_str(&kept_log.text), "overlay=direct"));
	close(dead);
}

static int judged_private(void *arg, const struct addr *a, struct err *e)
{
	++*(unsigned *)arg;
	return addr_is_private(a) ? err_set(e, ERR_PERMISSION_DENIED, "not allowed: private IP") : 0;
}

static void test_judge(void **state)
{
	uint16_t port;
	int listener = listen_on("127.0.0.1", 5, &port);
	unsigned judged = 0;
	struct dial_options opt = {
		.loop = loop,
		.host = "127.0.0.1",
		.port = port,
		.deadline_ns = loop_clock_ns() + UINT64_C(2000000000),
		.judge = judged_private,
		.judge_arg = &judged,
	};
	struct dialled r = {.loop = loop, .returned = true};
	struct pollfd p = {.fd = listener, .events = POLLIN};

	(void)state;
	overlay_dial(&opt, on_dialled, &r);
	loop_run(loop);
	assert_int_equal(r.fd, -1);
	assert_int_equal(r.err.kind, ERR_PERMISSION_DENIED);
	assert_int_equal(judged, 1);
	assert_int_equal(poll(&p, 1, 0), 0); /* nobody knocked */
	close(listener);
}

static void test_clear_timeout(void **state)
{
	int fds[8];
	uint16_t port;
	size_t n = deaf_port(fds, &port);
	struct dialled r = dial_once(loop, NULL, "127.0.0.1", port, 100, "");

	(void)state;
	assert_int_equal(r.err.kind, ERR_TIMEOUT);
	assert_in_range(r.took_ms, 100, 1500);
	while (n > 0)
		close(fds[--n]);
}

/* -- cancelling ------------------------------------------------------------------------------------ */

static void test_cancel_on_the_clear_network(void **state)
{
	unsigned fds_before = count_fds();
	int fds[8];
	uint16_t port;
	size_t n = deaf_port(fds, &port);
	struct dialled r = {0};

	(void)state;
	for (unsigned wait_ms = 0; wait_ms <= 20; wait_ms += 20) {
		struct dial *d = begin_dial(loop, NULL, "127.0.0.1", port, 5000, "", &r);

		if (wait_ms)
			run_for(loop, wait_ms);
		dial_cancel(d);
		run_for(loop, 5);
		assert_int_equal(r.calls, 0);
	}
	/* While the name is being looked up. */
	dial_cancel(begin_dial(loop, NULL, "localhost", port, 5000, "", &r));
	run_for(loop, 100);
	assert_int_equal(r.calls, 0);
	while (n > 0)
		close(fds[--n]);
	assert_int_equal(count_fds(), fds_before);
	assert_int_equal(kept_log.records, 0);
}

static void test_cancel_of_a_refusal(void **state)
{
	struct dialled r = {0};

	(void)state;
	dial_cancel(begin_dial(loop, NULL, "x.onion", 80, 1000, "", &r));
	run_for(loop, 5);
	assert_int_equal(r.calls, 0);
	assert_int_equal(kept_log.records, 0);
	dial_cancel(NULL);
}

/* -- drivers --------------------------------------------------------------------------------------- */

static void test_overlay_gets_the_name_and_the_key(void **state)
{
	struct overlay *o = open_fake(value_map());
	struct dialled r = dial_once(loop, o, "Hidden.onion", 80, 1000, "owner:7");

	(void)state;
	assert_string_equal(fake.host, "Hidden.onion");
	assert_string_equal(fake.key, "owner:7");
	assert_string_equal(r.err.text, "fake: nowhere to go");
	assert_int_equal(kept_log.dial_failures, 1);
	assert_non_null(strstr(buf_str(&kept_log.text), "overlay=app:fake"));
	overlay_unref(o);
	assert_int_equal(fake.closes, 1);
}

static void test_driver_that_refuses_at_once(void **state)
{
	struct overlay *o = open_fake(value_map());
	struct dialled r = {0};

	(void)state;
	fake.refuse = true;
	assert_string_equal(dial_once(loop, o, "a.b", 80, 1000, "").err.text, "fake: refused at once");
	dial_cancel(begin_dial(loop, o, "a.b", 80, 1000, "", &r));
	assert_int_equal(fake.cancels, 0); /* it was no dial of the driver's */
	overlay_unref(o);
	assert_int_equal(fake.closes, 1);
}

static void test_a_dial_keeps_its_instance(void **state)
{
	struct overlay *o = open_fake(value_map());
	struct dialled r = {0};

	(void)state;
	begin_dial(loop, o, "a.b", 80, 1000, "", &r);
	overlay_unref(o);
	assert_int_equal(fake.closes, 0);
	loop_run(loop);
	assert_int_equal(r.calls, 1);
	assert_int_equal(fake.closes, 1);

	o = open_fake(value_map());
	dial_cancel(begin_dial(loop, o, "a.b", 80, 1000, "", &r));
	assert_int_equal(fake.cancels, 1);
	assert_int_equal(fake.closes, 0);
	overlay_unref(o);
	assert_int_equal(fake.closes, 1);
}

/* -- instances ------------------------------------------------------------------------------------- */

static void test_open_errors(void **state)
{
	struct overlay *o = (void *)1;
	struct value *v;
	struct err e;

	(void)state;
	assert_int_equal(overlay_open(&fake_driver, &env, "app:x", NULL, &o, &e), -1);
	assert_string_equal(e.text, "fake: failed to decode config: configuration data is required");
	assert_int_equal(e.kind, ERR_INVALID);
	v = value_list();
	assert_int_equal(overlay_open(&fake_driver, &env, "app:x", v, &o, &e), -1);
	assert_string_equal(
		e.text, "fake: failed to decode config: failed to unmarshal config: expected a map, got list");
	value_unref(v);
	/* Only a refusal of the data names the decoding. */
	v = value_map();
	value_map_set(v, "unreadable", value_bool(true));
	assert_int_equal(overlay_open(&fake_driver, &env, "app:x", v, &o, &e), -1);
	assert_string_equal(e.text, "failed to resolve auth key env var X");
	assert_int_equal(overlay_open(&fake_driver, &env, "app:x", v, &o, NULL), -1);
	value_unref(v);
	assert_ptr_equal(o, (void *)1); /* outputs are written on success only */
}

static void test_instances_differ(void **state)
{
	struct overlay *a = open_fake(value_map()), *b = open_fake(value_map());

	(void)state;
	assert_true(overlay_generation(a) >= 1);
	assert_true(overlay_generation(a) != overlay_generation(b));
	assert_string_equal(overlay_id(a), "app:fake");
	assert_string_equal(overlay_kind(a), "network.fake");
	assert_ptr_equal(overlay_ref(a), a);
	overlay_unref(a);
	assert_int_equal(fake.closes, 0);
	overlay_unref(a);
	overlay_unref(b);
	overlay_unref(NULL);
	assert_int_equal(fake.closes, 2);
}

static struct overlay *with_isolation(const char *word)
{
	struct value *v = value_map();

	value_map_set(v, "isolation", value_cstring(word));
	return open_fake(v);
}

static void test_isolation_keys(void **state)
{
	char a[ISOLATION_KEY_MAX], b[ISOLATION_KEY_MAX], longest[2][TARGET_TEXT_MAX + 1], name[66];
	struct value *v;
	struct overlay *o;
	struct err e;

	(void)state;
	assert_string_equal(overlay_isolation_key(NULL, 7, "h", a), "");
	o = open_fake(value_map());
	assert_false(overlay_isolates(o));
	assert_string_equal(overlay_isolation_key(o, 7, "h", a), "");
	overlay_unref(o);

	v = value_map();
	value_map_set(v, "isolate_streams", value_bool(true));
	o = open_fake(v);
	assert_true(overlay_isolates(o));
	overlay_isolation_key(o, UINT64_MAX, "h", a);
	assert_string_equal(a, overlay_isolation_key(o, UINT64_MAX, "other", b));
	assert_string_not_equal(a, overlay_isolation_key(o, 1, "h", b));
	overlay_unref(o);

	o = with_isolation("process");
	assert_string_not_equal(overlay_isolation_key(o, 2, "h", a), overlay_isolation_key(o, 1, "h", b));
	overlay_unref(o);

	o = with_isolation("host");
	assert_string_equal(
		overlay_isolation_key(o, 2, "Example.org", a), overlay_isolation_key(o, 1, "example.ORG", b));
	assert_string_not_equal(a, overlay_isolation_key(o, 1, "example.com", b));
	for (int i = 0; i < 2; i++) {
		memset(longest[i], 'x', 255);
		longest[i][255] = '\0';
	}
	longest[1][254] = 'y';
	assert_string_not_equal(overlay_isolation_key(o, 1, longest[0], a), overlay_isolation_key(o, 1, longest[1], b));
	assert_string_equal(a, overlay_isolation_key(o, 9, longest[0], b));
	for (int i = 0; i < 2; i++) {
		memset(longest[i], 'x', TARGET_TEXT_MAX);
		longest[i][TARGET_TEXT_MAX] = '\0';
	}
	longest[1][TARGET_TEXT_MAX - 1] = 'y';
	assert_string_not_equal(overlay_isolation_key(o, 1, longest[0], a), overlay_isolation_key(o, 1, longest[1], b));
	/* By whichever of its names: one host. */
	assert_string_equal(overlay_isolation_key(o, 1, destination('A'), a),
		overlay_isolation_key(o, 1, "gem7z2yovuoqqbg3sd5qzb5dhaiit6osezfdo3cbuonanzjsuzaq.b32.i2p", b));
	overlay_unref(o);

	o = with_isolation("shop");
	assert_string_equal(overlay_isolation_key(o, 2, "a", a), overlay_isolation_key(o, 1, "b", b));
	assert_string_not_equal(a, "");
	overlay_unref(o);

	memset(name, 'n', 65);
	name[65] = '\0';
	v = value_map();
	value_map_set(v, "isolation", value_cstring(name));
	assert_int_equal(overlay_open(&fake_driver, &env, "app:x", v, &o, &e), -1);
	assert_non_null(strstr(e.text, "invalid isolation"));
	value_map_set(v, "isolation", value_cstring("process"));
	value_map_set(v, "isolate_streams", value_bool(true));
	assert_int_equal(overlay_open(&fake_driver, &env, "app:x", v, &o, &e), -1);
	assert_non_null(strstr(e.text, "only one of the two"));
	value_unref(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_overlay_names_stay_off_the_clear_network, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_targets_that_are_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long_hosts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_deadline_that_has_passed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_clear_literal, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_clear_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_judge, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_clear_timeout, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cancel_on_the_clear_network, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cancel_of_a_refusal, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_overlay_gets_the_name_and_the_key, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_driver_that_refuses_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_dial_keeps_its_instance, set_up, tear_down),
		cmocka_unit_test(test_open_errors),
		cmocka_unit_test(test_instances_differ),
		cmocka_unit_test(test_isolation_keys),
	};

	log_set_sink(keep_log, NULL, LOG_DEBUG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
