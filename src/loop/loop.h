/*
 * loop.h - one event loop, owned by one thread: timers, descriptors, posted work.
 *
 * A worker is a thread that runs a loop. Everything here belongs to that thread except loop_post()
 * and loop_stop(), which any thread may call. Callbacks run on the loop's thread, never inside the call
 * that arranged them. Over libuv; uv.h does not leave loop/ and net/.
 */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"

struct loop;

/* Never NULL; aborts when the system is out of descriptors at start-up. */
struct loop *loop_new(void);
/* Everything on the loop must be stopped and every post run; asserts otherwise. Work still on the pool is waited for,
 * and its `done` runs in here. NULL is fine. */
void loop_free(struct loop *l);
/* Run until loop_stop(). */
void loop_run(struct loop *l);
/* Any thread. The loop ends after the current turn, and after what this thread posted before has run. Called before
 * loop_run(), it makes that run one turn: so loop_stop() and loop_run(), once the other threads are gone, run what they
 * posted last. */
void loop_stop(struct loop *l);
/* Is the calling thread the one inside loop_run(l)? (true before loop_run, from the creating thread) */
bool loop_is_mine(const struct loop *l);

/* Monotonic time as of this turn, cached; loop_clock_ns() reads the clock now, without a loop. */
uint64_t loop_now_ms(const struct loop *l);
uint64_t loop_now_ns(const struct loop *l);
uint64_t loop_clock_ns(void);

/* -- posting: run something on the loop's thread ------------------------------------------------- */

/* Embed in what you send. `run` may free it. Posts from one thread run in order; a post made by the loop's
 * own thread runs in a later turn. */
struct loop_post {
	struct loop_post *next;
	void (*run)(struct loop_post *p);
};

/* Any thread, lock-free, wakes the loop only when needed. The loop must outlive the call, also when `run` has ended
 * meanwhile. */
void loop_post(struct loop *l, struct loop_post *p);

/* -- timers: embedded, thousands are fine -------------------------------------------------------- */

struct loop_timer {
	uint64_t due_ns;
	void (*fire)(struct loop_timer *t);
	size_t heap_index; /* 0 = not armed */
	struct loop *loop;
};

void loop_timer_init(struct loop_timer *t, struct loop *l, void (*fire)(struct loop_timer *t));
/* Arm or re-arm, from now; never fires early. O(log n). */
void loop_timer_start_ns(struct loop_timer *t, uint64_t delay_ns);
void loop_timer_start_ms(struct loop_timer *t, uint64_t delay_ms);
/* At an absolute loop_clock_ns() time. */
void loop_timer_start_at(struct loop_timer *t, uint64_t due_ns);
void loop_timer_stop(struct loop_timer *t); /* not armed is fine */
bool loop_timer_is_armed(const struct loop_timer *t);

/* -- descriptors --------------------------------------------------------------------------------- */

/* LOOP_HANGUP asks for nothing but what is always told: errors, and that both directions are shut. Then `fn` gets READ|WRITE. */
enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_HANGUP = 8 };

struct loop_poll;
typedef void loop_poll_fn(void *arg, int events); /* events: LOOP_READ|LOOP_WRITE; an error sets both */

/* Watch a descriptor that the caller owns; never NULL. events may be 0 (paused). Level-triggered. The descriptor
 * becomes non-blocking; it must be one that epoll takes (no plain file) and not be watched twice on one loop: aborts
 * otherwise. */
struct loop_poll *loop_poll_new(struct loop *l, int fd, int events, loop_poll_fn *fn, void *arg);
void loop_poll_set(struct loop_poll *p, int events);
/* Stop watching; after this call fn never runs and the fd may be closed. NULL is fine. */
void loop_poll_free(struct loop_poll *p);

/* -- a turn hook: work that wants to run between polls ------------------------------------------- */

/* `turn` runs once every turn, after I/O and posts; it returns true when it has more to do, and then the loop polls
 * without sleeping. loop_wake() makes the loop come round when `turn` had returned false (own thread). */
void loop_set_turn(struct loop *l, bool (*turn)(void *arg), void *arg);
void loop_wake(struct loop *l);

/* -- blocking work on the thread pool ------------------------------------------------------------ */

/* `work` runs on a pool thread, then `done` on the loop's thread. The caller keeps `arg` alive until `done`.
 * There is no cancel: let `done` find that its owner lost interest. */
void loop_work(struct loop *l, void (*work)(void *arg), void (*done)(void *arg), void *arg);

/* -- signals -------------------------------------------------------------------------------------- */

/* Call `fn(arg, signum)` on the loop's thread for each SIGINT/SIGTERM; only one loop may. */
void loop_watch_signals(struct loop *l, void (*fn)(void *arg, int signum), void *arg);

#endif
