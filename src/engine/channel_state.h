/*
 * channel_state.h - the inside of a channel, for channel.c (values in and out) and lib_channel.c (what programs call).
 *
 * Buffered values are in a Lua table, the channel's first user value, under the indices first .. first+count-1. A blocked sender's value is on the
 * stack of its own Lua thread; a receiver gets its value pushed on its thread, where the continuation finds it.
 */
#ifndef ENGINE_CHANNEL_STATE_H
#define ENGINE_CHANNEL_STATE_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "engine/wait.h"

struct channel {
	struct heap *heap;
	struct list receivers; /* of channel_case.link, oldest first */
	struct list senders;
	int64_t first; /* index of the oldest buffered value */
	uint32_t count;
	uint32_t capacity;
	bool closed;
	/* Held for a producer outside Lua. */
	uint16_t holds;
	int anchor; /* registry reference of the userdata */
	struct task *feeds;
	struct list feed_link; /* in task.feeds */
};

/* One way in which a blocked coroutine can go on. */
struct channel_case {
	struct list link;
	struct channel *channel;
	struct channel_wait *wait;
	bool sends;
	int index; /* on the thread's stack: of the value (send), or of the case (select) */
};

/* A coroutine blocked on one or more channels. */
struct channel_wait {
	struct pending pending;
	lua_State *L; /* the thread that called, maybe nested in the coroutine's own */
	uint32_t ncases;
	int32_t fired; /* index into cases, -1 = not yet */
	bool ok;       /* false: it was closed */
	bool selects;
	struct channel_case cases[];
};

enum channel_result {
	CHANNEL_WOULD_BLOCK,
	CHANNEL_OK,
	CHANNEL_CLOSED,
};

/* Send the value at idx of L if that is possible at once. `self` is where the channel's userdata is. Both are positive. */
enum channel_result channel_try_send(lua_State *L, struct channel *ch, int self, int idx);
/* Receive what is buffered or offered: there is some. CHANNEL_OK. */
enum channel_result channel_receive_some(lua_State *L, struct channel *ch, int self);
/* Receive at once: pushes the value on L only for CHANNEL_OK. `self` is positive. */
static inline enum channel_result channel_try_receive(lua_State *L, struct channel *ch, int self)
{
	if (ch->count > 0 || !list_is_empty(&ch->senders))
		return channel_receive_some(L, ch, self);
	return ch->closed ? CHANNEL_CLOSED : CHANNEL_WOULD_BLOCK;
}

/* After CHANNEL_WOULD_BLOCK: ask who feeds the channel. Pushes the value on L when true. */
bool channel_supply(lua_State *L, struct channel *ch);
/* Push a new channel that only Lua knows. */
struct channel *channel_make(lua_State *L, size_t capacity);
/* The channel at idx, NULL when it is none. */
struct channel *channel_test(lua_State *L, int idx);

/* A wait of the running coroutine on `ncases` channels, none set yet. Never fails. */
struct channel_wait *channel_wait_new(lua_State *L, uint32_t ncases, bool selects);
void channel_wait_free(struct channel_wait *w);
void channel_wait_set(struct channel_wait *w, uint32_t i, struct channel *ch, bool sends, int index);

#endif
