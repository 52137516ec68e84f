#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "http/internal.h"

/*
 * One exchange hop by hop: begin_hop() (which connections may be used?), run() (libcurl has the request) and
 * dial() (it found no connection), until a response that is no redirect or a failure ends it.
 */

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

int http_call_judge(void *arg, const struct addr *a, struct err *e)
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
		.host = call->url.target_host,
		.port = call->url.port,
		.deadline_ns = !call->overlay && limit < call->deadline_ns ? limit : call->deadline_ns,
		.isolation_key = call->isolation_key,
		.judge = http_call_judge,
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
		http_call_judge(call, &a, &call->err) < 0)
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

/* What the request itself makes impossible is a failure of the exchange too. */
static void fail_early(struct http_call *call)
{
	call->err.kind = ERR_INTERNAL;
	call->err.retry = ERR_RETRY_YES;
	http_call_fail(call, true);
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
	if (take_request(call, req) < 0) {
		fail_early(call);
		return;
	}
	http_call_arm_timer(call);
	if (begin_hop(call) < 0)
		fail_hop(call);
}

/* -- the end of a transfer ------------------------------------------------------------------------------ */

bool http_call_may_repeat(const struct http_call *call)
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

	/* libcurl is content with a head that ends anywhere. */
	if (rc == CURLE_OK && !call->head.complete)
		rc = CURLE_GOT_NOTHING;
	if (rc == CURLE_OK || (call->redirecting && call->hop_over)) {
		if (call->redirecting) {
			http_call_stop(call);
			next_hop(call);
		} else {
			http_call_finish(call, false);
		}
	} else if (call->noted) {
		bool raw = call->judged || (call->err.code && strcmp(call->err.code, "body_too_large") == 0);

		http_call_fail(call, raw);
	} else if (call->wants_dial && (call->attempts == 0 || http_call_may_repeat(call)) && call->dials < 2) {
		/* No connection was to be had: let the gate make one, then ask again. The route is kept. */
		call->wants_dial = false;
		r->refs++;
		http_call_stop(call);
		call->route = r;
		http_head_reset(&call->head);
		dial(call);
	} else {
		call->dead_reuse = call->dead_reuse || call->wants_dial;
		fail_transfer(call, rc);
	}
}
