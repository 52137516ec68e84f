/*
 * The SAM machine without a socket: what it says, what it takes, what it makes of every answer. Each exchange is played with the
 * bytes at once and one at a time.
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
#include "overlay/i2p/line.h"
#include "overlay/i2p/sam.h"

#define HELLO "HELLO REPLY RESULT=OK VERSION=3.1\n"
#define HELLO_33 "HELLO REPLY RESULT=OK VERSION=3.3\n"
#define SAYS_HELLO "HELLO VERSION MIN=3.0 MAX=3.3\n"

static const struct sam_request a_session = {.part = SAM_SESSION, .id = "wippy-1"};
static const struct sam_request a_stream = {.part = SAM_CONNECT, .id = "wippy-1", .host = "example.i2p", .port = 8080};
static const struct sam_request an_accept = {.part = SAM_ACCEPT, .id = "wippy-listen-1"};
static const struct sam_request a_listener = {.part = SAM_SESSION, .id = "wippy-listen-1", .keeps_key = true};

struct played {
	struct sam m;
	enum sam_step step;
	size_t taken;
	struct buf said;
};

/* Offer `bytes` in pieces of `piece` until the machine ends or all was offered. */
static void play(struct played *p, const struct sam_request *r, const char *bytes, size_t len, size_t piece)
{
	p->taken = 0;
	buf_init(&p->said);
	sam_init(&p->m, r);
	for (;;) {
		size_t n;

		p->step = sam_step(&p->m);
		buf_add(&p->said, buf_data(&p->m.out), buf_len(&p->m.out));
		buf_consume(&p->m.out, buf_len(&p->m.out));
		n = len - p->taken < piece ? len - p->taken : piece;
		if (p->step != SAM_STEP_NEED_INPUT || n == 0)
			return;
		n = sam_feed(&p->m, bytes + p->taken, n);
		p->taken += n;
		assert_true(n > 0 || p->m.state == SAM_FAILED);
	}
}

static void played_done(struct played *p)
{
	sam_done(&p->m);
	buf_done(&p->said);
}

static const size_t pieces[] = {SIZE_MAX, 1, 2, 7};

/* -- what is said ---------------------------------------------------------------------------------- */

static void check_said(const struct sam_request *r, const char *bridge, enum sam_step step, const char *said)
{
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct played p;

		play(&p, r, bridge, strlen(bridge), pieces[i]);
		assert_string_equal(buf_str(&p.said), said);
		assert_int_equal(p.step, step);
		assert_int_equal(p.taken, strlen(bridge));
		played_done(&p);
	}
}

static void test_session(void **state)
{
	struct sam_request r = a_session;

	(void)state;
	check_said(&r, HELLO "SESSION STATUS RESULT=OK DESTINATION=abc~-=\n", SAM_STEP_NEED_INPUT,
		SAYS_HELLO "SESSION CREATE STYLE=STREAM ID=wippy-1 DESTINATION=TRANSIENT SIGNATURE_TYPE=7\n");
	r.options = " inbound.length=1 outbound.quantity=2";
	check_said(&r, HELLO "SESSION STATUS RESULT=OK\r\n", SAM_STEP_NEED_INPUT,
		SAYS_HELLO "SESSION CREATE STYLE=STREAM ID=wippy-1 DESTINATION=TRANSIENT SIGNATURE_TYPE=7"
			   " inbound.length=1 outbound.quantity=2\n");
}

static void test_listener_session_makes_a_key(void **state)
{
	struct played p;
	const char *bridge = HELLO "DEST REPLY PUB=pub~ PRIV=priv-key~=\n"
				   "SESSION STATUS RESULT=OK DESTINATION=priv-key~=\n"
				   "NAMING REPLY RESULT=OK NAME=ME VALUE=pub~\n";

	(void)state;
	check_said(&a_listener, bridge, SAM_STEP_NEED_INPUT,
		SAYS_HELLO "DEST GENERATE SIGNATURE_TYPE=7\n"
			   "SESSION CREATE STYLE=STREAM ID=wippy-listen-1 DESTINATION=priv-key~= SIGNATURE_TYPE=7\n"
			   "NAMING LOOKUP NAME=ME\n");
	play(&p, &a_listener, bridge, strlen(bridge), 1);
	assert_int_equal(p.m.state, SAM_STANDING);
	assert_string_equal(p.m.name, "pub~");
	assert_string_equal(secret_reveal(p.m.private_key), "priv-key~=");
	assert_int_equal(p.m.version, 301);
	played_done(&p);
}

static void test_listener_session_with_a_key(void **state)
{
	struct secret *key = secret_new("kept-key", 8);
	struct sam_request r = a_listener;
	struct played p;
	const char *bridge = HELLO_33 "SESSION STATUS RESULT=OK DESTINATION=kept-key\n"
				      "NAMING REPLY RESULT=KEY_NOT_FOUND NAME=ME\n";

	(void)state;
	r.private_key = key;
	check_said(&r, bridge, SAM_STEP_NEED_INPUT,
		SAYS_HELLO "SESSION CREATE STYLE=STREAM ID=wippy-listen-1 DESTINATION=kept-key SIGNATURE_TYPE=7\n"
			   "NAMING LOOKUP NAME=ME\n");
	/* That our own name is not told is no failure. */
	play(&p, &r, bridge, strlen(bridge), SIZE_MAX);
	assert_int_equal(p.m.state, SAM_STANDING);
	assert_null(p.m.name);
	played_done(&p);
	secret_free(key);
}

static void test_connect(void **state)
{
	(void)state;
	check_said(&a_stream, HELLO "STREAM STATUS RESULT=OK\n", SAM_STEP_DONE,
		SAYS_HELLO "STREAM CONNECT ID=wippy-1 DESTINATION=example.i2p SILENT=false\n");
	/* The port travels where the bridge can carry it. */
	check_said(&a_stream, HELLO_33 "STREAM STATUS RESULT=OK MESSAGE=\"fine, thanks\"\r\n", SAM_STEP_DONE,
		SAYS_HELLO "STREAM CONNECT ID=wippy-1 DESTINATION=example.i2p SILENT=false TO_PORT=8080\n");
	check_said(&a_stream, "HELLO REPLY RESULT=OK\nSTREAM STATUS RESULT=OK\n", SAM_STEP_DONE,
		SAYS_HELLO "STREAM CONNECT ID=wippy-1 DESTINATION=example.i2p SILENT=false\n");
}

static void test_accept(void **state)
{
	struct played p;
	const char *bridge = HELLO "STREAM STATUS RESULT=OK\nAAAA~-= FROM_PORT=7 TO_PORT=80\n";

	(void)state;
	check_said(&an_accept, bridge, SAM_STEP_DONE, SAYS_HELLO "STREAM ACCEPT ID=wippy-listen-1 SILENT=false\n");
	play(&p, &an_accept, bridge, strlen(bridge), 1);
	assert_string_equal(p.m.peer, "AAAA~-=");
	assert_int_equal(p.m.from_port, 7);
	assert_int_equal(p.m.to_port, 80);
	played_done(&p);

	play(&p, &an_accept, HELLO "STREAM STATUS RESULT=OK\nBBBB\n", strlen(HELLO) + 29, 1);
	assert_int_equal(p.step, SAM_STEP_DONE);
	assert_string_equal(p.m.peer, "BBBB");
	assert_int_equal(p.m.to_port, 0);
	played_done(&p);
}

/* Nothing behind the line that ends the exchange is taken, however the bytes arrive. */
static void test_payload_is_left_alone(void **state)
{
	static const struct {
		const struct sam_request *r;
		const char *bridge;
	} cases[] = {
		{&a_stream, HELLO "STREAM STATUS RESULT=OK\n"},
		{&an_accept, HELLO "STREAM STATUS RESULT=OK\nAAAA FROM_PORT=1 TO_PORT=2\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *all = xasprintf("%sHTTP/1.1 200 OK\r\n\r\nbody", cases[i].bridge);

		for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
			struct played p;

			play(&p, cases[i].r, all, strlen(all), pieces[k]);
			assert_int_equal(p.step, SAM_STEP_DONE);
			assert_int_equal(p.taken, strlen(cases[i].bridge));
			assert_int_equal(sam_feed(&p.m, "more", 4), 0);
			played_done(&p);
		}
		free(all);
	}
}

static void test_ping_and_the_end_of_a_session(void **state)
{
	struct played p;
	const char *up = HELLO "SESSION STATUS RESULT=OK DESTINATION=a\n";
	char *bridge = xasprintf(
		"%sPING 12 34\nPING\nSOMETHING NEW=1\nSESSION STATUS RESULT=I2P_ERROR MESSAGE=\"closed now\"\n", up);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		play(&p, &a_session, bridge, strlen(bridge), pieces[i]);
		assert_non_null(strstr(buf_str(&p.said), "SIGNATURE_TYPE=7\nPONG 12 34\nPONG\n"));
		assert_int_equal(p.step, SAM_STEP_FAILED);
		assert_string_equal(
			p.m.err.text, "SAM session rejected: SESSION STATUS RESULT=I2P_ERROR MESSAGE=\"closed now\"");
		assert_string_equal(p.m.err.code, "i2p_error");
		played_done(&p);
	}
	free(bridge);
}

/* -- refusals -------------------------------------------------------------------------------------- */

static void check_failure(const struct sam_request *r, const char *bridge, const char *text, const char *code)
{
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct played p;

		play(&p, r, bridge, strlen(bridge), pieces[i]);
		assert_int_equal(p.step, SAM_STEP_FAILED);
		assert_string_equal(p.m.err.text, text);
		assert_string_equal(p.m.err.code, code);
		assert_int_equal(p.m.err.kind, ERR_UNAVAILABLE);
		assert_int_equal(p.m.err.retry, ERR_RETRY_YES);
		assert_int_equal(sam_step(&p.m), SAM_STEP_FAILED);
		played_done(&p);
	}
}

#define TWENTY "AAAAAAAAAAAAAAAAAAAA"
#define LONG_WORD TWENTY TWENTY TWENTY TWENTY "A"

static void test_refusals(void **state)
{
	(void)state;
	check_failure(&a_session, "HELLO REPLY RESULT=NOVERSION\n",
		"SAM handshake rejected: HELLO REPLY RESULT=NOVERSION", "i2p_no_version");
	check_failure(&a_stream, "HELLO REPLY RESULT=NOVERSION\n",
		"stream SAM handshake rejected: HELLO REPLY RESULT=NOVERSION", "i2p_no_version");
	check_failure(&a_session, "HTTP/1.1 400 Bad Request\r\n", "SAM handshake rejected: HTTP/1.1 400 Bad Request",
		"i2p_bad_reply");
	check_failure(&a_session, HELLO "SESSION STATUS RESULT=DUPLICATED_ID\n",
		"SESSION CREATE rejected: SESSION STATUS RESULT=DUPLICATED_ID", "i2p_duplicated_id");
	check_failure(&a_listener, HELLO "DEST REPLY RESULT=I2P_ERROR\n",
		"DEST GENERATE rejected: DEST REPLY RESULT=I2P_ERROR", "i2p_error");
	check_failure(&a_stream, HELLO "STREAM STATUS RESULT=CANT_REACH_PEER MESSAGE=\"gone \\\"away\\\"\"\r\n",
		"STREAM CONNECT rejected: STREAM STATUS RESULT=CANT_REACH_PEER MESSAGE=\"gone \\\"away\\\"\"",
		"i2p_cant_reach_peer");
	check_failure(&a_stream, HELLO "STREAM STATUS RESULT=INVALID_KEY\n",
		"STREAM CONNECT rejected: STREAM STATUS RESULT=INVALID_KEY", "i2p_invalid_key");
	check_failure(&a_stream, HELLO "STREAM STATUS RESULT=TIMEOUT\n",
		"STREAM CONNECT rejected: STREAM STATUS RESULT=TIMEOUT", "i2p_peer_timeout");
	check_failure(&a_stream, HELLO "STREAM STATUS RESULT=NEW_WORD\n",
		"STREAM CONNECT rejected: STREAM STATUS RESULT=NEW_WORD", "i2p_unknown_result");
	check_failure(&a_stream, HELLO "STREAM STATUS RESULT=OKAY\n",
		"STREAM CONNECT rejected: STREAM STATUS RESULT=OKAY", "i2p_unknown_result");
	/* A key can be anywhere: also in quotes no long word is shown. */
	check_failure(&a_stream, HELLO "STREAM STATUS RESULT=I2P_ERROR MESSAGE=\"no " LONG_WORD " here\"\n",
		"STREAM CONNECT rejected: STREAM STATUS RESULT=I2P_ERROR MESSAGE=\"no ... here\"", "i2p_error");
	check_failure(&a_stream, HELLO "STREAM STATUSRESULT=OK\n", "STREAM CONNECT rejected: STREAM STATUSRESULT=OK",
		"i2p_bad_reply");
	check_failure(&an_accept, HELLO "STREAM STATUS RESULT=ALREADY_ACCEPTING\n",
		"STREAM ACCEPT rejected: STREAM STATUS RESULT=ALREADY_ACCEPTING", "i2p_already_accepting");
	check_failure(&an_accept, HELLO "STREAM STATUS RESULT=OK\nSTREAM STATUS RESULT=I2P_ERROR\n",
		"STREAM ACCEPT destination rejected: STREAM STATUS RESULT=I2P_ERROR", "i2p_error");
	check_failure(&an_accept, HELLO "STREAM STATUS RESULT=OK\n\n",
		"STREAM ACCEPT destination rejected: ", "i2p_bad_reply");
	check_failure(&a_stream, "a\x1b[31mb\n", "stream SAM handshake rejected: a\\x1b[31mb", "i2p_bad_reply");
}

/* A key in a refusal stays out of what people read. */
static void test_refusals_hide_keys(void **state)
{
	struct secret *key = secret_new("0123456789kept-key", 18);
	struct sam_request r = a_listener;
	struct played p;
	char *bridge, *blob;

	(void)state;
	r.private_key = key;
	blob = xcalloc(1, 901);
	memset(blob, 'K', 900);
	bridge = xasprintf(
		HELLO "SESSION STATUS RESULT=DUPLICATED_DEST DESTINATION=0123456789kept-key X=%s %s\n", blob, blob);
	play(&p, &r, bridge, strlen(bridge), SIZE_MAX);
	assert_int_equal(p.step, SAM_STEP_FAILED);
	assert_null(strstr(p.m.err.text, "kept-key"));
	assert_null(strstr(p.m.err.text, "KKKKKKKKKKKKKKKK"));
	assert_non_null(strstr(p.m.err.text, "RESULT=DUPLICATED_DEST"));
	assert_string_equal(p.m.err.code, "i2p_duplicated_dest");
	played_done(&p);
	free(bridge);
	free(blob);
	secret_free(key);
}

static void test_eof_in_each_state(void **state)
{
	static const struct {
		const struct sam_request *r;
		const char *bridge;
		const char *text;
	} cases[] = {
		{&a_session, "", "SAM handshake response"},
		{&a_session, "HELLO REPLY RES", "SAM handshake response"},
		{&a_session, HELLO, "SESSION CREATE response"},
		{&a_listener, HELLO, "DEST GENERATE response"},
		{&a_session, HELLO "SESSION STATUS RESULT=OK\n", "SAM session"},
		{&a_stream, "", "stream SAM handshake response"},
		{&a_stream, HELLO "STREAM STATUS RESULT=OK", "STREAM CONNECT response"},
		{&an_accept, HELLO, "STREAM ACCEPT status"},
		{&an_accept, HELLO "STREAM STATUS RESULT=OK\nAAAA", "STREAM ACCEPT destination"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct played p;
		char *text = xasprintf("%s failed: unexpected EOF: the bridge closed the connection", cases[i].text);

		play(&p, cases[i].r, cases[i].bridge, strlen(cases[i].bridge), 3);
		sam_eof(&p.m);
		assert_int_equal(sam_step(&p.m), SAM_STEP_FAILED);
		assert_string_equal(p.m.err.text, text);
		assert_string_equal(p.m.err.code, "i2p_closed");
		played_done(&p);
		free(text);
	}
}

/* -- limits ---------------------------------------------------------------------------------------- */

static void test_line_limit(void **state)
{
	char *line = xcalloc(1, SAM_LINE_MAX + 64);
	struct played p;

	(void)state;
	/* Just fits. */
	memset(line, 'x', SAM_LINE_MAX);
	memcpy(line, "HELLO REPLY RESULT=OK V=", 24);
	line[SAM_LINE_MAX] = '\n';
	play(&p, &a_session, line, SAM_LINE_MAX + 1, 1000);
	assert_int_equal(p.m.state, SAM_CREATE);
	played_done(&p);
	/* One more does not. */
	line[SAM_LINE_MAX] = 'x';
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		play(&p, &a_session, line, SAM_LINE_MAX + 1, pieces[i]);
		assert_int_equal(p.step, SAM_STEP_FAILED);
		assert_string_equal(
			p.m.err.text, "SAM handshake response failed: the bridge's line has more than 8192 bytes");
		played_done(&p);
	}
	free(line);
	play(&p, &a_session, "HELLO\0REPLY\n", 12, 1);
	assert_int_equal(p.step, SAM_STEP_FAILED);
	assert_string_equal(p.m.err.text, "SAM handshake response failed: the bridge's line has a NUL byte");
	played_done(&p);
}

static void test_a_host_cannot_be_a_command(void **state)
{
	static const char *const hosts[] = {"a b", "a\nSTREAM CONNECT", "a\"", "a\r", "\xc3\xa4.i2p"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct sam_request r = a_stream;
		struct played p;

		r.host = hosts[i];
		play(&p, &r, HELLO, strlen(HELLO), 1);
		assert_int_equal(p.step, SAM_STEP_FAILED);
		assert_int_equal(p.m.err.kind, ERR_INVALID);
		assert_int_equal(buf_len(&p.said), 0);
		played_done(&p);
	}
}

static void test_words(void **state)
{
	static const struct {
		const char *line, *key, *value;
	} cases[] = {
		{"A B RESULT=OK", "RESULT", "OK"},
		{"A B RESULT=OK X=1", "X", "1"},
		{"A B RESULT=", "RESULT", ""},
		{"A B MESSAGE=\"RESULT=OK no\" RESULT=NO", "RESULT", "NO"},
		{"A B MESSAGE=\"say \\\"hi\\\" \\\\ there\"", "MESSAGE", "say \"hi\" \\ there"},
		{"A B MESSAGE=\"not closed", "MESSAGE", "not closed"},
		{"A B XRESULT=1 RESULTX=2", "RESULT", NULL},
		{"A B RESULT", "RESULT", NULL},
		{"", "RESULT", NULL},
		{"   ", "RESULT", NULL},
		{"=x RESULT=y", "RESULT", "y"},
		{"A=\"x\"RESULT=y", "RESULT", "y"},
		{"A \\", "A", NULL},
		{"A=\"\\", "A", "\\"},
	};
	struct buf v = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool found = sam_word(cases[i].line, cases[i].key, &v);

		assert_int_equal(found, cases[i].value != NULL);
		if (found)
			assert_string_equal(buf_str(&v), cases[i].value);
	}
	buf_done(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_listener_session_makes_a_key),
		cmocka_unit_test(test_listener_session_with_a_key),
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_accept),
		cmocka_unit_test(test_payload_is_left_alone),
		cmocka_unit_test(test_ping_and_the_end_of_a_session),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_refusals_hide_keys),
		cmocka_unit_test(test_eof_in_each_state),
		cmocka_unit_test(test_line_limit),
		cmocka_unit_test(test_a_host_cannot_be_a_command),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
