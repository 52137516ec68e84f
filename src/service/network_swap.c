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
	struct overlay *overlay;
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

static void drain_end(struct drain *d)
{
	loop_timer_stop(&d->timer);
	list_remove(&d->link);
	overlay_stop(d->overlay);
	overlay_unref(d->overlay);
	free(d);
}

static void on_drained(struct loop_timer *t)
{
	struct drain *d = container_of(t, struct drain, timer);

	if (!d->rt->stopped)
		drop_everywhere(d->rt, overlay_generation(d->overlay), true);
	drain_end(d);
}

void network_retire(struct runtime *rt, struct overlay *old)
{
	uint64_t ms = rt->config.drain_timeout_ms ? rt->config.drain_timeout_ms : DRAIN_MS;
	struct drain *d;

	if (!rt->started || rt->stopped) {
		overlay_stop(old);
		overlay_unref(old);
		return;
	}
	if (overlay_is_exclusive(old)) {
		log_info("network", "an overlay was replaced or removed; its connections end with it",
			LOG_STR("overlay", overlay_id(old)));
		drop_everywhere(rt, overlay_generation(old), true);
		overlay_stop(old);
		overlay_unref(old);
		return;
	}
	log_info("network", "an overlay was replaced or removed; what still uses it may finish",
		LOG_STR("overlay", overlay_id(old)), LOG_INT("drain_ms", ms));
	drop_everywhere(rt, overlay_generation(old), false);
	d = xcalloc(1, sizeof(*d));
	d->rt = rt;
	d->overlay = old;
	list_push_back(&rt->drains, &d->link);
	loop_timer_init(&d->timer, rt->loop, on_drained);
	loop_timer_start_ms(&d->timer, ms);
}

void network_stop_all(struct runtime *rt)
{
	struct overlay **all;
	size_t n;

	list_for_each_safe(l, tmp, &rt->drains)
		drain_end(list_entry(l, struct drain, link));
	all = overlay_set_list(rt->node.overlays, &n);
	for (size_t i = 0; i < n; i++) {
		overlay_stop(all[i]);
		overlay_unref(all[i]);
	}
	free(all);
}
