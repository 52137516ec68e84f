/*
 * schedule_entry.h - the entry of a random schedule: the instances that stand for it, one after the other, and what they tell of their states. Control thread, but for the
 * telling.
 */
#ifndef SCHEDULE_ENTRY_H
#define SCHEDULE_ENTRY_H

#include "schedule_world.h"

/* What happened in all of them: a test in which nothing happens shows nothing. */
static struct {
	unsigned long dials, connected, failed, canceled, streams, readies, visits, listen_failures, swaps, deaths,
		faults[FAULTS];
	uint64_t virtual_ns;
	unsigned long states[OVERLAY_DOWN + 1];
} total;

/* -- instances ---------------------------------------------------------------------------------------- */

/* Any thread. */
static void on_changed(void *arg, struct overlay *o, const struct overlay_status *told)
{
	struct world *w = arg;
	struct instance *in = NULL;

	pthread_mutex_lock(&w->lock);
	for (unsigned i = 0; i < w->ninstances && !in; i++) {
		if (w->instances[i].generation == overlay_generation(o))
			in = &w->instances[i];
	}
	CHECK(in, "an unknown instance tells its state");
	CHECK(!in->stopped, "an instance that was stopped tells its state: %s '%s'", overlay_state_name(told->state),
		told->reason);
	CHECK(!in->told_any || in->state != told->state || strcmp(in->reason, told->reason) != 0 ||
			strcmp(in->address, told->address) != 0,
		"told twice: %s '%s'", overlay_state_name(told->state), told->reason);
	CHECK(in->state == told->state || w->protocol->may_follow(in->state, told->state, in->was_ready),
		"%s '%s' follows on %s '%s'", overlay_state_name(told->state), told->reason,
		overlay_state_name(in->state), in->reason);
	in->told_any = true;
	in->state = told->state;
	in->was_ready |= told->state == OVERLAY_READY;
	snprintf(in->reason, sizeof(in->reason), "%s", told->reason);
	snprintf(in->address, sizeof(in->address), "%s", told->address);
	total.states[told->state]++;
	pthread_mutex_unlock(&w->lock);
	if (told->reason[0])
		check_sentence("a state's reason", told->reason);
	CHECK(told->reason[0] || told->state == OVERLAY_READY || told->state == OVERLAY_STARTING, "%s without a reason",
		overlay_state_name(told->state));
}

static void instance_stop(struct instance *in)
{
	struct overlay_status st;

	if (in->stopped)
		return;
	loop_timer_stop(&in->drain);
	overlay_stop(in->overlay);
	pthread_mutex_lock(&in->world->lock);
	in->stopped = true;
	pthread_mutex_unlock(&in->world->lock);
	overlay_get_status(in->overlay, &st);
	CHECK(st.state == OVERLAY_DOWN, "stopped, but %s", overlay_state_name(st.state));
	check_sentence("the reason of a stop", st.reason);
}

static void on_drained(struct loop_timer *t)
{
	instance_stop(container_of(t, struct instance, drain));
}

/* Open and start; false when that failed, which leaves nothing behind. */
static bool instance_start(struct world *w, unsigned peer)
{
	static const enum isolation kinds[] = {
		ISOLATION_NONE, ISOLATION_DIAL, ISOLATION_PROCESS, ISOLATION_HOST, ISOLATION_NAME};
	struct instance *in = &w->instances[w->ninstances];
	struct value *data;
	struct err e;

	*in = (struct instance){.world = w, .peer = peer, .isolation = kinds[below(&w->chance, ARRAY_LEN(kinds))]};
	data = w->protocol->entry(&w->peers[peer], in->isolation);
	CHECK(overlay_open(w->protocol->driver, &w->env, "app:net", data, &in->overlay, &e) == 0, "%s", e.text);
	value_unref(data);
	in->generation = overlay_generation(in->overlay);
	loop_timer_init(&in->drain, w->loop, on_drained);
	pthread_mutex_lock(&w->lock);
	w->ninstances++;
	pthread_mutex_unlock(&w->lock);
	if (overlay_start(in->overlay, &e) == 0)
		return true;
	check_sentence("the error of a start", e.text);
	pthread_mutex_lock(&w->lock);
	in->stopped = true;
	pthread_mutex_unlock(&w->lock);
	return false;
}

static struct instance *current(struct world *w)
{
	struct overlay *o = overlay_set_get(w->set, "app:net");
	struct instance *in = NULL;

	for (unsigned i = 0; o && i < w->ninstances; i++) {
		if (w->instances[i].overlay == o)
			in = &w->instances[i];
	}
	overlay_unref(o);
	return in;
}

static void retire(struct world *w, struct instance *old)
{
	if (!old)
		return;
	if (overlay_is_exclusive(old->overlay))
		instance_stop(old);
	else
		loop_timer_start_ms(&old->drain, some_ms(&w->chance, 40000));
}

static void swap(struct world *w)
{
	struct instance *old = current(w), *fresh;

	total.swaps++;
	if (!instance_start(w, below(&w->chance, PEERS)))
		return; /* what was goes on */
	fresh = &w->instances[w->ninstances - 1];
	overlay_set_put(w->set, overlay_ref(fresh->overlay));
	retire(w, old);
	pthread_mutex_lock(&w->lock);
	fresh->told_any = false; /* it is asked for */
	pthread_mutex_unlock(&w->lock);
	overlay_tell(fresh->overlay);
}

static void remove_entry(struct world *w)
{
	struct instance *old = current(w);

	overlay_set_remove(w->set, "app:net");
	retire(w, old);
}

#endif
