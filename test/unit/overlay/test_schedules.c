/*
 * A driver that goes through states and keeps dials and listeners, under random schedules of start, stop, dial, cancel, listen, unlisten and replacement: nothing hangs,
 * leaks, is told twice, or is told after it was given up. WIPPY_SCHEDULES and WIPPY_SEED choose how many and which.
 */
#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include <cmocka.h>

#include "overlay/driver.h"
#include "overlay_test.h"

/* -- chance ----------------------------------------------------------------------------------------- */

static uint64_t chance_state;

static uint64_t chance(void)
{
	/* splitmix64 */
	uint64_t z = (chance_state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static unsigned below(unsigned n)
{
	return (unsigned)(chance() % n);
}

static uint64_t soon_ns(void)
{
	/* Mostly the next turn: a wait is a millisecond at least. */
	return below(12) ? 0 : below(200000);
}

/* -- the driver -------------------------------------------------------------------------------------- */

static struct {
	atomic_uint opened, closed;
	unsigned started, stopped, listens, unlistens;
	bool refuse_start;
} tally;

struct fake {
	struct overlay base;
	struct loop_timer moves;
	bool standing;
};

static int fake_open(const struct value *data, struct overlay **ret_overlay, struct err *e)
{
	struct fake *f = xcalloc(1, sizeof(*f));

	(void)data;
	(void)e;
	atomic_fetch_add(&tally.opened, 1);
	*ret_overlay = &f->base;
	return 0;
}

static void fake_close(struct overlay *o)
{
	struct fake *f = container_of(o, struct fake, base);

	assert_false(f->standing);
	atomic_fetch_add(&tally.closed, 1);
	free(f);
}

static void fake_moves(struct loop_timer *t)
{
	struct fake *f = container_of(t, struct fake, moves);
	enum overlay_state s = (enum overlay_state)below(4);

	overlay_set_state(&f->base, s, "%s", below(2) ? "because" : "");
	if (below(4) == 0)
		overlay_set_address(&f->base, below(2) ? "100.64.0.7" : NULL);
	loop_timer_start_ns(t, soon_ns());
}

static int fake_start(struct overlay *o, struct err *e)
{
	struct fake *f = container_of(o, struct fake, base);

	if (tally.refuse_start)
		return err_set(e, ERR_UNAVAILABLE, "fake: failed to start service");
	tally.started++;
	f->standing = true;
	loop_timer_init(&f->moves, o->env->control, fake_moves);
	loop_timer_start_ns(&f->moves, soon_ns());
	return 0;
}

static void fake_stop(struct overlay *o)
{
	struct fake *f = container_of(o, struct fake, base);

	assert_true(f->standing);
	tally.stopped++;
	f->standing = false;
	loop_timer_stop(&f->moves);
}

struct fake_dial {
	struct dial base;
	struct loop_timer timer;
	bool connects;
};

static void fake_dial_over(struct loop_timer *t)
{
	struct fake_dial *d = container_of(t, struct fake_dial, timer);
	struct err e;

	err_set(&e, ERR_UNAVAILABLE, "fake: nowhere to go");
	if (d->connects)
		dial_report(&d->base, eventfd(0, EFD_CLOEXEC), NULL);
	else
		dial_report(&d->base, -1, &e);
	free(d);
}

static struct dial *fake_dial(struct overlay *o, const struct dial_options *opt)
{
	struct overlay_status st;
	struct fake_dial *d;
	struct err e;

	overlay_get_status(o, &st);
	if (st.state == OVERLAY_DOWN) {
		err_set(&e, ERR_UNAVAILABLE, "fake: down");
		return dial_new_failed(opt, &e);
	}
	d = xcalloc(1, sizeof(*d));
	/* Not of `chance`: the workers of the other test come here at the same time. */
	d->connects = (opt->deadline_ns >> 4) & 1;
	loop_timer_init(&d->timer, opt->loop, fake_dial_over);
	loop_timer_start_ns(&d->timer, opt->deadline_ns % 8 ? 0 : 100000);
	return &d->base;
}

static void fake_cancel(struct dial *base)
{
	struct fake_dial *d = container_of(base, struct fake_dial, base);

	loop_timer_stop(&d->timer);
	free(d);
}

struct fake_listener {
	struct listener base;
	struct loop_timer timer;
	bool is_ready;
};

static void fake_listener_moves(struct loop_timer *t)
{
	struct fake_listener *l = container_of(t, struct fake_listener, timer);
	struct listen_peer peer = {.address = "100.64.0.9:1"};
	struct err e;

	if (below(6) == 0) {
		err_set(&e, ERR_UNAVAILABLE, "fake: lost");
		listener_failed(&l->base, &e);
		if (below(2))
			return;
		/* A driver that goes on talking is not heard. */
	}
	if (!l->is_ready || below(8) == 0)
		listener_ready(&l->base, "100.64.0.7:80");
	else
		listener_accept(&l->base, eventfd(0, EFD_CLOEXEC), &peer);
	l->is_ready = true;
	/* Whatever a callback did, the listener is still there. */
	loop_timer_start_ns(t, soon_ns());
}

static struct listener *fake_listen(struct overlay *o, const struct listen_options *opt)
{
	struct fake_listener *l;
	struct err e;

	if (opt->port == 1) {
		err_set(&e, ERR_INVALID, "fake: no such port");
		return listener_new_failed(opt, &e);
	}
	l = xcalloc(1, sizeof(*l));
	tally.listens++;
	loop_timer_init(&l->timer, o->env->control, fake_listener_moves);
	loop_timer_start_ns(&l->timer, soon_ns());
	return &l->base;
}

static void fake_unlisten(struct listener *base)
{
	struct fake_listener *l = container_of(base, struct fake_listener, base);

	tally.unlistens++;
	loop_timer_stop(&l->timer);
	free(l);
}

static const struct overlay_driver fake_driver = {
	.kind = "network.fake",
	.label = "fake",
	.open = fake_open,
	.dial = fake_dial,
	.cancel = fake_cancel,
	.close = fake_close,
	.start = fake_start,
	.stop = fake_stop,
	.listen = fake_listen,
	.unlisten = fake_unlisten,
};

/* -- one schedule ------------------------------------------------------------------------------------ */

enum { DIALS = 8, LISTENERS = 3, STEPS = 60 };

static struct loop *loop;
static struct overlay_set *set;
static uint64_t told_generation; /* of the last instance that told something */
static uint64_t stopped_up_to;   /* generations below this are all stopped */

static void on_changed(void *arg, struct overlay *o, const struct overlay_status *told)
{
	struct overlay_status now;

	(void)arg;
	told_generation = overlay_generation(o);
	assert_true(told_generation >= stopped_up_to);
	overlay_get_status(o, &now);
	assert_int_equal(now.state, told->state);
	assert_string_equal(now.reason, told->reason);
}

static struct overlay_env env = {.state_dir = "/nonexistent", .changed = on_changed};

static struct overlay *make(void)
{
	struct value *data = value_map();
	struct overlay *o = NULL;
	struct err e;

	assert_int_equal(overlay_open(&fake_driver, &env, "app:fake", data, &o, &e), 0);
	value_unref(data);
	tally.refuse_start = below(8) == 0;
	if (overlay_start(o, &e) == 0)
		return o;
	assert_string_equal(e.text, "fake: failed to start service");
	overlay_unref(o);
	return NULL;
}

struct trial_dial {
	struct dial *dial; /* NULL: none, or over */
	bool inside;
};

struct trial_listener {
	struct listener *listener;
	bool inside, is_over;
};

static struct trial_dial dials[DIALS];
static struct trial_listener listeners[LISTENERS];
static unsigned steps_left;
static struct loop_timer stepper;

static void on_done(void *arg, int fd, const struct dial_trace *trace, const struct err *e)
{
	struct trial_dial *d = arg;

	assert_non_null(d->dial); /* neither cancelled nor over */
	assert_false(d->inside);
	assert_true((fd >= 0) == (e == NULL));
	assert_true(trace->begun_ns > 0);
	d->dial = NULL;
	if (fd >= 0)
		close(fd);
}

static void unlisten(struct trial_listener *l)
{
	overlay_unlisten(l->listener);
	l->listener = NULL;
}

static void check_listener(const struct trial_listener *l)
{
	assert_non_null(l->listener);
	assert_false(l->inside);
	assert_false(l->is_over);
}

static void on_ready(void *arg, const char *address)
{
	struct trial_listener *l = arg;

	check_listener(l);
	assert_string_equal(address, "100.64.0.7:80");
	if (below(5) == 0)
		unlisten(l);
}

static void on_accept(void *arg, int fd, const struct listen_peer *peer)
{
	struct trial_listener *l = arg;

	check_listener(l);
	assert_string_equal(peer->address, "100.64.0.9:1");
	close(fd);
	if (below(5) == 0)
		unlisten(l);
}

static void on_failed(void *arg, const struct err *e)
{
	struct trial_listener *l = arg;

	check_listener(l);
	assert_true(e->text[0]);
	l->is_over = true;
	if (below(2))
		unlisten(l);
}

static void step_dial(void)
{
	struct trial_dial *d = &dials[below(DIALS)];
	struct overlay *o;

	if (d->dial) {
		dial_cancel(d->dial);
		d->dial = NULL;
		return;
	}
	o = overlay_set_get(set, "app:fake");
	if (!o)
		return;
	struct dial_options opt = {
		.loop = loop,
		.overlay = o,
		.host = below(9) ? "name.example" : "bad host",
		.port = 80,
		.deadline_ns = loop_clock_ns() + 1000000000 + below(1000000),
	};

	d->inside = true;
	d->dial = overlay_dial(&opt, on_done, d);
	d->inside = false;
	overlay_unref(o); /* the dial has its own */
}

static void step_listen(void)
{
	static const struct listen_callbacks cb = {on_ready, on_accept, on_failed};
	struct trial_listener *l = &listeners[below(LISTENERS)];
	struct overlay *o;

	if (l->listener) {
		unlisten(l);
		return;
	}
	o = overlay_set_get(set, "app:fake");
	if (!o)
		return;
	struct listen_options opt = {.overlay = o, .name = "app:web", .port = below(6) ? 80 : 1, .tls = below(9) == 0};

	*l = (struct trial_listener){.inside = true};
	l->listener = overlay_listen(&opt, &cb, l);
	l->inside = false;
	value_unref(overlay_describe(o));
	overlay_unref(o);
}

static void stop_old(struct overlay *old)
{
	if (!old)
		return;
	overlay_stop(old);
	stopped_up_to = overlay_generation(old) + 1;
	overlay_stop(old); /* again is fine */
	overlay_unref(old);
}

static void step_replace(void)
{
	struct overlay *old = overlay_set_get(set, "app:fake"), *fresh = make();

	if (fresh) {
		overlay_set_put(set, fresh);
		stop_old(old);
		overlay_tell(fresh);
	} else {
		overlay_unref(old); /* it goes on */
	}
}

static void step(struct loop_timer *t)
{
	unsigned what = below(20);

	if (steps_left-- == 0) {
		loop_stop(loop);
		return;
	}
	if (what < 9) {
		step_dial();
	} else if (what < 15) {
		step_listen();
	} else if (what < 18) {
		step_replace();
	} else if (what == 18) {
		struct overlay *old = overlay_set_get(set, "app:fake");

		overlay_set_remove(set, "app:fake");
		stop_old(old);
	}
	loop_timer_start_ns(t, soon_ns());
}

static void run_schedule(uint64_t seed)
{
	struct overlay *o;

	chance_state = seed;
	memset(&tally, 0, sizeof(tally));
	memset(dials, 0, sizeof(dials));
	memset(listeners, 0, sizeof(listeners));
	stopped_up_to = 0;
	loop = loop_new();
	env.control = loop;
	set = overlay_set_new();
	steps_left = STEPS;
	step_replace();
	loop_timer_init(&stepper, loop, step);
	loop_timer_start_ns(&stepper, 0);
	loop_run(loop);

	/* Some end before the overlay, some after. */
	for (unsigned i = 0; i < DIALS; i += 2)
		dial_cancel(dials[i].dial);
	for (unsigned i = 0; i < LISTENERS; i += 2)
		overlay_unlisten(listeners[i].listener);
	o = overlay_set_get(set, "app:fake");
	stop_old(o);
	for (unsigned i = 1; i < DIALS; i += 2)
		dial_cancel(dials[i].dial);
	for (unsigned i = 1; i < LISTENERS; i += 2)
		overlay_unlisten(listeners[i].listener);
	overlay_set_free(set);
	/* What was closed by its own callback. */
	run_for(loop, 1);
	loop_free(loop); /* asserts that nothing is left on it */
	assert_int_equal(tally.opened, tally.closed);
	assert_int_equal(tally.started, tally.stopped);
	assert_int_equal(tally.listens, tally.unlistens);
}

static void test_random_schedules(void **state)
{
	const char *n = getenv("WIPPY_SCHEDULES"), *from = getenv("WIPPY_SEED");
	unsigned long count = n ? strtoul(n, NULL, 10) : 1000;
	uint64_t seed = from ? strtoull(from, NULL, 10) : 1;
	unsigned fds;

	(void)state;
	run_schedule(seed); /* opens what the loops of a program share */
	fds = count_fds();
	for (unsigned long i = 0; i < count; i++) {
		run_schedule(seed + i);
		if (count_fds() != fds)
			fail_msg("seed %llu leaves descriptors open", (unsigned long long)(seed + i));
		forget_log();
	}
}

/* -- workers dial while the control thread replaces ------------------------------------------------- */

enum { WORKERS = 3, ROUNDS = 400 };

struct worker {
	pthread_t thread;
	struct loop *loop;
	struct loop_timer timer;
	struct dial *open[4];
	struct worker_dial {
		struct worker *w;
		unsigned index;
	} args[4];
	unsigned rounds, reported;
};

static void on_worker_done(void *arg, int fd, const struct dial_trace *trace, const struct err *e)
{
	struct worker_dial *d = arg;

	(void)trace;
	(void)e;
	assert(d->w->open[d->index]);
	d->w->open[d->index] = NULL;
	d->w->reported++;
	if (fd >= 0)
		close(fd);
}

static void worker_round(struct loop_timer *t)
{
	struct worker *w = container_of(t, struct worker, timer);
	unsigned i = w->rounds % 4;
	struct overlay *o = overlay_set_get(set, "app:fake");

	dial_cancel(w->open[i]);
	w->open[i] = NULL;
	w->args[i] = (struct worker_dial){w, i};
	if (o) {
		struct dial_options opt = {
			.loop = w->loop,
			.overlay = o,
			.host = "name.example",
			.port = 80,
			.deadline_ns = loop_clock_ns() + 1000000000 + (w->rounds & 31),
		};

		w->open[i] = overlay_dial(&opt, on_worker_done, &w->args[i]);
		/* As socks5 does: what a dial met is the state. */
		overlay_set_state(
			o, w->rounds & 1 ? OVERLAY_READY : OVERLAY_DEGRADED, "%s", w->rounds & 2 ? "met" : "");
	}
	overlay_unref(o);
	value_unref(overlay_set_describe(set));
	if (w->rounds++ == ROUNDS)
		loop_stop(w->loop);
	else
		loop_timer_start_ns(t, 20000);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	w->loop = loop_new();
	loop_timer_init(&w->timer, w->loop, worker_round);
	loop_timer_start_ns(&w->timer, 0);
	loop_run(w->loop);
	for (unsigned i = 0; i < 4; i++)
		dial_cancel(w->open[i]);
	loop_timer_stop(&w->timer);
	loop_free(w->loop);
	return NULL;
}

static void replace_often(struct loop_timer *t)
{
	if (steps_left-- == 0) {
		loop_stop(loop);
		return;
	}
	step_replace();
	loop_timer_start_ns(t, 100000);
}

static void ignore_change(void *arg, struct overlay *o, const struct overlay_status *told)
{
	(void)arg;
	(void)o;
	assert(told->state <= OVERLAY_DOWN);
}

static void test_workers_dial_while_it_is_replaced(void **state)
{
	struct worker workers[WORKERS] = {0};
	struct overlay *o;

	(void)state;
	memset(&tally, 0, sizeof(tally));
	env.changed = ignore_change;
	loop = loop_new();
	env.control = loop;
	set = overlay_set_new();
	step_replace();
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]), 0);
	steps_left = 200;
	loop_timer_init(&stepper, loop, replace_often);
	loop_timer_start_ns(&stepper, 0);
	loop_run(loop);
	for (unsigned i = 0; i < WORKERS; i++) {
		pthread_join(workers[i].thread, NULL);
		assert_true(workers[i].reported > 0);
	}
	o = overlay_set_get(set, "app:fake");
	overlay_stop(o);
	overlay_unref(o);
	overlay_set_free(set);
	loop_free(loop);
	assert_int_equal(tally.opened, tally.closed);
	env.changed = on_changed;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_schedules),
		cmocka_unit_test(test_workers_dial_while_it_is_replaced),
	};

	log_set_sink(keep_log, NULL, LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
