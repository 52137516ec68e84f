/*
 * feed.h - a subscription of a program: messages under a topic of its own arrive on a channel until it is closed or its process or call ends.
 *
 *     struct source *s = (struct source *)feed_push(L, process, sizeof(*s), source_over);   // begins with a struct feed
 *     feed_start(L, &s->feed, topic, len);                                                  // the Subscription object is on the stack
 *
 * The object has `channel()` (capacity FEED_CAPACITY, the same channel each time) and `close([{flush = true}])`. What the channel cannot take waits in the process's
 * mailbox. Worker's thread.
 */
#ifndef BIND_FEED_H
#define BIND_FEED_H

#include <stddef.h>

#include "actor/process.h"

struct lua_State;

enum { FEED_CAPACITY = 64 };

struct feed {
	struct resource resource; /* ends with the process */
	struct process *process;
	struct subscription *subscription; /* NULL: over */
	void (*over)(struct feed *f);      /* tell the source to stop; once */
	unsigned refs;                     /* the process's and the Lua object's */
};

/* Register the object's type; any number of times. */
void feed_register(struct lua_State *L);
/* Push a new object; nothing is fed yet. It owns what is returned: `bytes` zeroed, for a struct that begins with a struct feed. Raises only when memory is out. */
struct feed *feed_push(struct lua_State *L, struct process *p, size_t bytes, void (*over)(struct feed *f));
/* Feed the object on top of the stack with messages of that topic, which is new. */
void feed_start(struct lua_State *L, struct feed *f, const char *topic, size_t len);

#endif
