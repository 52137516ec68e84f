#include "actor/inbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void inbox_init(struct inbox *box)
{
	*box = (struct inbox){0};
	list_init(&box->subscriptions);
}

void inbox_done(struct inbox *box)
{
	list_for_each_safe(l, tmp, &box->subscriptions) {
		struct subscription *s = list_entry(l, struct subscription, link);

		message_queue_clear(&s->queue);
		message_queue_clear(&s->handed);
		free(s);
	}
	message_queue_clear(&box->unrouted);
	message_queue_clear(&box->general);
	message_queue_clear(&box->events);
}

struct inbox *inbox_new(void)
{
	struct inbox *box = xmalloc(sizeof(*box));

	inbox_init(box);
	return box;
}

void inbox_free(struct inbox *box)
{
	if (!box)
		return;
	inbox_done(box);
	free(box);
}

static bool topic_is(const struct message *m, const char *topic, size_t len)
{
	return m->topic_len == len && memcmp(m->topic, topic, len) == 0;
}

/* Does the inbox, rather than a subscription or the events channel, take it? */
static bool is_general(const struct message *m)
{
	return m->topic_len == 0 || m->topic[0] != '@';
}

static __attribute__((noinline)) void route_by_topic(struct inbox *box, struct message *m)
{
	struct subscription *s;

	if (topic_is(m, MESSAGE_EVENTS, strlen(MESSAGE_EVENTS))) {
		/* Events wait in their own queue even before process.events(). */
		message_queue_push(&box->events, m);
		return;
	}
	s = inbox_find(box, m->topic, m->topic_len);
	if (s)
		message_queue_push(&s->queue, m);
	else if (m->type == MESSAGE_BUS)
		message_free(m);
	else if (box->general_channel && is_general(m))
		message_queue_push(&box->general, m);
	else
		message_queue_push(&box->unrouted, m);
}

void inbox_route(struct inbox *box, struct message *m)
{
	/* Without subscriptions the inbox gets what is no event; that is most of what is sent. */
	if (m->type == MESSAGE_USER && box->general_channel && list_is_empty(&box->subscriptions) && is_general(m))
		message_queue_push(&box->general, m);
	else
		route_by_topic(box, m);
}

void inbox_route_all(struct inbox *box, struct message_queue *q)
{
	struct message *m;

	while ((m = message_queue_pop(q)))
		inbox_route(box, m);
}

/* Was `a` received before `b`? Counters wrap. */
static bool is_before(const struct message *a, const struct message *b)
{
	return (int32_t)(a->order - b->order) < 0;
}

/* Merge two queues by arrival. */
static void merge(struct message_queue *into, struct message_queue *from)
{
	struct message_queue out = {0};

	while (into->head && from->head)
		message_queue_push(&out, message_queue_pop(is_before(from->head, into->head) ? from : into));
	message_queue_append(&out, into);
	message_queue_append(&out, from);
	*into = out;
}

void inbox_open_general(struct inbox *box, struct channel *ch)
{
	struct message_queue q = box->unrouted;

	box->general_channel = ch;
	box->unrouted = (struct message_queue){0};
	inbox_route_all(box, &q);
}

void inbox_close_general(struct inbox *box)
{
	box->general_channel = NULL;
	merge(&box->unrouted, &box->general);
}

void inbox_open_events(struct inbox *box, struct channel *ch)
{
	box->events_channel = ch;
}

struct subscription *inbox_find(struct inbox *box, const char *topic, size_t len)
{
	list_for_each(l, &box->subscriptions) {
		struct subscription *s = list_entry(l, struct subscription, link);

		if (s->topic_len == len && memcmp(s->topic, topic, len) == 0)
			return s;
	}
	return NULL;
}

/* Move what `s` wants out of `q`, which is only re-linked when something matches. */
static void claim(struct subscription *s, struct message_queue *q)
{
	struct message_queue rest = {0};
	struct message *m;

	while ((m = message_queue_pop(q)))
		message_queue_push(topic_is(m, s->topic, s->topic_len) ? &s->queue : &rest, m);
	*q = rest;
}

struct subscription *inbox_subscribe(struct inbox *box, const char *topic, size_t len, struct channel *ch)
{
	struct subscription *s = xcalloc(1, sizeof(*s) + len + 1);

	memcpy(s->topic, topic, len);
	s->topic_len = len;
	s->channel = ch;
	list_push_back(&box->subscriptions, &s->link);
	/* Without an open inbox everything waits in `unrouted`, with one in `general`. */
	claim(s, &box->unrouted);
	claim(s, &box->general);
	return s;
}

void inbox_unsubscribe(struct inbox *box, struct subscription *s)
{
	list_remove(&s->link);
	merge(box->general_channel ? &box->general : &box->unrouted, &s->queue);
	message_queue_clear(&s->handed);
	free(s);
}

void inbox_drop(struct subscription *s)
{
	list_remove(&s->link);
	message_queue_clear(&s->queue);
	message_queue_clear(&s->handed);
	free(s);
}

struct subscription *inbox_of_channel(struct inbox *box, const struct channel *ch)
{
	list_for_each(l, &box->subscriptions) {
		struct subscription *s = list_entry(l, struct subscription, link);

		if (s->channel == ch)
			return s;
	}
	return NULL;
}

/* -- what an upgrade must not lose ------------------------------------------------------------------- */

void inbox_note_handed(struct subscription *s, struct message *m)
{
	message_queue_push(&s->handed, m);
	s->nhanded++;
}

void inbox_forget_received(struct subscription *s, size_t buffered)
{
	for (; s->nhanded > buffered; s->nhanded--)
		message_free(message_queue_pop(&s->handed));
}

void inbox_reclaim(struct inbox *box, struct message_queue *q)
{
	list_for_each(l, &box->subscriptions) {
		struct subscription *s = list_entry(l, struct subscription, link);

		merge(q, &s->handed);
		merge(q, &s->queue);
		s->nhanded = 0;
	}
	merge(q, &box->unrouted);
	merge(q, &box->general);
	merge(q, &box->events);
}
