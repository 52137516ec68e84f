/*
 * Redirects: which are followed, what the next request says, who is asked.
 */
#include "fixture.h"

static char text[4096];

static const char *redirect(struct fixture *f, const char *host, int code, const char *to)
{
	snprintf(text, sizeof(text), "http://%s:%d/redirect?code=%d&to=%s", host, f->server.port, code, to);
	return text;
}

static void methods(void **state)
{
	static const struct {
		int code;
		const char *method, *next, *body;
	} cases[] = {
		{301, "GET", "GET", ""},
		{302, "GET", "GET", ""},
		{303, "GET", "GET", ""},
		{307, "GET", "GET", ""},
		{308, "GET", "GET", ""},
		{301, "POST", "GET", ""},
		{302, "PUT", "GET", ""},
		{303, "DELETE", "GET", ""},
		{307, "POST", "POST", "data"},
		{308, "PATCH", "PATCH", "data"},
	};
	struct http_header h[] = {{"Content-Type", "text/x"}, {"X-Kept", "1"}};
	struct fixture f;
	struct result r = {0};

	(void)state;
	fixture_open(&f, NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool body = strcmp(cases[i].method, "GET") != 0;
		char want[64];
		const char *end;

		send_request(&f,
			&(struct http_request){.method = cases[i].method,
				.url = redirect(&f, "127.0.0.1", cases[i].code, "/echo"),
				.headers = h,
				.nheaders = 2,
				.has_body = body,
				.body = "data",
				.body_len = body ? 4 : 0},
			&r);
		assert_false(r.failed);
		snprintf(want, sizeof(want), "%s /echo HTTP/1.1\r\n", cases[i].next);
		check_has(r.body, want);
		check_has(r.body, "\r\nX-Kept: 1\r\n");
		end = strstr(r.body, "\r\n\r\n");
		assert_string_equal(end + 4, cases[i].body);
		if (cases[i].code <= 303)
			check_lacks(r.body, "Content-");
		else
			check_has(r.body, "Content-Type: text/x\r\n");
		assert_string_equal(r.url, server_url(&f, "/echo"));
	}
	assert_int_equal(f.server.nconns, 1);
	/* HEAD stays HEAD. */
	send_request(&f, &(struct http_request){.method = "HEAD", .url = server_url(&f, "/chain/0")}, &r);
	result_done(&r);
	fixture_close(&f);
}

static void returned_as_they_are(void **state)
{
	struct fixture f;
	struct result r = {0};

	(void)state;
	fixture_open(&f, NULL, NULL);
	get(&f, server_url(&f, "/redirect?code=302"), &r); /* no Location */
	check_ok(&r, 302, "moved");
	get(&f, redirect(&f, "127.0.0.1", 304, "/echo"), &r);
	assert_int_equal(r.status, 304);
	get(&f, redirect(&f, "127.0.0.1", 300, "/echo"), &r);
	assert_int_equal(r.status, 300);
	get(&f, redirect(&f, "127.0.0.1", 200, "/echo"), &r);
	assert_int_equal(r.status, 200);
	result_done(&r);
	fixture_close(&f);
}

static void limit(void **state)
{
	struct fixture f;
	struct result r = {0};

	(void)state;
	fixture_open(&f, NULL, NULL);
	get(&f, server_url(&f, "/chain/10"), &r);
	check_ok(&r, 200, "end");
	assert_string_equal(r.url, server_url(&f, "/chain/0"));
	get(&f, server_url(&f, "/chain/11"), &r);
	check_fails(&r, "stopped after 10 redirects");
	assert_string_equal(r.err.code, "redirect_limit");
	get(&f, server_url(&f, "/bigredirect"), &r);
	check_ok(&r, 200, "hello");
	result_done(&r);
	fixture_close(&f);
}

static void credentials_stay_home(void **state)
{
	struct http_header h[] = {{"Authorization", "Bearer secret"}, {"Cookie", "a=b"}, {"X-Other", "1"}};
	struct http_request req = {.method = "GET", .headers = h, .nheaders = 3};
	struct fixture f;
	struct result r = {0};
	char to[300], back[600];

	(void)state;
	fixture_open(&f, NULL, NULL);
	snprintf(to, sizeof(to), "http://sub.a.test:%d/echo", f.server.port);
	req.url = redirect(&f, "a.test", 302, to);
	send_request(&f, &req, &r);
	check_has(r.body, "Bearer secret");
	check_has(r.body, "Cookie: a=b");
	snprintf(to, sizeof(to), "http://b.test:%d/echo", f.server.port);
	req.url = redirect(&f, "a.test", 302, to);
	send_request(&f, &req, &r);
	check_lacks(r.body, "secret");
	check_lacks(r.body, "Cookie");
	check_has(r.body, "X-Other: 1\r\n");
	/* and do not come back */
	snprintf(to, sizeof(to), "http://a.test:%d/echo", f.server.port);
	snprintf(back, sizeof(back), "http://b.test:%d/redirect?code=302&to=%s", f.server.port, to);
	req.url = redirect(&f, "a.test", 302, back);
	send_request(&f, &req, &r);
	check_lacks(r.body, "secret");
	/* "nota.test" is no subdomain. */
	snprintf(to, sizeof(to), "http://nota.test:%d/echo", f.server.port);
	req.url = redirect(&f, "a.test", 302, to);
	send_request(&f, &req, &r);
	check_lacks(r.body, "secret");
	result_done(&r);
	fixture_close(&f);
}

static void referer(void **state)
{
	struct http_header own = {"Referer", "http://mine/"};
	struct fixture f;
	struct result r = {0};
	char url[300], want[400];

	(void)state;
	fixture_open(&f, NULL, NULL);
	snprintf(url, sizeof(url), "http://user:pw@127.0.0.1:%d/redirect?code=302&to=/echo#frag", f.server.port);
	get(&f, url, &r);
	snprintf(want, sizeof(want), "\r\nReferer: http://127.0.0.1:%d/redirect?code=302&to=/echo\r\n", f.server.port);
	check_has(r.body, want);
	/* The same authority: its credentials are for it. */
	check_has(r.body, "\r\nAuthorization: Basic dXNlcjpwdw==\r\n");
	send_request(&f,
		&(struct http_request){
			.method = "GET", .url = redirect(&f, "a.test", 302, "/echo"), .headers = &own, .nheaders = 1},
		&r);
	check_has(r.body, "\r\nReferer: http://mine/\r\n");
	check_lacks(r.body, "a.test:0");
	result_done(&r);
	fixture_close(&f);
}

struct watch {
	int urls;
	char last[300];
	const char *refused;
};

static int judge_url(void *arg, const char *url, struct err *e)
{
	struct watch *w = arg;

	w->urls++;
	snprintf(w->last, sizeof(w->last), "%s", url);
	if (w->refused && strstr(url, w->refused))
		return err_set(e, ERR_PERMISSION_DENIED, "not allowed: %s", url);
	return 0;
}

static void hops_are_judged(void **state)
{
	struct fixture f;
	struct watch w = {0};
	struct result r = {0};
	struct http_request req = {.method = "GET", .judge_url = judge_url, .judge_arg = &w};
	int before;

	(void)state;
	fixture_open(&f, NULL, NULL);
	req.url = server_url(&f, "/chain/3");
	send_request(&f, &req, &r);
	check_ok(&r, 200, "end");
	assert_int_equal(w.urls, 3); /* not the first: the caller judged that itself */
	assert_string_equal(w.last, server_url(&f, "/chain/0"));
	w.refused = "/chain/1";
	before = f.server.nrequests;
	req.url = server_url(&f, "/chain/3");
	send_request(&f, &req, &r);
	assert_true(r.failed);
	check_has(r.err.text, "not allowed: http://127.0.0.1:");
	assert_int_equal(strncmp(r.err.text, "not allowed", 11), 0);
	assert_int_equal(r.err.kind, ERR_PERMISSION_DENIED);
	assert_int_equal(f.server.nrequests, before + 2);
	result_done(&r);
	fixture_close(&f);
}

static void bad_targets(void **state)
{
	struct fixture f;
	struct result r = {0};

	(void)state;
	fixture_open(&f, NULL, NULL);
	get(&f, redirect(&f, "127.0.0.1", 302, "ftp://x/y"), &r);
	check_fails(&r, "Get \"ftp://x/y\": unsupported protocol scheme \"ftp\"");
	get(&f, redirect(&f, "127.0.0.1", 302, "file:///etc/passwd"), &r);
	check_fails(&r, "unsupported protocol scheme \"file\"");
	get(&f, redirect(&f, "127.0.0.1", 302, "http://u:secret@h:bad/"), &r);
	check_fails(&r, "failed to parse Location header");
	/* What was asked for is shown with its Location; what came back is not shown with its password. */
	check_lacks(strstr(r.err.text, "failed to parse"), "secret");
	result_done(&r);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(methods),
		cmocka_unit_test(returned_as_they_are),
		cmocka_unit_test(limit),
		cmocka_unit_test(credentials_stay_home),
		cmocka_unit_test(referer),
		cmocka_unit_test(hops_are_judged),
		cmocka_unit_test(bad_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
