/*
 * inbox.h - where a process's messages wait until one of its channels can take them.
 *
 * Routing without Lua: a message goes to the subscription on exactly its topic, else to the inbox if that is open, else it stays
 * until something that fits is opened; an event of the bus without its subscription is dropped. Events of processes only go to the events channel. A binding looks at the queues and hands their heads to
 * the channels. Owner thread only.
 */
#ifndef ACTOR_INBOX_H
#define ACTOR_INBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "actor/message.h"
#include "base/list.h"

struct channel;
struct lua_State;

struct subscription {
	struct list link;
	struct message_queue queue;
	struct message_queue handed; /* in the channel's buffer, not received yet: what an upgrade must not lose */
	unsigned nhanded;
	struct channel *channel; /* held by the binding */
	bool as_message;         /* deliver Message objects, not bare values */
	/* The program closed the channel. NULL: the subscription just ends. */
	void (*closed)(struct subscription *s);
	void *owner; /* for `closed` and `pull` */
	/* Fed by its owner and not by messages: push the next value, false when there is none now. With `may_end` it may also drop the subscription then. */
	bool (*pull)(struct subscription *s, struct lua_State *L, bool may_end);
	size_t topic_len;
	char topic[];
};

struct inbox {
	struct message_queue unrouted; /* nothing open wants them yet */
	struct message_queue general;
	struct message_queue events;
	struct channel *general_channel; /* NULL until process.inbox() */
	struct channel *events_channel;  /* NULL until process.events() */
	struct list subscriptions;
	void *lua; /* the binding's: the Lua state it hands messages over on */
};

/* In the caller's storage. */
void inbox_init(struct inbox *box);
void inbox_done(struct inbox *box);
struct inbox *inbox_new(void);
/* The channels are the binding's to release before. NULL is fine. */
void inbox_free(struct inbox *box);

/* Takes `m`, whose `order` is set. */
void inbox_route(struct inbox *box, struct message *m);
/* Takes all of `q`. */
void inbox_route_all(struct inbox *box, struct message_queue *q);

void inbox_open_general(struct inbox *box, struct channel *ch);
/* The program closed it: what waits there waits for the next one. */
void inbox_close_general(struct inbox *box);
void inbox_open_events(struct inbox *box, struct channel *ch);

/* Note that `m` (taken) went into the buffer of the subscription's channel, ... */
void inbox_note_handed(struct subscription *s, struct message *m);
/* ... and that only the last `buffered` of those are still in there. */
void inbox_forget_received(struct subscription *s, size_t buffered);
/* Move everything nobody received to `q`, in the order of arrival. The box is to be freed then. */
void inbox_reclaim(struct inbox *box, struct message_queue *q);

/* NULL when nobody listens on the topic. */
struct subscription *inbox_find(struct inbox *box, const char *topic, size_t len);
/* Messages of the topic that still wait move to it. The topic is not yet subscribed. */
struct subscription *inbox_subscribe(struct inbox *box, const char *topic, size_t len, struct channel *ch);
/* Frees `s`; what waits in it goes back into the order of the inbox. */
void inbox_unsubscribe(struct inbox *box, struct subscription *s);
/* Frees `s` and what waits in it. */
void inbox_drop(struct subscription *s);
struct subscription *inbox_of_channel(struct inbox *box, const struct channel *ch);

#endif
