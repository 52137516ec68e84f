#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "http/internal.h"

enum { DIAL_GRACE_MS = 100 };

/*
 * One exchange: hop by hop through begin_hop() (which connections may be used?), run() (libcurl has the request) and
 * dial() (it found no connection), until a response that is no redirect, a failure or the deadline ends it.
 */

/* -- making and ending -------------------------------------------------------------------------------- */

struct http_call *http_call_new(struct http_client *c, const struct http_request *req, http_done_fn *done, void *arg)
{
	struct http_call *call = xcalloc(1, sizeof(*call));

	call->client = c;
	call->done = done;
	call->arg = arg;
	/* Names the request in errors, also when it is no method. */
	snprintf(call->first_method, sizeof(call->first_method), "%s", req->method);
	call->max_body = req->max_body ? req->max_body : HTTP_BODY_BYTES_DEFAULT;
	call->is_stream = req->stream;
	call->accept_gzip = req->accept_gzip;
	call->overlay = req->overlay ? overlay_ref(req->overlay) : NULL;
	call->unix_socket = req->unix_socket ? xstrdup(req->unix_socket) : NULL;
	call->judge = req->judge;
	call->judge_url = req->judge_url;
	call->judge_arg = req->judge_arg;
	call->fd = -1;
	call->begun_ns = loop_clock_ns();
	call->deadline_ns = call->begun_ns + (req->timeout_ns ? req->timeout_ns : c->cfg.timeout_ms * 1000000);
	http_head_init(&call->head);
	list_init(&call->ready_link);
	list_init(&call->in_conn);
	list_push_back(&c->calls, &call->link);
	return call;
}

/* Unix sockets have no ports to be told apart by: a kept-alive one is only known if libcurl had to wait for it, or
 * afterwards. */
static void learn_conn(struct http_call *call)
{
	curl_socket_t fd = CURL_SOCKET_BAD;
	struct http_conn *conn;

	if (call->conn || !call->unix_socket)
		return;
	curl_easy_getinfo(call->handle->easy, CURLINFO_ACTIVESOCKET, &fd);
	conn = http_conn_find(call->client, fd);
	if (conn && conn->route == call->route)
		http_conn_attach(conn, call);
}

/* Leave libcurl and the gate; connections in the middle of something are closed. */
static void stop(struct http_call *call)
{
	struct http_client *c = call->client;

	dial_cancel(call->dial);
	call->dial = NULL;
	if (call->handle) {
		if (call->handle->in_multi) {
			learn_conn(call);
			curl_multi_remove_handle(c->multi, call->handle->easy);
			call->handle->in_multi = false;
			call->route->running--;
		}
		/* Unless libcurl has closed it. */
		http_conn_detach(call);
		http_handle_give(call->handle);
		call->handle = NULL;
	}
	if (call->fd >= 0)
		close(call->fd);
	call->fd = -1;
	http_route_put(call->route);
	call->route = NULL;
	call->tls_deadline_ns = 0;
	call->paused = false;
}

void http_call_free(struct http_call *call)
{
	stop(call);
	if (call->timer.loop)
		loop_timer_stop(&call->timer);
	list_remove(&call->link);
	list_remove(&call->ready_link);
	http_header_set_done(&call->headers);
	http_header_list_done(&call->list);
	http_head_done(&call->head);
	http_url_done(&call->url);
	http_tls_free(call->tls);
	if (call->overlay)
		overlay_unref(call->overlay);
	buf_done(&call->body_in);
	free(call->body);
	free(call->unix_socket);
	free(call->origin_host);
	free(call->referer);
	secret_free(call->userinfo_auth);
	free(call);
}

void http_call_cancel(struct http_call *call)
{
	struct http_client *c = call->client;

	http_call_free(call);
	/* Another transfer may have waited for what this one held. */
	if (c->kick)
		http_client_act(c, CURL_SOCKET_TIMEOUT, 0);
	http_client_report_later(c);
}

void http_call_ready(struct http_call *call)
{
	if (!list_is_linked(&call->ready_link))
		list_push_back(&call->client->ready, &call->ready_link);
}

static void finish(struct http_call *call, bool failed)
{
	stop(call);
	if (call->timer.loop)
		loop_timer_stop(&call->timer);
	call->finished = true;
	call->failed = failed;
	call->ended_in = call->phase;
	call->phase = HTTP_PHASE_OVER;
	http_call_ready(call);
}

/* The response of a stream is its head: whatever happens to the body, the caller learns by reading. */
static bool has_stream_head(const struct http_call *call)
{
	return call->is_stream && call->head.complete && !call->redirecting;
}

void http_call_fail(struct http_call *call, bool raw)
{
	if (!raw && !has_stream_head(call))
		http_error_name_request(&call->err, call->first_method, call->url.text ? call->url.text : "");
	finish(call, true);
}

/* What the request itself makes impossible is a failure of the exchange too. */
static void fail_early(struct http_call *call)
{
	call->err.kind = ERR_INTERNAL;
	call->err.retry = ERR_RETRY_YES;
	http_call_fail(call, true);
}

static void fail_timeout(struct http_call *call)
{
	http_timeout_text(call->phase, &call->err);
	http_call_fail(call, false);
}

static void arm_timer(struct http_call *call)
{
	uint64_t due = call->deadline_ns;

	if (call->tls_deadline_ns && call->tls_deadline_ns < due)
		due = call->tls_deadline_ns;
	loop_timer_start_at(&call->timer, due);
}

static void timer_fired(struct loop_timer *t)
{
	struct http_call *call = container_of(t, struct http_call, timer);
	struct http_client *c = call->client;

	if (loop_clock_ns() >= call->deadline_ns) {
		/* The dial has the same deadline, and knows what it was waiting for. */
		if (call->dial && !call->dial_is_late) {
			call->dial_is_late = true;
			loop_timer_start_ms(t, DIAL_GRACE_MS);
			return;
		}
		fail_timeout(call);
	} else {
		err_set(&call->err, ERR_INTERNAL, "net/http: TLS handshake timeout");
		err_code(&call->err, "timeout_tls");
		http_call_fail(call, false);
	}
	http_client_report(c);
}

void http_client_end_generation(struct http_client *c, uint64_t gen)
{
	http_client_drop_generation(c, gen);
	list_for_each_safe(l, tmp, &c->calls) {
		struct http_call *call = list_entry(l, struct http_call, link);

		if (call->finished || !call->overlay || overlay_generation(call->overlay) != gen)
			continue;
		err_set(&call->err, ERR_UNAVAILABLE,
			"the overlay network '%.256s' was replaced, and the time to finish is over",
			overlay_id(call->overlay));
		err_retryable(&call->err);
		err_code(&call->err, "overlay_replaced");
		http_call_fail(call, false);
	}
	/* Routes that calls made after the first time are gone from use now, too. */
	http_client_drop_generation(c, gen);
	http_client_report_later(c);
}

/* -- hops --------------------------------------------------------------------------------------------- */

static void run(struct http_call *call)
{
	struct http_client *c = call->client;

	call->phase = HTTP_PHASE_HEADERS;
	if (!call->handle)
		call->handle = http_handle_take(c);
	http_handle_setup(call->handle, call);
	call->handle->in_multi = true;
	call->route->running++;
	curl_multi_add_handle(c->multi, call->handle->easy);
	http_client_act(c, CURL_SOCKET_TIMEOUT, 0);
}

static int judge_dial(void *arg, const struct addr *a, struct err *e)
{
	struct http_call *call = arg;

	if (!call->judge || call->judge(call->judge_arg, a, e) == 0)
		return 0;
	call->err = *e;
	call->judged = true;
	return -1;
}

static void dialled(void *arg, int fd, const struct dial_trace *trace, const struct err *e)
{
	struct http_call *call = arg;
	struct http_client *c = call->client;

	call->dial = NULL;
	call->trace = *trace;
	if (fd >= 0) {
		call->fd = fd;
		call->is_fresh = true;
		run(call);
	} else if (call->judged) {
		http_call_fail(call, true);
	} else if (e->kind == ERR_TIMEOUT && loop_clock_ns() >= call->deadline_ns) {
		http_dial_timeout_text(e, &call->err);
		http_call_fail(call, false);
	} else {
		call->err = *e;
		http_call_fail(call, false);
	}
	http_client_report(c);
}

static void dial(struct http_call *call)
{
	uint64_t limit = loop_clock_ns() + (uint64_t)HTTP_CONNECT_MS * 1000000;
	struct dial_options opt = {
		.loop = call->client->loop,
		.overlay = call->overlay,
		.host = call->url.host,
		.port = call->url.port,
		.deadline_ns = !call->overlay && limit < call->deadline_ns ? limit : call->deadline_ns,
		.isolation_key = call->isolation_key,
		.judge = judge_dial,
		.judge_arg = call,
	};

	call->phase = HTTP_PHASE_DIAL;
	call->dials++;
	call->dial = overlay_dial(&opt, dialled, call);
}

static int begin_hop(struct http_call *call)
{
	/* With `isolation: host` the next hop may be someone else's. */
	if (call->owner)
		overlay_isolation_key(call->overlay, call->owner, call->url.host, call->isolation_key);

	struct http_route_id id = {
		.generation = call->overlay ? overlay_generation(call->overlay) : 0,
		.isolation_key = call->isolation_key,
		.unix_socket = call->unix_socket,
		.tls_fingerprint = call->url.is_tls && call->tls ? call->tls->fingerprint : NULL,
		.url = &call->url,
	};
	struct addr a;

	call->dials = call->attempts = 0;
	call->is_fresh = call->wants_dial = call->redirecting = call->hop_over = false;
	call->discarded = 0;
	call->phase = HTTP_PHASE_START;
	call->tls_begun_ns = call->request_ns = call->head_ns = 0;
	memset(&call->trace, 0, sizeof(call->trace));
	if (http_url_check(&call->url, &call->err) < 0)
		return -1;
	/* The far side of an overlay has private networks too; names stay unresolved and are its own business. */
	if (call->overlay && addr_from_literal(call->url.host, call->url.port, &a) &&
		judge_dial(call, &a, &call->err) < 0)
		return -1;
	call->route = http_route_get(call->client, &id);
	if (http_route_may_reuse(call->route))
		run(call);
	else
		dial(call);
	return 0;
}

static void fail_hop(struct http_call *call)
{
	http_call_fail(call, call->judged);
}

static void next_hop(struct http_call *call)
{
	int rc = http_redirect_follow(call, http_head_get(&call->head, "Location"));

	http_head_reset(&call->head);
	buf_clear(&call->body_in);
	if (rc < 0) {
		fail_hop(call);
		return;
	}
	if (call->judge_url && call->judge_url(call->judge_arg, call->url.text, &call->err) < 0) {
		call->judged = true;
		fail_hop(call);
		return;
	}
	if (begin_hop(call) < 0)
		fail_hop(call);
}

static int take_request(struct http_call *call, const struct http_request *req)
{
	struct err *e = &call->err;

	if (!http_is_token(req->method) || strlen(req->method) >= sizeof(call->method)) {
		struct buf shown = BUF_INIT;

		buf_add_escaped(&shown, req->method, strlen(req->method), 100);
		err_set(e, ERR_INVALID, "net/http: invalid method \"%s\"", buf_str(&shown));
		buf_done(&shown);
		return err_code(e, "bad_method");
	}
	snprintf(call->method, sizeof(call->method), "%s", req->method);
	if (req->isolation_key && strlen(req->isolation_key) >= sizeof(call->isolation_key))
		return err_set(e, ERR_INVALID, "isolation key longer than %d bytes", ISOLATION_KEY_MAX - 1);
	snprintf(call->isolation_key, sizeof(call->isolation_key), "%s", req->isolation_key ? req->isolation_key : "");
	call->owner = req->owner;
	if (req->unix_socket && req->overlay)
		return err_set(e, ERR_INVALID, "a Unix socket cannot be reached through an overlay network");
	if (http_url_parse(req->url, &call->url, e) < 0 ||
		http_header_set_init(&call->headers, req->headers, req->nheaders, e) < 0)
		return -1;
	if (req->tls && http_tls_new(req->tls, &call->tls, e) < 0)
		return -1;
	call->userinfo_auth = http_basic_auth(call->url.userinfo);
	if (req->has_body) {
		call->body = xmemdupz(req->body ? req->body : "", req->body_len);
		call->body_len = req->body_len;
	}
	return 0;
}

void http_call_begin(struct http_call *call, const struct http_request *req)
{
	loop_timer_init(&call->timer, call->client->loop, timer_fired);
	if (take_request(call, req) < 0) {
		fail_early(call);
		return;
	}
	arm_timer(call);
	if (begin_hop(call) < 0)
		fail_hop(call);
}

/* -- callbacks of libcurl: notes only ------------------------------------------------------------------ */

/* May the request be sent once more? Not if it may have had its effect already (RFC 9110 section 9.2.2). */
static bool may_repeat(const struct http_call *call)
{
	static const char *const idempotent[] = {"GET", "HEAD", "OPTIONS", "TRACE"};
	long sent = 0;

	for (size_t i = 0; i < ARRAY_LEN(idempotent); i++) {
		if (strcmp(call->method, idempotent[i]) == 0)
			return true;
	}
	curl_easy_getinfo(call->handle->easy, CURLINFO_REQUEST_SIZE, &sent);
	return sent == 0;
}

curl_socket_t http_call_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_handle *h = arg;
	struct http_call *call = h->call;
	struct http_conn *conn;
	int fd;

	(void)purpose;
	if (!call)
		return CURL_SOCKET_BAD;
	if (call->unix_socket) {
		if (address->family != AF_UNIX)
			return CURL_SOCKET_BAD;
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd < 0)
			return CURL_SOCKET_BAD;
		call->is_fresh = true;
	} else if (call->fd < 0) {
		call->wants_dial = true;
		return CURL_SOCKET_BAD;
	} else {
		fd = call->fd;
		call->fd = -1;
	}
	conn = http_conn_new(call->route, fd);
	http_conn_attach(conn, call);
	if (!call->unix_socket && conn->peer.sa.sa_family != 0) {
		/* libcurl will connect() once more: to where the socket is connected already. */
		address->family = conn->peer.sa.sa_family;
		address->addrlen = addr_len(&conn->peer);
		memcpy((char *)address + offsetof(struct curl_sockaddr, addr), &conn->peer, address->addrlen);
	}
	if (call->url.is_tls) {
		call->phase = HTTP_PHASE_TLS;
		call->tls_begun_ns = loop_clock_ns();
		call->tls_deadline_ns = call->tls_begun_ns + (uint64_t)HTTP_TLS_HANDSHAKE_MS * 1000000;
		arm_timer(call);
	}
	return fd;
}

int http_call_before_request(void *arg, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
	struct http_handle *h = arg;
	struct http_call *call = h->call;

	(void)remote_ip;
	(void)local_ip;
	(void)remote_port;
	call->phase = HTTP_PHASE_HEADERS;
	call->request_ns = loop_clock_ns();
	if (call->tls_deadline_ns) {
		call->tls_deadline_ns = 0;
		arm_timer(call);
	}
	call->attempts++;
	if (call->attempts > 1 && !may_repeat(call)) {
		call->dead_reuse = true;
		return CURL_PREREQFUNC_ABORT;
	}
	if (call->is_fresh || call->unix_socket)
		return CURL_PREREQFUNC_OK;
	/* The first kept-alive connection was dead: do not go through all of them. */
	if (call->attempts > 1) {
		call->wants_dial = true;
		return CURL_PREREQFUNC_ABORT;
	}
	switch (http_route_inspect(call, local_port, call->overlay || !call->judge ? NULL : judge_dial, &call->err)) {
	case 0:
		return CURL_PREREQFUNC_OK;
	case 1:
		call->wants_dial = true;
		return CURL_PREREQFUNC_ABORT;
	default:
		call->noted = true;
		return CURL_PREREQFUNC_ABORT;
	}
}

/* The body will be as long as this says, unless it is coded. */
static bool announces_too_much(const struct http_call *call)
{
	const char *length = http_head_get(&call->head, "Content-Length");

	return length && strcmp(call->method, "HEAD") != 0 && call->head.status != 204 && call->head.status != 304 &&
	       !http_head_get(&call->head, "Content-Encoding") && strtoull(length, NULL, 10) > call->max_body;
}

static int note_too_large(struct http_call *call)
{
	err_set(&call->err, ERR_INTERNAL, "response body too large (max %llu bytes)",
		(unsigned long long)call->max_body);
	err_code(&call->err, "body_too_large");
	err_retryable(&call->err);
	call->noted = true;
	return -1;
}

static int take_head(struct http_call *call)
{
	const char *coding = http_head_get(&call->head, "Content-Encoding");

	call->phase = HTTP_PHASE_BODY;
	call->route->is_http2 = call->head.is_http2;
	if (http_route_is_full(call->route))
		http_handle_forbid_reuse(call->handle, true);
	if (http_redirect_is_wanted(&call->head)) {
		call->redirecting = true;
		return 0;
	}
	if (call->handle->wants_gzip && coding) {
		if (strcasecmp(coding, "gzip") == 0) {
			http_head_drop(&call->head, "Content-Encoding");
			http_head_drop(&call->head, "Content-Length");
		} else {
			/* Not what was asked for: the program gets it as it came. */
			http_handle_skip_decoding(call->handle, true);
		}
	}
	if (call->is_stream)
		http_call_ready(call);
	else if (announces_too_much(call))
		return note_too_large(call);
	return 0;
}

size_t http_call_on_header(char *line, size_t size, size_t n, void *arg)
{
	struct http_handle *h = arg;
	struct http_call *call = h->call;
	int rc = http_head_line(&call->head, line, size * n, &call->err);

	if (!call->head_ns)
		call->head_ns = loop_clock_ns();
	if (rc < 0)
		call->noted = true;
	else if (rc > 0)
		rc = take_head(call);
	return rc < 0 ? 0 : size * n;
}

size_t http_call_on_body(char *data, size_t size, size_t n, void *arg)
{
	struct http_handle *h = arg;
	struct http_call *call = h->call;

	n *= size;
	if (call->redirecting) {
		call->discarded += n;
		call->hop_over = call->discarded > HTTP_DISCARD_BYTES_MAX;
		return call->hop_over ? 0 : n;
	}
	if (call->is_stream) {
		if (buf_len(&call->body_in) >= HTTP_STREAM_HIGH) {
			call->paused = true;
			return CURL_WRITEFUNC_PAUSE;
		}
		buf_add(&call->body_in, data, n);
		if (call->read_fn)
			http_call_ready(call);
		return n;
	}
	if (buf_len(&call->body_in) + n > call->max_body) {
		note_too_large(call);
		return 0;
	}
	buf_add(&call->body_in, data, n);
	return n;
}

/* -- the end of a transfer ------------------------------------------------------------------------------ */

static void fail_transfer(struct http_call *call, CURLcode rc)
{
	struct http_failure f = {
		.rc = rc,
		.detail = call->handle->errbuf,
		.host = call->tls && call->tls->server_name ? call->tls->server_name : call->url.host,
		.unix_socket = call->unix_socket,
		.phase = call->phase,
		.dead_reuse = call->dead_reuse,
	};

	curl_easy_getinfo(call->handle->easy, CURLINFO_OS_ERRNO, &f.os_errno);
	curl_easy_getinfo(call->handle->easy, CURLINFO_SSL_VERIFYRESULT, &f.verify_result);
	http_failure_text(&f, &call->err);
	http_call_fail(call, false);
}

void http_call_transfer_done(struct http_call *call, CURLcode rc)
{
	struct http_route *r = call->route;

	if (rc == CURLE_OK || (call->redirecting && call->hop_over)) {
		if (call->redirecting) {
			stop(call);
			next_hop(call);
		} else {
			finish(call, false);
		}
	} else if (call->noted) {
		bool raw = call->judged || (call->err.code && strcmp(call->err.code, "body_too_large") == 0);

		http_call_fail(call, raw);
	} else if (call->wants_dial && (call->attempts == 0 || may_repeat(call)) && call->dials < 2) {
		/* No connection was to be had: let the gate make one, then ask again. The route is kept. */
		call->wants_dial = false;
		r->refs++;
		stop(call);
		call->route = r;
		http_head_reset(&call->head);
		dial(call);
	} else {
		call->dead_reuse = call->dead_reuse || call->wants_dial;
		fail_transfer(call, rc);
	}
}

static uint64_t between(uint64_t begin_ns, uint64_t end_ns)
{
	return begin_ns && end_ns > begin_ns ? end_ns - begin_ns : 0;
}

static const char *phase_name(const struct http_call *call)
{
	switch (call->phase == HTTP_PHASE_OVER ? call->ended_in : call->phase) {
	case HTTP_PHASE_START:
		return "start";
	case HTTP_PHASE_DIAL:
		return call->overlay && call->trace.connected_ns ? "handshake" : "dial";
	case HTTP_PHASE_TLS:
		return "tls";
	case HTTP_PHASE_HEADERS:
		return "response";
	case HTTP_PHASE_BODY:
	case HTTP_PHASE_OVER:
		break;
	}
	return "body";
}

void http_call_trace(const struct http_call *call, struct http_trace *ret)
{
	const struct dial_trace *t = &call->trace;

	*ret = (struct http_trace){
		.resolver = t->resolver,
		.phase = call->finished && !call->failed ? "done" : phase_name(call),
		.reused = !call->is_fresh && call->request_ns > 0,
		.dial_ns = between(t->begun_ns, t->connected_ns),
		.handshake_ns = between(t->connected_ns, t->ready_ns),
		.tls_ns = call->is_fresh ? between(call->tls_begun_ns, call->request_ns) : 0,
		.first_byte_ns = between(call->request_ns, call->head_ns),
		.total_ns = between(call->begun_ns, loop_clock_ns()),
	};
}

void http_call_report(struct http_call *call)
{
	struct http_response r = {
		.status = call->head.status,
		.url = call->url.text,
		.reused = !call->is_fresh,
		.trace = call->trace,
	};

	if (call->reported) {
		http_stream_report(call);
		return;
	}
	if (call->failed && !has_stream_head(call)) {
		call->done(call->arg, NULL, &call->err);
		http_call_free(call);
		return;
	}
	r.headers = http_head_items(&call->head, &r.nheaders);
	call->reported = true;
	if (call->is_stream) {
		/* The caller may end the stream in there. */
		call->done(call->arg, &r, NULL);
		return;
	}
	r.body = &call->body_in;
	call->done(call->arg, &r, NULL);
	http_call_free(call);
}
