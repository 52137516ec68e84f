/*
 * process_inbox.c - the channels messages and events arrive on, and handing them over.
 */

#include "actor/quota.h"
#include "bind/modules.h"
#include "bind/process.h"
#include "engine/channel.h"

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
	while (s->pull && channel_has_room(ch)) {
		if (!s->pull(s, L, true))
			return;
		channel_offer(L, ch);
	}
	while (s->queue.head && channel_has_room(ch)) {
		struct message *m = message_queue_pop(&s->queue);
		/* What other modules feed ends with an upgrade: nobody asks for it again. */
		bool received = channel_has_receiver(ch) || s->closed;

		quota_received(p, m);
		if (s->as_message) {
			struct message *copy = received ? NULL : message_copy(m);

			process_push_message(L, m); /* takes it */
			m = copy;
		} else {
			process_push_values(L, m);
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
		process_push_message(L, m);
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

		process_push_event(L, m);
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

	if (s->pull)
		return s->pull(s, L, false);
	inbox_forget_received(s, channel_buffered(s->channel));
	m = message_queue_pop(&s->queue);
	if (!m)
		return false;
	quota_received(p, m);
	if (s->as_message) {
		process_push_message(L, m);
		return true;
	}
	process_push_values(L, m);
	message_free(m);
	return true;
}

static bool supply_event(struct inbox *box, lua_State *L)
{
	struct message *m = message_queue_pop(&box->events);

	if (!m)
		return false;
	process_push_event(L, m);
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
		process_push_message(L, m);
		return true;
	}
	if (ch == box->events_channel)
		return supply_event(box, L);
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
