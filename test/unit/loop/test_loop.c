/*
 * The loop itself: posts from other threads, waking, the turn hook, the pool, signals.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "loop/loop.h"

enum { NTHREADS = 4, NPOSTS = 100000 };

static struct loop *loop;
static atomic_size_t nwakes;

static void (*_Atomic before_sleep)(void);

/* These stand before libuv's and libc's own. */
typedef int uv_call(void *handle);
uv_call uv_timer_stop;

static int call_libuv(const char *name, void *handle)
{
	uv_call *fn = NULL;

	*(void **)&fn = dlsym(RTLD_NEXT, name);
	return fn(handle);
}

/* Counts the system calls that posting costs. */
int eventfd_write(int fd, eventfd_t count)
{
	atomic_fetch_add(&nwakes, 1);
	return write(fd, &count, sizeof(count)) == sizeof(count) ? 0 : -1;
}

/* A loop without timers calls this when it has seen no post and is about to sleep. */
int uv_timer_stop(void *handle)
{
	void (*fn)(void) = atomic_exchange(&before_sleep, NULL);

	if (fn)
		fn();
	return call_libuv("uv_timer_stop", handle);
}

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static size_t count_dir(const char *path)
{
	DIR *d = opendir(path);
	size_t n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static int setup(void **state)
{
	(void)state;
	loop = loop_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

/* -- posts ----------------------------------------------------------------------------------------- */

struct item {
	struct loop_post post;
	int thread;
	int number;
};

static int next_number[NTHREADS];
static int nreceived;

static void receive(struct loop_post *p)
{
	struct item *it = container_of(p, struct item, post);

	assert_true(loop_is_mine(loop));
	assert_int_equal(it->number, next_number[it->thread]);
	next_number[it->thread]++;
	free(it);
	if (++nreceived == NTHREADS * NPOSTS)
		loop_stop(loop);
}

static void *send_many(void *arg)
{
	for (int i = 0; i < NPOSTS; i++) {
		struct item *it = xcalloc(1, sizeof(*it));

		it->thread = (int)(intptr_t)arg;
		it->number = i;
		it->post.run = receive;
		loop_post(loop, &it->post);
		/* Now and then give the loop the time to fall asleep, so that both ways of posting meet. */
		if (i % 10000 == 0)
			sleep_ms(1);
	}
	return NULL;
}

static void four_threads_post_in_order(void **state)
{
	pthread_t threads[NTHREADS];

	(void)state;
	for (int i = 0; i < NTHREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, send_many, (void *)(intptr_t)i), 0);
	loop_run(loop);
	for (int i = 0; i < NTHREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(nreceived, NTHREADS * NPOSTS);
}

static struct loop_post ping, pong;
static atomic_int nrounds;

/* One message bounces between two loops; a lost wake-up would hang the test. */
static struct loop *other;

static void on_ping(struct loop_post *p)
{
	(void)p;
	loop_post(other, &pong);
}

static void on_pong(struct loop_post *p)
{
	(void)p;
	if (atomic_fetch_add(&nrounds, 1) == 20000) {
		loop_stop(other);
		loop_stop(loop);
		return;
	}
	loop_post(loop, &ping);
}

static void *run_other(void *arg)
{
	(void)arg;
	loop_run(other);
	return NULL;
}

static void no_wake_up_is_lost(void **state)
{
	pthread_t thread;

	(void)state;
	other = loop_new();
	ping.run = on_ping;
	pong.run = on_pong;
	loop_post(loop, &ping);
	assert_int_equal(pthread_create(&thread, NULL, run_other, NULL), 0);
	loop_run(loop);
	pthread_join(thread, NULL);
	assert_int_equal(atomic_load(&nrounds), 20001);
	loop_free(other);
}

static bool spin(void *arg)
{
	(void)arg;
	return true;
}

static void stop_it(struct loop_post *p)
{
	(void)p;
	loop_stop(loop);
}

static void do_nothing(struct loop_post *p)
{
	(void)p;
}

static struct loop_post busy_posts[1000];

static void *post_to_busy(void *arg)
{
	(void)arg;
	sleep_ms(20); /* the first turn is over */
	atomic_store(&nwakes, 0);
	for (size_t i = 0; i < ARRAY_LEN(busy_posts); i++) {
		busy_posts[i].run = i + 1 < ARRAY_LEN(busy_posts) ? do_nothing : stop_it;
		loop_post(loop, &busy_posts[i]);
	}
	return NULL;
}

static void a_busy_loop_needs_no_wake_up(void **state)
{
	pthread_t thread;

	(void)state;
	loop_set_turn(loop, spin, NULL);
	assert_int_equal(pthread_create(&thread, NULL, post_to_busy, NULL), 0);
	loop_run(loop);
	pthread_join(thread, NULL);
	assert_int_equal(atomic_load(&nwakes), 0);
}

static atomic_bool had_a_turn;

static bool note_turn(void *arg)
{
	(void)arg;
	atomic_store(&had_a_turn, true);
	return false;
}

static void *post_to_sleeping(void *arg)
{
	(void)arg;
	while (!atomic_load(&had_a_turn))
		sleep_ms(1);
	sleep_ms(50);
	atomic_store(&nwakes, 0);
	busy_posts[0].run = stop_it;
	loop_post(loop, &busy_posts[0]);
	return NULL;
}

static void a_sleeping_loop_is_woken_once(void **state)
{
	pthread_t thread;

	(void)state;
	loop_set_turn(loop, note_turn, NULL);
	assert_int_equal(pthread_create(&thread, NULL, post_to_sleeping, NULL), 0);
	loop_run(loop);
	pthread_join(thread, NULL);
	assert_int_equal(atomic_load(&nwakes), 1);
}

static void *post_a_stop(void *arg)
{
	busy_posts[0].run = stop_it;
	loop_post(loop, &busy_posts[0]);
	return arg;
}

static void post_at_the_last_moment(void)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, post_a_stop, NULL), 0);
	pthread_join(thread, NULL);
}

/* The sender finds the loop awake and does not wake it; the loop must look once more, or sleep for ever. */
static void a_post_in_the_moment_before_sleep(void **state)
{
	(void)state;
	atomic_store(&nwakes, 0);
	atomic_store(&before_sleep, post_at_the_last_moment);
	loop_run(loop);
	assert_null(atomic_load(&before_sleep)); /* it was called */
	assert_int_equal(atomic_load(&nwakes), 0);
}

static int turn_number, posted_in_turn;
static struct loop_post from_turn;

static void in_a_later_turn(struct loop_post *p)
{
	(void)p;
	/* The hook of this turn is still to come. */
	assert_true(turn_number + 1 > posted_in_turn);
	posted_in_turn = turn_number + 1;
	if (posted_in_turn == 5) {
		loop_stop(loop);
		return;
	}
	loop_post(loop, &from_turn);
}

static bool count_turn(void *arg)
{
	(void)arg;
	if (++turn_number == 1) {
		posted_in_turn = 1;
		from_turn.run = in_a_later_turn;
		loop_post(loop, &from_turn);
	}
	return false;
}

static void own_posts_run_in_a_later_turn(void **state)
{
	(void)state;
	loop_set_turn(loop, count_turn, NULL);
	loop_run(loop);
	assert_int_equal(turn_number, 5);
}

static int nran;

static void count_run(struct loop_post *p)
{
	(void)p;
	nran++;
}

static struct loop_post last_words = {.run = count_run};

static void post_and_stop(struct loop_post *p)
{
	(void)p;
	loop_post(loop, &last_words);
	loop_stop(loop);
}

static void posts_before_a_stop_still_run(void **state)
{
	struct loop_post a = {.run = count_run}, b = {.run = count_run};

	(void)state;
	nran = 0;
	loop_post(loop, &a);
	loop_post(loop, &b);
	loop_stop(loop);
	loop_run(loop);
	assert_int_equal(nran, 2);
	/* The stop was used up: the loop can run again. */
	loop_post(loop, &a);
	b.run = post_and_stop;
	loop_post(loop, &b);
	loop_run(loop);
	assert_int_equal(nran, 4);
}

static void *ask_whose(void *arg)
{
	*(bool *)arg = loop_is_mine(loop);
	return NULL;
}

static void a_loop_has_one_owner(void **state)
{
	pthread_t thread;
	bool is_theirs = true;

	(void)state;
	assert_true(loop_is_mine(loop));
	assert_int_equal(pthread_create(&thread, NULL, ask_whose, &is_theirs), 0);
	pthread_join(thread, NULL);
	assert_false(is_theirs);
}

/* -- turns and time -------------------------------------------------------------------------------- */

static int nturns;

static bool three_more(void *arg)
{
	assert_ptr_equal(arg, &nturns);
	if (++nturns == 6)
		loop_stop(loop);
	return nturns % 3 != 0;
}

static void wake_by_timer(struct loop_timer *t)
{
	(void)t;
	assert_int_equal(nturns, 3); /* after false, nothing ran the hook while the loop slept */
	loop_wake(loop);
}

static void stop_by_timer(struct loop_timer *t)
{
	(void)t;
	loop_stop(loop);
}

static void the_turn_hook_runs_while_it_has_more(void **state)
{
	struct loop_timer waker;

	(void)state;
	nturns = 0;
	loop_timer_init(&waker, loop, wake_by_timer);
	loop_timer_start_ms(&waker, 30);
	loop_set_turn(loop, three_more, &nturns);
	loop_run(loop);
	assert_int_equal(nturns, 6);
}

static uint64_t slept_from;

static void check_clock(struct loop_timer *t)
{
	(void)t;
	assert_true(loop_now_ns(loop) >= slept_from + 20000000);
	assert_true(loop_now_ns(loop) <= loop_clock_ns());
	assert_int_equal(loop_now_ms(loop), loop_now_ns(loop) / 1000000);
	loop_stop(loop);
}

static void the_clock_is_read_after_a_sleep(void **state)
{
	struct loop_timer t;

	(void)state;
	slept_from = loop_clock_ns();
	loop_timer_init(&t, loop, check_clock);
	loop_timer_start_ms(&t, 20);
	loop_run(loop);
}

static int nempty_turns;

static bool count_empty(void *arg)
{
	(void)arg;
	nempty_turns++;
	return false;
}

static void an_idle_loop_sleeps(void **state)
{
	struct loop_timer t;

	(void)state;
	nempty_turns = 0;
	loop_set_turn(loop, count_empty, NULL);
	loop_timer_init(&t, loop, stop_by_timer);
	loop_timer_start_ms(&t, 100);
	loop_run(loop);
	assert_in_range(nempty_turns, 2, 6);
}

/* -- the pool -------------------------------------------------------------------------------------- */

struct job {
	bool worked;
	bool was_mine;
	bool done;
};

static void work(void *arg)
{
	struct job *j = arg;

	sleep_ms(10);
	j->was_mine = loop_is_mine(loop);
	j->worked = true;
}

static void work_done(void *arg)
{
	struct job *j = arg;

	assert_true(loop_is_mine(loop));
	assert_true(j->worked);
	assert_false(j->was_mine);
	j->done = true;
	loop_stop(loop);
}

static void work_runs_elsewhere_done_runs_here(void **state)
{
	struct job j = {0};

	(void)state;
	loop_work(loop, work, work_done, &j);
	assert_false(j.done);
	loop_run(loop);
	assert_true(j.done);
}

static void freeing_waits_for_work(void **state)
{
	struct job j = {0};

	(void)state;
	loop = loop_new();
	loop_work(loop, work, work_done, &j);
	loop_free(loop);
	assert_true(j.done);
}

/* First of all tests: the pool must not exist yet. */
static void start_up_is_cheap_and_leaves_nothing(void **state)
{
	size_t nthreads = count_dir("/proc/self/task"), nfds;
	struct loop_post p = {.run = stop_it};

	(void)state;
	loop_free(loop_new()); /* libuv keeps a few descriptors of its own from the first loop on */
	nfds = count_dir("/proc/self/fd");
	loop = loop_new();
	loop_post(loop, &p);
	loop_run(loop);
	assert_int_equal(count_dir("/proc/self/task"), nthreads);
	loop_free(loop);
	assert_int_equal(count_dir("/proc/self/fd"), nfds);
	loop_free(NULL);
}

/* -- signals --------------------------------------------------------------------------------------- */

static int seen[2], nseen;

static void on_signal(void *arg, int signum)
{
	assert_ptr_equal(arg, seen);
	seen[nseen++] = signum;
	if (nseen == 2)
		loop_stop(loop);
	else
		raise(SIGINT);
}

static void signals_come_to_the_loop(void **state)
{
	(void)state;
	for (int round = 0; round < 2; round++) { /* a loop that ended lets another one watch */
		loop = loop_new();
		nseen = 0;
		loop_watch_signals(loop, on_signal, seen);
		raise(SIGTERM);
		loop_run(loop);
		assert_int_equal(seen[0], SIGTERM);
		assert_int_equal(seen[1], SIGINT);
		loop_free(loop);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(start_up_is_cheap_and_leaves_nothing),
		cmocka_unit_test_setup_teardown(four_threads_post_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(no_wake_up_is_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(a_busy_loop_needs_no_wake_up, setup, teardown),
		cmocka_unit_test_setup_teardown(a_sleeping_loop_is_woken_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_post_in_the_moment_before_sleep, setup, teardown),
		cmocka_unit_test_setup_teardown(own_posts_run_in_a_later_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(posts_before_a_stop_still_run, setup, teardown),
		cmocka_unit_test_setup_teardown(a_loop_has_one_owner, setup, teardown),
		cmocka_unit_test_setup_teardown(the_turn_hook_runs_while_it_has_more, setup, teardown),
		cmocka_unit_test_setup_teardown(the_clock_is_read_after_a_sleep, setup, teardown),
		cmocka_unit_test_setup_teardown(an_idle_loop_sleeps, setup, teardown),
		cmocka_unit_test_setup_teardown(work_runs_elsewhere_done_runs_here, setup, teardown),
		cmocka_unit_test(freeing_waits_for_work),
		cmocka_unit_test(signals_come_to_the_loop),
	};

	return cmocka_run_group_tests_name("loop/loop", tests, NULL, NULL);
}
