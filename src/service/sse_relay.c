/* The middleware sse_relay: may this response become a stream of events? */
#include <stdlib.h>

#include "base/alloc.h"
#include "http/builtin.h"
#include "service/http_middlewares.h"
#include "service/http_relay.h"
#include "service/relay.h"
#include "service/relay_origin.h"
#include "service/sse_stream.h"

#define HEADER "X-SSE-Relay"

static const int64_t WRITE_TIMEOUT_NS = 60ll * 1000 * 1000 * 1000;

struct sse_relay {
	char *origins;
	uint64_t write_timeout_ns;
};

static const char key; /* its address; what is attached is the instance */

static unsigned status_of(enum err_kind kind)
{
	switch (kind) {
	case ERR_INVALID:
		return 400;
	case ERR_PERMISSION_DENIED:
		return 403;
	case ERR_NOT_FOUND:
		return 404;
	case ERR_TIMEOUT:
	case ERR_CANCELED:
		return 408;
	case ERR_ALREADY_EXISTS:
	case ERR_CONFLICT:
		return 409;
	case ERR_RATE_LIMITED:
		return 429;
	case ERR_UNAVAILABLE:
		return 503;
	default:
		return 500;
	}
}

/* A handler that has fixed the status already gets it sent. */
static void refuse(struct exchange *x, const struct err *e)
{
	if (exchange_is_committed(x))
		exchange_end(x);
	else
		exchange_answer_text(x, status_of(e->kind), e->text);
}

static int check_origin(const struct sse_relay *self, const struct exchange *x, struct err *e)
{
	const char *scheme = exchange_header(x, "X-Forwarded-Proto");

	if (!scheme || !*scheme)
		scheme = exchange_is_tls(x) ? "https" : "http";
	if (relay_origin_for_events(self->origins, exchange_header(x, "Origin"), exchange_host(x), scheme))
		return 0;
	return err_set(e, ERR_PERMISSION_DENIED, "origin is not allowed");
}

static int start(const struct sse_relay *self, struct exchange *x, const char *text, struct err *e)
{
	struct value *map;
	int rc;

	if (check_origin(self, x, e) < 0)
		return -1;
	if (relay_read_header(text, &map, e) < 0)
		return err_prefix(e, "invalid relay configuration");
	rc = sse_stream_start(x, map, self->write_timeout_ns, e);
	value_unref(map);
	return rc;
}

bool sse_relay_serve(struct exchange *x)
{
	const struct sse_relay *self = exchange_attached(x, &key);
	const char *text = exchange_response_header(x, HEADER);
	struct err e;

	if (!self || !text || exchange_is_head(x) || exchange_head_left(x) || exchange_pending(x) > 0 ||
		(exchange_is_committed(x) && exchange_status(x) != 200))
		return false;
	if (start(self, x, text, &e) < 0)
		refuse(x, &e);
	return true;
}

/* -- the middleware ------------------------------------------------------------------------------------ */

static int sse_create(void *env, const struct value *options, void **ret_self, struct err *e)
{
	struct sse_relay *self = xcalloc(1, sizeof(*self));

	(void)env;
	(void)e;
	self->origins = xstrdup(http_option(options, "sserelay.allowed.origins", "allow_origins",
		http_option(options, "allowed_origins", NULL, "")));
	self->write_timeout_ns = (uint64_t)http_option_duration(options, "sserelay.write.timeout", WRITE_TIMEOUT_NS);
	*ret_self = self;
	return 0;
}

static void sse_free(void *arg)
{
	struct sse_relay *self = arg;

	free(self->origins);
	free(self);
}

static enum middleware_next sse_begin(void *self, struct exchange *x)
{
	exchange_attach(x, &key, self, NULL);
	return MIDDLEWARE_NEXT;
}

static void set_default(struct exchange *x, const char *name, const char *value)
{
	if (!exchange_response_header(x, name))
		middleware_set_header(x, name, value);
}

static void sse_head(void *self, struct exchange *x)
{
	(void)self;
	middleware_remove_header(x, HEADER);
	if (!sse_stream_began(x))
		return;
	set_default(x, "Content-Type", "text/event-stream");
	set_default(x, "Cache-Control", "no-cache");
	set_default(x, "Connection", "keep-alive");
	set_default(x, "X-Accel-Buffering", "no");
}

const struct middleware_type http_sse_relay_middleware = {
	.name = "sse_relay",
	.create = sse_create,
	.free = sse_free,
	.begin = sse_begin,
	.head = sse_head,
};
