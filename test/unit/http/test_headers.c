/*
 * Header fields, out and in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "http/headers.h"

static void canonical(void **state)
{
	static const char *const cases[][2] = {
		{"x-request-ID", "X-Request-Id"},
		{"ETAG", "Etag"},
		{"www-authenticate", "Www-Authenticate"},
		{"a", "A"},
		{"-x", "-X"},
		{"not a token", "not a token"},
		{"1-a", "1-A"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char name[32];

		strcpy(name, cases[i][0]);
		http_canonical_name(name);
		assert_string_equal(name, cases[i][1]);
	}
	assert_true(http_is_token("M-SEARCH"));
	assert_false(http_is_token(""));
	assert_false(http_is_token("a:b"));
}

static int feed(struct http_head *h, const char *const *lines, struct err *e)
{
	int rc = 0;

	for (; *lines; lines++) {
		rc = http_head_line(h, *lines, strlen(*lines), e);
		if (rc < 0)
			return rc;
	}
	return rc;
}

static void response(void **state)
{
	struct http_head h;
	struct err e;
	size_t n;
	const struct http_header *items;

	(void)state;
	http_head_init(&h);
	assert_int_equal(feed(&h, (const char *[]){"HTTP/1.1 100 Continue\r\n", "X-Old: 1\r\n", "\r\n", NULL}, &e), 0);
	assert_false(h.complete);
	assert_int_equal(feed(&h,
				 (const char *[]){"HTTP/2 204 \r\n", "a: 1\r\n", "B:\t x y \r\n", "\tz\r\n", "a: 2\n",
					 "no colon\r\n", ": x\r\n", "\r\n", NULL},
				 &e),
		1);
	assert_int_equal(h.status, 204);
	assert_true(h.is_http2);
	/* A trailer comes too late. */
	assert_int_equal(feed(&h, (const char *[]){"T: 1\r\n", "\r\n", NULL}, &e), 0);
	items = http_head_items(&h, &n);
	assert_int_equal(n, 3);
	assert_string_equal(items[0].name, "A");
	assert_string_equal(items[0].value, "1");
	assert_string_equal(items[1].name, "B");
	assert_string_equal(items[1].value, "x y z");
	assert_string_equal(items[2].value, "2");
	assert_string_equal(http_head_get(&h, "A"), "1");
	assert_null(http_head_get(&h, "X-Old"));
	http_head_drop(&h, "A");
	items = http_head_items(&h, &n);
	assert_int_equal(n, 1);
	http_head_done(&h);
}

static void limits(void **state)
{
	struct http_head h;
	struct err e;
	char line[1001];
	int i;

	(void)state;
	http_head_init(&h);
	assert_int_equal(feed(&h, (const char *[]){"HTTP/1.1 200 OK\r\n", NULL}, &e), 0);
	for (i = 0; http_head_line(&h, "A: b\r\n", 6, &e) == 0; i++)
		assert_true(i < HTTP_HEADERS_MAX);
	assert_int_equal(i, HTTP_HEADERS_MAX);
	assert_string_equal(e.code, "headers_too_large");
	http_head_done(&h);
	/* Interim responses do not reset the count of bytes. */
	memset(line, 'x', sizeof(line));
	memcpy(line, "A: ", 3);
	memcpy(line + sizeof(line) - 3, "\r\n", 3);
	for (i = 0; i < 1000; i++) {
		if (feed(&h, (const char *[]){"HTTP/1.1 103 Hints\r\n", line, "\r\n", NULL}, &e) < 0)
			break;
	}
	assert_in_range(i, 200, HTTP_HEADER_BYTES_MAX / 1000);
	http_head_done(&h);
}

static void request(void **state)
{
	struct http_header in[] = {{"X-A", "1"}, {"Host", "x"}, {"X-Empty", ""}, {"Content-Type", "t"}};
	struct http_header_set s;
	struct http_header_list l = {0};
	struct http_header_extra x = {.has_body = true, .authorization = "Basic x", .host = "h", .empty_length = true};
	const char *want[] = {"X-A: 1", "X-Empty;", "Content-Type: t", "Host: h", "Authorization: Basic x",
		"Content-Length: 0", "Accept:", "Expect:"};
	struct curl_slist *p;
	struct err e;

	(void)state;
	assert_int_equal(http_header_set_init(&s, in, ARRAY_LEN(in), &e), 0);
	p = http_header_list_build(&l, &s, &x);
	for (size_t i = 0; i < ARRAY_LEN(want); i++, p = p->next)
		assert_string_equal(p->data, want[i]);
	assert_null(p);
	http_header_set_put(&s, "x-a", "2");
	assert_string_equal(http_header_set_get(&s, "X-A"), "2");
	http_header_list_done(&l);
	http_header_set_done(&s);
	/* Nothing special: the one list that all share. */
	p = http_header_list_build(&l, &s, &(struct http_header_extra){0});
	assert_string_equal(p->data, "Accept:");
	assert_null(p->next);
	assert_null(l.nodes);
}

static void refused(void **state)
{
	static struct http_header bad[] = {{"", "1"}, {"a b", "1"}, {"a:", "1"}, {"a\n", "1"}, {"\xc3\xa9", "1"},
		{"a", "1\n2"}, {"a", "1\r"}, {"a", "\x01"}};
	struct http_header_set s;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(http_header_set_init(&s, &bad[i], 1, &e), -1);
		assert_string_equal(e.code, "bad_header");
		assert_null(strpbrk(e.text, "\r\n"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(canonical),
		cmocka_unit_test(response),
		cmocka_unit_test(limits),
		cmocka_unit_test(request),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
