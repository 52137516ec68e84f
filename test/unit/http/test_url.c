/*
 * URLs: parsed, refused, resolved, shown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "http/url.h"
#include "net/addr.h"

static void parse(void **state)
{
	static const struct {
		const char *text, *plain, *host, *userinfo;
		unsigned port;
	} cases[] = {
		{"http://h", "http://h/", "h", NULL, 80},
		{"HTTPS://H.example:443/a?b#c", "https://H.example/a?b", "H.example", NULL, 443},
		{"http://h:8080?q", "http://h:8080/?q", "h", NULL, 8080},
		{"http://h:/", "http://h/", "h", NULL, 80},
		{"http://u:p@h/", "http://h/", "h", "u:p", 80},
		{"http://u@x@h/", NULL, NULL, NULL, 0},
		{"http://[::1]:81/x", "http://[::1]:81/x", "::1", NULL, 81},
		{"http://h/a b/\xc3\xa9?x=a b&y=\"\xc3\xa9\"", "http://h/a%20b/%C3%A9?x=a%20b&y=%22%C3%A9%22", "h",
			NULL, 80},
		{"http://h/a/../b/./c", "http://h/a/../b/./c", "h", NULL, 80},
		{"http://h/%41%2f", "http://h/%41%2f", "h", NULL, 80},
		{"http://h/?q=100%", "http://h/?q=100%", "h", NULL, 80},
		{"http://b\xc3\xbc"
		 "cher.example/",
			"http://xn--bcher-kva.example/", "xn--bcher-kva.example", NULL, 80},
		{"http://h#f?x", "http://h/", "h", NULL, 80},
		{"http://my_host-1.a./", "http://my_host-1.a./", "my_host-1.a.", NULL, 80},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_url u;
		struct err e;
		struct buf b = BUF_INIT;
		int rc = http_url_parse(cases[i].text, &u, &e);

		if (!cases[i].plain) {
			assert_int_equal(rc, 0); /* an '@' in a user name: the last one counts */
			assert_string_equal(u.host, "h");
			http_url_done(&u);
			continue;
		}
		if (rc < 0)
			fail_msg("%s", e.text);
		http_url_add_plain(&u, &b);
		assert_string_equal(buf_str(&b), cases[i].plain);
		assert_string_equal(u.host, cases[i].host);
		if (cases[i].userinfo)
			assert_string_equal(u.userinfo, cases[i].userinfo);
		else
			assert_null(u.userinfo);
		assert_int_equal(u.port, cases[i].port);
		assert_string_equal(u.text, cases[i].text);
		assert_int_equal(http_url_check(&u, &e), 0);
		buf_done(&b);
		http_url_done(&u);
	}
}

/* An I2P destination in base64 goes by its short name everywhere but where it is dialled. */
static void destinations(void **state)
{
	/* 391 bytes: 'A' for the keys, and the certificate of an Ed25519 one. */
	static const char tail[] = "BQAEAAcAAA==", path[] = "/a?b=c";
	static const char b32[] = "wxwkuojjupydd2j7soa6s3b5mbnng357ustpl7pl5prvmbpwnm6q.b32.i2p";
	char host[524 + 1], url[640], name[80];
	struct buf plain = BUF_INIT, next = BUF_INIT;
	struct http_url u;
	struct err e;

	(void)state;
	memset(host, 'A', 524);
	host[1] = '~';
	host[2] = '-';
	memcpy(host + 524 - strlen(tail), tail, sizeof(tail));
	snprintf(url, sizeof(url), "http://u:p@%s:81%s", host, path);
	if (http_url_parse(url, &u, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(u.host, b32);
	assert_string_equal(u.target_host, host);
	assert_string_equal(u.target, path);
	assert_string_equal(u.userinfo, "u:p");
	assert_int_equal(u.port, 81);
	assert_string_equal(u.text, url);
	http_url_add_authority(&u, &plain);
	snprintf(name, sizeof(name), "%s:81", b32);
	assert_string_equal(buf_str(&plain), name);
	assert_int_equal(http_url_resolve(&u, "/x", &next, &e), 0);
	snprintf(url, sizeof(url), "http://u:p@%s:81/x", b32);
	assert_string_equal(buf_str(&next), url);
	http_url_done(&u);
	buf_done(&plain);
	buf_done(&next);

	/* One that lost a character is for the overlay to refuse, which knows what was meant. */
	snprintf(url, sizeof(url), "https://%s", host + 1);
	assert_int_equal(http_url_parse(url, &u, &e), 0);
	assert_string_equal(u.host, host + 1);
	assert_ptr_equal(u.host, u.target_host);
	http_url_done(&u);
	/* No other host has an equals sign. */
	assert_int_equal(http_url_parse("http://a=/", &u, &e), -1);
}

static void longest(void **state)
{
	char url[sizeof("http://") + TARGET_TEXT_MAX + 1] = "http://";
	struct http_url u;
	struct err e;

	(void)state;
	memset(url + 7, 'a', TARGET_TEXT_MAX);
	assert_int_equal(http_url_parse(url, &u, &e), 0);
	assert_int_equal(strlen(u.host), TARGET_TEXT_MAX);
	http_url_done(&u);
	url[7 + TARGET_TEXT_MAX] = 'a';
	assert_int_equal(http_url_parse(url, &u, &e), -1);
	assert_non_null(strstr(e.text, "host name longer than 2048 bytes"));
}

static void refuse(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{"http://h\n/", "parse \"http://h\\x0A/\": net/url: invalid control character in URL"},
		{"http://h/%zz", "invalid URL escape \"%zz\""},
		{"http://h/%4", "invalid URL escape \"%4\""},
		{"http://h%41/", "invalid URL escape \"%41\""},
		{"http://h:1x/", "invalid port \":1x\" after host"},
		{"http://h:0/", "invalid port \":0\" after host"},
		{"http://h:65536/", "invalid port \":65536\" after host"},
		{"http://h:99999999999999999999999/", "invalid port"},
		{"http://[::1/", "missing ']' in host"},
		{"http://[::g]/", "invalid IPv6 address in host"},
		{"http://[127.0.0.1]/", "invalid IPv6 address in host"},
		{"http://[::1]x/", "invalid port after host"},
		{"http://a b/", "invalid character \" \" in host name"},
		{"http://a\\b/", "in host name"},
		{"http://a,b/", "in host name"},
		{"http://a<b>@h/", "net/url: invalid userinfo"},
		{":x", "missing protocol scheme"},
		{"1http://h", "first path segment in URL cannot contain colon"},
		{"http://\xff\xfe/", "invalid international host name"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_url u;
		struct err e;

		assert_int_equal(http_url_parse(cases[i].text, &u, &e), -1);
		if (!strcasestr(e.text, cases[i].words))
			fail_msg("\"%s\" is not in \"%s\"", cases[i].words, e.text);
		assert_int_equal(strncmp(e.text, "parse \"", 7), 0);
		assert_string_equal(e.code, "bad_url");
		assert_null(u.mem);
	}
}

static void check(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{"gopher://h/", "unsupported protocol scheme \"gopher\""},
		{"mailto:a@b", "unsupported protocol scheme \"mailto\""},
		{"//h/x", "unsupported protocol scheme \"\""},
		{"", "unsupported protocol scheme \"\""},
		{"http:", "http: no Host in request URL"},
		{"http://:80/", "http: no Host in request URL"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_url u;
		struct err e;

		assert_int_equal(http_url_parse(cases[i].text, &u, &e), 0);
		assert_int_equal(http_url_check(&u, &e), -1);
		assert_string_equal(e.text, cases[i].words);
		http_url_done(&u);
	}
}

/* The examples of RFC 3986 section 5.4, with http in the place of its scheme. */
static void resolve(void **state)
{
	static const struct {
		const char *ref, *want;
	} cases[] = {
		{"g", "http://a/b/c/g"},
		{"./g", "http://a/b/c/g"},
		{"g/", "http://a/b/c/g/"},
		{"/g", "http://a/g"},
		{"//g", "http://g"},
		{"?y", "http://a/b/c/d;p?y"},
		{"g?y", "http://a/b/c/g?y"},
		{"#s", "http://a/b/c/d;p?q#s"},
		{"g#s", "http://a/b/c/g#s"},
		{"g?y#s", "http://a/b/c/g?y#s"},
		{";x", "http://a/b/c/;x"},
		{"g;x?y#s", "http://a/b/c/g;x?y#s"},
		{"", "http://a/b/c/d;p?q"},
		{".", "http://a/b/c/"},
		{"./", "http://a/b/c/"},
		{"..", "http://a/b/"},
		{"../", "http://a/b/"},
		{"../g", "http://a/b/g"},
		{"../..", "http://a/"},
		{"../../", "http://a/"},
		{"../../g", "http://a/g"},
		{"../../../g", "http://a/g"},
		{"/./g", "http://a/g"},
		{"/../g", "http://a/g"},
		{"g.", "http://a/b/c/g."},
		{".g", "http://a/b/c/.g"},
		{"g..", "http://a/b/c/g.."},
		{"./../g", "http://a/b/g"},
		{"./g/.", "http://a/b/c/g/"},
		{"g/./h", "http://a/b/c/g/h"},
		{"g/../h", "http://a/b/c/h"},
		{"g?y/../x", "http://a/b/c/g?y/../x"},
		{"https://x/y", "https://x/y"},
		{"mailto:x", "mailto:x"},
	};
	struct http_url base;
	struct err e;

	(void)state;
	assert_int_equal(http_url_parse("http://a/b/c/d;p?q#frag", &base, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = BUF_INIT;

		assert_int_equal(http_url_resolve(&base, cases[i].ref, &b, &e), 0);
		assert_string_equal(buf_str(&b), cases[i].want);
		buf_done(&b);
	}
	http_url_done(&base);
}

static void masked(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"http://u:p@h/", "http://u:***@h/"},
		{"http://u@h/", "http://u@h/"},
		{"http://h/a:b@c", "http://h/a:b@c"},
		{"http://u:p@q@h/", "http://u:***@h/"},
		{"http://u:pa/ss@h/", "http://u:***@h/"},
		{"http://u:pa#ss@h/", "http://u:***@h/"},
		{"//u:p@h", "//u:***@h"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = BUF_INIT;

		http_url_add_masked(cases[i].text, &b);
		assert_string_equal(buf_str(&b), cases[i].want);
		buf_done(&b);
	}
}

static void within(void **state)
{
	(void)state;
	assert_true(http_host_is_within("a.test", "A.test"));
	assert_true(http_host_is_within("x.a.test", "a.test"));
	assert_false(http_host_is_within("xa.test", "a.test"));
	assert_false(http_host_is_within("a.test", "x.a.test"));
	assert_false(http_host_is_within("1.10.0.0.1", "10.0.0.1"));
	assert_true(http_host_is_within("10.0.0.1", "10.0.0.1"));
	assert_false(http_host_is_within("a", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse),
		cmocka_unit_test(destinations),
		cmocka_unit_test(longest),
		cmocka_unit_test(refuse),
		cmocka_unit_test(check),
		cmocka_unit_test(resolve),
		cmocka_unit_test(masked),
		cmocka_unit_test(within),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
