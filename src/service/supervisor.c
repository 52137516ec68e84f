#include "service/supervisor.h"

#include <stdlib.h>
#include <string.h>

#include "actor/service_table.h"
#include "base/alloc.h"
#include "base/log.h"
#include "service/announce.h"
#include "service/supervisor_private.h"

static void on_stopped(struct loop_timer *t)
{
	struct supervisor *sv = container_of(t, struct supervisor, stopped_timer);
	void (*stopped)(void *arg) = sv->stopped;

	sv->stopped = NULL;
	stopped(sv->stopped_arg);
}

static void service_free(void *v)
{
	struct service *s = v;

	if (!s)
		return;
	loop_timer_stop(&s->timer);
	loop_timer_stop(&s->retry);
	if (s->ops->free && s->self)
		s->ops->free(s->self);
	lifecycle_done(&s->lifecycle);
	service_security_done(&s->security);
	free(s->id);
	free(s);
}

static void free_services(struct list *services)
{
	list_for_each_safe(l, next, services)
		service_free(list_entry(l, struct service, leaving));
	list_init(services);
}

static void on_gone(struct loop_timer *t)
{
	free_services(&container_of(t, struct supervisor, gone_timer)->gone);
}

struct supervisor *supervisor_new(struct runtime *rt)
{
	struct supervisor *sv = xcalloc(1, sizeof(*sv));

	sv->rt = rt;
	sv->services = map_new();
	list_init(&sv->leaving);
	list_init(&sv->gone);
	list_init(&sv->waits);
	loop_timer_init(&sv->stopped_timer, rt->loop, on_stopped);
	loop_timer_init(&sv->gone_timer, rt->loop, on_gone);
	return sv;
}

static void end_wait(struct supervisor_wait *w)
{
	loop_timer_stop(&w->timer);
	list_remove(&w->link);
	w->done(w);
}

void supervisor_free(struct supervisor *sv)
{
	if (!sv)
		return;
	while (!list_is_empty(&sv->waits))
		end_wait(list_entry(sv->waits.next, struct supervisor_wait, link));
	loop_timer_stop(&sv->stopped_timer);
	loop_timer_stop(&sv->gone_timer);
	free_services(&sv->leaving);
	free_services(&sv->gone);
	bus_unlisten(sv->control);
	map_free(sv->services, service_free);
	free(sv);
}

/* `self` NULL: any. */
static struct service *find_leaving(struct supervisor *sv, const char *id, const void *self)
{
	list_for_each(l, &sv->leaving) {
		struct service *s = list_entry(l, struct service, leaving);

		if (strcmp(s->id, id) == 0 && (!self || s->self == self))
			return s;
	}
	return NULL;
}

int supervisor_add_needing(struct supervisor *sv, struct entry *e, const char *needs, const struct service_ops *ops,
	void *self, struct service **ret_service, struct err *err)
{
	const struct service_report unknown = {
		.status = service_state_name(SERVICE_UNKNOWN),
		.desired = service_state_name(SERVICE_STOPPED),
	};
	struct service *s = xcalloc(1, sizeof(*s));

	s->sv = sv;
	s->ops = ops;
	s->id = xstrdup(e->id);
	list_init(&s->leaving);
	service_init_timers(s, sv->rt->loop);
	if (lifecycle_read(&s->lifecycle, e, err) < 0 || service_security_read(&s->security, e, err) < 0) {
		service_free(s); /* `self` stays the caller's */
		return -1;
	}
	/* Else once everything is there: supervisor_start(), supervisor_end(). */
	if (sv->started && !sv->in_change)
		service_security_resolve(&s->security, s->id, sv->rt->node.policies);
	if (needs)
		lifecycle_require(&s->lifecycle, needs, true);
	s->self = self;
	service_free(map_set(sv->services, s->id, s));
	service_publish_status(s, &unknown);
	announce_service_registered(sv->rt->node.bus, s->id);
	if (ret_service)
		*ret_service = s;
	if (sv->in_change) {
		const struct service *old = find_leaving(sv, s->id, NULL);

		/* Another one in its place goes on where it was. */
		s->fresh = true;
		if (old && old->wanted)
			supervisor_want(sv, s);
	} else if (sv->started && !sv->stopping && s->lifecycle.auto_start) {
		supervisor_want(sv, s);
		supervisor_advance(sv);
	}
	return 0;
}

int supervisor_add(struct supervisor *sv, struct entry *e, const struct service_ops *ops, void *self,
	struct service **ret_service, struct err *err)
{
	return supervisor_add_needing(sv, e, NULL, ops, self, ret_service, err);
}

void supervisor_remove(struct supervisor *sv, const char *id)
{
	struct service *s = map_remove(sv->services, id);

	if (!s)
		return;
	service_table_remove(sv->rt->node.services, id);
	if (sv->in_change) {
		list_push_back(&sv->leaving, &s->leaving);
		announce_service_removed(sv->rt->node.bus, s->id);
		return;
	}
	if (s->state == SERVICE_RUNNING || s->state == SERVICE_STARTING)
		service_stop(s);
	announce_service_removed(sv->rt->node.bus, s->id);
	service_free(s);
	supervisor_advance(sv);
}

int supervisor_update_security(struct supervisor *sv, const struct entry *e, struct err *err)
{
	struct service *s = map_get(sv->services, e->id);
	struct service_security fresh;

	if (service_security_read(&fresh, e, err) < 0)
		return -1;
	if (!s) {
		service_security_done(&fresh);
		return 0;
	}
	service_security_done(&s->security);
	s->security = fresh;
	if (sv->started)
		service_security_resolve(&s->security, s->id, sv->rt->node.policies);
	return 0;
}

/* -- changes ----------------------------------------------------------------------------------------- */

void supervisor_begin(struct supervisor *sv)
{
	sv->in_change = true;
}

void supervisor_end(struct supervisor *sv)
{
	void *v;

	sv->in_change = false;
	for (size_t i = 0; sv->started && !sv->stopping && map_next(sv->services, &i, NULL, &v);) {
		struct service *s = v;

		if (s->fresh) {
			s->fresh = false;
			service_security_resolve(&s->security, s->id, sv->rt->node.policies);
			if (s->lifecycle.auto_start)
				supervisor_want(sv, s);
		}
		/* What it waited for may have come. */
		for (size_t k = 0; s->wanted && k < s->lifecycle.nrequires; k++) {
			struct service *needed = map_get(sv->services, s->lifecycle.requires[k].id);

			if (needed)
				supervisor_want(sv, needed);
		}
	}
	supervisor_advance(sv);
}

static void on_wait_over(struct loop_timer *t)
{
	end_wait(container_of(t, struct supervisor_wait, timer));
}

void supervisor_wait(
	struct supervisor *sv, struct supervisor_wait *w, uint64_t limit_ms, void (*done)(struct supervisor_wait *w))
{
	w->done = done;
	loop_timer_init(&w->timer, sv->rt->loop, on_wait_over);
	list_push_back(&sv->waits, &w->link);
	loop_timer_start_ms(&w->timer, !sv->started || sv->stopping || supervisor_is_settled(sv) ? 0 : limit_ms);
}

int supervisor_update_lifecycle(struct supervisor *sv, const struct entry *e, const char *needs, struct err *err)
{
	struct service *s = map_get(sv->services, e->id);
	struct lifecycle fresh;
	bool starts;

	if (lifecycle_read(&fresh, e, err) < 0)
		return -1;
	if (!s) {
		lifecycle_done(&fresh);
		return 0;
	}
	if (needs)
		lifecycle_require(&fresh, needs, true);
	starts = fresh.auto_start && !s->lifecycle.auto_start;
	lifecycle_done(&s->lifecycle);
	s->lifecycle = fresh;
	s->complained = false;
	if (starts && sv->started && !sv->stopping)
		supervisor_start_service(sv, s->id);
	return 0;
}

/* Whoever may publish on `supervisor` may start and stop. */
static void on_control(void *arg, const struct bus_event *ev)
{
	if (strcmp(ev->kind, "service.start") == 0)
		supervisor_start_service(arg, ev->path);
	else
		supervisor_stop_service(arg, ev->path);
}

struct service *supervisor_find_self(struct supervisor *sv, const char *id, const void *self)
{
	struct service *s = map_get(sv->services, id);

	return s && s->self == self ? s : find_leaving(sv, id, self);
}

struct service *supervisor_find(struct supervisor *sv, const char *id)
{
	return map_get(sv->services, id);
}

/* -- start and stop of all --------------------------------------------------------------------------- */

void supervisor_start(struct supervisor *sv)
{
	struct err e;
	void *v;

	sv->started = true;
	if (!sv->control && sv->rt->node.bus &&
		bus_listen(sv->rt->node.bus, "supervisor", "service.(start|stop)", sv->rt->loop, on_control, sv,
			&sv->control, &e) < 0)
		log_error("supervisor", "services cannot be started and stopped by events", LOG_STR("error", e.text));
	for (size_t i = 0; map_next(sv->services, &i, NULL, &v);) {
		struct service *s = v;

		service_security_resolve(&s->security, s->id, sv->rt->node.policies);
		if (s->lifecycle.auto_start)
			supervisor_want(sv, s);
	}
	supervisor_advance(sv);
	supervisor_report_cycles(sv);
}

void supervisor_stop(struct supervisor *sv, void (*done)(void *arg), void *arg)
{
	void *v;

	sv->stopping = true;
	for (size_t i = 0; map_next(sv->services, &i, NULL, &v);)
		loop_timer_stop(&((struct service *)v)->retry);
	sv->stopped = done;
	sv->stopped_arg = arg;
	supervisor_advance(sv);
}
