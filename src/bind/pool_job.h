/*
 * pool_job.h - a computation that takes too long for a worker: it runs on the thread pool while the calling coroutine
 * waits.
 *
 * Embed a struct pool_job. Only `work` touches the rest of the embedding struct until it is over; whoever is killed
 * meanwhile leaves the job to finish alone.
 */
#ifndef BIND_POOL_JOB_H
#define BIND_POOL_JOB_H

#include "engine/wait.h"

struct lua_State;
struct pool_job;

struct pool_job {
	struct pending pending;
	void (*work)(struct pool_job *j); /* on a pool thread */
	/* On the worker, in the waiting coroutine: push the results, return their number. The job is freed
	 * afterwards, also when this raises. */
	int (*finish)(struct lua_State *L, struct pool_job *j);
	void (*free)(struct pool_job *j); /* wipes its secrets; exactly once, on the worker */
	bool on_pool;
	bool dropped; /* nobody waits any more */
};

/* Start it and wait: use as `return pool_job_run(L, &x->job)`. Takes the job. Raises where waiting is impossible. */
int pool_job_run(struct lua_State *L, struct pool_job *j);
/* The same for short work that must be possible everywhere: where waiting is impossible (a chunk that is being loaded, a metamethod) it is done on
 * the worker, there and then. */
int pool_job_run_here(struct lua_State *L, struct pool_job *j);
/* Do it on the worker at once: for work that is known to be shorter than the way to the pool. */
int pool_job_do(struct lua_State *L, struct pool_job *j);

#endif
