#include "bind/pool_job.h"

#include "base/alloc.h"
#include "bind/current.h"
#include "engine/lua_api.h"
#include "loop/loop.h"

static void job_work(void *arg)
{
	struct pool_job *j = arg;

	j->work(j);
}

static void job_over(void *arg)
{
	struct pool_job *j = arg;

	j->on_pool = false;
	if (j->dropped)
		j->free(j);
	else
		pending_ready(&j->pending);
}

static void job_cancel(struct pending *p)
{
	struct pool_job *j = container_of(p, struct pool_job, pending);

	if (j->on_pool)
		j->dropped = true;
	else
		j->free(j);
}

static int guard_gc(lua_State *L)
{
	struct pool_job **guard = lua_touserdata(L, 1);

	if (*guard)
		(*guard)->free(*guard);
	*guard = NULL;
	return 0;
}

/* Pushing results may raise: a userdata owns the job meanwhile. */
static int job_finish(lua_State *L, struct pending *p)
{
	struct pool_job *j = container_of(p, struct pool_job, pending);
	struct pool_job **guard;
	int n;

	handle_register(L, "bind.pool_job", NULL, guard_gc);
	guard = handle_new(L, "bind.pool_job", sizeof(*guard));
	*guard = j;
	n = j->finish(L, j);
	*guard = NULL;
	j->free(j);
	return n;
}

int pool_job_run(lua_State *L, struct pool_job *j)
{
	j->pending.cancel = job_cancel;
	if (wait_is_possible(L)) { /* else wait_for() raises: then nothing may have begun */
		j->on_pool = true;
		loop_work(current_loop(L), job_work, job_over, j);
	}
	return wait_for(L, &j->pending, job_finish);
}

int pool_job_do(lua_State *L, struct pool_job *j)
{
	j->work(j);
	return job_finish(L, &j->pending);
}

int pool_job_run_here(lua_State *L, struct pool_job *j)
{
	return wait_is_possible(L) ? pool_job_run(L, j) : pool_job_do(L, j);
}
