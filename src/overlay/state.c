/*
 * state.c - what an instance is doing: started, stopped, its state as others see it, and its counters.
 *
 * Changes are told under a lock of their own, so listeners hear of them in the order they happened while everybody else may read the state at any time.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "overlay/gate.h"

static int64_t now_unix_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void gate_init(struct overlay *o)
{
	struct overlay_gate *g = &o->gate;
	int rc = pthread_mutex_init(&g->tell_lock, NULL) | pthread_mutex_init(&g->status_lock, NULL);

	assert(rc == 0);
	(void)rc;
	list_init(&g->listeners);
	g->status.state = OVERLAY_STARTING;
	g->status.since_ms = now_unix_ms();
	atomic_init(&g->plain_state, OVERLAY_STARTING);
}

void gate_done(struct overlay *o)
{
	struct overlay_gate *g = &o->gate;

	/* Each has a reference of its own. */
	assert(list_is_empty(&g->listeners));
	pthread_mutex_destroy(&g->status_lock);
	pthread_mutex_destroy(&g->tell_lock);
}

/* -- counters ------------------------------------------------------------------------------------- */

void gate_dial_begins(struct overlay *o)
{
	atomic_fetch_add_explicit(&o->gate.dials_open, 1, memory_order_relaxed);
}

void gate_dial_over(struct overlay *o, enum dial_end how)
{
	atomic_fetch_sub_explicit(&o->gate.dials_open, 1, memory_order_relaxed);
	if (how == DIAL_CANCELED)
		return;
	atomic_fetch_add_explicit(&o->gate.dials, 1, memory_order_relaxed);
	if (how == DIAL_FAILED)
		atomic_fetch_add_explicit(&o->gate.dials_failed, 1, memory_order_relaxed);
	if (o->env && o->env->dialled)
		o->env->dialled(o->env->changed_arg, o, how == DIAL_CONNECTED);
}

/* -- start and stop ------------------------------------------------------------------------------- */

int overlay_start(struct overlay *o, struct err *e)
{
	assert(!o->gate.started && !atomic_load(&o->gate.stopped));
	if (o->driver->start && o->driver->start(o, e) < 0)
		return -1;
	o->gate.started = true;
	return 0;
}

void overlay_stop(struct overlay *o)
{
	struct overlay_gate *g = &o->gate;

	/* Before the driver stops, so that what it says meanwhile is not taken for news of an overlay that may have a successor by now. */
	if (atomic_exchange(&g->stopped, true))
		return;
	if (g->started && o->driver->stop)
		o->driver->stop(o);
	gate_fail_listeners(o);
	overlay_set_state(o, OVERLAY_DOWN, "the overlay was stopped");
}

/* -- state ---------------------------------------------------------------------------------------- */

const char *overlay_state_name(enum overlay_state s)
{
	switch (s) {
	case OVERLAY_STARTING:
		return "starting";
	case OVERLAY_READY:
		return "ready";
	case OVERLAY_DEGRADED:
		return "degraded";
	case OVERLAY_DOWN:
		return "down";
	}
	return "";
}

void overlay_get_status(struct overlay *o, struct overlay_status *ret_status)
{
	struct overlay_gate *g = &o->gate;

	pthread_mutex_lock(&g->status_lock);
	*ret_status = g->status;
	pthread_mutex_unlock(&g->status_lock);
	ret_status->dials_failed = atomic_load_explicit(&g->dials_failed, memory_order_relaxed);
	ret_status->dials = atomic_load_explicit(&g->dials, memory_order_relaxed);
	ret_status->dials_open = atomic_load_explicit(&g->dials_open, memory_order_relaxed);
	ret_status->listeners = atomic_load_explicit(&g->nlisteners, memory_order_relaxed);
}

struct value *overlay_describe(struct overlay *o)
{
	struct value *v = value_map();
	struct overlay_status st;

	overlay_get_status(o, &st);
	value_map_set(v, "id", value_cstring(o->id));
	value_map_set(v, "kind", value_cstring(o->driver->kind));
	value_map_set(v, "state", value_cstring(overlay_state_name(st.state)));
	value_map_set(v, "since", value_int(st.since_ms));
	if (st.reason[0])
		value_map_set(v, "reason", value_cstring(st.reason));
	if (st.address[0])
		value_map_set(v, "address", value_cstring(st.address));
	value_map_set(v, "dials", value_int((int64_t)st.dials));
	value_map_set(v, "dials_failed", value_int((int64_t)st.dials_failed));
	value_map_set(v, "dials_open", value_int(st.dials_open));
	value_map_set(v, "listeners", value_int(st.listeners));
	value_map_set(v, "listening", gate_describe_listeners(o));
	return v;
}

/* With tell_lock held. */
static void tell(struct overlay *o, bool is_moved)
{
	struct overlay_status now;

	if (!o->env || !o->env->changed || atomic_load(&o->gate.stopped))
		return;
	overlay_get_status(o, &now);
	now.is_moved = is_moved;
	o->env->changed(o->env->changed_arg, o, &now);
}

void overlay_tell(struct overlay *o)
{
	pthread_mutex_lock(&o->gate.tell_lock);
	tell(o, false);
	pthread_mutex_unlock(&o->gate.tell_lock);
}

static bool change_state(struct overlay_status *now, enum overlay_state s, const char *reason)
{
	if (now->state == s && strcmp(now->reason, reason) == 0)
		return false;
	if (now->state != s)
		now->since_ms = now_unix_ms();
	now->state = s;
	snprintf(now->reason, sizeof(now->reason), "%s", reason);
	return true;
}

void overlay_set_state(struct overlay *o, enum overlay_state s, const char *reason, ...)
{
	struct overlay_gate *g = &o->gate;
	char text[OVERLAY_REASON_MAX] = "";
	bool changed;
	va_list ap;

	if (reason) {
		va_start(ap, reason);
		vsnprintf(text, sizeof(text), reason, ap);
		va_end(ap);
	}
	/* Drivers without a session of their own come here once a dial: mostly there is nothing new. */
	if (!text[0] && atomic_load(&g->plain_state) == (int)s)
		return;
	pthread_mutex_lock(&g->tell_lock);
	pthread_mutex_lock(&g->status_lock);
	/* What a straggler of a stopped overlay says about it counts no more. */
	changed = (!atomic_load(&g->stopped) || s == OVERLAY_DOWN) && change_state(&g->status, s, text);
	if (changed)
		atomic_store(&g->plain_state, text[0] ? -1 : (int)s);
	pthread_mutex_unlock(&g->status_lock);
	if (changed)
		tell(o, false);
	pthread_mutex_unlock(&g->tell_lock);
}

void overlay_set_address(struct overlay *o, const char *address)
{
	struct overlay_gate *g = &o->gate;

	if (!address)
		address = "";
	pthread_mutex_lock(&g->tell_lock);
	pthread_mutex_lock(&g->status_lock);
	bool changed = strncmp(g->status.address, address, sizeof(g->status.address) - 1) != 0;

	if (changed)
		snprintf(g->status.address, sizeof(g->status.address), "%s", address);
	pthread_mutex_unlock(&g->status_lock);
	if (changed)
		tell(o, true);
	pthread_mutex_unlock(&g->tell_lock);
}
