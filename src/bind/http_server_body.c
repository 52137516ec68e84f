/*
 * http_server_body.c - the body of a request: in one string, as a value, or as a stream.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "bind/http_server.h"
#include "bind/lua_data.h"
#include "bind/stream.h"
#include "engine/lua_api.h"
#include "loop/loop.h"

enum { READ_BYTES = 64 * 1024 };

static int push_failed(lua_State *L, enum err_kind kind, const char *text)
{
	struct err e;

	err_set(&e, kind, "%s", text);
	return push_nil_and_err(L, &e);
}

/* -- in one string -------------------------------------------------------------------------------------- */

enum outcome { BODY_UNDER_WAY, BODY_WHOLE, BODY_TOO_LARGE, BODY_LATE, BODY_LOST };

/* A userdata on the stack of the coroutine that waits. */
struct body_read {
	struct pending pending;
	struct exchange *exchange; /* a reference, until it is over */
	struct buf bytes;
	struct loop_timer timer;
	uint64_t max;
	uint32_t timeout_ms;
	enum outcome outcome;
	bool json;
};

static const char body_read_type[] = "http.body_read";

/* Nothing of it may run any more. */
static void leave(struct body_read *r)
{
	if (!r->exchange)
		return;
	exchange_body_wait(r->exchange, NULL, NULL);
	loop_timer_stop(&r->timer);
	exchange_unref(r->exchange);
	r->exchange = NULL;
}

static int body_read_gc(lua_State *L)
{
	struct body_read *r = lua_touserdata(L, 1);

	leave(r);
	buf_done(&r->bytes);
	return 0;
}

static void body_cancel(struct pending *p)
{
	struct body_read *r = container_of(p, struct body_read, pending);

	leave(r);
	buf_done(&r->bytes);
}

static void on_more(void *arg);

/* Take what is there. */
static enum outcome pump(struct body_read *r)
{
	for (;;) {
		/* One byte more than is allowed tells that there is more. */
		uint64_t room = r->max + 1 - buf_len(&r->bytes);

		switch (http_body_read(r->exchange, &r->bytes, room < READ_BYTES ? (size_t)room : READ_BYTES)) {
		case EXCHANGE_BODY_DATA:
			if (buf_len(&r->bytes) > r->max)
				return BODY_TOO_LARGE;
			break;
		case EXCHANGE_BODY_WAIT:
			exchange_body_wait(r->exchange, on_more, r);
			return BODY_UNDER_WAY;
		case EXCHANGE_BODY_END:
			return BODY_WHOLE;
		case EXCHANGE_BODY_TOO_LARGE:
			return BODY_TOO_LARGE;
		case EXCHANGE_BODY_GONE:
			return BODY_LOST;
		}
	}
}

static void on_more(void *arg)
{
	struct body_read *r = arg;

	r->outcome = pump(r);
	if (r->outcome == BODY_UNDER_WAY)
		return;
	loop_timer_stop(&r->timer);
	pending_ready(&r->pending);
}

static void on_late(struct loop_timer *t)
{
	struct body_read *r = container_of(t, struct body_read, timer);

	exchange_body_wait(r->exchange, NULL, NULL);
	r->outcome = BODY_LATE;
	pending_ready(&r->pending);
}

static int push_body(lua_State *L, struct body_read *r)
{
	struct err e;
	int rc;

	if (!r->json) {
		lua_pushlstring(L, buf_data(&r->bytes), buf_len(&r->bytes));
		buf_done(&r->bytes);
		lua_pushnil(L);
		return 2;
	}
	if (buf_len(&r->bytes) == 0)
		return push_failed(L, ERR_INVALID, "invalid JSON: the body is empty");
	rc = json_push_decoded(L, buf_data(&r->bytes), buf_len(&r->bytes), &e);
	buf_done(&r->bytes);
	if (rc < 0) {
		err_prefix(&e, "invalid JSON");
		e.kind = ERR_INVALID;
		return push_nil_and_err(L, &e);
	}
	lua_pushnil(L);
	return 2;
}

static int body_over(lua_State *L, struct body_read *r)
{
	uint32_t timeout_ms = r->timeout_ms;
	struct err e;

	/* A body that turns out to be empty was not used up. */
	if (r->outcome == BODY_WHOLE && buf_len(&r->bytes) == 0)
		http_handler_of(r->exchange)->body_taken = false;
	leave(r);
	if (r->outcome == BODY_WHOLE)
		return push_body(L, r);
	buf_done(&r->bytes);
	switch (r->outcome) {
	case BODY_TOO_LARGE:
		return push_failed(L, ERR_INVALID, "request body too large");
	case BODY_LATE:
		err_set(&e, ERR_INTERNAL, "failed to read body: request timeout after %ums", timeout_ms);
		return push_nil_and_err(L, &e);
	default:
		return push_failed(L, ERR_INTERNAL, "failed to read body");
	}
}

static int body_finish(lua_State *L, struct pending *p)
{
	return body_over(L, container_of(p, struct body_read, pending));
}

static int read_body(lua_State *L, bool json)
{
	struct exchange *x;
	const struct http_request_object *o = http_check_request(L, &x);
	struct http_handler *h;
	struct body_read *r;
	int64_t length;

	if (!x)
		return http_push_no_request(L);
	length = exchange_content_length(x);
	if (length == 0) {
		if (json)
			return push_failed(L, ERR_INVALID, "invalid JSON: the body is empty");
		lua_pushliteral(L, "");
		lua_pushnil(L);
		return 2;
	}
	h = http_handler_of(x);
	if (h->body_taken)
		return push_failed(L, ERR_INTERNAL, "failed to read body");
	if (length > 0 && (uint64_t)length > o->max_body)
		return push_failed(L, ERR_INVALID, "request body too large");
	handle_register(L, body_read_type, NULL, body_read_gc);
	r = handle_new(L, body_read_type, sizeof(*r));
	r->pending.cancel = body_cancel;
	r->max = o->max_body;
	r->timeout_ms = o->timeout_ms;
	r->json = json;
	loop_timer_init(&r->timer, exchange_loop(x), on_late);
	r->exchange = exchange_ref(x);
	h->body_taken = true;
	r->outcome = pump(r);
	if (r->outcome != BODY_UNDER_WAY)
		return body_over(L, r);
	loop_timer_start_ms(&r->timer, r->timeout_ms);
	return wait_for(L, &r->pending, body_finish);
}

int http_request_body(lua_State *L)
{
	return read_body(L, false);
}

int http_request_body_json(lua_State *L)
{
	return read_body(L, true);
}

/* -- as a stream ----------------------------------------------------------------------------------------- */

struct body_source {
	struct stream_source base;
	struct exchange *exchange; /* a reference */
	struct stream_op *op;      /* waits */
};

static struct body_source *source_of(struct stream_source *s)
{
	return container_of(s, struct body_source, base);
}

static void source_more(void *arg);

static void source_pump(struct body_source *b)
{
	struct stream_op *op = b->op;
	struct err e;

	switch (http_body_read(b->exchange, &op->data, op->max)) {
	case EXCHANGE_BODY_WAIT:
		exchange_body_wait(b->exchange, source_more, b);
		return;
	case EXCHANGE_BODY_DATA:
	case EXCHANGE_BODY_END:
		b->op = NULL;
		stream_op_done(op);
		return;
	case EXCHANGE_BODY_TOO_LARGE:
		err_set(&e, ERR_INTERNAL, "request body too large");
		break;
	case EXCHANGE_BODY_GONE:
		err_set(&e, ERR_INTERNAL, "the client left before the end of the body, or the time to read it is over");
		break;
	}
	b->op = NULL;
	stream_op_fail(op, &e);
}

static void source_more(void *arg)
{
	source_pump(arg);
}

static void source_read(struct stream_source *s, struct stream_op *op)
{
	struct body_source *b = source_of(s);

	b->op = op;
	source_pump(b);
}

static void source_stat(struct stream_source *s, struct stream_op *op)
{
	struct body_source *b = source_of(s);

	op->n = exchange_content_length(b->exchange);
	op->position = (int64_t)exchange_body_taken(b->exchange);
	stream_op_done(op);
}

static void source_cancel(struct stream_source *s, struct stream_op *op)
{
	struct body_source *b = source_of(s);

	(void)op;
	if (b->op)
		exchange_body_wait(b->exchange, NULL, NULL);
	b->op = NULL;
}

static void source_free(struct stream_source *s)
{
	struct body_source *b = source_of(s);

	exchange_unref(b->exchange);
	free(b);
}

static const struct stream_ops body_ops = {
	.read = source_read,
	.stat = source_stat,
	.cancel = source_cancel,
	.free = source_free,
};

int http_request_stream(lua_State *L)
{
	struct body_source *b;
	struct exchange *x;
	struct http_handler *h;

	http_check_request(L, &x);
	if (!x)
		return http_push_no_request(L);
	h = http_handler_of(x);
	if (h->body_taken)
		return push_failed(L, ERR_INTERNAL, "failed to read body");
	if (exchange_content_length(x) != 0)
		h->body_taken = true;
	b = xcalloc(1, sizeof(*b));
	b->base.ops = &body_ops;
	b->base.readable = true;
	b->exchange = exchange_ref(x);
	stream_push(L, &b->base);
	lua_pushnil(L);
	return 2;
}
