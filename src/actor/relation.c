/*
 * Monitors and links: each side keeps its own half, and the halves tell each other.
 *
 * A link has two ends that both may make and break it, at once. So an unlink has an id, and until the peer says that it knows (UNLINKED), what the peer
 * asks meanwhile is void: its LINK was sent before it heard of ours. Linking again takes the unlink back on this side; what is still said about the old
 * one is then recognized by its id. Signals between two processes keep their order, so both halves agree once all have arrived. It is the link protocol
 * of the Erlang distribution since OTP 23.3 ("Link Protocol" in its manual erl_dist_protocol).
 */
#include <stdlib.h>
#include <string.h>

#include "actor/worker.h"
#include "base/alloc.h"

struct relation {
	struct pid peer;
	unsigned flags;
	uint32_t unlinking; /* id of the unlink that the peer may not know of yet; 0: none */
};

/* When a process that was asked to stop must have ended. */
struct deadline {
	struct loop_timer timer;
	struct process *process;
	struct failure *failure;
};

struct relations {
	struct number_map by_number;
	struct deadline *deadline; /* NULL: none */
};

/* -- relations --------------------------------------------------------------------------------------- */

static struct relation *relation_find(const struct process *p, struct pid peer)
{
	return p->relations ? number_map_get(&p->relations->by_number, peer.number) : NULL;
}

bool relation_has(const struct process *p, struct pid peer, unsigned flags)
{
	const struct relation *r = relation_find(p, peer);

	return r && (r->flags & flags);
}

static struct relations *relations_of(struct process *p)
{
	if (!p->relations)
		p->relations = xcalloc(1, sizeof(*p->relations));
	return p->relations;
}

void relation_add(struct process *p, struct pid peer, unsigned flags)
{
	struct relation *r = relation_find(p, peer);

	relations_of(p);
	if (!r) {
		r = xmalloc(sizeof(*r));
		*r = (struct relation){.peer = peer};
		number_map_set(&p->relations->by_number, peer.number, r);
	}
	r->flags |= flags;
}

/* Is nothing of it left? */
static void drop_empty(struct process *p, struct relation *r)
{
	if (r->flags == 0 && r->unlinking == 0)
		free(number_map_remove(&p->relations->by_number, r->peer.number));
}

void relation_remove(struct process *p, struct pid peer, unsigned flags)
{
	struct relation *r = relation_find(p, peer);

	if (!r)
		return;
	r->flags &= ~flags;
	drop_empty(p, r);
}

bool relations_linked(const struct process *p)
{
	void *r;

	if (!p->relations)
		return false;
	for (size_t i = 0; number_map_next(&p->relations->by_number, &i, &r);)
		if (((const struct relation *)r)->flags & RELATION_LINKED)
			return true;
	return false;
}

bool relations_monitored(const struct process *p)
{
	void *r;

	if (!p->relations)
		return false;
	for (size_t i = 0; number_map_next(&p->relations->by_number, &i, &r);)
		if (((const struct relation *)r)->flags & RELATION_MONITORED)
			return true;
	return false;
}

static void deadline_free(struct deadline *d)
{
	if (!d)
		return;
	loop_timer_stop(&d->timer);
	failure_unref(d->failure);
	free(d);
}

void relations_free(struct process *p)
{
	void *r;

	if (!p->relations)
		return;
	for (size_t i = 0; number_map_next(&p->relations->by_number, &i, &r);)
		free(r);
	number_map_done(&p->relations->by_number);
	deadline_free(p->relations->deadline);
	free(p->relations);
	p->relations = NULL;
}

/* -- telling the other side -------------------------------------------------------------------------- */

static int send_signal(struct scheduler *s, enum message_type type, struct pid from, struct pid to, struct err *e)
{
	return process_send(s, to, message_new_signal(type, from, NULL, NULL), e);
}

/* -- monitors and links ------------------------------------------------------------------------------ */

int process_monitor(struct process *self, struct pid target, struct err *e)
{
	if (relation_has(self, target, RELATION_MONITORS))
		return err_set(e, ERR_INTERNAL, "already monitoring pid");
	if (send_signal(self->worker->sched, MESSAGE_MONITOR, process_pid(self), target, e) < 0)
		return err_set(e, ERR_INTERNAL, "pid not registered");
	relation_add(self, target, RELATION_MONITORS);
	return 0;
}

void process_unmonitor(struct process *self, struct pid target)
{
	if (!relation_has(self, target, RELATION_MONITORS))
		return;
	relation_remove(self, target, RELATION_MONITORS);
	send_signal(self->worker->sched, MESSAGE_UNMONITOR, process_pid(self), target, NULL);
}

/* There is no peer any more. */
static void forget_link(struct process *p, struct pid peer)
{
	struct relation *r = relation_find(p, peer);

	if (!r)
		return;
	r->unlinking = 0;
	relation_remove(p, peer, RELATION_LINKED);
}

/* `id` 0: because the sender has ended. */
static int send_unlink(struct process *p, enum message_type type, struct pid to, uint32_t id)
{
	struct message *m = message_new_signal(type, process_pid(p), NULL, NULL);

	m->unlink_id = id;
	return process_send(p->worker->sched, to, m, NULL);
}

int process_link(struct process *self, struct pid target, struct err *e)
{
	if (relation_has(self, target, RELATION_LINKED))
		return 0;
	if (send_signal(self->worker->sched, MESSAGE_LINK, process_pid(self), target, e) < 0) {
		forget_link(self, target);
		return err_set(e, ERR_INTERNAL, "pid not registered");
	}
	relation_add(self, target, RELATION_LINKED);
	relation_find(self, target)->unlinking = 0;
	return 0;
}

void process_unlink(struct process *self, struct pid target)
{
	struct worker *w = self->worker;
	struct relation *r = relation_find(self, target);

	if (!r || !(r->flags & RELATION_LINKED))
		return;
	if (++w->last_unlink == 0)
		w->last_unlink = 1;
	if (send_unlink(self, MESSAGE_UNLINK, target, w->last_unlink) == 0)
		r->unlinking = w->last_unlink;
	relation_remove(self, target, RELATION_LINKED);
}

static void send_end(
	struct process *p, enum message_type type, struct pid to, struct packed *value, struct failure *failure)
{
	struct message *m = message_new_signal(type, process_pid(p), packed_ref(value), failure_keep(failure));

	process_send(p->worker->sched, to, m, NULL);
}

/* A signal to a child that another worker is about to make: it was asked to by a post of this thread, so what is posted now finds the child there. */
struct late_signal {
	struct pid to;
	struct message *message;
};

static void send_late(struct worker *w, void *arg)
{
	struct late_signal *late = arg;

	process_send(w->sched, late->to, late->message, NULL);
	free(late);
}

static void send_to_unborn(struct process *p, struct pid to, enum message_type type, struct failure *failure)
{
	struct late_signal *late = xmalloc(sizeof(*late));

	*late = (struct late_signal){to, message_new_signal(type, process_pid(p), NULL, failure_keep(failure))};
	worker_run_later(number_owner(p->worker->sched, to.number), send_late, late);
}

void relations_announce(struct process *p, struct packed *value, struct failure *failure)
{
	void *v;

	if (!p->relations)
		return;
	/* All EXITs come before the first LINK_DOWN. */
	for (size_t i = 0; number_map_next(&p->relations->by_number, &i, &v);) {
		const struct relation *r = v;

		if (r->flags & RELATION_MONITORED)
			send_end(p, MESSAGE_EXIT, r->peer, value, failure);
		if ((r->flags & RELATION_MONITORS) && (r->flags & RELATION_SPAWNING))
			send_to_unborn(p, r->peer, MESSAGE_UNMONITOR, NULL);
		else if (r->flags & RELATION_MONITORS)
			send_signal(p->worker->sched, MESSAGE_UNMONITOR, process_pid(p), r->peer, NULL);
	}
	for (size_t i = 0; number_map_next(&p->relations->by_number, &i, &v);) {
		const struct relation *r = v;

		if (!(r->flags & RELATION_LINKED))
			continue;
		if (r->flags & RELATION_SPAWNING)
			send_to_unborn(p, r->peer, failure ? MESSAGE_LINK_DOWN : MESSAGE_UNLINK, failure);
		else if (failure)
			send_end(p, MESSAGE_LINK_DOWN, r->peer, NULL, failure);
		else
			send_unlink(p, MESSAGE_UNLINK, r->peer, 0);
	}
}

void signal_refuse(struct process *p, struct message *m, struct packed *value, struct failure *failure)
{
	if (m->type == MESSAGE_MONITOR)
		send_end(p, MESSAGE_EXIT, m->from, value, failure);
	else if (m->type == MESSAGE_LINK && failure)
		send_end(p, MESSAGE_LINK_DOWN, m->from, NULL, failure);
	else if (m->type == MESSAGE_LINK)
		send_unlink(p, MESSAGE_UNLINK, m->from, 0);
	else if (m->type == MESSAGE_UNLINK && m->unlink_id != 0)
		send_unlink(p, MESSAGE_UNLINKED, m->from, m->unlink_id);
	message_free(m);
}

void relation_accept_link(struct process *p, struct pid peer)
{
	const struct relation *r = relation_find(p, peer);

	/* Asked before our unlink arrived there, which undoes it. */
	if (r && r->unlinking)
		return;
	relation_add(p, peer, RELATION_LINKED);
}

void relation_accept_unlink(struct process *p, struct pid peer, uint32_t id)
{
	if (id == 0) {
		forget_link(p, peer);
		return;
	}
	relation_remove(p, peer, RELATION_LINKED);
	send_unlink(p, MESSAGE_UNLINKED, peer, id);
}

void relation_unlink_acknowledged(struct process *p, struct pid peer, uint32_t id)
{
	struct relation *r = relation_find(p, peer);

	if (!r || r->unlinking != id)
		return;
	r->unlinking = 0;
	drop_empty(p, r);
}

bool relation_link_down(struct process *p, const struct message *m)
{
	static const char text[] = "linked process failed";
	bool linked = relation_has(p, m->from, RELATION_LINKED);
	struct failure *f;

	forget_link(p, m->from);
	if (!linked)
		return false;
	if (p->trap_links)
		return true;
	f = failure_new("Internal", ERR_RETRY_UNKNOWN, text, strlen(text), NULL, NULL, NULL);
	p->aborted = true;
	process_fail(p, f);
	failure_unref(f);
	return false;
}

/* -- deadlines --------------------------------------------------------------------------------------- */

static void on_deadline(struct loop_timer *t)
{
	struct deadline *d = container_of(t, struct deadline, timer);

	process_abort(d->process, failure_ref(d->failure));
}

/* Of several deadlines the earliest holds. */
void relations_set_deadline(struct process *p, uint64_t after_ns, struct failure *failure)
{
	struct relations *r = relations_of(p);
	struct deadline *d = r->deadline;
	uint64_t due = loop_clock_ns() + after_ns;

	if (d && d->timer.due_ns <= due)
		return;
	deadline_free(d);
	d = xcalloc(1, sizeof(*d));
	d->process = p;
	d->failure = failure_ref(failure);
	loop_timer_init(&d->timer, p->worker->loop, on_deadline);
	loop_timer_start_at(&d->timer, due);
	r->deadline = d;
}
