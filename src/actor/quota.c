#include "actor/quota.h"

#include <stdlib.h>

#include "actor/worker.h"
#include "base/alloc.h"

void quota_begin(struct process *p)
{
	struct quota *q;

	if (!p->host || atomic_load_explicit(&p->host->mailbox_max, memory_order_relaxed) == 0)
		return;
	q = xmalloc(sizeof(*q));
	atomic_init(&q->count, 0);
	atomic_init(&q->nparked, 0);
	list_init(&q->parked);
	p->quota = q;
}

void quota_free(struct process *p)
{
	free(p->quota);
	p->quota = NULL;
}

/* The bound as it is now: the host's entry may have changed. 0: none. */
static unsigned bound(const struct process *p)
{
	return atomic_load_explicit(&p->host->mailbox_max, memory_order_relaxed);
}

void quota_note(struct process *p, struct message *m)
{
	if (!p->quota || m->type != MESSAGE_USER)
		return;
	m->counted = true;
	atomic_fetch_add(&p->quota->count, 1);
}

/* Count one more if there is room. */
static bool enter(struct process *p, struct message *m)
{
	unsigned max = bound(p);

	/* Added first, so that two senders cannot both take the last place. */
	if (max > 0 && atomic_fetch_add(&p->quota->count, 1) >= max) {
		atomic_fetch_sub(&p->quota->count, 1);
		return false;
	}
	if (max == 0)
		atomic_fetch_add(&p->quota->count, 1);
	m->counted = true;
	return true;
}

/* Post what waits as far as there is room. Under the lock of the process's worker; true when anything was posted. Whoever adds to the list and whoever makes room
 * both come here, so that one of them sees the other. */
static bool serve(struct process *p)
{
	struct quota *q = p->quota;
	bool any = false;

	while (!list_is_empty(&q->parked)) {
		struct parked *k = list_entry(q->parked.next, struct parked, link);
		struct message *m = k->message;

		if (!enter(p, m))
			break;
		list_remove(&k->link);
		atomic_fetch_sub(&q->nparked, 1);
		k->message = NULL;
		k->delivered = true;
		mailbox_post(&p->mailbox, m);
		loop_post(k->loop, &k->post);
		any = true;
	}
	return any;
}

void quota_free_place(struct process *p, struct message *m)
{
	struct worker *w = p->worker;

	if (!p->quota)
		return;
	m->counted = false;
	atomic_fetch_sub(&p->quota->count, 1);
	if (atomic_load(&p->quota->nparked) == 0)
		return;
	pthread_mutex_lock(&w->lock);
	/* The process may be in the middle of handing messages over: it comes round again. */
	if (serve(p) && !atomic_exchange_explicit(&p->posted, true, memory_order_acq_rel))
		loop_post(w->loop, &p->post);
	pthread_mutex_unlock(&w->lock);
}

void quota_close(struct process *p)
{
	struct worker *w = p->worker;
	struct list *l;

	if (!p->quota)
		return;
	pthread_mutex_lock(&w->lock);
	while ((l = list_pop_front(&p->quota->parked))) {
		struct parked *k = list_entry(l, struct parked, link);

		k->delivered = false;
		loop_post(k->loop, &k->post);
	}
	atomic_store(&p->quota->nparked, 0);
	pthread_mutex_unlock(&w->lock);
}

/* -- senders ----------------------------------------------------------------------------------------- */

/* Let the owner look at its mailbox; under the lock, or on its own worker. */
static void notify(struct worker *w, struct worker *here, struct process *p)
{
	if (w == here) {
		if (!p->running)
			worker_enqueue(w, p);
	} else if (!atomic_exchange_explicit(&p->posted, true, memory_order_acq_rel)) {
		loop_post(w->loop, &p->post);
	}
}

/* Nobody overtakes those who wait already. */
static bool offer_to(struct process *p, struct message *m)
{
	if (p->quota && (atomic_load(&p->quota->nparked) > 0 || !enter(p, m)))
		return false;
	mailbox_post(&p->mailbox, m);
	return true;
}

int process_offer(struct scheduler *s, struct pid to, struct message *m, struct err *e)
{
	struct worker *w = number_owner(s, to.number), *here = worker_current();
	struct process *p;
	int rc = -1;

	if (to.number == 0)
		return process_send(s, to, m, e);
	if (w != here)
		pthread_mutex_lock(&w->lock);
	p = process_find(w, to.number);
	if (p && process_pid(p).host == to.host) {
		rc = offer_to(p, m) ? 0 : 1;
		if (rc == 0)
			notify(w, here, p);
	}
	if (w != here)
		pthread_mutex_unlock(&w->lock);
	return rc < 0 ? process_send(s, to, m, e) : rc;
}

static void on_parked_post(struct loop_post *post)
{
	struct parked *k = container_of(post, struct parked, post);

	message_free(k->message);
	k->message = NULL;
	k->done(k);
}

int process_park(struct scheduler *s, struct pid to, struct message *m, struct parked *k, struct err *e)
{
	struct worker *w = number_owner(s, to.number), *here = worker_current();
	struct process *p;

	pthread_mutex_lock(&w->lock);
	p = process_find(w, to.number);
	if (!p || process_pid(p).host != to.host || !p->quota) {
		pthread_mutex_unlock(&w->lock);
		return process_send(s, to, m, e);
	}
	k->target = w;
	k->quota = p->quota;
	k->message = m;
	k->post.run = on_parked_post;
	list_push_back(&p->quota->parked, &k->link);
	atomic_fetch_add(&p->quota->nparked, 1);
	if (serve(p))
		notify(w, here, p);
	pthread_mutex_unlock(&w->lock);
	return 1;
}

bool parked_cancel(struct parked *k)
{
	struct worker *w = k->target;
	bool waiting;

	pthread_mutex_lock(&w->lock);
	waiting = list_is_linked(&k->link);
	list_remove(&k->link);
	if (waiting)
		atomic_fetch_sub(&k->quota->nparked, 1);
	pthread_mutex_unlock(&w->lock);
	if (waiting) {
		message_free(k->message);
		k->message = NULL;
	}
	return waiting;
}

int quota_full(struct scheduler *s, struct pid to, struct err *e)
{
	struct host *h = to.host ? hosts_get(s->hosts, to.host) : NULL;
	char text[PID_TEXT_MAX];

	err_set(e, ERR_RATE_LIMITED, "mailbox of %s is full: host %s lets %u messages wait (host.mailbox_size)",
		pid_format(to, text), to.host ? to.host : "", h ? atomic_load(&h->mailbox_max) : 0);
	host_unref(h);
	return err_retryable(e);
}
