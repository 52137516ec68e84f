#include "actor/message.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/block_cache.h"

struct message *message_new(const char *topic, size_t topic_len, struct pid from, struct packed *payload)
{
	struct message *m;

	assert(topic_len <= MESSAGE_TOPIC_MAX);
	m = block_alloc(sizeof(*m) + topic_len + 1);
	*m = (struct message){.from = from, .payload = payload, .topic_len = (uint16_t)topic_len, .type = MESSAGE_USER};
	memcpy(m->topic, topic, topic_len);
	m->topic[topic_len] = '\0';
	return m;
}

struct message *message_new_signal(
	enum message_type type, struct pid from, struct packed *payload, struct failure *failure)
{
	struct message *m = message_new(MESSAGE_EVENTS, strlen(MESSAGE_EVENTS), from, payload);

	m->type = (uint8_t)type;
	m->failure = failure;
	m->at_seconds = (int64_t)time(NULL);
	return m;
}

struct message *message_copy(const struct message *m)
{
	struct message *copy = message_new(m->topic, m->topic_len, m->from, packed_ref(m->payload));

	copy->type = m->type;
	copy->failure = failure_keep(m->failure);
	copy->at_seconds = m->at_seconds;
	copy->order = m->order;
	return copy;
}

void message_free(struct message *m)
{
	if (!m)
		return;
	failure_unref(m->failure);
	packed_unref(m->payload);
	block_free(m, sizeof(*m) + m->topic_len + 1);
}

void message_queue_push(struct message_queue *q, struct message *m)
{
	m->next = NULL;
	if (q->tail)
		q->tail->next = m;
	else
		q->head = m;
	q->tail = m;
}

void message_queue_push_front(struct message_queue *q, struct message *m)
{
	m->next = q->head;
	q->head = m;
	if (!q->tail)
		q->tail = m;
}

struct message *message_queue_pop(struct message_queue *q)
{
	struct message *m = q->head;

	if (!m)
		return NULL;
	q->head = m->next;
	if (!q->head)
		q->tail = NULL;
	m->next = NULL;
	return m;
}

void message_queue_append(struct message_queue *q, struct message_queue *from)
{
	if (!from->head)
		return;
	if (q->tail)
		q->tail->next = from->head;
	else
		q->head = from->head;
	q->tail = from->tail;
	*from = (struct message_queue){0};
}

void message_queue_clear(struct message_queue *q)
{
	struct message *m;

	while ((m = message_queue_pop(q)))
		message_free(m);
}
