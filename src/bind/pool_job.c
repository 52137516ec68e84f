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

static int job_finish(lua_State *L, struct pending *p)
{
	struct pool_job *j = container_of(p, struct pool_job, pending);
	int n = j->finish(L, j);

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
