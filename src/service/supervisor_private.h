/*
 * supervisor_private.h - what the files of the supervisor share: supervisor.c (the services there are, changes, start and stop of all),
 * supervisor_order.c (what may start or stop now), service_state.c (the state of one, what it reports, its time limits).
 *
 * Main thread only.
 */
#ifndef SERVICE_SUPERVISOR_PRIVATE_H
#define SERVICE_SUPERVISOR_PRIVATE_H

#include "base/map.h"
#include "service/lifecycle.h"
#include "service/runtime.h"
#include "service/service_security.h"
#include "service/supervisor.h"

struct bus_listener;
struct service_report;

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

/* -- one service (service_state.c) ------------------------------------------------------------------ */

/* Neither runs until the service does. */
void service_init_timers(struct service *s, struct loop *loop);
/* Enter a state and tell everyone; the time limit of the state before is over. */
void service_set_state(struct service *s, enum service_state st);
/* Put the state where programs read it, unless the entry is gone. */
void service_publish_status(struct service *s, const struct service_report *r);
/* Starting, running or stopping. */
bool service_is_active(const struct service *s);
/* Call the operation, with its time limit. */
void service_start(struct service *s);
void service_stop(struct service *s);

/* -- order (supervisor_order.c) --------------------------------------------------------------------- */

/* It is to run, and what it requires. */
void supervisor_want(struct supervisor *sv, struct service *s);
/* Start or stop whatever has become possible. Operations may report at once, from within: then once more round. */
void supervisor_advance(struct supervisor *sv);
/* Nothing starts, stops or leaves. */
bool supervisor_is_settled(struct supervisor *sv);
/* Log what waits for itself. */
void supervisor_report_cycles(struct supervisor *sv);

#endif
