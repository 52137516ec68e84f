#include "actor/native.h"

#include <stdlib.h>

#include "actor/quota.h"
#include "actor/worker.h"
#include "base/alloc.h"

/* Messages of one process before others have their turn. */
enum { BUDGET_MESSAGES = 64 };

struct native {
	const struct native_ops *ops;
	void *arg;
	bool paused;
	bool canceled; /* a MESSAGE_CANCEL waits */
};

struct process *native_spawn(const struct native_spec *spec, struct err *e)
{
	struct worker *w = worker_current();
	struct process *p;

	if (w->closing)
		return err_set(e, ERR_UNAVAILABLE, "host is shutting down"), NULL;
	if (host_check_running(spec->host, e) < 0 || host_enter(spec->host, e) < 0)
		return NULL;
	p = process_alloc(w);
	p->native = xmalloc(sizeof(*p->native));
	*p->native = (struct native){.ops = spec->ops, .arg = spec->arg};
	p->program = program_ref(spec->source);
	p->host = host_ref(spec->host);
	p->number = worker_take_number(w);
	p->ended = spec->ops->ended;
	p->ended_arg = spec->arg;
	quota_begin(p);
	process_publish(p, NULL);
	return p;
}

void native_end(struct process *p, struct packed *value)
{
	process_retire(p, value, NULL);
}

void native_pause(struct process *p)
{
	p->native->paused = true;
}

void native_resume(struct process *p)
{
	if (!p->native->paused)
		return;
	p->native->paused = false;
	worker_enqueue(p->worker, p);
}

void native_fail(struct process *p, struct failure *f)
{
	if (p->dead || p->task.failure)
		return;
	/* Not here and now: its mailbox may be in the middle of being drained. */
	p->task.failure = failure_ref(f);
	worker_enqueue(p->worker, p);
}

void native_arrived(struct process *p, const struct message *m)
{
	p->native->canceled |= m->type == MESSAGE_CANCEL;
}

static struct message *take_cancel(struct message_queue *q)
{
	struct message *before = NULL, *m = q->head;

	for (; m->type != MESSAGE_CANCEL; m = m->next)
		before = m;
	if (!before)
		return message_queue_pop(q);
	before->next = m->next;
	if (q->tail == m)
		q->tail = before;
	return m;
}

static struct message *next_message(struct process *p)
{
	if (p->native->canceled) {
		p->native->canceled = false;
		return take_cancel(&p->queue);
	}
	return p->native->paused ? NULL : message_queue_pop(&p->queue);
}

void native_step(struct process *p)
{
	const struct native_ops *ops = p->native->ops;
	struct message *m;

	for (unsigned n = 0; n < BUDGET_MESSAGES && !p->dead; n++) {
		process_drain(p);
		if (p->task.failure) {
			process_retire(p, NULL, p->task.failure);
			return;
		}
		m = next_message(p);
		if (!m)
			return;
		quota_received(p, m);
		ops->receive(p->native->arg, m);
	}
	if (!p->dead)
		worker_enqueue(p->worker, p);
}

void native_free(struct process *p)
{
	packed_unref(p->task.result);
	failure_unref(p->task.failure);
	p->task.result = NULL;
	p->task.failure = NULL;
	free(p->native);
	p->native = NULL;
}
