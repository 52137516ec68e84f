/*
 * The opening handshake against a scripted server on the loopback: at once and byte by byte, well and badly.
 */
#include "websocket_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "http/websocket_dial.h"
#include "net/addr.h"

enum { CONNS_MAX = 16 };

struct script {
	struct loop *loop;
	int listener;
	unsigned port;
	struct loop_poll *accepts;
	const char *replies
		[CONNS_MAX]; /* one a connection, the last for all further ones; NULL: say nothing. "$A" is the right accept key, "$P" our port */
	size_t step;
	bool closes; /* after the reply */
	unsigned nconns;
	struct conn {
		struct script *s;
		int fd;
		struct loop_poll *poll;
		struct loop_timer timer;
		struct buf request, reply;
		bool answered, ended;
	} conns[CONNS_MAX];

	struct websocket_dial *dial;
	bool done;
	struct transport *transport;
	struct buf early;
	struct websocket_deflate deflate;
	struct err err; /* when there is no transport */
	struct loop_timer watchdog;
};

static void send_some(struct loop_timer *t)
{
	struct conn *c = container_of(t, struct conn, timer);
	size_t n = buf_len(&c->reply);

	if (n == 0) {
		if (c->s->closes)
			shutdown(c->fd, SHUT_WR);
		return;
	}
	if (c->s->step && c->s->step < n)
		n = c->s->step;
	if (send(c->fd, buf_data(&c->reply), n, MSG_NOSIGNAL) < 0)
		return;
	buf_consume(&c->reply, n);
	loop_timer_start_ns(t, 0);
}

static void write_reply(struct conn *c, const char *text)
{
	char accept[WEBSOCKET_ACCEPT_SIZE] = "";
	const char *key = strstr(buf_str(&c->request), "Sec-WebSocket-Key: ");

	if (key) {
		char *only = xmemdupz(key + 19, strcspn(key + 19, "\r"));

		assert_int_equal(strlen(only), 24);
		websocket_accept_key(only, accept);
		free(only);
	}
	for (const char *p = text; *p; p++) {
		if (p[0] == '$' && p[1] == 'A') {
			buf_adds(&c->reply, accept);
			p++;
		} else if (p[0] == '$' && p[1] == 'P') {
			buf_addf(&c->reply, "%u", c->s->port);
			p++;
		} else {
			buf_addc(&c->reply, *p);
		}
	}
	loop_timer_start_ns(&c->timer, 0);
}

static void on_request(void *arg, int events)
{
	struct conn *c = arg;
	char piece[4096];
	ssize_t n = recv(c->fd, piece, sizeof(piece), MSG_DONTWAIT);
	size_t i = (size_t)(c - c->s->conns);

	(void)events;
	if (n <= 0) {
		c->ended = true;
		loop_poll_set(c->poll, 0);
		return;
	}
	buf_add(&c->request, piece, (size_t)n);
	if (c->answered || !strstr(buf_str(&c->request), "\r\n\r\n"))
		return;
	c->answered = true;
	while (i > 0 && !c->s->replies[i])
		i--;
	if (c->s->replies[i])
		write_reply(c, c->s->replies[i]);
}

static void on_accept(void *arg, int events)
{
	struct script *s = arg;
	struct conn *c = &s->conns[s->nconns];

	(void)events;
	assert_true(s->nconns < CONNS_MAX);
	c->fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (c->fd < 0)
		return;
	s->nconns++;
	c->s = s;
	loop_timer_init(&c->timer, s->loop, send_some);
	c->poll = loop_poll_new(s->loop, c->fd, LOOP_READ, on_request, c);
}

static void script_begin(struct script *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);

	signal(SIGPIPE, SIG_IGN);
	s->loop = loop_new();
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(s->listener, 16), 0);
	getsockname(s->listener, (struct sockaddr *)&a, &len);
	s->port = ntohs(a.sin_port);
	s->accepts = loop_poll_new(s->loop, s->listener, LOOP_READ, on_accept, s);
	loop_timer_init(&s->watchdog, s->loop, peer_on_watchdog);
	loop_timer_start_ms(&s->watchdog, 20000);
}

static void script_end(struct script *s)
{
	transport_close(s->transport);
	buf_done(&s->early);
	for (unsigned i = 0; i < s->nconns; i++) {
		struct conn *c = &s->conns[i];

		loop_poll_free(c->poll);
		loop_timer_stop(&c->timer);
		close(c->fd);
		buf_done(&c->request);
		buf_done(&c->reply);
	}
	loop_poll_free(s->accepts);
	close(s->listener);
	loop_timer_stop(&s->watchdog);
	loop_free(s->loop);
}

static void on_dialled(void *arg, const struct websocket_dialled *w, const struct err *e)
{
	struct script *s = arg;

	assert_false(s->done);
	assert_true(!w != !e);
	s->done = true;
	if (w) {
		s->transport = w->transport;
		buf_add(&s->early, w->early, w->nearly);
		s->deflate = w->deflate;
	} else {
		s->err = *e;
	}
	loop_stop(s->loop);
}

static struct websocket_dial_options options_of(struct script *s, const char *url)
{
	return (struct websocket_dial_options){.loop = s->loop, .url = url};
}

/* `url` with "$P" for the port. */
static void dial(struct script *s, const char *url, struct websocket_dial_options opt)
{
	struct buf text = BUF_INIT;

	for (const char *p = url; *p; p++) {
		if (p[0] == '$') {
			buf_addf(&text, "%u", s->port);
			p++;
		} else {
			buf_addc(&text, *p);
		}
	}
	opt.loop = s->loop;
	opt.url = buf_str(&text);
	s->dial = websocket_dial_start(&opt, on_dialled, s);
	buf_done(&text);
	assert_false(s->done);
	loop_run(s->loop);
	assert_true(s->done);
}

#define OK_HEAD                                                                                                   \
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " \
	"$A\r\n"

static void request_as_it_goes_out(void **state)
{
	static const struct http_header headers[] = {{"X-One", "1"}, {"Connection", "close"}, {"Upgrade", "h2c"},
		{"Sec-Websocket-Key", "mine"}, {"Host", "other"}, {"Content-Length", "5"}};
	static const char *const protocols[] = {"chat", "super.chat"};
	struct script s = {.replies = {OK_HEAD "\r\n"}};
	struct websocket_dial_options opt = {.headers = headers,
		.nheaders = ARRAY_LEN(headers),
		.protocols = protocols,
		.nprotocols = 2,
		.deflate = {.on = true}};
	struct buf want = BUF_INIT;
	char *got, *key;

	(void)state;
	script_begin(&s);
	dial(&s, "ws://user:p%40ss@127.0.0.1:$P/a/b?c=d#e", opt);
	assert_non_null(s.transport);
	assert_false(s.deflate.on);
	got = xstrdup(buf_str(&s.conns[0].request));
	key = strstr(got, "Sec-WebSocket-Key: ") + 19;
	memset(key, 'K', 24);
	buf_addf(&want,
		"GET /a/b?c=d HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: KKKKKKKKKKKKKKKKKKKKKKKK\r\n"
		"Sec-WebSocket-Protocol: chat, super.chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"
		"X-One: 1\r\nAuthorization: Basic dXNlcjpwQHNz\r\n\r\n",
		s.port);
	assert_string_equal(got, buf_str(&want));
	free(got);
	buf_done(&want);
	script_end(&s);
}

struct answer_case {
	const char *name;
	const char *reply;
	const char *error; /* NULL: connected; else a part of the text */
	const char *early;
};

static const struct answer_case answers[] = {
	{"plain", OK_HEAD "\r\n", NULL, ""},
	{"with a frame behind", OK_HEAD "\r\n\x81\x02hi", NULL, "\x81\x02hi"},
	{"odd but fine",
		"HTTP/1.1 101\r\nupgrade:WebSocket\r\nCONNECTION: keep-alive, \tupgrade \r\n"
		"sec-websocket-accept:  $A  \r\n\r\n",
		NULL, ""},
	{"line feeds only", "HTTP/1.1 101 x\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Accept: $A\n\n",
		NULL, ""},
	{"two Connection lines",
		"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: a\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Accept: $A\r\n\r\n",
		NULL, ""},
	{"interim answers first",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK_HEAD "\r\n", NULL, ""},
	{"chosen protocol", OK_HEAD "Sec-WebSocket-Protocol: b\r\n\r\n", NULL, ""},
	{"compression", OK_HEAD "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", NULL, ""},
	{"200", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"expected handshake response status code 101 but got 200", ""},
	{"403", "HTTP/1.1 403 Forbidden\r\n\r\n", "expected handshake response status code 101 but got 403", ""},
	{"a redirect to nowhere", "HTTP/1.1 302 Found\r\n\r\n", "status code 101 but got 302", ""},
	{"wrong key",
		"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
		"AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
		"invalid Sec-WebSocket-Accept", ""},
	{"no key", "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
		"invalid Sec-WebSocket-Accept", ""},
	{"two keys", OK_HEAD "Sec-WebSocket-Accept: $A\r\n\r\n", "invalid Sec-WebSocket-Accept", ""},
	{"no Upgrade", "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: $A\r\n\r\n",
		"does not contain websocket", ""},
	{"another Upgrade", "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nSec-WebSocket-Accept: $A\r\n\r\n",
		"does not contain websocket", ""},
	{"no Connection", "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: $A\r\n\r\n",
		"does not contain Upgrade", ""},
	{"a protocol not offered", OK_HEAD "Sec-WebSocket-Protocol: c\r\n\r\n",
		"unexpected Sec-WebSocket-Protocol from server: \"c\"", ""},
	{"two protocols", OK_HEAD "Sec-WebSocket-Protocol: a, b\r\n\r\n", "unexpected Sec-WebSocket-Protocol", ""},
	{"the protocol in another case", OK_HEAD "Sec-WebSocket-Protocol: B\r\n\r\n",
		"unexpected Sec-WebSocket-Protocol", ""},
	{"an extension not offered", OK_HEAD "Sec-WebSocket-Extensions: x\r\n\r\n", "unsupported extensions", ""},
	{"HTTP/1.0", "HTTP/1.0 101 x\r\n\r\n", "malformed HTTP response", ""},
	{"no HTTP", "SSH-2.0-OpenSSH\r\n\r\n", "malformed HTTP response", ""},
	{"no status", "HTTP/1.1 \r\n\r\n", "malformed HTTP response", ""},
	{"four digits", "HTTP/1.1 1010 x\r\n\r\n", "malformed HTTP response", ""},
	{"a line without a colon", OK_HEAD "nonsense\r\n\r\n", "malformed HTTP response", ""},
	{"a continued line", OK_HEAD "X-A: b\r\n c\r\n\r\n", "malformed HTTP response", ""},
	{"a blank before the colon", OK_HEAD "X-A : b\r\n\r\n", "malformed HTTP response", ""},
	{"a bare CR", OK_HEAD "X-A: b\rX-B: c\r\n\r\n", "malformed HTTP response", ""},
	{"a control character", OK_HEAD "X-A: \x01\r\n\r\n", "malformed HTTP response", ""},
	{"nothing", "", "EOF", ""},
	{"half a head", "HTTP/1.1 101 Switching", "EOF", ""},
};

static void try_answer(const struct answer_case *c, size_t step)
{
	static const char *const protocols[] = {"a", "b"};
	struct script s = {.replies = {c->reply}, .step = step, .closes = true};
	struct websocket_dial_options opt = {
		.protocols = protocols, .nprotocols = 2, .deflate = {.on = strcmp(c->name, "compression") == 0}};

	script_begin(&s);
	dial(&s, "ws://127.0.0.1:$P/", opt);
	if (!c->error) {
		if (!s.transport)
			fail_msg("%s (step %zu): %s", c->name, step, s.err.text);
		/* Byte by byte the handshake ends before they are there. */
		if (step == 0)
			assert_string_equal(buf_str(&s.early), c->early);
		assert_int_equal(s.deflate.on, opt.deflate.on);
	} else if (s.transport || !strstr(s.err.text, c->error)) {
		fail_msg("%s (step %zu): %s", c->name, step, s.transport ? "connected" : s.err.text);
	}
	script_end(&s);
}

static void answers_at_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++)
		try_answer(&answers[i], 0);
}

static void answers_byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++)
		try_answer(&answers[i], 1);
}

static void a_head_without_end(void **state)
{
	struct buf reply = BUF_INIT;

	(void)state;
	for (int how = 0; how < 2; how++) {
		struct script s = {0};

		buf_adds(&reply, how ? OK_HEAD : "");
		while (buf_len(&reply) < 100000)
			buf_adds(&reply, how ? "X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"
					     : "HTTP/1.1 100 Continue\r\n\r\n");
		s.replies[0] = buf_str(&reply);
		script_begin(&s);
		dial(&s, "ws://127.0.0.1:$P/", (struct websocket_dial_options){0});
		assert_non_null(strstr(s.err.text, "server response headers exceeded 65536 bytes"));
		script_end(&s);
		buf_clear(&reply);
	}
	buf_done(&reply);
}

static void what_cannot_be_dialled(void **state)
{
	static const struct http_header bad_name[] = {{"a b", "c"}}, bad_value[] = {{"a", "b\r\nc: d"}};
	static const char *const bad_protocol[] = {"a\r\nb"};
	static const struct {
		const char *url;
		struct websocket_dial_options opt;
		const char *error;
	} cases[] = {
		{"ftp://127.0.0.1/", {0}, "unexpected url scheme: \"ftp\""},
		{"127.0.0.1", {0}, "unexpected url scheme: \"\""},
		{"ws://", {0}, "no Host in request URL"},
		{"ws://a b/", {0}, "invalid character \" \" in host name"},
		{"ws://127.0.0.1:99999/", {0}, "port"},
		{"ws://127.0.0.1/", {.headers = bad_name, .nheaders = 1}, "invalid header field name"},
		{"ws://127.0.0.1/", {.headers = bad_value, .nheaders = 1}, "invalid header field value"},
		{"ws://127.0.0.1/", {.protocols = bad_protocol, .nprotocols = 1}, "invalid subprotocol"},
		{"ws://127.0.0.1:1/", {0}, "connection refused"},
		{"ws://x.onion/", {0}, "choose an overlay for it"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct script s = {0};

		script_begin(&s);
		dial(&s, cases[i].url, cases[i].opt);
		if (s.transport || !strstr(s.err.text, cases[i].error))
			fail_msg("%s: %s", cases[i].url, s.err.text);
		assert_int_equal(s.nconns, 0);
		script_end(&s);
	}
}

static void a_server_that_says_nothing(void **state)
{
	struct script s = {0};
	uint64_t began = loop_clock_ns();

	(void)state;
	script_begin(&s);
	dial(&s, "ws://127.0.0.1:$P/", (struct websocket_dial_options){.timeout_ns = 100000000});
	assert_string_equal(s.err.text, "context deadline exceeded (phase: handshake)");
	assert_in_range((loop_clock_ns() - began) / 1000000, 95, 3000);
	script_end(&s);
}

static int refuse_second(void *arg, const char *url, struct err *e)
{
	(void)arg;
	if (!strstr(url, "/second"))
		return 0;
	return err_set(e, ERR_PERMISSION_DENIED, "not allowed: %s", url);
}

static void redirects(void **state)
{
	static const struct http_header headers[] = {{"Cookie", "c=1"}, {"X-Keep", "1"}};
	struct script s = {.replies = {"HTTP/1.1 302 Found\r\nLocation: /second?x\r\nContent-Length: 3\r\n\r\nabc",
				   "HTTP/1.1 307 x\r\nLocation: ws://localhost:$P/third\r\n\r\n", OK_HEAD "\r\n"}};
	struct websocket_dial_options opt = {.headers = headers, .nheaders = 2};

	(void)state;
	script_begin(&s);
	dial(&s, "ws://u:p@127.0.0.1:$P/first", opt);
	assert_non_null(s.transport);
	assert_int_equal(s.nconns, 3);
	assert_non_null(strstr(buf_str(&s.conns[0].request), "Authorization: Basic"));
	assert_non_null(strstr(buf_str(&s.conns[0].request), "Cookie: c=1"));
	assert_non_null(strstr(buf_str(&s.conns[1].request), "GET /second?x HTTP/1.1"));
	assert_non_null(strstr(buf_str(&s.conns[1].request), "Cookie: c=1"));
	assert_non_null(strstr(buf_str(&s.conns[1].request), "Referer: http://127.0.0.1:"));
	/* Another host: what was meant for the first is not said to it. */
	assert_non_null(strstr(buf_str(&s.conns[2].request), "GET /third HTTP/1.1"));
	assert_null(strstr(buf_str(&s.conns[2].request), "Cookie"));
	assert_null(strstr(buf_str(&s.conns[2].request), "Authorization"));
	assert_non_null(strstr(buf_str(&s.conns[2].request), "X-Keep: 1"));
	script_end(&s);
}

static void redirects_that_are_not_followed(void **state)
{
	static const struct {
		const char *location;
		const char *error;
	} cases[] = {
		{"/second", "not allowed: http://127.0.0.1:"},
		{"/again", "stopped after 10 redirects"},
		{"ftp://127.0.0.1/", "unexpected url scheme: \"ftp\""},
		{"ws://a b/", "failed to parse Location header"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct script s = {0};
		char *reply = xasprintf("HTTP/1.1 301 Moved\r\nLocation: %s\r\n\r\n", cases[i].location);

		s.replies[0] = reply;
		script_begin(&s);
		dial(&s, "ws://127.0.0.1:$P/", (struct websocket_dial_options){.judge_url = refuse_second});
		if (s.transport || !strstr(s.err.text, cases[i].error))
			fail_msg("%s: %s", cases[i].location, s.err.text);
		script_end(&s);
		free(reply);
	}
}

static void stop_loop(struct loop_timer *t)
{
	loop_stop(t->loop);
}

/* Cancelled after so many microseconds: in the dial, while the answer comes, or after a redirect. */
static void cancelled_at_any_time(void **state)
{
	(void)state;
	for (unsigned us = 0; us < 4000; us += 100) {
		struct script s = {
			.replies = {"HTTP/1.1 302 Found\r\nLocation: /second\r\n\r\n", OK_HEAD "\r\n"}, .step = 1};
		struct loop_timer timer;
		struct websocket_dial_options opt;
		char url[64];

		script_begin(&s);
		snprintf(url, sizeof(url), "ws://127.0.0.1:%u/", s.port);
		opt = options_of(&s, url);
		s.dial = websocket_dial_start(&opt, on_dialled, &s);
		loop_timer_init(&timer, s.loop, stop_loop);
		loop_timer_start_ns(&timer, us * 1000);
		loop_run(s.loop);
		loop_timer_stop(&timer);
		if (!s.done) {
			websocket_dial_cancel(s.dial);
			loop_timer_start_ms(&timer, 1);
			loop_run(s.loop);
			assert_false(s.done);
		}
		script_end(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_as_it_goes_out),
		cmocka_unit_test(answers_at_once),
		cmocka_unit_test(answers_byte_by_byte),
		cmocka_unit_test(a_head_without_end),
		cmocka_unit_test(what_cannot_be_dialled),
		cmocka_unit_test(a_server_that_says_nothing),
		cmocka_unit_test(redirects),
		cmocka_unit_test(redirects_that_are_not_followed),
		cmocka_unit_test(cancelled_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
