/* Heads and bodies of requests: every case at once and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "http/request_parse.h"

#define T(s) s, sizeof(s) - 1

/* What came of a text: "status", or method, target, fields, body, and what was left, in one line. */
static char *parse(const char *text, size_t len, size_t step)
{
	struct request_parse p = {0};
	struct buf out = BUF_INIT, body = BUF_INIT;
	enum request_parsed rc = REQUEST_MORE;
	size_t have = 0, at, used;
	char *copy;

	request_parse_begin(&p);
	while (rc == REQUEST_MORE && have < len) {
		have = len - have > step ? have + step : len;
		/* A copy of that length: reading behind it would show. */
		copy = xmalloc(have);
		memcpy(copy, text, have);
		rc = request_parse_head(&p, copy, have);
		free(copy);
	}
	if (rc != REQUEST_DONE) {
		buf_addf(&out, rc == REQUEST_MORE ? "more" : "%u", p.status);
		goto end;
	}
	buf_addf(&out, "%.*s %.*s %s", (int)p.method.len, text, (int)p.target.len, text + p.target.at,
		p.is_1_0 ? "1.0" : "1.1");
	for (uint32_t i = 0; i < p.nfields; i++)
		buf_addf(&out, "|%.*s=%.*s", (int)p.fields[i].name.len, text + p.fields[i].name.at,
			(int)p.fields[i].value.len, text + p.fields[i].value.at);
	rc = request_parse_body(&p, NULL, 0, &body, &used);
	for (at = p.head_len; rc == REQUEST_MORE && at < len;) {
		size_t n = len - at < step ? len - at : step;

		copy = xmalloc(n);
		memcpy(copy, text + at, n);
		rc = request_parse_body(&p, copy, n, &body, &used);
		at += used;
		free(copy);
		assert_true(rc != REQUEST_MORE || used == n);
	}
	if (rc == REQUEST_REFUSED)
		buf_addf(&out, "|body %u", p.status);
	else
		buf_addf(&out, "|%s%s|%s|%s", rc == REQUEST_DONE ? "" : "more ", buf_str(&body),
			p.keep_alive ? "keep" : "close", text + at);
end:
	buf_done(&body);
	request_parse_done(&p);
	return buf_detach(&out, NULL);
}

struct vector {
	const char *text;
	size_t len;
	const char *want;
};

static void check(const struct vector *cases, size_t n)
{
	static const size_t steps[] = {SIZE_MAX, 1, 2, 7};

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
			char *got = parse(cases[i].text, cases[i].len, steps[k]);

			if (strcmp(got, cases[i].want) != 0)
				fail_msg("case %zu, %zu bytes a time: '%s' gave '%s', not '%s'", i, steps[k],
					cases[i].text, got, cases[i].want);
			free(got);
		}
}

static void requests(void **state)
{
	static const struct vector cases[] = {
		{T("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), "GET / 1.1|Host=h||keep|"},
		{T("GET / HTTP/1.1\r\nHost:h\r\n\r\nGET"), "GET / 1.1|Host=h||keep|GET"},
		{T("GET /a%20b?c=d&e#f HTTP/1.1\r\nHost: \t h \t\r\n\r\n"), "GET /a%20b?c=d&e#f 1.1|Host=h||keep|"},
		{T("GET http://other:8/x HTTP/1.1\r\nhost: h\r\n\r\n"), "GET http://other:8/x 1.1|host=h||keep|"},
		{T("GET HTTPS://[::1]:8?x HTTP/1.1\r\nhost: h\r\n\r\n"), "GET HTTPS://[::1]:8?x 1.1|host=h||keep|"},
		{T("BREW /pot HTTP/1.1\r\nHost: h\r\n\r\n"), "BREW /pot 1.1|Host=h||keep|"},
		{T("get / HTTP/1.1\r\nHost: h\r\n\r\n"), "get / 1.1|Host=h||keep|"},
		{T("M-SEARCH! / HTTP/1.1\r\nHost: h\r\n\r\n"), "M-SEARCH! / 1.1|Host=h||keep|"},
		{T("PRI / HTTP/1.1\r\nHost: h\r\n\r\n"), "PRI / 1.1|Host=h||keep|"},
		{T("GET / HTTP/1.1\r\nHost: h\r\nX:\r\nY:  \t\r\nZ: a b \r\n\r\n"),
			"GET / 1.1|Host=h|X=|Y=|Z=a b||keep|"},
		{T("GET / HTTP/1.1\r\nHost: h\r\nX: \xc3\xa9\r\n\r\n"), "GET / 1.1|Host=h|X=\xc3\xa9||keep|"},
		{T("GET / HTTP/1.1\r\nHost: h\r\nX!#$%&'*+-.^_`|~9: 1\r\n\r\n"),
			"GET / 1.1|Host=h|X!#$%&'*+-.^_`|~9=1||keep|"},
		{T("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nleft"),
			"GET / 1.1|Host=h|Connection=close||close|left"},
		{T("GET / HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n"),
			"GET / 1.1|Host=h|Connection=x, Close||close|"},
		{T("GET / HTTP/1.0\r\n\r\n"), "GET / 1.0||close|"},
		{T("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), "GET / 1.0|Connection=keep-alive||keep|"},
		{T("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nearly"),
			"GET / 1.1|Host=h|Connection=Upgrade|Upgrade=x||keep|early"},
		{T("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET"),
			"POST / 1.1|Host=h|Content-Length=3|abc|keep|GET"},
		{T("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 003\r\n\r\nab"),
			"POST / 1.1|Host=h|Content-Length=003|more ab|keep|"},
		{T("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\nx"),
			"GET / 1.1|Host=h|Content-Length=0||keep|x"},
		{T("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
		   "Chunked\r\n\r\n3\r\nabc\r\n4;x=\"y\"\r\ndefg\r\n0\r\nT: u\r\n\r\nGET"),
			"POST / 1.1|Host=h|Transfer-Encoding=Chunked|abcdefg|keep|GET"},
		{T("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n00a\r\n0123456789\r\n000\r\n\r\n"),
			"POST / 1.1|Host=h|Transfer-Encoding=chunked|0123456789|keep|"},
		{T("GET / HTTP/1.1\r\nHost: h\r\n"), "more"},
		{T("GE"), "more"},
	};

	(void)state;
	check(cases, ARRAY_LEN(cases));
}

#define HEAD(s) T("POST /x HTTP/1.1\r\nHost: h\r\n" s "\r\n0\r\n\r\n")
#define LINE(s) T(s "\r\nHost: h\r\n\r\n")

static void refused_heads(void **state)
{
	static const struct vector cases[] = {
		/* Lengths two readers could see differently (RFC 9112 section 6.3). */
		{HEAD("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"), "400"},
		{HEAD("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n"), "400"},
		{HEAD("Content-Length: 4\r\nContent-Length: 5\r\n"), "400"},
		{HEAD("Content-Length: 4\r\nContent-Length: 4\r\n"), "400"},
		{HEAD("Content-Length: 4, 4\r\n"), "400"},
		{HEAD("Content-Length: 4 4\r\n"), "400"},
		{HEAD("Content-Length: +4\r\n"), "400"},
		{HEAD("Content-Length: -4\r\n"), "400"},
		{HEAD("Content-Length: 0x4\r\n"), "400"},
		{HEAD("Content-Length: 4a\r\n"), "400"},
		{HEAD("Content-Length:\r\n"), "400"},
		{HEAD("Content-Length: 99999999999999999999\r\n"), "400"},
		{HEAD("Content-Length: 9999999999999999999\r\n"), "400"},
		{HEAD("Content-Length : 4\r\n"), "400"},
		{HEAD("Transfer-Encoding : chunked\r\n"), "400"},
		{HEAD("Transfer-Encoding: xchunked\r\n"), "501"},
		{HEAD("Transfer-Encoding: gzip, chunked\r\n"), "501"},
		{HEAD("Transfer-Encoding: identity\r\n"), "501"},
		{HEAD("Transfer-Encoding: \"chunked\"\r\n"), "501"},
		{HEAD("Transfer-Encoding:\r\n"), "501"},
		{HEAD("Transfer-Encoding: chunked, gzip\r\n"), "400"},
		{HEAD("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), "400"},
		{HEAD("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), "400"},
		{HEAD("Transfer-Encoding: \x0b"
		      "chunked\r\n"),
			"400"},
		{HEAD("Transfer-Encoding:\r\n chunked\r\n"), "400"},
		{T("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "400"},
		/* Bytes that hide something. */
		{HEAD("X: a\0b\r\n"), "400"},
		{HEAD("X: a\0\r\n"), "400"},
		{HEAD("X\0: a\r\n"), "400"},
		{HEAD("X: a\rb\r\n"), "400"},
		{HEAD("X: a\r\r\n"), "400"},
		{HEAD("X: a\rContent-Length: 5\r\n"), "400"},
		{HEAD("X: a\nContent-Length: 5\r\n"), "400"},
		{HEAD("X: a\x01\r\n"), "400"},
		{HEAD("X: a\x7f\r\n"), "400"},
		{HEAD("X: a\r\n b\r\n"), "400"},
		{HEAD("X: a\r\n\tb\r\n"), "400"},
		{HEAD("X:\r\n b\r\n"), "400"},
		{HEAD("X:\r\n \r\n"), "400"},
		{HEAD("\r\rX: y\r\n"), "400"},
		{T("GET / HTTP/1.1\r\nHost: h\r\n\nX: y\r\n\r\n"), "400"},
		/* Fields that are none. */
		{HEAD(": x\r\n"), "400"},
		{HEAD("no colon\r\n"), "400"},
		{HEAD(" X: y\r\n"), "400"},
		{HEAD("a b: y\r\n"), "400"},
		{HEAD("a\xc3\xa9: y\r\n"), "400"},
		{HEAD("Host: i\r\n"), "400"},
		{HEAD("Host: h\r\n"), "400"},
		{T("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), "400"},
		{T("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), "400"},
		{T("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"), "400"},
		{T("GET / HTTP/1.1\r\nHost: \"a\"\r\n\r\n"), "400"},
		{T("GET / HTTP/1.1\r\nHost: a\xc3\xa9\r\n\r\n"), "400"},
		{T("GET / HTTP/1.1\r\n\r\n"), "400"},
		{T("GET / HTTP/1.1\r\n Host: h\r\n\r\n"), "400"},
		/* First lines. */
		{LINE("GET /"), "400"},
		{LINE("GET  / HTTP/1.1"), "400"},
		{LINE("GET /  HTTP/1.1"), "400"},
		{LINE("GET / HTTP/1.1 "), "400"},
		{LINE("GET / a HTTP/1.1"), "400"},
		{LINE("GET\t/ HTTP/1.1"), "400"},
		{LINE(" GET / HTTP/1.1"), "400"},
		{LINE("G(T / HTTP/1.1"), "400"},
		{LINE("G\x01T / HTTP/1.1"), "400"},
		{LINE("G\0T / HTTP/1.1"), "400"},
		{LINE("GET /a\0b HTTP/1.1"), "400"},
		{LINE("GET /a%00 HTTP/1.1"), "400"},
		{LINE("GET /a\x7f HTTP/1.1"), "400"},
		{LINE("GET a HTTP/1.1"), "400"},
		{LINE("GET ftp://h/ HTTP/1.1"), "400"},
		{LINE("GET * HTTP/1.1"), "400"},
		{LINE("CONNECT h:80 HTTP/1.1"), "400"},
		{LINE("GET / http/1.1"), "400"},
		{LINE("GET / HTTP/1.1x"), "400"},
		{LINE("GET / ICE/1.0"), "400"},
		{LINE("GET / RTSP/1.0"), "400"},
		{LINE("GET / HTTP/2.0"), "505"},
		{LINE("GET / HTTP/0.9"), "505"},
		{LINE("GET / HTTP/1.2"), "505"},
		{LINE("GET / HTTP/9.9"), "505"},
		{LINE("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1"), "501"},
		{T("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), "400"},
		{T("\n\n"), "400"},
		{T("GET / HTTP/1.1\nHost: h\n\n"), "400"},
	};

	(void)state;
	check(cases, ARRAY_LEN(cases));
}

#define CHUNKS(s) T("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" s)
#define BAD_BODY "POST / 1.1|Host=h|Transfer-Encoding=chunked|body 400"

static void refused_bodies(void **state)
{
	static const struct vector cases[] = {
		{CHUNKS("3\nabc\r\n0\r\n\r\n"), BAD_BODY},
		{CHUNKS("3\r\nabc\n0\r\n\r\n"), BAD_BODY},
		{CHUNKS("3\r\nabcd\r\n0\r\n\r\n"), BAD_BODY},
		{CHUNKS("3\r\nabcXX0\r\n\r\n"), BAD_BODY},
		{CHUNKS("0x3\r\nabc\r\n0\r\n\r\n"), BAD_BODY},
		{CHUNKS("3 \r\nabc\r\n0\r\n\r\n"), BAD_BODY},
		{CHUNKS(" 3\r\nabc\r\n0\r\n\r\n"), BAD_BODY},
		{CHUNKS("-3\r\nabc\r\n0\r\n\r\n"), BAD_BODY},
		{CHUNKS("+3\r\nabc\r\n0\r\n\r\n"), BAD_BODY},
		{CHUNKS("3;a\nb\r\nabc\r\n0\r\n\r\n"), BAD_BODY},
		{CHUNKS("3;a\rb\r\nabc\r\n0\r\n\r\n"), BAD_BODY},
		{CHUNKS("3\rabc\r\n0\r\n\r\n"), BAD_BODY},
		{CHUNKS("\r\n0\r\n\r\n"), BAD_BODY},
		{CHUNKS("g\r\n"), BAD_BODY},
		{CHUNKS("FFFFFFFFFFFFFFFFF\r\nabc"), BAD_BODY},
		{CHUNKS("10000000000000003\r\nabc"), BAD_BODY},
		{CHUNKS("0\r\nT: a\nb\r\n\r\n"), BAD_BODY},
		{CHUNKS("0\r\n\n"), BAD_BODY},
		{CHUNKS("3\r\nabc\r\n0\r\n\n"), BAD_BODY},
		{CHUNKS("0\r\nT: a\r\n\n"), BAD_BODY},
		{CHUNKS("0\r\nT: a\n\n"), BAD_BODY},
	};

	(void)state;
	check(cases, ARRAY_LEN(cases));
}

/* Values are looked at several bytes at a time: each must count wherever it stands. */
static void every_byte_everywhere(void **state)
{
	char value[20];

	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		bool is_control = (byte < 0x20 && byte != '\t') || byte == 0x7f;

		for (size_t at = 1; at + 1 < sizeof(value); at++) {
			struct buf head = BUF_INIT, want = BUF_INIT;
			char *got;

			memset(value, 'x', sizeof(value));
			value[at] = (char)byte;
			buf_adds(&head, "GET / HTTP/1.1\r\nHost: h\r\nA: ");
			buf_add(&head, value, sizeof(value));
			buf_adds(&head, "\r\n\r\n");
			if (is_control)
				buf_adds(&want, "400");
			else
				buf_addf(&want, "GET / 1.1|Host=h|A=%.*s||keep|", (int)sizeof(value), value);
			got = parse(buf_data(&head), buf_len(&head), SIZE_MAX);
			if (strcmp(got, buf_str(&want)) != 0)
				fail_msg("byte %02x at %zu: '%s'", byte, at, got);
			free(got);
			buf_done(&head);
			buf_done(&want);
		}
	}
}

static void too_many_fields(void **state)
{
	struct buf b = BUF_INIT;
	char *got;

	(void)state;
	buf_adds(&b, "GET / HTTP/1.1\r\nHost: h\r\n");
	for (int i = 1; i < REQUEST_FIELDS_MAX; i++)
		buf_adds(&b, "a:b\r\n");
	got = parse(buf_data(&b), buf_len(&b), SIZE_MAX);
	assert_string_equal(got, "more");
	free(got);
	buf_adds(&b, "a:b\r\n\r\n");
	got = parse(buf_data(&b), buf_len(&b), SIZE_MAX);
	assert_string_equal(got, "431");
	free(got);
	buf_done(&b);
}

/* Extensions, empty of sense, for ever. */
static void endless_framing(void **state)
{
	struct buf b = BUF_INIT;
	char *got;

	(void)state;
	buf_adds(&b, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;");
	for (int i = 0; i < REQUEST_FRAMING_FREE + 100; i++)
		buf_addc(&b, 'a');
	got = parse(buf_data(&b), buf_len(&b), 64);
	assert_string_equal(got, BAD_BODY);
	free(got);
	/* Chunks of one byte are wasteful, not hostile. */
	buf_clear(&b);
	buf_adds(&b, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < REQUEST_FRAMING_FREE; i++)
		buf_adds(&b, "1\r\nx\r\n");
	buf_adds(&b, "0\r\n\r\n");
	got = parse(buf_data(&b), buf_len(&b), 64);
	assert_null(strstr(got, "body 400"));
	free(got);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests),
		cmocka_unit_test(refused_heads),
		cmocka_unit_test(refused_bodies),
		cmocka_unit_test(every_byte_everywhere),
		cmocka_unit_test(too_many_fields),
		cmocka_unit_test(endless_framing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
