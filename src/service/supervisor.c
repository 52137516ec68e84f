#include "service/supervisor.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "service/runtime.h"

enum {
	START_TIMEOUT_MS = 10000,
	STOP_TIMEOUT_MS = 10000,
	STOP_GRACE_MS = 2000, /* a service bounds its own stop; this bounds the service */
};

struct service {
	struct supervisor *sv;
	char *id;
	const struct service_ops *ops;
	void *self;
	enum service_state state;
	bool auto_start;
	bool wanted;
	bool complained; /* about what it waits for */
	char **requires;
	size_t nrequires;
	uint64_t start_timeout_ms;
	uint64_t stop_timeout_ms;
	struct loop_timer timer; /* of the start or stop under way */
};

struct supervisor {
	struct runtime *rt;
	struct map *services; /* id -> struct service, in the order of the entries */
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
	return s->stop_timeout_ms;
}

static void set_state(struct service *s, enum service_state st)
{
	loop_timer_stop(&s->timer);
	s->state = st;
	log_debug("supervisor", "service state", LOG_STR("service", s->id), LOG_STR("state", service_state_name(st)));
}

/* -- order ------------------------------------------------------------------------------------------- */

static void want(struct supervisor *sv, struct service *s)
{
	if (s->wanted)
		return;
	s->wanted = true;
	for (size_t i = 0; i < s->nrequires; i++) {
		struct service *needed = map_get(sv->services, s->requires[i]);

		if (needed)
			want(sv, needed);
	}
}

static bool can_start(struct supervisor *sv, struct service *s)
{
	for (size_t i = 0; i < s->nrequires; i++) {
		struct service *needed = map_get(sv->services, s->requires[i]);

		if (!needed && !s->complained) {
			s->complained = true;
			log_error("supervisor", "service startup blocked by missing dependencies",
				LOG_STR("service", s->id), LOG_STR("requires", s->requires[i]));
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

		for (size_t k = 0; is_active(other) && k < other->nrequires; k++)
			if (other != s && strcmp(other->requires[k], s -> id) == 0)
				return true;
	}
	return false;
}

static void start_service(struct service *s)
{
	set_state(s, SERVICE_STARTING);
	loop_timer_start_ms(&s->timer, s->start_timeout_ms);
	s->ops->start(s);
}

static void stop_service(struct service *s)
{
	set_state(s, SERVICE_STOPPING);
	loop_timer_start_ms(&s->timer, s->stop_timeout_ms + STOP_GRACE_MS);
	s->ops->stop(s);
}

static void step_up(struct supervisor *sv)
{
	void *v;

	for (size_t i = 0; map_next(sv->services, &i, NULL, &v);) {
		struct service *s = v;

		if (s->wanted && s->state == SERVICE_UNKNOWN && can_start(sv, s))
			start_service(s);
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
	if (!any && sv->stopped && !loop_timer_is_armed(&sv->stopped_timer))
		loop_timer_start_ms(&sv->stopped_timer, 0);
}

/* Start or stop whatever has become possible. Operations may report at once, from within: then once more round. */
static void advance(struct supervisor *sv)
{
	sv->again = true;
	if (sv->advancing)
		return;
	sv->advancing = true;
	while (sv->again) {
		sv->again = false;
		if (sv->stopping)
			step_down(sv);
		else if (sv->started)
			step_up(sv);
	}
	sv->advancing = false;
}

/* -- reports ----------------------------------------------------------------------------------------- */

void service_started(struct service *s)
{
	if (s->state != SERVICE_STARTING)
		return;
	set_state(s, SERVICE_RUNNING);
	advance(s->sv);
}

void service_failed(struct service *s, const struct err *e)
{
	log_error("supervisor", "service failed", LOG_STR("service", s->id), LOG_STR("error", e->text));
	set_state(s, SERVICE_FAILED);
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
	advance(s->sv);
}

static void on_timeout(struct loop_timer *t)
{
	struct service *s = container_of(t, struct service, timer);
	struct err e;

	if (s->state == SERVICE_STARTING)
		err_set(&e, ERR_TIMEOUT, "service start timed out");
	else
		err_set(&e, ERR_TIMEOUT, "stop timeout after %llu ms", (unsigned long long)s->stop_timeout_ms);
	service_failed(s, &e);
}

/* -- registering ------------------------------------------------------------------------------------- */

static void on_stopped(struct loop_timer *t)
{
	struct supervisor *sv = container_of(t, struct supervisor, stopped_timer);
	void (*stopped)(void *arg) = sv->stopped;

	sv->stopped = NULL;
	stopped(sv->stopped_arg);
}

struct supervisor *supervisor_new(struct runtime *rt)
{
	struct supervisor *sv = xcalloc(1, sizeof(*sv));

	sv->rt = rt;
	sv->services = map_new();
	loop_timer_init(&sv->stopped_timer, rt->loop, on_stopped);
	return sv;
}

static void service_free(void *v)
{
	struct service *s = v;

	if (!s)
		return;
	loop_timer_stop(&s->timer);
	if (s->ops->free && s->self)
		s->ops->free(s->self);
	for (size_t i = 0; i < s->nrequires; i++)
		free(s->requires[i]);
	free(s->requires);
	free(s->id);
	free(s);
}

void supervisor_free(struct supervisor *sv)
{
	if (!sv)
		return;
	loop_timer_stop(&sv->stopped_timer);
	map_free(sv->services, service_free);
	free(sv);
}

static int read_names(
	struct service *s, const struct value *list, const char *field, const struct entry *e, struct err *err)
{
	if (!list)
		return 0;
	if (value_type(list) != VALUE_LIST)
		return err_set(
			err, ERR_INVALID, "field 'lifecycle.%s': expected list, got %s", field, value_type_name(list));
	for (size_t i = 0; i < value_count(list); i++) {
		const struct value *v = value_at(list, i);

		if (value_type(v) != VALUE_STRING)
			return err_set(err, ERR_INVALID, "field 'lifecycle.%s': expected strings, got %s", field,
				value_type_name(v));
		s->requires = xreallocarray(s->requires, s->nrequires + 1, sizeof(char *));
		s->requires[s->nrequires++] = entry_id_resolve(value_get_string(v, NULL), e->ns);
	}
	return 0;
}

static int read_timeout(const struct value *lifecycle, const char *key, uint64_t *ret_ms, struct err *err)
{
	int64_t ns = 0;

	if (value_read_duration(lifecycle, key, &ns, err) < 0)
		return -1;
	/* 0 means the default. */
	if (ns > 0)
		*ret_ms = (uint64_t)((ns + 999999) / 1000000);
	return 0;
}

static int read_lifecycle(struct service *s, const struct entry *e, struct err *err)
{
	const struct value *lc = value_get(e->data, "lifecycle");

	if (!lc)
		return 0;
	if (value_type(lc) != VALUE_MAP)
		return err_set(err, ERR_INVALID, "field 'lifecycle': expected map, got %s", value_type_name(lc));
	if (value_read_bool(lc, "auto_start", &s->auto_start, err) < 0 ||
		read_timeout(lc, "start_timeout", &s->start_timeout_ms, err) < 0 ||
		read_timeout(lc, "stop_timeout", &s->stop_timeout_ms, err) < 0)
		return err_prefix(err, "lifecycle");
	if (read_names(s, value_get(lc, "requires"), "requires", e, err) < 0)
		return -1;
	return read_names(s, value_get(lc, "depends_on"), "depends_on", e, err);
}

int supervisor_add(struct supervisor *sv, struct entry *e, const struct service_ops *ops, void *self,
	struct service **ret_service, struct err *err)
{
	struct service *s = xcalloc(1, sizeof(*s));

	s->sv = sv;
	s->ops = ops;
	s->id = xstrdup(e->id);
	s->start_timeout_ms = START_TIMEOUT_MS;
	s->stop_timeout_ms = STOP_TIMEOUT_MS;
	loop_timer_init(&s->timer, sv->rt->loop, on_timeout);
	if (read_lifecycle(s, e, err) < 0) {
		service_free(s); /* `self` stays the caller's */
		return -1;
	}
	s->self = self;
	service_free(map_set(sv->services, s->id, s));
	if (ret_service)
		*ret_service = s;
	if (sv->started && !sv->stopping && s->auto_start) {
		want(sv, s);
		advance(sv);
	}
	return 0;
}

void supervisor_remove(struct supervisor *sv, const char *id)
{
	struct service *s = map_remove(sv->services, id);

	if (!s)
		return;
	if (s->state == SERVICE_RUNNING || s->state == SERVICE_STARTING)
		stop_service(s);
	service_free(s);
	advance(sv);
}

struct service *supervisor_find(struct supervisor *sv, const char *id)
{
	return map_get(sv->services, id);
}

/* -- start and stop of all --------------------------------------------------------------------------- */

/* Nothing starts or is starting, yet a wanted service has not started although all it needs exists: they need each other. */
static void report_cycles(struct supervisor *sv)
{
	void *v;

	for (size_t i = 0; map_next(sv->services, &i, NULL, &v);)
		if (((struct service *)v)->state == SERVICE_STARTING)
			return;
	for (size_t i = 0; map_next(sv->services, &i, NULL, &v);) {
		struct service *s = v;

		if (!s->wanted || s->state != SERVICE_UNKNOWN || s->complained)
			continue;
		log_error("supervisor", "service cannot start: what it requires did not start, or requires it in turn",
			LOG_STR("service", s->id));
	}
}

void supervisor_start(struct supervisor *sv)
{
	void *v;

	sv->started = true;
	for (size_t i = 0; map_next(sv->services, &i, NULL, &v);) {
		struct service *s = v;

		if (s->auto_start)
			want(sv, s);
	}
	advance(sv);
	report_cycles(sv);
}

void supervisor_stop(struct supervisor *sv, void (*done)(void *arg), void *arg)
{
	sv->stopping = true;
	sv->stopped = done;
	sv->stopped_arg = arg;
	advance(sv);
}
