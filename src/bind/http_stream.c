/*
 * http_stream.c - the body of a response as a stream.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "bind/http_call.h"
#include "bind/stream.h"

struct body {
	struct stream_source source;
	struct http_call *call;
};

static struct body *body_of(struct stream_source *s)
{
	return container_of(s, struct body, source);
}

static void read_done(void *arg, int n, struct buf *out, const struct err *e)
{
	struct stream_op *op = arg;

	if (n < 0) {
		stream_op_fail(op, e);
		return;
	}
	if (n > 0)
		buf_add(&op->data, buf_data(out), buf_len(out));
	stream_op_done(op);
}

static void body_read(struct stream_source *s, struct stream_op *op)
{
	http_call_read(body_of(s)->call, op->max, read_done, op);
}

static void body_cancel(struct stream_source *s, struct stream_op *op)
{
	(void)op;
	http_call_read_cancel(body_of(s)->call);
}

static void body_free(struct stream_source *s)
{
	struct body *b = body_of(s);

	http_call_cancel(b->call);
	free(b);
}

static const struct stream_ops body_ops = {.read = body_read, .cancel = body_cancel, .free = body_free};

void http_stream_push(struct lua_State *L, struct http_call *call)
{
	struct body *b = xcalloc(1, sizeof(*b));

	b->source.ops = &body_ops;
	b->source.readable = true;
	b->call = call;
	stream_push(L, &b->source);
}
