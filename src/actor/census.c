#include "actor/census.h"

#include <stdlib.h>

#include "actor/worker.h"
#include "base/alloc.h"

struct census {
	struct scheduler *sched;
	struct host *host;
	struct loop *reply;
	census_done_fn *done;
	void *arg;
	struct loop_post post;
	unsigned at; /* the worker that is asked; only one thread works on it at a time */
	struct census_entry *entries;
	size_t count, cap;
};

static const char *state_of(const struct process *p)
{
	return p->running ? "running" : p->queued ? "ready" : "waiting";
}

static void add(struct census *c, const struct process *p)
{
	if (c->count == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 64;
		c->entries = xreallocarray(c->entries, c->cap, sizeof(*c->entries));
	}
	/* Entry ids are atoms: they stay. */
	c->entries[c->count++] = (struct census_entry){process_pid(p), p->parent, p->program->id, state_of(p)};
}

static void answer(struct loop_post *post)
{
	struct census *c = container_of(post, struct census, post);

	c->done(c->arg, c);
}

/* On the worker's thread: the map is its own, no lock is needed to read it. */
static void ask(struct worker *w, void *arg)
{
	struct census *c = arg;
	size_t pos = 0, n = 0;
	void *v;

	while (n < CENSUS_MAX && number_map_next(&w->processes, &pos, &v)) {
		struct process *p = v;

		if (p->host != c->host || p->dead)
			continue;
		add(c, p);
		n++;
	}
	if (++c->at < scheduler_nworkers(c->sched)) {
		worker_run_later(scheduler_worker(c->sched, c->at), ask, c);
		return;
	}
	c->post.run = answer;
	loop_post(c->reply, &c->post);
}

void census_take(struct scheduler *s, struct host *h, struct loop *reply, census_done_fn *done, void *arg)
{
	struct census *c = xcalloc(1, sizeof(*c));

	c->sched = s;
	c->host = h;
	c->reply = reply;
	c->done = done;
	c->arg = arg;
	worker_run_later(scheduler_worker(s, 0), ask, c);
}

void census_free(struct census *c)
{
	if (!c)
		return;
	host_unref(c->host);
	free(c->entries);
	free(c);
}

size_t census_count(const struct census *c)
{
	return c->count;
}

const struct census_entry *census_at(const struct census *c, size_t i)
{
	return &c->entries[i];
}
