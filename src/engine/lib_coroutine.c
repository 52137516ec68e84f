/*
 * lib_coroutine.c - the `coroutine` library.
 *
 * A program's coroutine runs nested inside a managed one. When it stops because of coroutine.yield(), its resume returns; when it stops for any other
 * reason (a wait, an interrupt), resume itself yields, so the stop travels out to the scheduler, and on the way back each resume continues the thread below it.
 */
#include "base/alloc.h"
#include "engine/lua_api.h"
#include "engine/state.h"

static lua_State *check_thread(lua_State *L, int idx)
{
	lua_State *co = lua_tothread(L, idx);

	if (!co) {
		lua_pushfstring(L, "thread expected, got %s", luaL_typename(L, idx));
		raise_argument(L, idx, lua_tostring(L, -1));
	}
	return co;
}

static void check_function(lua_State *L, int idx)
{
	if (lua_type(L, idx) != LUA_TFUNCTION) {
		lua_pushfstring(L, "function expected, got %s", luaL_typename(L, idx));
		raise_argument(L, idx, lua_tostring(L, -1));
	}
}

enum state { DEAD, RUNNING, SUSPENDED, NORMAL };

static enum state state_of(lua_State *L, lua_State *co)
{
	struct heap *h = thread_heap(L);
	lua_Debug ar;

	if (co == L)
		return RUNNING;
	switch (lua_status(co)) {
	case LUA_YIELD:
		return SUSPENDED;
	case LUA_OK:
		if (lua_getstack(co, 0, &ar))
			return NORMAL;
		/* A managed one that waits to be started has its function on the stack as well. */
		if (co == h->L || lua_gettop(co) == 0)
			return DEAD;
		return SUSPENDED;
	default:
		return DEAD;
	}
}

/* Run `co`; on return its results or its error value are on top of `co`. Returns the status, LUA_YIELD also when *ret_through: then the caller must yield on. */
static int run(lua_State *L, lua_State *co, int nargs, int *ret_n, bool *ret_through)
{
	struct heap *h = thread_heap(L);
	lua_State *running = h->running;
	bool can_wait = h->can_wait;
	bool watch = !h->current && h->chunk_deadline_ns;
	int status;

	h->can_wait = can_wait && lua_isyieldable(L);
	h->stop = STOP_NONE;
	h->running = co;
	if (watch)
		preempt_watch_deadline(co, true);
	status = lua_resume(co, L, nargs, ret_n);
	if (watch)
		preempt_watch_deadline(co, false);
	h->running = running;
	h->can_wait = can_wait;
	*ret_through = status == LUA_YIELD && h->stop != STOP_YIELD;
	if (status != LUA_OK && status != LUA_YIELD) {
		task_note_error(co, status);
		*ret_n = 1;
	}
	return status;
}

static const char *why_not(lua_State *L, lua_State *co)
{
	if (thread_flags(co) & THREAD_BLOCKED)
		return "can not resume a running thread";
	switch (state_of(L, co)) {
	case DEAD:
		return "can not resume a dead thread";
	case SUSPENDED:
		return thread_flags(co) & THREAD_MANAGED ? "can not resume a running thread" : NULL;
	default:
		return "can not resume a running thread";
	}
}

/* One turn of resume or wrap; `co` is at index 1 or an upvalue, so it stays alive. */
static int turn(lua_State *L, lua_State *co, int nargs, bool wrap);

static int resume_again(lua_State *L, int status, lua_KContext ctx)
{
	lua_State *co = (lua_State *)ctx;

	(void)status;
	thread_set_flags(co, thread_flags(co) & ~(unsigned)THREAD_BLOCKED);
	return turn(L, co, 0, false);
}

static int wrap_again(lua_State *L, int status, lua_KContext ctx)
{
	lua_State *co = (lua_State *)ctx;

	(void)status;
	thread_set_flags(co, thread_flags(co) & ~(unsigned)THREAD_BLOCKED);
	return turn(L, co, 0, true);
}

static int turn(lua_State *L, lua_State *co, int nargs, bool wrap)
{
	bool through;
	int n = 0;
	int status = run(L, co, nargs, &n, &through);

	if (through) {
		lua_pop(co, n);
		thread_set_flags(co, thread_flags(co) | THREAD_BLOCKED);
		return lua_yieldk(L, 0, (lua_KContext)co, wrap ? wrap_again : resume_again);
	}
	if (status == LUA_OK || status == LUA_YIELD) {
		if (!lua_checkstack(L, n + 1)) {
			lua_pop(co, n);
			if (wrap)
				return luaL_error(L, "too many results to resume");
			lua_pushboolean(L, 0);
			lua_pushliteral(L, "too many results to resume");
			return 2;
		}
		if (!wrap)
			lua_pushboolean(L, 1);
		lua_xmove(co, L, n);
		return wrap ? n : n + 1;
	}
	luaL_checkstack(L, 2, NULL);
	lua_xmove(co, L, 1);
	if (wrap || task_is_doomed(L))
		return lua_error(L);
	lua_pushboolean(L, 0);
	lua_insert(L, -2);
	return 2;
}

static int l_create(lua_State *L)
{
	lua_State *co;

	check_function(L, 1);
	co = lua_newthread(L);
	lua_sethook(co, NULL, 0, 0);
	lua_pushvalue(L, 1);
	lua_xmove(L, co, 1);
	return 1;
}

static int l_resume(lua_State *L)
{
	lua_State *co = check_thread(L, 1);
	const char *no = why_not(L, co);
	int nargs = lua_gettop(L) - 1;

	if (!no && !lua_checkstack(co, nargs + 1))
		no = "too many arguments to resume";
	if (no) {
		lua_pushboolean(L, 0);
		lua_pushstring(L, no);
		return 2;
	}
	lua_xmove(L, co, nargs);
	return turn(L, co, nargs, false);
}

static int l_wrapped(lua_State *L)
{
	lua_State *co = lua_tothread(L, lua_upvalueindex(1));
	const char *no = why_not(L, co);
	int nargs = lua_gettop(L);

	if (!no && !lua_checkstack(co, nargs + 1))
		no = "too many arguments to resume";
	if (no)
		return luaL_error(L, "%s", no);
	lua_xmove(L, co, nargs);
	return turn(L, co, nargs, true);
}

static int l_wrap(lua_State *L)
{
	l_create(L);
	lua_pushcclosure(L, l_wrapped, 1);
	return 1;
}

static int rescheduled(lua_State *L, int status, lua_KContext ctx)
{
	(void)L;
	(void)status;
	(void)ctx;
	return 0;
}

static int l_yield(lua_State *L)
{
	struct heap *h = thread_heap(L);

	if (h->current && h->current->L == L) {
		if (!wait_is_possible(L))
			return luaL_error(
				L, "cannot yield inside a metamethod, an iterator or a callback of a library function");
		h->stop = STOP_RESCHEDULE;
		return lua_yieldk(L, 0, 0, rescheduled);
	}
	if (L == h->L)
		return luaL_error(L, "can not yield from outside of a coroutine");
	if (!lua_isyieldable(L))
		return luaL_error(
			L, "cannot yield inside a metamethod, an iterator or a callback of a library function");
	h->stop = STOP_YIELD;
	return lua_yield(L, lua_gettop(L));
}

static int l_status(lua_State *L)
{
	static const char *const names[] = {"dead", "running", "suspended", "normal"};

	lua_pushstring(L, names[state_of(L, check_thread(L, 1))]);
	return 1;
}

static int l_running(lua_State *L)
{
	if (lua_pushthread(L)) {
		lua_pushnil(L);
		return 1;
	}
	if (thread_flags(L) & THREAD_MANAGED)
		thread_set_flags(L, thread_flags(L) | THREAD_EXPOSED);
	return 1;
}

static int spawned(lua_State *L, int status, lua_KContext ctx)
{
	(void)L;
	(void)status;
	(void)ctx;
	return 1; /* the new thread, on top since before the yield */
}

/* The new coroutine runs first, then its maker goes on, then who was ready before. */
static int l_spawn(lua_State *L)
{
	struct heap *h = thread_heap(L);
	struct task *t = task_current(L);
	struct coroutine *co;
	bool enforce = h->enforce;

	check_function(L, 1);
	if (!t)
		return luaL_error(L, "cannot spawn while a chunk is loaded: call this from a function");
	lua_settop(L, 1);
	h->enforce = false; /* half made, it must not be lost to an error; the next allocation meets the cap */
	co = coroutine_new(t);
	thread_set_flags(co->L, THREAD_MANAGED | THREAD_EXPOSED);
	lua_pushvalue(L, 1);
	lua_xmove(L, co->L, 1);
	lua_pushthread(co->L);
	lua_xmove(co->L, L, 1);
	h->enforce = enforce;
	list_push_back(&t->coroutines, &co->all);
	t->ncoroutines++;
	if (!wait_is_possible(L)) {
		list_push_back(&t->ready, &co->ready);
		return 1;
	}
	list_push_front(&t->ready, &h->current->ready);
	list_push_front(&t->ready, &co->ready);
	h->stop = STOP_QUEUED;
	return lua_yieldk(L, 0, 0, spawned);
}

int lib_coroutine_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"create", l_create},
		{"resume", l_resume},
		{"running", l_running},
		{"spawn", l_spawn},
		{"status", l_status},
		{"wrap", l_wrap},
		{"yield", l_yield},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	return 1;
}
