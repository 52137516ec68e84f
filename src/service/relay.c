#include "service/relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actor/quota.h"
#include "base/alloc.h"
#include "base/duration.h"
#include "value/json.h"

enum { TOPIC_MAX = 64 }; /* of those the relay makes */

void relay_init(struct relay *r, const char *prefix, const char *topic)
{
	*r = (struct relay){.prefix = prefix, .topic = xstrdup(topic)};
}

void relay_done(struct relay *r)
{
	value_unref(r->metadata);
	free(r->topic);
}

/* -- what the header says ------------------------------------------------------------------------------ */

int relay_read_header(const char *text, struct value **ret_map, struct err *e)
{
	struct value *v;

	if (json_parse(text, strlen(text), &v, e) < 0) {
		if (e)
			e->kind = ERR_INVALID;
		return -1;
	}
	if (value_type(v) != VALUE_MAP) {
		err_set(e, ERR_INVALID, "expected an object, got %s", value_type_name(v));
		value_unref(v);
		return -1;
	}
	*ret_map = v;
	return 0;
}

int relay_read_text(const struct value *map, const char *field, const char **ret, struct err *e)
{
	const struct value *v = value_get(map, field);

	*ret = NULL;
	if (value_type(v) == VALUE_NIL)
		return 0;
	if (value_type(v) != VALUE_STRING)
		return err_set(e, ERR_INVALID, "%s: expected string, got %s", field, value_type_name(v));
	*ret = value_get_string(v, NULL);
	return 0;
}

int relay_set_topic(struct relay *r, const char *topic, struct err *e)
{
	if (strlen(topic) > MESSAGE_TOPIC_MAX || topic[0] == '@')
		return err_set(e, ERR_INVALID,
			"message_topic: a topic has at most %d bytes and does not begin with '@'", MESSAGE_TOPIC_MAX);
	free(r->topic);
	r->topic = xstrdup(topic);
	return 0;
}

int relay_set_metadata(struct relay *r, const struct value *map, struct err *e)
{
	const struct value *v = value_get(map, "metadata");

	if (value_type(v) == VALUE_NIL)
		return 0;
	/* An empty table of Lua may have become a list. */
	if (value_type(v) != VALUE_MAP && !(value_type(v) == VALUE_LIST && value_count(v) == 0))
		return err_set(e, ERR_INVALID, "metadata: expected an object, got %s", value_type_name(v));
	value_unref(r->metadata);
	r->metadata = value_count(v) > 0 ? value_ref((struct value *)(uintptr_t)v) : NULL;
	return 0;
}

/* -- telling the target -------------------------------------------------------------------------------- */

static struct value *about(const struct relay *r)
{
	struct value *map = value_map();
	char pid[PID_TEXT_MAX];

	value_map_set(map, "client_pid", value_cstring(pid_format(r->pid, pid)));
	if (r->metadata)
		value_map_set(map, "metadata", value_ref(r->metadata));
	return map;
}

/* Takes `body`. */
static struct message *message_to_target(const struct relay *r, const char *what, struct value *body)
{
	char topic[TOPIC_MAX];
	int len = snprintf(topic, sizeof(topic), "%s.%s", r->prefix, what);
	struct message *m = message_new(topic, (size_t)len, r->pid, packed_from_value(body));

	value_unref(body);
	return m;
}

static void on_beat(struct loop_timer *t)
{
	struct relay *r = container_of(t, struct relay, beat);
	char uptime[DURATION_TEXT_MAX];
	struct value *body;
	struct message *m;

	loop_timer_start_ns(t, r->beat_ns);
	if (r->target.number != 0) {
		body = about(r);
		duration_format((int64_t)(loop_clock_ns() - r->begun_ns), uptime);
		value_map_set(body, "uptime", value_cstring(uptime));
		value_map_set(body, "message_count", value_int((int64_t)r->count));
		m = message_to_target(r, "heartbeat", body);
		/* Whoever does not come to read needs no more of them. */
		if (process_offer(r->sched, r->target, m, NULL) == 1)
			message_free(m);
	}
	if (r->on_beat)
		r->on_beat(r);
}

void relay_set_beat(struct relay *r, uint64_t interval_ns)
{
	uint64_t least = RELAY_BEAT_MS_MIN * 1000000ull;

	r->beat_ns = interval_ns == 0 || interval_ns > least ? interval_ns : least;
	loop_timer_stop(&r->beat);
	if (r->beat_ns > 0)
		loop_timer_start_ns(&r->beat, r->beat_ns);
}

/* -- its life ------------------------------------------------------------------------------------------ */

int relay_begin(struct relay *r, const struct native_spec *spec, struct err *e)
{
	struct worker *w = worker_current();

	r->process = native_spawn(spec, e);
	if (!r->process)
		return -1;
	r->pid = process_pid(r->process);
	r->sched = worker_scheduler(w);
	r->begun_ns = loop_clock_ns();
	loop_timer_init(&r->beat, worker_loop(w), on_beat);
	relay_set_beat(r, r->beat_ns);
	return 0;
}

int relay_join(struct relay *r, struct pid target, struct err *e)
{
	if (process_monitor(r->process, target, e) < 0)
		return -1;
	r->target = target;
	process_send(r->sched, target, message_to_target(r, "join", about(r)), NULL);
	return 0;
}

void relay_leave(struct relay *r, struct pid target)
{
	if (target.number == 0)
		return;
	if (pid_equal(r->target, target))
		r->target = (struct pid){0};
	if (r->process)
		process_unmonitor(r->process, target);
	process_send(r->sched, target, message_to_target(r, "leave", about(r)), NULL);
}

bool relay_is_target(const struct relay *r, struct pid pid)
{
	return r->target.number != 0 && pid_equal(r->target, pid);
}

void relay_end(struct relay *r, const char *value)
{
	struct packed *v;

	loop_timer_stop(&r->beat);
	relay_leave(r, r->target);
	if (!r->process)
		return;
	v = packed_from_strings(&value, 1);
	native_end(r->process, v);
	packed_unref(v);
}

/* -- payloads ------------------------------------------------------------------------------------------ */

bool relay_write_payload(const struct packed *payload, unsigned i, struct buf *out)
{
	struct value *v = packed_to_value(payload, i);

	if (!v)
		return false;
	json_write(v, out);
	value_unref(v);
	return true;
}

void relay_write_reason(const struct packed *payload, const char *otherwise, struct buf *out)
{
	struct value *v = packed_count(payload) > 0 ? packed_to_value(payload, 0) : NULL;
	const char *s;
	size_t len;

	if (value_type(v) == VALUE_STRING) {
		s = value_get_string(v, &len);
		buf_add(out, s, len);
	} else if (value_type(v) != VALUE_NIL) {
		json_write(v, out);
	} else {
		buf_adds(out, otherwise);
	}
	value_unref(v);
}
