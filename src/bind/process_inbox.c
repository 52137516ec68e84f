/*
 * process_inbox.c - the channels messages and events arrive on, and handing them over.
 */
#include <string.h>

#include "actor/quota.h"
#include "bind/modules.h"
#include "bind/payload.h"
#include "bind/process.h"
#include "engine/channel.h"

/* -- message objects --------------------------------------------------------------------------------- */

/* One that carries little holds a copy and needs no finalizer; the others keep the message. */
struct message_handle {
	struct pid from;
	const struct packed *payload; /* here, or the message's; NULL = none */
	struct message *message;      /* NULL: all is here */
	const char *topic;            /* here, or the message's */
	size_t topic_len;
	char here[]; /* a copy of the payload, then one of the topic */
};

enum { MESSAGE_HERE_MAX = 4096 }; /* larger payloads are not copied */

/* Senders' pids as Lua strings, which are user values 1, 2, ... of this: a process hears from few others. One per heap. */
struct pid_texts {
	struct pid pids[64];
};

static const struct message_handle *message_check(lua_State *L)
{
	return handle_self(L, HANDLE_MESSAGE);
}

static int l_topic(lua_State *L)
{
	const struct message_handle *h = message_check(L);

	lua_pushlstring(L, h->topic, h->topic_len);
	return 1;
}

/* In a method of messages. */
static void push_pid_text(lua_State *L, struct pid pid)
{
	char text[PID_TEXT_MAX];
	struct pid_texts *known;
	size_t i;

	if (pid.number == 0) {
		lua_pushliteral(L, "");
		return;
	}
	known = lua_touserdata(L, lua_upvalueindex(1));
	i = pid.number % ARRAY_LEN(known->pids);
	if (pid_equal(known->pids[i], pid)) {
		lua_getiuservalue(L, lua_upvalueindex(1), (int)i + 1);
		return;
	}
	lua_pushstring(L, pid_format(pid, text));
	lua_pushvalue(L, -1);
	lua_setiuservalue(L, lua_upvalueindex(1), (int)i + 1);
	known->pids[i] = pid;
}

static int l_from(lua_State *L)
{
	push_pid_text(L, message_check(L)->from);
	return 1;
}

static int l_payload(lua_State *L)
{
	payload_push_within(L, message_check(L)->payload, 1);
	return 1;
}

static int l_tostring(lua_State *L)
{
	lua_pushfstring(L, "process.Message{topic=%s}", message_check(L)->topic);
	return 1;
}

static int message_gc(lua_State *L)
{
	struct message_handle *h = lua_touserdata(L, 1);

	message_free(h->message);
	h->message = NULL;
	return 0;
}

void process_inbox_register(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"from", l_from},
		{"payload", l_payload},
		{"topic", l_topic},
		{NULL, NULL},
	};
	struct pid_texts *texts;

	texts = lua_newuserdatauv(L, sizeof(*texts), ARRAY_LEN(texts->pids));
	*texts = (struct pid_texts){0};
	handle_register_kind(L, HANDLE_MESSAGE, "process.Message", methods, l_tostring, message_gc);
}

/* Takes `m`. */
static void push_message(lua_State *L, struct message *m)
{
	size_t bytes = m->payload ? packed_inline_bytes(m->payload, MESSAGE_HERE_MAX) : 0;
	struct message_handle *h;

	if (m->payload && bytes == 0) {
		h = handle_new_owning(L, HANDLE_MESSAGE, sizeof(*h));
		*h = (struct message_handle){m->from, m->payload, m, m->topic, m->topic_len};
		return;
	}
	h = handle_new_plain(L, HANDLE_MESSAGE, sizeof(*h) + bytes + m->topic_len + 1, 0);
	*h = (struct message_handle){.from = m->from, .topic = h->here + bytes, .topic_len = m->topic_len};
	if (m->payload)
		h->payload = packed_inline(h->here, m->payload);
	memcpy(h->here + bytes, m->topic, (size_t)m->topic_len + 1);
	message_free(m);
}

/* What listen() gives: nil, the value, or an array of values. */
static void push_values(lua_State *L, const struct message *m)
{
	unsigned n = packed_count(m->payload);

	if (n <= 1) {
		packed_push_at(L, m->payload, 0);
		return;
	}
	lua_createtable(L, (int)n, 0);
	for (unsigned i = 0; i < n; i++) {
		packed_push_at(L, m->payload, i);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static void set_string(lua_State *L, const char *key, const char *s)
{
	lua_pushstring(L, s);
	lua_setfield(L, -2, key);
}

static void push_event(lua_State *L, const struct message *m)
{
	char text[PID_TEXT_MAX];

	lua_createtable(L, 0, 4);
	set_string(L, "from", pid_format(m->from, text));
	lua_pushinteger(L, m->at_seconds);
	lua_setfield(L, -2, "at");
	if (m->type == MESSAGE_CANCEL) {
		set_string(L, "kind", "pid.cancel");
		packed_push_at(L, m->payload, 0);
		lua_setfield(L, -2, "reason");
		return;
	}
	set_string(L, "kind", m->type == MESSAGE_EXIT ? "pid.exit" : "pid.link.down");
	lua_createtable(L, 0, 2);
	packed_push_at(L, m->payload, 0);
	lua_setfield(L, -2, "value");
	if (m->failure) {
		push_failure(L, m->failure);
		lua_setfield(L, -2, "error");
	}
	lua_setfield(L, -2, "result");
}

/* -- delivery ---------------------------------------------------------------------------------------- */

static void deliver_subscription(lua_State *L, struct process *p, struct subscription *s)
{
	struct inbox *box = p->inbox;
	struct channel *ch = s->channel;

	inbox_forget_received(s, channel_buffered(ch));
	/* The program closed it: that ends the subscription. */
	if (channel_is_closed(ch)) {
		if (s->closed) {
			s->closed(s);
			return;
		}
		inbox_unsubscribe(box, s);
		channel_release(ch);
		return;
	}
	while (s->queue.head && channel_has_room(ch)) {
		struct message *m = message_queue_pop(&s->queue);
		/* What other modules feed ends with an upgrade: nobody asks for it again. */
		bool received = channel_has_receiver(ch) || s->closed;

		quota_received(p, m);
		if (s->as_message) {
			struct message *copy = received ? NULL : message_copy(m);

			push_message(L, m); /* takes it */
			m = copy;
		} else {
			push_values(L, m);
		}
		channel_offer(L, ch);
		if (received)
			message_free(m);
		else
			inbox_note_handed(s, m);
	}
}

static void deliver_general(lua_State *L, struct process *p)
{
	struct inbox *box = p->inbox;
	struct channel *ch = box->general_channel;

	if (ch && channel_is_closed(ch)) {
		inbox_close_general(box);
		channel_release(ch);
		return;
	}
	while (ch && box->general.head && channel_has_room(ch)) {
		struct message *m = message_queue_pop(&box->general);

		quota_received(p, m);
		push_message(L, m);
		channel_offer(L, ch);
	}
}

static void deliver_events(lua_State *L, struct inbox *box)
{
	struct channel *ch = box->events_channel;

	if (ch && channel_is_closed(ch)) {
		box->events_channel = NULL;
		channel_release(ch);
		return;
	}
	while (ch && box->events.head && channel_has_room(ch)) {
		struct message *m = message_queue_pop(&box->events);

		push_event(L, m);
		message_free(m);
		channel_offer(L, ch);
	}
}

static void on_deliver(struct process *p)
{
	struct inbox *box = p->inbox;
	lua_State *L = box->lua;

	if (!L)
		return;
	list_for_each_safe(l, tmp, &box->subscriptions)
		deliver_subscription(L, p, list_entry(l, struct subscription, link));
	deliver_general(L, p);
	deliver_events(L, box);
}

static bool supply_subscription(struct process *p, lua_State *L, struct subscription *s)
{
	struct message *m;

	inbox_forget_received(s, channel_buffered(s->channel));
	m = message_queue_pop(&s->queue);
	if (!m)
		return false;
	quota_received(p, m);
	if (s->as_message) {
		push_message(L, m);
		return true;
	}
	push_values(L, m);
	message_free(m);
	return true;
}

static bool on_supply(struct process *p, lua_State *L, struct channel *ch)
{
	struct inbox *box = p->inbox;
	struct subscription *s;
	struct message *m;

	if (ch == box->general_channel) {
		m = message_queue_pop(&box->general);
		if (!m)
			return false;
		quota_received(p, m);
		push_message(L, m);
		return true;
	}
	if (ch == box->events_channel) {
		m = message_queue_pop(&box->events);
		if (!m)
			return false;
		push_event(L, m);
		message_free(m);
		return true;
	}
	s = inbox_of_channel(box, ch);
	return s && supply_subscription(p, L, s);
}

static void on_release(struct process *p)
{
	/* The task lets go of the channels themselves when it ends. */
	p->inbox->lua = NULL;
}

const struct process_hooks bind_process_hooks = {
	.deliver = on_deliver,
	.supply = on_supply,
	.release = on_release,
};

/* -- the module's functions -------------------------------------------------------------------------- */

struct inbox *process_inbox_open(lua_State *L, struct process *p)
{
	struct inbox *box = process_open_inbox(p);

	if (!box->lua) {
		/* Messages arrive when no coroutine runs: the heap's main thread has room for them. */
		lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
		box->lua = lua_tothread(L, -1);
		lua_pop(L, 1);
	}
	return box;
}

int l_process_inbox(lua_State *L)
{
	struct process *p = process_check(L, "process.inbox");
	struct inbox *box = process_inbox_open(L, p);

	if (box->general_channel) {
		channel_push(L, box->general_channel);
		return 1;
	}
	struct channel *ch = channel_push_held(L, 0, &p->task);

	inbox_open_general(box, ch);
	return 1;
}

int l_process_events(lua_State *L)
{
	struct process *p = process_check(L, "process.events");
	struct inbox *box = process_inbox_open(L, p);

	if (box->events_channel) {
		channel_push(L, box->events_channel);
		return 1;
	}
	struct channel *ch = channel_push_held(L, 0, &p->task);

	inbox_open_events(box, ch);
	return 1;
}

static int check_topic(const char *topic, size_t len, const char *verb, struct err *e)
{
	if (len == 0)
		return err_set(e, ERR_INVALID, "topic cannot be empty");
	if (topic[0] == '@')
		return err_set(e, ERR_INVALID, "cannot %s to @ topics", verb);
	if (len > MESSAGE_TOPIC_MAX)
		return err_set(e, ERR_INVALID, "topic is longer than %d bytes", MESSAGE_TOPIC_MAX);
	return 0;
}

/* The subscription on a topic whose channel is open; one that the program closed ends here. */
static struct subscription *find_open(struct inbox *box, const char *topic, size_t len)
{
	struct subscription *s = inbox_find(box, topic, len);
	struct channel *ch;

	if (!s || !channel_is_closed(s->channel))
		return s;
	ch = s->channel;
	inbox_unsubscribe(box, s);
	channel_release(ch);
	return NULL;
}

int l_process_listen(lua_State *L)
{
	size_t len;
	const char *topic = luaL_checklstring(L, 1, &len);
	struct process *p = process_check(L, "process.listen");
	struct subscription *s;
	struct channel *ch;
	bool as_message = false;
	struct inbox *box;
	struct err e;

	if (check_topic(topic, len, "listen", &e) < 0)
		return push_nil_and_err(L, &e);
	if (lua_istable(L, 2))
		field_bool(L, 2, "message", &as_message);
	box = process_inbox_open(L, p);
	s = find_open(box, topic, len);
	if (s) {
		s->as_message |= as_message;
		channel_push(L, s->channel);
		return 1;
	}
	ch = channel_push_held(L, 1, &p->task);
	s = inbox_subscribe(box, topic, len, ch);
	s->as_message = as_message;
	return 1;
}

/* subscribe(topic, channel): a channel of the program's own, so its capacity counts. */
static int l_subscribe(lua_State *L)
{
	size_t len;
	const char *topic = luaL_checklstring(L, 1, &len);
	struct process *p = process_check(L, "subscribe");
	struct channel *ch = channel_at(L, 2);
	struct subscription *s;
	struct inbox *box;
	struct err e;

	if (!ch)
		return raise_argument(L, 2, "channel expected");
	if (check_topic(topic, len, "subscribe", &e) < 0)
		return push_nil_and_err(L, &e);
	if (channel_is_closed(ch)) {
		err_set(&e, ERR_INVALID, "channel is closed");
		return push_nil_and_err(L, &e);
	}
	box = process_inbox_open(L, p);
	s = find_open(box, topic, len);
	if (s && s->channel != ch) {
		err_set(&e, ERR_ALREADY_EXISTS, "topic \"%.200s\" already subscribed", topic);
		return push_nil_and_err(L, &e);
	}
	if (!s) {
		channel_hold(ch, &p->task);
		inbox_subscribe(box, topic, len, ch);
	}
	lua_settop(L, 2);
	return 1;
}

/* End every subscription of the channel; it stays open. */
static int l_unsubscribe(lua_State *L)
{
	struct process *p = process_check(L, "unsubscribe");
	struct channel *ch = channel_at(L, 1);
	struct subscription *s;
	struct err e;
	bool found = false;

	if (!ch)
		return raise_argument(L, 1, "channel expected");
	while (p->inbox && (s = inbox_of_channel(p->inbox, ch)) && !s->closed) {
		inbox_unsubscribe(p->inbox, s);
		channel_release(ch);
		found = true;
	}
	lua_pushboolean(L, found);
	if (found)
		return 1;
	err_set(&e, ERR_NOT_FOUND, "channel not found");
	push_err(L, &e);
	return 2;
}

int bind_subscribe_open(lua_State *L)
{
	lua_pushcfunction(L, l_subscribe);
	return 1;
}

int bind_unsubscribe_open(lua_State *L)
{
	lua_pushcfunction(L, l_unsubscribe);
	return 1;
}

int l_process_unlisten(lua_State *L)
{
	struct process *p = process_check(L, "process.unlisten");
	struct channel *ch = channel_at(L, 1);
	struct subscription *s;
	struct err e;

	if (!ch)
		return raise_argument(L, 1, "channel expected");
	s = p->inbox ? inbox_of_channel(p->inbox, ch) : NULL;
	/* The channels of other modules end with what they belong to. */
	if (!s || s->closed) {
		err_set(&e, ERR_NOT_FOUND, "channel not found");
		lua_pushboolean(L, false);
		push_err(L, &e);
		return 2;
	}
	/* A channel of the program's own may have several topics. */
	for (; s; s = inbox_of_channel(p->inbox, ch)) {
		inbox_unsubscribe(p->inbox, s);
		channel_close(ch);
		channel_release(ch);
	}
	lua_pushboolean(L, true);
	return 1;
}
