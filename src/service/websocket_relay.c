/* The middleware websocket_relay: may this response become a WebSocket? */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "http/builtin.h"
#include "http/websocket_upgrade.h"
#include "service/http_identity.h"
#include "service/http_middlewares.h"
#include "service/http_relay.h"
#include "service/relay.h"
#include "service/relay_origin.h"
#include "service/relay_socket.h"

#define HEADER "X-WS-Relay"

enum {
	MESSAGE_BYTES_MAX = 32768,
	MESSAGE_BYTES_LIMIT = 16 * 1024 * 1024, /* of what the option may say */
};

static const int64_t WRITE_TIMEOUT_NS = 60ll * 1000 * 1000 * 1000;

struct websocket_relay {
	char *origins;
	size_t message_max;
	uint64_t write_timeout_ns;
};

static const char key; /* its address; what is attached is the instance */

static int check_origin(const struct websocket_relay *self, const struct exchange *x, struct err *e)
{
	const char *origin = exchange_header(x, "Origin");

	if (relay_origin_for_websocket(self->origins, origin, exchange_host(x)))
		return 0;
	return err_set(e, ERR_PERMISSION_DENIED, "request Origin \"%.200s\" is not authorized for Host \"%.200s\"",
		origin, exchange_host(x));
}

/* May it be upgraded, and whom shall it join? -1 with the status that says no. */
static int check(const struct websocket_relay *self, struct exchange *x, const char *target, struct pid *ret_pid,
	unsigned *ret_status, struct err *e)
{
	const struct http_owner *o = exchange_owner(x);

	*ret_status = 400;
	if (pid_parse(target, strlen(target), ret_pid, e) < 0)
		return err_prefix(e, "Invalid target PID");
	if (websocket_check_upgrade(x, ret_status, e) < 0)
		return -1;
	*ret_status = 403;
	if (check_origin(self, x, e) < 0)
		return -1;
	*ret_status = 503;
	return host_check_running(o->host, e);
}

/* Takes `socket`. */
static void answer(
	const struct websocket_relay *self, struct exchange *x, const char *target, struct relay_socket *socket)
{
	struct pid pid;
	unsigned status;
	struct err e;

	exchange_remove_header(x, HEADER);
	if (check(self, x, target, &pid, &status, &e) < 0) {
		exchange_answer_text(x, status, e.text);
		relay_socket_free(socket);
		return;
	}
	relay_socket_aim(socket, pid);
	websocket_accept_upgrade(x);
	if (!exchange_upgrade(x, relay_socket_upgraded, socket)) {
		relay_socket_free(socket);
		exchange_abort(x); /* the client left */
	}
}

bool websocket_relay_serve(struct exchange *x)
{
	const struct websocket_relay *self = exchange_attached(x, &key);
	const struct http_owner *o = exchange_owner(x);
	const char *text = exchange_response_header(x, HEADER), *target;
	struct relay_socket *socket;
	struct value *map = NULL;
	struct err e;

	if (!self || !text || exchange_is_committed(x))
		return false;
	if (relay_read_header(text, &map, &e) < 0 || relay_read_text(map, "target_pid", &target, &e) < 0 ||
		relay_socket_new(&(struct relay_socket_config){.host = o->host,
					 .source = o->connections,
					 .message_max = self->message_max,
					 .write_timeout_ns = self->write_timeout_ns},
			map, &socket, &e) < 0) {
		log_warn("http", "websocket_relay: the header " HEADER " cannot be read", LOG_STR("error", e.text));
		exchange_commit(x, 200);
		exchange_end(x);
	} else {
		answer(self, x, target ? target : "", socket);
	}
	value_unref(map);
	return true;
}

/* -- the middleware ------------------------------------------------------------------------------------ */

static int relay_create(void *env, const struct value *options, void **ret_self, struct err *e)
{
	struct websocket_relay *self = xcalloc(1, sizeof(*self));
	int64_t max = http_option_number(options, "wsrelay.message.limit", MESSAGE_BYTES_MAX);

	(void)env;
	(void)e;
	self->origins = xstrdup(http_option(options, "wsrelay.allowed.origins", "allow_origins",
		http_option(options, "allowed_origins", NULL, "")));
	self->message_max = (size_t)(max < MESSAGE_BYTES_LIMIT ? max : MESSAGE_BYTES_LIMIT);
	self->write_timeout_ns = (uint64_t)http_option_duration(options, "wsrelay.write.timeout", WRITE_TIMEOUT_NS);
	*ret_self = self;
	return 0;
}

static void relay_free(void *arg)
{
	struct websocket_relay *self = arg;

	free(self->origins);
	free(self);
}

static enum middleware_next relay_before(void *self, struct exchange *x)
{
	exchange_attach(x, &key, self, NULL);
	return MIDDLEWARE_NEXT;
}

static void relay_head(void *self, struct exchange *x)
{
	(void)self;
	middleware_remove_header(x, HEADER);
}

const struct middleware_type http_websocket_relay_middleware = {
	.name = "websocket_relay",
	.create = relay_create,
	.free = relay_free,
	.begin = relay_before,
	.head = relay_head,
};
