#include "service/live.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "bind/change_request.h"
#include "service/announce.h"
#include "service/runtime.h"
#include "service/supervisor.h"

enum { SETTLE_MS = 30000 };

struct live {
	struct loop_post post;
	struct supervisor_wait wait;
	struct runtime *rt;
	struct change_request *request;
};

static void over(struct live *l)
{
	l->request->done(l->request);
	free(l);
}

static void on_settled(struct supervisor_wait *w)
{
	over(container_of(w, struct live, wait));
}

static int apply(struct runtime *rt, struct change_request *r)
{
	if (atomic_load(&r->canceled))
		return err_set(&r->err, ERR_CANCELED, "operation context canceled");
	if (rt->stopping) {
		err_set(&r->err, ERR_UNAVAILABLE, "the runtime is stopping");
		return -1;
	}
	if (r->goes_to_version)
		return registry_apply_version(rt->node.registry, r->version, &r->err);
	return registry_apply(rt->node.registry, &r->changes, &r->version, &r->err);
}

static void on_request(struct loop_post *post)
{
	struct live *l = container_of(post, struct live, post);
	struct runtime *rt = l->rt;

	l->request->rc = apply(rt, l->request);
	if (l->request->rc < 0)
		over(l);
	else
		supervisor_wait(rt->supervisor, &l->wait,
			rt->config.settle_timeout_ms ? rt->config.settle_timeout_ms : SETTLE_MS, on_settled);
}

void live_change(struct node *n, struct change_request *r)
{
	struct live *l = xcalloc(1, sizeof(*l));

	l->rt = n->runtime;
	l->request = r;
	l->post.run = on_request;
	loop_post(runtime_loop(l->rt), &l->post);
}

static void on_event(void *arg, enum registry_event ev, const struct change *c, const struct err *e)
{
	struct runtime *rt = arg;

	if (ev == REGISTRY_BEGIN)
		supervisor_begin(rt->supervisor);
	/* Nobody can have subscribed before the workers run. */
	if (rt->started)
		announce_registry(rt->node.bus, ev, c, e);
	if (ev == REGISTRY_COMMIT || ev == REGISTRY_DISCARD)
		supervisor_end(rt->supervisor);
}

void live_watch(struct runtime *rt)
{
	static const struct registry_watcher watcher = {on_event};

	registry_watch(rt->node.registry, &watcher, rt);
}
