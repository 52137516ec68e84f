/*
 * message.h - what travels between processes: a topic, the sender, payloads; and the runtime's own signals.
 *
 * One owner at a time; moved, never shared. Payloads are immutable and may be shared.
 */
#ifndef ACTOR_MESSAGE_H
#define ACTOR_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actor/pid.h"
#include "engine/failure.h"
#include "engine/packed.h"

enum { MESSAGE_TOPIC_MAX = 1024 };

/* The topic of the runtime's events. */
#define MESSAGE_EVENTS "@pid/events"

enum message_type {
	MESSAGE_USER,      /* topic and payloads, for Lua */
	MESSAGE_EXIT,      /* `from` ended: `result` or `failure` */
	MESSAGE_LINK_DOWN, /* a linked `from` ended with `failure` */
	MESSAGE_CANCEL,    /* `from` asks to stop; payload 0 is the reason */
	MESSAGE_BUS,       /* an event for the subscription on its topic; dropped when there is none any more */
	/* Signals between runtimes of processes; Lua never sees them. */
	MESSAGE_MONITOR,
	MESSAGE_UNMONITOR,
	MESSAGE_LINK,
	MESSAGE_UNLINK,    /* `unlink_id` 0: the sender has ended */
	MESSAGE_UNLINKED,  /* the answer: it is known */
	MESSAGE_TERMINATE, /* fails with `failure` */
	MESSAGE_DEADLINE,  /* the same, `after_ns` from now */
};

struct message {
	struct message *next;
	struct pid from;
	struct packed *payload; /* a reference; may be NULL: none */
	struct failure *failure;
	union {
		int64_t at_seconds; /* of events: Unix time */
		uint64_t after_ns;  /* of MESSAGE_DEADLINE */
	};
	union {
		uint32_t order;     /* arrival in the receiver, set there */
		uint32_t unlink_id; /* of MESSAGE_UNLINK and its answer: which unlink of the sender */
	};
	uint16_t topic_len;
	uint8_t type; /* enum message_type */
	bool counted; /* in the receiver's quota, see quota.h */
	char topic[]; /* NUL-terminated */
};

/* A reference, or NULL for NULL. */
static inline struct failure *failure_keep(struct failure *f)
{
	return f ? failure_ref(f) : NULL;
}

/* Copies the topic (at most MESSAGE_TOPIC_MAX bytes, checked by the caller); takes `payload`. */
struct message *message_new(const char *topic, size_t topic_len, struct pid from, struct packed *payload);
/* An event or signal: the topic is MESSAGE_EVENTS; takes `payload` and `failure` (both may be NULL). */
struct message *message_new_signal(
	enum message_type type, struct pid from, struct packed *payload, struct failure *failure);
/* The same topic, sender, payload and place in the receiver's order once more. */
struct message *message_copy(const struct message *m);
void message_free(struct message *m); /* NULL is fine */

/* A first-in-first-out list of messages; zeroed is empty. One thread. */
struct message_queue {
	struct message *head;
	struct message *tail;
};

void message_queue_push(struct message_queue *q, struct message *m);
/* Before all others. */
void message_queue_push_front(struct message_queue *q, struct message *m);
struct message *message_queue_pop(struct message_queue *q);
/* Move all of `from` behind `q`. */
void message_queue_append(struct message_queue *q, struct message_queue *from);
void message_queue_clear(struct message_queue *q);

#endif
