#include <stdlib.h>
#include <string.h>

#include "actor/worker.h"
#include "base/alloc.h"

enum {
	/* A chunk runs on the worker while everything else there waits. */
	CHUNK_MS_MAX = 5000,
	/* Quick processes go to another worker only when so many more wait here than there, ... */
	QUEUED_TO_BALANCE = 1024,
	/* ... or when so many more live here. */
	POPULATION_TO_BALANCE = 4096,
};

struct spawn *spawn_new(void)
{
	struct spawn *s = xmalloc(sizeof(*s));

	memset(s, 0, offsetof(struct spawn, err));
	return s;
}

static void release(struct spawn *s)
{
	program_unref(s->program);
	host_unref(s->host);
	frame_unref(s->frame);
	packed_unref(s->args);
	terminal_unref(s->terminal);
	message_queue_clear(&s->first);
	free(s->name);
}

void spawn_free(struct spawn *s)
{
	if (!s)
		return;
	release(s);
	free(s);
}

static int check_host(const struct host *h, struct err *e)
{
	switch ((enum host_state)atomic_load_explicit(&h->state, memory_order_acquire)) {
	case HOST_RUNNING:
		return 0;
	case HOST_STOPPING:
		return err_set(e, ERR_UNAVAILABLE, "host is shutting down");
	case HOST_STOPPED:
		break;
	}
	return err_set(e, ERR_UNAVAILABLE, "host is not running");
}

/* The name has a holder: it gets the messages, nothing is made. */
static int hand_over(struct worker *w, struct spawn *s, struct pid holder)
{
	struct message *m;

	while ((m = message_queue_pop(&s->first)))
		process_send(w->sched, holder, m, NULL);
	s->pid = holder;
	s->found = true;
	return 0;
}

int worker_make_instance(struct worker *w, struct code *code, struct frame *f, struct instance **ret_in, struct err *e)
{
	struct worker_loading before;
	struct heap *h;
	int rc;

	if (worker_heap(w, &h, e) < 0)
		return -1;
	before = worker_begin_loading(w, f, h);
	rc = instance_new(h, code, loop_clock_ns() + CHUNK_MS_MAX * 1000000ull, ret_in, e);
	worker_end_loading(w, before);
	return rc;
}

static void relate_parent(struct worker *w, const struct spawn *s, bool related)
{
	unsigned flags = (s->monitor ? RELATION_MONITORS : 0) | (s->link ? RELATION_LINKED : 0);
	struct process *parent;

	if (!flags || s->parent.number == 0 || number_owner(w->sched, s->parent.number) != w)
		return;
	parent = process_find(w, s->parent.number);
	if (!parent)
		return;
	if (related)
		relation_add(parent, (struct pid){s->host->id, s->number}, flags);
	else
		relation_remove(parent, (struct pid){s->host->id, s->number}, flags);
}

int spawn_run(struct worker *w, struct spawn *s)
{
	struct process *p = NULL;
	struct instance *in = NULL;
	struct message *m;
	struct pid holder;
	int rc = -1;

	s->failed = false;
	s->found = false;
	if (w->closing) {
		err_set(&s->err, ERR_UNAVAILABLE, "host is shutting down");
		goto out;
	}
	if (check_host(s->host, &s->err) < 0)
		goto out;
	if (s->name && names_lookup(w->sched->names, s->name, &holder)) {
		rc = hand_over(w, s, holder);
		goto out;
	}
	if (worker_make_instance(w, s->program->code, s->frame, &in, &s->err) < 0)
		goto out;
	p = process_alloc(w);
	p->program = program_ref(s->program);
	p->frame = frame_ref(s->frame);
	p->host = host_ref(s->host);
	p->terminal = terminal_ref(s->terminal);
	p->parent = s->parent;
	p->ended = s->ended;
	p->ended_arg = s->ended_arg;
	if (s->number == 0)
		s->number = worker_take_number(w);
	p->number = s->number;
	if (task_init(&p->task, &process_task_ops, in, NULL, s->args, &s->err) < 0) {
		p->task.instance = NULL; /* still ours */
		goto out;
	}
	in = NULL;
	if (s->name && names_register(w->sched->names, s->name, process_pid(p), &holder, NULL) < 0) {
		rc = hand_over(w, s, holder);
		goto out;
	}
	atomic_store_explicit(&p->named, s->name != NULL, memory_order_relaxed);
	if (s->monitor)
		relation_add(p, s->parent, RELATION_MONITORED);
	if (s->link)
		relation_add(p, s->parent, RELATION_LINKED);
	while ((m = message_queue_pop(&s->first)))
		mailbox_post(&p->mailbox, m);
	s->pid = process_pid(p);
	relate_parent(w, s, true);
	process_publish(p);
	p = NULL;
	rc = 0;
out:
	if (p)
		process_discard(p);
	if (in)
		worker_drop_instance(w, in);
	s->failed = rc < 0;
	return rc;
}

/* -- on another worker ------------------------------------------------------------------------------- */

static void on_reply(struct loop_post *post)
{
	struct spawn *s = container_of(post, struct spawn, post);
	struct worker *here = worker_current();

	if (here && (s->failed || s->found))
		relate_parent(here, s, false);
	s->done(s);
}

static void on_request(struct loop_post *post)
{
	struct spawn *s = container_of(post, struct spawn, post);

	spawn_run(s->worker, s);
	s->post.run = on_reply;
	loop_post(s->reply_loop, &s->post);
}

void spawn_start(struct worker *w, struct spawn *s)
{
	struct worker *here = worker_current();

	s->worker = w;
	/* The number is known beforehand, so that the parent expects the end of a child that ends before the reply is here. */
	s->number = worker_take_number(w);
	if (here)
		relate_parent(here, s, true);
	s->post.run = on_request;
	loop_post(w->loop, &s->post);
}

/* How busy a worker looks: what is queued, and what runs now. */
static unsigned load_of(struct worker *w)
{
	return atomic_load_explicit(&w->load, memory_order_relaxed) +
	       (unsigned)(atomic_load_explicit(&w->epoch, memory_order_relaxed) & 1);
}

static unsigned population_of(struct worker *w)
{
	return atomic_load_explicit(&w->nprocesses, memory_order_relaxed);
}

/* The least loaded of the first `n` workers but `here`; of equals the one with fewer processes. */
static struct worker *least_loaded(struct scheduler *sched, struct worker *here, unsigned n)
{
	struct worker *best = NULL;
	unsigned best_load = UINT32_MAX;

	for (unsigned i = 0; i < n; i++) {
		struct worker *w = &sched->workers[i];
		unsigned load = load_of(w);

		if (w == here || load > best_load || (load == best_load && population_of(w) >= population_of(best)))
			continue;
		best = w;
		best_load = load;
	}
	return best;
}

struct worker *spawn_place(struct scheduler *sched, struct worker *here, const struct spawn *s)
{
	const struct host *h = s->host;
	unsigned n = h->workers_max < sched->nworkers ? h->workers_max : sched->nworkers;
	struct worker *best;
	unsigned ahead;

	if (n <= 1 && here == &sched->workers[0])
		return here;
	best = least_loaded(sched, here, n);
	if (!here || here->index >= n)
		return best ? best : &sched->workers[0];
	if (!best)
		return here;
	/* Another worker costs two wake-ups. What is known to be quick pays that only to level out crowds. */
	ahead = here->queued > load_of(best) ? here->queued - load_of(best) : 0;
	if (atomic_load_explicit(&s->program->cost, memory_order_relaxed) != COST_LIGHT)
		return ahead > 0 ? best : here;
	if (ahead > QUEUED_TO_BALANCE && load_of(best) == 0)
		return best;
	if (population_of(here) > 2 * population_of(best) + POPULATION_TO_BALANCE)
		return best;
	return here;
}
