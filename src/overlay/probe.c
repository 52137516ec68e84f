/*
 * probe.c - the gate for probes: is an overlay's own counterpart there, without a target?
 */
#include <assert.h>

#include "overlay/driver.h"

bool overlay_can_probe(const struct overlay *o)
{
	return o->driver->probe != NULL;
}

struct probe *overlay_probe(const struct probe_options *opt, probe_done_fn *done, void *arg)
{
	struct overlay *o = opt->overlay;
	struct probe *p;

	assert(opt->loop && opt->deadline_ns > 0 && done && overlay_can_probe(o));
	assert(loop_is_mine(opt->loop));
	p = o->driver->probe(o, opt);
	p->driver = o->driver;
	p->overlay = overlay_ref(o);
	p->done = done;
	p->arg = arg;
	return p;
}

void probe_report(struct probe *p, const struct probe_result *r, const struct err *e)
{
	struct overlay *o = p->overlay;

	p->done(p->arg, r, e);
	p->overlay = NULL;
	overlay_unref(o);
}

void probe_cancel(struct probe *p)
{
	struct overlay *o;

	if (!p)
		return;
	o = p->overlay;
	p->driver->cancel_probe(p);
	overlay_unref(o);
}
