/*
 * What a WebSocket makes of a peer's frames (RFC 6455): each case for the server's side and the client's, at once and byte by byte.
 */
#include "websocket_peer.h"

/* One of the peer's frames. */
struct frame {
	unsigned char head; /* FIN, RSV, opcode */
	const char *data;   /* NULL: no more frames */
	size_t len;         /* filled up with 'x' to this */
};

struct frames_case {
	const char *name;
	struct frame frames[8];
	size_t max;
	const char *log;  /* what the program is told */
	const char *sent; /* what the peer gets */
};

#define CLOSED_EARLY "closed:1006:"

static const struct frames_case cases[] = {
	{"text", {{0x81, "hello", 0}}, 0, "text:hello;" CLOSED_EARLY, ""},
	{"empty text", {{0x81, "", 0}}, 0, "text:;" CLOSED_EARLY, ""},
	{"empty binary", {{0x82, "", 0}}, 0, "binary:;" CLOSED_EARLY, ""},
	{"binary is not judged", {{0x82, "\xff\xfe", 0}}, 0, "binary:\xff\xfe;" CLOSED_EARLY, ""},
	{"125", {{0x82, "", 125}}, 0, "binary:125 bytes;" CLOSED_EARLY, ""},
	{"126", {{0x82, "", 126}}, 0, "binary:126 bytes;" CLOSED_EARLY, ""},
	{"127", {{0x82, "", 127}}, 0, "binary:127 bytes;" CLOSED_EARLY, ""},
	{"65535", {{0x82, "", 65535}}, 0, "binary:65535 bytes;" CLOSED_EARLY, ""},
	{"65536", {{0x81, "", 65536}}, 0, "text:65536 bytes;" CLOSED_EARLY, ""},
	{"two messages", {{0x81, "a", 0}, {0x82, "b", 0}}, 0, "text:a;binary:b;" CLOSED_EARLY, ""},

	{"fragments", {{0x01, "he", 0}, {0x00, "l", 0}, {0x80, "lo", 0}}, 0, "text:hello;" CLOSED_EARLY, ""},
	{"empty fragments", {{0x01, "", 0}, {0x00, "", 0}, {0x80, "", 0}}, 0, "text:;" CLOSED_EARLY, ""},
	{"large fragments", {{0x02, "", 70000}, {0x80, "", 70000}}, 0, "binary:140000 bytes;" CLOSED_EARLY, ""},
	{"a ping between fragments", {{0x01, "he", 0}, {0x89, "p", 0}, {0x80, "llo", 0}}, 0, "text:hello;" CLOSED_EARLY,
		"8a(p)"},
	{"no message begun", {{0x80, "x", 0}}, 0, "closed:1002:", "88(1002)"},
	{"no message begun, not last", {{0x00, "x", 0}, {0x80, "y", 0}}, 0, "closed:1002:", "88(1002)"},
	{"a message in a message", {{0x01, "x", 0}, {0x81, "y", 0}}, 0, "closed:1002:", "88(1002)"},
	{"a continuation after the end", {{0x81, "a", 0}, {0x80, "b", 0}}, 0, "text:a;closed:1002:", "88(1002)"},

	{"ping", {{0x89, "", 0}}, 0, CLOSED_EARLY, "8a()"},
	{"ping with data", {{0x89, "data", 0}, {0x89, "more", 0}}, 0, CLOSED_EARLY, "8a(data) 8a(more)"},
	{"ping of 125", {{0x89, "", 125}}, 0, CLOSED_EARLY, "8a(125 bytes)"},
	{"ping of 126", {{0x89, "", 126}}, 0, "closed:1002:", "88(1002)"},
	{"a pong nobody asked for", {{0x8a, "x", 0}}, 0, "pong:x;" CLOSED_EARLY, ""},
	{"pong of 126", {{0x8a, "", 126}}, 0, "closed:1002:", "88(1002)"},
	{"a ping in pieces", {{0x09, "x", 0}}, 0, "closed:1002:", "88(1002)"},

	{"RSV1 unasked", {{0xc1, "x", 0}}, 0, "closed:1002:", "88(1002)"},
	{"RSV2", {{0xa1, "x", 0}}, 0, "closed:1002:", "88(1002)"},
	{"RSV3", {{0x91, "x", 0}}, 0, "closed:1002:", "88(1002)"},
	{"all RSV in a ping", {{0xf9, "x", 0}}, 0, "closed:1002:", "88(1002)"},
	{"RSV in a close", {{0xc8, "", 0}}, 0, "closed:1002:", "88(1002)"},
	{"RSV after good ones", {{0x81, "a", 0}, {0xb2, "x", 0}}, 0, "text:a;closed:1002:", "88(1002)"},
	{"opcode 3", {{0x83, "", 0}}, 0, "closed:1002:", "88(1002)"},
	{"opcode 7", {{0x87, "x", 0}}, 0, "closed:1002:", "88(1002)"},
	{"opcode 11", {{0x8b, "", 0}}, 0, "closed:1002:", "88(1002)"},
	{"opcode 15", {{0x8f, "x", 0}}, 0, "closed:1002:", "88(1002)"},
	{"nothing after a breach counts", {{0x83, "", 0}, {0x81, "a", 0}, {0x89, "p", 0}}, 0,
		"closed:1002:", "88(1002)"},

	{"UTF-8", {{0x81, "κόσμε \U0001F600", 0}}, 0, "text:κόσμε \U0001F600;" CLOSED_EARLY, ""},
	{"UTF-8 cut by a fragment", {{0x01, "\xce", 0}, {0x80, "\xba", 0}}, 0, "text:κ;" CLOSED_EARLY, ""},
	{"invalid UTF-8", {{0x81, "a\xff", 0}}, 0, "closed:1007:", "88(1007)"},
	{"a surrogate", {{0x81, "\xed\xa0\x80", 0}}, 0, "closed:1007:", "88(1007)"},
	{"an overlong form", {{0x81, "\xc0\xaf", 0}}, 0, "closed:1007:", "88(1007)"},
	{"beyond U+10FFFF", {{0x81, "\xf4\x90\x80\x80", 0}}, 0, "closed:1007:", "88(1007)"},
	{"UTF-8 that does not end", {{0x01, "\xce\xba", 0}, {0x80, "\xe1\x83", 0}}, 0, "closed:1007:", "88(1007)"},

	{"close", {{0x88, "\x03\xe8", 0}}, 0, "closed:1000:", "88(1000)"},
	{"close with a reason", {{0x88, "\x03\xe9gone", 0}}, 0, "closed:1001:gone", "88(1001)"},
	{"close without a code", {{0x88, "", 0}}, 0, "closed:1005:", "88()"},
	{"close of 3000", {{0x88, "\x0b\xb8", 0}}, 0, "closed:3000:", "88(3000)"},
	{"close of 4999", {{0x88, "\x13\x87", 0}}, 0, "closed:4999:", "88(4999)"},
	{"close of 1014", {{0x88, "\x03\xf6", 0}}, 0, "closed:1014:", "88(1014)"},
	{"close of one byte", {{0x88, "\x03", 0}}, 0, "closed:1002:", "88(1002)"},
	{"close of 999", {{0x88, "\x03\xe7", 0}}, 0, "closed:1002:", "88(1002)"},
	{"close of 1004", {{0x88, "\x03\xec", 0}}, 0, "closed:1002:", "88(1002)"},
	{"close of 1005", {{0x88, "\x03\xed", 0}}, 0, "closed:1002:", "88(1002)"},
	{"close of 1006", {{0x88, "\x03\xee", 0}}, 0, "closed:1002:", "88(1002)"},
	{"close of 1015", {{0x88, "\x03\xf7", 0}}, 0, "closed:1002:", "88(1002)"},
	{"close of 2999", {{0x88, "\x0b\xb7", 0}}, 0, "closed:1002:", "88(1002)"},
	{"close of 5000", {{0x88, "\x13\x88", 0}}, 0, "closed:1002:", "88(1002)"},
	{"close with broken UTF-8", {{0x88, "\x03\xe8\xff", 0}}, 0, "closed:1007:", "88(1007)"},
	{"close in pieces", {{0x08, "\x03\xe8", 0}}, 0, "closed:1002:", "88(1002)"},
	{"close of 126 bytes", {{0x88, "", 126}}, 0, "closed:1002:", "88(1002)"},
	{"close in a message", {{0x01, "a", 0}, {0x88, "\x03\xe8", 0}}, 0, "closed:1000:", "88(1000)"},
	{"nothing after close counts", {{0x88, "\x03\xe8", 0}, {0x81, "a", 0}, {0x89, "p", 0}}, 0,
		"closed:1000:", "88(1000)"},

	{"as long as allowed", {{0x81, "12345", 0}}, 5, "text:12345;" CLOSED_EARLY, ""},
	{"a byte too long", {{0x81, "123456", 0}}, 5, "closed:1009:", "88(1009)"},
	{"fragments as long as allowed", {{0x01, "123", 0}, {0x80, "45", 0}}, 5, "text:12345;" CLOSED_EARLY, ""},
	{"fragments a byte too long", {{0x01, "123", 0}, {0x80, "456", 0}}, 5, "closed:1009:", "88(1009)"},
};

static void run_case(const struct frames_case *c, bool is_client, size_t step)
{
	struct peer p = {.step = step};
	struct buf sent = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(c->frames) && c->frames[i].data; i++) {
		const struct frame *f = &c->frames[i];
		struct buf data = BUF_INIT;

		buf_adds(&data, f->data);
		while (buf_len(&data) < f->len)
			buf_addc(&data, 'x');
		put_frame(&p.input, !is_client, f->head, buf_data(&data), buf_len(&data));
		buf_done(&data);
	}
	peer_begin(&p, (struct websocket_config){.is_client = is_client, .message_max = c->max}, NULL);
	loop_run(p.loop);
	/* What was sent last is still on its way to us. */
	for (char piece[65536];;) {
		ssize_t n = recv(p.fd, piece, sizeof(piece), MSG_DONTWAIT);

		if (n <= 0)
			break;
		buf_add(&p.got, piece, (size_t)n);
	}
	describe_frames(&p.got, is_client, &sent);
	if (strcmp(buf_str(&p.log), c->log) != 0 || strcmp(buf_str(&sent), c->sent) != 0)
		fail_msg("%s (%s, step %zu): told \"%s\", sent \"%s\"", c->name, is_client ? "client" : "server", step,
			buf_str(&p.log), buf_str(&sent));
	buf_done(&sent);
	peer_end(&p);
}

static void frames_of_a_client(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		run_case(&cases[i], false, 0);
}

static void frames_of_a_server(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		run_case(&cases[i], true, 0);
}

static void frames_byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct frame *f = cases[i].frames;
		bool is_long = f[0].len > 1000;

		run_case(&cases[i], false, is_long ? 1777 : 1);
		run_case(&cases[i], true, is_long ? 1777 : 1);
	}
}

/* Whole bytes, for what put_frame() would not write. */
struct bytes_case {
	const char *name;
	bool is_client;
	const char *bytes;
	size_t len;
	const char *log;
};

#define BYTES(s) s, sizeof(s) - 1

static const struct bytes_case bytes_cases[] = {
	{"a client that does not mask", false, BYTES("\x81\x01x"), "closed:1002:"},
	{"an empty frame that is not masked", false, BYTES("\x81\x00"), "closed:1002:"},
	{"a server that masks", true, BYTES("\x81\x81\x01\x02\x03\x04x"), "closed:1002:"},
	{"a length longer than needed", true, BYTES("\x81\x7e\x00\x05hello"), "closed:1002:"},
	{"a long length longer than needed", true, BYTES("\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xffhello"),
		"closed:1002:"},
	{"a length beyond 63 bits", true, BYTES("\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00hello"), "closed:1002:"},
	{"a huge length", true, BYTES("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xffhello"), "closed:1009:"},
	{"half a head", true, BYTES("\x81"), CLOSED_EARLY},
	{"half a message", true, BYTES("\x81\x05he"), CLOSED_EARLY},
	{"half a ping", true, BYTES("\x89\x05he"), CLOSED_EARLY},
	{"nothing at all", true, BYTES(""), CLOSED_EARLY},
};

static void broken_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bytes_cases) * 2; i++) {
		const struct bytes_case *c = &bytes_cases[i / 2];
		struct peer p = {.step = i % 2};

		buf_add(&p.input, c->bytes, c->len);
		peer_begin(&p, (struct websocket_config){.is_client = c->is_client}, NULL);
		loop_run(p.loop);
		if (strcmp(buf_str(&p.log), c->log) != 0)
			fail_msg("%s: told \"%s\"", c->name, buf_str(&p.log));
		peer_end(&p);
	}
}

/* Bytes that came with the handshake count like any other, wherever the cut is. */
static void early_bytes(void **state)
{
	struct buf all = BUF_INIT;

	(void)state;
	put_frame(&all, true, 0x81, "hello", 5);
	put_frame(&all, true, 0x82, "", 0);
	put_frame(&all, true, 0x88, "\x03\xe8", 2);
	for (size_t cut = 0; cut <= buf_len(&all); cut++) {
		struct peer p = {0};

		buf_add(&p.input, buf_data(&all) + cut, buf_len(&all) - cut);
		peer_begin(&p, (struct websocket_config){.early = buf_data(&all), .nearly = cut}, NULL);
		assert_int_equal(buf_len(&p.log), 0); /* never inside of websocket_new() */
		loop_run(p.loop);
		assert_string_equal(buf_str(&p.log), "text:hello;binary:;closed:1000:");
		peer_end(&p);
	}
	buf_done(&all);
}

static void accept_key(void **state)
{
	char key[WEBSOCKET_ACCEPT_SIZE];

	(void)state;
	/* RFC 6455 section 1.3 */
	websocket_accept_key("dGhlIHNhbXBsZSBub25jZQ==", key);
	assert_string_equal(key, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_of_a_client),
		cmocka_unit_test(frames_of_a_server),
		cmocka_unit_test(frames_byte_by_byte),
		cmocka_unit_test(broken_bytes),
		cmocka_unit_test(early_bytes),
		cmocka_unit_test(accept_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
