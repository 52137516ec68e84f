/*
 * channel.h - channels between the coroutines of one task, also fed from outside by the runtime.
 *
 * A channel is a Lua userdata (one identity per channel); struct channel lives in it, values sit in Lua tables. Lua code uses the `channel` module (channel_open());
 * C code feeds inboxes, timers and futures through this header. Owner thread only.
 *
 * A producer that outlives the Lua value keeps a handle with channel_hold(); while it holds, the task cannot be in deadlock.
 */
#ifndef ENGINE_CHANNEL_H
#define ENGINE_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>

struct lua_State;
struct channel;
struct task;

/* Push a new channel of that capacity on L. */
struct channel *channel_push_new(struct lua_State *L, size_t capacity);
/* The same, held for `t` from the start: cheaper than channel_hold() afterwards. */
struct channel *channel_push_held(struct lua_State *L, size_t capacity, struct task *t);
/* The channel at idx, NULL when it is none. */
struct channel *channel_at(struct lua_State *L, int idx);
/* Push the same userdata again (channels that are held). */
void channel_push(struct lua_State *L, struct channel *ch);

/* Anchor the channel for a producer outside Lua and count it as a feed of `t`; channel_release() undoes both (also done by task_done). */
void channel_hold(struct channel *ch, struct task *t);
void channel_release(struct channel *ch);

/* Would a value be taken now: a waiting receiver, or room in the buffer? */
bool channel_has_room(const struct channel *ch);
bool channel_has_receiver(const struct channel *ch);
/* How many values wait in the buffer. */
size_t channel_buffered(const struct channel *ch);
/* Hand over the value on top of L (popped). False (still popped) when full or closed. Wakes a receiver. */
bool channel_offer(struct lua_State *L, struct channel *ch);
/* Throw away what the buffer holds. */
void channel_clear(struct lua_State *L, struct channel *ch);
void channel_close(struct channel *ch);
bool channel_is_closed(const struct channel *ch);

/* The `channel` module. */
int channel_open(struct lua_State *L);

#endif
