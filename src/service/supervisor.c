#include "service/supervisor.h"

#include <stdlib.h>
#include <string.h>

#include "actor/service_table.h"
#include "base/alloc.h"
#include "base/backoff.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "service/announce.h"
#include "service/lifecycle.h"
#include "service/runtime.h"
#include "service/service_security.h"

enum { STOP_GRACE_MS = 2000 /* a service bounds its own stop; this bounds the service */ };

struct service {
	struct supervisor *sv;
	struct list leaving; /* linked once its entry is gone */
	bool fresh;          /* came with the change under way */
	char *id;
	const struct service_ops *ops;
	void *self;
	enum service_state state;
	bool wanted;
	bool complained; /* about what it waits for */
	bool visiting;   /* while cycles are looked for */
	bool visited;
	struct lifecycle lifecycle;
	struct service_security security;
	unsigned runs; /* since the last stable one */
	uint64_t running_since_ns;
	int64_t started_at_ns;   /* Unix time of the last start */
	struct loop_timer timer; /* of the start or stop under way */
	struct loop_timer retry; /* of a failed one: when it starts again */
};

struct supervisor {
	struct runtime *rt;
	struct map *services; /* id -> struct service, in the order of the entries */
	struct list leaving;  /* removed by a change, to be stopped */
	struct list gone;     /* the same, stopped: freed in a later turn, when no callback of theirs is under way */
	struct loop_timer gone_timer;
	struct list waits; /* for the effects of a change */
	bool in_change;
	struct bus_listener *control; /* service.start and service.stop */
	bool started;
	bool stopping;
	bool advancing;
	bool again;
	void (*stopped)(void *arg);
	void *stopped_arg;
	struct loop_timer stopped_timer;
};

const char *service_state_name(enum service_state st)
{
	static const char *const names[] = {
		[SERVICE_UNKNOWN] = "unknown",
		[SERVICE_STARTING] = "starting",
		[SERVICE_RUNNING] = "running",
		[SERVICE_STOPPING] = "stopping",
		[SERVICE_STOPPED] = "stopped",
		[SERVICE_FAILED] = "failed",
		[SERVICE_EXITED] = "exited",
	};

	return names[st];
}

void *service_self(const struct service *s)
{
	return s->self;
}

struct identity *service_actor(const struct service *s)
{
	return s->security.actor;
}

struct scope *service_scope(const struct service *s)
{
	return s->security.scope;
}

const char *service_id(const struct service *s)
{
	return s->id;
}

struct runtime *service_runtime(const struct service *s)
{
	return s->sv->rt;
}

enum service_state service_state(const struct service *s)
{
	return s->state;
}

uint64_t service_stop_timeout_ms(const struct service *s)
{
	return s->lifecycle.stop_timeout_ms;
}

/* For system.supervisor.state(); of services whose entry is there, not of those that leave. */
static void publish_status(struct service *s, const struct service_report *r)
{
	struct service_status status = {
		.id = s->id,
		.status = r->status,
		.desired = r->desired,
		.details = (char *)(uintptr_t)r->details, /* copied */
		.retry_count = r->retry_count,
		.last_update_ns = announce_now_ns(),
		.started_at_ns = s->started_at_ns,
	};

	if (map_get(s->sv->services, s->id) == s)
		service_table_put(s->sv->rt->node.services, &status);
}

static void set_state_because(struct service *s, enum service_state st, const char *details)
{
	struct service_report report = {
		.status = service_state_name(st),
		.desired = service_state_name(s->wanted && !s->sv->stopping ? SERVICE_RUNNING : SERVICE_STOPPED),
		.details = details,
		.retry_count = s->runs > 0 ? s->runs - 1 : 0,
	};

	loop_timer_stop(&s->timer);
	s->state = st;
	if (st == SERVICE_RUNNING)
		s->started_at_ns = announce_now_ns();
	if (st == SERVICE_RUNNING || st == SERVICE_STOPPING)
		report.started_at_ns = s->started_at_ns;
	log_debug("supervisor", "service state", LOG_STR("service", s->id), LOG_STR("state", service_state_name(st)));
	publish_status(s, &report);
	announce_service(s->sv->rt->node.bus, s->id, &report);
}

static void set_state(struct service *s, enum service_state st)
{
	set_state_because(s, st, NULL);
}

/* -- order ------------------------------------------------------------------------------------------- */

static void want(struct supervisor *sv, struct service *s)
{
	if (s->wanted)
		return;
	s->wanted = true;
	for (size_t i = 0; i < s->lifecycle.nrequires; i++) {
		struct service *needed = map_get(sv->services, s->lifecycle.requires[i].id);

		if (needed)
			want(sv, needed);
	}
}

static bool can_start(struct supervisor *sv, struct service *s)
{
	for (size_t i = 0; i < s->lifecycle.nrequires; i++) {
		const struct requirement *r = &s->lifecycle.requires[i];
		struct service *needed = map_get(sv->services, r->id);

		if (!needed && r->implied)
			continue;
		if (!needed && !s->complained) {
			s->complained = true;
			log_error("supervisor", "service startup blocked by missing dependencies",
				LOG_STR("service", s->id), LOG_STR("requires", r->id));
		}
		if (!needed || needed->state != SERVICE_RUNNING)
			return false;
	}
	return true;
}

static bool is_active(const struct service *s)
{
	return s->state == SERVICE_STARTING || s->state == SERVICE_RUNNING || s->state == SERVICE_STOPPING;
}

/* Does an active service still require `s`? */
static bool is_needed(struct supervisor *sv, const struct service *s)
{
	void *v;

	for (size_t i = 0; map_next(sv->services, &i, NULL, &v);) {
		const struct service *other = v;

		if (other == s || !is_active(other))
			continue;
		for (size_t k = 0; k < other->lifecycle.nrequires; k++)
			if (strcmp(other->lifecycle.requires[k].id, s->id) == 0)
				return true;
	}
	return false;
}

static void start_service(struct service *s)
{
	set_state(s, SERVICE_STARTING);
	loop_timer_stop(&s->retry);
	loop_timer_start_ms(&s->timer, s->lifecycle.start_timeout_ms);
	s->runs++;
	s->ops->start(s);
}

static void stop_service(struct service *s)
{
	set_state(s, SERVICE_STOPPING);
	loop_timer_start_ms(&s->timer, s->lifecycle.stop_timeout_ms + (s->ops->stop_is_unbounded ? 0 : STOP_GRACE_MS));
	s->ops->stop(s);
}

/* Does another service that leaves still require `s`? */
static bool is_needed_by_leaving(struct supervisor *sv, const struct service *s)
{
	list_for_each(l, &sv->leaving) {
		const struct service *other = list_entry(l, struct service, leaving);

		for (size_t k = 0; other != s && is_active(other) && k < other->lifecycle.nrequires; k++)
			if (strcmp(other->lifecycle.requires[k].id, s->id) == 0)
				return true;
	}
	return false;
}

/* Stop what a change removed, dependents first. */
static void step_out(struct supervisor *sv)
{
	list_for_each_safe(l, tmp, &sv->leaving) {
		struct service *s = list_entry(l, struct service, leaving);

		if ((s->state == SERVICE_RUNNING || s->state == SERVICE_STARTING) && !is_needed_by_leaving(sv, s))
			stop_service(s);
		if (is_active(s))
			continue;
		loop_timer_stop(&s->retry);
		list_remove(&s->leaving);
		list_push_back(&sv->gone, &s->leaving);
		loop_timer_start_ms(&sv->gone_timer, 0);
	}
}

static void step_up(struct supervisor *sv)
{
	void *v;

	/* What comes may want what those that go still hold. */
	if (!list_is_empty(&sv->leaving))
		return;
	for (size_t i = 0; map_next(sv->services, &i, NULL, &v);) {
		struct service *s = v;

		if (s->wanted && s->state == SERVICE_UNKNOWN && can_start(sv, s))
			start_service(s);
		else if (!s->wanted && (s->state == SERVICE_RUNNING || s->state == SERVICE_STARTING) &&
			 !is_needed(sv, s))
			stop_service(s);
	}
}

static void step_down(struct supervisor *sv)
{
	bool any = false;
	void *v;

	for (size_t i = 0; map_next(sv->services, &i, NULL, &v);) {
		struct service *s = v;

		if ((s->state == SERVICE_RUNNING || s->state == SERVICE_STARTING) && !is_needed(sv, s))
			stop_service(s);
		any |= is_active(s);
	}
	any |= !list_is_empty(&sv->leaving);
	if (!any && sv->stopped && !loop_timer_is_armed(&sv->stopped_timer))
		loop_timer_start_ms(&sv->stopped_timer, 0);
}

static bool is_settled(struct supervisor *sv)
{
	void *v;

	if (!list_is_empty(&sv->leaving))
		return false;
	for (size_t i = 0; map_next(sv->services, &i, NULL, &v);) {
		const struct service *s = v;

		if (s->state == SERVICE_STARTING || s->state == SERVICE_STOPPING)
			return false;
	}
	return true;
}

static void end_waits(struct supervisor *sv)
{
	list_for_each(l, &sv->waits)
		loop_timer_start_ms(&list_entry(l, struct supervisor_wait, link)->timer, 0);
}

/* Start or stop whatever has become possible. Operations may report at once, from within: then once more round. */
static void advance(struct supervisor *sv)
{
	sv->again = true;
	if (sv->advancing || sv->in_change)
		return;
	sv->advancing = true;
	while (sv->again) {
		sv->again = false;
		step_out(sv);
		if (sv->stopping)
			step_down(sv);
		else if (sv->started)
			step_up(sv);
	}
	sv->advancing = false;
	if (!list_is_empty(&sv->waits) && (sv->stopping || is_settled(sv)))
		end_waits(sv);
}

/* -- reports ----------------------------------------------------------------------------------------- */

void service_started(struct service *s)
{
	service_started_as(s, NULL);
}

void service_started_as(struct service *s, const char *details)
{
	if (s->state != SERVICE_STARTING)
		return;
	set_state_because(s, SERVICE_RUNNING, details);
	s->running_since_ns = loop_clock_ns();
	advance(s->sv);
}

/* A run that was long enough wipes out the failures before it. */
static void forget_if_stable(struct service *s)
{
	if (s->state == SERVICE_RUNNING &&
		loop_clock_ns() - s->running_since_ns >= s->lifecycle.stable_threshold_ms * 1000000)
		s->runs = 0;
}

static void restart_later(struct service *s, const struct err *e)
{
	unsigned attempt = s->runs > 0 ? s->runs : 1;
	uint64_t delay_ms = (backoff_delay(&s->lifecycle.restart, attempt) + 999999) / 1000000;

	log_warn("supervisor", "service failed, restarting", LOG_STR("service", s->id), LOG_STR("error", e->text),
		LOG_INT("attempt", attempt), LOG_INT("delay_ms", delay_ms));
	loop_timer_start_ms(&s->retry, delay_ms);
}

void service_failed(struct service *s, const struct err *e)
{
	bool stopping = s->state == SERVICE_STOPPING || s->sv->stopping;
	unsigned max = s->lifecycle.max_attempts;
	/* The application can do without an optional one. */
	enum log_level level = s->lifecycle.optional ? LOG_WARN : LOG_ERROR;

	forget_if_stable(s);
	set_state_because(s, e->retry == ERR_RETRY_NO && !stopping ? SERVICE_EXITED : SERVICE_FAILED, e->text);
	if (s->state == SERVICE_EXITED) {
		LOG_AT(level, "supervisor", "service exited with an error and is not restarted",
			LOG_STR("service", s->id), LOG_STR("error", e->text));
	} else if (stopping) {
		LOG_AT(level, "supervisor", "service failed to stop", LOG_STR("service", s->id),
			LOG_STR("error", e->text));
	} else if (max > 0 && s->runs >= max) {
		LOG_AT(level, "supervisor", "service failed too often and is not restarted", LOG_STR("service", s->id),
			LOG_STR("error", e->text), LOG_INT("attempts", s->runs));
	} else {
		restart_later(s, e);
	}
	advance(s->sv);
}

void service_exited(struct service *s)
{
	set_state(s, SERVICE_EXITED);
	advance(s->sv);
}

void service_stopped(struct service *s)
{
	if (s->state != SERVICE_STOPPING)
		return;
	set_state(s, SERVICE_STOPPED);
	/* Asked to start again meanwhile. */
	if (s->wanted && !s->sv->stopping)
		set_state(s, SERVICE_UNKNOWN);
	advance(s->sv);
}

static void on_timeout(struct loop_timer *t)
{
	struct service *s = container_of(t, struct service, timer);
	struct err e;

	if (s->state == SERVICE_STARTING) {
		if (s->ops->abandon)
			s->ops->abandon(s);
		err_set(&e, ERR_TIMEOUT, "service start timed out");
		err_retryable(&e);
	} else {
		err_set(&e, ERR_TIMEOUT, "stop timeout after %llu ms",
			(unsigned long long)s->lifecycle.stop_timeout_ms);
	}
	service_failed(s, &e);
}

static void on_retry(struct loop_timer *t)
{
	struct service *s = container_of(t, struct service, retry);

	/* What it requires may be down by now: then it waits for that. */
	set_state(s, SERVICE_UNKNOWN);
	advance(s->sv);
}

/* -- registering ------------------------------------------------------------------------------------- */

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
	loop_timer_init(&s->timer, sv->rt->loop, on_timeout);
	loop_timer_init(&s->retry, sv->rt->loop, on_retry);
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
	publish_status(s, &unknown);
	announce_service_registered(sv->rt->node.bus, s->id);
	if (ret_service)
		*ret_service = s;
	if (sv->in_change) {
		const struct service *old = find_leaving(sv, s->id, NULL);

		/* Another one in its place goes on where it was. */
		s->fresh = true;
		if (old && old->wanted)
			want(sv, s);
	} else if (sv->started && !sv->stopping && s->lifecycle.auto_start) {
		want(sv, s);
		advance(sv);
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
		stop_service(s);
	announce_service_removed(sv->rt->node.bus, s->id);
	service_free(s);
	advance(sv);
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
				want(sv, s);
		}
		/* What it waited for may have come. */
		for (size_t k = 0; s->wanted && k < s->lifecycle.nrequires; k++) {
			struct service *needed = map_get(sv->services, s->lifecycle.requires[k].id);

			if (needed)
				want(sv, needed);
		}
	}
	advance(sv);
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
	loop_timer_start_ms(&w->timer, !sv->started || sv->stopping || is_settled(sv) ? 0 : limit_ms);
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

static bool requires(const struct service *s, const char *id)
{
	for (size_t i = 0; i < s->lifecycle.nrequires; i++) {
		if (strcmp(s->lifecycle.requires[i].id, id) == 0)
			return true;
	}
	return false;
}

/* Those that ended, too: they begin anew. */
static void revive(struct supervisor *sv, struct service *s)
{
	if (is_active(s)) {
		s->wanted = true;
		return;
	}
	if (s->state == SERVICE_UNKNOWN && s->wanted)
		return; /* it waits for its turn; also the way out of a cycle */
	loop_timer_stop(&s->retry);
	s->wanted = true;
	s->runs = 0;
	set_state(s, SERVICE_UNKNOWN);
	for (size_t i = 0; i < s->lifecycle.nrequires; i++) {
		struct service *needed = map_get(sv->services, s->lifecycle.requires[i].id);

		if (needed)
			revive(sv, needed);
	}
}

static void unwant(struct supervisor *sv, struct service *s)
{
	void *v;

	if (!s->wanted)
		return;
	s->wanted = false;
	loop_timer_stop(&s->retry);
	for (size_t i = 0; map_next(sv->services, &i, NULL, &v);) {
		if (requires(v, s->id))
			unwant(sv, v);
	}
}

void supervisor_start_service(struct supervisor *sv, const char *id)
{
	struct service *s = map_get(sv->services, id);

	if (!s || sv->stopping)
		return;
	revive(sv, s);
	advance(sv);
}

void supervisor_stop_service(struct supervisor *sv, const char *id)
{
	struct service *s = map_get(sv->services, id);

	if (!s || sv->stopping)
		return;
	unwant(sv, s);
	advance(sv);
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

/* Find a way from `s` back to a service on the path to it; its names go to `path`, last first. */
static bool find_cycle(struct supervisor *sv, struct service *s, struct buf *path)
{
	bool found = false;

	if (s->visited && !s->visiting)
		return false;
	if (s->visiting) {
		buf_adds(path, s->id);
		return true;
	}
	s->visited = s->visiting = true;
	for (size_t i = 0; !found && i < s->lifecycle.nrequires; i++) {
		struct service *needed = map_get(sv->services, s->lifecycle.requires[i].id);

		found = needed && find_cycle(sv, needed, path);
	}
	if (found)
		buf_addf(path, " is required by %s", s->id);
	s->visiting = false;
	return found;
}

static void report_cycles(struct supervisor *sv)
{
	struct buf path = BUF_INIT;
	void *v;

	for (size_t i = 0; map_next(sv->services, &i, NULL, &v);)
		((struct service *)v)->visited = false;
	for (size_t i = 0; map_next(sv->services, &i, NULL, &v);) {
		struct service *s = v;

		if (!s->wanted || !find_cycle(sv, s, &path))
			continue;
		log_error("supervisor", "failed to determine start dependency levels: services require each other",
			LOG_STR("cycle", buf_str(&path)));
		buf_clear(&path);
	}
	buf_done(&path);
}

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
			want(sv, s);
	}
	advance(sv);
	report_cycles(sv);
}

void supervisor_stop(struct supervisor *sv, void (*done)(void *arg), void *arg)
{
	void *v;

	sv->stopping = true;
	for (size_t i = 0; map_next(sv->services, &i, NULL, &v);)
		loop_timer_stop(&((struct service *)v)->retry);
	sv->stopped = done;
	sv->stopped_arg = arg;
	advance(sv);
}
