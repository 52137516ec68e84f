/*
 * supervisor_order.c - which service may start or stop now, by what requires what.
 */
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "service/supervisor_private.h"

void supervisor_want(struct supervisor *sv, struct service *s)
{
	if (s->wanted)
		return;
	s->wanted = true;
	for (size_t i = 0; i < s->lifecycle.nrequires; i++) {
		struct service *needed = map_get(sv->services, s->lifecycle.requires[i].id);

		if (needed)
			supervisor_want(sv, needed);
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

/* Does an active service still require `s`? */
static bool is_needed(struct supervisor *sv, const struct service *s)
{
	void *v;

	for (size_t i = 0; map_next(sv->services, &i, NULL, &v);) {
		const struct service *other = v;

		if (other == s || !service_is_active(other))
			continue;
		for (size_t k = 0; k < other->lifecycle.nrequires; k++)
			if (strcmp(other->lifecycle.requires[k].id, s->id) == 0)
				return true;
	}
	return false;
}

/* Does another service that leaves still require `s`? */
static bool is_needed_by_leaving(struct supervisor *sv, const struct service *s)
{
	list_for_each(l, &sv->leaving) {
		const struct service *other = list_entry(l, struct service, leaving);

		for (size_t k = 0; other != s && service_is_active(other) && k < other->lifecycle.nrequires; k++)
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
			service_stop(s);
		if (service_is_active(s))
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
			service_start(s);
		else if (!s->wanted && (s->state == SERVICE_RUNNING || s->state == SERVICE_STARTING) &&
			 !is_needed(sv, s))
			service_stop(s);
	}
}

static void step_down(struct supervisor *sv)
{
	bool any = false;
	void *v;

	for (size_t i = 0; map_next(sv->services, &i, NULL, &v);) {
		struct service *s = v;

		if ((s->state == SERVICE_RUNNING || s->state == SERVICE_STARTING) && !is_needed(sv, s))
			service_stop(s);
		any |= service_is_active(s);
	}
	any |= !list_is_empty(&sv->leaving);
	if (!any && sv->stopped && !loop_timer_is_armed(&sv->stopped_timer))
		loop_timer_start_ms(&sv->stopped_timer, 0);
}

bool supervisor_is_settled(struct supervisor *sv)
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

void supervisor_advance(struct supervisor *sv)
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
	if (!list_is_empty(&sv->waits) && (sv->stopping || supervisor_is_settled(sv)))
		end_waits(sv);
}

/* -- asked for one by one ---------------------------------------------------------------------------- */

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
	if (service_is_active(s)) {
		s->wanted = true;
		return;
	}
	if (s->state == SERVICE_UNKNOWN && s->wanted)
		return; /* it waits for its turn; also the way out of a cycle */
	loop_timer_stop(&s->retry);
	s->wanted = true;
	s->runs = 0;
	service_set_state(s, SERVICE_UNKNOWN);
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
	supervisor_advance(sv);
}

void supervisor_stop_service(struct supervisor *sv, const char *id)
{
	struct service *s = map_get(sv->services, id);

	if (!s || sv->stopping)
		return;
	unwant(sv, s);
	supervisor_advance(sv);
}

/* -- cycles ------------------------------------------------------------------------------------------ */

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

void supervisor_report_cycles(struct supervisor *sv)
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
