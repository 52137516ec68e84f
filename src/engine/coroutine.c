/*
 * coroutine.c - managed coroutines: making, queueing, running one until it stops.
 *
 * A managed coroutine is a Lua thread the runtime resumes. A program's own coroutines (lib_coroutine.c) run nested inside one and are not known here.
 */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/lua_api.h"
#include "engine/state.h"

struct coroutine *coroutine_new(struct task *t)
{
	struct heap *h = t->instance->heap;
	struct list *l = list_pop_front(&h->idle);
	struct coroutine *co;

	if (l) {
		h->nidle--;
		co = list_entry(l, struct coroutine, ready);
	} else {
		co = heap_alloc(h, sizeof(*co));
		co->L = lua_newthread(h->L);
		co->anchor = anchor_put(h->L);
		/* A new thread inherits the hook of the main one, which may be watching a chunk. */
		lua_sethook(co->L, NULL, 0, 0);
		list_init(&co->ready);
	}
	thread_set_flags(co->L, THREAD_MANAGED);
	list_init(&co->all);
	co->task = t;
	co->pending = NULL;
	co->outside = false;
	co->started = false;
	return co;
}

void coroutine_free(struct coroutine *co)
{
	struct heap *h;
	lua_Debug ar;
	bool clean;

	if (!co)
		return;
	assert(!co->pending);
	h = co->task->instance->heap;
	list_remove(&co->ready);
	list_remove(&co->all);
	co->task = NULL;
	clean = lua_status(co->L) == LUA_OK && !lua_getstack(co->L, 0, &ar);
	if (clean && h->nidle < IDLE_COROUTINES_MAX && !(thread_flags(co->L) & THREAD_EXPOSED)) {
		lua_settop(co->L, 0);
		lua_sethook(co->L, NULL, 0, 0);
		list_push_front(&h->idle, &co->ready);
		h->nidle++;
		return;
	}
	/* A stopped thread is simply dropped: closing it would run code of the program. */
	anchor_drop(h, co->anchor);
	heap_dealloc(h, co, sizeof(*co));
}

void coroutine_make_ready(struct coroutine *co)
{
	struct task *t = co->task;

	list_push_back(&t->ready, &co->ready);
	task_wake(t);
}

void task_wake(struct task *t)
{
	if (t->running || t->woken || t->ended)
		return;
	t->woken = true;
	t->ops->wake(t);
}

int coroutine_step(struct coroutine *co, enum stop *ret_stop, int *ret_nresults)
{
	struct heap *h = co->task->instance->heap;
	lua_State *running = h->running;
	struct coroutine *current = h->current;
	bool can_wait = h->can_wait, enforce = h->enforce;
	int nargs = co->started ? 0 : lua_gettop(co->L) - 1;
	int status;

	co->started = true;
	h->current = co;
	h->can_wait = true;
	h->enforce = true;
	h->over_cap = false;
	h->nsupplied = 0;
	h->nhanded = 0;
	h->stop = STOP_NONE;
	h->running = co->L;
	status = lua_resume(co->L, running ? running : h->L, nargs, ret_nresults);
	h->running = running;
	h->current = current;
	h->can_wait = can_wait;
	h->enforce = enforce;
	*ret_stop = h->stop;
	return status;
}
