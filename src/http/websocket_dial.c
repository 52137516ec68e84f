/*
 * websocket_dial.c - see websocket_dial.h
 */
#include "http/websocket_dial.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "http/internal.h"
#include "http/websocket_handshake.h"

struct websocket_dial {
	struct loop *loop;
	websocket_dialled_fn *done;
	void *arg;
	struct http_header_set headers;
	char *protocols; /* NULL: none */
	struct overlay *overlay;
	uint64_t owner;
	struct tls_client *tls;
	struct websocket_deflate want;
	int (*judge_url)(void *arg, const char *url, struct err *e);
	void *judge_arg;
	struct http_trace *ret_way;
	uint64_t begun_ns;
	uint64_t deadline_ns;
	struct loop_timer timer;  /* the deadline, or that of the TLS handshake */
	struct loop_timer report; /* armed: it failed before anything could be dialled */
	struct err err;

	/* The present hop. */
	struct http_url url;
	char *origin_host; /* of the first, once there is another */
	char *referer;
	struct secret *userinfo_auth;
	unsigned redirects;
	char isolation_key[ISOLATION_KEY_MAX];
	char key[WEBSOCKET_KEY_SIZE];
	struct dial *dial;
	struct dial_trace trace;
	struct transport *transport;
	struct loop_poll *poll;
	struct buf out;
	struct buf in;
	struct websocket_answer answer;
};

/* Leave the hop. */
static void stop(struct websocket_dial *d)
{
	dial_cancel(d->dial);
	d->dial = NULL;
	loop_poll_free(d->poll);
	d->poll = NULL;
	transport_close(d->transport);
	d->transport = NULL;
	buf_done(&d->out);
	buf_done(&d->in);
	websocket_answer_reset(&d->answer);
}

static void destroy(struct websocket_dial *d)
{
	stop(d);
	loop_timer_stop(&d->timer);
	loop_timer_stop(&d->report);
	http_header_set_done(&d->headers);
	free(d->protocols);
	overlay_unref(d->overlay);
	tls_client_unref(d->tls);
	http_url_done(&d->url);
	free(d->origin_host);
	free(d->referer);
	secret_free(d->userinfo_auth);
	free(d);
}

static const char *phase_name(const struct websocket_dial *d)
{
	if (d->transport)
		return transport_is_ready(d->transport) ? "response" : "tls";
	if (!d->trace.begun_ns)
		return d->dial ? "dial" : "start";
	return d->overlay && d->trace.connected_ns ? "handshake" : "dial";
}

static uint64_t between(uint64_t from_ns, uint64_t to_ns)
{
	return from_ns && to_ns > from_ns ? to_ns - from_ns : 0;
}

static void describe_way(const struct websocket_dial *d, struct http_trace *ret)
{
	*ret = (struct http_trace){
		.resolver = d->trace.resolver,
		.phase = phase_name(d),
		.dial_ns = between(d->trace.begun_ns, d->trace.connected_ns),
		.handshake_ns = between(d->trace.connected_ns, d->trace.ready_ns),
		.total_ns = between(d->begun_ns, loop_clock_ns()),
	};
	memcpy(ret->isolation_key, d->isolation_key, sizeof(ret->isolation_key));
}

static void fail(struct websocket_dial *d, const struct err *e)
{
	websocket_dialled_fn *done = d->done;
	void *arg = d->arg;
	struct err why = *e; /* it may be the transport's */

	if (d->ret_way)
		describe_way(d, d->ret_way);
	destroy(d);
	done(arg, NULL, &why);
}

static void on_report(struct loop_timer *t)
{
	struct websocket_dial *d = container_of(t, struct websocket_dial, report);

	fail(d, &d->err);
}

/* -- URLs --------------------------------------------------------------------------------------------- */

/* Parse a URL whose scheme may be ws or wss: the same as http and https in all but name. */
static int parse_url(const char *text, struct http_url *u, struct err *e)
{
	struct buf plain = BUF_INIT;
	int rc;

	if (strncasecmp(text, "ws:", 3) == 0)
		buf_addf(&plain, "http:%s", text + 3);
	else if (strncasecmp(text, "wss:", 4) == 0)
		buf_addf(&plain, "https:%s", text + 4);
	else
		buf_adds(&plain, text);
	rc = http_url_parse(buf_str(&plain), u, e);
	buf_done(&plain);
	if (rc < 0)
		return -1;
	if (strcmp(u->scheme, "http") != 0 && strcmp(u->scheme, "https") != 0) {
		err_set(e, ERR_INVALID, "unexpected url scheme: \"%.40s\"", u->scheme);
		err_code(e, "unsupported_scheme");
	} else if (http_url_check(u, e) == 0) {
		return 0;
	}
	http_url_done(u);
	return -1;
}

static bool is_redirect(const struct websocket_answer *a)
{
	switch (a->status) {
	case 301:
	case 302:
	case 303:
	case 307:
	case 308:
		return buf_len(&a->location) > 0;
	default:
		return false;
	}
}

/* As the HTTP client does (redirect.c): credentials stay with the host they were meant for, and out of the clear. */
static int follow(struct websocket_dial *d, struct err *e)
{
	struct buf text = BUF_INIT;
	struct http_url next;
	int rc = -1;

	if (d->redirects >= HTTP_REDIRECTS_MAX) {
		err_set(e, ERR_INTERNAL, "stopped after %d redirects", HTTP_REDIRECTS_MAX);
		return err_code(e, "redirect_limit");
	}
	d->redirects++;
	if (http_url_resolve(&d->url, buf_str(&d->answer.location), &text, e) < 0 ||
		parse_url(buf_str(&text), &next, e) < 0) {
		err_prefix(e, "failed to parse Location header");
		goto out;
	}
	if (d->judge_url && d->judge_url(d->judge_arg, buf_str(&text), e) < 0) {
		http_url_done(&next);
		goto out;
	}
	if (!d->origin_host)
		d->origin_host = xstrdup(d->url.host);
	if (!http_host_is_within(next.host, d->origin_host) || (d->url.is_tls && !next.is_tls))
		http_header_set_drop(&d->headers, http_header_is_credential);
	free(d->referer);
	d->referer = NULL;
	if (!d->url.is_tls || next.is_tls) {
		struct buf referer = BUF_INIT;

		http_url_add_plain(&d->url, &referer);
		d->referer = buf_detach(&referer, NULL);
	}
	http_url_done(&d->url);
	d->url = next;
	secret_free(d->userinfo_auth);
	d->userinfo_auth = http_basic_auth(next.userinfo);
	rc = 0;
out:
	buf_done(&text);
	return rc;
}

/* -- the handshake ------------------------------------------------------------------------------------ */

static void begin_hop(struct websocket_dial *d);

static struct websocket_request request_of(const struct websocket_dial *d)
{
	return (struct websocket_request){
		.url = &d->url,
		.headers = &d->headers,
		.key = d->key,
		.protocols = d->protocols,
		.deflate = &d->want,
		.authorization = secret_reveal(d->userinfo_auth),
		.referer = d->referer,
	};
}

static void answered(struct websocket_dial *d)
{
	struct websocket_request r = request_of(d);
	struct websocket_dialled w = {0};
	websocket_dialled_fn *done = d->done;
	void *arg = d->arg;
	struct buf early;
	struct err e;

	if (is_redirect(&d->answer)) {
		if (follow(d, &e) < 0) {
			fail(d, &e);
			return;
		}
		stop(d);
		begin_hop(d);
		return;
	}
	if (websocket_answer_check(&d->answer, &r, &w.deflate, &e) < 0) {
		fail(d, &e);
		return;
	}
	loop_poll_free(d->poll);
	d->poll = NULL;
	w.transport = d->transport;
	d->transport = NULL;
	early = d->in;
	d->in = BUF_INIT;
	w.early = buf_data(&early);
	w.nearly = buf_len(&early);
	destroy(d);
	done(arg, &w, NULL);
	buf_done(&early);
}

static void arm_timer(struct websocket_dial *d, uint64_t limit_ms)
{
	uint64_t due = d->deadline_ns;

	if (limit_ms && loop_clock_ns() + limit_ms * 1000000 < due)
		due = loop_clock_ns() + limit_ms * 1000000;
	loop_timer_start_at(&d->timer, due);
}

static void on_late(struct loop_timer *t)
{
	struct websocket_dial *d = container_of(t, struct websocket_dial, timer);
	struct err e;

	if (loop_clock_ns() < d->deadline_ns) {
		err_set(&e, ERR_TIMEOUT, "net/http: TLS handshake timeout");
		err_code(&e, "timeout_tls");
	} else {
		const char *phase = d->dial ? "dial" : transport_is_ready(d->transport) ? "handshake" : "TLS handshake";

		err_set(&e, ERR_TIMEOUT, "context deadline exceeded (phase: %s)", phase);
		err_code(&e, d->dial ? "timeout_dial" : "timeout_headers");
	}
	fail(d, &e);
}

/* -1: failed, and `d` is gone. */
static int write_some(struct websocket_dial *d, int *events)
{
	while (buf_len(&d->out) > 0) {
		ssize_t n = transport_write(d->transport, buf_data(&d->out), buf_len(&d->out));

		if (n == TRANSPORT_AGAIN) {
			*events |= transport_write_events(d->transport);
			return 0;
		}
		if (n < 0) {
			fail(d, transport_error(d->transport));
			return -1;
		}
		buf_consume(&d->out, (size_t)n);
	}
	return 0;
}

/* 1: the answer is whole, -1: failed, and `d` is gone. */
static int read_some(struct websocket_dial *d, int *events)
{
	struct err e;
	int rc;

	for (;;) {
		char piece[4096];
		ssize_t n = transport_read(d->transport, piece, sizeof(piece));

		if (n == TRANSPORT_AGAIN) {
			*events |= transport_read_events(d->transport);
			return 0;
		}
		if (n < 0) {
			fail(d, transport_error(d->transport));
			return -1;
		}
		if (n == 0) {
			err_set(&e, ERR_UNAVAILABLE, "EOF (the server closed the connection before it answered)");
			err_code(&e, "eof");
			fail(d, &e);
			return -1;
		}
		buf_add(&d->in, piece, (size_t)n);
		rc = websocket_answer_take(&d->answer, &d->in, &e);
		if (rc < 0)
			fail(d, &e);
		if (rc != 0)
			return rc;
	}
}

static void on_ready(void *arg, int ready)
{
	struct websocket_dial *d = arg;
	int events = 0, rc;
	bool was_ready = transport_is_ready(d->transport);

	(void)ready;
	/* What the server says counts also when it does not take the request. */
	if (write_some(d, &events) < 0)
		return;
	rc = read_some(d, &events);
	if (rc < 0)
		return;
	if (rc > 0) {
		answered(d);
		return;
	}
	if (!was_ready && transport_is_ready(d->transport))
		arm_timer(d, 0);
	loop_poll_set(d->poll, events);
}

static void dialled(void *arg, int fd, const struct dial_trace *trace, const struct err *e)
{
	struct websocket_dial *d = arg;
	struct websocket_request r = request_of(d);

	d->trace = *trace;
	d->dial = NULL;
	if (fd < 0) {
		struct err why = *e;

		if (why.kind == ERR_TIMEOUT)
			err_prefix(&why, "context deadline exceeded");
		fail(d, &why);
		return;
	}
	d->transport = d->url.is_tls ? transport_tls_connect(fd, d->tls, d->url.host) : transport_plain(fd);
	arm_timer(d, d->url.is_tls ? WEBSOCKET_TLS_MS : 0);
	websocket_write_request(&r, &d->out);
	d->poll = loop_poll_new(d->loop, fd, LOOP_READ | LOOP_WRITE, on_ready, d);
}

static void begin_hop(struct websocket_dial *d)
{
	uint64_t limit = loop_clock_ns() + (uint64_t)WEBSOCKET_CONNECT_MS * 1000000;
	struct dial_options opt = {
		.loop = d->loop,
		.overlay = d->overlay,
		.host = d->url.target_host,
		.port = d->url.port,
		.deadline_ns = !d->overlay && limit < d->deadline_ns ? limit : d->deadline_ns,
		.isolation_key = d->isolation_key,
	};

	websocket_make_key(d->key);
	overlay_isolation_key(d->overlay, d->owner, d->url.host, d->isolation_key);
	memset(&d->trace, 0, sizeof(d->trace));
	d->dial = overlay_dial(&opt, dialled, d);
	/* The dial has the same deadline and says better what it waited for; should it be late, ours is behind it. */
	loop_timer_start_at(&d->timer, d->deadline_ns + 100000000);
}

/* -- for the user ------------------------------------------------------------------------------------- */

static int take_protocols(struct websocket_dial *d, const struct websocket_dial_options *opt, struct err *e)
{
	struct buf all = BUF_INIT;

	for (size_t i = 0; i < opt->nprotocols; i++) {
		if (!http_is_token(opt->protocols[i])) {
			buf_done(&all);
			err_set(e, ERR_INVALID,
				"invalid subprotocol: only letters, digits and !#$%%&'*+-.^_`|~ "
				"can be in its name");
			return err_code(e, "bad_protocol");
		}
		if (buf_len(&all) > 0)
			buf_adds(&all, ", ");
		buf_adds(&all, opt->protocols[i]);
	}
	if (buf_len(&all) > 0)
		d->protocols = buf_detach(&all, NULL);
	return 0;
}

struct websocket_dial *websocket_dial_start(
	const struct websocket_dial_options *opt, websocket_dialled_fn *done, void *arg)
{
	struct websocket_dial *d = xcalloc(1, sizeof(*d));
	uint64_t limit_ns = opt->timeout_ns ? opt->timeout_ns : (uint64_t)WEBSOCKET_DIAL_MS * 1000000;

	d->loop = opt->loop;
	d->done = done;
	d->arg = arg;
	d->overlay = opt->overlay ? overlay_ref(opt->overlay) : NULL;
	d->owner = opt->owner;
	d->tls = opt->tls ? tls_client_ref(opt->tls) : NULL;
	d->want = opt->deflate;
	d->judge_url = opt->judge_url;
	d->judge_arg = opt->judge_arg;
	d->ret_way = opt->ret_way;
	d->begun_ns = loop_clock_ns();
	d->deadline_ns = d->begun_ns + limit_ns;
	loop_timer_init(&d->timer, d->loop, on_late);
	loop_timer_init(&d->report, d->loop, on_report);
	if (parse_url(opt->url, &d->url, &d->err) < 0 ||
		http_header_set_init(&d->headers, opt->headers, opt->nheaders, &d->err) < 0 ||
		take_protocols(d, opt, &d->err) < 0) {
		loop_timer_start_ns(&d->report, 0);
		return d;
	}
	d->userinfo_auth = http_basic_auth(d->url.userinfo);
	begin_hop(d);
	return d;
}

void websocket_dial_cancel(struct websocket_dial *d)
{
	if (d)
		destroy(d);
}
