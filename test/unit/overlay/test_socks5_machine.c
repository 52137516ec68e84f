/*
 * The SOCKS5 step machine, without a socket: RFC 1928, RFC 1929, Tor's extended replies.
 *
 * Each exchange runs in several ways: the proxy's bytes as many at once as the machine takes, one at a time, and cut
 * off after every byte. In each the machine must end with success or a typed error, and never take a byte beyond the
 * final reply.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "overlay/socks5/machine.h"

enum { CHUNK_ALL = 1000 };

/* What happened in one exchange. */
struct outcome {
	enum socks5_step step;
	size_t taken;    /* bytes the machine took from the proxy */
	struct buf sent; /* all it sent */
	struct err err;
	bool authenticated;
};

/* Feed `reply` in pieces of at most `chunk` bytes. With `eof` the connection closes behind it. */
static struct outcome run(const char *host, uint16_t port, const char *user, const char *pass, const void *reply,
	size_t len, size_t chunk, bool eof)
{
	struct socks5_machine m;
	struct outcome o = {.sent = BUF_INIT};

	socks5_machine_init(&m, host, port, user, pass);
	for (;;) {
		size_t want, n;

		o.step = socks5_machine_step(&m);
		buf_add(&o.sent, buf_data(&m.out), buf_len(&m.out));
		buf_consume(&m.out, buf_len(&m.out));
		want = socks5_machine_wants(&m);
		if (o.step != SOCKS5_STEP_NEED_INPUT) {
			assert_int_equal(want, 0);
			break;
		}
		assert_in_range(want, 1, SOCKS5_REPLY_MAX);
		n = len - o.taken < want ? len - o.taken : want;
		if (n > chunk)
			n = chunk;
		if (n == 0) {
			if (!eof)
				break;
			socks5_machine_eof(&m);
			continue;
		}
		buf_add(&m.in, (const char *)reply + o.taken, n);
		o.taken += n;
	}
	if (o.step == SOCKS5_STEP_FAILED) {
		o.err = m.err;
		assert_true(m.err.text[0] != '\0');
		assert_non_null(m.err.code);
		assert_int_not_equal(m.err.kind, ERR_UNKNOWN);
		assert_int_not_equal(m.err.retry, ERR_RETRY_UNKNOWN);
	} else if (o.step == SOCKS5_STEP_DONE) {
		assert_int_equal(buf_len(&m.in), 0);
	}
	o.authenticated = m.authenticated;
	socks5_machine_done(&m);
	return o;
}

static void outcome_done(struct outcome *o)
{
	buf_done(&o->sent);
}

static void check_sent(const struct outcome *o, const void *want, size_t len)
{
	assert_int_equal(buf_len(&o->sent), len);
	assert_memory_equal(buf_data(&o->sent), want, len);
}

#define BYTES(s) (s), sizeof(s) - 1

/* -- what we send ---------------------------------------------------------------------------------- */

#define REPLY_OK "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"

static void test_name_without_credentials(void **state)
{
	(void)state;
	for (size_t chunk = 1; chunk <= CHUNK_ALL; chunk *= CHUNK_ALL) {
		struct outcome o = run("Example.onion", 443, NULL, NULL, BYTES("\x05\x00" REPLY_OK), chunk, false);

		assert_int_equal(o.step, SOCKS5_STEP_DONE);
		assert_false(o.authenticated);
		check_sent(&o, BYTES("\x05\x01\x00"
				     "\x05\x01\x00\x03\x0d"
				     "Example.onion\x01\xbb"));
		outcome_done(&o);
	}
}

static void test_empty_credentials_are_none(void **state)
{
	struct outcome o = run("a.b", 80, "", "", BYTES("\x05\x00" REPLY_OK), CHUNK_ALL, false);

	(void)state;
	assert_int_equal(o.step, SOCKS5_STEP_DONE);
	check_sent(&o, BYTES("\x05\x01\x00"
			     "\x05\x01\x00\x03\x03"
			     "a.b\x00\x50"));
	outcome_done(&o);
}

static void test_credentials_when_the_proxy_chooses_them(void **state)
{
	(void)state;
	for (size_t chunk = 1; chunk <= CHUNK_ALL; chunk *= CHUNK_ALL) {
		struct outcome o = run("a.b", 65535, "user", "secret",
			BYTES("\x05\x02"
			      "\x01\x00" REPLY_OK),
			chunk, false);

		assert_int_equal(o.step, SOCKS5_STEP_DONE);
		assert_true(o.authenticated);
		check_sent(&o, BYTES("\x05\x02\x00\x02"
				     "\x01\x04user\x06secret"
				     "\x05\x01\x00\x03\x03"
				     "a.b\xff\xff"));
		outcome_done(&o);
	}
}

static void test_credentials_are_never_sent_with_method_none(void **state)
{
	struct outcome o = run("a.b", 80, "user", "secret", BYTES("\x05\x00" REPLY_OK), CHUNK_ALL, false);

	(void)state;
	assert_int_equal(o.step, SOCKS5_STEP_DONE);
	assert_false(o.authenticated);
	check_sent(&o, BYTES("\x05\x02\x00\x02"
			     "\x05\x01\x00\x03\x03"
			     "a.b\x00\x50"));
	outcome_done(&o);
}

static void test_empty_password_is_sent(void **state)
{
	struct outcome o = run("a.b", 80, "user", NULL, BYTES("\x05\x02\x01\x00" REPLY_OK), CHUNK_ALL, false);

	(void)state;
	assert_int_equal(o.step, SOCKS5_STEP_DONE);
	check_sent(&o, BYTES("\x05\x02\x00\x02"
			     "\x01\x04user\x00"
			     "\x05\x01\x00\x03\x03"
			     "a.b\x00\x50"));
	outcome_done(&o);
}

static void test_literals_travel_as_addresses(void **state)
{
	struct outcome o;

	(void)state;
	o = run("192.0.2.7", 80, NULL, NULL, BYTES("\x05\x00" REPLY_OK), CHUNK_ALL, false);
	check_sent(&o, BYTES("\x05\x01\x00"
			     "\x05\x01\x00\x01\xc0\x00\x02\x07\x00\x50"));
	outcome_done(&o);
	for (int i = 0; i < 2; i++) {
		o = run(i ? "[2001:db8::1]" : "2001:db8::1", 80, NULL, NULL, BYTES("\x05\x00" REPLY_OK), CHUNK_ALL,
			false);
		check_sent(&o, BYTES("\x05\x01\x00"
				     "\x05\x01\x00\x04\x20\x01\x0d\xb8\x00\x00\x00\x00"
				     "\x00\x00\x00\x00\x00\x00\x00\x01\x00\x50"));
		outcome_done(&o);
	}
	/* No canonical literal: the proxy's business. */
	o = run("127.1", 80, NULL, NULL, BYTES("\x05\x00" REPLY_OK), CHUNK_ALL, false);
	check_sent(&o, BYTES("\x05\x01\x00"
			     "\x05\x01\x00\x03\x05"
			     "127.1\x00\x50"));
	outcome_done(&o);
}

static void test_longest_name_and_credentials(void **state)
{
	char name[257], user[257];
	struct outcome o;

	(void)state;
	memset(name, 'n', 255);
	name[255] = '\0';
	memset(user, 'u', 255);
	user[255] = '\0';
	o = run(name, 80, user, user, BYTES("\x05\x02\x01\x00" REPLY_OK), 1, false);
	assert_int_equal(o.step, SOCKS5_STEP_DONE);
	assert_int_equal(buf_len(&o.sent), SOCKS5_OUT_MAX);
	outcome_done(&o);

	strcat(name, "n");
	o = run(name, 80, user, user, BYTES("\x05\x02\x01\x00" REPLY_OK), 1, false);
	assert_int_equal(o.step, SOCKS5_STEP_FAILED);
	assert_string_equal(o.err.text, "FQDN too long");
	assert_int_equal(buf_len(&o.sent), 0);
	outcome_done(&o);
}

static void test_targets_that_cannot_be_sent(void **state)
{
	struct outcome o;

	(void)state;
	o = run("a.b", 0, NULL, NULL, BYTES("\x05\x00" REPLY_OK), CHUNK_ALL, false);
	assert_int_equal(o.step, SOCKS5_STEP_FAILED);
	assert_string_equal(o.err.text, "port number out of range 0");
	assert_int_equal(o.taken, 0);
	outcome_done(&o);
	o = run("", 80, NULL, NULL, BYTES("\x05\x00" REPLY_OK), CHUNK_ALL, false);
	assert_int_equal(o.step, SOCKS5_STEP_FAILED);
	assert_int_equal(o.err.kind, ERR_INVALID);
	outcome_done(&o);
}

static void test_credentials_that_cannot_be_sent(void **state)
{
	char longest[257];
	const char *bad[][2] = {{"", "secret"}, {longest, "secret"}, {"user", longest}};

	(void)state;
	memset(longest, 'x', 256);
	longest[256] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct outcome o = run("a.b", 80, bad[i][0], bad[i][1], BYTES("\x05\x02\x01\x00"), CHUNK_ALL, false);

		assert_int_equal(o.step, SOCKS5_STEP_FAILED);
		assert_string_equal(o.err.code, "socks_bad_credentials");
		assert_int_equal(strncmp(o.err.text, "invalid username/password", 25), 0);
		assert_null(strstr(o.err.text, "secret"));
		check_sent(&o, BYTES("\x05\x02\x00\x02"));
		outcome_done(&o);

		/* They only matter when the proxy asks for them. */
		o = run("a.b", 80, bad[i][0], bad[i][1], BYTES("\x05\x00" REPLY_OK), CHUNK_ALL, false);
		assert_int_equal(o.step, SOCKS5_STEP_DONE);
		outcome_done(&o);
	}
}

/* -- what we accept -------------------------------------------------------------------------------- */

static void test_every_address_type_and_the_stream_behind_it(void **state)
{
	struct {
		const char *bytes;
		size_t len;
	} replies[] = {
		{BYTES("\x05\x00\x00\x01"
		       "\x7f\x00\x00\x01"
		       "\x1f\x90")},
		{BYTES("\x05\x00\x00\x04"
		       "0123456789abcdef"
		       "\x1f\x90")},
		{BYTES("\x05\x00\x00\x03\x00"
		       "\x1f\x90")},
		{BYTES("\x05\x00\x00\x03\x01"
		       "x"
		       "\x1f\x90")},
		{BYTES("\x05\x00\x00\x03\x0b"
		       "example.com"
		       "\x1f\x90")},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		for (size_t chunk = 1; chunk <= 8; chunk++) {
			struct buf b = BUF_INIT;
			struct outcome o;

			buf_add(&b, "\x05\x00", 2);
			buf_add(&b, replies[i].bytes, replies[i].len);
			buf_adds(&b, "HTTP/1.1 200 OK, and more of the stream");
			o = run("a.b", 80, NULL, NULL, buf_data(&b), buf_len(&b), chunk == 8 ? CHUNK_ALL : chunk,
				false);
			assert_int_equal(o.step, SOCKS5_STEP_DONE);
			assert_int_equal(o.taken, 2 + replies[i].len);
			outcome_done(&o);
			buf_done(&b);
		}
	}
}

static void test_longest_name_in_a_reply(void **state)
{
	char reply[2 + 2 + SOCKS5_REPLY_MAX + 10];
	struct outcome o;

	(void)state;
	memset(reply, 'x', sizeof(reply));
	memcpy(reply, "\x05\x02\x01\x00\x05\x00\x00\x03\xff", 9);
	o = run("a.b", 80, "u", "p", reply, sizeof(reply), CHUNK_ALL, false);
	assert_int_equal(o.step, SOCKS5_STEP_DONE);
	assert_int_equal(o.taken, SOCKS5_IN_MAX);
	outcome_done(&o);
}

/* -- refusals -------------------------------------------------------------------------------------- */

static const struct {
	uint8_t rep;
	enum err_kind kind;
	enum err_retry retry;
	const char *code;
	const char *text; /* what it begins with */
} refusals[] = {
	{1, ERR_UNAVAILABLE, ERR_RETRY_YES, "socks_general_failure", "unknown error general SOCKS server failure"},
	{2, ERR_PERMISSION_DENIED, ERR_RETRY_NO, "socks_ruleset", "unknown error connection not allowed by ruleset"},
	{3, ERR_UNAVAILABLE, ERR_RETRY_YES, "socks_network_unreachable", "unknown error network unreachable"},
	{4, ERR_UNAVAILABLE, ERR_RETRY_YES, "socks_host_unreachable", "unknown error host unreachable"},
	{5, ERR_UNAVAILABLE, ERR_RETRY_YES, "socks_connection_refused", "unknown error connection refused"},
	{6, ERR_UNAVAILABLE, ERR_RETRY_YES, "socks_ttl_expired", "unknown error TTL expired"},
	{7, ERR_UNAVAILABLE, ERR_RETRY_NO, "socks_command_not_supported", "unknown error command not supported"},
	{8, ERR_UNAVAILABLE, ERR_RETRY_NO, "socks_address_type_not_supported",
		"unknown error address type not supported"},
	{9, ERR_UNAVAILABLE, ERR_RETRY_YES, "socks_unknown_reply", "unknown error unknown code: 9"},
	{0x7f, ERR_UNAVAILABLE, ERR_RETRY_YES, "socks_unknown_reply", "unknown error unknown code: 127"},
	{0xf0, ERR_UNAVAILABLE, ERR_RETRY_YES, "socks_onion_not_found", "onion service descriptor can not be found"},
	{0xf1, ERR_UNAVAILABLE, ERR_RETRY_YES, "socks_onion_invalid", "onion service descriptor is invalid"},
	{0xf2, ERR_UNAVAILABLE, ERR_RETRY_YES, "socks_onion_intro_failed", "onion service introduction failed"},
	{0xf3, ERR_UNAVAILABLE, ERR_RETRY_YES, "socks_onion_rendezvous_failed", "onion service rendezvous failed"},
	{0xf4, ERR_PERMISSION_DENIED, ERR_RETRY_NO, "socks_onion_auth_missing",
		"onion service missing client authorization"},
	{0xf5, ERR_PERMISSION_DENIED, ERR_RETRY_NO, "socks_onion_auth_wrong",
		"onion service wrong client authorization"},
	{0xf6, ERR_INVALID, ERR_RETRY_NO, "socks_onion_bad_address", "onion service invalid address"},
	{0xf7, ERR_UNAVAILABLE, ERR_RETRY_YES, "socks_onion_intro_timeout", "onion service introduction timed out"},
	{0xf8, ERR_UNAVAILABLE, ERR_RETRY_YES, "socks_unknown_reply", "unknown error unknown code: 248"},
	{0xff, ERR_UNAVAILABLE, ERR_RETRY_YES, "socks_unknown_reply", "unknown error unknown code: 255"},
};

static void test_table_of_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		char reply[] = "\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00";

		reply[3] = (char)refusals[i].rep;
		/* Also a proxy that sends only version and code, and closes. */
		for (size_t len = 4; len < sizeof(reply); len++) {
			for (size_t chunk = 1; chunk <= CHUNK_ALL; chunk *= CHUNK_ALL) {
				struct outcome o = run("a.b", 80, NULL, NULL, reply, len, chunk, true);

				assert_int_equal(o.step, SOCKS5_STEP_FAILED);
				assert_int_equal(o.err.kind, refusals[i].kind);
				assert_int_equal(o.err.retry, refusals[i].retry);
				assert_string_equal(o.err.code, refusals[i].code);
				if (strncmp(o.err.text, refusals[i].text, strlen(refusals[i].text)) != 0)
					assert_string_equal(o.err.text, refusals[i].text);
				outcome_done(&o);
			}
		}
	}
}

static void test_all_codes_are_errors(void **state)
{
	(void)state;
	for (unsigned rep = 1; rep <= 255; rep++) {
		struct err e = {0};

		assert_int_equal(socks5_reply_error((uint8_t)rep, &e), -1);
		assert_non_null(e.code);
		assert_true(strlen(e.text) > 10);
	}
}

static const struct {
	const char *bytes;
	size_t len;
	bool auth; /* credentials configured */
	enum err_kind kind;
	const char *code;
	const char *text;
} faults[] = {
	{BYTES("\x04\x00"), false, ERR_UNAVAILABLE, "socks_bad_version", "unexpected protocol version 4"},
	{BYTES("HTTP/1.1 400 Bad Request\r\n"), false, ERR_UNAVAILABLE, "socks_bad_version",
		"unexpected protocol version 72: an HTTP server answered"},
	{BYTES("\x00"), false, ERR_UNAVAILABLE, "socks_bad_version", "unexpected protocol version 0"},
	{BYTES("\x05\xff"), false, ERR_PERMISSION_DENIED, "socks_no_method", "no acceptable authentication methods"},
	{BYTES("\x05\xff"), true, ERR_PERMISSION_DENIED, "socks_no_method", "no acceptable authentication methods"},
	{BYTES("\x05\x02"), false, ERR_UNAVAILABLE, "socks_bad_method", "unsupported authentication method 2"},
	{BYTES("\x05\x01"), true, ERR_UNAVAILABLE, "socks_bad_method", "unsupported authentication method 1"},
	{BYTES("\x05\x80"), true, ERR_UNAVAILABLE, "socks_bad_method", "unsupported authentication method 128"},
	{BYTES("\x05\x02\x01\x01"), true, ERR_PERMISSION_DENIED, "socks_auth_failed",
		"username/password authentication failed"},
	{BYTES("\x05\x02\x01\xff"), true, ERR_PERMISSION_DENIED, "socks_auth_failed",
		"username/password authentication failed"},
	{BYTES("\x05\x02\x05\x00"), true, ERR_UNAVAILABLE, "socks_bad_version", "unexpected protocol version 5"},
	{BYTES("\x05\x00\x04\x00"), false, ERR_UNAVAILABLE, "socks_bad_version", "unexpected protocol version 4"},
	{BYTES("\x05\x00\x05\x00\x01"), false, ERR_UNAVAILABLE, "socks_bad_reply", "non-zero reserved field"},
	{BYTES("\x05\x00\x05\x00\x00\x00"), false, ERR_UNAVAILABLE, "socks_bad_reply", "unknown address type 0"},
	{BYTES("\x05\x00\x05\x00\x00\x02"), false, ERR_UNAVAILABLE, "socks_bad_reply", "unknown address type 2"},
	{BYTES("\x05\x00\x05\x00\x00\x05"), false, ERR_UNAVAILABLE, "socks_bad_reply", "unknown address type 5"},
	{BYTES("\x05\x00\x05\x00\x00\xff"), false, ERR_UNAVAILABLE, "socks_bad_reply", "unknown address type 255"},
};

static void test_faulty_proxies(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		for (size_t chunk = 1; chunk <= CHUNK_ALL; chunk *= CHUNK_ALL) {
			/* No EOF: the fault is known from the bytes alone, so a proxy that then stalls costs no time.
			 */
			struct outcome o = run("a.b", 80, faults[i].auth ? "user" : NULL,
				faults[i].auth ? "hunter2" : NULL, faults[i].bytes, faults[i].len, chunk, false);

			assert_int_equal(o.step, SOCKS5_STEP_FAILED);
			assert_int_equal(o.err.kind, faults[i].kind);
			assert_string_equal(o.err.code, faults[i].code);
			if (strncmp(o.err.text, faults[i].text, strlen(faults[i].text)) != 0)
				assert_string_equal(o.err.text, faults[i].text);
			assert_null(strstr(o.err.text, "hunter2"));
			outcome_done(&o);
		}
	}
}

/* -- cuts and noise -------------------------------------------------------------------------------- */

static void test_cut_after_every_byte(void **state)
{
	static const char whole[] = "\x05\x02\x01\x00\x05\x00\x00\x03\x05proxy\x1f\x90";
	size_t len = sizeof(whole) - 1;

	(void)state;
	for (size_t cut = 0; cut <= len; cut++) {
		for (size_t chunk = 1; chunk <= CHUNK_ALL; chunk *= CHUNK_ALL) {
			struct outcome o = run("a.b", 80, "user", "hunter2", whole, cut, chunk, true);
			const char *phase = cut < 2   ? "choose an authentication method"
					    : cut < 4 ? "check the credentials"
						      : "connect to the target";

			if (cut == len) {
				assert_int_equal(o.step, SOCKS5_STEP_DONE);
			} else {
				assert_int_equal(o.step, SOCKS5_STEP_FAILED);
				assert_string_equal(o.err.code, "socks_closed");
				assert_int_equal(o.err.retry, ERR_RETRY_YES);
				assert_non_null(strstr(o.err.text, "unexpected EOF"));
				assert_non_null(strstr(o.err.text, phase));
			}
			outcome_done(&o);
			/* Without the end of the connection the machine waits. */
			o = run("a.b", 80, "user", "hunter2", whole, cut, chunk, false);
			assert_int_equal(o.step, cut == len ? SOCKS5_STEP_DONE : SOCKS5_STEP_NEED_INPUT);
			outcome_done(&o);
		}
	}
}

static uint32_t noise(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

/* Garbage, more or less like a proxy's answer: always an end, the same end however the bytes are cut. */
static void test_noise(void **state)
{
	static const char good[] = "\x05\x02\x01\x00\x05\x00\x00\x03\x10";
	uint32_t x = 20240229;
	unsigned done = 0, failed = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		unsigned char bytes[300];
		size_t kept = noise(&x) % sizeof(good);
		struct outcome a, b;

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (unsigned char)noise(&x);
		memcpy(bytes, good, kept);
		a = run("a.b", 80, "user", "pass", bytes, sizeof(bytes), CHUNK_ALL, true);
		b = run("a.b", 80, "user", "pass", bytes, sizeof(bytes), 1, true);
		assert_int_not_equal(a.step, SOCKS5_STEP_NEED_INPUT);
		assert_int_equal(a.step, b.step);
		assert_true(a.taken <= SOCKS5_IN_MAX);
		if (a.step == SOCKS5_STEP_FAILED) {
			assert_string_equal(a.err.text, b.err.text);
			failed++;
		} else {
			assert_int_equal(a.taken, b.taken);
			done++;
		}
		outcome_done(&a);
		outcome_done(&b);
	}
	assert_true(done > 100 && failed > 100);
}

/* -- credentials do not stay in memory ------------------------------------------------------------- */

static bool holds(const void *mem, size_t len, const char *needle)
{
	return memmem(mem, len, needle, strlen(needle)) != NULL;
}

static bool machine_holds(const struct socks5_machine *m, const char *needle)
{
	return holds(m, sizeof(*m), needle) || (m->out.mem && holds(m->out.mem, m->out.cap, needle)) ||
	       (m->in.mem && holds(m->in.mem, m->in.cap, needle));
}

static void test_credentials_are_erased(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} after[] = {
		{BYTES("\x05\x00")}, {BYTES("\x05\x02\x01\x00")}, {BYTES("\x05\x02\x01\x01")}, {BYTES("\x05\xff")}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(after); i++) {
		struct socks5_machine m;

		socks5_machine_init(&m, "a.b", 80, "the-user", "hunter2");
		assert_true(machine_holds(&m, "hunter2"));
		for (size_t at = 0; at < after[i].len; at++) {
			socks5_machine_step(&m);
			buf_consume(&m.out, buf_len(&m.out));
			buf_add(&m.in, after[i].bytes + at, 1);
		}
		socks5_machine_step(&m);
		assert_false(machine_holds(&m, "hunter2"));
		assert_false(machine_holds(&m, "the-user"));
		socks5_machine_done(&m);
	}
}

/* -- probes ------------------------------------------------------------------------------------------ */

static void test_a_probe_names_no_target(void **state)
{
	static const struct {
		const char *in;
		size_t in_len;
		const char *out;
		size_t out_len;
	} cases[] = {
		{BYTES("\x05\x00"), BYTES("\x05\x02\x00\x02")},
		{BYTES("\x05\x02\x01\x00"), BYTES("\x05\x02\x00\x02\x01\x01u\x01p")},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf sent = BUF_INIT;
		struct socks5_machine m;

		socks5_machine_init_probe(&m, "u", "p");
		for (size_t at = 0;; at++) {
			enum socks5_step step = socks5_machine_step(&m);

			buf_add(&sent, buf_data(&m.out), buf_len(&m.out));
			buf_consume(&m.out, buf_len(&m.out));
			assert_int_equal(step, at < cases[i].in_len ? SOCKS5_STEP_NEED_INPUT : SOCKS5_STEP_DONE);
			if (at == cases[i].in_len)
				break;
			assert_true(socks5_machine_wants(&m) > 0);
			buf_add(&m.in, cases[i].in + at, 1);
		}
		assert_int_equal(m.authenticated, i == 1);
		assert_int_equal(m.auth_len, 0);
		assert_int_equal(socks5_machine_wants(&m), 0);
		assert_int_equal(buf_len(&sent), cases[i].out_len);
		assert_memory_equal(buf_data(&sent), cases[i].out, cases[i].out_len);
		buf_done(&sent);
		socks5_machine_done(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name_without_credentials),
		cmocka_unit_test(test_empty_credentials_are_none),
		cmocka_unit_test(test_credentials_when_the_proxy_chooses_them),
		cmocka_unit_test(test_credentials_are_never_sent_with_method_none),
		cmocka_unit_test(test_empty_password_is_sent),
		cmocka_unit_test(test_literals_travel_as_addresses),
		cmocka_unit_test(test_longest_name_and_credentials),
		cmocka_unit_test(test_targets_that_cannot_be_sent),
		cmocka_unit_test(test_credentials_that_cannot_be_sent),
		cmocka_unit_test(test_every_address_type_and_the_stream_behind_it),
		cmocka_unit_test(test_longest_name_in_a_reply),
		cmocka_unit_test(test_table_of_refusals),
		cmocka_unit_test(test_all_codes_are_errors),
		cmocka_unit_test(test_faulty_proxies),
		cmocka_unit_test(test_cut_after_every_byte),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_credentials_are_erased),
		cmocka_unit_test(test_a_probe_names_no_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
