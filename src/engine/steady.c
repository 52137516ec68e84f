/*
 * steady.c - is the outcome of a program's chunks always the same?
 *
 * While chunks run for the first time, each call of a C function is looked at. Lua code by itself computes the same again; what could differ comes from
 * such a function (a clock, the environment, the caller's context, ...). When only functions were called whose results depend on their arguments alone, and the
 * chunks succeeded, they succeed every time: code_is_steady().
 */
#include "engine/lua_api.h"
#include "engine/state.h"

static void on_event(lua_State *L, lua_Debug *ar)
{
	struct heap *h = thread_heap(L);
	lua_CFunction f;

	if (ar->event == LUA_HOOKCOUNT) {
		preempt_check_deadline(L);
		return;
	}
	if (h->strange_call)
		return;
	lua_getinfo(L, "f", ar);
	f = lua_tocfunction(L, -1);
	lua_pop(L, 1);
	if (f && !lib_base_is_pure(f))
		h->strange_call = true;
}

void steady_watch(lua_State *L)
{
	lua_sethook(L, on_event, LUA_MASKCALL | LUA_MASKCOUNT, DEADLINE_INSTRUCTIONS);
}

void steady_note(struct heap *h, struct code *c, bool succeeded)
{
	enum code_outcome o = succeeded && !h->strange_call ? OUTCOME_STEADY : OUTCOME_MAY_DIFFER;

	atomic_store_explicit(&c->outcome, o, memory_order_relaxed);
}

bool code_is_steady(const struct code *c)
{
	return atomic_load_explicit(&c->outcome, memory_order_relaxed) == OUTCOME_STEADY;
}
