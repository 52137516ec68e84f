/* Workers for a test: a scheduler that runs, and errands that the test sends to one worker and waits for. */
#ifndef TEST_UNIT_ACTOR_WORKERS_FIXTURE_H
#define TEST_UNIT_ACTOR_WORKERS_FIXTURE_H

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actor/worker.h"
#include "base/alloc.h"

struct errand {
	struct loop_post post;
	void (*fn)(void *arg);
	void *arg;
	sem_t did;
};

static inline void run_errand(struct loop_post *post)
{
	struct errand *a = container_of(post, struct errand, post);

	a->fn(a->arg);
	sem_post(&a->did);
}

/* Run fn(arg) on that worker's thread, and wait until it has. */
static inline void on_worker(struct scheduler *s, unsigned i, void (*fn)(void *arg), void *arg)
{
	struct errand a = {.post.run = run_errand, .fn = fn, .arg = arg};

	sem_init(&a.did, 0, 0);
	loop_post(worker_loop(scheduler_worker(s, i)), &a.post);
	sem_wait(&a.did);
	sem_destroy(&a.did);
}

static inline void do_nothing(void *arg)
{
	(void)arg;
}

/* What was posted to the worker before has run. */
static inline void settle(struct scheduler *s, unsigned i)
{
	on_worker(s, i, do_nothing, NULL);
}

static inline struct scheduler *workers_start(unsigned n)
{
	struct scheduler *s = scheduler_new(&(struct scheduler_config){.workers = n});

	scheduler_start(s);
	return s;
}

static inline void workers_stop(struct scheduler *s)
{
	assert_int_equal(scheduler_stop(s), 0);
	scheduler_free(s);
}

#endif
