/*
 * The SOCKS5 driver against scripted proxies on loopback: each way a dial can end, in each phase, and that nothing is
 * left behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#include <cmocka.h>

#include "driver_fixture.h"

/* -- scripted proxies ------------------------------------------------------------------------------ */

enum act_kind { ACT_END, ACT_HEAR, ACT_SAY, ACT_DRIP, ACT_AWAIT_EOF, ACT_RESET };

struct act {
	enum act_kind kind;
	size_t len;
	const char *bytes;
};

#define HEAR(n)                     \
	{                           \
		ACT_HEAR, (n), NULL \
	}
#define SAY(s)                              \
	{                                   \
		ACT_SAY, sizeof(s) - 1, (s) \
	}
#define DRIP(s)                              \
	{                                    \
		ACT_DRIP, sizeof(s) - 1, (s) \
	}
#define AWAIT_EOF                      \
	{                              \
		ACT_AWAIT_EOF, 0, NULL \
	}
#define RESET                      \
	{                          \
		ACT_RESET, 0, NULL \
	}

#define REPLY_OK "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"

enum { CONNECTIONS_MAX = 100 };

/* Plays one script on one connection after the other. */
struct proxy {
	pthread_t thread;
	int listener;
	uint16_t port;
	unsigned connections;
	const struct act *script;
	struct buf heard[CONNECTIONS_MAX];
	bool saw_eof[CONNECTIONS_MAX];
};

static bool hear(int fd, struct buf *heard, size_t len)
{
	while (len > 0) {
		char byte;

		if (read(fd, &byte, 1) != 1)
			return false;
		buf_addc(heard, byte);
		len--;
	}
	return true;
}

static void play(struct proxy *p, int fd, unsigned n)
{
	struct linger reset = {.l_onoff = 1};

	for (const struct act *a = p->script; a->kind != ACT_END; a++) {
		char byte;

		switch (a->kind) {
		case ACT_HEAR:
			if (!hear(fd, &p->heard[n], a->len))
				return;
			break;
		case ACT_SAY:
			if (send(fd, a->bytes, a->len, MSG_NOSIGNAL) != (ssize_t)a->len)
				return;
			break;
		case ACT_DRIP:
			for (size_t i = 0; i < a->len; i++) {
				if (send(fd, a->bytes + i, 1, MSG_NOSIGNAL) != 1)
					return;
				usleep(3000);
			}
			break;
		case ACT_AWAIT_EOF:
			p->saw_eof[n] = read(fd, &byte, 1) == 0;
			break;
		case ACT_RESET:
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
			break;
		case ACT_END:
			break;
		}
	}
}

static void *proxy_thread(void *arg)
{
	struct proxy *p = arg;

	for (unsigned n = 0; n < p->connections; n++) {
		struct timeval limit = {.tv_sec = 10};
		int fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			break;
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		play(p, fd, n);
		close(fd);
	}
	return NULL;
}

static void proxy_start_on(struct proxy *p, const char *ip, unsigned connections, const struct act *script)
{
	struct timeval limit = {.tv_sec = 10};

	memset(p, 0, sizeof(*p));
	p->listener = listen_on(ip, 128, &p->port);
	assert_true(p->listener >= 0);
	setsockopt(p->listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	p->connections = connections;
	p->script = script;
	assert_int_equal(pthread_create(&p->thread, NULL, proxy_thread, p), 0);
}

static void proxy_start(struct proxy *p, unsigned connections, const struct act *script)
{
	proxy_start_on(p, "127.0.0.1", connections, script);
}

/* Wait until every connection has been played. */
static void proxy_join(struct proxy *p)
{
	pthread_join(p->thread, NULL);
	close(p->listener);
}

static void proxy_done(struct proxy *p)
{
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
		buf_done(&p->heard[i]);
}

/* -- set-up ---------------------------------------------------------------------------------------- */

static struct value *entry_at(const char *host, uint16_t port)
{
	return with(entry(port), "host", value_cstring(host));
}

static struct overlay *open_socks5(struct value *data)
{
	return open_entry(&socks5_driver, "app:tor", data);
}

static struct overlay *open_plain(uint16_t port)
{
	return open_socks5(entry(port));
}

static struct overlay *open_with_credentials(uint16_t port)
{
	struct value *v = entry(port);

	value_map_set(v, "username", value_cstring("user"));
	value_map_set(v, "password", value_cstring("hunter2"));
	return open_socks5(v);
}

/* Credentials configured: greeting 4, credentials 3+4+7, request for "example.onion:80" 7+13. */
enum { HELLO_PLAIN = 3, HELLO = 4, AUTH = 14, REQUEST = 20, AUTH_ISOLATED = 3 + 16 + 16 };

static void check_begins(const char *text, const struct proxy *p, const char *rest)
{
	char want[300];

	snprintf(want, sizeof(want), "socks connect tcp 127.0.0.1:%u->example.onion:80: %s", p->port, rest);
	if (strncmp(text, want, strlen(want)) != 0)
		assert_string_equal(text, want);
}

/* A request has one byte for the length of a name. */
static void test_a_name_too_long_for_the_protocol(void **state)
{
	static const struct act script[] = {HEAR(HELLO_PLAIN), SAY("\x05\x00"), AWAIT_EOF, {0}};
	char host[257];
	struct proxy p;
	struct overlay *o;
	struct dialled r;

	(void)state;
	memset(host, 'a', 256);
	host[256] = '\0';
	proxy_start(&p, 1, script);
	o = open_plain(p.port);
	r = dial_once(loop, o, host, 80, 5000, "");
	assert_int_equal(r.fd, -1);
	assert_int_equal(r.err.kind, ERR_INVALID);
	assert_string_equal(r.err.code, "socks_bad_target");
	assert_true(strlen(r.err.text) > 13 && strcmp(r.err.text + strlen(r.err.text) - 13, "FQDN too long") == 0);
	proxy_join(&p);
	proxy_done(&p);
	overlay_unref(o);
}

/* -- success --------------------------------------------------------------------------------------- */

/* The reply and the first bytes of the stream arrive together; the stream must be whole in the descriptor. */
static void test_success_leaves_the_stream_alone(void **state)
{
	static const struct act scripts[][8] = {
		{HEAR(HELLO), SAY("\x05\x02"), HEAR(AUTH), SAY("\x01\x00"), HEAR(REQUEST), SAY(REPLY_OK "stream"),
			AWAIT_EOF},
		{HEAR(HELLO), DRIP("\x05\x02"), HEAR(AUTH), DRIP("\x01\x00"), HEAR(REQUEST),
			DRIP("\x05\x00\x00\x03\x05proxy\x00\x50"
			     "stream"),
			AWAIT_EOF},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		char got[7] = "";
		struct proxy p;
		struct overlay *o;
		struct dialled r;

		proxy_start(&p, 1, scripts[i]);
		o = open_with_credentials(p.port);
		r = dial_once(loop, o, "example.onion", 80, 5000, "");
		assert_true(r.fd >= 0);
		assert_true(fcntl(r.fd, F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(r.fd, F_GETFD) & FD_CLOEXEC);
		assert_string_equal(r.trace.resolver, "proxy");
		assert_true(r.trace.begun_ns > 0 && r.trace.connected_ns >= r.trace.begun_ns);
		assert_true(r.trace.ready_ns >= r.trace.connected_ns);

		for (size_t len = 0; len < 6;) {
			struct pollfd ready = {.fd = r.fd, .events = POLLIN};

			assert_int_equal(poll(&ready, 1, 5000), 1);
			ssize_t n = read(r.fd, got + len, 6 - len);
			assert_true(n > 0);
			len += (size_t)n;
		}
		assert_string_equal(got, "stream");
		close(r.fd);
		proxy_join(&p);
		assert_true(p.saw_eof[0]);
		assert_memory_equal(buf_data(&p.heard[0]),
			"\x05\x02\x00\x02"
			"\x01\x04user\x07hunter2"
			"\x05\x01\x00\x03\x0d"
			"example.onion\x00\x50",
			HELLO + AUTH + REQUEST);
		assert_int_equal(kept_log.records, 0);
		assert_int_equal(atomic_load(&lookups), 0);
		proxy_done(&p);
		overlay_unref(o);
	}
}

/* Whatever happens, the target's name stays with the proxy, and only the proxy's own name is looked up. */
static void test_only_the_proxy_is_looked_up(void **state)
{
	static const struct act script[] = {
		HEAR(HELLO_PLAIN), SAY("\x05\x00"), HEAR(REQUEST), SAY("\x05\x05"), AWAIT_EOF, {0}};
	struct proxy p;
	struct overlay *o;

	(void)state;
	proxy_start(&p, 2, script);
	o = open_plain(p.port);
	assert_string_equal(dial_once(loop, o, "example.onion", 80, 5000, "").err.code, "socks_connection_refused");
	assert_int_equal(atomic_load(&lookups), 0);
	overlay_unref(o);
	o = open_socks5(entry_at("localhost", p.port));
	assert_string_equal(dial_once(loop, o, "example.onion", 80, 5000, "").err.code, "socks_connection_refused");
	assert_int_equal(atomic_load(&lookups), 1);
	overlay_unref(o);
	proxy_join(&p);
	proxy_done(&p);
}

static void test_literal_target(void **state)
{
	static const struct act script[] = {
		HEAR(HELLO_PLAIN), SAY("\x05\x00"), HEAR(10), SAY(REPLY_OK), AWAIT_EOF, {0}};
	struct proxy p;
	struct overlay *o;
	struct dialled r;

	(void)state;
	proxy_start(&p, 1, script);
	o = open_plain(p.port);
	r = dial_once(loop, o, "192.0.2.1", 80, 5000, "");
	assert_true(r.fd >= 0);
	assert_string_equal(r.trace.resolver, "none");
	close(r.fd);
	proxy_join(&p);
	assert_memory_equal(buf_data(&p.heard[0]), "\x05\x01\x00\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50", 13);
	proxy_done(&p);
	overlay_unref(o);
}

static void test_ways_to_write_the_proxy(void **state)
{
	static const struct act script[] = {
		HEAR(HELLO_PLAIN), SAY("\x05\x00"), HEAR(REQUEST), SAY(REPLY_OK), AWAIT_EOF, {0}};
	static const char *const forms[][2] = {
		{"127.0.0.1", "127.0.0.1"}, {"127.0.0.1", "localhost"}, {"::1", "::1"}, {"::1", "[::1]"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct proxy p;
		struct overlay *o;
		struct dialled r;
		uint16_t unused;
		int probe = listen_on(forms[i][0], 1, &unused);

		if (probe < 0)
			continue; /* this machine has no IPv6 */
		close(probe);
		proxy_start_on(&p, forms[i][0], 1, script);
		o = open_socks5(entry_at(forms[i][1], p.port));
		r = dial_once(loop, o, "example.onion", 80, 5000, "");
		if (r.fd < 0)
			fail_msg("%s: %s", forms[i][1], r.err.text);
		close(r.fd);
		proxy_join(&p);
		proxy_done(&p);
		overlay_unref(o);
	}
}

/* -- the proxy is not there ------------------------------------------------------------------------ */

static void test_dead_proxy(void **state)
{
	uint16_t port;
	int dead = dead_port(&port);
	struct overlay *o = open_plain(port);
	struct dialled r = dial_once(loop, o, "example.onion", 80, 5000, "");
	char want[200];

	(void)state;
	assert_int_equal(r.fd, -1);
	snprintf(want, sizeof(want),
		"socks connect tcp 127.0.0.1:%u->example.onion:80: dial tcp 127.0.0.1:%u: connect: connection refused",
		port, port);
	assert_string_equal(r.err.text, want);
	assert_string_equal(r.err.code, "connect_refused");
	assert_int_equal(r.err.kind, ERR_UNAVAILABLE);
	assert_int_equal(r.trace.connected_ns, 0);
	assert_int_equal(r.trace.ready_ns, 0);
	assert_int_equal(kept_log.dial_failures, 1);
	assert_non_null(strstr(buf_str(&kept_log.text), "overlay=app:tor"));
	/* An IPv6 target is bracketed. */
	r = dial_once(loop, o, "2001:db8::1", 443, 5000, "");
	assert_non_null(strstr(r.err.text, "->[2001:db8::1]:443: dial tcp"));
	close(dead);
	overlay_unref(o);
}

static void test_timeout_while_connecting(void **state)
{
	int fds[8];
	uint16_t port;
	size_t n = deaf_port(fds, &port);
	struct overlay *o = open_plain(port);
	struct dialled r = dial_once(loop, o, "example.onion", 80, 150, "");
	char want[200];

	(void)state;
	snprintf(want, sizeof(want),
		"socks connect tcp 127.0.0.1:%u->example.onion:80: dial tcp 127.0.0.1:%u: i/o timeout", port, port);
	assert_string_equal(r.err.text, want);
	assert_int_equal(r.err.kind, ERR_TIMEOUT);
	assert_in_range(r.took_ms, 150, 1500);
	while (n > 0)
		close(fds[--n]);
	overlay_unref(o);
}

/* -- each phase of the handshake ------------------------------------------------------------------- */

/* The proxy behaves until the named phase. The last entry stops within the final reply. */
static const struct {
	struct act acts[7];
	const char *waits_for;
} phases[] = {
	{{HEAR(HELLO)}, "choose an authentication method"},
	{{HEAR(HELLO), SAY("\x05")}, "choose an authentication method"},
	{{HEAR(HELLO), SAY("\x05\x02"), HEAR(AUTH)}, "check the credentials"},
	{{HEAR(HELLO), SAY("\x05\x02"), HEAR(AUTH), SAY("\x01\x00"), HEAR(REQUEST)}, "connect to the target"},
	{{HEAR(HELLO), SAY("\x05\x02"), HEAR(AUTH), SAY("\x01\x00"), HEAR(REQUEST), SAY("\x05\x00\x00\x03\x0aprox")},
		"connect to the target"},
};

/* The script of a phase with one act behind it. */
static void phase_script(size_t phase, struct act last, struct act ret_script[static 8])
{
	size_t n = 0;

	memset(ret_script, 0, 8 * sizeof(*ret_script));
	while (n < ARRAY_LEN(phases[phase].acts) && phases[phase].acts[n].kind != ACT_END) {
		ret_script[n] = phases[phase].acts[n];
		n++;
	}
	ret_script[n] = last;
}

static void test_stall_in_each_phase(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
		struct act script[8];
		struct proxy p;
		struct overlay *o;
		struct dialled r;

		phase_script(i, (struct act)AWAIT_EOF, script);
		proxy_start(&p, 1, script);
		o = open_with_credentials(p.port);
		r = dial_once(loop, o, "example.onion", 80, 120, "");
		check_begins(r.err.text, &p, "handshake: i/o timeout while waiting for the proxy to ");
		assert_non_null(strstr(r.err.text, phases[i].waits_for));
		assert_int_equal(r.err.kind, ERR_TIMEOUT);
		assert_int_equal(r.err.retry, ERR_RETRY_YES);
		assert_string_equal(r.err.code, "socks_handshake_timeout");
		assert_in_range(r.took_ms, 120, 1500);
		assert_true(r.trace.connected_ns > 0);
		assert_int_equal(r.trace.ready_ns, 0);
		proxy_join(&p);
		assert_true(p.saw_eof[0]);
		proxy_done(&p);
		overlay_unref(o);
	}
	assert_int_equal(kept_log.dial_failures, ARRAY_LEN(phases));
	assert_null(strstr(buf_str(&kept_log.text), "hunter2"));
}

/* One byte now and then does not extend the deadline. */
static void test_drip_does_not_extend_the_deadline(void **state)
{
	static const struct act script[] = {HEAR(HELLO_PLAIN), SAY("\x05\x00"), HEAR(REQUEST),
		DRIP("\x05\x00\x00\x03\xff"
		     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		     "xxx"
		     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		     "xxx"),
		AWAIT_EOF, {0}};
	struct proxy p;
	struct overlay *o;
	struct dialled r;

	(void)state;
	proxy_start(&p, 1, script);
	o = open_plain(p.port);
	r = dial_once(loop, o, "example.onion", 80, 150, "");
	assert_int_equal(r.err.kind, ERR_TIMEOUT);
	assert_in_range(r.took_ms, 150, 1500);
	proxy_join(&p);
	proxy_done(&p);
	overlay_unref(o);
}

static void test_close_in_each_phase(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
		for (int reset = 0; reset < 2; reset++) {
			struct act script[8];
			struct proxy p;
			struct overlay *o;
			struct dialled r;

			phase_script(i, reset ? (struct act)RESET : (struct act){0}, script);
			proxy_start(&p, 1, script);
			o = open_with_credentials(p.port);
			r = dial_once(loop, o, "example.onion", 80, 5000, "");
			if (!reset) {
				check_begins(r.err.text, &p, "unexpected EOF: ");
				assert_non_null(strstr(r.err.text, phases[i].waits_for));
			} else {
				check_begins(r.err.text, &p, "handshake: read: ");
			}
			assert_int_equal(r.err.kind, ERR_UNAVAILABLE);
			assert_int_equal(r.err.retry, ERR_RETRY_YES);
			assert_string_equal(r.err.code, "socks_closed");
			assert_true(r.took_ms < 4000);
			proxy_join(&p);
			proxy_done(&p);
			overlay_unref(o);
		}
	}
}

static void test_cancel_in_each_phase(void **state)
{
	struct dialled r = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
		struct act script[8];
		struct proxy p;
		struct overlay *o;
		struct dial *d;

		phase_script(i, (struct act)AWAIT_EOF, script);
		proxy_start(&p, 1, script);
		o = open_with_credentials(p.port);
		d = begin_dial(loop, o, "example.onion", 80, 10000, "", &r);
		run_for(loop, 40);
		overlay_unref(o); /* the dial has its own reference */
		dial_cancel(d);
		run_for(loop, 5);
		assert_int_equal(r.calls, 0);
		proxy_join(&p);
		assert_true(p.saw_eof[0]);
		proxy_done(&p);
	}
	assert_int_equal(kept_log.records, 0);
}

static void test_cancel_before_the_proxy_is_reached(void **state)
{
	int fds[8];
	uint16_t port;
	size_t n = deaf_port(fds, &port);
	struct overlay *o = open_plain(port);
	struct dialled r = {0};

	(void)state;
	for (unsigned wait_ms = 0; wait_ms <= 20; wait_ms += 20) {
		struct dial *d = begin_dial(loop, o, "example.onion", 80, 10000, "", &r);

		if (wait_ms)
			run_for(loop, wait_ms);
		dial_cancel(d);
		run_for(loop, 5);
		assert_int_equal(r.calls, 0);
	}
	while (n > 0)
		close(fds[--n]);
	overlay_unref(o);
}

/* -- refusals -------------------------------------------------------------------------------------- */

static const struct {
	struct act acts[8];
	enum err_kind kind;
	const char *code;
	const char *text;
} refusals[] = {
	{{HEAR(HELLO), SAY("\x05\xff"), AWAIT_EOF}, ERR_PERMISSION_DENIED, "socks_no_method",
		"no acceptable authentication methods"},
	{{HEAR(HELLO), SAY("\x05\x02"), HEAR(AUTH), SAY("\x01\x01"), AWAIT_EOF}, ERR_PERMISSION_DENIED,
		"socks_auth_failed", "username/password authentication failed"},
	{{HEAR(HELLO), SAY("\x05\x00"), HEAR(REQUEST), SAY("\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00"), AWAIT_EOF},
		ERR_PERMISSION_DENIED, "socks_ruleset", "unknown error connection not allowed by ruleset"},
	{{HEAR(HELLO), SAY("\x05\x00"), HEAR(REQUEST), SAY("\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00"), AWAIT_EOF},
		ERR_UNAVAILABLE, "socks_host_unreachable", "unknown error host unreachable"},
	{{HEAR(HELLO), SAY("\x05\x00"), HEAR(REQUEST), SAY("\x05\xf0\x00\x01\x00\x00\x00\x00\x00\x00"), AWAIT_EOF},
		ERR_UNAVAILABLE, "socks_onion_not_found", "onion service descriptor can not be found"},
	{{HEAR(HELLO), SAY("HTTP/1.0 400 Bad Request\r\n\r\n"), AWAIT_EOF}, ERR_UNAVAILABLE, "socks_bad_version",
		"unexpected protocol version 72"},
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		struct proxy p;
		struct overlay *o;
		struct dialled r;

		proxy_start(&p, 1, refusals[i].acts);
		o = open_with_credentials(p.port);
		r = dial_once(loop, o, "example.onion", 80, 5000, "");
		check_begins(r.err.text, &p, refusals[i].text);
		assert_int_equal(r.err.kind, refusals[i].kind);
		assert_string_equal(r.err.code, refusals[i].code);
		assert_null(strstr(r.err.text, "hunter2"));
		assert_true(r.took_ms < 4000);
		proxy_join(&p);
		proxy_done(&p);
		overlay_unref(o);
	}
	assert_int_equal(kept_log.dial_failures, ARRAY_LEN(refusals));
	assert_null(strstr(buf_str(&kept_log.text), "hunter2"));
	assert_null(strstr(buf_str(&kept_log.text), "username="));
}

/* -- isolation ------------------------------------------------------------------------------------- */

/* The credentials that connection `n` sent. */
static void sent_token(const struct proxy *p, unsigned n, char out[static 17])
{
	const char *auth = buf_data(&p->heard[n]) + HELLO;

	assert_true(buf_len(&p->heard[n]) >= HELLO + AUTH_ISOLATED);
	assert_memory_equal(auth - HELLO, "\x05\x02\x00\x02", HELLO);
	assert_int_equal(auth[0], 1);
	assert_int_equal(auth[1], 16);
	assert_int_equal(auth[18], 16);
	assert_memory_equal(auth + 2, auth + 19, 16);
	for (int i = 0; i < 16; i++)
		assert_non_null(strchr("0123456789abcdef", auth[2 + i]));
	memcpy(out, auth + 2, 16);
	out[16] = '\0';
}

static const struct act isolated_script[] = {HEAR(HELLO), SAY("\x05\x02"), HEAR(AUTH_ISOLATED), SAY("\x01\x00"),
	HEAR(REQUEST), SAY(REPLY_OK), AWAIT_EOF, {0}};

static void dial_and_close(struct overlay *o, const char *key)
{
	struct dialled r = dial_once(loop, o, "example.onion", 80, 5000, key);

	if (r.fd < 0)
		fail_msg("%s", r.err.text);
	close(r.fd);
}

static void test_isolate_streams(void **state)
{
	char tokens[4][17];
	struct value *v;
	struct proxy p;
	struct overlay *o;

	(void)state;
	proxy_start(&p, 4, isolated_script);
	v = entry(p.port);
	value_map_set(v, "isolate_streams", value_bool(true));
	/* The configured credentials are replaced completely. */
	value_map_set(v, "username", value_cstring("user"));
	value_map_set(v, "password", value_cstring("hunter2"));
	o = open_socks5(v);
	for (unsigned i = 0; i < 4; i++)
		dial_and_close(o, i < 2 ? "" : "owner:1");
	proxy_join(&p);
	for (unsigned i = 0; i < 4; i++) {
		sent_token(&p, i, tokens[i]);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(tokens[i], tokens[k]);
	}
	assert_int_equal(kept_log.records, 0);
	proxy_done(&p);
	overlay_unref(o);
}

static void test_isolation_by_key(void **state)
{
	static const char *const keys[] = {"owner:1", "owner:2", "owner:1", "", ""};
	char tokens[7][17];
	struct value *v;
	struct proxy p;
	struct overlay *o = NULL, *other = NULL;

	(void)state;
	proxy_start(&p, 7, isolated_script);
	for (int i = 0; i < 2; i++) {
		v = entry(p.port);
		value_map_set(v, "isolation", value_cstring("process"));
		*(i ? &other : &o) = open_socks5(v);
	}
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		dial_and_close(o, keys[i]);
	dial_and_close(other, "owner:1");
	dial_and_close(other, "owner:1");
	proxy_join(&p);
	for (unsigned i = 0; i < 7; i++)
		sent_token(&p, i, tokens[i]);
	assert_string_equal(tokens[0], tokens[2]);
	assert_string_not_equal(tokens[0], tokens[1]);
	/* No key: shared with nobody. */
	assert_string_not_equal(tokens[3], tokens[4]);
	assert_string_not_equal(tokens[3], tokens[0]);
	/* Another instance has identities of its own. */
	assert_string_not_equal(tokens[5], tokens[0]);
	assert_string_equal(tokens[5], tokens[6]);
	proxy_done(&p);
	overlay_unref(o);
	overlay_unref(other);
}

static void test_without_isolation_the_key_changes_nothing(void **state)
{
	static const struct act script[] = {HEAR(HELLO), SAY("\x05\x02"), HEAR(AUTH), SAY("\x01\x00"), HEAR(REQUEST),
		SAY(REPLY_OK), AWAIT_EOF, {0}};
	struct proxy p;
	struct overlay *o;

	(void)state;
	proxy_start(&p, 2, script);
	o = open_with_credentials(p.port);
	dial_and_close(o, "owner:1");
	dial_and_close(o, "owner:2");
	proxy_join(&p);
	for (int i = 0; i < 2; i++)
		assert_memory_equal(buf_data(&p.heard[i]) + HELLO, "\x01\x04user\x07hunter2", AUTH);
	proxy_done(&p);
	overlay_unref(o);
}

/* A proxy that ignores the credentials cannot isolate: said once, not an error. */
static void test_proxy_that_cannot_isolate(void **state)
{
	static const struct act script[] = {HEAR(HELLO), SAY("\x05\x00"), HEAR(REQUEST), SAY(REPLY_OK), AWAIT_EOF, {0}};
	struct value *v;
	struct proxy p;
	struct overlay *o;

	(void)state;
	proxy_start(&p, 2, script);
	v = entry(p.port);
	value_map_set(v, "isolate_streams", value_bool(true));
	o = open_socks5(v);
	dial_and_close(o, "");
	dial_and_close(o, "");
	proxy_join(&p);
	assert_int_equal(kept_log.records, 1);
	assert_non_null(strstr(buf_str(&kept_log.text), "streams are not isolated"));
	proxy_done(&p);
	overlay_unref(o);
}

/* -- many at once ---------------------------------------------------------------------------------- */

static void test_concurrent_dials(void **state)
{
	enum { DIALS = CONNECTIONS_MAX };
	/* No AWAIT_EOF: the proxy plays one connection after the other while the earlier ones are still open. */
	static const struct act script[] = {
		HEAR(HELLO), SAY("\x05\x02"), HEAR(AUTH_ISOLATED), SAY("\x01\x00"), HEAR(REQUEST), SAY(REPLY_OK), {0}};
	static struct dialled r[DIALS];
	char tokens[DIALS][17];
	unsigned left = DIALS;
	struct value *v;
	struct proxy p;
	struct overlay *o;

	(void)state;
	proxy_start(&p, DIALS, script);
	v = entry(p.port);
	value_map_set(v, "isolate_streams", value_bool(true));
	o = open_socks5(v);
	for (unsigned i = 0; i < DIALS; i++) {
		r[i].left = &left;
		begin_dial(loop, o, "example.onion", 80, 20000, "", &r[i]);
	}
	overlay_unref(o);
	loop_run(loop);
	for (unsigned i = 0; i < DIALS; i++) {
		assert_int_equal(r[i].calls, 1);
		if (r[i].fd < 0)
			fail_msg("%s", r[i].err.text);
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(r[i].fd, r[k].fd);
	}
	for (unsigned i = 0; i < DIALS; i++)
		close(r[i].fd);
	proxy_join(&p);
	for (unsigned i = 0; i < DIALS; i++) {
		sent_token(&p, i, tokens[i]);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(tokens[i], tokens[k]);
	}
	proxy_done(&p);
}

/* Some dials end by their deadline, some are cancelled, some refused, all on one loop. */
static void test_mixed_ends(void **state)
{
	static const struct act script[] = {HEAR(HELLO_PLAIN), AWAIT_EOF, {0}};
	struct dialled r[3] = {{0}};
	unsigned left = 2;
	uint16_t port;
	int dead = dead_port(&port);
	struct proxy p;
	struct overlay *slow, *gone;
	struct dial *d;

	(void)state;
	proxy_start(&p, 2, script);
	slow = open_plain(p.port);
	gone = open_plain(port);
	r[0].left = r[1].left = &left;
	begin_dial(loop, slow, "example.onion", 80, 200, "", &r[0]);
	begin_dial(loop, gone, "example.onion", 80, 5000, "", &r[1]);
	d = begin_dial(loop, slow, "example.onion", 80, 5000, "", &r[2]);
	loop_run(loop);
	dial_cancel(d);
	assert_int_equal(r[0].err.kind, ERR_TIMEOUT);
	assert_int_equal(r[1].err.kind, ERR_UNAVAILABLE);
	assert_int_equal(r[2].calls, 0);
	assert_int_equal(kept_log.dial_failures, 2);
	proxy_join(&p);
	assert_true(p.saw_eof[0] && p.saw_eof[1]);
	proxy_done(&p);
	close(dead);
	overlay_unref(slow);
	overlay_unref(gone);
}

/* -- the entry ------------------------------------------------------------------------------------- */

static struct value *at_line(struct value *v, uint32_t line)
{
	value_set_position(v, line, 9);
	return v;
}

static void check_config_error(struct value *data, const char *want)
{
	struct overlay *o = NULL;
	struct err e = {0};

	assert_int_equal(overlay_open(&socks5_driver, &env, "app:tor", data, &o, &e), -1);
	assert_null(o);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_int_equal(e.retry, ERR_RETRY_NO);
	if (!strstr(e.text, want))
		assert_string_equal(e.text, want);
	assert_int_equal(strncmp(e.text, "socks5: failed to decode config: ", 33), 0);
	value_unref(data);
}

/* The map with one more field, read from line 12. */
static struct value *with_line(struct value *map, const char *key, struct value *item)
{
	return with(map, key, at_line(item, 12));
}

static void test_config_errors(void **state)
{
	static const int64_t ports[] = {0, -1, 65536, INT64_MAX, INT64_MIN};
	char text[120], longest[257];

	(void)state;
	check_config_error(value_map(), "invalid configuration: network: host is required");
	check_config_error(with_line(value_map(), "host", value_cstring("")), "network: host is required: line 12");
	check_config_error(
		with_line(value_map(), "host", value_cstring("h")), "invalid configuration: network: invalid port");
	for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
		snprintf(text, sizeof(text),
			"invalid configuration: network: invalid port: line 12: %lld is not between 1 and 65535",
			(long long)ports[i]);
		check_config_error(with_line(entry_at("h", 1), "port", value_int(ports[i])), text);
	}
	check_config_error(with_line(entry_at("h", 1), "port", value_cstring("9050")),
		"failed to unmarshal config: line 12: field 'port'");
	check_config_error(with_line(entry_at("h", 1), "port", value_float(9050.5)),
		"failed to unmarshal config: line 12: field 'port'");
	check_config_error(
		with_line(entry_at("h", 1), "host", value_int(7)), "failed to unmarshal config: line 12: field 'host'");
	check_config_error(with_line(entry_at("h", 1), "isolate_streams", value_cstring("yes")),
		"line 12: field 'isolate_streams'");
	check_config_error(
		with_line(entry_at("h", 1), "host", value_cstring("127.0.0.1:9050")), "network: invalid host: line 12");
	check_config_error(with_line(entry_at("h", 1), "host", value_cstring("a b")), "network: invalid host: line 12");
	check_config_error(
		with_line(entry_at("h", 1), "host", value_cstring("proxy.onion")), "network: invalid host: line 12");
	memset(longest, 'x', 256);
	longest[256] = '\0';
	check_config_error(
		with_line(entry_at("h", 1), "host", value_cstring(longest)), "network: invalid host: line 12");
	check_config_error(with_line(entry_at("h", 1), "password", value_string("a\0b", 3)), "contains a NUL byte");
}

/* Not even a password of the wrong type is shown. */
static void test_config_errors_keep_secrets(void **state)
{
	static const char *const keys[] = {"username", "password"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct value *v = with_line(entry_at("h", 1), keys[i], value_int(31337));
		struct overlay *o = NULL;
		struct err e = {0};

		assert_int_equal(overlay_open(&socks5_driver, &env, "app:tor", v, &o, &e), -1);
		assert_non_null(strstr(e.text, "line 12: field '"));
		assert_non_null(strstr(e.text, "expected string, got integer"));
		assert_null(strstr(e.text, "31337"));
		value_unref(v);
	}
}

static void test_open_does_no_io(void **state)
{
	uint16_t port;
	int listener = listen_on("127.0.0.1", 5, &port);
	struct pollfd p = {.fd = listener, .events = POLLIN};
	struct overlay *o = open_plain(port), *unknown = open_socks5(entry_at("no-such-host.invalid", 9050));

	(void)state;
	assert_int_equal(poll(&p, 1, 20), 0);
	assert_string_equal(overlay_kind(o), "network.socks5");
	assert_false(overlay_isolates(o));
	overlay_unref(o);
	overlay_unref(unknown);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ways_to_write_the_proxy, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_name_too_long_for_the_protocol, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_success_leaves_the_stream_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_only_the_proxy_is_looked_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_literal_target, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dead_proxy, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_timeout_while_connecting, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stall_in_each_phase, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_drip_does_not_extend_the_deadline, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_close_in_each_phase, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cancel_in_each_phase, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cancel_before_the_proxy_is_reached, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_isolate_streams, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_isolation_by_key, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_without_isolation_the_key_changes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_proxy_that_cannot_isolate, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_concurrent_dials, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_mixed_ends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_config_errors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_config_errors_keep_secrets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_open_does_no_io, set_up, tear_down),
	};

	log_set_sink(keep_log, NULL, LOG_DEBUG);
	/* The first loop of a program opens descriptors that stay. */
	loop_free(loop_new());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
