/* The watchdog: makes a process yield that computes for too long. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "actor/worker.h"

/* Looks without any worker at work before it goes to sleep. */
enum { QUIET_LOOKS = 40 };

static void on_signal(int signum)
{
	struct worker *w = worker_current();
	int saved = errno;

	(void)signum;
	if (w && w->heap)
		heap_interrupt(w->heap);
	errno = saved;
}

/* Signal every worker that still runs what it ran at the last look; true when any was at work. */
static bool look(struct scheduler *s)
{
	bool busy = false;

	for (unsigned i = 0; i < s->nworkers; i++) {
		struct worker *w = &s->workers[i];
		uint_fast64_t epoch = atomic_load_explicit(&w->epoch, memory_order_relaxed);

		if (epoch != w->watched)
			busy = true;
		else if (epoch & 1)
			pthread_kill(w->thread, SIGURG);
		busy |= epoch & 1;
		w->watched = epoch;
	}
	return busy;
}

static void *watchdog_main(void *arg)
{
	struct scheduler *s = arg;
	unsigned quiet = 0;
	struct timespec until;

	pthread_mutex_lock(&s->lock);
	while (!s->watchdog_stop) {
		if (quiet >= QUIET_LOOKS) {
			atomic_store(&s->watchdog_asleep, true);
			/* A worker that began between the last look and the store did not see that we sleep. */
			if (!look(s))
				pthread_cond_wait(&s->changed, &s->lock);
			atomic_store(&s->watchdog_asleep, false);
			quiet = 0;
			continue;
		}
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += SCHEDULER_SLICE_MS * 1000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&s->changed, &s->lock, &until);
		quiet = look(s) ? 0 : quiet + 1;
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

void watchdog_start(struct scheduler *s)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	int rc;

	sigemptyset(&sa.sa_mask);
	sigaction(SIGURG, &sa, NULL);
	rc = pthread_create(&s->watchdog, NULL, watchdog_main, s);
	if (rc != 0)
		abort();
}

void watchdog_stop(struct scheduler *s)
{
	pthread_mutex_lock(&s->lock);
	s->watchdog_stop = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->watchdog, NULL);
}

void watchdog_notice(struct scheduler *s)
{
	if (!atomic_load_explicit(&s->watchdog_asleep, memory_order_relaxed))
		return;
	pthread_mutex_lock(&s->lock);
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}
