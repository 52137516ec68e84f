#include "engine/wait.h"

#include <assert.h>

#include "engine/channel.h"
#include "engine/lua_api.h"
#include "engine/state.h"

bool wait_is_possible(lua_State *L)
{
	struct heap *h = thread_heap(L);

	return h->current && h->can_wait && lua_isyieldable(L);
}

static int wait_ended(lua_State *L, int status, lua_KContext ctx)
{
	struct pending *p = (struct pending *)ctx;
	struct coroutine *co = p->waiter;

	(void)status;
	assert(p->ready && co->pending == p);
	co->pending = NULL;
	p->waiter = NULL;
	return p->finish(L, p);
}

int wait_for(lua_State *L, struct pending *p, pending_finish_fn *finish)
{
	struct heap *h = thread_heap(L);
	struct coroutine *co = h->current;

	p->finish = finish;
	p->waiter = NULL;
	if (co && p->ready)
		return finish(L, p);
	if (!wait_is_possible(L)) {
		p->cancel(p);
		if (!co)
			return luaL_error(L, "cannot wait while a chunk is loaded: call this from a function");
		return luaL_error(
			L, "cannot wait inside a metamethod, an iterator or a callback of a library function");
	}
	assert(co && !co->pending);
	p->waiter = co;
	co->pending = p;
	co->outside = !channel_is_wait(p);
	if (co->outside)
		co->task->nwaits++;
	h->stop = STOP_WAIT;
	return lua_yieldk(L, 0, (lua_KContext)p, wait_ended);
}

/* How often before others run. */
enum { HANDED_MAX = 64 };

static int turn_ended(lua_State *L, int status, lua_KContext nresults)
{
	(void)L;
	(void)status;
	return (int)nresults;
}

int end_turn(lua_State *L, int nresults)
{
	struct heap *h = thread_heap(L);

	if (++h->nhanded < HANDED_MAX || !wait_is_possible(L))
		return nresults;
	h->stop = STOP_TURN;
	return lua_yieldk(L, 0, nresults, turn_ended);
}

void pending_ready(struct pending *p)
{
	struct coroutine *co = p->waiter;

	assert(!p->ready);
	p->ready = true;
	if (!co)
		return;
	/* It stays the coroutine's pending until `finish` runs: a task that ends before that must still undo it. */
	if (co->outside) {
		co->outside = false;
		co->task->nwaits--;
	}
	coroutine_make_ready(co);
}
