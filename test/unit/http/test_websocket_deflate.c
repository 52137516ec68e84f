/*
 * permessage-deflate: the coders on the examples of RFC 7692, hostile input, and the negotiation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "http/websocket_deflate.h"

static const struct websocket_deflate plain = {.on = true};

static int inflate_all(struct websocket_coders *c, const void *data, size_t len, size_t step, struct buf *out)
{
	const char *p = data;
	int rc = 0;

	for (size_t i = 0; i < len && rc == 0; i += step)
		rc = websocket_inflate(c, p + i, len - i < step ? len - i : step, false, out, 1 << 20);
	return rc < 0 ? rc : websocket_inflate(c, "", 0, true, out, 1 << 20);
}

/* RFC 7692 section 7.2.3: each is the payload of "Hello". */
static void examples_of_the_rfc(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} hellos[] = {
		{"\xf2\x48\xcd\xc9\xc9\x07\x00", 7},                  /* one fixed block */
		{"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11}, /* stored */
		{"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8},              /* BFINAL */
		{"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hellos); i++) {
		for (size_t step = 1; step <= hellos[i].len; step++) {
			struct websocket_coders *c = websocket_coders_new(&plain, true);
			struct buf out = BUF_INIT;

			assert_int_equal(inflate_all(c, hellos[i].bytes, hellos[i].len, step, &out), 0);
			assert_string_equal(buf_str(&out), "Hello");
			/* The window is kept over the end of the stream, too: a reference back into the first message. */
			buf_clear(&out);
			assert_int_equal(inflate_all(c, "\xf2\x00\x11\x00\x00", 5, step, &out), 0);
			assert_string_equal(buf_str(&out), "Hello");
			buf_done(&out);
			websocket_coders_free(c);
		}
	}
}

static void nothing_compresses_to_one_byte(void **state)
{
	struct websocket_coders *c = websocket_coders_new(&plain, true);
	struct buf out = BUF_INIT, back = BUF_INIT;

	(void)state;
	for (int i = 0; i < 3; i++) {
		buf_clear(&out);
		assert_true(websocket_deflate_message(c, "", 0, &out));
		assert_int_equal(buf_len(&out), 1);
		assert_int_equal(buf_data(&out)[0], 0);
		assert_int_equal(inflate_all(c, buf_data(&out), 1, 1, &back), 0);
		assert_int_equal(buf_len(&back), 0);
	}
	buf_done(&out);
	buf_done(&back);
	websocket_coders_free(c);
}

static void takeover_is_what_makes_a_repetition_short(void **state)
{
	static const char text[] = "the quick brown fox jumps over the lazy dog, again and again: 0123456789";

	(void)state;
	for (int forgets = 0; forgets < 2; forgets++) {
		struct websocket_deflate d = {.on = true, .client_no_context_takeover = forgets};
		struct websocket_coders *c = websocket_coders_new(&d, true), *s = websocket_coders_new(&d, false);
		struct buf first = BUF_INIT, second = BUF_INIT, back = BUF_INIT;

		assert_true(websocket_deflate_message(c, text, strlen(text), &first));
		assert_true(websocket_deflate_message(c, text, strlen(text), &second));
		if (forgets)
			assert_int_equal(buf_len(&first), buf_len(&second));
		else
			assert_true(buf_len(&second) * 3 < buf_len(&first));
		assert_int_equal(inflate_all(s, buf_data(&first), buf_len(&first), 3, &back), 0);
		assert_int_equal(inflate_all(s, buf_data(&second), buf_len(&second), 3, &back), 0);
		assert_int_equal(buf_len(&back), 2 * strlen(text));
		buf_done(&first);
		buf_done(&second);
		buf_done(&back);
		websocket_coders_free(c);
		websocket_coders_free(s);
	}
}

static void a_bomb_stops_at_the_limit(void **state)
{
	struct websocket_coders *c = websocket_coders_new(&plain, true);
	struct buf bomb = BUF_INIT, out = BUF_INIT;
	char *zeros = xcalloc(1, 50000000);

	(void)state;
	assert_true(websocket_deflate_message(c, zeros, 50000000, &bomb));
	assert_true(buf_len(&bomb) < 500000);
	assert_int_equal(
		websocket_inflate(c, buf_data(&bomb), buf_len(&bomb), true, &out, 100000), WEBSOCKET_INFLATE_TOO_BIG);
	assert_true(buf_len(&out) < 100000 + 20000); /* at most a piece beyond */
	free(zeros);
	buf_done(&bomb);
	buf_done(&out);
	websocket_coders_free(c);
}

static void exactly_the_limit_is_fine(void **state)
{
	struct websocket_coders *c = websocket_coders_new(&plain, true);
	struct buf small = BUF_INIT, out = BUF_INIT;

	(void)state;
	assert_true(websocket_deflate_message(c, "aaaaaaaaaa", 10, &small));
	assert_int_equal(websocket_inflate(c, buf_data(&small), buf_len(&small), true, &out, 10), 0);
	buf_clear(&out);
	assert_int_equal(
		websocket_inflate(c, buf_data(&small), buf_len(&small), true, &out, 9), WEBSOCKET_INFLATE_TOO_BIG);
	buf_done(&small);
	buf_done(&out);
	websocket_coders_free(c);
}

static void garbage(void **state)
{
	struct websocket_coders *c = websocket_coders_new(&plain, true);
	struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(websocket_inflate(c, "\xff\xff\xff\xff", 4, true, &out, 1000), WEBSOCKET_INFLATE_CORRUPT);
	buf_done(&out);
	websocket_coders_free(c);
}

/* -- negotiation ----------------------------------------------------------------------------------------- */

static void offers(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	websocket_deflate_offer(&plain, &out);
	assert_string_equal(buf_str(&out), "permessage-deflate");
	buf_clear(&out);
	websocket_deflate_offer(&(struct websocket_deflate){.on = true,
					.client_no_context_takeover = true,
					.server_no_context_takeover = true,
					.client_max_window_bits = 15,
					.server_max_window_bits = 10},
		&out);
	assert_string_equal(buf_str(&out),
		"permessage-deflate; client_no_context_takeover; server_no_context_takeover; "
		"client_max_window_bits; server_max_window_bits=10");
	buf_done(&out);
}

static void answers_to_a_client(void **state)
{
	static const struct websocket_deflate bits = {
		.on = true, .client_max_window_bits = 15, .server_max_window_bits = 12};
	static const struct {
		const struct websocket_deflate *want;
		const char *answer;
		bool is_fine;
		bool on;
	} cases[] = {
		{NULL, NULL, true, false},
		{NULL, "", true, false},
		{NULL, "permessage-deflate", false, false},
		{&plain, "", true, false},
		{&plain, "permessage-deflate", true, true},
		{&plain, "permessage-deflate; server_no_context_takeover", true, true},
		{&plain, "permessage-deflate; client_no_context_takeover", true, true},
		{&plain, "permessage-deflate; server_max_window_bits=10", true, true},
		{&plain, "permessage-deflate; client_max_window_bits=10", false, false},
		{&plain, "permessage-deflate; server_max_window_bits=7", false, false},
		{&plain, "PerMessage-Deflate;server_max_window_bits=\"10\"", true, true},
		{&plain, "permessage-deflate; server_max_window_bits=16", false, false},
		{&plain, "permessage-deflate; server_max_window_bits=09", false, false},
		{&plain, "permessage-deflate; server_max_window_bits", false, false},
		{&plain, "permessage-deflate; client_no_context_takeover=1", false, false},
		{&plain, "permessage-deflate; client_no_context_takeover; client_no_context_takeover", false, false},
		{&plain, "permessage-deflate; unknown=\"a,b\"", false, false},
		{&plain, "permessage-deflate x", false, false},
		{&plain, ",,;;==,", false, false},
		{&plain, "permessage-deflate; other", false, false},
		{&plain, "permessage-deflate, permessage-deflate", false, false},
		{&plain, "x-webkit-deflate-frame", false, false},
		{&bits, "permessage-deflate; client_max_window_bits=10; server_max_window_bits=12", true, true},
		{&bits, "permessage-deflate; server_max_window_bits=13", false, false},
		{&bits, "permessage-deflate", false, false},
		{&bits, "permessage-deflate; client_max_window_bits; server_max_window_bits=12", false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct websocket_deflate d = {0};
		struct err e = {0};
		int rc = websocket_deflate_settle(cases[i].answer, cases[i].want, &d, &e);

		if ((rc == 0) != cases[i].is_fine || d.on != cases[i].on)
			fail_msg("%zu: %s: %d", i, cases[i].answer, rc);
		if (rc < 0)
			assert_non_null(strstr(e.text, "unsupported extensions from server"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_of_the_rfc),
		cmocka_unit_test(nothing_compresses_to_one_byte),
		cmocka_unit_test(takeover_is_what_makes_a_repetition_short),
		cmocka_unit_test(a_bomb_stops_at_the_limit),
		cmocka_unit_test(exactly_the_limit_is_fine),
		cmocka_unit_test(garbage),
		cmocka_unit_test(offers),
		cmocka_unit_test(answers_to_a_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
