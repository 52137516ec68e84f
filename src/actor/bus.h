/*
 * bus.h - the event bus: who subscribed hears what is published from then on.
 *
 * An event has a system, a kind (dotted by convention), a path (usually an entry's id) and maybe data. The bus is for observation: in memory, no replay, no
 * acknowledgement; what is published after bus_stop() is dropped silently.
 *
 * Subscribing, unsubscribing and publishing are requests in one queue, worked off strictly in the order of their arrival. So all subscribers see all events in the
 * same order, a publisher's events keep theirs, and a subscription sees every event whose publishing began after bus_subscribe() returned. Requests never wait and never
 * fail: the thread that finds the queue unattended attends to it (and to what others add meanwhile) for a bounded time, then the control loop goes on in
 * its place.
 *
 * Subscribers are processes, told through their mailboxes, and listeners of the runtime, told on their loops.
 */
#ifndef ACTOR_BUS_H
#define ACTOR_BUS_H

#include <stddef.h>
#include <stdint.h>

#include "actor/pid.h"
#include "base/err.h"
#include "engine/packed.h"
#include "loop/loop.h"
#include "value/value.h"

struct bus;
struct bus_listener;
struct scheduler;

enum {
	BUS_NAME_MAX = 1024, /* bytes of a system, a kind, a pattern; publishers check */
	BUS_PATH_MAX = 4096,
	BUS_LISTENERS_MAX = 4096,
	BUS_TOPIC_MAX = 32,
};

/* `s` may be NULL: then there are no processes to tell. `loop` takes over long queues; it outlives the bus. */
struct bus *bus_new(struct scheduler *s, struct loop *loop);
/* From now on nothing is published. Thread of `loop`; run that loop once more before bus_free(), when no other thread uses the bus. */
void bus_stop(struct bus *b);
/* NULL is fine. */
void bus_free(struct bus *b);

/* -- publishing: any thread ------------------------------------------------------------------------- */

/* The table {system, kind, path, data}; `data` is borrowed, NULL for none. */
struct packed *bus_pack(const char *system, const char *kind, const char *path, const struct value *data);
/* Texts are copied, at most BUS_NAME_MAX and BUS_PATH_MAX bytes; takes `event`, which every subscriber gets a copy of. */
void bus_publish(struct bus *b, const char *system, const char *kind, const char *path, struct packed *event);
/* The same for callers that may hold a lock (log records): the control loop does the work. */
void bus_publish_later(struct bus *b, const char *system, const char *kind, const char *path, struct packed *event);

/* -- processes: any thread -------------------------------------------------------------------------- */

/* Each event that matches arrives at `pid` as a MESSAGE_BUS under the subscription's own topic, its payload the event's table. Patterns are prefixes
 * (registry/pattern.h); `kind` NULL or "" is any. Returns the subscription's number, never 0. */
uint64_t bus_subscribe(struct bus *b, struct pid pid, const char *system, const char *kind);
/* What was published before may still arrive; the inbox drops messages that nobody waits for. */
void bus_unsubscribe(struct bus *b, uint64_t number);
/* The topic of that subscription; returns its length. */
size_t bus_topic(uint64_t number, char topic[static BUS_TOPIC_MAX]);

/* -- listeners -------------------------------------------------------------------------------------- */

struct bus_event {
	const char *system;
	const char *kind;
	const char *path;
	struct packed *packed; /* the whole as a table */
};

/* `event` is borrowed. */
typedef void bus_event_fn(void *arg, const struct bus_event *event);

/* `fn` runs on `loop` for each event whose system and kind match these patterns of segments (registry/pattern.h). Thread of `loop`. UNAVAILABLE
 * "eventbus subscribers cap reached". */
int bus_listen(struct bus *b, const char *system, const char *kind, struct loop *loop, bus_event_fn *fn, void *arg,
	struct bus_listener **ret, struct err *e);
/* `fn` runs no more. Thread of its loop, before bus_free(); NULL is fine. */
void bus_unlisten(struct bus_listener *l);

#endif
