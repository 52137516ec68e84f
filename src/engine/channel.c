#include "engine/channel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/channel_state.h"
#include "engine/lua_api.h"
#include "engine/state.h"

/* -- values -------------------------------------------------------------------------------------------- */

/* Push the userdata of a live channel that is registered (not only known inside Lua) on L. */
static bool push_registered(lua_State *L, struct channel *ch)
{
	if (ch->holds > 0)
		return lua_rawgeti(L, LUA_REGISTRYINDEX, ch->anchor) == LUA_TUSERDATA;
	lua_rawgeti(L, LUA_REGISTRYINDEX, ch->heap->channels);
	lua_rawgetp(L, -1, ch);
	lua_remove(L, -2);
	return lua_isuserdata(L, -1);
}

/* Let C code find the userdata at idx by its address as long as it lives. */
static void register_channel(lua_State *L, int idx, struct channel *ch)
{
	idx = lua_absindex(L, idx);
	lua_rawgeti(L, LUA_REGISTRYINDEX, ch->heap->channels);
	lua_pushvalue(L, idx);
	lua_rawsetp(L, -2, ch);
	lua_pop(L, 1);
}

static bool buffer_has_room(const struct channel *ch)
{
	return ch->count < ch->capacity;
}

/* -- waits --------------------------------------------------------------------------------------------- */

static size_t wait_bytes(uint32_t ncases)
{
	return sizeof(struct channel_wait) + ncases * sizeof(struct channel_case);
}

static void withdraw(struct channel_wait *w)
{
	for (uint32_t i = 0; i < w->ncases; i++)
		list_remove(&w->cases[i].link);
}

static void cancel_wait(struct pending *p)
{
	channel_wait_free(container_of(p, struct channel_wait, pending));
}

bool channel_is_wait(const struct pending *p)
{
	return p->cancel == cancel_wait;
}

struct channel_wait *channel_wait_new(lua_State *L, uint32_t ncases, bool selects)
{
	struct heap *h = thread_heap(L);
	struct channel_wait *w = h->spare_wait;

	/* Most waits have one case and follow one that just ended. */
	if (w && ncases == 1)
		h->spare_wait = NULL;
	else
		w = heap_alloc(h, wait_bytes(ncases));
	*w = (struct channel_wait){
		.pending = {.cancel = cancel_wait}, .L = L, .ncases = ncases, .fired = -1, .selects = selects};
	for (uint32_t i = 0; i < ncases; i++)
		list_init(&w->cases[i].link);
	return w;
}

void channel_wait_free(struct channel_wait *w)
{
	struct heap *h = thread_heap(w->L);

	withdraw(w);
	if (w->ncases == 1 && !h->spare_wait)
		h->spare_wait = w;
	else
		heap_dealloc(h, w, wait_bytes(w->ncases));
}

void channel_drop_spare(struct heap *h)
{
	heap_dealloc(h, h->spare_wait, wait_bytes(1));
	h->spare_wait = NULL;
}

void channel_wait_set(struct channel_wait *w, uint32_t i, struct channel *ch, bool sends, int index)
{
	struct channel_case *c = &w->cases[i];

	c->channel = ch;
	c->wait = w;
	c->sends = sends;
	c->index = index;
	list_push_back(sends ? &ch->senders : &ch->receivers, &c->link);
}

/* The case is decided: leave all queues and let the coroutine go on. */
static void fire(struct channel_case *c, bool ok)
{
	struct channel_wait *w = c->wait;

	w->fired = (int32_t)(c - w->cases);
	w->ok = ok;
	withdraw(w);
	pending_ready(&w->pending);
}

/* Push the value a blocked sender offers on L. */
static void push_offered(lua_State *L, const struct channel_case *c)
{
	lua_State *from = c->wait->L;

	if (c->wait->selects)
		lua_getiuservalue(from, c->index, 2);
	else
		lua_pushvalue(from, c->index);
	lua_xmove(from, L, 1);
}

static struct channel_case *first_case(struct list *queue)
{
	return list_is_empty(queue) ? NULL : list_entry(queue->next, struct channel_case, link);
}

/* -- the buffer: the channel's userdata must be at `self` of L ----------------------------------------- */

static void push_buffer(lua_State *L, int self)
{
	if (lua_getiuservalue(L, self, 1) == LUA_TTABLE)
		return;
	lua_pop(L, 1);
	lua_createtable(L, 1, 0);
	lua_pushvalue(L, -1);
	lua_setiuservalue(L, self, 1);
}

/* Pops the value. */
static void store(lua_State *L, struct channel *ch, int self)
{
	self = lua_absindex(L, self);
	push_buffer(L, self);
	lua_insert(L, -2);
	lua_rawseti(L, -2, ch->first + ch->count);
	lua_pop(L, 1);
	ch->count++;
}

/* Pushes the oldest value. */
static void fetch(lua_State *L, struct channel *ch, int self)
{
	self = lua_absindex(L, self);
	push_buffer(L, self);
	lua_rawgeti(L, -1, ch->first);
	lua_pushnil(L);
	lua_rawseti(L, -3, ch->first);
	lua_remove(L, -2);
	ch->first++;
	/* An empty buffer starts over, so that indices stay in the table's array part. */
	if (--ch->count == 0)
		ch->first = 1;
}

enum channel_result channel_try_send(lua_State *L, struct channel *ch, int self, int idx)
{
	struct channel_case *receiver = first_case(&ch->receivers);

	if (ch->closed)
		return CHANNEL_CLOSED;
	if (receiver) {
		lua_pushvalue(L, idx);
		lua_xmove(L, receiver->wait->L, 1);
		fire(receiver, true);
		return CHANNEL_OK;
	}
	if (!buffer_has_room(ch))
		return CHANNEL_WOULD_BLOCK;
	lua_pushvalue(L, idx);
	store(L, ch, self);
	return CHANNEL_OK;
}

enum channel_result channel_receive_some(lua_State *L, struct channel *ch, int self)
{
	struct channel_case *sender = first_case(&ch->senders);

	if (ch->count > 0) {
		fetch(L, ch, self);
		if (sender) {
			push_offered(L, sender);
			store(L, ch, self);
			fire(sender, true);
		}
		return CHANNEL_OK;
	}
	push_offered(L, sender);
	fire(sender, true);
	return CHANNEL_OK;
}

/* So many in a row; then the coroutine is suspended as usual, and others have their turn. */
enum { SUPPLIES_MAX = 128 };

bool channel_supply(lua_State *L, struct channel *ch)
{
	struct heap *h = ch->heap;
	struct task *t = ch->feeds;
	bool enforce = h->enforce, found;

	/* Who waits already comes first. */
	if (!t || !t->ops->supply || ch->closed || !list_is_empty(&ch->receivers) || h->nsupplied >= SUPPLIES_MAX)
		return false;
	h->enforce = false; /* handing over must not fail half-way */
	found = t->ops->supply(t, L, ch);
	h->enforce = enforce;
	h->nsupplied += found;
	return found;
}

/* -- for C code ---------------------------------------------------------------------------------------- */

struct channel *channel_push_new(lua_State *L, size_t capacity)
{
	struct channel *ch = channel_make(L, capacity);

	register_channel(L, -1, ch);
	return ch;
}

/* Anchor the userdata on top of L, which stays there. */
static void anchor(lua_State *L, struct channel *ch, struct task *t)
{
	lua_pushvalue(L, -1);
	ch->anchor = anchor_put(L);
	ch->holds = 1;
	ch->feeds = t;
	list_push_back(&t->feeds, &ch->feed_link);
}

struct channel *channel_push_held(lua_State *L, size_t capacity, struct task *t)
{
	struct channel *ch = channel_make(L, capacity);

	anchor(L, ch, t);
	t->nfeeds++;
	return ch;
}

struct channel *channel_at(lua_State *L, int idx)
{
	struct channel *ch = channel_test(L, idx);

	if (ch && ch->holds == 0)
		register_channel(L, idx, ch);
	return ch;
}

void channel_push(lua_State *L, struct channel *ch)
{
	bool found = push_registered(L, ch);

	assert(found);
	(void)found;
}

void channel_hold(struct channel *ch, struct task *t)
{
	lua_State *L = ch->heap->L;
	bool enforce = ch->heap->enforce;

	assert(ch->holds == 0 || ch->feeds == t);
	t->nfeeds++;
	if (ch->holds > 0) {
		ch->holds++;
		return;
	}
	ch->heap->enforce = false;
	channel_push(L, ch);
	anchor(L, ch, t);
	lua_pop(L, 1);
	ch->heap->enforce = enforce;
}

void channel_release(struct channel *ch)
{
	struct task *t = ch->feeds;

	assert(ch->holds > 0 && t->nfeeds > 0);
	/* The last feed of a resting task ended without a word: it must look whether it can still go on. */
	if (--t->nfeeds == 0 && t->nwaits == 0)
		task_wake(t);
	if (--ch->holds > 0)
		return;
	list_remove(&ch->feed_link);
	ch->feeds = NULL;
	anchor_drop(ch->heap, ch->anchor);
	if (ch->heap->last_held == ch)
		ch->heap->last_held = NULL;
}

void channel_release_all(struct task *t)
{
	while (!list_is_empty(&t->feeds)) {
		struct channel *ch = list_entry(t->feeds.next, struct channel, feed_link);

		while (ch->holds > 1)
			channel_release(ch);
		channel_release(ch);
	}
}

bool channel_has_receiver(const struct channel *ch)
{
	return !list_is_empty(&ch->receivers);
}

bool channel_has_room(const struct channel *ch)
{
	return !ch->closed && (channel_has_receiver(ch) || buffer_has_room(ch));
}

size_t channel_buffered(const struct channel *ch)
{
	return ch->count;
}

bool channel_offer(lua_State *L, struct channel *ch)
{
	struct channel_case *receiver = first_case(&ch->receivers);
	enum channel_result r;

	if (ch->closed || (!receiver && !buffer_has_room(ch))) {
		lua_pop(L, 1);
		return false;
	}
	if (receiver) {
		lua_xmove(L, receiver->wait->L, 1);
		fire(receiver, true);
		return true;
	}
	channel_push(L, ch);
	r = channel_try_send(L, ch, lua_gettop(L), lua_gettop(L) - 1);
	assert(r == CHANNEL_OK);
	(void)r;
	lua_pop(L, 2);
	return true;
}

void channel_clear(lua_State *L, struct channel *ch)
{
	channel_push(L, ch);
	lua_pushnil(L);
	lua_setiuservalue(L, -2, 1);
	lua_pop(L, 1);
	ch->first = 1;
	ch->count = 0;
}

void channel_close(struct channel *ch)
{
	struct channel_case *c;

	if (ch->closed)
		return;
	ch->closed = true;
	while ((c = first_case(&ch->receivers)) != NULL)
		fire(c, false);
	while ((c = first_case(&ch->senders)) != NULL)
		fire(c, false);
}

bool channel_is_closed(const struct channel *ch)
{
	return ch->closed;
}
