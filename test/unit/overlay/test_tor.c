/*
 * The Tor driver against a scripted control port: what an entry may say, each way the control connection can end, the states in between, onion services, and that nothing
 * is left behind.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

#include "driver_fixture.h"
#include "overlay/tor/controller.h"
#include "tor_peer.h"

/* -- the entry --------------------------------------------------------------------------------------- */

static void test_refused_entries(void **state)
{
	struct {
		struct value *data;
		const char *text;
	} cases[] = {
		{with(entry(9050), "port", value_int(0)), "network: invalid port: 0 is not between 1 and 65535"},
		{with(entry(9050), "control_port", value_int(70000)),
			"control_host and control_port: invalid configuration: network: invalid port: 70000 is not"},
		{with(entry(9050), "control_host", value_cstring("x")),
			"network: control_port is required with control_host"},
		{with(entry(9050), "control_socket", value_cstring("relative")),
			"network: invalid control_socket: give an absolute"},
		{with(with(entry(9050), "control_socket", value_cstring("/x")), "control_port", value_int(1)),
			"network: invalid control_socket: give either it or"},
		{with(entry(9050), "socks_socket", value_cstring("/x")),
			"network: invalid socks_socket: give either it or host and port"},
		{with(value_map(), "socks_socket", value_cstring("relative")),
			"network: invalid socks_socket: give an absolute path"},
		{with(value_map(), "socks_socket", value_int(5)), "field 'socks_socket': expected string"},
		{with(value_map(), "socks_socket", value_cstring("")), "network: host is required"},
		{with(entry(9050), "control_password", value_cstring("hunter2")),
			"network: invalid control_password: it is for the control port"},
		{with(entry(9050), "control_password", value_int(42424242)),
			"field 'control_password': expected string"},
		{with(with(with(entry(9050), "control_port", value_int(1)), "control_password",
			      value_cstring("hunter2")),
			 "cookie_file", value_cstring("/x")),
			"network: invalid cookie_file: give either it or control_password"},
		{with(entry(9050), "isolation", value_bool(true)), "isolation"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct overlay *o;
		struct err e;

		assert_int_equal(overlay_open(&tor_driver, &env, "app:tor", cases[i].data, &o, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
		assert_int_equal(strncmp(e.text, "tor: failed to decode config: ", 30), 0);
		if (!strstr(e.text, cases[i].text))
			assert_string_equal(e.text, cases[i].text);
		assert_null(strstr(e.text, "hunter2"));
		assert_null(strstr(e.text, "42424242"));
		value_unref(cases[i].data);
	}
}

static struct overlay *start_tor(struct value *data)
{
	return start_entry(&tor_driver, "app:tor", data);
}

static struct overlay *start_on(const struct tor_peer *p)
{
	return start_tor(with(entry(9050), "control_port", value_int(p->port)));
}

static struct overlay_status status_of(struct overlay *o)
{
	struct overlay_status s;

	overlay_get_status(o, &s);
	return s;
}

/* -- the control connection ---------------------------------------------------------------------------- */

struct told {
	unsigned ups, downs, healths, events;
	struct err err;
	char event[128];
};

static void told_up(void *arg)
{
	((struct told *)arg)->ups++;
}

static void told_down(void *arg, const struct err *e)
{
	((struct told *)arg)->downs++;
	((struct told *)arg)->err = *e;
}

static void told_health(void *arg)
{
	((struct told *)arg)->healths++;
}

static void told_event(void *arg, const char *text)
{
	((struct told *)arg)->events++;
	snprintf(((struct told *)arg)->event, 128, "%s", text);
}

static const struct controller_events events = {
	.up = told_up, .down = told_down, .health = told_health, .event = told_event};

static struct controller *start_controller(const struct tor_peer *p, struct told *t, unsigned timeout_ms)
{
	struct controller_options opt = {.loop = loop,
		.overlay = "app:tor",
		.host = "127.0.0.1",
		.port = p->port,
		.reply_timeout_ms = timeout_ms};

	*t = (struct told){0};
	return controller_new(&opt, &events, t);
}

static void test_each_phase_each_way(void **state)
{
	static const char *const phases[] = {"PROTOCOLINFO", "AUTHENTICATE", "SETEVENTS", "GETINFO"};
	static const struct {
		enum wrong wrong;
		const char *text, *code;
	} ways[] = {
		{DO_CUT, " failed: the connection was closed", "tor_closed"},
		{DO_RESET, " failed: ", "tor_closed"},
		{DO_STALL, " failed: i/o timeout", "tor_timeout"},
		{DO_GARBAGE, "Tor's control port answered nonsense: no reply line: \\x01\\x02garbage\\xff",
			"tor_bad_reply"},
		{DO_REFUSE, " rejected: 551 No", "tor_internal_error"},
		{DO_ENDLESS, "Tor's control port answered nonsense: too many lines", "tor_bad_reply"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
		for (size_t k = 0; k < ARRAY_LEN(ways); k++) {
			struct tor_peer *p = peer_start();
			struct controller *c;
			struct told t;

			peer_break(p, phases[i], ways[k].wrong);
			c = start_controller(p, &t, 150);
			WAIT_FOR(t.downs > 0);
			assert_int_equal(t.ups, 0);
			assert_int_equal(strncmp(t.err.text, "tor: ", 5), 0);
			if (!strstr(t.err.text, ways[k].text))
				assert_string_equal(t.err.text, ways[k].text);
			if (ways[k].text[0] == ' ' && ways[k].wrong != DO_RESET)
				assert_non_null(strstr(t.err.text, phases[i]));
			assert_string_equal(t.err.code, ways[k].code);
			assert_int_equal(t.err.retry, ERR_RETRY_YES);
			assert_false(controller_is_up(c));
			/* It comes to its senses, and so do we. */
			peer_break(p, NULL, DO_RIGHT);
			WAIT_FOR(t.ups == 1);
			assert_int_equal(controller_health(c)->progress, 100);
			assert_string_equal(controller_health(c)->version, "0.4.8.10");
			controller_free(c);
			peer_free(p);
		}
	}
}

static void test_a_tor_that_falls_silent(void **state)
{
	struct tor_peer *p = peer_start();
	struct told t;
	struct controller *c = start_controller(p, &t, 100);

	(void)state;
	WAIT_FOR(t.ups == 1);
	/* Asked now and then, it stays. */
	WAIT_FOR(t.healths >= 2);
	assert_int_equal(t.downs, 0);
	peer_break(p, "GETINFO", DO_STALL);
	WAIT_FOR(t.downs > 0);
	assert_string_equal(t.err.text, "tor: GETINFO failed: i/o timeout");
	assert_int_equal(t.err.kind, ERR_TIMEOUT);
	controller_free(c);
	peer_free(p);
}

static void lost(void *arg, const struct control_reader *r)
{
	assert_null(r);
	++*(unsigned *)arg;
}

static void test_unasked_answers_events_and_lost_calls(void **state)
{
	struct tor_peer *p = peer_start();
	struct told t;
	struct controller *c = start_controller(p, &t, 0);
	unsigned ncalls = 0;

	(void)state;
	WAIT_FOR(t.ups == 1);
	peer_event(p, "650 HS_DESC FAILED x\r\n650 STATUS_CLIENT NOTICE CIRCUIT_ESTABLISHED\r\n");
	WAIT_FOR(t.events == 1);
	assert_string_equal(t.event, "HS_DESC FAILED x");
	peer_event(p, "650 STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=45 TAG=x SUMMARY=\"A\x1b[2J\"\r\n");
	WAIT_FOR(t.healths == 1);
	assert_int_equal(controller_health(c)->progress, 45);
	assert_string_equal(controller_health(c)->summary, "A\\x1b[2J");
	/* Nonsense in an event changes nothing. */
	peer_event(p,
		"650 STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=4500\r\n650 STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=x\r\n"
		"650 NETWORK_LIVENESS DOWN\r\n");
	WAIT_FOR(t.healths == 2);
	assert_int_equal(controller_health(c)->progress, 45);
	assert_true(controller_health(c)->network_is_down);
	peer_break(p, "X", DO_STALL);
	controller_call(c, "X 1", "X", lost, &ncalls);
	controller_call(c, "X 2", "X", lost, &ncalls);
	WAIT_FOR(peer_heard(p, "X 1"));
	assert_int_equal(ncalls, 0);
	peer_event(p, "nonsense\r\n");
	WAIT_FOR(t.downs == 1);
	assert_int_equal(ncalls, 2);
	WAIT_FOR(t.ups == 2);
	peer_event(p, "250 OK\r\n");
	WAIT_FOR(t.downs == 2);
	assert_string_equal(t.err.text, "tor: Tor's control port answers what was not asked");
	controller_free(c);
	peer_free(p);
}

static void test_unix_socket(void **state)
{
	char *path = xasprintf("%s/control", scratch_dir);
	char *want = xasprintf("tor: control port connect failed: dial unix %s", path);
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct tor_peer *p;
	struct overlay *o = start_tor(with(entry(9050), "control_socket", value_cstring(path)));

	(void)state;
	WAIT_FOR(status_of(o).state == OVERLAY_DOWN);
	assert_non_null(strstr(status_of(o).reason, want));
	/* The peer's own listener is put away for one of another family. */
	p = peer_start();
	peer_kill(p);
	strcpy(un.sun_path, path);
	p->stop = false;
	p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(p->listener, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(p->listener, 1), 0);
	assert_int_equal(pthread_create(&p->thread, NULL, peer_main, p), 0);
	WAIT_FOR(status_of(o).state == OVERLAY_READY);
	end_overlay(o);
	peer_free(p);
	free(want);
	free(path);
}

/* -- states ------------------------------------------------------------------------------------------ */

static void test_states(void **state)
{
	struct tor_peer *p = peer_start();
	struct overlay *o;

	(void)state;
	p->progress = 30;
	o = start_on(p);
	assert_true(overlay_keeps_session(o));
	assert_string_equal(status_of(o).reason, "connecting to Tor's control port");
	WAIT_FOR(strstr(status_of(o).reason, "bootstrapping: 30%: Some summary"));
	assert_int_equal(status_of(o).state, OVERLAY_STARTING);
	peer_event(p, "650 STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY=\"Done\"\r\n");
	WAIT_FOR(status_of(o).state == OVERLAY_READY);
	peer_event(p, "650 STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=50 SUMMARY=\"Again\"\r\n");
	WAIT_FOR(status_of(o).state == OVERLAY_DEGRADED);
	assert_string_equal(status_of(o).reason, "Tor is bootstrapping again: 50%: Again");
	peer_event(
		p, "650 STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=100 SUMMARY=\"Done\"\r\n650 NETWORK_LIVENESS DOWN\r\n");
	WAIT_FOR(strcmp(status_of(o).reason, "Tor says that the network is down") == 0);
	peer_event(p, "650 NETWORK_LIVENESS UP\r\n");
	WAIT_FOR(status_of(o).state == OVERLAY_READY);
	p->progress = 100;
	peer_kill(p);
	WAIT_FOR(status_of(o).state == OVERLAY_DOWN);
	WAIT_FOR(strstr(status_of(o).reason, "connection refused"));
	peer_listen(p);
	WAIT_FOR(status_of(o).state == OVERLAY_READY);
	end_overlay(o);
	peer_free(p);
}

/* A SOCKS server that takes a dial and refuses the target: it serves us. */
static void *socks_main(void *arg)
{
	int fd;

	while ((fd = accept(*(int *)arg, NULL, NULL)) >= 0) {
		char bytes[512];

		(void)!recv(fd, bytes, sizeof(bytes), 0);
		(void)!send(fd, "\x05\x00", 2, MSG_NOSIGNAL);
		(void)!recv(fd, bytes, sizeof(bytes), 0);
		(void)!send(fd, "\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00", 10, MSG_NOSIGNAL);
		close(fd);
	}
	return NULL;
}

static void test_states_and_dials(void **state)
{
	struct tor_peer *p = peer_start();
	pthread_t thread;
	struct overlay *o;
	struct dialled r;
	uint16_t port = 0;
	int l = listen_on("127.0.0.1", 8, &port);

	(void)state;
	pthread_create(&thread, NULL, socks_main, &l);
	o = start_tor(with(with(entry(9050), "port", value_int(port)), "control_port", value_int(p->port)));
	WAIT_FOR(status_of(o).state == OVERLAY_READY);
	r = dial_once(loop, o, "example.onion", 80, 2000, "");
	assert_string_equal(r.err.code, "socks_connection_refused");
	assert_int_equal(status_of(o).state, OVERLAY_READY);
	assert_int_equal(atomic_load(&lookups), 0);
	/* Control gone: unknown, until a dial shows that Tor is there. */
	peer_kill(p);
	WAIT_FOR(status_of(o).state == OVERLAY_DOWN);
	dial_once(loop, o, "example.onion", 80, 2000, "");
	assert_int_equal(status_of(o).state, OVERLAY_DEGRADED);
	assert_int_equal(strncmp(status_of(o).reason, "tor: ", 5), 0);
	peer_listen(p);
	WAIT_FOR(status_of(o).state == OVERLAY_READY);
	/* SOCKS gone, control there. */
	shutdown(l, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(l);
	r = dial_once(loop, o, "example.onion", 80, 2000, "");
	assert_string_equal(r.err.code, "connect_refused");
	assert_int_equal(status_of(o).state, OVERLAY_DEGRADED);
	assert_int_equal(strncmp(status_of(o).reason, "the proxy was not reached: ", 27), 0);
	end_overlay(o);
	peer_free(p);
}

static void test_socks_only(void **state)
{
	struct overlay *o = start_tor(with(entry(9050), "port", value_int(1)));

	(void)state;
	assert_false(overlay_keeps_session(o));
	dial_once(loop, o, "example.onion", 80, 2000, "");
	assert_int_equal(status_of(o).state, OVERLAY_DOWN);
	end_overlay(o);
}

/* All of Tor dies while a dial is in its handshake: whichever end is seen first, it is down. */
static void test_tor_dies_under_a_dial(void **state)
{
	(void)state;
	for (int control_first = 0; control_first < 2; control_first++) {
		struct tor_peer *p = peer_start();
		struct overlay *o;
		struct dialled r = {0};
		uint16_t port = 0;
		int l = listen_on("127.0.0.1", 8, &port);

		o = start_tor(with(with(entry(9050), "port", value_int(port)), "control_port", value_int(p->port)));
		WAIT_FOR(status_of(o).state == OVERLAY_READY);
		begin_dial(loop, o, "example.onion", 80, 10000, "", &r);
		run_for(loop, 30);
		if (control_first) {
			peer_kill(p);
			WAIT_FOR(status_of(o).state == OVERLAY_DOWN);
		}
		close(l);
		WAIT_FOR(r.calls == 1);
		assert_string_equal(r.err.code, "socks_closed");
		if (!control_first) {
			assert_int_equal(status_of(o).state, OVERLAY_DEGRADED);
			peer_kill(p);
		}
		WAIT_FOR(status_of(o).state == OVERLAY_DOWN);
		run_for(loop, 20);
		assert_int_equal(status_of(o).state, OVERLAY_DOWN);
		peer_listen(p);
		WAIT_FOR(status_of(o).state == OVERLAY_READY);
		end_overlay(o);
		peer_free(p);
	}
}

/* The same by a Unix socket; the control port is looked for on this machine. */
static void test_socks_socket(void **state)
{
	char *path = xasprintf("%s/socks", scratch_dir), *want = xasprintf("socks connect unix %s->", path);
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct tor_peer *p = peer_start();
	struct overlay *o;
	pthread_t thread;
	struct dialled r;
	int l;

	(void)state;
	strcpy(un.sun_path, path);
	l = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(l, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(l, 4), 0);
	pthread_create(&thread, NULL, socks_main, &l);
	o = start_tor(with(with(value_map(), "socks_socket", value_cstring(path)), "control_port", value_int(p->port)));
	WAIT_FOR(status_of(o).state == OVERLAY_READY);
	r = dial_once(loop, o, "example.onion", 80, 2000, "");
	assert_string_equal(r.err.code, "socks_connection_refused");
	assert_int_equal(strncmp(r.err.text, want, strlen(want)), 0);
	assert_string_equal(r.trace.resolver, "proxy");
	assert_true(r.trace.connected_ns >= r.trace.begun_ns);
	assert_int_equal(status_of(o).state, OVERLAY_READY);
	shutdown(l, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(l);
	r = dial_once(loop, o, "example.onion", 80, 2000, "");
	assert_string_equal(r.err.code, "connect_refused");
	assert_int_equal(status_of(o).state, OVERLAY_DEGRADED);
	assert_non_null(strstr(status_of(o).reason, "dial unix "));
	assert_int_equal(atomic_load(&lookups), 0);
	end_overlay(o);
	peer_free(p);
	free(want);
	free(path);
}

/* -- listeners --------------------------------------------------------------------------------------- */

struct heard {
	struct listener *l;
	unsigned ready, accepted, failed;
	char address[128];
	int fd;
	struct err err;
	bool unlisten_on_accept;
};

static void on_ready(void *arg, const char *address)
{
	struct heard *h = arg;

	h->ready++;
	snprintf(h->address, sizeof(h->address), "%s", address);
}

static void on_accept(void *arg, int fd, const struct listen_peer *peer)
{
	struct heard *h = arg;

	h->accepted++;
	h->fd = fd;
	assert_string_equal(peer->address, "onion");
	assert_null(peer->identity);
	assert_false(peer->is_tls);
	if (h->unlisten_on_accept) {
		overlay_unlisten(h->l);
		h->l = NULL;
	}
}

static void on_failed(void *arg, const struct err *e)
{
	struct heard *h = arg;

	h->failed++;
	h->err = *e;
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

/* The port that was named to Tor last. */
static uint16_t told_port(struct tor_peer *p)
{
	const char *at = NULL;
	unsigned port;

	pthread_mutex_lock(&p->lock);
	for (const char *s = buf_str(&p->heard); (s = strstr(s, " Port=80,127.0.0.1:")); s++)
		at = s;
	assert_non_null(at);
	port = (unsigned)atoi(at + 19);
	pthread_mutex_unlock(&p->lock);
	return (uint16_t)port;
}

static int come(uint16_t port)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(send(fd, "GET /", 5, 0), 5);
	return fd;
}

static char *key_path(void)
{
	return xasprintf("%s/tor/app%%3Aweb/onion.key", scratch_dir);
}

static void test_listening(void **state)
{
	struct tor_peer *p = peer_start();
	struct overlay *o = start_on(p);
	char got[8] = "", *path = key_path();
	struct heard h;
	struct stat st;
	int fd;

	(void)state;
	p->publishes = false;
	begin_listen(o, &h, NULL);
	WAIT_FOR(peer_count(p, &p->adds) == 1);
	run_for(loop, 50);
	/* Added is not published, and others' descriptors are not ours. */
	assert_int_equal(h.ready, 0);
	peer_event(p, "650 HS_DESC UPLOAD " PEER_ID " UNKNOWN $00 x\r\n650 HS_DESC FAILED " PEER_ID
		      " UNKNOWN $00 x REASON=UPLOAD_REJECTED\r\n650 HS_DESC UPLOADED b" PEER_ID
		      " UNKNOWN\r\n650 HS_DESC UPLOADED\r\n");
	run_for(loop, 50);
	assert_int_equal(h.ready, 0);
	peer_event(p,
		"650 HS_DESC UPLOADED " PEER_ID " UNKNOWN $00 x\r\n650 HS_DESC UPLOADED " PEER_ID " UNKNOWN $01 x\r\n");
	WAIT_FOR(h.ready == 1);
	assert_string_equal(h.address, PEER_ID ".onion:80");
	assert_string_equal(status_of(o).address, PEER_ID ".onion:80");
	assert_true(peer_heard(p, "ADD_ONION NEW:ED25519-V3 Port=80,127.0.0.1:"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_non_null(strstr(buf_str(&kept_log.text), PEER_ID ".onion:80"));
	assert_null(strstr(buf_str(&kept_log.text), "BBBBBBBB"));

	fd = come(told_port(p));
	WAIT_FOR(h.accepted == 1);
	assert_true(fcntl(h.fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(poll(&(struct pollfd){.fd = h.fd, .events = POLLIN}, 1, 2000), 1);
	assert_int_equal(read(h.fd, got, 5), 5);
	assert_string_equal(got, "GET /");
	close(h.fd);
	close(fd);
	overlay_unlisten(h.l);
	WAIT_FOR(peer_count(p, &p->dels) == 1);
	assert_true(peer_heard(p, "DEL_ONION " PEER_ID "\r\n"));
	assert_string_equal(status_of(o).address, "");
	end_overlay(o);
	peer_free(p);
	free(path);
}

static void test_tor_restarts(void **state)
{
	struct tor_peer *p = peer_start();
	struct overlay *o = start_on(p);
	struct heard h;
	int fd;

	(void)state;
	begin_listen(o, &h, NULL);
	WAIT_FOR(h.ready == 1);
	for (unsigned n = 1; n <= 2; n++) {
		peer_kill(p);
		WAIT_FOR(status_of(o).state == OVERLAY_DOWN);
		/* The old connection may still be known to it. */
		p->collisions = 2;
		p->publishes = n == 1;
		peer_listen(p);
		WAIT_FOR(peer_count(p, &p->adds) == n + 1);
	}
	assert_true(peer_heard(p, "ADD_ONION " PEER_KEY " Port=80,"));
	WAIT_FOR(strstr(status_of(o).reason, "the onion service is being published again"));
	assert_int_equal(status_of(o).state, OVERLAY_DEGRADED);
	peer_event(p, "650 HS_DESC UPLOADED " PEER_ID " UNKNOWN $00 x\r\n");
	WAIT_FOR(status_of(o).state == OVERLAY_READY);
	assert_int_equal(h.ready, 1);
	assert_int_equal(h.failed, 0);
	h.unlisten_on_accept = true;
	fd = come(told_port(p));
	WAIT_FOR(h.accepted == 1);
	close(h.fd);
	close(fd);
	WAIT_FOR(peer_count(p, &p->dels) == 1);
	end_overlay(o);
	peer_free(p);
}

static void test_address_outlives_the_program(void **state)
{
	struct tor_peer *p = peer_start();
	struct value *options = value_map();
	char *path = key_path();
	struct heard h;
	struct overlay *o;

	(void)state;
	for (unsigned n = 0; n < 2; n++) {
		o = start_on(p);
		begin_listen(o, &h, NULL);
		WAIT_FOR(h.ready == 1);
		overlay_unlisten(h.l);
		end_overlay(o);
		assert_int_equal(peer_heard(p, "ADD_ONION " PEER_KEY), n == 1);
	}
	/* A key that others can read is not used, nor one that is none. */
	for (unsigned n = 0; n < 2; n++) {
		assert_int_equal(chmod(path, n == 0 ? 0644 : 0600), 0);
		if (n == 1)
			assert_int_equal(truncate(path, 20), 0);
		o = start_on(p);
		begin_listen(o, &h, NULL);
		WAIT_FOR(h.failed == 1);
		assert_int_equal(h.err.kind, ERR_INVALID);
		assert_non_null(strstr(h.err.text, n == 0 ? "chmod 600" : "holds no key of a version 3 onion service"));
		overlay_unlisten(h.l);
		end_overlay(o);
	}
	/* Unless it is not asked for. */
	value_map_set(options, "persistent", value_bool(false));
	o = start_on(p);
	begin_listen(o, &h, options);
	WAIT_FOR(h.ready == 1);
	end_overlay(o);
	WAIT_FOR(h.failed == 1);
	overlay_unlisten(h.l);
	run_for(loop, 5);
	value_unref(options);
	peer_free(p);
	free(path);
}

static void test_listening_goes_wrong(void **state)
{
	static const struct {
		const char *phase;
		enum wrong wrong;
		int uid;
		unsigned collisions;
		const char *text;
	} cases[] = {
		{"PROTOCOLINFO", DO_CUT, 0, 0, "tor: PROTOCOLINFO failed: the connection was closed"},
		{"AUTHENTICATE", DO_REFUSE, 0, 0, "tor: AUTHENTICATE rejected: 551 No"},
		{"GETINFO process", DO_CUT, 0, 0, "tor: GETINFO failed: the connection was closed"},
		{"GETINFO process", DO_REFUSE, 0, 0, "tor: Tor does not tell which user it runs as"},
		{NULL, DO_RIGHT, -1, 0, "tor: Tor does not tell which user it runs as"},
		{NULL, DO_RIGHT, PEER_UID_EMPTY, 0, "tor: Tor does not tell which user it runs as"},
		{"ADD_ONION", DO_CUT, 0, 0, "tor: ADD_ONION failed: the connection was closed"},
		{"ADD_ONION", DO_REFUSE, 0, 0, "tor: ADD_ONION rejected: 551 No"},
		{"ADD_ONION", DO_GARBAGE, 0, 0, "tor: Tor's control port answered nonsense"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tor_peer *p = peer_start();
		struct overlay *o;
		struct heard h;

		peer_break(p, cases[i].phase, cases[i].wrong);
		if (cases[i].uid)
			p->uid = cases[i].uid;
		o = start_on(p);
		begin_listen(o, &h, NULL);
		WAIT_FOR(h.failed == 1);
		if (strncmp(h.err.text, cases[i].text, strlen(cases[i].text)) != 0)
			assert_string_equal(h.err.text, cases[i].text);
		assert_int_equal(h.err.retry, ERR_RETRY_YES);
		overlay_unlisten(h.l);
		/* The next one comes up. */
		peer_break(p, NULL, DO_RIGHT);
		p->uid = (int)geteuid();
		WAIT_FOR(status_of(o).state == OVERLAY_READY);
		begin_listen(o, &h, NULL);
		WAIT_FOR(h.ready == 1);
		overlay_unlisten(h.l);
		end_overlay(o);
		peer_free(p);
	}
}

/* Given up while the answer is on its way: the service does not stay at Tor. */
static void test_unlisten_while_it_is_added(void **state)
{
	struct tor_peer *p = peer_start();
	struct overlay *o = start_on(p);
	struct heard h;

	(void)state;
	WAIT_FOR(status_of(o).state == OVERLAY_READY);
	pthread_mutex_lock(&p->lock); /* nothing is answered meanwhile */
	begin_listen(o, &h, NULL);
	run_for(loop, 20);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < 200 && !peer_heard(p, "ADD_ONION"); i++)
		run_for(loop, 1);
	overlay_unlisten(h.l);
	WAIT_FOR(peer_count(p, &p->dels) == peer_count(p, &p->adds));
	assert_int_equal(peer_count(p, &p->adds), 1);
	end_overlay(o);
	peer_free(p);
}

/* Not Tor's user: refused without a word. */
static void test_other_users_are_refused(void **state)
{
	struct tor_peer *p = peer_start();
	struct overlay *o;
	struct heard h;
	char byte;
	int fd;

	(void)state;
	p->uid = (int)geteuid() + 1;
	o = start_on(p);
	begin_listen(o, &h, NULL);
	WAIT_FOR(h.ready == 1);
	fd = come(told_port(p));
	WAIT_FOR(strstr(buf_str(&kept_log.text), "a local user who does not run Tor"));
	assert_int_equal(h.accepted, 0);
	assert_true(recv(fd, &byte, 1, 0) <= 0);
	close(fd);
	overlay_unlisten(h.l);
	end_overlay(o);
	peer_free(p);
}

static void test_no_control_no_listening(void **state)
{
	struct overlay *o = start_tor(entry(9050));
	struct value *options = value_map();
	struct tor_peer *p;
	struct heard h;

	(void)state;
	begin_listen(o, &h, NULL);
	WAIT_FOR(h.failed == 1);
	assert_int_equal(h.err.kind, ERR_INVALID);
	assert_non_null(strstr(h.err.text, "tor: operation not supported (onion services need Tor's control port"));
	overlay_unlisten(h.l);
	end_overlay(o);

	p = peer_start();
	o = start_on(p);
	value_map_set(options, "virtual_port", value_int(-1));
	begin_listen(o, &h, options);
	WAIT_FOR(h.failed == 1);
	assert_non_null(strstr(h.err.text, "tor: network_options: virtual_port: -1 is not between 1 and 65535"));
	overlay_unlisten(h.l);
	value_unref(options);
	end_overlay(o);
	peer_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_refused_entries, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_each_phase_each_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_tor_that_falls_silent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unasked_answers_events_and_lost_calls, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unix_socket, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_states, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_states_and_dials, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_socks_only, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tor_dies_under_a_dial, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_socks_socket, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_listening, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tor_restarts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_address_outlives_the_program, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_listening_goes_wrong, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unlisten_while_it_is_added, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_users_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_control_no_listening, set_up, tear_down),
	};

	log_set_sink(keep_log, NULL, LOG_DEBUG);
	/* The first loop of a program opens descriptors that stay. */
	loop_free(loop_new());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
