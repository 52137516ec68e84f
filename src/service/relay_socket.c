#include "service/relay_socket.h"

#include <stdlib.h>
#include <string.h>

#include "actor/quota.h"
#include "base/alloc.h"
#include "base/duration.h"
#include "base/log.h"
#include "base/utf8.h"
#include "http/websocket.h"
#include "service/relay.h"
#include "value/json.h"

#define TOPIC "ws.message"

enum { ON_THEIR_WAY_MAX = 10 }; /* messages given to the WebSocket and not yet to the system */

static const uint64_t BEAT_NS = 30ull * 1000 * 1000 * 1000;

/* A client's message that waits for room at its target, and the client with it. Outlives the connection when it could not be called back. */
struct delivery {
	struct parked parked;
	struct relay_socket *connection; /* NULL: nobody waits any more */
};

struct relay_socket {
	struct relay relay;
	struct websocket *ws;
	struct host *host; /* these two until the process has begun */
	struct program *source;
	struct pid target; /* as the header says */
	size_t message_max;
	uint64_t write_timeout_ns;
	unsigned on_their_way;
	struct delivery *delivery; /* NULL: none waits */
	bool closing;
};

void relay_socket_free(struct relay_socket *c)
{
	relay_done(&c->relay);
	host_unref(c->host);
	program_unref(c->source);
	free(c);
}

/* -- the end ------------------------------------------------------------------------------------------- */

/* From here on nothing is forwarded; the process ends when the client has answered, or did not in time. */
static void close_connection(struct relay_socket *c, unsigned code, const char *reason)
{
	if (c->closing)
		return;
	c->closing = true;
	relay_set_beat(&c->relay, 0);
	relay_leave(&c->relay, c->relay.target);
	/* The client's close frame is to be read, and senders shall not wait for one that reads no more. */
	websocket_resume(c->ws);
	native_resume(c->relay.process);
	websocket_close(c->ws, code, reason);
}

static void on_closed(void *arg, unsigned code, const char *reason, const struct err *e)
{
	struct relay_socket *c = arg;

	(void)code;
	(void)reason;
	(void)e;
	c->closing = true;
	relay_end(&c->relay, "websocket connection closed");
}

static void on_ended(void *arg, const struct process_end *end)
{
	struct relay_socket *c = arg;

	(void)end;
	c->relay.process = NULL;
	/* Terminated, perhaps. */
	relay_end(&c->relay, NULL);
	websocket_free(c->ws);
	if (c->delivery) {
		c->delivery->connection = NULL;
		if (parked_cancel(&c->delivery->parked))
			free(c->delivery);
	}
	relay_socket_free(c);
}

/* -- from the client ----------------------------------------------------------------------------------- */

static void there_is_room(struct parked *k)
{
	struct delivery *d = container_of(k, struct delivery, parked);
	struct relay_socket *c = d->connection;

	free(d);
	if (!c)
		return;
	c->delivery = NULL;
	websocket_resume(c->ws);
}

static void deliver(struct relay_socket *c, struct message *m)
{
	struct relay *r = &c->relay;
	struct delivery *d;
	int rc = process_offer(r->sched, r->target, m, NULL);

	if (rc == 1) {
		d = xcalloc(1, sizeof(*d));
		d->connection = c;
		d->parked.loop = worker_loop(worker_current());
		d->parked.done = there_is_room;
		list_init(&d->parked.link);
		rc = process_park(r->sched, r->target, m, &d->parked, NULL);
		if (rc == 1)
			c->delivery = d;
		else
			free(d);
	}
	/* No room: the client waits. No target: that it has ended is on its way to us, and closes the connection. */
	if (rc != 0)
		websocket_pause(c->ws);
}

static void on_message(void *arg, bool is_binary, const void *data, size_t len)
{
	struct relay_socket *c = arg;
	struct value *v;

	(void)is_binary; /* either is a string to Lua */
	if (c->closing)
		return;
	c->relay.count++;
	v = value_string(data, len);
	deliver(c, message_new(c->relay.topic, strlen(c->relay.topic), c->relay.pid, packed_from_value(v)));
	value_unref(v);
}

/* -- to the client ------------------------------------------------------------------------------------- */

static void was_sent(void *arg, int rc)
{
	struct relay_socket *c = arg;

	(void)rc; /* when it failed, on_closed() comes */
	if (c->on_their_way-- == ON_THEIR_WAY_MAX)
		native_resume(c->relay.process);
}

static bool forward_one(struct relay_socket *c, const struct message *m, unsigned i)
{
	struct buf text = BUF_INIT;
	bool written;

	buf_adds(&text, "{\"data\":");
	written = relay_write_payload(m->payload, i, &text);
	if (written) {
		buf_adds(&text, ",\"topic\":");
		json_write_string(m->topic, m->topic_len, &text);
		buf_addc(&text, '}');
		if (websocket_send(c->ws, false, buf_data(&text), buf_len(&text), was_sent, c) &&
			++c->on_their_way == ON_THEIR_WAY_MAX)
			native_pause(c->relay.process);
	}
	buf_done(&text);
	return written;
}

static void forward(struct relay_socket *c, const struct message *m)
{
	for (unsigned i = 0; i < packed_count(m->payload); i++) {
		if (forward_one(c, m, i))
			continue;
		log_warn("http", "websocket_relay: a value cannot be JSON; the connection is closed",
			LOG_STR("topic", m->topic));
		close_connection(c, 1011, "");
		return;
	}
}

/* "" and what cannot be read: `otherwise`; zero and less are the default. */
static uint64_t read_interval(const char *text, uint64_t otherwise)
{
	int64_t ns;

	if (!*text)
		return otherwise;
	if (duration_parse(text, strlen(text), &ns, NULL) < 0) {
		log_warn("http", "websocket_relay: heartbeat_interval is no duration", LOG_STR("text", text));
		return otherwise;
	}
	return ns > 0 ? (uint64_t)ns : BEAT_NS;
}

static void change_target(struct relay_socket *c, const char *text)
{
	struct relay *r = &c->relay;
	struct pid to, before = r->target;
	struct err e;

	if (pid_parse(text, strlen(text), &to, &e) < 0) {
		log_warn("http", "websocket_relay: a connection keeps its target", LOG_STR("error", e.text));
		return;
	}
	if (pid_equal(to, before))
		return;
	process_unmonitor(r->process, before);
	if (relay_join(r, to, &e) < 0) {
		close_connection(c, 1000, "Failed to monitor new target PID");
		return;
	}
	relay_leave(r, before);
	/* The old one may have ended just now, and the client been told to wait for the news of that. */
	if (!c->delivery)
		websocket_resume(c->ws);
}

static int control(struct relay_socket *c, const struct value *map, struct err *e)
{
	struct relay *r = &c->relay;
	const char *target, *topic, *interval;

	if (value_type(map) != VALUE_MAP)
		return err_set(e, ERR_INVALID, "expected a table, got %s", value_type_name(map));
	if (relay_read_text(map, "target_pid", &target, e) < 0 ||
		relay_read_text(map, "message_topic", &topic, e) < 0 ||
		relay_read_text(map, "heartbeat_interval", &interval, e) < 0 ||
		(value_count(value_get(map, "metadata")) > 0 && relay_set_metadata(r, map, e) < 0) ||
		(topic && *topic && relay_set_topic(r, topic, e) < 0))
		return -1;
	if (interval && *interval)
		relay_set_beat(r, read_interval(interval, r->beat_ns));
	if (target && *target)
		change_target(c, target);
	return 0;
}

static void receive_control(struct relay_socket *c, const struct packed *payload)
{
	struct value *map = packed_count(payload) > 0 ? packed_to_value(payload, 0) : NULL;
	struct err e;

	if (control(c, map, &e) < 0)
		log_warn("http", "websocket_relay: ws.control was ignored", LOG_STR("error", e.text));
	value_unref(map);
}

static void receive_close(struct relay_socket *c, const struct packed *payload)
{
	struct buf reason = BUF_INIT;

	relay_write_reason(payload, "Connection closed by server", &reason);
	if (buf_len(&reason) > WEBSOCKET_REASON_MAX || !utf8_is_valid(buf_data(&reason), buf_len(&reason)))
		close_connection(c, 1011, "");
	else
		close_connection(c, 1000, buf_str(&reason));
	buf_done(&reason);
}

static void on_receive(void *arg, struct message *m)
{
	struct relay_socket *c = arg;

	if (c->closing)
		goto out;
	if (m->type == MESSAGE_CANCEL) {
		close_connection(c, 1001, "server is stopping");
	} else if (m->type == MESSAGE_EXIT) {
		if (relay_is_target(&c->relay, m->from))
			close_connection(c, 1000, "target process exited");
	} else if (strcmp(m->topic, "ws.control") == 0) {
		receive_control(c, m->payload);
	} else if (strcmp(m->topic, "ws.close") == 0) {
		receive_close(c, m->payload);
	} else {
		forward(c, m);
	}
out:
	message_free(m);
}

static const struct native_ops connection_ops = {.receive = on_receive, .ended = on_ended};

/* -- the beginning ------------------------------------------------------------------------------------- */

void relay_socket_upgraded(void *arg, struct transport *t, const void *early, size_t nearly)
{
	static const struct websocket_callbacks callbacks = {.message = on_message, .closed = on_closed};
	struct relay_socket *c = arg;
	struct native_spec spec = {.host = c->host, .source = c->source, .ops = &connection_ops, .arg = c};
	struct websocket_config cfg = {.loop = worker_loop(worker_current()),
		.transport = t,
		.early = early,
		.nearly = nearly,
		.message_max = c->message_max,
		.write_timeout_ns = c->write_timeout_ns};

	/* The client left meanwhile, or the server stops. */
	if (!t || relay_begin(&c->relay, &spec, NULL) < 0) {
		transport_close(t);
		relay_socket_free(c);
		return;
	}
	c->ws = websocket_new(&cfg, &callbacks, c);
	if (relay_join(&c->relay, c->target, NULL) < 0)
		close_connection(c, 1000, "Failed to monitor target PID");
}

static int configure(struct relay_socket *c, const struct value *map, struct err *e)
{
	const char *topic, *interval;

	if (relay_read_text(map, "message_topic", &topic, e) < 0 ||
		relay_read_text(map, "heartbeat_interval", &interval, e) < 0 ||
		relay_set_metadata(&c->relay, map, e) < 0 ||
		(topic && *topic && relay_set_topic(&c->relay, topic, e) < 0))
		return -1;
	c->relay.beat_ns = read_interval(interval ? interval : "", BEAT_NS);
	return 0;
}

int relay_socket_new(
	const struct relay_socket_config *cfg, const struct value *map, struct relay_socket **ret_socket, struct err *e)
{
	struct relay_socket *c = xcalloc(1, sizeof(*c));

	relay_init(&c->relay, "ws", TOPIC);
	if (configure(c, map, e) < 0) {
		relay_socket_free(c);
		return -1;
	}
	c->host = host_ref(cfg->host);
	c->source = program_ref(cfg->source);
	c->message_max = cfg->message_max;
	c->write_timeout_ns = cfg->write_timeout_ns;
	*ret_socket = c;
	return 0;
}

void relay_socket_aim(struct relay_socket *c, struct pid target)
{
	c->target = target;
}
