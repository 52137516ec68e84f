/*
 * Timers: never early, in order, cheap to stop, safe to change while they fire.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "loop/loop.h"

enum { MS = 1000000, NMANY = 20000 };

struct probe {
	struct loop_timer timer;
	uint64_t wanted_ns;
	int id;
	bool fired;
};

static struct loop *loop;
static int order[64], norder;
static size_t nleft;
static uint64_t last_due;

static int setup(void **state)
{
	(void)state;
	loop = loop_new();
	norder = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

static void note(struct loop_timer *t)
{
	struct probe *p = container_of(t, struct probe, timer);

	assert_true(loop_clock_ns() >= p->wanted_ns);
	assert_true(loop_now_ns(loop) >= p->wanted_ns);
	assert_false(loop_timer_is_armed(t));
	order[norder++] = p->id;
}

static void note_and_stop(struct loop_timer *t)
{
	note(t);
	loop_stop(loop);
}

static void arm(struct probe *p, int id, uint64_t delay_ns, void (*fire)(struct loop_timer *t))
{
	p->id = id;
	p->wanted_ns = loop_clock_ns() + delay_ns;
	loop_timer_init(&p->timer, loop, fire);
	loop_timer_start_ns(&p->timer, delay_ns);
	assert_true(loop_timer_is_armed(&p->timer));
}

static void fires_in_order_and_never_early(void **state)
{
	struct probe p[6];

	(void)state;
	arm(&p[0], 0, 9 * MS + 1, note_and_stop);
	arm(&p[1], 1, 3 * MS + 999999, note);
	arm(&p[2], 2, 0, note);
	arm(&p[3], 3, 500000, note);
	arm(&p[4], 4, 5 * MS, note);
	arm(&p[5], 5, 1 * MS, note);
	loop_timer_stop(&p[4].timer);
	assert_false(loop_timer_is_armed(&p[4].timer));
	loop_timer_stop(&p[4].timer); /* not armed is fine */
	loop_run(loop);
	assert_int_equal(norder, 5);
	assert_int_equal(order[0], 2);
	assert_int_equal(order[1], 3);
	assert_int_equal(order[2], 5);
	assert_int_equal(order[3], 1);
	assert_int_equal(order[4], 0);
}

static void due_together_fire_as_armed(void **state)
{
	uint64_t due = loop_clock_ns() + 1 * MS;
	struct probe p[20];

	(void)state;
	for (int i = 0; i < 20; i++) {
		p[i] = (struct probe){.id = i, .wanted_ns = due};
		loop_timer_init(&p[i].timer, loop, i == 19 ? note_and_stop : note);
		loop_timer_start_at(&p[i].timer, due);
	}
	loop_run(loop);
	assert_int_equal(norder, 20);
	for (int i = 0; i < 20; i++)
		assert_int_equal(order[i], i);
}

static void rearming_moves_a_timer(void **state)
{
	struct probe a, b;

	(void)state;
	arm(&a, 1, 1 * MS, note_and_stop);
	arm(&b, 2, 1000000 * (uint64_t)MS, note);
	a.wanted_ns = loop_clock_ns() + 8 * MS;
	loop_timer_start_ms(&a.timer, 8);
	b.wanted_ns = loop_clock_ns() + 2 * MS;
	loop_timer_start_ms(&b.timer, 2);
	loop_run(loop);
	assert_int_equal(norder, 2);
	assert_int_equal(order[0], 2);
	assert_int_equal(order[1], 1);
}

static struct probe victim;

static void stop_the_victim(struct loop_timer *t)
{
	note(t);
	loop_timer_stop(&victim.timer);
}

static void stopping_one_due_in_the_same_turn(void **state)
{
	uint64_t due = loop_clock_ns();
	struct probe killer = {.id = 1}, end = {.id = 3};

	(void)state;
	victim = (struct probe){.id = 2};
	loop_timer_init(&killer.timer, loop, stop_the_victim);
	loop_timer_init(&victim.timer, loop, note);
	loop_timer_init(&end.timer, loop, note_and_stop);
	loop_timer_start_at(&killer.timer, due);
	loop_timer_start_at(&victim.timer, due);
	loop_timer_start_at(&end.timer, due);
	loop_run(loop);
	assert_int_equal(norder, 2);
	assert_int_equal(order[0], 1);
	assert_int_equal(order[1], 3);
}

static int nspins;

static void rearm_in_the_past(struct loop_timer *t)
{
	nspins++;
	loop_timer_start_at(t, 1);
}

static void a_timer_in_the_past_lets_others_run(void **state)
{
	struct probe spin = {0}, end;

	(void)state;
	nspins = 0;
	loop_timer_init(&spin.timer, loop, rearm_in_the_past);
	loop_timer_start_at(&spin.timer, 1);
	arm(&end, 1, 5 * MS, note_and_stop);
	loop_run(loop);
	loop_timer_stop(&spin.timer);
	assert_int_equal(norder, 1);
	assert_true(nspins > 1);
}

static void free_and_stop(struct loop_timer *t)
{
	free(container_of(t, struct probe, timer));
	loop_stop(loop);
}

static void may_be_freed_when_it_fires(void **state)
{
	struct probe *p = xcalloc(1, sizeof(*p));

	(void)state;
	loop_timer_init(&p->timer, loop, free_and_stop);
	loop_timer_start_ns(&p->timer, 0);
	loop_run(loop);
}

static void huge_delays_saturate(void **state)
{
	struct probe far, farther, end;

	(void)state;
	arm(&far, 1, 0, note);
	loop_timer_start_ns(&far.timer, UINT64_MAX);
	arm(&farther, 2, 0, note);
	loop_timer_start_ms(&farther.timer, UINT64_MAX);
	assert_true(far.timer.due_ns == UINT64_MAX && farther.timer.due_ns == UINT64_MAX);
	arm(&end, 3, 2 * MS, note_and_stop);
	loop_run(loop);
	assert_int_equal(norder, 1);
	loop_timer_stop(&far.timer);
	loop_timer_stop(&farther.timer);
}

static void one_of_many(struct loop_timer *t)
{
	struct probe *p = container_of(t, struct probe, timer);

	assert_false(p->fired);
	assert_true(t->due_ns >= last_due);
	assert_true(loop_clock_ns() >= t->due_ns);
	last_due = t->due_ns;
	p->fired = true;
	if (--nleft == 0)
		loop_stop(loop);
}

static void thousands_with_changes(void **state)
{
	struct probe *p = xcalloc(NMANY, sizeof(*p));
	uint64_t base = loop_clock_ns();

	(void)state;
	srandom(42);
	last_due = 0;
	nleft = 0;
	for (int i = 0; i < NMANY; i++) {
		loop_timer_init(&p[i].timer, loop, one_of_many);
		loop_timer_start_at(&p[i].timer, base + (uint64_t)random() % (40 * MS));
	}
	for (int i = 0; i < 3 * NMANY; i++) {
		struct probe *q = &p[random() % NMANY];

		if (random() % 3 == 0)
			loop_timer_stop(&q->timer);
		else
			loop_timer_start_at(&q->timer, base + (uint64_t)random() % (40 * MS));
	}
	for (int i = 0; i < NMANY; i++)
		nleft += loop_timer_is_armed(&p[i].timer);
	assert_true(nleft > 0);
	for (int i = 0; i < NMANY; i++)
		p[i].fired = !loop_timer_is_armed(&p[i].timer);
	loop_run(loop);
	assert_int_equal(nleft, 0);
	for (int i = 0; i < NMANY; i++)
		assert_true(p[i].fired);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(fires_in_order_and_never_early, setup, teardown),
		cmocka_unit_test_setup_teardown(due_together_fire_as_armed, setup, teardown),
		cmocka_unit_test_setup_teardown(rearming_moves_a_timer, setup, teardown),
		cmocka_unit_test_setup_teardown(stopping_one_due_in_the_same_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(a_timer_in_the_past_lets_others_run, setup, teardown),
		cmocka_unit_test_setup_teardown(may_be_freed_when_it_fires, setup, teardown),
		cmocka_unit_test_setup_teardown(huge_delays_saturate, setup, teardown),
		cmocka_unit_test_setup_teardown(thousands_with_changes, setup, teardown),
	};

	return cmocka_run_group_tests_name("loop/timer", tests, NULL, NULL);
}
