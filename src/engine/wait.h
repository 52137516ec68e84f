/*
 * wait.h - how a binding waits: the calling coroutine stops, others run, the completion lets it go on.
 *
 *     static int l_sleep(lua_State *L)
 *     {
 *             struct sleep *s = ...;                  // embeds struct pending; all arguments are checked
 *             loop_timer_start_ns(&s->timer, ns);     // its callback calls pending_ready(&s->pending)
 *             return wait_for(L, &s->pending, sleep_finish);
 *     }
 *     static int sleep_finish(lua_State *L, struct pending *p)   // runs in the same coroutine, pushes the results
 *     {
 *             free(container_of(p, struct sleep, pending));
 *             return 0;
 *     }
 *
 * The suspension passes through every enclosing coroutine.resume and pcall. One coroutine waits for one thing.
 */
#ifndef ENGINE_WAIT_H
#define ENGINE_WAIT_H

#include <stdbool.h>

#include "base/list.h"

struct lua_State;
struct coroutine;
struct pending;

typedef int pending_finish_fn(struct lua_State *L, struct pending *p);

struct pending {
	/* The task is going away: undo the operation and free it; `finish` will not run. Must not call pending_ready(). */
	void (*cancel)(struct pending *p);
	pending_finish_fn *finish;
	struct coroutine *waiter;
	bool ready;
};

/* Raises (a string) where waiting is impossible: chunk level, metamethods, sort comparators, gsub callbacks. Then cancel() has been called first. Use as `return wait_for(...)`. 
 * Completing at once (pending_ready() before this call) is allowed: then finish runs without a suspension. */
int wait_for(struct lua_State *L, struct pending *p, pending_finish_fn *finish);

/* The operation ended: the coroutine becomes ready (and its task wakes). Owner thread; once. */
void pending_ready(struct pending *p);

/* For a binding that gave another process something to do, as its last act: `return end_turn(L, n)` returns the n values on top. After a few dozen of those in a
 * row others run first, where waiting is possible, so that what was handed over is taken while it is still in the cache. The coroutine then goes on before others of its task. */
int end_turn(struct lua_State *L, int nresults);

/* May a binding called on L wait at all? */
bool wait_is_possible(struct lua_State *L);

#endif
