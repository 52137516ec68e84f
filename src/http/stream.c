#include <assert.h>

#include "http/internal.h"

/*
 * A stream keeps up to HTTP_STREAM_HIGH bytes and then lets its connection wait. libcurl still delivers what it had
 * read and decoded by then: one read of its buffer, at most a thousand times its size when it was compressed.
 */

bool http_stream_has_news(const struct http_call *call)
{
	return call->read_fn && (buf_len(&call->body_in) > 0 || call->finished);
}

static void resume(struct http_call *call)
{
	CURLcode rc;

	call->paused = false;
	rc = curl_easy_pause(call->handle->easy, CURLPAUSE_CONT);
	if (rc != CURLE_OK && !call->paused) {
		http_call_transfer_done(call, rc);
		return;
	}
	if (call->client->kick)
		http_client_act(call->client, CURL_SOCKET_TIMEOUT, 0);
}

void http_stream_report(struct http_call *call)
{
	http_read_fn *fn = call->read_fn;
	void *arg = call->read_arg;
	struct buf out = BUF_INIT;
	size_t n;

	if (!http_stream_has_news(call))
		return;
	call->read_fn = NULL;
	n = buf_len(&call->body_in);
	if (n == 0) {
		fn(arg, call->failed ? -1 : 0, &out, call->failed ? &call->err : NULL);
		return;
	}
	if (n <= call->read_max) {
		out = call->body_in;
		buf_init(&call->body_in);
	} else {
		n = call->read_max;
		buf_add(&out, buf_data(&call->body_in), n);
		buf_consume(&call->body_in, n);
	}
	if (call->paused && buf_len(&call->body_in) < HTTP_STREAM_HIGH / 2)
		resume(call);
	/* The caller may end the stream in there. */
	fn(arg, (int)n, &out, NULL);
	buf_done(&out);
}

void http_call_read(struct http_call *call, size_t max, http_read_fn *fn, void *arg)
{
	assert(call->reported && !call->read_fn && max > 0);
	call->read_fn = fn;
	call->read_arg = arg;
	call->read_max = max < INT32_MAX ? max : INT32_MAX;
	if (http_stream_has_news(call)) {
		http_call_ready(call);
		http_client_report_later(call->client);
	}
}

void http_call_read_cancel(struct http_call *call)
{
	call->read_fn = NULL;
}
