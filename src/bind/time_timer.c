/*
 * time_timer.c - waiting for a moment: time.sleep, and channels that are fed by a timer of the worker's loop (after, timer, ticker).
 *
 * An alarm is what runs: it holds its channel, and belongs to the process, with which it ends. A Timer or Ticker userdata is only a handle
 * on it, so that a channel is fed also when its handle is garbage.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "bind/current.h"
#include "bind/time_values.h"
#include "engine/channel.h"
#include "engine/lua_api.h"
#include "loop/loop.h"

static const char timer_type[] = "time.Timer";
static const char ticker_type[] = "time.Ticker";

enum { AFTER_CAPACITY = 1, TICKER_CAPACITY = 16 };

/* -- sleeping ------------------------------------------------------------------------------------------ */

struct sleep {
	struct pending pending;
	struct loop_timer timer;
};

static void sleep_free(struct pending *p)
{
	struct sleep *s = container_of(p, struct sleep, pending);

	loop_timer_stop(&s->timer);
	free(s);
}

static void sleep_over(struct loop_timer *t)
{
	pending_ready(&container_of(t, struct sleep, timer)->pending);
}

static int sleep_finish(lua_State *L, struct pending *p)
{
	(void)L;
	sleep_free(p);
	return 0;
}

int timer_l_sleep(lua_State *L)
{
	struct err e = {0};
	struct sleep *s;
	int64_t ns;

	if (duration_from_lua(L, 1, &ns, &e) < 0)
		return push_nil_and_err(L, &e);
	if (!current_process(L))
		return raise_text(L, "time.sleep: no process context");
	lua_settop(L, 0);
	s = xcalloc(1, sizeof(*s));
	s->pending.cancel = sleep_free;
	loop_timer_init(&s->timer, current_loop(L), sleep_over);
	/* Also for no time at all: others get their turn. */
	loop_timer_start_ns(&s->timer, ns > 0 ? (uint64_t)ns : 0);
	return wait_for(L, &s->pending, sleep_finish);
}

/* -- alarms -------------------------------------------------------------------------------------------- */

struct alarm {
	struct resource resource;
	struct loop_timer timer;
	struct channel *channel; /* held */
	lua_State *main;         /* of the heap, to push values on */
	struct alarm **handle;   /* in the userdata; NULL when there is none, or no more */
	uint64_t period_ns;      /* 0: fires once */
};

static void alarm_forget(struct alarm *a)
{
	loop_timer_stop(&a->timer);
	if (a->handle)
		*a->handle = NULL;
	free(a);
}

/* The process has ended, and its task has let go of the channels that were held, or is about to. */
static void alarm_release(struct resource *r)
{
	alarm_forget(container_of(r, struct alarm, resource));
}

static void alarm_end(struct alarm *a)
{
	resource_drop(&a->resource);
	channel_close(a->channel);
	channel_release(a->channel);
	alarm_forget(a);
}

static void alarm_deliver(struct alarm *a)
{
	struct time_value now = time_now();

	time_push(a->main, &now);
	channel_offer(a->main, a->channel);
}

static void alarm_fire(struct loop_timer *t)
{
	struct alarm *a = container_of(t, struct alarm, timer);
	uint64_t now, late;

	/* Closed by the program: nobody wants it any more. */
	if (channel_is_closed(a->channel)) {
		alarm_end(a);
		return;
	}
	/* A tick that finds no room is dropped, before a value is made for it. */
	if (channel_has_room(a->channel))
		alarm_deliver(a);
	if (a->period_ns == 0) {
		alarm_end(a);
		return;
	}
	/* On the same beat as before; those that were missed meanwhile are left out. */
	now = loop_clock_ns();
	late = now > t->due_ns ? now - t->due_ns : 0;
	loop_timer_start_at(t, t->due_ns + (late / a->period_ns + 1) * a->period_ns);
}

/* The duration at index 1; false with the two results pushed when it is none that a timer takes. */
static bool take_delay(lua_State *L, const char *name, int64_t *ret_ns)
{
	struct err e = {0};

	if (duration_from_lua(L, 1, ret_ns, &e) < 0) {
		push_nil_and_err(L, &e);
		return false;
	}
	if (*ret_ns <= 0) {
		err_set(&e, ERR_INVALID, "time.%s: duration must be > 0", name);
		push_nil_and_err(L, &e);
		return false;
	}
	if (!current_process(L))
		raise_text(L, "time.%s: no process PID", name);
	return true;
}

/* Arm a new alarm whose channel is on top of the stack. */
static struct alarm *alarm_new(lua_State *L, struct channel *ch, int64_t delay_ns, bool repeats)
{
	struct process *p = current_process(L);
	struct alarm *a;

	channel_hold(ch, &p->task);
	a = xcalloc(1, sizeof(*a));
	a->channel = ch;
	a->period_ns = repeats ? (uint64_t)delay_ns : 0;
	lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
	a->main = lua_tothread(L, -1);
	lua_pop(L, 1);
	resource_own(&p->resources, &a->resource, alarm_release);
	loop_timer_init(&a->timer, current_loop(L), alarm_fire);
	loop_timer_start_ns(&a->timer, (uint64_t)delay_ns);
	return a;
}

int timer_l_after(lua_State *L)
{
	int64_t ns;

	if (!take_delay(L, "after", &ns))
		return 2;
	alarm_new(L, channel_push_new(L, AFTER_CAPACITY), ns, false);
	return 1;
}

/* -- handles: the user value is the channel ------------------------------------------------------------ */

static int handle_gc(lua_State *L)
{
	struct alarm **h = lua_touserdata(L, 1);

	if (*h)
		(*h)->handle = NULL;
	return 0;
}

static int push_handle(lua_State *L, const char *type, size_t capacity, int64_t ns, bool repeats)
{
	struct alarm **h = handle_new(L, type, sizeof(*h));
	struct channel *ch = channel_push_new(L, capacity);

	lua_pushvalue(L, -1);
	lua_setiuservalue(L, -3, 1);
	*h = alarm_new(L, ch, ns, repeats);
	(*h)->handle = h;
	lua_pop(L, 1);
	return 1;
}

int timer_l_timer(lua_State *L)
{
	int64_t ns;

	return take_delay(L, "timer", &ns) ? push_handle(L, timer_type, AFTER_CAPACITY, ns, false) : 2;
}

int timer_l_ticker(lua_State *L)
{
	int64_t ns;

	return take_delay(L, "ticker", &ns) ? push_handle(L, ticker_type, TICKER_CAPACITY, ns, true) : 2;
}

static int push_channel(lua_State *L, const char *type)
{
	handle_check(L, 1, type);
	lua_getiuservalue(L, 1, 1);
	return 1;
}

/* Returns whether it was running. */
static bool stop(lua_State *L, const char *type)
{
	struct alarm **h = handle_check(L, 1, type);

	if (!*h)
		return false;
	alarm_end(*h);
	return true;
}

static int l_timer_channel(lua_State *L)
{
	return push_channel(L, timer_type);
}

static int l_timer_stop(lua_State *L)
{
	lua_pushboolean(L, stop(L, timer_type));
	return 1;
}

static int l_timer_reset(lua_State *L)
{
	struct alarm **h = handle_check(L, 1, timer_type);
	struct err e = {0};
	int64_t ns;

	if (duration_from_lua(L, 2, &ns, &e) < 0)
		return raise_text(L, "timer:reset: %s", e.text);
	if (ns <= 0)
		return raise_text(L, "timer:reset: duration must be > 0");
	if (*h)
		loop_timer_start_ns(&(*h)->timer, (uint64_t)ns);
	lua_pushboolean(L, *h != NULL);
	return 1;
}

static int l_ticker_channel(lua_State *L)
{
	return push_channel(L, ticker_type);
}

static int l_ticker_stop(lua_State *L)
{
	stop(L, ticker_type);
	lua_pushboolean(L, true);
	return 1;
}

void timer_register(lua_State *L)
{
	static const luaL_Reg timer_methods[] = {
		{"channel", l_timer_channel},
		{"reset", l_timer_reset},
		{"response", l_timer_channel},
		{"stop", l_timer_stop},
		{NULL, NULL},
	};
	static const luaL_Reg ticker_methods[] = {
		{"channel", l_ticker_channel},
		{"response", l_ticker_channel},
		{"stop", l_ticker_stop},
		{NULL, NULL},
	};

	handle_register(L, timer_type, timer_methods, handle_gc);
	handle_register(L, ticker_type, ticker_methods, handle_gc);
}
