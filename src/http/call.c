#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "http/internal.h"

enum { DIAL_GRACE_MS = 100 };

/* One exchange as its caller sees it: begun, ended by a result, a failure or its deadline, reported. */

/* -- time --------------------------------------------------------------------------------------------- */

static void fail_timeout(struct http_call *call)
{
	http_timeout_text(call->phase, &call->err);
	http_call_fail(call, false);
}

void http_call_arm_timer(struct http_call *call)
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
	loop_timer_init(&call->timer, c->loop, timer_fired);
	list_push_back(&c->calls, &call->link);
	return call;
}

/* Unix sockets have no ports to be told apart by: a kept-alive one is only known if libcurl had to wait for it, or
 * afterwards. */
static void learn_conn(struct http_call *call)
{
	curl_socket_t fd = CURL_SOCKET_BAD;
	struct http_conn *conn;

	if (call->conn || !call->route->is_portless)
		return;
	curl_easy_getinfo(call->handle->easy, CURLINFO_ACTIVESOCKET, &fd);
	conn = http_conn_find(call->client, fd);
	if (conn && conn->route == call->route)
		http_conn_attach(conn, call);
}

void http_call_stop(struct http_call *call)
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

static void http_call_free(struct http_call *call)
{
	http_call_stop(call);
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
	http_gunzip_free(call->gunzip);
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

void http_call_finish(struct http_call *call, bool failed)
{
	http_call_stop(call);
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
	http_call_finish(call, true);
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

/* -- what the caller hears ------------------------------------------------------------------------------ */

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
	memcpy(ret->isolation_key, call->isolation_key, sizeof(ret->isolation_key));
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
