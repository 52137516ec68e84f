/*
 * supervisor.h - services: what is started and stopped in the order of its dependencies.
 *
 * A service is whatever a kind registers with a start and a stop operation; it belongs to one entry. Main thread only. Each service
 * starts when all it requires are running; independent ones start at the same time. Stop goes the other way round.
 *
 * A service that fails is started again after a delay that grows from failure to failure (lifecycle.restart), at most max_attempts times in a row;
 * one that ran for stable_threshold begins anew. Every restart is one line of the log. Each service restarts alone.
 */
#ifndef SERVICE_SUPERVISOR_H
#define SERVICE_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "loop/loop.h"
#include "registry/entry.h"

struct identity;
struct runtime;
struct scope;
struct service;
struct supervisor;

enum service_state {
	SERVICE_UNKNOWN,
	SERVICE_STARTING,
	SERVICE_RUNNING,
	SERVICE_STOPPING,
	SERVICE_STOPPED,
	SERVICE_FAILED,
	SERVICE_EXITED,
};

/* `start` ends with exactly one service_started() or service_failed(), at once or later; a running service that ends by itself says service_failed() or
 * service_exited(). `stop` ends with service_stopped(). */
struct service_ops {
	void (*start)(struct service *s);
	void (*stop)(struct service *s);
	void (*free)(void *self); /* NULL: nothing */
	/* The start took longer than start_timeout: let go of what may still come to life. It may be started again. NULL: nothing. */
	void (*abandon)(struct service *s);
	/* `stop` does not bound itself: without service_stopped() within stop_timeout the service has failed. */
	bool stop_is_unbounded;
};

struct supervisor *supervisor_new(struct runtime *rt);
void supervisor_free(struct supervisor *sv);

/* Register the service of an entry: reads `lifecycle` from its data. Takes `self` when it succeeds. Started at once when the supervisor has been
 * started and auto_start is set. INVALID names the field. */
int supervisor_add(struct supervisor *sv, struct entry *e, const struct service_ops *ops, void *self,
	struct service **ret_service, struct err *err);
/* The same for an entry that refers to `needs` (a service's id, or NULL) elsewhere than in lifecycle.requires: it waits for that too, if there is such a service. */
int supervisor_add_needing(struct supervisor *sv, struct entry *e, const char *needs, const struct service_ops *ops,
	void *self, struct service **ret_service, struct err *err);
/* Stop it if it runs, without waiting, and forget it. During a change it is forgotten at once and stopped when the change ends, `self` living until then. */
void supervisor_remove(struct supervisor *sv, const char *id);
/* Read lifecycle.security anew from a changed entry, for runs to come. INVALID names the field; then nothing changes. */
int supervisor_update_security(struct supervisor *sv, const struct entry *e, struct err *err);
/* Read the rest of `lifecycle` anew: requirements, time limits and restart policy count from now on, for a service that runs from its next start on. One
 * whose auto_start is new is started. `needs` as above. INVALID names the field; then nothing changes. */
int supervisor_update_lifecycle(struct supervisor *sv, const struct entry *e, const char *needs, struct err *err);
struct service *supervisor_find(struct supervisor *sv, const char *id);
/* The one with that `self`, also when its entry is gone and it is still stopping. */
struct service *supervisor_find_self(struct supervisor *sv, const char *id, const void *self);

/* -- changes of the registry: what is added meanwhile starts, and what is removed stops, when the change ends; starts come after the stops -- */

void supervisor_begin(struct supervisor *sv);
void supervisor_end(struct supervisor *sv);

/* Embed it; `done` may free it. */
struct supervisor_wait {
	struct list link;
	struct loop_timer timer;
	void (*done)(struct supervisor_wait *w);
};

/* `done` runs once, later: when no service is starting, stopping or leaving, at the latest after `limit_ms`, or when all stop. */
void supervisor_wait(
	struct supervisor *sv, struct supervisor_wait *w, uint64_t limit_ms, void (*done)(struct supervisor_wait *w));

/* Start every auto_start service and what they require. */
void supervisor_start(struct supervisor *sv);
/* One service: start it and what it requires, also when it had ended; stop it, what requires it first. Nothing for an id that is no service. The events service.start and
 * service.stop with the id as path do the same. */
void supervisor_start_service(struct supervisor *sv, const char *id);
void supervisor_stop_service(struct supervisor *sv, const char *id);
/* Stop all in reverse order, each bounded by its stop_timeout; `done` runs once, later. */
void supervisor_stop(struct supervisor *sv, void (*done)(void *arg), void *arg);

void *service_self(const struct service *s);
const char *service_id(const struct service *s);
/* Who the service acts as, by lifecycle.security (service_security.h); both NULL when it says nothing. Borrowed; fixed before the service starts for the
 * first time. For struct frame_edge of what it runs, and for its own checks. */
struct identity *service_actor(const struct service *s);
struct scope *service_scope(const struct service *s);
struct runtime *service_runtime(const struct service *s);
enum service_state service_state(const struct service *s);
uint64_t service_stop_timeout_ms(const struct service *s);

void service_started(struct service *s);
/* With a text for people who look at its state; NULL: none. */
void service_started_as(struct service *s, const char *details);
/* `e` borrowed; e->retry == ERR_RETRY_NO means: do not try again, the service has exited. Otherwise it is restarted as lifecycle.restart says. */
void service_failed(struct service *s, const struct err *e);
/* It ended by itself and stays down. */
void service_exited(struct service *s);
void service_stopped(struct service *s);

const char *service_state_name(enum service_state st);

#endif
