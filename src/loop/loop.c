/*
 * loop.c - a loop's life and its turns.
 *
 * A turn is one round of libuv: wait for events, run what they woke (descriptors, pool results, signals), then in
 * on_check() fire the timers that are due, run the posts that had arrived when the wait ended, and run the turn hook.
 * on_prepare() decides before each wait whether the loop may sleep.
 *
 * Waking: a sender pushes its post, then clears `asleep`; only who found it set writes to the eventfd. The loop sets
 * `asleep`, then looks at the inbox once more. Both sides use sequentially consistent operations, so at least one of
 * them sees the other: a post is never left behind by a sleeping loop, and a busy loop costs its senders no system
 * call.
 */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "loop/private.h"

/* libuv hands the wait to epoll as an int of milliseconds. */
enum { ALARM_MS_MAX = 1 << 30 };

/* The loop that receives signals; libuv would deliver to several, in no useful order. */
static _Atomic(struct loop *) signal_loop;

void loop_die(const char *what, int uv_status)
{
	fprintf(stderr, "wippy: cannot %s: %s\n", what, uv_strerror(uv_status));
	abort();
}

static void must(int uv_status, const char *what)
{
	if (uv_status < 0)
		loop_die(what, uv_status);
}

static void must_errno(int rc, const char *what)
{
	if (rc < 0)
		loop_die(what, -errno);
}

/* -- threads --------------------------------------------------------------------------------------- */

/* An address that differs between any two live threads. */
static uintptr_t thread_mark(void)
{
	static _Thread_local char mark;

	return (uintptr_t)&mark;
}

bool loop_is_mine(const struct loop *l)
{
	return atomic_load_explicit(&l->owner, memory_order_relaxed) == thread_mark();
}

/* A loop that is not running belongs to whoever prepares it or takes it apart. */
void loop_assert_mine(const struct loop *l)
{
	assert(loop_is_mine(l) || !atomic_load_explicit(&l->running, memory_order_relaxed));
	(void)l;
}

/* -- time ------------------------------------------------------------------------------------------ */

uint64_t loop_clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t loop_now_ns(const struct loop *l)
{
	return l->now_ns;
}

uint64_t loop_now_ms(const struct loop *l)
{
	return l->now_ns / 1000000;
}

/* -- posts ----------------------------------------------------------------------------------------- */

static void wake(struct loop *l)
{
	/* The plain load keeps senders to a busy loop from fighting over the cache line. */
	if (atomic_load(&l->asleep) && atomic_exchange(&l->asleep, false))
		must_errno(eventfd_write(l->wake_fd, 1), "wake an event loop");
}

void loop_post(struct loop *l, struct loop_post *p)
{
	p->next = atomic_load_explicit(&l->inbox, memory_order_relaxed);
	while (!atomic_compare_exchange_weak(&l->inbox, &p->next, p))
		;
	/* p may be gone from here on. */
	wake(l);
}

/* Everything in the inbox, oldest first. */
static struct loop_post *take_posts(struct loop *l)
{
	struct loop_post *newest, *oldest = NULL;

	if (!atomic_load_explicit(&l->inbox, memory_order_relaxed))
		return NULL;
	newest = atomic_exchange(&l->inbox, NULL);
	while (newest) {
		struct loop_post *p = newest;

		newest = p->next;
		p->next = oldest;
		oldest = p;
	}
	return oldest;
}

static void run_posts(struct loop *l)
{
	while (l->posts) {
		struct loop_post *p = l->posts;

		l->posts = p->next; /* run() may free p */
		p->run(p);
	}
}

/* -- a turn ---------------------------------------------------------------------------------------- */

void loop_begin_turn(struct loop *l)
{
	if (l->turn_begun)
		return;
	l->turn_begun = true;
	l->now_ns = loop_clock_ns();
	atomic_store(&l->asleep, false);
	/* Taken before any callback runs: what those post is for a later turn. */
	l->posts = take_posts(l);
}

static void on_wake(uv_poll_t *h, int status, int events)
{
	struct loop *l = container_of(h, struct loop, wake);
	eventfd_t ignored;

	(void)status;
	(void)events;
	loop_begin_turn(l);
	(void)eventfd_read(l->wake_fd, &ignored);
}

static void on_idle(uv_idle_t *h)
{
	(void)h; /* being active is all it does: libuv then polls without waiting */
}

static void on_alarm(uv_timer_t *h)
{
	(void)h; /* timers fire in on_check() */
}

static bool has_news(struct loop *l)
{
	return atomic_load(&l->inbox) != NULL || atomic_load(&l->stop);
}

/* Bound the wait by the earliest timer; false when that one is due already. */
static bool set_alarm(struct loop *l)
{
	uint64_t due = timer_heap_due(&l->timers), now, ms;

	if (due == UINT64_MAX) {
		uv_timer_stop(&l->alarm);
		return true;
	}
	now = loop_clock_ns();
	if (due <= now)
		return false;
	/* Rounded up: waking a little early would only mean another turn, but a spin of empty turns through the last
	 * millisecond. */
	ms = (due - now - 1) / 1000000 + 1;
	must(uv_timer_start(&l->alarm, on_alarm, ms < ALARM_MS_MAX ? ms : ALARM_MS_MAX, 0), "start a timer");
	return true;
}

static void on_prepare(uv_prepare_t *h)
{
	struct loop *l = container_of(h, struct loop, prepare);
	bool busy = l->more || l->woken || has_news(l) || !set_alarm(l);

	if (!busy) {
		atomic_store(&l->asleep, true);
		busy = has_news(l);
	}
	if (busy)
		uv_idle_start(&l->idle, on_idle);
	else
		uv_idle_stop(&l->idle);
	l->turn_begun = false;
}

static void on_check(uv_check_t *h)
{
	struct loop *l = container_of(h, struct loop, check);

	loop_begin_turn(l);
	timer_heap_fire(&l->timers, l->now_ns);
	run_posts(l);
	l->woken = false;
	l->more = l->turn && l->turn(l->turn_arg);
	if (atomic_load(&l->stop)) {
		/* Taken after the flag was seen: what a thread posted before it called loop_stop() still runs. */
		l->posts = take_posts(l);
		run_posts(l);
		uv_stop(&l->uv);
	}
}

void loop_set_turn(struct loop *l, bool (*turn)(void *arg), void *arg)
{
	loop_assert_mine(l);
	l->turn = turn;
	l->turn_arg = arg;
	l->more = false;
	l->woken = turn != NULL;
}

void loop_wake(struct loop *l)
{
	loop_assert_mine(l);
	l->woken = true;
}

/* -- life ------------------------------------------------------------------------------------------ */

struct loop *loop_new(void)
{
	struct loop *l = xcalloc(1, sizeof(*l));

	atomic_init(&l->inbox, NULL);
	atomic_init(&l->asleep, false);
	atomic_init(&l->stop, false);
	atomic_init(&l->running, false);
	atomic_init(&l->owner, thread_mark());
	must(uv_loop_init(&l->uv), "make an event loop");
	/* Not a uv_async_t: one that is woken while its sender is still inside uv_async_send() spins until the sender is scheduled
	 * again, which on a busy machine costs whole time slices. */
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	must_errno(l->wake_fd, "make an event loop");
	must(uv_poll_init(&l->uv, &l->wake, l->wake_fd), "make an event loop");
	must(uv_poll_start(&l->wake, UV_READABLE, on_wake), "make an event loop");
	must(uv_timer_init(&l->uv, &l->alarm), "make an event loop");
	must(uv_idle_init(&l->uv, &l->idle), "make an event loop");
	must(uv_prepare_init(&l->uv, &l->prepare), "make an event loop");
	must(uv_prepare_start(&l->prepare, on_prepare), "make an event loop");
	must(uv_check_init(&l->uv, &l->check), "make an event loop");
	must(uv_check_start(&l->check, on_check), "make an event loop");
	l->now_ns = loop_clock_ns();
	return l;
}

void loop_run(struct loop *l)
{
	assert(!atomic_load(&l->running));
	atomic_store(&l->owner, thread_mark());
	atomic_store(&l->running, true);
	l->now_ns = loop_clock_ns();
	/* Never returns for want of handles: the eventfd's is always there. */
	uv_run(&l->uv, UV_RUN_DEFAULT);
	atomic_store(&l->stop, false);
	atomic_store(&l->running, false);
}

void loop_stop(struct loop *l)
{
	atomic_store(&l->stop, true);
	wake(l);
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	loop_assert_mine(l);
	assert(!atomic_load(&l->running));
	l->turn = NULL;
	/* Nobody can call work back from the pool. */
	while (l->nworks)
		uv_run(&l->uv, UV_RUN_ONCE);
	assert(l->npolls == 0 && l->timers.len == 0 && !atomic_load(&l->inbox));
	if (l->watches_signals) {
		for (size_t i = 0; i < ARRAY_LEN(l->signals); i++)
			uv_close((uv_handle_t *)&l->signals[i], NULL);
		atomic_store(&signal_loop, NULL);
	}
	uv_close((uv_handle_t *)&l->wake, NULL);
	uv_close((uv_handle_t *)&l->alarm, NULL);
	uv_close((uv_handle_t *)&l->idle, NULL);
	uv_close((uv_handle_t *)&l->prepare, NULL);
	uv_close((uv_handle_t *)&l->check, NULL);
	uv_run(&l->uv, UV_RUN_DEFAULT); /* until the last handle is closed */
	must(uv_loop_close(&l->uv), "close an event loop");
	close(l->wake_fd);
	timer_heap_done(&l->timers);
	free(l);
}

/* -- blocking work --------------------------------------------------------------------------------- */

struct work {
	uv_work_t uv;
	struct loop *loop;
	void (*work)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

static void on_work(uv_work_t *uv)
{
	struct work *w = container_of(uv, struct work, uv);

	w->work(w->arg);
}

static void on_work_done(uv_work_t *uv, int status)
{
	struct work *w = container_of(uv, struct work, uv);
	void (*done)(void *arg) = w->done;
	void *arg = w->arg;

	assert(status == 0); /* we never cancel */
	(void)status;
	loop_begin_turn(w->loop);
	w->loop->nworks--;
	free(w);
	done(arg);
}

void loop_work(struct loop *l, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
	struct work *w = xcalloc(1, sizeof(*w));

	loop_assert_mine(l);
	w->loop = l;
	w->work = work;
	w->done = done;
	w->arg = arg;
	l->nworks++;
	must(uv_queue_work(&l->uv, &w->uv, on_work, on_work_done), "queue work");
}

/* -- signals --------------------------------------------------------------------------------------- */

static void on_signal(uv_signal_t *h, int signum)
{
	struct loop *l = h->data;

	loop_begin_turn(l);
	l->on_signal(l->signal_arg, signum);
}

void loop_watch_signals(struct loop *l, void (*fn)(void *arg, int signum), void *arg)
{
	static const int signums[ARRAY_LEN(l->signals)] = {SIGINT, SIGTERM};
	struct loop *none = NULL;
	bool is_first = atomic_compare_exchange_strong(&signal_loop, &none, l);

	loop_assert_mine(l);
	assert(is_first);
	(void)is_first;
	l->on_signal = fn;
	l->signal_arg = arg;
	for (size_t i = 0; i < ARRAY_LEN(l->signals); i++) {
		must(uv_signal_init(&l->uv, &l->signals[i]), "watch a signal");
		l->signals[i].data = l;
		must(uv_signal_start(&l->signals[i], on_signal, signums[i]), "watch a signal");
	}
	l->watches_signals = true;
}
