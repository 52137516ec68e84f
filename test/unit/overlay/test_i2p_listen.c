/*
 * Listeners of the I2P driver against a scripted bridge: who comes, what is kept in the state directory, and how one is mended.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "overlay/destination.h"
#include "driver_fixture.h"
#include "i2p_bridge.h"

static struct overlay *start_on(uint16_t port, bool persistent)
{
	return start_entry(&i2p_driver, "app:i2p", with(entry(port), "persistent", value_bool(persistent)));
}

/* -- one listener ------------------------------------------------------------------------------------ */

struct heard {
	struct listener *l;
	unsigned ready, accepted, failed;
	char address[128];
	char peer[128];
	char destination[1024];
	int from_port, to_port;
	int fd;
	struct err err;
	bool unlisten_on_accept;
};

static void on_ready(void *arg, const char *address)
{
	struct heard *h = arg;

	h->ready++;
	snprintf(h->address, sizeof(h->address), "%s", address);
	loop_stop(loop);
}

static int int_field(const struct value *v, const char *key)
{
	return value_get(v, key) ? (int)value_get_int(value_get(v, key)) : -1;
}

static void on_accept(void *arg, int fd, const struct listen_peer *peer)
{
	struct heard *h = arg;

	h->accepted++;
	h->fd = fd;
	assert_false(peer->is_tls);
	snprintf(h->peer, sizeof(h->peer), "%s", peer->address);
	assert_string_equal(value_get_string(value_get(peer->identity, "network"), NULL), "i2p");
	assert_string_equal(value_get_string(value_get(peer->identity, "address"), NULL), peer->address);
	snprintf(h->destination, sizeof(h->destination), "%s",
		value_get_string(value_get(peer->identity, "destination"), NULL));
	h->from_port = int_field(peer->identity, "from_port");
	h->to_port = int_field(peer->identity, "to_port");
	if (h->unlisten_on_accept) {
		overlay_unlisten(h->l);
		h->l = NULL;
	}
	loop_stop(loop);
}

static void on_failed(void *arg, const struct err *e)
{
	struct heard *h = arg;

	h->failed++;
	h->err = *e;
	loop_stop(loop);
}

static const struct listen_callbacks callbacks = {.ready = on_ready, .accept = on_accept, .failed = on_failed};

static void begin_listen(struct overlay *o, struct heard *h, const struct value *options)
{
	struct listen_options opt = {.overlay = o, .name = "app:web", .port = 80, .options = options};

	*h = (struct heard){.fd = -1};
	h->l = overlay_listen(&opt, &callbacks, h);
	assert_non_null(h->l);
	assert_int_equal(h->ready + h->failed, 0);
}

static void listen_until_told(struct overlay *o, struct heard *h, const struct value *options)
{
	begin_listen(o, h, options);
	loop_run(loop);
}

static void read_stream(int fd, const char *want)
{
	char got[64] = "";
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&ready, 1, 5000), 1);
	assert_int_equal(read(fd, got, strlen(want)), strlen(want));
	assert_string_equal(got, want);
}

/* A peer's line with so many A's that it is a destination. */
static char *peer_line(const char *rest)
{
	char dest[PUB_LEN + 1];

	memset(dest, 'A', PUB_LEN);
	dest[PUB_LEN] = '\0';
	return xasprintf("%s%s", dest, rest);
}

static void visit(struct bridge *b, const char *rest)
{
	char *line = peer_line(rest);
	bool told = false;

	/* The accept may be on its way to the bridge. */
	for (unsigned i = 0; i < 200 && !told; i++) {
		told = bridge_visit(b, line);
		if (!told)
			run_for(loop, 10);
	}
	assert_true(told);
	free(line);
}

/* SHA-256 of 387 zero bytes, in base32. */
static const char *peer_b32(void)
{
	static char out[B32_NAME_MAX];
	char *dest = peer_line("");

	assert_true(destination_b32(dest, out));
	free(dest);
	return out;
}

static void test_accepting(void **state)
{
	static const char *const versions[] = {"3.0", "3.3"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct bridge *b = bridge_start();
		struct overlay *o = start_on(b->port, true);
		struct overlay_status s;
		struct heard h;

		b->version = versions[i];
		listen_until_told(o, &h, NULL);
		assert_int_equal(h.ready, 1);
		assert_int_equal(strlen(h.address), 60);
		assert_string_equal(h.address + 52, ".b32.i2p");
		overlay_get_status(o, &s);
		assert_string_equal(s.address, h.address);
		assert_int_equal(s.state, OVERLAY_READY);
		assert_int_equal(s.listeners, 1);
		assert_non_null(strstr(buf_str(&kept_log.text), h.address));
		for (unsigned n = 0; n < 5; n++) {
			visit(b, n % 2 ? "\nGET /" : " FROM_PORT=0 TO_PORT=8080\r\nGET /");
			while (h.accepted == n)
				run_for(loop, 10);
			assert_string_equal(h.peer, peer_b32());
			assert_int_equal(strlen(h.destination), PUB_LEN);
			assert_int_equal(h.to_port, n % 2 ? -1 : 8080);
			assert_int_equal(h.from_port, -1);
			assert_true(fcntl(h.fd, F_GETFL) & O_NONBLOCK);
			read_stream(h.fd, "GET /");
			close(h.fd);
		}
		run_for(loop, 50);
		/* As many at a time as such a bridge takes. */
		assert_int_equal(bridge_count(b, &b->accepts), i == 0 ? 6 : 8);
		assert_int_equal(h.ready, 1);
		overlay_unlisten(h.l);
		overlay_get_status(o, &s);
		assert_string_equal(s.address, "");
		end_overlay(o);
		bridge_free(b);
	}
}

static char *key_path(void)
{
	return xasprintf("%s/i2p/app%%3Aweb/destination.key", scratch_dir);
}

static void test_address_outlives_the_program(void **state)
{
	struct bridge *b = bridge_start();
	char first[128], *path = key_path();
	struct value *options = value_map();
	struct overlay *o;
	struct heard h;
	struct stat st;

	(void)state;
	o = start_on(b->port, true);
	listen_until_told(o, &h, NULL);
	strcpy(first, h.address);
	overlay_unlisten(h.l);
	end_overlay(o);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);

	o = start_on(b->port, true);
	listen_until_told(o, &h, NULL);
	assert_string_equal(h.address, first);
	overlay_unlisten(h.l);
	end_overlay(o);
	assert_int_equal(b->generated, 1);

	/* Not wanted, by the overlay or by the listener. */
	o = start_on(b->port, false);
	listen_until_told(o, &h, NULL);
	assert_string_not_equal(h.address, first);
	overlay_unlisten(h.l);
	end_overlay(o);
	value_map_set(options, "persistent", value_bool(false));
	o = start_on(b->port, true);
	listen_until_told(o, &h, options);
	assert_string_not_equal(h.address, first);
	overlay_unlisten(h.l);
	end_overlay(o);
	assert_int_equal(b->generated, 3);
	value_unref(options);
	free(path);
	bridge_free(b);
}

static void write_key(const char *path, const char *text, mode_t mode)
{
	FILE *f;

	unlink(path);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static void test_key_files_that_are_refused(void **state)
{
	struct bridge *b = bridge_start();
	struct overlay *o = start_on(b->port, true);
	char *path = key_path(), *key = xcalloc(1, 601), *other = xasprintf("%s/other", scratch_dir);
	struct value *options = value_map();
	struct heard h;

	(void)state;
	listen_until_told(o, &h, NULL);
	assert_int_equal(h.ready, 1);
	overlay_unlisten(h.l);
	memset(key, 'K', 600);

	write_key(path, key, 0644);
	listen_until_told(o, &h, NULL);
	assert_non_null(strstr(h.err.text, "must be its user's alone"));
	overlay_unlisten(h.l);

	write_key(path, "short", 0600);
	listen_until_told(o, &h, NULL);
	assert_non_null(strstr(h.err.text, "holds no I2P private key"));
	overlay_unlisten(h.l);

	key[300] = '\n'; /* would be a command of its own */
	write_key(path, key, 0600);
	listen_until_told(o, &h, NULL);
	assert_non_null(strstr(h.err.text, "holds no I2P private key"));
	assert_null(strstr(h.err.text, "KKKK"));
	overlay_unlisten(h.l);

	key[300] = 'K';
	write_key(other, key, 0600);
	unlink(path);
	assert_int_equal(symlink(other, path), 0);
	listen_until_told(o, &h, NULL);
	assert_non_null(strstr(h.err.text, "i2p: the listener's key: cannot read"));
	overlay_unlisten(h.l);

	value_map_set(options, "persistent", value_cstring("no"));
	listen_until_told(o, &h, options);
	assert_int_equal(h.err.kind, ERR_INVALID);
	assert_non_null(strstr(h.err.text, "i2p: network_options: "));
	overlay_unlisten(h.l);
	assert_int_equal(b->creates, 1);

	value_unref(options);
	free(other);
	free(key);
	free(path);
	end_overlay(o);
	bridge_free(b);
}

static void test_first_attempt_decides(void **state)
{
	static const struct {
		enum phase phase;
		enum wrong wrong;
		unsigned from;
		const char *text;
	} cases[] = {
		{PHASE_HELLO, DO_CUT, 0, "i2p: SAM handshake response failed: unexpected EOF"},
		{PHASE_GENERATE, DO_REFUSE, 0, "i2p: DEST GENERATE rejected: NO RESULT=I2P_ERROR"},
		{PHASE_CREATE, DO_REFUSE, 0, "i2p: SESSION CREATE rejected: NO RESULT=I2P_ERROR"},
		{PHASE_LOOKUP, DO_CUT, 0, "i2p: NAMING LOOKUP response failed: unexpected EOF"},
		{PHASE_HELLO, DO_CUT, 1, "i2p: stream SAM handshake response failed: unexpected EOF"},
		{PHASE_ACCEPT, DO_CUT, 0, "i2p: STREAM ACCEPT status failed: unexpected EOF"},
		{PHASE_ACCEPT, DO_REFUSE, 0, "i2p: STREAM ACCEPT rejected: NO RESULT=I2P_ERROR"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bridge *b = bridge_start();
		struct overlay *o = start_on(b->port, false);
		struct heard h;

		b->refusal = "NO RESULT=I2P_ERROR\n";
		bridge_break(b, cases[i].phase, cases[i].wrong, cases[i].from);
		listen_until_told(o, &h, NULL);
		assert_int_equal(h.failed, 1);
		assert_int_equal(h.ready, 0);
		if (strncmp(h.err.text, cases[i].text, strlen(cases[i].text)) != 0)
			assert_string_equal(h.err.text, cases[i].text);
		/* Whoever failed leaves nothing at the bridge. */
		run_for(loop, 50);
		assert_int_equal(bridge_sessions(b), 0);
		overlay_unlisten(h.l);
		end_overlay(o);
		bridge_free(b);
	}
}

/* Cut at any moment: nothing is told any more, nothing is left open. */
static void test_unlisten_at_any_time(void **state)
{
	static const enum phase phases[] = {
		PHASE_NONE, PHASE_HELLO, PHASE_GENERATE, PHASE_CREATE, PHASE_LOOKUP, PHASE_ACCEPT};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
		for (unsigned ms = 0; ms <= 40; ms += 40) {
			struct bridge *b = bridge_start();
			struct overlay *o = start_on(b->port, false);
			struct heard h;

			bridge_break(b, phases[i], DO_STALL, 0);
			begin_listen(o, &h, NULL);
			if (ms)
				run_for(loop, ms);
			overlay_unlisten(h.l);
			h.ready = 0;
			run_for(loop, 30);
			assert_int_equal(h.ready + h.failed + h.accepted, 0);
			assert_int_equal(bridge_sessions(b), 0);
			end_overlay(o);
			bridge_free(b);
		}
	}
}

static void test_unlisten_by_its_own_callback(void **state)
{
	struct bridge *b = bridge_start();
	struct overlay *o = start_on(b->port, false);
	struct heard h;

	(void)state;
	listen_until_told(o, &h, NULL);
	h.unlisten_on_accept = true;
	visit(b, "\n");
	while (h.accepted == 0)
		run_for(loop, 10);
	close(h.fd);
	run_for(loop, 20);
	assert_int_equal(bridge_sessions(b), 0);
	end_overlay(o);
	bridge_free(b);
}

static void test_a_lost_session_is_mended(void **state)
{
	struct bridge *b = bridge_start();
	struct overlay *o = start_on(b->port, false);
	struct overlay_status s;
	struct heard h;

	(void)state;
	listen_until_told(o, &h, NULL);
	bridge_drop_sessions(b, "");
	run_for(loop, 50);
	overlay_get_status(o, &s);
	assert_int_equal(s.state, OVERLAY_DOWN);
	for (unsigned i = 0; i < 500 && s.state != OVERLAY_READY; i++) {
		run_for(loop, 10);
		overlay_get_status(o, &s);
	}
	assert_int_equal(s.state, OVERLAY_READY);
	visit(b, "\n");
	while (h.accepted == 0)
		run_for(loop, 10);
	close(h.fd);
	/* The same key, hence the same address, which is not told twice. */
	assert_int_equal(b->generated, 1);
	assert_int_equal(h.ready, 1);
	assert_int_equal(h.failed, 0);
	overlay_unlisten(h.l);
	end_overlay(o);
	bridge_free(b);
}

static void test_a_bridge_that_takes_one_accept(void **state)
{
	struct bridge *b = bridge_start();
	struct overlay *o = start_on(b->port, false);
	struct heard h;

	(void)state;
	b->version = "3.3";
	b->one_accept = true;
	listen_until_told(o, &h, NULL);
	for (unsigned n = 0; n < 3; n++) {
		visit(b, "\n");
		while (h.accepted == n)
			run_for(loop, 10);
		close(h.fd);
	}
	run_for(loop, 50);
	/* Tried once, then no more. */
	assert_in_range(bridge_count(b, &b->accepts), 4, 8);
	assert_int_equal(h.failed, 0);
	overlay_unlisten(h.l);
	end_overlay(o);
	bridge_free(b);
}

static void ignore_dial(void *arg, int fd, const struct dial_trace *trace, const struct err *e)
{
	(void)trace;
	(void)e;
	*(int *)arg = fd;
	loop_stop(loop);
}

/* Dials go on while the listener's session is being made again: neither ready nor down. */
static void test_degraded(void **state)
{
	struct bridge *b = bridge_start();
	struct overlay *o = start_on(b->port, false);
	struct dial_options opt = {.loop = loop, .overlay = o, .host = "a.i2p", .port = 80, .isolation_key = ""};
	struct overlay_status s;
	struct heard h;
	int fd = -1;

	(void)state;
	listen_until_told(o, &h, NULL);
	opt.deadline_ns = loop_clock_ns() + UINT64_C(5000000000);
	overlay_dial(&opt, ignore_dial, &fd);
	loop_run(loop);
	assert_true(fd >= 0);
	close(fd);
	bridge_break(b, PHASE_CREATE, DO_CUT, 0);
	bridge_drop_sessions(b, "-listen-");
	run_for(loop, 50);
	overlay_get_status(o, &s);
	assert_int_equal(s.state, OVERLAY_DEGRADED);
	assert_string_equal(s.reason, "i2p: SAM session failed: unexpected EOF: the bridge closed the connection");
	run_for(loop, 1300);
	overlay_get_status(o, &s);
	assert_int_equal(s.state, OVERLAY_DEGRADED);
	assert_non_null(strstr(s.reason, "SESSION CREATE response failed"));
	bridge_break(b, PHASE_NONE, DO_RIGHT, 0);
	for (unsigned i = 0; i < 500 && s.state != OVERLAY_READY; i++) {
		run_for(loop, 10);
		overlay_get_status(o, &s);
	}
	assert_int_equal(s.state, OVERLAY_READY);
	overlay_unlisten(h.l);
	end_overlay(o);
	bridge_free(b);
}

/* A bridge that answers OK and hangs up at once must not keep us busy. */
static void test_failing_accepts_are_spaced(void **state)
{
	struct bridge *b = bridge_start();
	struct overlay *o = start_on(b->port, false);
	struct heard h;

	(void)state;
	listen_until_told(o, &h, NULL);
	bridge_break(b, PHASE_ACCEPT, DO_CUT, 0);
	visit(b, "\n");
	while (h.accepted == 0)
		run_for(loop, 10);
	run_for(loop, 1500);
	assert_int_equal(h.accepted, 1);
	close(h.fd);
	assert_in_range(bridge_count(b, &b->connections), 3, 8);
	bridge_break(b, PHASE_NONE, DO_RIGHT, 0);
	visit(b, "\n");
	while (h.accepted == 1)
		run_for(loop, 10);
	close(h.fd);
	overlay_unlisten(h.l);
	end_overlay(o);
	bridge_free(b);
}

static void test_dead_bridge_and_a_stopped_overlay(void **state)
{
	struct bridge *b = bridge_start();
	struct overlay *o = start_on(b->port, false);
	struct heard h;

	(void)state;
	bridge_kill(b);
	listen_until_told(o, &h, NULL);
	assert_string_equal(h.err.code, "connect_refused");
	assert_non_null(strstr(h.err.text, "i2p: SAM bridge connect failed: dial tcp 127.0.0.1:"));
	overlay_unlisten(h.l);

	bridge_listen(b, b->port);
	listen_until_told(o, &h, NULL);
	assert_int_equal(h.ready, 1);
	overlay_stop(o);
	loop_run(loop);
	assert_int_equal(h.failed, 1);
	assert_string_equal(h.err.code, "overlay_stopped");
	run_for(loop, 20);
	assert_int_equal(bridge_sessions(b), 0);
	overlay_unlisten(h.l);
	end_overlay(o);
	bridge_free(b);
}

static void test_names_of_destinations(void **state)
{
	/* The short name of a destination is the base32 of the hash of its bytes: 387 zero bytes here. */
	char zeros[517], out[B32_NAME_MAX];

	(void)state;
	memset(zeros, 'A', 516);
	zeros[516] = '\0';
	assert_true(destination_b32(zeros, out));
	assert_string_equal(out, "gem7z2yovuoqqbg3sd5qzb5dhaiit6osezfdo3cbuonanzjsuzaq.b32.i2p");
	/* A certificate says how long it is: 256 bytes would have to follow, or one. */
	zeros[514] = 'E';
	assert_false(destination_b32(zeros, out));
	zeros[514] = 'A';
	zeros[515] = 'B';
	assert_false(destination_b32(zeros, out));
	zeros[515] = 'A';
	zeros[512] = '\0'; /* too short */
	assert_false(destination_b32(zeros, out));
	zeros[512] = 'A';
	zeros[100] = '+'; /* not I2P's alphabet */
	assert_false(destination_b32(zeros, out));
	zeros[100] = ' ';
	assert_false(destination_b32(zeros, out));
	assert_false(destination_b32("", out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_accepting, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_address_outlives_the_program, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_key_files_that_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_first_attempt_decides, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unlisten_at_any_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unlisten_by_its_own_callback, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_lost_session_is_mended, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_bridge_that_takes_one_accept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_degraded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failing_accepts_are_spaced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dead_bridge_and_a_stopped_overlay, set_up, tear_down),
		cmocka_unit_test(test_names_of_destinations),
	};

	log_set_sink(keep_log, NULL, LOG_DEBUG);
	/* The first loop of a program opens descriptors that stay. */
	loop_free(loop_new());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
