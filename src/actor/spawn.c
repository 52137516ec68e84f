#include <stdlib.h>
#include <string.h>

#include "actor/quota.h"
#include "actor/worker.h"
#include "base/block_cache.h"

enum {
	/* A chunk runs on the worker while everything else there waits. */
	CHUNK_MS_MAX = 5000,
	/* Quick processes go to another worker only when so many more wait here than there, ... */
	QUEUED_TO_BALANCE = 1024,
	/* ... or when so many more live here. */
	POPULATION_TO_BALANCE = 4096,
	/* As long as another worker has so many still to make, it gets no more. */
	UNBORN_MAX = 256,
};

struct spawn *spawn_new(void)
{
	struct spawn *s = block_alloc(sizeof(*s));

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
	block_free(s, sizeof(*s));
}

static int check_host(const struct host *h, struct err *e)
{
	if (h->type == HOST_NATIVE)
		return err_set(e, ERR_INTERNAL, "host does not implement");
	return host_check_running(h, e);
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

/* `extra`: more flags, for a parent that wants any at all. */
static void relate_parent(struct worker *w, const struct spawn *s, bool related, unsigned extra)
{
	unsigned flags = (s->monitor ? RELATION_MONITORS : 0) | (s->link ? RELATION_LINKED : 0);
	struct process *parent;

	if (!flags || s->parent.number == 0 || number_owner(w->sched, s->parent.number) != w)
		return;
	parent = process_find(w, s->parent.number);
	if (!parent)
		return;
	if (related)
		relation_add(parent, (struct pid){s->host->id, s->number}, flags | extra);
	else
		relation_remove(parent, (struct pid){s->host->id, s->number}, extra ? extra : flags);
}

/* A process without a task, as `s` asks for it. */
static struct process *make_process(struct worker *w, struct spawn *s)
{
	struct process *p = process_alloc(w);

	p->program = program_ref(s->program);
	p->frame = frame_ref(s->frame);
	p->host = host_ref(s->host);
	p->terminal = terminal_ref(s->terminal);
	p->parent = s->parent;
	p->parent_entry = s->parent_entry;
	p->ended = s->ended;
	p->ended_arg = s->ended_arg;
	if (s->number == 0)
		s->number = worker_take_number(w);
	p->number = s->number;
	if (s->monitor)
		relation_add(p, s->parent, RELATION_MONITORED);
	if (s->link)
		relation_add(p, s->parent, RELATION_LINKED);
	return p;
}

/* `ret_p`, also written on failure, is the process, not yet routable. */
static int begin(struct worker *w, struct spawn *s, struct process **ret_p)
{
	struct instance *in;
	struct process *p;

	if (worker_make_instance(w, s->program->code, s->frame, &in, &s->err) < 0)
		return -1;
	*ret_p = p = make_process(w, s);
	if (task_init(&p->task, &process_task_ops, in, NULL, s->args, &s->err) < 0) {
		p->task.instance = NULL;
		worker_drop_instance(w, in);
		return -1;
	}
	instance_drop_export(in);
	return 0;
}

static void post_first(struct spawn *s, struct process *p)
{
	struct message *m;

	while ((m = message_queue_pop(&s->first))) {
		quota_note(p, m);
		mailbox_post(&p->mailbox, m);
	}
}

/* Name and pid can be found from the same moment on: whoever finds the name can send to its holder, and comes behind the first messages. */
static bool claim_name(struct worker *w, struct spawn *s, struct process *p, struct pid *ret_holder)
{
	int rc;

	pthread_mutex_lock(&w->lock);
	rc = names_register(w->sched->names, s->name, process_pid(p), ret_holder, NULL);
	if (rc == 0) {
		atomic_store_explicit(&p->named, true, memory_order_relaxed);
		post_first(s, p);
		number_map_set(&w->processes, p->number, p);
	}
	pthread_mutex_unlock(&w->lock);
	return rc == 0;
}

int spawn_run(struct worker *w, struct spawn *s)
{
	struct process *p = NULL;
	struct pid holder;
	bool entered = false;
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
	if (host_enter(s->host, &s->err) < 0)
		goto out;
	entered = true;
	if (begin(w, s, &p) < 0)
		goto out;
	quota_begin(p);
	if (s->name && !claim_name(w, s, p, &holder)) {
		rc = hand_over(w, s, holder);
		goto out;
	}
	post_first(s, p);
	s->pid = process_pid(p);
	relate_parent(w, s, true, 0);
	process_publish(p, NULL);
	p = NULL;
	entered = false; /* counted as long as it lives */
	rc = 0;
out:
	if (p)
		process_discard(p);
	if (entered) {
		host_free_place(s->host);
		host_leave(s->host);
	}
	s->failed = rc < 0;
	return rc;
}

/* -- ahead of its birth ------------------------------------------------------------------------------ */

static struct spawn *unborn_find(struct worker *w, struct pid pid)
{
	struct spawn *s = number_map_get(&w->unborn, pid.number);

	return s && s->host->id == pid.host ? s : NULL;
}

bool unborn_exists(struct worker *w, struct pid pid)
{
	return unborn_find(w, pid) != NULL;
}

bool unborn_post(struct worker *w, struct pid pid, struct message *m)
{
	struct spawn *s = unborn_find(w, pid);

	if (s)
		message_queue_push(&s->first, m);
	return s != NULL;
}

bool unborn_mark_named(struct worker *w, struct pid pid)
{
	struct spawn *s = unborn_find(w, pid);

	if (s)
		s->named = true;
	return s != NULL;
}

/* What was promised cannot be: it ends with `s->err` without having run. */
static void be_stillborn(struct worker *w, struct spawn *s, struct process *p)
{
	struct failure *f = failure_from_err(&s->err);
	struct message_queue waiting;
	struct message *m;

	if (!p)
		p = make_process(w, s);
	p->dead = true;
	process_report_end(p, f);
	pthread_mutex_lock(&w->lock);
	number_map_remove(&w->unborn, s->number);
	waiting = s->first;
	s->first = (struct message_queue){0};
	pthread_mutex_unlock(&w->lock);
	if (s->named)
		names_release(w->sched->names, process_pid(p));
	host_free_place(s->host);
	relations_announce(p, NULL, f);
	while ((m = message_queue_pop(&waiting)))
		signal_refuse(p, m, NULL, f);
	failure_unref(f);
	process_discard(p);
	host_leave(s->host);
}

static void on_birth(struct loop_post *post)
{
	struct spawn *s = container_of(post, struct spawn, post);
	struct worker *w = s->worker;
	struct process *p = NULL;
	int rc;

	if (w->closing)
		rc = err_set(&s->err, ERR_UNAVAILABLE, "host is shutting down");
	else
		rc = check_host(s->host, &s->err);
	if (rc == 0)
		rc = begin(w, s, &p);
	if (rc == 0)
		process_publish(p, s);
	else
		be_stillborn(w, s, p);
	atomic_fetch_sub_explicit(&w->nunborn, 1, memory_order_relaxed);
	spawn_free(s);
}

bool spawn_ahead(struct worker *w, struct spawn *s, struct pid *ret_pid)
{
	struct worker *here = worker_current();
	struct err e;

	if (!code_is_steady(s->program->code) || s->name || s->ended ||
		atomic_load_explicit(&s->host->mailbox_max, memory_order_relaxed) > 0 || check_host(s->host, &e) < 0 ||
		host_enter(s->host, &e) < 0)
		return false;
	s->worker = w;
	s->number = worker_take_number(w);
	*ret_pid = (struct pid){s->host->id, s->number};
	relate_parent(here, s, true, 0);
	s->post.run = on_birth;
	atomic_fetch_add_explicit(&w->nunborn, 1, memory_order_relaxed);
	pthread_mutex_lock(&w->lock);
	number_map_set(&w->unborn, s->number, s);
	pthread_mutex_unlock(&w->lock);
	loop_post(w->loop, &s->post);
	return true;
}

/* -- on another worker ------------------------------------------------------------------------------- */

static void on_reply(struct loop_post *post)
{
	struct spawn *s = container_of(post, struct spawn, post);
	struct worker *here = worker_current();

	if (here && (s->failed || s->found))
		relate_parent(here, s, false, 0);
	if (here)
		relate_parent(here, s, false, RELATION_SPAWNING);
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
		relate_parent(here, s, true, RELATION_SPAWNING);
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
	return atomic_load_explicit(&w->nprocesses, memory_order_relaxed) +
	       atomic_load_explicit(&w->nunborn, memory_order_relaxed);
}

/* The least loaded of the first `n` workers but `here`; of equals the one with fewer processes. */
static struct worker *least_loaded(struct scheduler *sched, struct worker *here, unsigned n)
{
	struct worker *best = NULL;
	unsigned best_load = UINT32_MAX;

	for (unsigned i = 0; i < n; i++) {
		struct worker *w = &sched->workers[i];
		unsigned load = load_of(w);

		if (w == here || atomic_load_explicit(&w->nunborn, memory_order_relaxed) >= UNBORN_MAX)
			continue;
		if (load > best_load || (load == best_load && population_of(w) >= population_of(best)))
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
	/* A refusal is the same everywhere: nobody else need be asked. */
	if (!best || host_is_full(h))
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
