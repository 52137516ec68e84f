#include "service/network_swap.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "bind/generation.h"
#include "service/runtime.h"

enum { DRAIN_MS = 30000 };

struct drain {
	struct list link;
	struct loop_timer timer;
	struct runtime *rt;
	uint64_t generation;
};

struct drop {
	struct loop_post post;
	struct worker *worker;
	uint64_t generation;
	bool all;
};

static void on_drop(struct loop_post *post)
{
	struct drop *d = container_of(post, struct drop, post);

	bind_drop_generation(d->worker, d->generation, d->all);
	free(d);
}

static void drop_everywhere(struct runtime *rt, uint64_t generation, bool all)
{
	for (unsigned i = 0; i < scheduler_nworkers(rt->node.scheduler); i++) {
		struct drop *d = xcalloc(1, sizeof(*d));

		d->post.run = on_drop;
		d->worker = scheduler_worker(rt->node.scheduler, i);
		d->generation = generation;
		d->all = all;
		loop_post(worker_loop(d->worker), &d->post);
	}
}

static void on_drained(struct loop_timer *t)
{
	struct drain *d = container_of(t, struct drain, timer);

	if (!d->rt->stopped)
		drop_everywhere(d->rt, d->generation, true);
	list_remove(&d->link);
	free(d);
}

void network_retire(struct runtime *rt, const char *id, uint64_t generation)
{
	uint64_t ms = rt->config.drain_timeout_ms ? rt->config.drain_timeout_ms : DRAIN_MS;
	struct drain *d;

	if (!rt->started || rt->stopped)
		return;
	log_info("network", "an overlay was replaced or removed; what still uses it may finish", LOG_STR("overlay", id),
		LOG_INT("drain_ms", ms));
	drop_everywhere(rt, generation, false);
	d = xcalloc(1, sizeof(*d));
	d->rt = rt;
	d->generation = generation;
	list_push_back(&rt->drains, &d->link);
	loop_timer_init(&d->timer, rt->loop, on_drained);
	loop_timer_start_ms(&d->timer, ms);
}

void network_drains_free(struct runtime *rt)
{
	list_for_each_safe(l, tmp, &rt->drains) {
		struct drain *d = list_entry(l, struct drain, link);

		loop_timer_stop(&d->timer);
		free(d);
	}
	list_init(&rt->drains);
}
