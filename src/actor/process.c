#include "actor/process.h"

#include <assert.h>
#include <stdlib.h>

#include "actor/crash.h"
#include "actor/quota.h"
#include "actor/worker.h"
#include "base/alloc.h"
#include "base/log.h"

/* Coroutine resumes of one process before others have their turn. */
enum { BUDGET_RESUMES = 64 };

struct pid process_pid(const struct process *p)
{
	return (struct pid){p->host ? p->host->id : p->program->id, p->number};
}

struct process *process_find(struct worker *w, uint64_t number)
{
	return number_map_get(&w->processes, number);
}

uint64_t worker_take_number(struct worker *w)
{
	uint64_t n = atomic_fetch_add_explicit(&w->next_number, 1, memory_order_relaxed);

	/* 0 is the system's; the others are shared out so that number % workers is the owner. */
	return (n + (w->index == 0)) * w->sched->nworkers + w->index;
}

/* -- life -------------------------------------------------------------------------------------------- */

static void process_notice_post(struct loop_post *post);

struct process *process_alloc(struct worker *w)
{
	struct process *p = pool_alloc(&w->pool, sizeof(*p));

	*p = (struct process){.worker = w, .post.run = process_notice_post};
	mailbox_init(&p->mailbox);
	atomic_init(&p->posted, false);
	atomic_init(&p->named, false);
	atomic_init(&p->doomed, false);
	list_init(&p->run_link);
	p->task.ops = &process_task_ops;
	return p;
}

void process_free(struct process *p)
{
	pool_release(&p->worker->pool, p, sizeof(*p));
}

/* Only the owner writes. */
static void count_processes(struct worker *w, int more)
{
	unsigned n = atomic_load_explicit(&w->nprocesses, memory_order_relaxed);

	atomic_store_explicit(&w->nprocesses, n + (unsigned)more, memory_order_relaxed);
}

void process_publish(struct process *p, struct spawn *s)
{
	struct worker *w = p->worker;
	struct message *m;

	pthread_mutex_lock(&w->lock);
	if (s && number_map_remove(&w->unborn, p->number)) {
		/* Until now others could still add to these. */
		atomic_store_explicit(&p->named, s->named, memory_order_relaxed);
		while ((m = message_queue_pop(&s->first)))
			mailbox_post(&p->mailbox, m);
	}
	number_map_set(&w->processes, p->number, p);
	pthread_mutex_unlock(&w->lock);
	count_processes(w, 1);
	if (p->host && p->host->hide_logs)
		log_mute(1);
	worker_enqueue(w, p);
}

static void release_parts(struct process *p)
{
	relations_free(p);
	quota_free(p);
	process_drop_upgrade(p);
	if (p->inbox)
		inbox_done(p->inbox);
	message_queue_clear(&p->queue);
	mailbox_done(&p->mailbox);
	frame_unref(p->frame);
	terminal_unref(p->terminal);
	program_unref(p->program);
	host_unref(p->host);
}

void process_discard(struct process *p)
{
	if (p->task.instance) {
		struct instance *in = p->task.instance;

		task_done(&p->task);
		worker_drop_instance(p->worker, in);
	}
	release_parts(p);
	process_free(p);
}

/* An end with an error nobody else is told of. */
void process_report_end(const struct process *p, const struct failure *f)
{
	char starter[PID_TEXT_MAX] = "";

	if (!f || p->aborted || !p->host || p->ended || relations_monitored(p))
		return;
	if (p->parent.number != 0)
		pid_format(p->parent, starter);
	crash_log(LOG_ERROR, &(struct crash){.entry = p->program->id,
				     .pid = process_pid(p),
				     .actor = p->frame->actor ? identity_id(p->frame->actor) : NULL,
				     .starter = starter,
				     .starter_entry = p->parent_entry,
				     .failure = f});
}

void process_retire(struct process *p, struct packed *value, struct failure *failure)
{
	struct worker *w = p->worker;
	struct message_queue late = {0};
	struct message *m;

	if (p->dead)
		return;
	p->dead = true;
	process_report_end(p, failure);
	if (p->queued) {
		list_remove(&p->run_link);
		p->queued = false;
		w->queued--;
	}
	pthread_mutex_lock(&w->lock);
	number_map_remove(&w->processes, p->number);
	pthread_mutex_unlock(&w->lock);
	if (atomic_load_explicit(&p->named, memory_order_relaxed))
		names_release(w->sched->names, process_pid(p));
	if (p->host)
		host_free_place(p->host);
	quota_close(p);
	relations_announce(p, value, failure);
	/* Nobody can reach the mailbox any more; who asked to watch just before is answered now. */
	mailbox_take_all(&p->mailbox, &late);
	while ((m = message_queue_pop(&late)))
		signal_refuse(p, m, value, failure);
	/* The task keeps what the end hook is to see. */
	if (value != p->task.result) {
		packed_unref(p->task.result);
		p->task.result = packed_ref(value);
	}
	if (failure != p->task.failure) {
		failure_unref(p->task.failure);
		p->task.failure = failure_keep(failure);
	}
	list_push_back(&w->reap, &p->run_link);
	if (!w->running)
		loop_wake(w->loop);
}

static void reap_one(struct worker *w, struct process *p)
{
	struct process_end end = {.pid = process_pid(p),
		.value = packed_ref(p->task.result),
		.failure = failure_keep(p->task.failure),
		.uncaught = p->task.uncaught};
	struct instance *in = p->task.instance;
	struct host *host = p->host;
	process_ended_fn *ended = p->ended;
	void *ended_arg = p->ended_arg;

	if (p->inbox)
		w->sched->hooks.release(p);
	resources_release(&p->resources);
	if (p->native) {
		native_free(p);
	} else {
		task_done(&p->task);
		if (p->program->type == PROGRAM_FUNCTION && !host)
			call_pool_put(w, p->program, in);
		else
			worker_drop_instance(w, in);
	}
	count_processes(w, -1);
	if (ended)
		ended(ended_arg, &end);
	if (host && host->hide_logs)
		log_mute(-1);
	if (host)
		host_leave(host);
	release_parts(p);
	packed_unref(end.value);
	failure_unref(end.failure);
	/* A post on its way still points here. */
	if (atomic_load_explicit(&p->posted, memory_order_acquire))
		p->task.instance = NULL;
	else
		process_free(p);
}

void worker_reap(struct worker *w)
{
	struct list *l;

	/* One by one, not recursively: ending a caller ends its calls, which lengthens the list. */
	while ((l = list_pop_front(&w->reap)))
		reap_one(w, container_of(l, struct process, run_link));
}

void process_fail(struct process *p, struct failure *f)
{
	if (p->native)
		native_fail(p, f);
	else
		task_fail(&p->task, f);
}

void process_abort(struct process *p, struct failure *f)
{
	if (p->dead) {
		failure_unref(f);
		return;
	}
	p->aborted = true;
	if (p->running)
		process_fail(p, f);
	else
		process_retire(p, NULL, f);
	failure_unref(f);
}

/* -- running ----------------------------------------------------------------------------------------- */

static void process_wake(struct process *p)
{
	worker_enqueue(p->worker, p);
}

static void process_notice_post(struct loop_post *post)
{
	struct process *p = container_of(post, struct process, post);

	/* Cleared before looking at the mailbox: a later message posts again. */
	atomic_store_explicit(&p->posted, false, memory_order_release);
	if (p->dead) {
		/* Still to be reaped (then that frees it), or waiting for this post only. */
		if (!list_is_linked(&p->run_link))
			process_free(p);
		return;
	}
	worker_enqueue(p->worker, p);
}

/* A message for Lua, next in the order of arrival. */
static void accept(struct process *p, struct message *m)
{
	m->order = p->next_order++;
	if (p->native)
		native_arrived(p, m);
	if (p->inbox)
		inbox_route(p->inbox, m);
	else
		message_queue_push(&p->queue, m);
}

void process_post_here(struct process *p, struct message *m)
{
	/* What waits in the mailbox came before, also where another worker posted it and told us so. */
	if (m->type == MESSAGE_USER && mailbox_is_empty(&p->mailbox))
		accept(p, m);
	else
		mailbox_post(&p->mailbox, m);
}

bool process_send_here(struct process *self, struct pid to, struct message *m)
{
	struct worker *w = self->worker;
	struct process *p = number_map_get(&w->processes, to.number);

	if (!p || p->quota || process_pid(p).host != to.host)
		return false;
	process_post_here(p, m);
	if (!p->running)
		worker_enqueue(w, p);
	return true;
}

void process_take_mail(struct process *p)
{
	struct message_queue q = {0};
	struct message *m;

	mailbox_take_all(&p->mailbox, &q);
	while ((m = message_queue_pop(&q))) {
		if (signal_handle(p, m))
			accept(p, m);
	}
}

static void on_deliver(struct task *t)
{
	struct process *p = process_of_task(t);

	process_drain(p);
	if (p->inbox)
		p->worker->sched->hooks.deliver(p);
}

static bool on_supply(struct task *t, struct lua_State *L, struct channel *ch)
{
	struct process *p = process_of_task(t);

	process_drain(p);
	if (!p->inbox || t->killed)
		return false;
	return p->worker->sched->hooks.supply(p, L, ch);
}

static void on_wake(struct task *t)
{
	process_wake(process_of_task(t));
}

static bool on_may_be_woken(struct task *t)
{
	/* An opened inbox holds its channels, which the task counts by itself. Beyond that only the end of a linked process can change anything. */
	return relations_linked(process_of_task(t));
}

const struct task_ops process_task_ops = {
	.wake = on_wake,
	.may_be_woken = on_may_be_woken,
	.deliver = on_deliver,
	.supply = on_supply,
};

/* Only the owner writes, so no atomic addition is needed. */
static void begin_epoch(struct worker *w)
{
	atomic_store_explicit(
		&w->epoch, atomic_load_explicit(&w->epoch, memory_order_relaxed) + 1, memory_order_relaxed);
}

void process_step(struct process *p)
{
	struct worker *w = p->worker;
	enum task_status st;

	p->queued = false;
	if (p->native) {
		native_step(p);
		return;
	}
	p->running = true;
	w->running = p;
	w->heap = instance_heap(p->task.instance);
	begin_epoch(w);
	st = task_run(&p->task, BUDGET_RESUMES);
	begin_epoch(w);
	w->heap = NULL;
	w->running = NULL;
	p->running = false;
	switch (st) {
	case TASK_READY:
		worker_enqueue(w, p);
		break;
	case TASK_WAITING:
		break;
	case TASK_DONE:
		if (p->upgrade) {
			process_begin_anew(p);
			break;
		}
		process_retire(p, task_result(&p->task), NULL);
		break;
	case TASK_FAILED:
		process_retire(p, NULL, task_failure(&p->task));
		break;
	}
}

struct inbox *process_open_inbox(struct process *p)
{
	if (!p->inbox) {
		p->inbox = &p->own_inbox;
		inbox_init(p->inbox);
		inbox_route_all(p->inbox, &p->queue);
	}
	return p->inbox;
}
