/*
 * The client against a scripted server: what is sent, what comes back, how it fails, what is cancelled.
 */
#include "fixture.h"

static void plain_get(void **state)
{
	struct fixture f;
	struct result r = {0};

	(void)state;
	fixture_open(&f, NULL, NULL);
	get(&f, server_url(&f, "/hello"), &r);
	check_ok(&r, 200, "hello");
	check_has(r.headers, "Content-Type: text/plain\n");
	check_has(r.headers, "Content-Length: 5\n");
	assert_string_equal(r.url, server_url(&f, "/hello"));
	assert_false(r.reused);
	get(&f, server_url(&f, "/hello"), &r);
	check_ok(&r, 200, "hello");
	assert_true(r.reused);
	assert_int_equal(f.server.nconns, 1);
	/* The guard of every test is only worth something when libcurl really was seen at its connect(). */
	assert_true(curl_reconnects > 0 || curl_version_info(CURLVERSION_NOW)->version_num >= 0x080000);
	result_done(&r);
	fixture_close(&f);
}

static void environment_is_ignored(void **state)
{
	struct fixture f;
	struct result r = {0};

	(void)state;
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "socks5h://127.0.0.1:1", 1);
	fixture_open(&f, NULL, NULL);
	get(&f, server_url(&f, "/hello"), &r);
	check_ok(&r, 200, "hello");
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
	result_done(&r);
	fixture_close(&f);
}

/* What the server saw of a request. */
static const char *seen(struct fixture *f, struct http_request *req, struct result *r)
{
	req->url = req->url ? req->url : server_url(f, "/echo");
	send_request(f, req, r);
	if (r->failed)
		fail_msg("failed: %s", r->err.text);
	return r->body;
}

static void default_headers(void **state)
{
	struct fixture f;
	struct result r = {0};
	const char *s;

	(void)state;
	fixture_open(&f, NULL, NULL);
	s = seen(&f, &(struct http_request){.method = "GET", .accept_gzip = true}, &r);
	check_has(s, "GET /echo HTTP/1.1\r\nHost: 127.0.0.1:");
	check_has(s, "\r\nUser-Agent: wippy\r\n");
	check_has(s, "\r\nAccept-Encoding: gzip\r\n");
	check_lacks(s, "\r\nAccept:");
	check_lacks(s, "Content-");
	check_lacks(s, "Expect");
	s = seen(&f, &(struct http_request){.method = "GET"}, &r);
	check_lacks(s, "Accept-Encoding");
	result_done(&r);
	fixture_close(&f);
}

static void own_headers(void **state)
{
	struct http_header h[] = {{"X-A", "1"}, {"User-Agent", "mine"}, {"Accept", "a/b"}, {"Host", "evil"},
		{"Content-Length", "99"}, {"Transfer-Encoding", "chunked"}, {"X-Empty", ""}, {"X-A", "2"},
		{"Cookie", "a=b"}};
	struct http_header no_agent = {"User-Agent", ""};
	struct fixture f;
	struct result r = {0};
	const char *s;

	(void)state;
	fixture_open(&f, NULL, NULL);
	s = seen(&f, &(struct http_request){.method = "GET", .headers = h, .nheaders = ARRAY_LEN(h)}, &r);
	check_has(s, "\r\nX-A: 1\r\n");
	check_has(s, "\r\nX-A: 2\r\n");
	check_has(s, "\r\nUser-Agent: mine\r\n");
	check_has(s, "\r\nAccept: a/b\r\n");
	check_has(s, "\r\nCookie: a=b\r\n");
	check_has(s, "\r\nX-Empty:");
	check_lacks(s, "evil");
	check_lacks(s, "wippy");
	check_lacks(s, "Content-Length");
	check_lacks(s, "Transfer-Encoding");
	s = seen(&f, &(struct http_request){.method = "GET", .headers = &no_agent, .nheaders = 1}, &r);
	check_lacks(s, "User-Agent");
	result_done(&r);
	fixture_close(&f);
}

static void methods_and_bodies(void **state)
{
	struct http_header type = {"Content-Type", "text/x"};
	struct fixture f;
	struct result r = {0};
	const char *s;

	(void)state;
	fixture_open(&f, NULL, NULL);
	s = seen(&f, &(struct http_request){.method = "POST", .has_body = true, .body = "a\0b", .body_len = 3}, &r);
	check_has(s, "POST /echo HTTP/1.1\r\n");
	check_has(s, "\r\nContent-Length: 3\r\n");
	check_lacks(s, "Content-Type");
	assert_memory_equal(r.body + r.body_len - 3, "a\0b", 3);
	s = seen(&f,
		&(struct http_request){
			.method = "PUT", .has_body = true, .body = "x", .body_len = 1, .headers = &type, .nheaders = 1},
		&r);
	check_has(s, "PUT /echo");
	check_has(s, "Content-Type: text/x\r\n");
	s = seen(&f, &(struct http_request){.method = "POST"}, &r);
	check_has(s, "POST /echo");
	check_has(s, "\r\nContent-Length: 0\r\n");
	s = seen(&f, &(struct http_request){.method = "DELETE"}, &r);
	check_has(s, "DELETE /echo");
	check_lacks(s, "Content-Length");
	s = seen(&f, &(struct http_request){.method = "PROPFIND", .has_body = true, .body = "q", .body_len = 1}, &r);
	check_has(s, "PROPFIND /echo");
	check_has(s, "Content-Length: 1\r\n");
	s = seen(&f, &(struct http_request){.method = "GET", .has_body = true, .body = "q", .body_len = 1}, &r);
	check_has(s, "GET /echo");
	check_has(s, "Content-Length: 1\r\n");
	s = seen(&f, &(struct http_request){.method = "GET"}, &r);
	check_has(s, "GET /echo");
	check_lacks(s, "Content-Length");
	send_request(&f, &(struct http_request){.method = "HEAD", .url = server_url(&f, "/hello")}, &r);
	check_ok(&r, 200, "");
	get(&f, server_url(&f, "/status/204"), &r);
	check_ok(&r, 204, "");
	get(&f, server_url(&f, "/status/503"), &r);
	check_ok(&r, 503, "body");
	/* All of them on one connection: whatever was set for one request is gone in the next. */
	assert_int_equal(f.server.nconns, 1);
	result_done(&r);
	fixture_close(&f);
}

static void credentials_in_url(void **state)
{
	struct http_header own = {"Authorization", "Bearer t"};
	struct fixture f;
	struct result r = {0};
	char url[200];

	(void)state;
	fixture_open(&f, NULL, NULL);
	snprintf(url, sizeof(url), "http://user:p%%40ss@127.0.0.1:%d/echo#part", f.server.port);
	check_has(seen(&f, &(struct http_request){.method = "GET", .url = url}, &r),
		"\r\nAuthorization: Basic dXNlcjpwQHNz\r\n");
	check_has(r.body, "GET /echo HTTP/1.1\r\n");
	assert_string_equal(r.url, url);
	seen(&f, &(struct http_request){.method = "GET", .url = url, .headers = &own, .nheaders = 1}, &r);
	check_has(r.body, "\r\nAuthorization: Bearer t\r\n");
	check_lacks(r.body, "Basic");
	result_done(&r);
	fixture_close(&f);
}

static void response_headers(void **state)
{
	struct fixture f;
	struct result r = {0};

	(void)state;
	fixture_open(&f, NULL, NULL);
	get(&f, server_url(&f, "/fields"), &r);
	check_ok(&r, 200, "");
	assert_string_equal(r.headers, "Content-Length: 0\nSet-Cookie: a=1\nX-Request-Id: one two\nSet-Cookie: "
				       "b=2\nX-Fold: one two\nX-Empty: \n");
	get(&f, server_url(&f, "/hints"), &r);
	check_ok(&r, 200, "ok");
	check_lacks(r.headers, "Link");
	check_has(r.headers, "X-Final: 1\n");
	get(&f, server_url(&f, "/chunked"), &r);
	check_ok(&r, 200, "hello world");
	check_lacks(r.headers, "X-T: 1");
	get(&f, server_url(&f, "/manyheaders"), &r);
	check_fails(&r, "server response headers exceeded");
	get(&f, server_url(&f, "/bigheader"), &r);
	check_fails(&r, "server response headers exceeded");
	assert_string_equal(r.err.code, "headers_too_large");
	result_done(&r);
	fixture_close(&f);
}

static void gzip(void **state)
{
	struct fixture f;
	struct result r = {0};
	struct http_request req = {.method = "GET", .accept_gzip = true};

	(void)state;
	fixture_open(&f, NULL, NULL);
	req.url = server_url(&f, "/gzip");
	send_request(&f, &req, &r);
	check_ok(&r, 200,
		"hello hello hello hello hello hello hello hello hello hello "
		"hello hello hello hello hello hello hello hello hello hello ");
	assert_string_equal(r.headers, "X-Kept: 1\n");
	req.accept_gzip = false;
	send_request(&f, &req, &r);
	assert_false(r.failed);
	assert_int_equal(r.body_len, 29);
	check_has(r.headers, "Content-Encoding: gzip\n");
	req.accept_gzip = true;
	req.url = server_url(&f, "/othercoding");
	send_request(&f, &req, &r);
	check_ok(&r, 200, "raw bytes");
	check_has(r.headers, "Content-Encoding: br\n");
	/* and decoding is on again afterwards */
	req.url = server_url(&f, "/gzip");
	send_request(&f, &req, &r);
	assert_int_equal(r.body_len, 120);
	req.url = server_url(&f, "/badgzip");
	send_request(&f, &req, &r);
	check_fails(&r, "gzip: ");
	req.url = server_url(&f, "/bomb");
	req.max_body = 100000;
	send_request(&f, &req, &r);
	check_fails(&r, "response body too large (max 100000 bytes)");
	req.max_body = 400000;
	send_request(&f, &req, &r);
	assert_false(r.failed);
	assert_int_equal(r.body_len, 400000);
	result_done(&r);
	fixture_close(&f);
}

static void body_limit(void **state)
{
	struct fixture f;
	struct result r = {0};
	struct http_request req = {.method = "GET", .max_body = 10};

	(void)state;
	fixture_open(&f, NULL, NULL);
	req.url = server_url(&f, "/big/10");
	send_request(&f, &req, &r);
	check_ok(&r, 200, "abcdefghij");
	req.url = server_url(&f, "/big/11");
	send_request(&f, &req, &r);
	check_fails(&r, "response body too large (max 10 bytes)");
	assert_string_equal(r.err.code, "body_too_large");
	req.url = server_url(&f, "/chunked");
	send_request(&f, &req, &r);
	check_fails(&r, "response body too large (max 10 bytes)");
	req.max_body = 0;
	req.url = server_url(&f, "/big/3000000");
	send_request(&f, &req, &r);
	assert_false(r.failed);
	assert_int_equal(r.body_len, 3000000);
	for (size_t i = 0; i < r.body_len; i++)
		assert_int_equal(r.body[i], 'a' + i % 26);
	result_done(&r);
	fixture_close(&f);
}

/* -- failures ------------------------------------------------------------------------------------------- */

static void bad_requests(void **state)
{
	struct http_header bad_name = {"a b", "1"}, bad_value = {"X-A", "1\r\nX-Evil: 1"};
	struct fixture f;
	struct result r = {0};

	(void)state;
	fixture_open(&f, NULL, NULL);
	get(&f, "ftp://h/", &r);
	check_fails(&r, "Get \"ftp://h/\": unsupported protocol scheme \"ftp\"");
	get(&f, "file:///etc/passwd", &r);
	check_fails(&r, "unsupported protocol scheme \"file\"");
	get(&f, "h/x", &r);
	check_fails(&r, "unsupported protocol scheme \"\"");
	get(&f, "http:///x", &r);
	check_fails(&r, "Get \"http:///x\": http: no Host in request URL");
	get(&f, "http://a b/", &r);
	check_fails(&r, "parse \"http://a b/\": invalid character \" \" in host name");
	get(&f, "http://u:secret@h:x/", &r);
	check_fails(&r, "parse \"http://u:***@h:x/\": invalid port \":x\" after host");
	check_lacks(r.err.text, "secret");
	send_request(&f, &(struct http_request){.method = "B AD", .url = "http://h/"}, &r);
	check_fails(&r, "invalid method \"B AD\"");
	send_request(&f,
		&(struct http_request){.method = "GET", .url = "http://h/", .headers = &bad_name, .nheaders = 1}, &r);
	check_fails(&r, "invalid header field name \"a b\"");
	send_request(&f,
		&(struct http_request){.method = "GET", .url = "http://h/", .headers = &bad_value, .nheaders = 1}, &r);
	check_fails(&r, "invalid header field value for \"X-A\"");
	check_lacks(r.err.text, "Evil");
	assert_int_equal(f.server.nconns, 0);
	result_done(&r);
	fixture_close(&f);
}

static void bad_answers(void **state)
{
	static const struct {
		const char *path, *words, *code;
	} cases[] = {
		{"/noreply", "\": EOF", "eof"},
		{"/reset", "connection reset by peer", "connection_reset"},
		{"/short", "unexpected EOF", "eof"},
		{"/garbage", "malformed HTTP response", "bad_response"},
	};
	struct fixture f;
	struct result r = {0};

	(void)state;
	fixture_open(&f, NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		get(&f, server_url(&f, cases[i].path), &r);
		check_fails(&r, cases[i].words);
		check_has(r.err.text, "Get \"http://127.0.0.1:");
		assert_string_equal(r.err.code, cases[i].code);
	}
	result_done(&r);
	fixture_close(&f);
}

static void no_connection(void **state)
{
	struct fixture f;
	struct result r = {0};

	(void)state;
	fixture_open(&f, NULL, NULL);
	get(&f, "http://127.0.0.1:1/x", &r);
	check_fails(&r, "Get \"http://127.0.0.1:1/x\": dial tcp 127.0.0.1:1: connect: connection refused");
	get(&f, "http://nowhere.invalid/", &r);
	check_fails(&r, "nowhere.invalid");
	check_has(r.err.text, "lookup nowhere.invalid");
	check_has(r.err.text, "no such host");
	get(&f, "http://abc.onion/", &r);
	check_fails(&r, "abc.onion");
	assert_string_equal(r.err.code, "overlay_only_host");
	result_done(&r);
	fixture_close(&f);
}

static void timeouts(void **state)
{
	struct fixture f;
	struct result r = {0};
	struct http_request req = {.method = "GET", .timeout_ns = 60 * 1000000ull};

	(void)state;
	fixture_open(&f, NULL, NULL);
	req.url = server_url(&f, "/silent");
	send_request(&f, &req, &r);
	check_fails(&r, "context deadline exceeded (Client.Timeout exceeded while awaiting headers)");
	assert_string_equal(r.err.code, "timeout_headers");
	req.url = server_url(&f, "/slowbody");
	send_request(&f, &req, &r);
	check_fails(&r, "Client.Timeout or context cancellation while reading body");
	assert_string_equal(r.err.code, "timeout_body");
	/* A handshake that never comes to its end. */
	atomic_store(&f.server.mute, true);
	char url[100];
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/", f.server.port);
	req.url = url;
	send_request(&f, &req, &r);
	check_fails(&r, "context deadline exceeded (Client.Timeout exceeded while awaiting headers)");
	assert_string_equal(r.err.code, "timeout_tls");
	run_for_ms(&f, 30);
	assert_int_equal(f.server.nclosed, f.server.nconns);
	result_done(&r);
	fixture_close(&f);
}

static int refuse(void *arg, const struct addr *a, struct err *e)
{
	int *n = arg;
	char text[ADDR_TEXT_MAX];

	++*n;
	return err_set(e, ERR_PERMISSION_DENIED, "not allowed: private IP %s", addr_format_ip(a, text));
}

static void judge_is_asked(void **state)
{
	struct fixture f;
	struct result r = {0};
	int asked = 0;
	char url[100];
	struct http_request req = {.method = "GET", .judge = refuse, .judge_arg = &asked};

	(void)state;
	fixture_open(&f, NULL, NULL);
	snprintf(url, sizeof(url), "http://a.test:%d/hello", f.server.port);
	req.url = url;
	send_request(&f, &req, &r);
	assert_true(r.failed);
	assert_string_equal(r.err.text, "not allowed: private IP 127.0.0.1");
	assert_int_equal(r.err.kind, ERR_PERMISSION_DENIED);
	assert_int_equal(f.server.nconns, 0);
	/* Somebody else may: the connection stays. It is no way in for the first one. */
	get(&f, url, &r);
	check_ok(&r, 200, "hello");
	asked = 0;
	send_request(&f, &req, &r);
	assert_true(r.failed);
	assert_string_equal(r.err.text, "not allowed: private IP 127.0.0.1");
	assert_int_equal(asked, 1);
	assert_int_equal(f.server.nrequests, 1);
	result_done(&r);
	fixture_close(&f);
}

/* -- cancelling ----------------------------------------------------------------------------------------- */

static void cancel_in_each_phase(void **state)
{
	struct fixture f;
	const char *paths[] = {"/hello", "/silent", "/slowbody", "/big/5000000"};
	struct result r = {0};
	struct http_call *call;

	(void)state;
	fixture_open(&f, NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		for (unsigned ms = 0; ms < 3; ms++) {
			r.f = &f;
			call = http_client_start(f.client,
				&(struct http_request){.method = "GET", .url = server_url(&f, paths[i])}, take_result,
				&r);
			if (ms > 0 && i > 0 && i < 3)
				run_for_ms(&f, ms == 1 ? 1 : 20);
			http_call_cancel(call);
		}
	}
	/* One that has failed already but not said so. */
	call = http_client_start(f.client, &(struct http_request){.method = "GET", .url = "ftp://x/"}, take_result, &r);
	http_call_cancel(call);
	run_for_ms(&f, 30);
	assert_false(r.called);
	get(&f, server_url(&f, "/hello"), &r);
	check_ok(&r, 200, "hello");
	result_done(&r);
	fixture_close(&f);
}

struct canceller {
	struct result r;
	struct http_call *victims[3];
};

static void cancel_others(void *arg, const struct http_response *resp, const struct err *e)
{
	struct canceller *k = arg;

	(void)resp;
	(void)e;
	for (size_t i = 0; i < ARRAY_LEN(k->victims); i++)
		http_call_cancel(k->victims[i]);
	take_result(&k->r, resp, e);
}

static void cancel_from_a_callback(void **state)
{
	struct fixture f;
	struct canceller k = {0};
	struct result r = {0};

	(void)state;
	fixture_open(&f, NULL, NULL);
	k.r.f = r.f = &f;
	/* One more that failed, one waiting, one dialling: the first to be reported ends them all. */
	http_client_start(f.client, &(struct http_request){.method = "GET", .url = "ftp://x/"}, cancel_others, &k);
	k.victims[0] = http_client_start(
		f.client, &(struct http_request){.method = "GET", .url = "ftp://y/"}, take_result, &r);
	k.victims[1] = http_client_start(
		f.client, &(struct http_request){.method = "GET", .url = server_url(&f, "/silent")}, take_result, &r);
	k.victims[2] = http_client_start(
		f.client, &(struct http_request){.method = "GET", .url = "http://nowhere.invalid/"}, take_result, &r);
	run_loop(&f);
	assert_true(k.r.called && k.r.failed);
	run_for_ms(&f, 30);
	assert_false(r.called);
	result_done(&k.r);
	fixture_close(&f);
}

/* -- many ----------------------------------------------------------------------------------------------- */

struct storm {
	struct fixture *f;
	int left_to_start, running, ok;
};

static void storm_done(void *arg, const struct http_response *r, const struct err *e)
{
	struct storm *s = arg;

	s->ok += r && r->status == 200 && !e && buf_len(r->body) == 5;
	s->running--;
	if (s->left_to_start > 0) {
		s->left_to_start--;
		s->running++;
		http_client_start(s->f->client,
			&(struct http_request){.method = "GET", .url = server_url(s->f, "/hello")}, storm_done, s);
	}
	if (s->running == 0)
		loop_stop(s->f->loop);
}

static void many_at_once(void **state)
{
	struct fixture f;
	struct storm s = {.f = &f, .left_to_start = 2000};

	(void)state;
	fixture_open(&f, NULL, NULL);
	for (int i = 0; i < 40; i++) {
		s.running++;
		http_client_start(f.client, &(struct http_request){.method = "GET", .url = server_url(&f, "/hello")},
			storm_done, &s);
	}
	run_loop(&f);
	assert_int_equal(s.ok, 2040);
	/* At most ten stay idle; while forty run, hardly any is opened twice. */
	assert_true(f.server.nconns <= 80);
	run_for_ms(&f, 30);
	assert_in_range(f.server.nconns - f.server.nclosed, 1, 10);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_get),
		cmocka_unit_test(environment_is_ignored),
		cmocka_unit_test(default_headers),
		cmocka_unit_test(own_headers),
		cmocka_unit_test(methods_and_bodies),
		cmocka_unit_test(credentials_in_url),
		cmocka_unit_test(response_headers),
		cmocka_unit_test(gzip),
		cmocka_unit_test(body_limit),
		cmocka_unit_test(bad_requests),
		cmocka_unit_test(bad_answers),
		cmocka_unit_test(no_connection),
		cmocka_unit_test(timeouts),
		cmocka_unit_test(judge_is_asked),
		cmocka_unit_test(cancel_in_each_phase),
		cmocka_unit_test(cancel_from_a_callback),
		cmocka_unit_test(many_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
