/*
 * private.h - the inside of a loop; seen by loop/ only.
 */
#ifndef LOOP_PRIVATE_H
#define LOOP_PRIVATE_H

#include <stdatomic.h>
#include <stdint.h>
#include <uv.h>

#include "loop/loop.h"

/* A slot of the timer heap. `seq` makes timers that are due together fire in the order they were armed. */
struct timer_slot {
	uint64_t due_ns;
	uint64_t seq;
	struct loop_timer *timer;
};

/* A 4-ary heap, the earliest in slots[1]; slots[0] is never used, so index 0 can mean "not armed". */
struct timer_heap {
	struct timer_slot *slots;
	size_t len; /* of armed timers */
	size_t cap; /* of slots */
	uint64_t seq;
	/* While timers fire: nothing may be armed at or before this time, or a timer that re-arms itself
	 * in the past would keep the loop from ever coming round. 0 otherwise. */
	uint64_t firing_ns;
};

struct loop {
	uv_loop_t uv;

	/* -- touched by any thread ------------------------------------------------------------------ */

	/* Posts, newest first; the loop takes the whole chain at once, so a pusher never meets a node that
	 * was taken and pushed again in between. */
	_Atomic(struct loop_post *) inbox;
	/* The loop is about to wait, or waits, for events. Whoever clears it owes a wake-up. */
	atomic_bool asleep;
	atomic_bool stop;
	atomic_bool running;
	atomic_uintptr_t owner; /* thread_mark() of the thread that runs, or made, the loop */
	int wake_fd;            /* an eventfd */
	uv_poll_t wake;

	/* -- the loop's own thread ------------------------------------------------------------------- */

	uint64_t now_ns;
	bool turn_begun;         /* loop_begin_turn() was called in this turn */
	struct loop_post *posts; /* what this turn will run, oldest first */
	struct timer_heap timers;
	uv_timer_t alarm;     /* bounds the wait for events by the earliest timer */
	uv_prepare_t prepare; /* before the wait: decide whether to sleep */
	uv_check_t check;     /* after the wait: timers, posts, turn */
	uv_idle_t idle;       /* active while the loop must not sleep */
	bool (*turn)(void *arg);
	void *turn_arg;
	bool more;  /* turn() has more to do */
	bool woken; /* loop_wake() since the last turn() */
	size_t npolls;
	size_t nworks;
	uv_signal_t signals[2];
	bool watches_signals;
	void (*on_signal)(void *arg, int signum);
	void *signal_arg;
};

/* Stop the program: a call into libuv failed in a way nobody can handle. */
_Noreturn void loop_die(const char *what, int uv_status);
/* The first thing to call after a wait, by whatever callback comes first: reads the clock, takes the posts. */
void loop_begin_turn(struct loop *l);
void loop_assert_mine(const struct loop *l);

/* The earliest due time; UINT64_MAX when none is armed. */
uint64_t timer_heap_due(const struct timer_heap *h);
/* Fire every timer due at `now_ns` or before. */
void timer_heap_fire(struct timer_heap *h, uint64_t now_ns);
void timer_heap_done(struct timer_heap *h);

#endif
