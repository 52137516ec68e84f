#include <assert.h>

#include "http/internal.h"

/*
 * A stream keeps up to HTTP_STREAM_HIGH bytes and then lets its connection wait; libcurl still delivers what it had
 * read by then. A compressed body is kept as it came and decoded for each read, so that neither the memory nor the time
 * it takes depends on how much it unfolds to.
 */

enum { DECODED_MAX = 64 * 1024 }; /* for one read */

static bool http_stream_has_news(const struct http_call *call)
{
	return call->read_fn &&
	       (buf_len(&call->body_in) > 0 || call->finished || (call->gunzip && http_gunzip_has_more(call->gunzip)));
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

/* Nothing more can be read but this. */
static void fail_body(struct http_call *call, const char *code, const char *text)
{
	buf_clear(&call->body_in);
	err_set(&call->err, ERR_INTERNAL, "%s", text);
	err_code(&call->err, code);
	if (call->finished)
		call->failed = true;
	else
		http_call_fail(call, true);
}

static void take_decoded(struct http_call *call, struct buf *out)
{
	size_t max = call->read_max < DECODED_MAX ? call->read_max : DECODED_MAX;

	if (http_gunzip_take(call->gunzip, &call->body_in, max, out) < 0)
		fail_body(call, "bad_encoding", "gzip: invalid data in the response body");
	else if (buf_len(out) == 0 && call->finished && !call->failed && !http_gunzip_is_whole(call->gunzip))
		fail_body(call, "eof", "unexpected EOF");
}

static void take(struct http_call *call, struct buf *out)
{
	if (call->gunzip) {
		take_decoded(call, out);
	} else if (buf_len(&call->body_in) <= call->read_max) {
		*out = call->body_in;
		buf_init(&call->body_in);
	} else {
		buf_add(out, buf_data(&call->body_in), call->read_max);
		buf_consume(&call->body_in, call->read_max);
	}
}

void http_stream_report(struct http_call *call)
{
	http_read_fn *fn = call->read_fn;
	void *arg = call->read_arg;
	struct buf out = BUF_INIT;
	bool is_over;

	if (!http_stream_has_news(call))
		return;
	take(call, &out);
	is_over = call->finished && buf_len(&call->body_in) == 0;
	if (buf_len(&out) > 0 || is_over)
		call->read_fn = NULL;
	if (call->paused && buf_len(&call->body_in) < HTTP_STREAM_HIGH / 2)
		resume(call);
	/* The caller may end the stream in there. */
	if (buf_len(&out) > 0)
		fn(arg, (int)buf_len(&out), &out, NULL);
	else if (is_over)
		fn(arg, call->failed ? -1 : 0, &out, call->failed ? &call->err : NULL);
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
