#include "actor/call_spread.h"

#include <stdlib.h>

#include "actor/worker.h"
#include "base/alloc.h"

/* Travels to the other worker and back. `call` and `aborted` are that one's; results are written there and read here after the way back. */
struct remote_call {
	struct worker *here;
	struct worker *there;
	struct program *program;
	struct frame *frame;
	struct packed *args;
	call_done_fn *done; /* NULL: nobody waits any more */
	void *arg;
	struct loop_post post;
	struct loop_post cancel;
	unsigned holders; /* posts that still come home; here */
	struct call *call;
	bool aborted;
	struct packed *value;
	struct failure *failure;
};

static void release(struct remote_call *rc, unsigned posts)
{
	rc->holders -= posts;
	if (rc->holders > 0)
		return;
	program_unref(rc->program);
	frame_unref(rc->frame);
	packed_unref(rc->args);
	packed_unref(rc->value);
	failure_unref(rc->failure);
	free(rc);
}

static unsigned load_of(struct worker *w)
{
	return atomic_load_explicit(&w->load, memory_order_relaxed) +
	       atomic_load_explicit(&w->incoming, memory_order_relaxed) +
	       (unsigned)(atomic_load_explicit(&w->epoch, memory_order_relaxed) & 1);
}

struct worker *call_place(struct worker *here, const struct program *program)
{
	struct scheduler *s = here->sched;
	struct worker *best = here;
	unsigned best_load = here->queued;

	if (s->nworkers == 1 || here->queued == 0 || call_pool_max(program->pool) == 1 ||
		atomic_load_explicit(&program->cost, memory_order_relaxed) == COST_LIGHT)
		return here;
	for (unsigned i = 0; i < s->nworkers; i++) {
		struct worker *w = &s->workers[i];

		if (w != here && load_of(w) < best_load) {
			best = w;
			best_load = load_of(w);
		}
	}
	return best;
}

int call_start_current(struct worker *w, struct program *program, struct frame *frame, struct packed *args,
	call_done_fn *done, void *arg, struct call **ret_call, struct err *e)
{
	struct program *current;
	int rc = call_start(w, program, frame, args, done, arg, ret_call, e);

	if (rc == 0 || e->kind != ERR_UNAVAILABLE)
		return rc;
	current = programs_get(w->sched->programs, program->id);
	if (current && current != program && current->type == PROGRAM_FUNCTION)
		rc = call_start(w, current, frame, args, done, arg, ret_call, e);
	program_unref(current);
	return rc;
}

static void on_reply(struct loop_post *post)
{
	struct remote_call *rc = container_of(post, struct remote_call, post);
	call_done_fn *done = rc->done;

	rc->done = NULL;
	if (done)
		done(rc->arg, rc->value, rc->failure);
	release(rc, 1);
}

static void reply(struct remote_call *rc)
{
	rc->post.run = on_reply;
	loop_post(rc->here->loop, &rc->post);
}

static void on_done(void *arg, struct packed *value, struct failure *failure)
{
	struct remote_call *rc = arg;

	rc->call = NULL;
	rc->value = packed_ref(value);
	rc->failure = failure_keep(failure);
	reply(rc);
}

static void on_request(struct loop_post *post)
{
	struct remote_call *rc = container_of(post, struct remote_call, post);
	struct err e;

	atomic_fetch_sub_explicit(&rc->there->incoming, 1, memory_order_relaxed);
	if (call_start_current(rc->there, rc->program, rc->frame, rc->args, on_done, rc, &rc->call, &e) == 0)
		return;
	rc->failure = failure_from_err(&e);
	reply(rc);
}

struct remote_call *remote_call_start(struct worker *here, struct worker *there, struct program *program,
	struct frame *frame, struct packed *args, call_done_fn *done, void *arg)
{
	struct remote_call *rc = xcalloc(1, sizeof(*rc));

	rc->here = here;
	rc->there = there;
	rc->program = program_ref(program);
	rc->frame = frame_ref(frame);
	rc->args = packed_ref(args);
	rc->done = done;
	rc->arg = arg;
	rc->holders = 1;
	rc->post.run = on_request;
	atomic_fetch_add_explicit(&there->incoming, 1, memory_order_relaxed);
	loop_post(there->loop, &rc->post);
	return rc;
}

/* Back here after a cancel: when the call was aborted there is no reply to wait for. */
static void on_canceled(struct loop_post *post)
{
	struct remote_call *rc = container_of(post, struct remote_call, cancel);

	release(rc, rc->aborted ? 2 : 1);
}

/* There, behind the request: posts of one thread keep their order. */
static void on_cancel(struct loop_post *post)
{
	struct remote_call *rc = container_of(post, struct remote_call, cancel);

	if (rc->call) {
		call_cancel(rc->call);
		rc->call = NULL;
		rc->aborted = true;
	}
	rc->cancel.run = on_canceled;
	loop_post(rc->here->loop, &rc->cancel);
}

void remote_call_cancel(struct remote_call *rc)
{
	if (!rc)
		return;
	rc->done = NULL;
	rc->holders++;
	rc->cancel.run = on_cancel;
	loop_post(rc->there->loop, &rc->cancel);
}
