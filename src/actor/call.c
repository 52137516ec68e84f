#include "actor/call.h"

#include <stdlib.h>
#include <string.h>

#include "actor/worker.h"
#include "base/alloc.h"
#include "base/block_cache.h"
#include "base/log.h"

struct call {
	struct worker *worker;
	struct program *program;
	struct frame *frame; /* while it waits for a place */
	struct packed *args;
	struct process *process;   /* NULL while it waits */
	struct exchange *exchange; /* NULL: it answers no HTTP request */
	call_done_fn *done;
	void *arg;
	struct list wait_link; /* in call_pool.waiters */
	struct loop_post post; /* a place was given */
	bool canceled;
};

/* How many run at once is counted over all workers; idle instances stay with the worker that made them. */
struct call_pool {
	atomic_int places; /* free ones; negative: that many wait */
	unsigned calls_max;
	atomic_bool closed;
	pthread_mutex_t lock;
	struct list waiters;
	/* Under the lock: places given to waiters who had not queued yet; negative: to waiters who have left since. */
	int granted;
	struct scheduler *sched;
	struct idle_set *idle; /* by worker */
};

struct call_pool *call_pool_new(struct scheduler *s, unsigned calls_max)
{
	struct call_pool *pool = xcalloc(1, sizeof(*pool));

	atomic_init(&pool->places, (int)calls_max);
	pool->calls_max = calls_max;
	atomic_init(&pool->closed, false);
	pthread_mutex_init(&pool->lock, NULL);
	list_init(&pool->waiters);
	pool->sched = s;
	pool->idle = xcalloc(s->nworkers, sizeof(*pool->idle));
	for (unsigned i = 0; i < s->nworkers; i++)
		list_init(&pool->idle[i].link);
	return pool;
}

unsigned call_pool_max(const struct call_pool *pool)
{
	return pool->calls_max;
}

void call_pool_keep(struct call_pool *pool)
{
	for (unsigned i = 0; i < pool->sched->nworkers; i++)
		pool->idle[i].keep = true;
}

void call_pool_free(struct call_pool *pool)
{
	if (!pool)
		return;
	for (unsigned i = 0; i < pool->sched->nworkers; i++)
		free(pool->idle[i].items);
	pthread_mutex_destroy(&pool->lock);
	free(pool->idle);
	free(pool);
}

/* -- idle instances ---------------------------------------------------------------------------------- */

static void drop_idle(struct worker *w, struct idle_set *set)
{
	while (set->count > 0)
		worker_drop_instance(w, set->items[--set->count]);
	list_remove(&set->link);
}

static void put_idle(struct worker *w, struct idle_set *set, struct instance *in)
{
	if (set->count == set->cap) {
		set->cap = set->cap ? set->cap * 2 : 4;
		set->items = xreallocarray(set->items, set->cap, sizeof(struct instance *));
	}
	set->items[set->count++] = in;
	set->used_ns = loop_now_ns(w->loop);
	if (!list_is_linked(&set->link))
		list_push_back(&w->idle_sets, &set->link);
}

void call_sweep(struct worker *w, uint64_t older_than_ns)
{
	list_for_each_safe(l, tmp, &w->idle_sets) {
		struct idle_set *set = list_entry(l, struct idle_set, link);

		if (set->used_ns < older_than_ns && (!set->keep || older_than_ns == UINT64_MAX))
			drop_idle(w, set);
	}
}

static void close_here(struct worker *w, void *arg)
{
	struct program *p = arg;

	drop_idle(w, &p->pool->idle[w->index]);
	program_unref(p);
}

struct warming {
	struct program *program;
	struct frame *frame;
	unsigned n;
};

static void warm_here(struct worker *w, void *arg)
{
	struct warming *warm = arg;
	struct program *p = warm->program;
	struct instance *in;
	struct err e;

	for (unsigned i = 0; i < warm->n; i++) {
		if (w->closing || atomic_load_explicit(&p->pool->closed, memory_order_acquire))
			break;
		if (worker_make_instance(w, p->code, warm->frame, &in, &e) < 0) {
			log_error("function", "the pool of a function could not be filled: its chunk fails",
				LOG_STR("entry", p->id), LOG_STR("error", e.text));
			break;
		}
		put_idle(w, &p->pool->idle[w->index], in);
	}
	program_unref(p);
	frame_unref(warm->frame);
	free(warm);
}

void call_pool_warm(struct program *p, unsigned n, struct frame *frame)
{
	unsigned nworkers = p->pool->sched->nworkers;

	for (unsigned i = 0; i < nworkers && i < n; i++) {
		struct warming *warm = xmalloc(sizeof(*warm));

		*warm = (struct warming){program_ref(p), frame_ref(frame), n / nworkers + (i < n % nworkers)};
		worker_run_later(&p->pool->sched->workers[i], warm_here, warm);
	}
}

void call_pool_close(struct program *p)
{
	atomic_store_explicit(&p->pool->closed, true, memory_order_release);
	if (!p->pool->sched->started)
		return;
	for (unsigned i = 0; i < p->pool->sched->nworkers; i++)
		worker_run_later(&p->pool->sched->workers[i], close_here, program_ref(p));
}

/* -- places ------------------------------------------------------------------------------------------ */

/* True: a place is ours. False: `c` waits and will be posted. */
static bool take_place(struct call *c)
{
	struct call_pool *pool = c->program->pool;
	bool ours = true;

	if (atomic_fetch_sub_explicit(&pool->places, 1, memory_order_acq_rel) > 0)
		return true;
	pthread_mutex_lock(&pool->lock);
	if (pool->granted > 0) {
		pool->granted--;
	} else {
		list_push_back(&pool->waiters, &c->wait_link);
		ours = false;
	}
	pthread_mutex_unlock(&pool->lock);
	return ours;
}

static void free_place(struct call_pool *pool)
{
	struct list *l;

	if (atomic_fetch_add_explicit(&pool->places, 1, memory_order_acq_rel) >= 0)
		return;
	pthread_mutex_lock(&pool->lock);
	l = pool->granted < 0 ? NULL : list_pop_front(&pool->waiters);
	if (l) {
		struct call *c = list_entry(l, struct call, wait_link);

		loop_post(c->worker->loop, &c->post);
	} else {
		/* Whoever was counted as waiting has not queued yet, or has left again. */
		pool->granted++;
	}
	pthread_mutex_unlock(&pool->lock);
}

/* -- calls ------------------------------------------------------------------------------------------- */

static void call_free(struct call *c)
{
	program_unref(c->program);
	frame_unref(c->frame);
	packed_unref(c->args);
	block_free(c, sizeof(*c));
}

void call_pool_put(struct worker *w, struct program *p, struct instance *in)
{
	if (atomic_load_explicit(&p->pool->closed, memory_order_acquire) || w->closing)
		worker_drop_instance(w, in);
	else
		put_idle(w, &p->pool->idle[w->index], in);
	free_place(p->pool);
}

static void on_ended(void *arg, const struct process_end *end)
{
	struct call *c = arg;

	c->done(c->arg, end->value, end->failure);
	call_free(c);
}

static int get_instance(struct call *c, struct frame *frame, struct instance **ret_in, struct err *e)
{
	struct worker *w = c->worker;
	struct idle_set *set = &c->program->pool->idle[w->index];

	if (set->count > 0) {
		*ret_in = set->items[--set->count];
		if (set->count == 0)
			list_remove(&set->link);
		return 0;
	}
	return worker_make_instance(w, c->program->code, frame, ret_in, e);
}

/* The place is ours; on failure it is given back. */
static int begin(struct call *c, struct frame *frame, struct packed *args, struct err *e)
{
	struct worker *w = c->worker;
	struct instance *in;
	struct process *p;

	if (get_instance(c, frame, &in, e) < 0) {
		free_place(c->program->pool);
		return -1;
	}
	p = process_alloc(w);
	if (task_init(&p->task, &process_task_ops, in, NULL, args, e) < 0) {
		call_pool_put(w, c->program, in);
		process_free(p);
		return -1;
	}
	p->program = program_ref(c->program);
	p->frame = frame_ref(frame);
	p->number = worker_take_number(w);
	p->exchange = c->exchange;
	p->ended = on_ended;
	p->ended_arg = c;
	c->process = p;
	process_publish(p, NULL);
	return 0;
}

static void on_place(struct loop_post *post)
{
	struct call *c = container_of(post, struct call, post);
	struct failure *f;
	struct err e;

	if (c->canceled) {
		free_place(c->program->pool);
		call_free(c);
		return;
	}
	if (begin(c, c->frame, c->args, &e) == 0)
		return;
	f = failure_from_err(&e);
	c->done(c->arg, NULL, f);
	failure_unref(f);
	call_free(c);
}

int call_start(struct worker *w, struct program *program, struct frame *frame, struct packed *args, call_done_fn *done,
	void *arg, struct call **ret_call, struct err *e)
{
	struct call *c;

	if (w->closing || atomic_load_explicit(&program->pool->closed, memory_order_acquire))
		return err_set(e, ERR_UNAVAILABLE, "pool is closed");
	c = block_zalloc(sizeof(*c));
	c->worker = w;
	c->program = program_ref(program);
	c->done = done;
	c->arg = arg;
	list_init(&c->wait_link);
	c->post.run = on_place;
	/* Before the place is asked for: a waiter can be found by another worker at once. */
	c->frame = frame_ref(frame);
	c->args = packed_ref(args);
	if (take_place(c) && begin(c, frame, args, e) < 0) {
		call_free(c);
		return -1;
	}
	*ret_call = c;
	return 0;
}

static void forget(void *arg, const struct process_end *end)
{
	(void)arg, (void)end;
}

void call_attach(struct call *c, struct exchange *x)
{
	c->exchange = x;
	if (c->process)
		c->process->exchange = x;
}

void call_cancel(struct call *c)
{
	static const char text[] = "context canceled";
	struct call_pool *pool;
	bool waiting;

	if (!c)
		return;
	if (c->process) {
		struct process *p = c->process;

		p->ended = forget;
		p->exchange = NULL;
		p->ended_arg = NULL;
		process_abort(p, failure_new("Canceled", ERR_RETRY_NO, text, strlen(text), NULL, NULL, NULL));
		call_free(c);
		return;
	}
	pool = c->program->pool;
	pthread_mutex_lock(&pool->lock);
	waiting = list_is_linked(&c->wait_link);
	list_remove(&c->wait_link);
	/* When everybody who waits was granted a place already, one of those grants (about to arrive) was for us. */
	if (waiting && atomic_fetch_add_explicit(&pool->places, 1, memory_order_acq_rel) >= 0)
		pool->granted--;
	pthread_mutex_unlock(&pool->lock);
	if (!waiting) {
		/* The place is on its way in a post that still points here. */
		c->canceled = true;
		return;
	}
	call_free(c);
}
