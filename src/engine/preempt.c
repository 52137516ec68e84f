/*
 * preempt.c - making running Lua code stop.
 *
 * No hook is set as long as all is well, since a count hook makes the engine trace every instruction. heap_interrupt() arms one for the next instruction;
 * it yields and disarms itself. Inside a C function that cannot yield (a sort, a metamethod) it looks again later.
 */
#include "engine/lua_api.h"
#include "engine/state.h"
#include "loop/loop.h"

enum { RETRY_INSTRUCTIONS = 1000, DEADLINE_INSTRUCTIONS = 2000 };

static void on_interrupt(lua_State *L, lua_Debug *ar)
{
	struct heap *h = thread_heap(L);
	bool doomed = task_is_doomed(L);

	(void)ar;
	if (!h->current) {
		lua_sethook(L, NULL, 0, 0);
		return;
	}
	if (h->can_wait && lua_isyieldable(L)) {
		lua_sethook(L, NULL, 0, 0);
		h->stop = STOP_INTERRUPT;
		lua_yield(L, 0);
		return;
	}
	lua_sethook(L, on_interrupt, LUA_MASKCOUNT, RETRY_INSTRUCTIONS);
	if (doomed)
		luaL_error(L, "the process ends");
}

void preempt_arm(lua_State *L)
{
	lua_sethook(L, on_interrupt, LUA_MASKCOUNT, 1);
}

void heap_interrupt(struct heap *h)
{
	lua_State *L = h->running;

	if (L && h->current)
		preempt_arm(L);
}

static void on_deadline(lua_State *L, lua_Debug *ar)
{
	struct heap *h = thread_heap(L);

	(void)ar;
	if (!h->loading || h->current) {
		lua_sethook(L, NULL, 0, 0);
		return;
	}
	if (h->chunk_deadline_ns && loop_clock_ns() >= h->chunk_deadline_ns)
		luaL_error(L, "the chunk ran too long: move the work into a function");
}

void preempt_watch_deadline(lua_State *L, bool on)
{
	if (on)
		lua_sethook(L, on_deadline, LUA_MASKCOUNT, DEADLINE_INSTRUCTIONS);
	else
		lua_sethook(L, NULL, 0, 0);
}
