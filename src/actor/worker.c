#include "actor/worker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum {
	BATCH_PROCESSES = 256, /* between two looks at I/O */
	BATCH_NS = 1000000,    /* the same, in time */
	SWEEP_MS = 15000,      /* how often idle instances are looked at */
	HEAVY_NS = 200000,     /* a run that long is worth moving to another worker beforehand */
	UNTIMED_RUNS = 8,      /* of programs known to be quick, between two looks at the clock */
	CAREFUL_RUNS = 64,     /* each looked at, after one of those was not quick after all */
};

static const uint64_t IDLE_NS = 30ull * 1000 * 1000 * 1000; /* idle functions are dropped after */

static _Thread_local struct worker *current;

struct worker *worker_current(void)
{
	return current;
}

static void on_sweep(struct loop_timer *t)
{
	struct worker *w = container_of(t, struct worker, sweep);

	call_sweep(w, loop_clock_ns() - IDLE_NS);
	loop_timer_start_ms(&w->sweep, SWEEP_MS);
}

void worker_init(struct worker *w, struct scheduler *s, unsigned index)
{
	w->sched = s;
	w->index = index;
	w->loop = loop_new();
	pool_init(&w->pool);
	list_init(&w->run_queue);
	list_init(&w->reap);
	list_init(&w->idle_sets);
	pthread_mutex_init(&w->lock, NULL);
	w->program_cache = map_new();
	w->program_version = programs_version(s->programs);
	loop_timer_init(&w->sweep, w->loop, on_sweep);
	worker_collect_init(w);
}

static void unref_program(void *p)
{
	program_unref(p);
}

void worker_done(struct worker *w)
{
	loop_free(w->loop);
	map_free(w->program_cache, unref_program);
	host_unref(w->last_host);
	number_map_done(&w->processes);
	number_map_done(&w->unborn);
	pthread_mutex_destroy(&w->lock);
	free(w->heaps);
	free(w->slots);
	pool_done(&w->pool);
}

/* -- running ----------------------------------------------------------------------------------------- */

/* Remember what running `p` took. A process that took long once is expected to do so again. */
static void note_cost(struct program *program, uint64_t ns)
{
	int cost = atomic_load_explicit(&program->cost, memory_order_relaxed);

	if (ns >= HEAVY_NS && cost != COST_HEAVY)
		atomic_store_explicit(&program->cost, COST_HEAVY, memory_order_relaxed);
	else if (cost == COST_UNKNOWN)
		atomic_store_explicit(&program->cost, COST_LIGHT, memory_order_relaxed);
}

static bool worker_turn(void *arg)
{
	struct worker *w = arg;
	unsigned untimed = 0;
	uint64_t until, before, now;
	struct list *l;

	worker_reap(w);
	if (list_is_empty(&w->run_queue)) {
		atomic_store_explicit(&w->load, 0, memory_order_relaxed);
		return false;
	}
	watchdog_notice(w->sched);
	worker_collect_soon(w);
	now = loop_clock_ns();
	before = now;
	until = now + BATCH_NS;
	for (unsigned n = 0; n < BATCH_PROCESSES && now < until; n++) {
		struct process *p;
		bool quick;

		l = list_pop_front(&w->run_queue);
		if (!l)
			break;
		w->queued--;
		p = container_of(l, struct process, run_link);
		quick = w->careful == 0 && atomic_load_explicit(&p->program->cost, memory_order_relaxed) == COST_LIGHT;
		if (!quick && untimed > 0) {
			before = loop_clock_ns();
			untimed = 0;
		}
		process_step(p);
		if (!quick || ++untimed == UNTIMED_RUNS) {
			now = loop_clock_ns();
			if (!quick)
				note_cost(p->program, now - before);
			else if (now - before >= HEAVY_NS)
				w->careful = CAREFUL_RUNS;
			if (w->careful > 0)
				w->careful--;
			before = now;
			untimed = 0;
		}
		worker_reap(w);
	}
	atomic_store_explicit(&w->load, w->queued, memory_order_relaxed);
	return !list_is_empty(&w->run_queue);
}

void worker_enqueue(struct worker *w, struct process *p)
{
	if (p->queued || p->dead)
		return;
	p->queued = true;
	list_push_back(&w->run_queue, &p->run_link);
	w->queued++;
	atomic_store_explicit(&w->load, w->queued, memory_order_relaxed);
	if (w->queued == 1 && !w->running)
		loop_wake(w->loop);
}

static void free_heaps(struct worker *w)
{
	for (unsigned i = 0; i < w->nheaps; i++)
		heap_free(w->heaps[i]);
	w->nheaps = 0;
}

void *worker_main(void *arg)
{
	struct worker *w = arg;

	current = w;
	loop_set_turn(w->loop, worker_turn, w);
	loop_timer_start_ms(&w->sweep, SWEEP_MS);
	loop_wake(w->loop);
	loop_run(w->loop);
	/* Lua's last finalizers may still use what the slots hold (clients with connections), so the heaps go first. */
	free_heaps(w);
	while (w->nslots > 0) {
		struct worker_slot *s = &w->slots[--w->nslots];

		if (s->free_fn)
			s->free_fn(s->value);
	}
	loop_timer_stop(&w->sweep);
	loop_timer_stop(&w->rest);
	current = NULL;
	return NULL;
}

/* -- heaps ------------------------------------------------------------------------------------------- */

int worker_heap(struct worker *w, struct heap **ret_heap, struct err *e)
{
	struct heap_config cfg = {
		.modules = &w->sched->modules,
		.memory_max = w->sched->heap_memory_max,
		.instances_max = w->sched->heap_instances_max,
		.owner = w,
		.must_end = worker_must_end,
	};
	struct heap *h;

	for (unsigned n = 0; n < w->nheaps; n++) {
		unsigned i = (w->heap_hint + n) % w->nheaps;

		if (!heap_is_full(w->heaps[i])) {
			w->heap_hint = i;
			*ret_heap = w->heaps[i];
			return 0;
		}
	}
	if (w->nheaps >= WORKER_HEAPS_MAX)
		return err_set(e, ERR_UNAVAILABLE, "too many processes on one worker: raise the number of workers");
	if (heap_new(&cfg, &h, e) < 0)
		return -1;
	w->heaps = xreallocarray(w->heaps, w->nheaps + 1, sizeof(struct heap *));
	w->heap_hint = w->nheaps;
	w->heaps[w->nheaps++] = h;
	*ret_heap = h;
	return 0;
}

void worker_drop_instance(struct worker *w, struct instance *in)
{
	struct heap *h = instance_heap(in);

	instance_free(in);
	if (heap_instances(h) > 0 || w->nheaps == 1 || w->loading || w->running)
		return;
	for (unsigned i = 0; i < w->nheaps; i++) {
		if (w->heaps[i] != h)
			continue;
		w->heaps[i] = w->heaps[--w->nheaps];
		w->heap_hint = 0;
		heap_free(h);
		return;
	}
}

struct worker_loading worker_begin_loading(struct worker *w, struct frame *f, struct heap *h)
{
	struct worker_loading before = {w->loading, w->heap};

	w->loading = f;
	w->heap = h;
	return before;
}

void worker_end_loading(struct worker *w, struct worker_loading before)
{
	w->heap = before.heap;
	w->loading = before.frame;
}

/* -- slots, posts, programs -------------------------------------------------------------------------- */

void *worker_slot(struct worker *w, const void *key, void *(*make)(struct worker *w), void (*free_fn)(void *))
{
	void *value;

	for (unsigned i = 0; i < w->nslots; i++)
		if (w->slots[i].key == key)
			return w->slots[i].value;
	if (!make)
		return NULL;
	value = make(w);
	w->slots = xreallocarray(w->slots, w->nslots + 1, sizeof(struct worker_slot));
	w->slots[w->nslots++] = (struct worker_slot){key, value, free_fn};
	return value;
}

struct later {
	struct loop_post post;
	struct worker *w;
	void (*fn)(struct worker *w, void *arg);
	void *arg;
};

static void run_later(struct loop_post *post)
{
	struct later *l = container_of(post, struct later, post);

	l->fn(l->w, l->arg);
	free(l);
}

void worker_run_later(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg)
{
	struct later *l = xcalloc(1, sizeof(*l));

	l->post.run = run_later;
	l->w = w;
	l->fn = fn;
	l->arg = arg;
	loop_post(w->loop, &l->post);
}

struct program *worker_program(struct worker *w, const char *id)
{
	unsigned long version = programs_version(w->sched->programs);
	struct program *p;

	if (version == w->program_version && w->last_program && strcmp(w->last_program->id, id) == 0)
		return w->last_program;
	if (version != w->program_version) {
		w->last_program = NULL;
		map_free(w->program_cache, unref_program);
		w->program_cache = map_new();
		w->program_version = version;
	}
	p = map_get(w->program_cache, id);
	if (!p) {
		p = programs_get(w->sched->programs, id);
		if (p)
			map_set(w->program_cache, id, p);
	}
	if (p)
		w->last_program = p;
	return p;
}

struct host *worker_host(struct worker *w, const char *id)
{
	/* Read before the table: a change after that makes the next look-up ask again. */
	unsigned long version = hosts_version(w->sched->hosts);

	if (version != w->host_version || !w->last_host || strcmp(w->last_host->id, id) != 0) {
		host_unref(w->last_host);
		w->last_host = hosts_get(w->sched->hosts, id);
		w->host_version = version;
	}
	return host_ref(w->last_host);
}

struct loop *worker_loop(const struct worker *w)
{
	return w->loop;
}

struct scheduler *worker_scheduler(const struct worker *w)
{
	return w->sched;
}

struct frame *worker_loading_frame(const struct worker *w)
{
	return w->loading;
}
