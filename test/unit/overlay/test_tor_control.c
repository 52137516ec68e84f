/*
 * Tor's control protocol without a socket: replies out of bytes, at once and one at a time; words; authentication; the texts of onion services.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "overlay/tor/auth.h"
#include "overlay/tor/health.h"
#include "overlay/tor/control.h"
#include "overlay/tor/onion.h"

/* -- the reader -------------------------------------------------------------------------------------- */

static struct control_reader *new_reader(void)
{
	struct control_reader *r = xmalloc(sizeof(*r));

	control_init(r);
	return r;
}

static void free_reader(struct control_reader *r)
{
	control_done(r);
	free(r);
}

/* Offer in pieces until a reply is ready or all was offered; returns how much was taken. */
static size_t offer(struct control_reader *r, const char *bytes, size_t len, size_t piece)
{
	size_t taken = 0;

	while (taken < len && !r->is_ready && !r->is_failed) {
		size_t n = len - taken < piece ? len - taken : piece;

		n = control_feed(r, bytes + taken, n);
		assert_true(n > 0);
		taken += n;
	}
	return taken;
}

static const size_t pieces[] = {1, 3, 1000000};

static void test_replies(void **state)
{
	static const char bytes[] = "250-version=0.4.8.10\r\n250+circuit-status=\r\n1 BUILT\r\n..dot\r\n.\r\n250 OK\r\n"
				    "650 HS_DESC UPLOADED x\r\n515 Bad\n";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct control_reader *r = new_reader();
		size_t n = offer(r, bytes, sizeof(bytes) - 1, pieces[i]);

		assert_true(r->is_ready);
		assert_int_equal(r->code, 250);
		assert_true(control_is_ok(r) && !control_is_event(r));
		assert_int_equal(r->nlines, 3);
		assert_string_equal(r->lines[0].text, "version=0.4.8.10");
		assert_null(r->lines[0].data);
		assert_string_equal(r->lines[1].text, "circuit-status=");
		assert_string_equal(r->lines[1].data, "1 BUILT\n.dot\n");
		assert_string_equal(r->lines[2].text, "OK");
		assert_string_equal(control_find(r, "version="), "0.4.8.10");
		assert_null(control_find(r, "versions"));
		/* Not a byte of the next one. */
		assert_int_equal(control_feed(r, bytes + n, 1), 0);
		control_next(r);
		n += offer(r, bytes + n, sizeof(bytes) - 1 - n, pieces[i]);
		assert_true(r->is_ready && control_is_event(r));
		assert_string_equal(r->lines[0].text, "HS_DESC UPLOADED x");
		control_next(r);
		n += offer(r, bytes + n, sizeof(bytes) - 1 - n, pieces[i]);
		assert_int_equal(n, sizeof(bytes) - 1);
		assert_int_equal(r->code, 515);
		free_reader(r);
	}
}

static void test_nonsense(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *text;
	} cases[] = {
#define CASE(b, t) {b, sizeof(b) - 1, "Tor's control port answered nonsense: " t}
		CASE("HTTP/1.1 400 Bad Request\r\n", "no reply line: HTTP/1.1 400 Bad Request"),
		CASE("\r\n", "no reply line: "),
		CASE("25 OK\r\n", "no reply line: 25 OK"),
		CASE("250\r\n", "no reply line: 250"),
		CASE("250=OK\r\n", "no reply line: 250=OK"),
		CASE("25\x01 \x1b[31m\n", "no reply line: 25\\x01 \\x1b[31m"),
		CASE("250 O\0K\r\n", "a NUL byte"),
		CASE("250-a\r\n650 b\r\n", "an event inside of a reply: 650 b"),
		CASE("650-a\r\n250 b\r\n", "an event inside of a reply: 250 b"),
#undef CASE
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t p = 0; p < ARRAY_LEN(pieces); p++) {
			struct control_reader *r = new_reader();

			offer(r, cases[i].bytes, cases[i].len, pieces[p]);
			assert_true(r->is_failed && !r->is_ready);
			assert_string_equal(r->err.text, cases[i].text);
			assert_string_equal(r->err.code, "tor_bad_reply");
			assert_int_equal(control_feed(r, "250 OK\r\n", 8), 0);
			free_reader(r);
		}
	}
}

static void test_bounds(void **state)
{
	struct control_reader *r = new_reader();
	size_t n = 0;

	(void)state;
	/* A line without end, lines without end, data without end. */
	while (!r->is_failed && n < 10 * CONTROL_REPLY_MAX)
		n += control_feed(r, "2", 1);
	assert_int_equal(n, CONTROL_REPLY_MAX + 1);
	assert_non_null(strstr(r->err.text, "more than 65536 bytes"));
	free_reader(r);
	r = new_reader();
	for (n = 0; !r->is_failed && n < 100000; n++)
		control_feed(r, "250-x\n", 6);
	assert_int_equal(n, CONTROL_LINES_MAX + 1);
	assert_non_null(strstr(r->err.text, "too many lines"));
	free_reader(r);
	r = new_reader();
	control_feed(r, "250+x\n", 6);
	for (n = 0; !r->is_failed && n < 100000; n++)
		control_feed(r, "250 x\n", 6);
	assert_in_range(n, CONTROL_REPLY_MAX / 6 - 2, CONTROL_REPLY_MAX / 6 + 2);
	free_reader(r);
}

static void test_replies_are_wiped(void **state)
{
	struct control_reader *r = new_reader();

	(void)state;
	control_feed(r, "250-PrivateKey=ED25519-V3:hunter2\r\n250 OK\r\n", 43);
	assert_true(r->is_ready);
	control_next(r);
	assert_null(memmem(r->bytes, sizeof(r->bytes), "hunter2", 7));
	free_reader(r);
}

#define FIFTY "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void test_refusals(void **state)
{
	static const struct {
		const char *line, *text, *code;
	} cases[] = {
		{"515 Authentication failed\r\n", "X rejected: 515 Authentication failed", "tor_bad_authentication"},
		{"550 Onion address collision\r\n", "X rejected: 550 Onion address collision", "tor_unspecified_error"},
		{"599 \x1b[2J\r\n", "X rejected: 599 \\x1b[2J", "tor_rejected"},
		{"512 no hunter2-hunter2 here\r\n", "X rejected: 512 no [redacted] here", "tor_bad_argument"},
		/* The cut would halve it. */
		{"512 " FIFTY FIFTY FIFTY "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxhunter2-hunter2\r\n",
			"X rejected: 512 " FIFTY FIFTY FIFTY "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx[redacted]",
			"tor_bad_argument"},
	};
	struct secret *key = secret_new("hunter2-hunter2", 15);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct control_reader *r = new_reader();
		struct err e;

		control_feed(r, cases[i].line, strlen(cases[i].line));
		assert_int_equal(control_refusal("X", r, &e), -1);
		assert_string_equal(e.text, cases[i].text);
		assert_string_equal(e.code, cases[i].code);
		assert_int_equal(e.retry, ERR_RETRY_YES);
		free_reader(r);
	}
	secret_free(key);
}

/* -- words ------------------------------------------------------------------------------------------- */

static void test_words(void **state)
{
	static const struct {
		const char *text, *key, *value;
	} cases[] = {
		{"NOTICE BOOTSTRAP PROGRESS=80 TAG=conn SUMMARY=\"Connecting to the Tor network\"", "PROGRESS", "80"},
		{"NOTICE BOOTSTRAP PROGRESS=80 SUMMARY=\"A \\\"b\\\" \\\\ \\101\\n\"", "SUMMARY", "A \"b\" \\ A\n"},
		{"A=\"x B=1\" B=2", "B", "2"},
		{"AB=1 B=2", "B", "2"},
		{"A=\"B=1", "B", NULL},
		{"A=\"1", "A", NULL},
		{"A=\"1\\", "A", NULL},
		{"A", "A", NULL},
		{"", "A", NULL},
		{"A=", "A", ""},
		{"A=\"\"", "A", ""},
		{"A=\"\\777\"", "A", "?7"},
		{"=x A=1", "A", "1"},
		{"\"A=2\" A=1", "A", "1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = BUF_INIT;
		bool found;

		buf_adds(&b, "before");
		found = control_word(cases[i].text, cases[i].key, &b);
		assert_int_equal(found, cases[i].value != NULL);
		if (found)
			assert_string_equal(buf_str(&b), cases[i].value);
		buf_done(&b);
	}
}

static void test_quoting(void **state)
{
	struct buf b = BUF_INIT, back = BUF_INIT;

	(void)state;
	buf_adds(&b, "A=");
	control_add_quoted(&b, "a \"b\" \\ \r\nQUIT");
	assert_string_equal(buf_str(&b), "A=\"a \\\"b\\\" \\\\ \\r\\nQUIT\"");
	assert_true(control_word(buf_str(&b), "A", &back));
	assert_string_equal(buf_str(&back), "a \"b\" \\ \r\nQUIT");
	buf_done(&b);
	buf_done(&back);
}

/* -- authentication ---------------------------------------------------------------------------------- */

static int read_cookie(const char *path, unsigned char out[static COOKIE_BYTES], struct err *e)
{
	if (strcmp(path, "/run/cookie") != 0)
		return err_set(e, ERR_UNAVAILABLE, "no cookie there: %s", path);
	memset(out, 7, COOKIE_BYTES);
	return 0;
}

static enum auth_step answer(struct auth *a, const char *text)
{
	struct control_reader *r = new_reader();
	enum auth_step step;

	buf_clear(&a->out);
	assert_int_equal(control_feed(r, text, strlen(text)), strlen(text));
	assert_true(r->is_ready);
	step = auth_reply(a, r);
	free_reader(r);
	return step;
}

#define INFO(methods) "250-PROTOCOLINFO 1\r\n250-AUTH " methods "\r\n250-VERSION Tor=\"0.4.8.10\"\r\n250 OK\r\n"

static void test_choice_of_method(void **state)
{
	static const struct {
		const char *info, *password, *cookie_file, *says, *fails;
	} cases[] = {
		{INFO("METHODS=NULL"), NULL, NULL, "AUTHENTICATE\r\n", NULL},
		{INFO("METHODS=NULL,COOKIE"), "secret", NULL, "AUTHENTICATE\r\n", NULL},
		{INFO("METHODS=COOKIE,SAFECOOKIE,HASHEDPASSWORD COOKIEFILE=\"/run/cookie\""), "a\"b\\c", NULL,
			"AUTHENTICATE \"a\\\"b\\\\c\"\r\n", NULL},
		{INFO("METHODS=COOKIE,SAFECOOKIE COOKIEFILE=\"/run/cookie\""), NULL, NULL, "AUTHCHALLENGE SAFECOOKIE ",
			NULL},
		{INFO("METHODS=COOKIE,SAFECOOKIE COOKIEFILE=\"/else\""), NULL, "/run/cookie",
			"AUTHCHALLENGE SAFECOOKIE ", NULL},
		{INFO("METHODS=COOKIE COOKIEFILE=\"/etc/key\""), NULL, "/run/cookie",
			"AUTHENTICATE 070707070707070707070707070707070707070707070707070707070707"
			"0707\r\n",
			NULL},
		/* Whoever listens there must not be told what is in a file of their choice. */
		{INFO("METHODS=COOKIE COOKIEFILE=\"/run/cookie\""), NULL, NULL, NULL, "Tor wants its cookie in plain"},
		{INFO("METHODS=SAFECOOKIE"), NULL, NULL, NULL, "does not say in which file"},
		{INFO("METHODS=SAFECOOKIE COOKIEFILE=\"/none\""), NULL, NULL, NULL, "no cookie there: /none"},
		{INFO("METHODS=HASHEDPASSWORD"), NULL, NULL, NULL, "Tor wants a password: set `control_password`"},
		{INFO("METHODS=SAFECOOKIE COOKIEFILE=\"/run/cookie\""), "secret", NULL, NULL, "Tor takes no password"},
		{INFO("METHODS=QUANTUM"), NULL, NULL, NULL, "no way to authenticate that is known here"},
		{INFO("FOO=1"), NULL, NULL, NULL, "tells no METHODS"},
		{"250 OK\r\n", NULL, NULL, NULL, "tells no METHODS"},
		{"510 Unrecognized command\r\n", NULL, NULL, NULL, "PROTOCOLINFO rejected: 510 Unrecognized command"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct secret *password =
			cases[i].password ? secret_new(cases[i].password, strlen(cases[i].password)) : NULL;
		enum auth_step step;
		struct auth a;

		auth_init(&a, password, cases[i].cookie_file, read_cookie);
		assert_string_equal(buf_str(&a.out), "PROTOCOLINFO 1\r\n");
		step = answer(&a, cases[i].info);
		if (cases[i].says) {
			assert_int_equal(step, AUTH_STEP_NEED_REPLY);
			assert_int_equal(strncmp(buf_str(&a.out), cases[i].says, strlen(cases[i].says)), 0);
			assert_string_equal(a.version, "0.4.8.10");
		} else {
			assert_int_equal(step, AUTH_STEP_FAILED);
			if (!strstr(a.err.text, cases[i].fails))
				assert_string_equal(a.err.text, cases[i].fails);
			assert_int_equal(buf_len(&a.out), 0);
		}
		auth_done(&a);
		secret_free(password);
	}
}

static void to_hex(const unsigned char *bytes, char out[static 65])
{
	for (size_t i = 0; i < 32; i++)
		sprintf(out + 2 * i, "%02X", bytes[i]);
}

static void safe_cookie_hash(const char *key, const unsigned char nonce[32], char out[static 65])
{
	unsigned char text[96], h[EVP_MAX_MD_SIZE];
	unsigned len;

	memset(text, 7, 32);
	memcpy(text + 32, nonce, 32);
	memset(text + 64, 9, 32);
	assert_non_null(HMAC(EVP_sha256(), key, (int)strlen(key), text, sizeof(text), h, &len));
	to_hex(h, out);
}

static void begin_safe_cookie(struct auth *a)
{
	auth_init(a, NULL, NULL, read_cookie);
	assert_int_equal(answer(a, INFO("METHODS=SAFECOOKIE COOKIEFILE=\"/run/cookie\"")), AUTH_STEP_NEED_REPLY);
}

static void test_safe_cookie(void **state)
{
	static const char nines[] = "0909090909090909090909090909090909090909090909090909090909090909";
	char hash[65], line[512], want[128];
	struct auth a;

	(void)state;
	begin_safe_cookie(&a);
	to_hex(a.nonce, hash);
	snprintf(want, sizeof(want), "AUTHCHALLENGE SAFECOOKIE %s\r\n", hash);
	assert_string_equal(buf_str(&a.out), want);
	safe_cookie_hash("Tor safe cookie authentication server-to-controller hash", a.nonce, hash);
	snprintf(line, sizeof(line), "250 AUTHCHALLENGE SERVERHASH=%s SERVERNONCE=%s\r\n", hash, nines);
	assert_int_equal(answer(&a, line), AUTH_STEP_NEED_REPLY);
	safe_cookie_hash("Tor safe cookie authentication controller-to-server hash", a.nonce, hash);
	snprintf(want, sizeof(want), "AUTHENTICATE %s\r\n", hash);
	assert_string_equal(buf_str(&a.out), want);
	assert_int_equal(answer(&a, "250 OK\r\n"), AUTH_STEP_DONE);
	assert_int_equal(answer(&a, "515 No\r\n"), AUTH_STEP_DONE);
	auth_done(&a);

	/* One who does not know the cookie gets nothing to learn from. */
	begin_safe_cookie(&a);
	snprintf(line, sizeof(line), "250 AUTHCHALLENGE SERVERHASH=%s SERVERNONCE=%s\r\n", nines, nines);
	assert_int_equal(answer(&a, line), AUTH_STEP_FAILED);
	assert_non_null(strstr(a.err.text, "does not know the cookie of our file"));
	assert_string_equal(a.err.code, "tor_bad_authentication");
	assert_int_equal(buf_len(&a.out), 0);
	auth_done(&a);

	static const char *const malformed[] = {"250 OK\r\n", "250 AUTHCHALLENGE SERVERHASH=00 SERVERNONCE=00\r\n",
		"250 AUTHCHALLENGE SERVERHASH=zz SERVERNONCE=zz\r\n"};

	for (size_t i = 0; i < ARRAY_LEN(malformed); i++) {
		begin_safe_cookie(&a);
		assert_int_equal(answer(&a, malformed[i]), AUTH_STEP_FAILED);
		assert_string_equal(a.err.code, "tor_bad_reply");
		auth_done(&a);
	}
	begin_safe_cookie(&a);
	assert_int_equal(answer(&a, "513 Bad\r\n"), AUTH_STEP_FAILED);
	assert_string_equal(a.err.text, "AUTHCHALLENGE rejected: 513 Bad");
	auth_done(&a);
}

/* Whoever is at the port may repeat what it was told: it must not be what people read. */
static void test_a_cookie_that_comes_back(void **state)
{
	char line[128];
	struct auth a;

	(void)state;
	auth_init(&a, NULL, "/run/cookie", read_cookie);
	assert_int_equal(answer(&a, INFO("METHODS=COOKIE")), AUTH_STEP_NEED_REPLY);
	assert_int_equal(strncmp(buf_str(&a.out), "AUTHENTICATE 0707", 17), 0);
	snprintf(line, sizeof(line), "515 Not with %s", buf_str(&a.out));
	assert_int_equal(answer(&a, line), AUTH_STEP_FAILED);
	assert_string_equal(a.err.text, "AUTHENTICATE rejected: 515 Not with AUTHENTICATE [redacted]");
	auth_done(&a);
}

/* -- what Tor says about itself ----------------------------------------------------------------------- */

static void test_bootstrap(void **state)
{
	static const char *const nonsense[] = {"", "NOTICE BOOTSTRAP", "PROGRESS=", "PROGRESS=101", "PROGRESS=1000",
		"PROGRESS=-1", "PROGRESS=5x", "PROGRESS=\"5", "SUMMARY=\"Done\""};
	struct tor_health h = {.progress = 7, .summary = "before"};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(nonsense); i++) {
		assert_false(tor_health_take_bootstrap(&h, nonsense[i]));
		assert_int_equal(h.progress, 7);
		assert_string_equal(h.summary, "before");
	}
	assert_true(tor_health_take_bootstrap(&h, "NOTICE BOOTSTRAP PROGRESS=80 TAG=conn SUMMARY=\"Connecting\""));
	assert_int_equal(h.progress, 80);
	assert_string_equal(h.summary, "Connecting");
	assert_true(tor_health_take_bootstrap(&h, "PROGRESS=100"));
	assert_int_equal(h.progress, 100);
	assert_string_equal(h.summary, "");
	/* Whatever it says is one line that a terminal can be shown. */
	snprintf(text, sizeof(text), "PROGRESS=0 SUMMARY=\"\x1b[31m%0900d\"", 1);
	assert_true(tor_health_take_bootstrap(&h, text));
	assert_in_range(strlen(h.summary), 1, BOOTSTRAP_TEXT_MAX);
	assert_null(strchr(h.summary, '\x1b'));
}

static void test_events(void **state)
{
	struct tor_health h = {0};

	(void)state;
	assert_false(tor_health_is_event("HS_DESC UPLOADED x"));
	assert_false(tor_health_is_event("STATUS_CLIENTX NOTICE"));
	assert_true(tor_health_is_event("STATUS_CLIENT NOTICE CIRCUIT_ESTABLISHED"));
	assert_false(tor_health_take_event(&h, "STATUS_CLIENT NOTICE CIRCUIT_ESTABLISHED"));
	assert_false(tor_health_take_event(&h, "STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=x"));
	assert_true(tor_health_take_event(&h, "STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=5 SUMMARY=\"a\""));
	assert_int_equal(h.progress, 5);
	assert_true(tor_health_is_event("NETWORK_LIVENESS DOWN"));
	assert_true(tor_health_take_event(&h, "NETWORK_LIVENESS DOWN") && h.network_is_down);
	assert_true(tor_health_take_event(&h, "NETWORK_LIVENESS UP") && !h.network_is_down);
	assert_int_equal(h.progress, 5);
}

/* -- onion services ---------------------------------------------------------------------------------- */

#define KEY86 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define CLIENT "VFUQCXAK4DI2JFYUCYS5PZHGHNFSYUHQVGY52GSGXB43AT2ICU3Q"

static void test_texts(void **state)
{
	char id[58];

	(void)state;
	memset(id, 'a', 56);
	id[56] = '\0';
	assert_true(onion_is_id(id));
	id[3] = '1';
	assert_false(onion_is_id(id));
	id[3] = 'A';
	assert_false(onion_is_id(id));
	strcpy(id + 3, "b");
	assert_false(onion_is_id(id));
	memset(id, 'a', 57);
	id[57] = '\0';
	assert_false(onion_is_id(id));
	assert_true(onion_is_key("ED25519-V3:" KEY86));
	assert_true(onion_is_key("ED25519-V3:" KEY86 "=="));
	assert_false(onion_is_key("ED25519-V3:" KEY86 "="));
	assert_false(onion_is_key("ED25519-V3:" KEY86 " Flags=Detach"));
	assert_false(onion_is_key("RSA1024:" KEY86));
	assert_false(onion_is_key("ED25519-V3:"));
}

static void test_onion_command(void **state)
{
	struct value *options = value_map(), *clients = value_list();
	struct secret *key = secret_new("ED25519-V3:" KEY86, 11 + 86);
	struct buf b = BUF_INIT;
	struct onion_options o;
	struct err e;

	(void)state;
	assert_int_equal(onion_options_read(NULL, 0, &o, &e), 0);
	assert_true(o.persistent);
	onion_add_command(&o, NULL, "127.0.0.1:4000", &b);
	assert_string_equal(buf_str(&b), "ADD_ONION NEW:ED25519-V3 Port=80,127.0.0.1:4000");
	buf_clear(&b);

	value_list_append(clients, value_cstring(CLIENT));
	value_list_append(
		clients, value_cstring("descriptor:x25519:vfuqcxak4di2jfyucys5pzhghnfsyuhqvgy52gsgxb43at2icu3q"));
	value_map_set(options, "client_auth", clients);
	value_map_set(options, "virtual_port", value_int(81));
	value_map_set(options, "max_streams", value_int(5));
	value_map_set(options, "persistent", value_bool(false));
	assert_int_equal(onion_options_read(options, 8080, &o, &e), 0);
	assert_false(o.persistent);
	onion_add_command(&o, key, "[::1]:4000", &b);
	assert_string_equal(buf_str(&b),
		"ADD_ONION ED25519-V3:" KEY86 " Flags=V3Auth,MaxStreamsCloseCircuit MaxStreams=5 Port=81,[::1]:4000 "
		"ClientAuthV3=" CLIENT " ClientAuthV3=" CLIENT);
	buf_done(&b);
	free(o.clients);
	value_unref(options);
	secret_free(key);
}

static void test_bad_options(void **state)
{
	struct value *empty = value_list(), *bad = value_list();
	const struct {
		const char *key;
		struct value *value;
		const char *words;
	} cases[] = {
		{"virtual_port", value_int(0), "virtual_port: 0 is not between 1 and 65535"},
		{"virtual_port", value_cstring("http"), "virtual_port"},
		{"max_streams", value_int(65536), "max_streams: 65536 is not between 0 and 65535"},
		{"max_streams", value_int(-1), "max_streams: -1 is not"},
		{"persistent", value_int(1), "persistent"},
		{"client_auth", value_cstring(CLIENT), "client_auth: give a list"},
		{"client_auth", empty, "client_auth: give a list of at least one"},
		{"client_auth", bad, "client_auth: number 2 is no x25519 public key"},
	};

	(void)state;
	value_list_append(bad, value_cstring(CLIENT));
	value_list_append(bad, value_cstring("x Flags=Detach"));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct value *options = value_map();
		struct onion_options o;
		struct err e;

		value_map_set(options, cases[i].key, cases[i].value);
		assert_int_equal(onion_options_read(options, 0, &o, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
		assert_int_equal(strncmp(e.text, "network_options: ", 17), 0);
		if (!strstr(e.text, cases[i].words))
			assert_string_equal(e.text, cases[i].words);
		value_unref(options);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_replies_are_wiped),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_quoting),
		cmocka_unit_test(test_choice_of_method),
		cmocka_unit_test(test_safe_cookie),
		cmocka_unit_test(test_a_cookie_that_comes_back),
		cmocka_unit_test(test_bootstrap),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_onion_command),
		cmocka_unit_test(test_bad_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
