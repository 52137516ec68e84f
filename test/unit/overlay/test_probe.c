/*
 * Probes: an overlay's own proxy or bridge is greeted and left, over TCP and over a Unix socket, and no target is ever named.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#include <cmocka.h>

#include "driver_fixture.h"

/* -- a server that reads and says in turns ------------------------------------------------------------- */

struct peer {
	pthread_t thread;
	int listener;
	uint16_t port;
	char path[64];
	const char *says[3]; /* each after something was heard */
	size_t lens[3];
	struct buf heard; /* on the only connection */
	bool saw_end;
};

static void *peer_main(void *arg)
{
	struct peer *p = arg;
	int fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
	char bytes[512];
	ssize_t n;

	for (size_t i = 0; (n = recv(fd, bytes, sizeof(bytes), 0)) > 0; i++) {
		buf_add(&p->heard, bytes, (size_t)n);
		if (i < ARRAY_LEN(p->says) && p->lens[i] > 0)
			(void)!send(fd, p->says[i], p->lens[i], MSG_NOSIGNAL);
	}
	p->saw_end = n == 0;
	close(fd);
	return NULL;
}

static struct peer *peer_start(bool is_unix)
{
	struct peer *p = xcalloc(1, sizeof(*p));
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	if (is_unix) {
		snprintf(p->path, sizeof(p->path), "/tmp/test_probe_%d", (int)getpid());
		strcpy(un.sun_path, p->path);
		unlink(p->path);
		p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(p->listener, (struct sockaddr *)&un, sizeof(un)), 0);
		assert_int_equal(listen(p->listener, 4), 0);
	} else {
		p->listener = listen_on("127.0.0.1", 4, &p->port);
	}
	pthread_create(&p->thread, NULL, peer_main, p);
	return p;
}

static void say(struct peer *p, size_t turn, const void *bytes, size_t len)
{
	p->says[turn] = bytes;
	p->lens[turn] = len;
}

#define SAY(p, turn, text) say(p, turn, text, sizeof(text) - 1)

static void peer_join(struct peer *p)
{
	pthread_join(p->thread, NULL);
	close(p->listener);
	if (p->path[0])
		unlink(p->path);
}

static void peer_free(struct peer *p)
{
	buf_done(&p->heard);
	free(p);
}

/* -- one probe ------------------------------------------------------------------------------------------ */

struct probed {
	unsigned calls;
	bool returned;
	struct probe_result r;
	bool failed;
	struct err err;
};

static struct value *entry_of(const struct peer *p)
{
	return p->path[0] ? with(value_map(), "socks_socket", value_cstring(p->path)) : entry(p->port);
}

static struct overlay *open_on(const struct overlay_driver *driver, struct value *data)
{
	struct overlay *o = open_entry(driver, "app:o", data);

	assert_true(overlay_can_probe(o));
	return o;
}

static void on_probed(void *arg, const struct probe_result *r, const struct err *e)
{
	struct probed *p = arg;

	assert_true(p->returned);
	p->calls++;
	p->r = *r;
	p->failed = e != NULL;
	if (e)
		p->err = *e;
	loop_stop(loop);
}

static struct probe *begin(struct overlay *o, unsigned timeout_ms, struct probed *p)
{
	struct probe *probe;

	*p = (struct probed){0};
	probe = overlay_probe(
		&(struct probe_options){
			.loop = loop, .overlay = o, .deadline_ns = loop_clock_ns() + timeout_ms * UINT64_C(1000000)},
		on_probed, p);
	p->returned = true;
	return probe;
}

static struct probed probe_once(struct overlay *o, unsigned timeout_ms)
{
	struct probed p;

	begin(o, timeout_ms, &p);
	loop_run(loop);
	assert_int_equal(p.calls, 1);
	return p;
}

static struct overlay_status status_of(struct overlay *o)
{
	struct overlay_status s;

	overlay_get_status(o, &s);
	return s;
}

static void check_heard(const struct peer *p, const void *bytes, size_t len)
{
	assert_int_equal(buf_len(&p->heard), len);
	assert_memory_equal(buf_data(&p->heard), bytes, len);
	assert_true(p->saw_end);
}

#define HEARD(p, text) check_heard(p, text, sizeof(text) - 1)

/* -- proxies ---------------------------------------------------------------------------------------------- */

static void test_a_proxy_that_asks_for_nothing(void **state)
{
	(void)state;
	for (int is_unix = 0; is_unix < 2; is_unix++) {
		struct peer *p = peer_start(is_unix);
		struct overlay *o = open_on(is_unix ? &tor_driver : &socks5_driver, entry_of(p));
		struct probed got;

		SAY(p, 0, "\x05\x00");
		got = probe_once(o, 5000);
		peer_join(p);
		assert_false(got.failed);
		assert_string_equal(got.r.method, "no authentication");
		assert_true(got.r.connect_ns > 0 && got.r.handshake_ns > 0);
		HEARD(p, "\x05\x01\x00");
		assert_int_equal(status_of(o).state, OVERLAY_READY);
		assert_int_equal(status_of(o).dials, 0);
		overlay_unref(o);
		peer_free(p);
	}
}

static void test_credentials(void **state)
{
	static const char *const answers[] = {"\x01\x00", "\x01\x05"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct peer *p = peer_start(false);
		struct value *v = entry_of(p);
		struct overlay *o;
		struct probed got;

		value_map_set(v, "username", value_cstring("user"));
		value_map_set(v, "password", value_cstring("hunter2"));
		o = open_on(&socks5_driver, v);
		SAY(p, 0, "\x05\x02");
		say(p, 1, answers[i], 2);
		got = probe_once(o, 5000);
		peer_join(p);
		HEARD(p, "\x05\x02\x00\x02\x01\x04user\x07hunter2");
		assert_int_equal(got.failed, i);
		assert_true(got.r.connect_ns > 0);
		if (i == 0) {
			assert_string_equal(got.r.method, "username and password");
			assert_int_equal(status_of(o).state, OVERLAY_READY);
		} else {
			assert_string_equal(got.err.code, "socks_auth_failed");
			assert_int_equal(got.err.kind, ERR_PERMISSION_DENIED);
			assert_int_equal(strncmp(got.err.text, "socks probe tcp 127.0.0.1:", 26), 0);
			assert_null(strstr(got.err.text, "hunter2"));
			assert_int_equal(got.r.handshake_ns, 0);
			assert_int_equal(status_of(o).state, OVERLAY_DEGRADED);
		}
		overlay_unref(o);
		peer_free(p);
	}
}

/* What isolation rests on is asked, too. */
static void test_a_proxy_that_cannot_isolate(void **state)
{
	struct peer *p = peer_start(false);
	struct value *v = entry_of(p);
	struct overlay *o;
	struct probed got;

	(void)state;
	value_map_set(v, "isolate_streams", value_bool(true));
	o = open_on(&socks5_driver, v);
	SAY(p, 0, "\x05\x00");
	got = probe_once(o, 5000);
	peer_join(p);
	HEARD(p, "\x05\x02\x00\x02");
	assert_false(got.failed);
	assert_int_equal(status_of(o).state, OVERLAY_DEGRADED);
	assert_non_null(strstr(status_of(o).reason, "streams are not isolated"));
	overlay_unref(o);
	peer_free(p);
}

static void test_bad_proxies(void **state)
{
	static const struct {
		const char *says, *code;
	} cases[] = {{"HTTP/1.1 400 Bad Request\r\n\r\n", "socks_bad_version"}, {"\x05\xff", "socks_no_method"},
		{"\x05", "socks_handshake_timeout"}, {"", "socks_handshake_timeout"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct peer *p = peer_start(i % 2);
		struct overlay *o = open_on(&tor_driver, entry_of(p));
		struct probed got;

		say(p, 0, cases[i].says, strlen(cases[i].says));
		got = probe_once(o, 150);
		peer_join(p);
		assert_true(got.failed && got.r.connect_ns > 0);
		assert_string_equal(got.err.code, cases[i].code);
		assert_int_equal(status_of(o).state, OVERLAY_DEGRADED);
		overlay_unref(o);
		peer_free(p);
	}
}

static void test_nobody_there(void **state)
{
	struct peer nobody = {.path = "/nonexistent/socks"};
	struct overlay *o = open_on(&tor_driver, entry_of(&nobody));
	struct probed got = probe_once(o, 5000);

	(void)state;
	assert_true(got.failed);
	assert_string_equal(got.err.text, "socks probe unix /nonexistent/socks: dial unix /nonexistent/socks: connect: "
					  "no such file or directory");
	assert_int_equal(got.r.connect_ns, 0);
	assert_int_equal(status_of(o).state, OVERLAY_DOWN);
	overlay_unref(o);
}

static void test_cancel(void **state)
{
	(void)state;
	for (unsigned wait_ms = 0; wait_ms <= 40; wait_ms += 40) {
		struct peer *p = peer_start(wait_ms == 0);
		struct overlay *o = open_on(&tor_driver, entry_of(p));
		struct probed got;
		struct probe *probe = begin(o, 5000, &got);

		if (wait_ms)
			run_for(loop, wait_ms);
		overlay_unref(o); /* the probe has its own reference */
		probe_cancel(probe);
		run_for(loop, 5);
		assert_int_equal(got.calls, 0);
		shutdown(p->listener, SHUT_RDWR);
		peer_join(p);
		peer_free(p);
	}
	probe_cancel(NULL);
}

/* -- a bridge ---------------------------------------------------------------------------------------------- */

static void test_a_sam_bridge(void **state)
{
	static const struct {
		const char *says, *code, *method;
	} cases[] = {{"HELLO REPLY RESULT=OK VERSION=3.3\n", NULL, "SAM 3.3"},
		{"HELLO REPLY RESULT=NOVERSION\n", "i2p_no_version", ""}, {"HTTP/1.1 400\r\n", "i2p_bad_reply", ""},
		{"", "i2p_timeout", ""}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct peer *p = peer_start(false);
		struct overlay *o = open_on(&i2p_driver, entry_of(p));
		struct probed got;

		say(p, 0, cases[i].says, strlen(cases[i].says));
		got = probe_once(o, 150);
		peer_join(p);
		HEARD(p, "HELLO VERSION MIN=3.0 MAX=3.3\n");
		assert_string_equal(got.r.method, cases[i].method);
		assert_int_equal(got.failed, cases[i].code != NULL);
		if (got.failed && strcmp(got.err.code, cases[i].code) != 0)
			fail_msg("%s: %s", got.err.code, got.err.text);
		/* No session stood or failed. */
		assert_int_equal(status_of(o).state, OVERLAY_STARTING);
		overlay_unref(o);
		peer_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_proxy_that_asks_for_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_credentials, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_proxy_that_cannot_isolate, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_proxies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nobody_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_sam_bridge, set_up, tear_down),
	};

	log_set_sink(keep_log, NULL, LOG_DEBUG);
	/* What the first loop of a program opens for all. */
	loop_free(loop_new());
	return cmocka_run_group_tests_name("overlay/probe", tests, NULL, NULL);
}
