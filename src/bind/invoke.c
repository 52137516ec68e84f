#include "bind/invoke.h"

#include <stdlib.h>
#include <string.h>

#include "actor/call_spread.h"
#include "base/alloc.h"
#include "bind/retry.h"

/* -- a process called like a function ---------------------------------------------------------------- */

/* Belongs to the spawn and then to the process: freed when the end of that is known here. */
struct process_call {
	struct worker *worker;
	struct invoke *owner; /* NULL: nobody waits any more */
	struct pid pid;       /* number 0: not spawned yet */
	bool cancel;
	struct packed *value;
	struct failure *failure;
	struct loop_post post;
};

struct invoke {
	struct worker *worker;
	struct program *program;
	struct frame *frame;
	struct packed *args;
	struct pid caller;
	const char *caller_entry;
	struct exchange *exchange;
	struct retry retry;
	unsigned attempts;
	struct loop_timer timer; /* until the next attempt */
	/* Of the attempt under way, one of these: */
	struct call *call;
	struct remote_call *remote;
	struct process_call *process;
	call_done_fn *done;
	void *arg;
};

static void attempt_over(struct invoke *v, struct packed *value, struct failure *f);

static void process_call_over(struct loop_post *post)
{
	struct process_call *pc = container_of(post, struct process_call, post);

	if (pc->owner) {
		pc->owner->process = NULL;
		attempt_over(pc->owner, pc->value, pc->failure);
	}
	packed_unref(pc->value);
	failure_unref(pc->failure);
	free(pc);
}

static void post_over(struct process_call *pc)
{
	pc->post.run = process_call_over;
	loop_post(worker_loop(pc->worker), &pc->post);
}

/* On the worker of the process. Nobody looks at the result before the post arrives. */
static void process_call_ended(void *arg, const struct process_end *end)
{
	struct process_call *pc = arg;

	pc->value = packed_ref(end->value);
	pc->failure = failure_keep(end->failure);
	post_over(pc);
}

static void tell_to_stop(struct process_call *pc)
{
	static const char reason[] = "caller context canceled";

	pc->cancel = true;
	if (pc->pid.number != 0)
		process_cancel(worker_scheduler(pc->worker), pid_system, pc->pid, reason, strlen(reason), NULL);
}

static void fail_start(struct process_call *pc, struct err *e)
{
	err_prefix(e, "failed to start process");
	e->kind = ERR_INTERNAL;
	pc->failure = failure_from_err(e);
	post_over(pc);
}

static void process_call_spawned(struct spawn *s)
{
	struct process_call *pc = s->done_arg;

	if (s->failed) {
		fail_start(pc, &s->err);
	} else {
		pc->pid = s->pid;
		if (pc->cancel)
			tell_to_stop(pc);
	}
	spawn_free(s);
}

static void process_call_start(struct invoke *v)
{
	struct process_call *pc = xcalloc(1, sizeof(*pc));
	struct scheduler *sched = worker_scheduler(v->worker);
	struct spawn *s = spawn_new();
	struct worker *there;

	v->process = pc;
	pc->worker = v->worker;
	pc->owner = v;
	s->host = hosts_get(scheduler_hosts(sched), v->program->default_host);
	if (!s->host) {
		struct err e;

		err_set(&e, ERR_NOT_FOUND, "host not found: %s", v->program->default_host);
		fail_start(pc, &e);
		spawn_free(s);
		return;
	}
	s->program = program_ref(v->program);
	s->frame = frame_ref(v->frame);
	s->args = packed_ref(v->args);
	s->parent = v->caller;
	s->parent_entry = v->caller_entry;
	s->ended = process_call_ended;
	s->ended_arg = pc;
	s->reply_loop = worker_loop(v->worker);
	s->done = process_call_spawned;
	s->done_arg = pc;
	there = spawn_place(sched, v->worker, s);
	if (there == v->worker) {
		spawn_run(there, s);
		process_call_spawned(s);
	} else {
		spawn_start(there, s);
	}
}

/* -- attempts ---------------------------------------------------------------------------------------- */

static void invoke_free(struct invoke *v)
{
	loop_timer_stop(&v->timer);
	retry_done(&v->retry);
	program_unref(v->program);
	frame_unref(v->frame);
	packed_unref(v->args);
	free(v);
}

static void call_over(void *arg, struct packed *value, struct failure *f)
{
	struct invoke *v = arg;

	v->call = NULL;
	v->remote = NULL;
	attempt_over(v, value, f);
}

/* Here or, if here is enough to do, on another worker: one of the two results is set. */
static int start_function(struct worker *w, struct program *program, struct frame *frame, struct packed *args,
	struct exchange *x, call_done_fn *done, void *arg, struct call **ret_call, struct remote_call **ret_remote,
	struct err *e)
{
	struct worker *there = x ? w : call_place(w, program);

	if (x) {
		int rc = call_start_current(w, program, frame, args, done, arg, ret_call, e);

		if (rc == 0)
			call_attach(*ret_call, x);
		return rc;
	}

	if (there == w)
		return call_start_current(w, program, frame, args, done, arg, ret_call, e);
	*ret_remote = remote_call_start(w, there, program, frame, args, done, arg);
	return 0;
}

static int attempt(struct invoke *v, struct err *e)
{
	v->attempts++;
	if (v->program->type == PROGRAM_FUNCTION)
		return start_function(
			v->worker, v->program, v->frame, v->args, v->exchange, call_over, v, &v->call, &v->remote, e);
	process_call_start(v);
	return 0;
}

static void on_timer(struct loop_timer *t)
{
	struct invoke *v = container_of(t, struct invoke, timer);
	struct failure *f;
	struct err e;

	if (attempt(v, &e) == 0)
		return;
	f = failure_from_err(&e);
	attempt_over(v, NULL, f);
	failure_unref(f);
}

static void attempt_over(struct invoke *v, struct packed *value, struct failure *f)
{
	if (f && retry_wants(&v->retry, v->attempts, f)) {
		loop_timer_start_ns(&v->timer, backoff_delay(&v->retry.backoff, v->attempts));
		return;
	}
	v->done(v->arg, value, f);
	invoke_free(v);
}

bool program_is_callable(const struct program *p)
{
	return p->type == PROGRAM_FUNCTION || p->default_host;
}

int invoke_start(struct worker *w, const struct invoke_ask *ask, call_done_fn *done, void *arg, struct invocation *ret,
	struct err *e)
{
	struct invocation inv = {0};
	struct invoke *v;

	if (ask->program->type == PROGRAM_FUNCTION && !ask->retry)
		return start_function(
			w, ask->program, ask->frame, ask->args, ask->exchange, done, arg, &ret->call, &ret->remote, e);
	v = xcalloc(1, sizeof(*v));
	v->worker = w;
	loop_timer_init(&v->timer, worker_loop(w), on_timer);
	v->program = program_ref(ask->program);
	v->frame = frame_ref(ask->frame);
	v->args = packed_ref(ask->args);
	v->caller = ask->caller;
	v->caller_entry = ask->caller_entry;
	v->exchange = ask->exchange;
	v->done = done;
	v->arg = arg;
	if (retry_read(&v->retry, ask->retry, e) < 0 || attempt(v, e) < 0) {
		invoke_free(v);
		return -1;
	}
	inv.invoke = v;
	*ret = inv;
	return 0;
}

void invoke_cancel(struct invocation *inv)
{
	struct invoke *v = inv->invoke;

	call_cancel(inv->call);
	remote_call_cancel(inv->remote);
	if (v) {
		call_cancel(v->call);
		remote_call_cancel(v->remote);
		if (v->process) {
			v->process->owner = NULL;
			tell_to_stop(v->process);
		}
		invoke_free(v);
	}
	*inv = (struct invocation){0};
}
