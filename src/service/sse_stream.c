#include "service/sse_stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/duration.h"
#include "base/log.h"
#include "service/http_identity.h"
#include "service/relay.h"
#include "value/json.h"

#define TOPIC "sse.message"

static const uint64_t BEAT_NS = 30ull * 1000 * 1000 * 1000;

struct stream {
	struct relay relay;
	struct exchange *x; /* a reference */
	uint64_t idle_ns;   /* 0: none */
	uint64_t hard_ns;
	uint64_t write_timeout_ns;
	struct loop_timer idle, hard;
	struct loop_timer stalled; /* while the client is behind */
	bool over;
};

static const char began; /* its address: the response is a stream */

/* -- writing ------------------------------------------------------------------------------------------- */

static void caught_up(void *arg)
{
	struct stream *s = arg;

	loop_timer_stop(&s->stalled);
	native_resume(s->relay.process);
}

static void send_out(struct stream *s, const struct buf *text)
{
	/* When the client has left, on_gone comes. */
	if (!exchange_write(s->x, buf_data(text), buf_len(text)))
		return;
	exchange_flush(s->x);
	if (exchange_pending(s->x) <= EXCHANGE_PENDING_HIGH || loop_timer_is_armed(&s->stalled))
		return;
	native_pause(s->relay.process);
	loop_timer_start_ns(&s->stalled, s->write_timeout_ns);
	exchange_on_drain(s->x, caught_up, s);
}

/* `data` is JSON, which has no line ends. */
static void write_event(struct stream *s, const char *name, const struct buf *data)
{
	struct buf text = BUF_INIT;

	buf_adds(&text, "event: ");
	/* A topic is any text: it must not end its line. */
	for (; *name; name++)
		buf_addc(&text, *name == '\n' || *name == '\r' ? ' ' : *name);
	buf_adds(&text, "\ndata: ");
	buf_add(&text, buf_data(data), buf_len(data));
	buf_adds(&text, "\n\n");
	send_out(s, &text);
	buf_done(&text);
}

static void write_done(struct stream *s, const char *reason, size_t len)
{
	struct buf data = BUF_INIT;

	buf_adds(&data, "{\"reason\":");
	json_write_string(reason, len, &data);
	buf_addc(&data, '}');
	write_event(s, "done", &data);
	buf_done(&data);
}

static void write_ready(struct stream *s)
{
	struct value *map = value_map();
	struct buf data = BUF_INIT;
	char pid[PID_TEXT_MAX];

	if (s->relay.metadata)
		value_map_set(map, "metadata", value_ref(s->relay.metadata));
	value_map_set(map, "stream_pid", value_cstring(pid_format(s->relay.pid, pid)));
	value_map_set(map, "message_topic", value_cstring(s->relay.topic));
	json_write(map, &data);
	write_event(s, "ready", &data);
	buf_done(&data);
	value_unref(map);
}

static void ping(struct relay *r)
{
	struct stream *s = container_of(r, struct stream, relay);
	struct buf text = BUF_INIT;

	/* For a client that is behind it would only be more of the same. */
	if (loop_timer_is_armed(&s->stalled))
		return;
	buf_adds(&text, ": ping\n\n");
	send_out(s, &text);
	buf_done(&text);
}

/* -- the end ------------------------------------------------------------------------------------------- */

static void let_go(struct stream *s)
{
	if (s->over)
		return;
	s->over = true;
	loop_timer_stop(&s->idle);
	loop_timer_stop(&s->hard);
	loop_timer_stop(&s->stalled);
	relay_end(&s->relay, "sse relay closed");
	exchange_end(s->x);
}

static void finish(struct stream *s, const char *reason)
{
	if (s->over)
		return;
	write_done(s, reason, strlen(reason));
	let_go(s);
}

static void on_gone(void *arg)
{
	let_go(arg);
}

static void on_idle(struct loop_timer *t)
{
	finish(container_of(t, struct stream, idle), "idle timeout");
}

static void on_hard(struct loop_timer *t)
{
	finish(container_of(t, struct stream, hard), "hard timeout");
}

static void on_stalled(struct loop_timer *t)
{
	struct stream *s = container_of(t, struct stream, stalled);

	exchange_abort(s->x);
	let_go(s);
}

static void stream_free(struct stream *s)
{
	relay_done(&s->relay);
	exchange_unref(s->x);
	free(s);
}

static void ended(void *arg, const struct process_end *end)
{
	struct stream *s = arg;

	(void)end;
	s->relay.process = NULL;
	let_go(s);
	stream_free(s);
}

/* -- settings ------------------------------------------------------------------------------------------ */

/* A length of time; *ret stays when the field is absent. "" is `empty`. */
static int read_duration(const struct value *map, const char *field, uint64_t empty, uint64_t *ret, struct err *e)
{
	const char *text;
	int64_t ns;

	if (relay_read_text(map, field, &text, e) < 0)
		return -1;
	if (!text)
		return 0;
	if (!*text) {
		*ret = empty;
		return 0;
	}
	if (duration_parse(text, strlen(text), &ns, NULL) < 0)
		return err_set(e, ERR_INVALID, "invalid %s duration: \"%.200s\"", field, text);
	if (ns < 0)
		return err_set(e, ERR_INVALID, "%s duration must be non-negative: \"%.200s\"", field, text);
	*ret = (uint64_t)ns;
	return 0;
}

/* The pid in `target_pid`; number 0 when there is none. */
static int read_target(const struct value *map, struct pid *ret_pid, struct err *e)
{
	const char *text;

	*ret_pid = (struct pid){0};
	if (relay_read_text(map, "target_pid", &text, e) < 0)
		return -1;
	if (!text || !*text)
		return 0;
	if (pid_parse(text, strlen(text), ret_pid, NULL) < 0 || ret_pid->number == 0)
		return err_set(e, ERR_INVALID, "invalid target PID: \"%.200s\"", text);
	return 0;
}

static int read_topic(struct relay *r, const struct value *map, struct err *e)
{
	const char *text;

	if (relay_read_text(map, "message_topic", &text, e) < 0)
		return -1;
	return text ? relay_set_topic(r, *text ? text : TOPIC, e) : 0;
}

static int configure(struct stream *s, const struct value *map, struct pid *ret_target, struct err *e)
{
	const char *text;

	/* What is not of the right type at all comes first. */
	if (relay_read_text(map, "target_pid", &text, e) < 0 || read_topic(&s->relay, map, e) < 0 ||
		relay_set_metadata(&s->relay, map, e) < 0)
		return err_prefix(e, "invalid relay configuration");
	if (read_duration(map, "heartbeat_interval", BEAT_NS, &s->relay.beat_ns, e) < 0 ||
		read_duration(map, "idle_timeout", 0, &s->idle_ns, e) < 0 ||
		read_duration(map, "hard_timeout", 0, &s->hard_ns, e) < 0)
		return -1;
	return read_target(map, ret_target, e);
}

/* -- messages ------------------------------------------------------------------------------------------ */

static void arm(struct loop_timer *t, uint64_t ns)
{
	loop_timer_stop(t);
	if (ns > 0)
		loop_timer_start_ns(t, ns);
}

static void warn(const char *message, const struct err *e)
{
	log_warn("http", message, LOG_STR("error", e->text));
}

static void control_timeout(const struct value *map, const char *field, uint64_t *ns, struct loop_timer *t)
{
	struct err e;

	if (!value_get(map, field))
		return;
	if (read_duration(map, field, 0, ns, &e) < 0)
		warn("sse_relay: a stream keeps its timeout", &e);
	else
		arm(t, *ns);
}

/* The new target is joined first: on failure the old one stays. */
static void control_target(struct relay *r, const struct value *map)
{
	struct pid to, before = r->target;
	struct err e;

	if (!value_get(map, "target_pid"))
		return;
	if (read_target(map, &to, &e) < 0) {
		warn("sse_relay: a stream keeps its target", &e);
		return;
	}
	if (pid_equal(to, before))
		return;
	if (to.number != 0 && relay_join(r, to, &e) < 0) {
		warn("sse_relay: a stream keeps its target", &e);
		return;
	}
	relay_leave(r, before);
}

static void control(struct stream *s, const struct packed *payload)
{
	struct value *map = packed_count(payload) > 0 ? packed_to_value(payload, 0) : NULL;
	struct relay *r = &s->relay;
	struct err e;

	if (value_type(map) != VALUE_MAP) {
		value_unref(map);
		return;
	}
	if (read_topic(r, map, &e) < 0)
		warn("sse_relay: a stream keeps its topic", &e);
	if (relay_set_metadata(r, map, &e) < 0)
		warn("sse_relay: a stream keeps its metadata", &e);
	if (value_get(map, "heartbeat_interval")) {
		uint64_t ns = r->beat_ns;

		if (read_duration(map, "heartbeat_interval", BEAT_NS, &ns, &e) < 0)
			warn("sse_relay: a stream keeps its heartbeat", &e);
		else
			relay_set_beat(r, ns);
	}
	control_timeout(map, "idle_timeout", &s->idle_ns, &s->idle);
	control_timeout(map, "hard_timeout", &s->hard_ns, &s->hard);
	control_target(r, map);
	value_unref(map);
}

static bool is_reserved(const char *topic)
{
	static const char *const topics[] = {"sse.control", "sse.close", "sse.join", "sse.leave", "sse.heartbeat"};

	for (size_t i = 0; i < ARRAY_LEN(topics); i++)
		if (strcmp(topic, topics[i]) == 0)
			return true;
	return false;
}

static bool is_wanted(const struct stream *s, const char *topic)
{
	if (strcmp(s->relay.topic, "*") == 0)
		return !is_reserved(topic);
	return strcmp(s->relay.topic, topic) == 0;
}

static void forward(struct stream *s, const struct message *m)
{
	struct buf data = BUF_INIT;

	for (unsigned i = 0; i < packed_count(m->payload); i++) {
		buf_clear(&data);
		if (!relay_write_payload(m->payload, i, &data)) {
			log_warn("http", "sse_relay: a value was skipped: it cannot be JSON",
				LOG_STR("topic", m->topic));
			continue;
		}
		s->relay.count++;
		write_event(s, m->topic, &data);
		arm(&s->idle, s->idle_ns);
	}
	buf_done(&data);
}

static void receive_message(struct stream *s, const struct message *m)
{
	struct buf reason = BUF_INIT;

	if (strcmp(m->topic, "sse.control") == 0) {
		control(s, m->payload);
	} else if (strcmp(m->topic, "sse.close") == 0) {
		relay_write_reason(m->payload, "closed by server", &reason);
		write_done(s, buf_data(&reason), buf_len(&reason));
		let_go(s);
		buf_done(&reason);
	} else if (is_wanted(s, m->topic)) {
		forward(s, m);
	}
}

static void receive(void *arg, struct message *m)
{
	struct stream *s = arg;

	if (m->type == MESSAGE_CANCEL)
		let_go(s);
	else if (m->type == MESSAGE_EXIT && relay_is_target(&s->relay, m->from))
		finish(s, "target process exited");
	else if (m->type == MESSAGE_USER)
		receive_message(s, m);
	message_free(m);
}

static const struct native_ops stream_ops = {.receive = receive, .ended = ended};

/* -- the beginning ------------------------------------------------------------------------------------- */

static int begin(struct stream *s, struct pid target, struct err *e)
{
	const struct http_owner *o = exchange_owner(s->x);
	struct native_spec spec = {.host = o->host, .source = o->connections, .ops = &stream_ops, .arg = s};

	if (relay_begin(&s->relay, &spec, e) < 0)
		return -1;
	if (target.number != 0 && relay_join(&s->relay, target, e) < 0) {
		e->kind = ERR_NOT_FOUND;
		return -1;
	}
	return 0;
}

static void open_stream(struct stream *s, struct pid target)
{
	arm(&s->idle, s->idle_ns);
	arm(&s->hard, s->hard_ns);
	exchange_attach(s->x, &began, s, NULL); /* only looked for */
	exchange_commit(s->x, 200);
	exchange_flush(s->x);
	exchange_on_gone(s->x, on_gone, s);
	exchange_leave_at_eof(s->x);
	if (target.number == 0)
		write_ready(s);
}

int sse_stream_start(struct exchange *x, const struct value *map, uint64_t write_timeout_ns, struct err *e)
{
	struct stream *s = xcalloc(1, sizeof(*s));
	struct pid target;

	relay_init(&s->relay, "sse", TOPIC);
	s->relay.beat_ns = BEAT_NS;
	s->relay.on_beat = ping;
	s->write_timeout_ns = write_timeout_ns;
	s->x = exchange_ref(x);
	loop_timer_init(&s->idle, exchange_loop(x), on_idle);
	loop_timer_init(&s->hard, exchange_loop(x), on_hard);
	loop_timer_init(&s->stalled, exchange_loop(x), on_stalled);
	if (configure(s, map, &target, e) == 0 && begin(s, target, e) == 0) {
		open_stream(s, target);
		return 0;
	}
	s->over = true; /* the exchange is the caller's again */
	if (s->relay.process)
		relay_end(&s->relay, "sse relay closed"); /* ended() comes */
	else
		stream_free(s);
	return -1;
}

bool sse_stream_began(const struct exchange *x)
{
	return exchange_attached(x, &began) != NULL;
}
