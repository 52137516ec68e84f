/*
 * virtual_time.h - a clock that jumps: while every loop of a test has nothing to do, the next timer is due at once. So minutes of back-off and of silence take
 * milliseconds, and a deadline can be checked to the millisecond.
 *
 * Stands before the C library's clock_gettime() and epoll_wait(): the monotonic clock moves only when all threads that called vt_join() wait, and no event waits for any
 * of them. Other threads, and everybody before vt_begin(), have the real clock. What goes on outside of the process and its loops is announced with vt_outside: the clock
 * stands still meanwhile.
 */
#ifndef VIRTUAL_TIME_H
#define VIRTUAL_TIME_H

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { VT_THREADS_MAX = 4, VT_HANG_MS = 20000 };
#define VT_BEGIN_NS UINT64_C(1000000000000)
/* What the kernel still has under way (a segment on the loopback) arrives within the pause of such a step. */
#define VT_STEP_NS UINT64_C(2000000000)
#define VT_SOON_NS UINT64_C(100000000)

struct vt_thread {
	int epfd;
	int wake_fd;
	uint64_t due_ns;
	bool used, waiting;
};

static struct {
	atomic_bool on;
	atomic_uint_fast64_t now_ns;
	atomic_int outside;
	pthread_mutex_t lock;
	struct vt_thread threads[VT_THREADS_MAX];
	void (*hung)(const char *why); /* does not return */
} vt = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local struct vt_thread *vt_self;

typedef int vt_epoll_fn(int epfd, struct epoll_event *events, int max, int timeout, const sigset_t *mask);

static uint64_t __attribute__((unused)) vt_now_ns(void)
{
	return atomic_load(&vt.now_ns);
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	if (vt_self && atomic_load(&vt.on) && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE)) {
		/* A loop that waits for the time to pass must not wait for ever. */
		uint64_t now = atomic_fetch_add(&vt.now_ns, 20);

		ts->tv_sec = (time_t)(now / 1000000000);
		ts->tv_nsec = (long)(now % 1000000000);
		return 0;
	}
	return (int)syscall(SYS_clock_gettime, id, ts);
}

static int vt_real(int epfd, struct epoll_event *events, int max, int timeout, const sigset_t *mask)
{
	static _Atomic(vt_epoll_fn *) real;
	vt_epoll_fn *fn = atomic_load(&real);

	if (!fn) {
		fn = (vt_epoll_fn *)dlsym(RTLD_NEXT, "epoll_pwait");
		atomic_store(&real, fn);
	}
	return fn(epfd, events, max, timeout, mask);
}

static bool vt_is_readable(int fd, int wake_fd, long ns)
{
	struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = wake_fd, .events = POLLIN}};
	struct timespec ts = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};

	return ppoll(p, 2, &ts, NULL) > 0;
}

static void vt_hang(const char *why)
{
	if (vt.hung)
		vt.hung(why);
	fprintf(stderr, "%s\n", why);
	abort();
}

/* Does every thread wait, with nothing that waits for it? Under the lock. */
static bool vt_all_idle(void)
{
	for (size_t i = 0; i < VT_THREADS_MAX; i++) {
		struct vt_thread *t = &vt.threads[i];

		if (t->used && (!t->waiting || vt_is_readable(t->epfd, -1, 0)))
			return false;
	}
	return true;
}

/* Under the lock: move the clock to the first timer, or some way towards it, and wake whose it is. */
static void vt_jump(void)
{
	uint64_t first = UINT64_MAX, now = atomic_load(&vt.now_ns);

	for (size_t i = 0; i < VT_THREADS_MAX; i++) {
		if (vt.threads[i].used && vt.threads[i].due_ns < first)
			first = vt.threads[i].due_ns;
	}
	if (first == UINT64_MAX)
		vt_hang("nobody waits for anything: a hang");
	if (first > now + VT_STEP_NS)
		first = now + VT_STEP_NS;
	if (first > now)
		atomic_store(&vt.now_ns, first);
	for (size_t i = 0; i < VT_THREADS_MAX; i++) {
		struct vt_thread *t = &vt.threads[i];

		if (!t->used || t->due_ns > first)
			continue;
		t->waiting = false;
		if (t != vt_self)
			(void)!eventfd_write(t->wake_fd, 1);
	}
}

/* How long until the first timer; under the lock. */
static bool vt_is_far(void)
{
	uint64_t now = atomic_load(&vt.now_ns);

	for (size_t i = 0; i < VT_THREADS_MAX; i++) {
		if (vt.threads[i].used && vt.threads[i].due_ns < now + VT_SOON_NS)
			return false;
	}
	return true;
}

static int vt_wait(int epfd, struct epoll_event *events, int max, int timeout, const sigset_t *mask)
{
	struct vt_thread *me = vt_self;
	int n, waited_ms = 0;

	n = vt_real(epfd, events, max, 0, mask);
	if (n != 0 || timeout == 0)
		return n;
	pthread_mutex_lock(&vt.lock);
	me->epfd = epfd;
	me->due_ns = timeout < 0 ? UINT64_MAX : atomic_load(&vt.now_ns) + (uint64_t)timeout * 1000000;
	me->waiting = true;
	while (me->waiting) {
		bool idle = atomic_load(&vt.outside) == 0 && vt_all_idle(), far = idle && vt_is_far();

		pthread_mutex_unlock(&vt.lock);
		if (!idle) {
			/* Somebody else works: it will make our descriptor readable, or go to wait, too. */
			if (!vt_is_readable(epfd, me->wake_fd, 1000000) && ++waited_ms > VT_HANG_MS)
				vt_hang("what was to come from outside does not come: a hang");
		} else if (far) {
			(void)vt_is_readable(epfd, me->wake_fd, 20000);
		}
		pthread_mutex_lock(&vt.lock);
		n = vt_real(epfd, events, max, 0, mask);
		if (n != 0)
			break;
		if (me->waiting && atomic_load(&vt.outside) == 0 && vt_all_idle())
			vt_jump();
	}
	me->waiting = false;
	(void)!read(me->wake_fd, &(eventfd_t){0}, sizeof(eventfd_t));
	pthread_mutex_unlock(&vt.lock);
	return n;
}

int epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout, const sigset_t *mask)
{
	if (!vt_self || !atomic_load(&vt.on))
		return vt_real(epfd, events, max, timeout, mask);
	return vt_wait(epfd, events, max, timeout, mask);
}

int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
	return epoll_pwait(epfd, events, max, timeout, NULL);
}

/* This thread's loops move the clock from now on. */
static void vt_join(void)
{
	pthread_mutex_lock(&vt.lock);
	for (size_t i = 0; i < VT_THREADS_MAX && !vt_self; i++) {
		if (!vt.threads[i].used)
			vt_self = &vt.threads[i];
	}
	if (!vt_self)
		vt_hang("too many threads");
	prctl(PR_SET_TIMERSLACK, 1000UL); /* the pauses are shorter than what it is else */
	*vt_self = (struct vt_thread){
		.used = true, .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .epfd = -1, .due_ns = UINT64_MAX};
	pthread_mutex_unlock(&vt.lock);
}

static void vt_leave(void)
{
	pthread_mutex_lock(&vt.lock);
	close(vt_self->wake_fd);
	vt_self->used = false;
	vt_self = NULL;
	pthread_mutex_unlock(&vt.lock);
}

/* Before the first vt_join() of a schedule. */
static void vt_begin(void)
{
	atomic_store(&vt.now_ns, VT_BEGIN_NS);
	atomic_store(&vt.outside, 0);
	atomic_store(&vt.on, true);
}

#endif
