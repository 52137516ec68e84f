#include "service/http_endpoint.h"

#include "base/block_cache.h"
#include "bind/current.h"
#include "bind/http_current.h"
#include "bind/invoke.h"
#include "engine/failure.h"
#include "engine/packed.h"
#include "http/builtin.h"
#include "service/http_identity.h"
#include "service/http_relay.h"
#include "service/http_sendfile.h"

struct function_call {
	struct exchange *x; /* a reference */
	struct invocation under_way;
};

static void call_free(struct function_call *c)
{
	exchange_unref(c->x);
	block_free(c, sizeof(*c));
}

/* What reaches the client when the handler left something open. */
static void finish(struct exchange *x, struct packed *value, const struct failure *failure)
{
	if (!failure && (websocket_relay_serve(x) || sse_relay_serve(x)))
		return;
	if (!exchange_is_committed(x) && !failure && http_sendfile_serve(x))
		return;
	if (exchange_is_handled(x) || exchange_is_committed(x)) {
		exchange_end(x);
	} else if (failure) {
		exchange_answer_text(x, 500, failure->message);
	} else if (packed_count(value) == 0) {
		exchange_answer_text(x, 500, "no response sent");
	} else {
		exchange_set_header(x, "Content-Type", "application/json", SIZE_MAX);
		exchange_commit(x, 200);
		exchange_end(x);
	}
}

static void on_done(void *arg, struct packed *value, struct failure *failure)
{
	struct function_call *c = arg;

	exchange_on_gone(c->x, NULL, NULL);
	finish(c->x, value, failure);
	call_free(c);
}

static void on_gone(void *arg)
{
	struct function_call *c = arg;

	invoke_cancel(&c->under_way);
	exchange_end(c->x);
	call_free(c);
}

static int start(struct function_call *c, const struct http_function *f, struct program *program, struct err *e)
{
	struct frame_edge edge = {.actor = http_identity_actor(c->x),
		.scope = http_identity_scope(c->x),
		.entry_network = program->network};
	struct invoke_ask ask = {.program = program, .exchange = c->x};
	const char *id = http_request_id(c->x);
	struct frame *frame;
	int rc;

	if (id) {
		edge.values = value_map();
		value_map_set(edge.values, "request_id", value_cstring(id));
	}
	rc = edge_frame(f->node, NULL, &edge, &frame, e);
	value_unref(edge.values);
	if (rc < 0)
		return -1;
	ask.frame = frame;
	ask.retry = program->options ? value_get(program->options, "retry") : NULL;
	rc = invoke_start(worker_current(), &ask, on_done, c, &c->under_way, e);
	frame_unref(frame);
	return rc;
}

void http_function_serve(void *arg, struct exchange *x)
{
	const struct http_function *f = arg;
	struct program *program = worker_program(worker_current(), f->id);
	struct function_call *c;
	struct err e;

	if (!program || program->type != PROGRAM_FUNCTION) {
		exchange_answer_text(x, 500, "no handler registered for target");
		return;
	}
	c = block_zalloc(sizeof(*c));
	c->x = exchange_ref(x);
	if (start(c, f, program, &e) < 0) {
		exchange_answer_text(x, 500, e.text);
		call_free(c);
		return;
	}
	exchange_on_gone(x, on_gone, c);
}

void http_options_serve(void *arg, struct exchange *x)
{
	(void)arg;
	exchange_commit(x, 204);
	exchange_end(x);
}
