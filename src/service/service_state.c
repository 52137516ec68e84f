/*
 * service_state.c - one service: its state, what it reports, and the time limits of its operations.
 */
#include "actor/service_table.h"
#include "base/alloc.h"
#include "base/backoff.h"
#include "base/log.h"
#include "service/announce.h"
#include "service/supervisor_private.h"

enum { STOP_GRACE_MS = 2000 /* a service bounds its own stop; this bounds the service */ };

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
void service_publish_status(struct service *s, const struct service_report *r)
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
	service_publish_status(s, &report);
	announce_service(s->sv->rt->node.bus, s->id, &report);
}

void service_set_state(struct service *s, enum service_state st)
{
	set_state_because(s, st, NULL);
}

bool service_is_active(const struct service *s)
{
	return s->state == SERVICE_STARTING || s->state == SERVICE_RUNNING || s->state == SERVICE_STOPPING;
}

/* -- operations -------------------------------------------------------------------------------------- */

void service_start(struct service *s)
{
	service_set_state(s, SERVICE_STARTING);
	loop_timer_stop(&s->retry);
	loop_timer_start_ms(&s->timer, s->lifecycle.start_timeout_ms);
	s->runs++;
	s->ops->start(s);
}

void service_stop(struct service *s)
{
	service_set_state(s, SERVICE_STOPPING);
	loop_timer_start_ms(&s->timer, s->lifecycle.stop_timeout_ms + (s->ops->stop_is_unbounded ? 0 : STOP_GRACE_MS));
	s->ops->stop(s);
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
	supervisor_advance(s->sv);
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
	supervisor_advance(s->sv);
}

void service_exited(struct service *s)
{
	service_set_state(s, SERVICE_EXITED);
	supervisor_advance(s->sv);
}

void service_stopped(struct service *s)
{
	if (s->state != SERVICE_STOPPING)
		return;
	service_set_state(s, SERVICE_STOPPED);
	/* Asked to start again meanwhile. */
	if (s->wanted && !s->sv->stopping)
		service_set_state(s, SERVICE_UNKNOWN);
	supervisor_advance(s->sv);
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
	service_set_state(s, SERVICE_UNKNOWN);
	supervisor_advance(s->sv);
}

void service_init_timers(struct service *s, struct loop *loop)
{
	loop_timer_init(&s->timer, loop, on_timeout);
	loop_timer_init(&s->retry, loop, on_retry);
}
