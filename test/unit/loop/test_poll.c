/*
 * Watching descriptors: pausing, freeing from inside a callback, errors, and the clock a callback sees.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop/loop.h"

static struct loop *loop;
static struct loop_poll *polls[2];
static int fds[2], ncalls, last_events;

static int setup(void **state)
{
	(void)state;
	loop = loop_new();
	ncalls = 0;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	loop_free(loop);
	close(fds[0]);
	close(fds[1]);
	return 0;
}

static void stop_by_timer(struct loop_timer *t)
{
	(void)t;
	loop_stop(loop);
}

static void run_for(uint64_t ms)
{
	struct loop_timer t;

	loop_timer_init(&t, loop, stop_by_timer);
	loop_timer_start_ms(&t, ms);
	loop_run(loop);
	loop_timer_stop(&t);
}

static void drain(void *arg, int events)
{
	char c;

	assert_ptr_equal(arg, &ncalls);
	ncalls++;
	last_events = events;
	if (events & LOOP_READ)
		assert_int_equal(read(fds[0], &c, 1), 1);
	loop_stop(loop);
}

static void readable_then_paused(void **state)
{
	struct loop_poll *p = loop_poll_new(loop, fds[0], 0, drain, &ncalls);

	(void)state;
	assert_int_equal(write(fds[1], "ab", 2), 2);
	run_for(20);
	assert_int_equal(ncalls, 0);
	loop_poll_set(p, LOOP_READ);
	loop_run(loop);
	assert_int_equal(ncalls, 1);
	assert_int_equal(last_events, LOOP_READ);
	loop_poll_set(p, 0);
	run_for(20);
	assert_int_equal(ncalls, 1);
	loop_poll_set(p, LOOP_READ | LOOP_WRITE); /* level-triggered: "b" is still there */
	loop_run(loop);
	assert_int_equal(ncalls, 2);
	assert_int_equal(last_events, LOOP_READ | LOOP_WRITE);
	loop_poll_set(p, LOOP_WRITE);
	loop_run(loop);
	assert_int_equal(ncalls, 3);
	assert_int_equal(last_events, LOOP_WRITE);
	loop_poll_free(p);
	loop_poll_free(NULL);
}

/* Both descriptors are ready in the same batch of events; whichever comes first ends both, closes both, and lets the
 * numbers be reused at once. */
static int pair_fds[2];

static void end_both(void *arg, int events)
{
	(void)arg;
	(void)events;
	ncalls++;
	for (int i = 0; i < 2; i++) {
		loop_poll_free(polls[i]);
		close(pair_fds[i]);
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair_fds), 0);
	assert_int_equal(write(pair_fds[0], "x", 1), 1);
	assert_int_equal(write(pair_fds[1], "x", 1), 1);
}

static void freed_in_the_same_batch(void **state)
{
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair_fds), 0);
	for (int i = 0; i < 2; i++)
		polls[i] = loop_poll_new(loop, pair_fds[i], LOOP_READ | LOOP_WRITE, end_both, NULL);
	run_for(30);
	assert_int_equal(ncalls, 1);
	/* The same numbers can be watched again before libuv has let go of the old handles. */
	for (int i = 0; i < 100; i++)
		loop_poll_free(loop_poll_new(loop, pair_fds[0], LOOP_READ, drain, &ncalls));
	run_for(5);
	assert_int_equal(ncalls, 1);
	close(pair_fds[0]);
	close(pair_fds[1]);
}

static void count_error(void *arg, int events)
{
	(void)arg;
	last_events = events;
	if (++ncalls == 3)
		loop_stop(loop);
}

/* A refused connect leaves the descriptor in error; it is reported as both events, and again while nobody reacts. */
static void an_error_sets_both(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(in);
	struct loop_poll *p;

	(void)state;
	assert_int_equal(bind(listener, (struct sockaddr *)&in, sizeof(in)), 0); /* bound, not listening: refuses */
	assert_int_equal(getsockname(listener, (struct sockaddr *)&in, &len), 0);
	(void)!connect(fd, (struct sockaddr *)&in, sizeof(in));
	p = loop_poll_new(loop, fd, LOOP_READ, count_error, NULL);
	loop_run(loop);
	assert_int_equal(last_events, LOOP_READ | LOOP_WRITE);
	loop_poll_free(p);
	close(fd);
	close(listener);
}

static uint64_t slept_from;

static void check_clock(void *arg, int events)
{
	(void)arg;
	(void)events;
	assert_true(loop_now_ns(loop) >= slept_from + 30000000);
	loop_stop(loop);
}

static void write_late(void *arg)
{
	(void)arg;
	nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
	assert_int_equal(write(fds[1], "x", 1), 1);
}

static void nothing(void *arg)
{
	(void)arg;
}

static void the_clock_is_read_after_the_wait(void **state)
{
	struct loop_poll *p = loop_poll_new(loop, fds[0], LOOP_READ, check_clock, NULL);

	(void)state;
	slept_from = loop_clock_ns();
	loop_work(loop, write_late, nothing, NULL);
	loop_run(loop);
	loop_poll_free(p);
}

/* An epoll descriptor can be watched like any other: that is how a library brings its own set. */
static void an_epoll_descriptor(void **state)
{
	int ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fds[0]};
	struct loop_poll *p;

	(void)state;
	assert_int_equal(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &ev), 0);
	p = loop_poll_new(loop, ep, LOOP_READ, drain, &ncalls);
	assert_int_equal(write(fds[1], "x", 1), 1);
	loop_run(loop);
	assert_int_equal(ncalls, 1);
	loop_poll_free(p);
	close(ep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(readable_then_paused, setup, teardown),
		cmocka_unit_test_setup_teardown(freed_in_the_same_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(an_error_sets_both, setup, teardown),
		cmocka_unit_test_setup_teardown(the_clock_is_read_after_the_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(an_epoll_descriptor, setup, teardown),
	};

	return cmocka_run_group_tests_name("loop/poll", tests, NULL, NULL);
}
