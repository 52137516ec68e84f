/*
 * upgrade.c - a process that replaces its own code: the old instance goes. Pid, names, groups, relations, a deadline, frame and unread messages stay.
 */
#include <stdlib.h>

#include "actor/worker.h"
#include "base/alloc.h"

struct upgrade {
	struct program *program; /* NULL: none of that name */
	struct packed *args;
};

void process_upgrade(struct process *self, struct program *program, struct packed *args)
{
	struct upgrade *u;

	if (!self->host || self->upgrade) {
		packed_unref(args);
	} else {
		u = xmalloc(sizeof(*u));
		u->program = program_ref(program);
		u->args = args;
		self->upgrade = u;
	}
	task_leave(&self->task);
}

void process_drop_upgrade(struct process *p)
{
	struct upgrade *u = p->upgrade;

	p->upgrade = NULL;
	if (!u)
		return;
	program_unref(u->program);
	packed_unref(u->args);
	free(u);
}

static void fail(struct process *p, struct err *e)
{
	struct failure *f = failure_from_err(e);

	process_drop_upgrade(p);
	process_retire(p, NULL, f);
	failure_unref(f);
}

/* Timers, streams, coroutines and channels of the old code end; what they had not received waits for the new one. */
static void take_apart(struct process *p)
{
	if (p->inbox)
		p->worker->sched->hooks.release(p);
	resources_release_passing(&p->resources);
	task_done(&p->task);
	if (p->inbox) {
		inbox_reclaim(p->inbox, &p->queue);
		inbox_done(p->inbox);
		p->inbox = NULL;
	}
	p->trap_links = false;
}

void process_begin_anew(struct process *p)
{
	struct upgrade *u = p->upgrade;
	struct worker *w = p->worker;
	struct instance *in, *old = p->task.instance;
	struct err e;
	int rc;

	take_apart(p);
	if (!u->program) {
		err_set(&e, ERR_INTERNAL, "upgrade: no factory");
		fail(p, &e);
		return;
	}
	w->beginning = p;
	rc = worker_make_instance(w, u->program->code, p->frame, &in, &e);
	w->beginning = NULL;
	if (rc < 0 && atomic_load_explicit(&p->doomed, memory_order_relaxed)) {
		process_drop_upgrade(p);
		process_abort(p, failure_terminated());
		return;
	}
	if (rc < 0) {
		err_prefix(&e, "upgrade: create failed");
		fail(p, &e);
		return;
	}
	worker_drop_instance(w, old);
	program_unref(p->program);
	p->program = program_ref(u->program);
	p->task = (struct task){.ops = &process_task_ops};
	if (task_init(&p->task, &process_task_ops, in, NULL, u->args, &e) < 0) {
		err_prefix(&e, "upgrade: init failed");
		fail(p, &e);
		return;
	}
	instance_drop_export(in);
	process_drop_upgrade(p);
	worker_enqueue(w, p);
}
