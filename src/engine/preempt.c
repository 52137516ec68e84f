/*
 * preempt.c - making running Lua code stop.
 *
 * No hook is set as long as all is well, since a count hook makes the engine trace every instruction. heap_interrupt() arms one for the next instruction;
 * it yields and disarms itself. Inside a C function that cannot yield (a sort, a callback of gsub) it looks again every few microseconds, so that such
 * code can be terminated too, and ends it after five seconds.
 */
#include <string.h>

#include "engine/lua_api.h"
#include "engine/state.h"
#include "loop/loop.h"

enum { RETRY_INSTRUCTIONS = 1000 };

static const uint64_t HELD_NS_MAX = 5000000000, HELD_PAUSE_NS = 500000000;

/* Nothing else runs on the worker meanwhile. We are asked every few microseconds as long as it goes on; after a pause it is something new. */
static bool held_too_long(struct heap *h)
{
	uint64_t now = loop_clock_ns();

	if (h->held_since_ns == 0 || now - h->held_seen_ns > HELD_PAUSE_NS)
		h->held_since_ns = now;
	h->held_seen_ns = now;
	return now - h->held_since_ns > HELD_NS_MAX;
}

static void task_fail_held(struct task *t)
{
	static const char text[] =
		"a callback of a library function ran longer than 5s without an end: nothing else can run meanwhile, "
		"so divide the work";
	struct failure *f = failure_new("Timeout", ERR_RETRY_NO, text, strlen(text), NULL, NULL, NULL);

	task_fail(t, f);
	failure_unref(f);
}

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
		h->held_since_ns = 0;
		h->stop = STOP_INTERRUPT;
		lua_yield(L, 0);
		return;
	}
	lua_sethook(L, on_interrupt, LUA_MASKCOUNT, RETRY_INSTRUCTIONS);
	if (doomed || (h->must_end && h->must_end(h->owner)))
		luaL_error(L, "the process ends");
	if (held_too_long(h)) {
		task_fail_held(h->current->task);
		luaL_error(L, "the process ends");
	}
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

void preempt_check_deadline(lua_State *L)
{
	struct heap *h = thread_heap(L);

	if (!h->loading || h->current) {
		lua_sethook(L, NULL, 0, 0);
		return;
	}
	if (h->must_end && h->must_end(h->owner))
		luaL_error(L, "the process ends");
	if (h->chunk_deadline_ns && loop_clock_ns() >= h->chunk_deadline_ns)
		luaL_error(L, "the chunk ran too long: move the work into a function");
}

static void on_deadline(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	preempt_check_deadline(L);
}

void preempt_watch_deadline(lua_State *L, bool on)
{
	if (on)
		lua_sethook(L, on_deadline, LUA_MASKCOUNT, DEADLINE_INSTRUCTIONS);
	else
		lua_sethook(L, NULL, 0, 0);
}
