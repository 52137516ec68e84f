/*
 * The I2P driver against a scripted bridge: sessions shared and kept apart, each way a dial can end, and that nothing is left
 * behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "overlay/destination.h"
#include "driver_fixture.h"
#include "i2p_bridge.h"

static struct overlay *start_i2p(struct value *data)
{
	return start_entry(&i2p_driver, "app:i2p", data);
}

static void read_stream(int fd, const char *want)
{
	char got[64] = "";

	for (size_t len = 0; len < strlen(want);) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		ssize_t n;

		assert_int_equal(poll(&ready, 1, 5000), 1);
		n = read(fd, got + len, strlen(want) - len);
		assert_true(n > 0);
		len += (size_t)n;
	}
	assert_string_equal(got, want);
}

static struct dialled dial_key(struct overlay *o, const char *key)
{
	return dial_once(loop, o, "example.i2p", 80, 5000, key);
}

static void good_dial(struct overlay *o, const char *key)
{
	struct dialled r = dial_key(o, key);

	if (r.fd < 0)
		fail_msg("%s", r.err.text);
	read_stream(r.fd, "stream");
	close(r.fd);
}

/* Run the loop until `*counter` of the bridge or the sessions at the bridge are as wanted, at most for five seconds. */
static void wait_sessions(struct bridge *b, unsigned want)
{
	for (unsigned i = 0; i < 500 && bridge_sessions(b) != want; i++)
		run_for(loop, 10);
	assert_int_equal(bridge_sessions(b), want);
}

/* -- dialling -------------------------------------------------------------------------------------- */

static void test_dials_share_a_session(void **state)
{
	(void)state;
	for (unsigned drips = 0; drips < 2; drips++) {
		struct bridge *b = bridge_start();
		struct overlay *o;
		struct dialled r;

		b->drips = drips;
		o = start_i2p(with(
			with(entry(b->port), "inbound_length", value_int(0)), "session_name", value_cstring("mine")));
		assert_int_equal(state_of(o), OVERLAY_STARTING);
		r = dial_key(o, "");
		assert_true(r.fd >= 0);
		/* What came together with the bridge's answer is the stream's. */
		read_stream(r.fd, "stream");
		assert_string_equal(r.trace.resolver, "bridge");
		assert_true(r.trace.connected_ns >= r.trace.begun_ns && r.trace.ready_ns >= r.trace.connected_ns);
		assert_int_equal(state_of(o), OVERLAY_READY);
		close(r.fd);
		good_dial(o, "");
		good_dial(o, "");
		assert_int_equal(b->creates, 1);
		assert_int_equal(b->connects, 3);
		assert_int_equal(b->connections, 4);
		assert_non_null(strstr(buf_str(&b->heard), "SESSION CREATE STYLE=STREAM ID=mine-"));
		assert_non_null(
			strstr(buf_str(&b->heard), " DESTINATION=TRANSIENT SIGNATURE_TYPE=7 inbound.length=0\n"));
		assert_non_null(strstr(buf_str(&b->heard), " DESTINATION=example.i2p SILENT=false\n"));
		assert_int_equal(atomic_load(&lookups), 0);
		end_overlay(o);
		bridge_free(b);
	}
}

static void test_concurrent_dials_wait_for_one_session(void **state)
{
	enum { N = 40 };
	struct bridge *b = bridge_start();
	struct overlay *o = start_i2p(entry(b->port));
	struct dialled r[N];
	unsigned left = N;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		r[i].left = &left;
		begin_dial(loop, o, "example.i2p", 80, 5000, "", &r[i]);
	}
	loop_run(loop);
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(r[i].calls, 1);
		assert_true(r[i].fd >= 0);
		close(r[i].fd);
	}
	assert_int_equal(b->creates, 1);
	end_overlay(o);
	bridge_free(b);
}

static void test_port_is_told_to_newer_bridges(void **state)
{
	struct bridge *b = bridge_start();
	struct overlay *o;

	(void)state;
	b->version = "3.3";
	o = start_i2p(entry(b->port));
	good_dial(o, "");
	assert_non_null(strstr(buf_str(&b->heard), " DESTINATION=example.i2p SILENT=false TO_PORT=80\n"));
	end_overlay(o);
	bridge_free(b);
}

/* Neither cut nor changed on its way to the bridge; one that lost something does not even begin. */
static void test_base64_destinations(void **state)
{
	/* An Ed25519 destination ends in a certificate of four bytes: "BQAEAAcAAA==". */
	static const char tail[] = "BQAEAAcAAA==";
	char host[DESTINATION_TEXT_MIN + 8 + 1];
	struct bridge *b = bridge_start();
	struct overlay *o = start_i2p(entry(b->port));
	struct dialled r;
	char *want;

	(void)state;
	memset(host, '~', sizeof(host));
	memcpy(host + sizeof(host) - sizeof(tail), tail, sizeof(tail));
	want = xasprintf(" DESTINATION=%s SILENT=false\n", host);
	r = dial_once(loop, o, host, 80, 5000, "");
	if (r.fd < 0)
		fail_msg("%s", r.err.text);
	read_stream(r.fd, "stream");
	close(r.fd);
	assert_non_null(strstr(buf_str(&b->heard), want));
	free(want);

	r = dial_once(loop, o, host + 4, 80, 5000, "");
	assert_int_equal(r.fd, -1);
	assert_int_equal(r.err.kind, ERR_INVALID);
	assert_int_equal(r.err.retry, ERR_RETRY_NO);
	assert_string_equal(r.err.code, "i2p_invalid_key");
	assert_string_equal(r.err.text,
		"i2p: 520 characters are no destination in base64: copy it whole, or use its .b32.i2p name");
	assert_int_equal(b->connects, 1);
	/* It says nothing about the bridge. */
	assert_int_equal(state_of(o), OVERLAY_READY);
	end_overlay(o);
	bridge_free(b);
}

/* -- each phase, each way ---------------------------------------------------------------------------- */

static void test_what_goes_wrong(void **state)
{
	static const struct {
		enum phase phase;
		enum wrong wrong;
		unsigned from;
		const char *text, *code;
	} cases[] = {
		{PHASE_HELLO, DO_CUT, 0, "i2p: SAM handshake response failed: unexpected EOF", "i2p_closed"},
		{PHASE_HELLO, DO_RESET, 0, "i2p: SAM handshake response failed: ", "i2p_closed"},
		{PHASE_HELLO, DO_STALL, 0, "i2p: SESSION CREATE response failed: i/o timeout", "i2p_timeout"},
		{PHASE_HELLO, DO_GARBAGE, 0, "i2p: SAM handshake rejected: \\x01\\x02garbage\\xff", "i2p_bad_reply"},
		{PHASE_HELLO, DO_ENDLESS, 0, "i2p: SAM handshake response failed: the bridge's line has more",
			"i2p_bad_reply"},
		{PHASE_HELLO, DO_REFUSE, 0, "i2p: SAM handshake rejected: NO RESULT=NOVERSION", "i2p_no_version"},
		{PHASE_CREATE, DO_CUT, 0, "i2p: SESSION CREATE response failed: unexpected EOF", "i2p_closed"},
		{PHASE_CREATE, DO_STALL, 0, "i2p: SESSION CREATE response failed: i/o timeout", "i2p_timeout"},
		{PHASE_CREATE, DO_GARBAGE, 0, "i2p: SESSION CREATE rejected: ", "i2p_bad_reply"},
		{PHASE_CREATE, DO_REFUSE, 0, "i2p: SESSION CREATE rejected: NO RESULT=NOVERSION", "i2p_no_version"},
		{PHASE_HELLO, DO_CUT, 1, "i2p: stream SAM handshake response failed: unexpected EOF", "i2p_closed"},
		{PHASE_HELLO, DO_STALL, 1, "i2p: stream SAM handshake response failed: i/o timeout", "i2p_timeout"},
		{PHASE_HELLO, DO_GARBAGE, 1, "i2p: stream SAM handshake rejected: ", "i2p_bad_reply"},
		{PHASE_CONNECT, DO_CUT, 0, "i2p: STREAM CONNECT response failed: unexpected EOF", "i2p_closed"},
		{PHASE_CONNECT, DO_RESET, 0, "i2p: STREAM CONNECT response failed: ", "i2p_closed"},
		{PHASE_CONNECT, DO_STALL, 0, "i2p: STREAM CONNECT response failed: i/o timeout", "i2p_timeout"},
		{PHASE_CONNECT, DO_GARBAGE, 0, "i2p: STREAM CONNECT rejected: ", "i2p_bad_reply"},
		{PHASE_CONNECT, DO_ENDLESS, 0, "i2p: STREAM CONNECT response failed: the bridge's line has more",
			"i2p_bad_reply"},
		{PHASE_CONNECT, DO_REFUSE, 0, "i2p: STREAM CONNECT rejected: NO RESULT=NOVERSION", "i2p_no_version"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bridge *b = bridge_start();
		struct overlay *o = start_i2p(entry(b->port));
		struct dialled r;

		b->refusal = "NO RESULT=NOVERSION\n";
		bridge_break(b, cases[i].phase, cases[i].wrong, cases[i].from);
		r = dial_once(loop, o, "example.i2p", 80, 250, "");
		assert_int_equal(r.fd, -1);
		if (strncmp(r.err.text, cases[i].text, strlen(cases[i].text)) != 0)
			assert_string_equal(r.err.text, cases[i].text);
		assert_string_equal(r.err.code, cases[i].code);
		assert_int_equal(r.err.retry, ERR_RETRY_YES);
		assert_int_equal(r.err.kind, cases[i].wrong == DO_STALL ? ERR_TIMEOUT : ERR_UNAVAILABLE);
		assert_in_range(r.took_ms, cases[i].wrong == DO_STALL ? 249 : 0, 2000);
		/* The bridge comes to its senses, and so do we, without a restart. */
		if (cases[i].wrong != DO_STALL || cases[i].from > 0 || cases[i].phase == PHASE_CONNECT) {
			bridge_break(b, PHASE_NONE, DO_RIGHT, 0);
			good_dial(o, "");
			assert_int_equal(state_of(o), OVERLAY_READY);
		}
		end_overlay(o);
		bridge_free(b);
	}
}

static void test_dead_bridge_and_its_return(void **state)
{
	struct bridge *b = bridge_start();
	struct overlay *o = start_i2p(entry(b->port));
	struct overlay_status s;
	struct dialled r;
	char want[128];

	(void)state;
	bridge_kill(b);
	r = dial_key(o, "");
	snprintf(want, sizeof(want),
		"i2p: SAM bridge connect failed: dial tcp 127.0.0.1:%u: connect: connection refused", b->port);
	assert_string_equal(r.err.text, want);
	assert_string_equal(r.err.code, "connect_refused");
	assert_int_equal(r.err.kind, ERR_UNAVAILABLE);
	assert_true(r.took_ms < 1000);
	overlay_get_status(o, &s);
	assert_int_equal(s.state, OVERLAY_DOWN);
	assert_string_equal(s.reason, want);
	bridge_listen(b, b->port);
	/* Waits for the next attempt, and not longer. */
	good_dial(o, "");
	assert_int_equal(state_of(o), OVERLAY_READY);

	/* It dies under a session that stands, and a stream. */
	r = dial_key(o, "");
	read_stream(r.fd, "stream");
	bridge_kill(b);
	assert_int_equal(poll(&(struct pollfd){.fd = r.fd, .events = POLLIN}, 1, 2000), 1);
	assert_int_equal(read(r.fd, want, 1), 0);
	close(r.fd);
	run_for(loop, 20);
	assert_int_equal(state_of(o), OVERLAY_DOWN);
	assert_int_equal(dial_key(o, "").fd, -1);
	bridge_listen(b, b->port);
	good_dial(o, "");
	end_overlay(o);
	bridge_free(b);
}

/* Rebuilt without anybody asking. */
static void test_lost_session_comes_back_by_itself(void **state)
{
	struct bridge *b = bridge_start();
	struct overlay *o = start_i2p(entry(b->port));

	(void)state;
	good_dial(o, "");
	bridge_drop_sessions(b, "");
	run_for(loop, 20);
	assert_int_equal(state_of(o), OVERLAY_DOWN);
	for (unsigned i = 0; i < 300 && state_of(o) != OVERLAY_READY; i++)
		run_for(loop, 10);
	assert_int_equal(state_of(o), OVERLAY_READY);
	assert_int_equal(bridge_count(b, &b->creates), 2);
	end_overlay(o);
	bridge_free(b);
}

static void test_session_the_bridge_forgot(void **state)
{
	struct bridge *b = bridge_start();
	struct overlay *o = start_i2p(entry(b->port));
	struct dialled r;

	(void)state;
	good_dial(o, "");
	run_for(loop, 1100); /* attempts keep a second's distance */
	b->forget = 1;
	good_dial(o, "");
	assert_int_equal(b->creates, 2);
	/* Twice is an error. */
	run_for(loop, 1100);
	b->forget = 2;
	r = dial_key(o, "");
	assert_string_equal(r.err.code, "i2p_invalid_id");
	assert_string_equal(r.err.text, "i2p: STREAM CONNECT rejected: STREAM STATUS RESULT=INVALID_ID");
	end_overlay(o);
	bridge_free(b);
}

/* -- isolation --------------------------------------------------------------------------------------- */

static void test_isolation_by_key(void **state)
{
	struct bridge *b = bridge_start();
	struct overlay *o = start_i2p(with(entry(b->port), "isolation", value_cstring("process")));

	(void)state;
	good_dial(o, "owner:1");
	good_dial(o, "owner:2");
	good_dial(o, "owner:1");
	assert_int_equal(b->creates, 2);
	assert_int_equal(bridge_sessions(b), 2);
	/* Who named no key shares with nobody. */
	good_dial(o, "");
	assert_int_equal(b->creates, 3);
	end_overlay(o);
	bridge_free(b);
}

static void test_isolated_streams_have_sessions_of_their_own(void **state)
{
	struct bridge *b = bridge_start();
	struct overlay *o = start_i2p(with(entry(b->port), "isolate_streams", value_bool(true)));
	struct dialled one, two;

	(void)state;
	assert_true(overlay_isolates(o));
	one = dial_key(o, "owner:1");
	two = dial_key(o, "owner:1");
	assert_int_equal(b->creates, 2);
	run_for(loop, 1200);
	/* As long as its stream, and not longer. */
	assert_int_equal(bridge_sessions(b), 2);
	close(one.fd);
	wait_sessions(b, 1);
	assert_int_equal(fcntl(two.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(two.fd);
	wait_sessions(b, 0);
	/* That the overlay has nothing standing now does not make it bad. */
	assert_int_equal(state_of(o), OVERLAY_READY);
	end_overlay(o);
	bridge_free(b);
}

static void test_idle_isolated_sessions_end(void **state)
{
	struct bridge *b = bridge_start();
	struct overlay *o = start_i2p(with(
		with(entry(b->port), "isolation", value_cstring("host")), "session_idle_timeout", value_cstring("1s")));
	struct dialled r;

	(void)state;
	r = dial_key(o, "host:a");
	good_dial(o, "host:b");
	wait_sessions(b, 1);
	run_for(loop, 1500);
	/* A stream goes through this one. */
	assert_int_equal(bridge_sessions(b), 1);
	close(r.fd);
	wait_sessions(b, 0);
	good_dial(o, "host:a");
	assert_int_equal(b->creates, 3);
	end_overlay(o);
	bridge_free(b);
}

static void test_sessions_are_bounded(void **state)
{
	enum { MAX = 64 };
	struct bridge *b = bridge_start();
	struct overlay *o = start_i2p(with(entry(b->port), "isolation", value_cstring("process")));
	int fds[MAX];
	struct dialled r;
	char key[32];

	(void)state;
	for (unsigned i = 0; i < MAX; i++) {
		snprintf(key, sizeof(key), "owner:%u", i);
		fds[i] = dial_key(o, key).fd;
		assert_true(fds[i] >= 0);
	}
	r = dial_key(o, "owner:x");
	assert_string_equal(r.err.code, "i2p_too_many_sessions");
	assert_int_equal(bridge_sessions(b), MAX);
	/* A session that nothing goes through makes room. */
	close(fds[7]);
	run_for(loop, 1100);
	good_dial(o, "owner:x");
	assert_int_equal(b->creates, MAX + 1);
	wait_sessions(b, MAX);
	for (unsigned i = 0; i < MAX; i++) {
		if (i != 7)
			close(fds[i]);
	}
	end_overlay(o);
	bridge_free(b);
}

/* -- cancelling and stopping ------------------------------------------------------------------------- */

static void test_cancel_in_each_phase(void **state)
{
	static const struct {
		enum phase phase;
		unsigned from;
	} cases[] = {{PHASE_HELLO, 0}, {PHASE_CREATE, 0}, {PHASE_HELLO, 1}, {PHASE_CONNECT, 0}};
	static const char *const ways[] = {"name", "dial"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (unsigned after_ms = 0; after_ms <= 60; after_ms += 60) {
			for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
				struct bridge *b = bridge_start();
				struct overlay *o =
					start_i2p(with(entry(b->port), "isolation", value_cstring(ways[w])));
				struct dialled r = {0};
				struct dial *d;

				bridge_break(b, cases[i].phase, DO_STALL, cases[i].from);
				d = begin_dial(loop, o, "example.i2p", 80, 5000, "name:x", &r);
				if (after_ms)
					run_for(loop, after_ms);
				dial_cancel(d);
				run_for(loop, 20);
				assert_int_equal(r.calls, 0);
				/* A session for one dial goes with it. */
				if (w == 1)
					wait_sessions(b, 0);
				end_overlay(o);
				bridge_free(b);
			}
		}
	}
}

static void test_stop_fails_who_waits(void **state)
{
	struct bridge *b = bridge_start();
	struct overlay *o = start_i2p(entry(b->port));
	struct dialled r = {0};

	(void)state;
	bridge_break(b, PHASE_CREATE, DO_STALL, 0);
	begin_dial(loop, o, "example.i2p", 80, 5000, "", &r);
	run_for(loop, 30);
	assert_int_equal(r.calls, 0);
	overlay_stop(o);
	loop_run(loop);
	assert_int_equal(r.calls, 1);
	assert_string_equal(r.err.code, "overlay_stopped");
	/* And whoever still holds the instance. */
	assert_int_equal(dial_key(o, "").fd, -1);
	end_overlay(o);
	bridge_free(b);
}

/* -- threads: dials on workers, sessions on the control thread ---------------------------------------- */

enum { WORKERS = 3, ROUNDS = 60, AT_A_TIME = 4 };

struct worker {
	pthread_t thread;
	struct overlay *o;
	struct loop *loop;
	unsigned seed, good, bad, cancelled;
};

static void *control_main(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	w->loop = loop_new();
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct dialled r[AT_A_TIME] = {0};
		struct dial *d[AT_A_TIME];

		for (unsigned i = 0; i < AT_A_TIME; i++) {
			char key[16];

			snprintf(key, sizeof(key), "owner:%d", rand_r(&w->seed) % 3);
			d[i] = begin_dial(w->loop, w->o, "example.i2p", 80, 5000, key, &r[i]);
		}
		/* Some are cancelled at once, some while something is on its way, some never. */
		for (unsigned i = 0; i < AT_A_TIME; i++) {
			if (rand_r(&w->seed) % 2)
				usleep((useconds_t)(rand_r(&w->seed) % 400));
			if (rand_r(&w->seed) % 4 == 0)
				run_for(w->loop, 1);
			if (rand_r(&w->seed) % 2 && r[i].calls == 0) {
				dial_cancel(d[i]);
				r[i].fd = -1;
				r[i].calls = 1;
				w->cancelled++;
			}
		}
		for (unsigned i = 0; i < AT_A_TIME; i++) {
			while (r[i].calls == 0)
				run_for(w->loop, 1);
			w->good += r[i].fd >= 0;
			if (r[i].fd >= 0)
				close(r[i].fd);
			else if (r[i].err.text[0])
				w->bad++;
		}
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct bridge *b = bridge_start();
	struct overlay *o = start_i2p(with(with(entry(b->port), "isolation", value_cstring("process")),
		"session_idle_timeout", value_cstring("1s")));
	struct worker w[WORKERS];
	pthread_t control;

	(void)state;
	assert_int_equal(pthread_create(&control, NULL, control_main, loop), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		w[i] = (struct worker){.o = o, .seed = 1000 + i};
		assert_int_equal(pthread_create(&w[i].thread, NULL, worker_main, &w[i]), 0);
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		pthread_join(w[i].thread, NULL);
		assert_int_equal(w[i].bad, 0);
		assert_true(w[i].good > 0 && w[i].cancelled > 0);
	}
	loop_stop(loop);
	pthread_join(control, NULL);
	/* Answers that met a cancelled dial still are in the workers' loops: each runs what was posted to it before it is freed. */
	for (unsigned i = 0; i < WORKERS; i++) {
		loop_stop(w[i].loop);
		loop_run(w[i].loop);
		loop_free(w[i].loop);
	}
	loop_stop(loop);
	loop_run(loop);
	end_overlay(o);
	bridge_free(b);
}

/* -- the entry --------------------------------------------------------------------------------------- */

static void check_config_error(struct value *data, const char *rest)
{
	char want[512];
	struct overlay *o = NULL;
	struct err e = {0};

	assert_int_equal(overlay_open(&i2p_driver, &env, "app:i2p", data, &o, &e), -1);
	snprintf(want, sizeof(want), "i2p: failed to decode config: %s", rest);
	assert_string_equal(e.text, want);
	assert_int_equal(e.kind, ERR_INVALID);
	value_unref(data);
}

static void test_config_errors(void **state)
{
	struct value *v = value_map();
	char longest[80];

	(void)state;
	check_config_error(NULL, "configuration data is required");
	check_config_error(v, "invalid configuration: network: host is required");
	check_config_error(with(entry(1), "port", value_int(0)),
		"invalid configuration: network: invalid port: 0 is not between 1 and 65535");
	check_config_error(with(entry(1), "session_name", value_cstring("a b")),
		"invalid configuration: network: invalid session_name: use letters, digits, '.', '_' and '-'");
	check_config_error(with(entry(1), "session_name", value_cstring("a\nHELLO")),
		"invalid configuration: network: invalid session_name: use letters, digits, '.', '_' and '-'");
	memset(longest, 'x', 65);
	longest[65] = '\0';
	check_config_error(with(entry(1), "session_name", value_cstring(longest)),
		"invalid configuration: network: invalid session_name: it has more than 64 bytes");
	check_config_error(with(entry(1), "inbound_length", value_int(8)),
		"invalid configuration: network: invalid inbound_length: use 0-7");
	check_config_error(with(entry(1), "outbound_length", value_int(-1)),
		"invalid configuration: network: invalid outbound_length: use 0-7");
	check_config_error(with(entry(1), "inbound_quantity", value_int(0)),
		"invalid configuration: network: invalid inbound_quantity: use 1-16");
	check_config_error(with(entry(1), "outbound_quantity", value_int(17)),
		"invalid configuration: network: invalid outbound_quantity: use 1-16");
	check_config_error(with(entry(1), "session_idle_timeout", value_cstring("0s")),
		"invalid configuration: network: invalid session_idle_timeout: use 1s to 24h");
	check_config_error(with(entry(1), "persistent", value_cstring("yes")),
		"failed to unmarshal config: field 'persistent': expected boolean, got string \"yes\"");
}

static void test_open_and_start_do_no_io(void **state)
{
	uint16_t port = 0;
	int listener = listen_on("127.0.0.1", 5, &port);
	struct pollfd p = {.fd = listener, .events = POLLIN};
	struct overlay *o;

	(void)state;
	o = start_i2p(with(entry(port), "no_such_field", value_int(1)));
	run_for(loop, 20);
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_string_equal(overlay_kind(o), "network.i2p");
	assert_false(overlay_can_listen_tls(o));
	assert_int_equal(state_of(o), OVERLAY_STARTING);
	end_overlay(o);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_dials_share_a_session, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_concurrent_dials_wait_for_one_session, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_port_is_told_to_newer_bridges, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_base64_destinations, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_goes_wrong, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dead_bridge_and_its_return, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lost_session_comes_back_by_itself, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_session_the_bridge_forgot, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_isolation_by_key, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_isolated_streams_have_sessions_of_their_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_idle_isolated_sessions_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sessions_are_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cancel_in_each_phase, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stop_fails_who_waits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_config_errors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_open_and_start_do_no_io, set_up, tear_down),
	};

	log_set_sink(keep_log, NULL, LOG_DEBUG);
	/* The first loop of a program opens descriptors that stay. */
	loop_free(loop_new());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
