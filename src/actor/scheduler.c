#include "actor/scheduler.h"

#include <assert.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "actor/worker.h"
#include "base/alloc.h"
#include "base/duration.h"

enum { HEAP_INSTANCES = 4096, STOP_ROUNDS = 3, STOP_SECONDS_MAX = 10 };

/* Cores this program may use. */
static unsigned count_cores(void)
{
	cpu_set_t set;
	int n;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	n = CPU_COUNT(&set);
	return n > 0 ? (unsigned)n : 1;
}

struct scheduler *scheduler_new(const struct scheduler_config *cfg)
{
	struct scheduler *s = xcalloc(1, sizeof(*s));

	s->nworkers = cfg->workers ? cfg->workers : count_cores();
	if (s->nworkers > SCHEDULER_WORKERS_MAX)
		s->nworkers = SCHEDULER_WORKERS_MAX;
	if (cfg->modules)
		s->modules = *cfg->modules;
	s->heap_memory_max = cfg->heap_memory_max;
	s->heap_instances_max = cfg->heap_instances_max ? cfg->heap_instances_max : HEAP_INSTANCES;
	if (cfg->hooks)
		s->hooks = *cfg->hooks;
	s->owner = cfg->owner;
	s->hosts = hosts_new();
	s->programs = programs_new();
	s->names = names_new();
	list_init(&s->host_stops);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	s->workers = xcalloc(s->nworkers, sizeof(*s->workers));
	for (unsigned i = 0; i < s->nworkers; i++)
		worker_init(&s->workers[i], s, i);
	return s;
}

void scheduler_start(struct scheduler *s)
{
	assert(!s->started);
	s->started = true;
	for (unsigned i = 0; i < s->nworkers; i++)
		if (pthread_create(&s->workers[i].thread, NULL, worker_main, &s->workers[i]) != 0)
			abort();
	watchdog_start(s);
}

/* -- stopping ---------------------------------------------------------------------------------------- */

static struct failure *canceled(void)
{
	static const char text[] = "context canceled";

	return failure_new("Canceled", ERR_RETRY_NO, text, strlen(text), NULL, NULL, NULL);
}

/* The numbers of the processes of `h` (NULL: of all), malloc'd. */
static uint64_t *collect(struct worker *w, const struct host *h, size_t *ret_n)
{
	uint64_t *numbers = xcalloc(w->processes.count + 1, sizeof(*numbers));
	size_t n = 0;
	void *v;

	for (size_t i = 0; number_map_next(&w->processes, &i, &v);) {
		const struct process *p = v;

		if (!h || p->host == h)
			numbers[n++] = p->number;
	}
	*ret_n = n;
	return numbers;
}

static void abort_all(struct worker *w, const struct host *h)
{
	size_t n;
	uint64_t *numbers = collect(w, h, &n);

	for (size_t i = 0; i < n; i++) {
		struct process *p = process_find(w, numbers[i]);

		if (p)
			process_abort(p, canceled());
	}
	free(numbers);
	worker_reap(w);
}

static void arrive(struct worker *w)
{
	struct scheduler *s = w->sched;

	pthread_mutex_lock(&s->lock);
	s->arrived++;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void close_worker(struct worker *w, void *arg)
{
	(void)arg;
	w->closing = true;
	abort_all(w, NULL);
	call_sweep(w, UINT64_MAX);
	arrive(w);
}

/* Run fn on every worker and wait until all have. False when one did not in time. */
static bool on_all_workers(struct scheduler *s, void (*fn)(struct worker *w, void *arg))
{
	struct timespec until;
	bool all;

	pthread_mutex_lock(&s->lock);
	s->arrived = 0;
	pthread_mutex_unlock(&s->lock);
	for (unsigned i = 0; i < s->nworkers; i++)
		worker_run_later(&s->workers[i], fn, NULL);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += STOP_SECONDS_MAX;
	pthread_mutex_lock(&s->lock);
	while (s->arrived < s->nworkers && pthread_cond_timedwait(&s->changed, &s->lock, &until) == 0)
		;
	all = s->arrived >= s->nworkers;
	pthread_mutex_unlock(&s->lock);
	return all;
}

int scheduler_stop(struct scheduler *s)
{
	if (!s->started)
		return 0;
	/* What workers posted to each other before they closed is handled in the rounds that follow. */
	for (unsigned i = 0; i < STOP_ROUNDS; i++)
		if (!on_all_workers(s, close_worker))
			return -1;
	watchdog_stop(s);
	for (unsigned i = 0; i < s->nworkers; i++)
		loop_stop(s->workers[i].loop);
	for (unsigned i = 0; i < s->nworkers; i++)
		pthread_join(s->workers[i].thread, NULL);
	s->started = false;
	return 0;
}

static void drop_host_stops(struct scheduler *s);

void scheduler_free(struct scheduler *s)
{
	if (!s)
		return;
	assert(!s->started);
	/* The program's own time to stop may be shorter than a host's. */
	drop_host_stops(s);
	for (unsigned i = 0; i < s->nworkers; i++)
		worker_done(&s->workers[i]);
	free(s->workers);
	programs_free(s->programs);
	hosts_free(s->hosts);
	names_free(s->names);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* -- stopping one host ------------------------------------------------------------------------------- */

enum { HOST_LOOK_MS = 10, SILENT_MS_MAX = 1000 /* then whoever waits is told what for */ };

struct host_stop {
	struct list in_stops;
	struct scheduler *sched;
	struct host *host;
	host_stopped_fn *done;
	void *arg;
	struct loop *loop;
	struct loop_timer timer;
	uint64_t tell_ns;
	uint64_t until_ns;
	bool told;
	bool aborting;
};

static void cancel_host(struct worker *w, void *arg)
{
	static const char reason[] = "scheduler shutdown";
	struct host *h = arg;
	size_t n;
	uint64_t *numbers = collect(w, h, &n);

	for (size_t i = 0; i < n; i++) {
		struct process *p = process_find(w, numbers[i]);

		if (p)
			process_cancel(w->sched, pid_system, process_pid(p), reason, strlen(reason), NULL);
	}
	free(numbers);
	host_unref(h);
}

static void abort_host(struct worker *w, void *arg)
{
	struct host *h = arg;

	abort_all(w, h);
	host_unref(h);
}

/* The caller has taken it out of the list, or drops the whole list. */
static void host_stop_free(struct host_stop *hs)
{
	loop_timer_stop(&hs->timer);
	host_unref(hs->host);
	free(hs);
}

static void drop_host_stops(struct scheduler *s)
{
	list_for_each_safe(l, tmp, &s->host_stops)
		host_stop_free(container_of(l, struct host_stop, in_stops));
	list_init(&s->host_stops);
}

static void tell(const struct host_stop *hs, unsigned n, uint64_t now)
{
	char left[DURATION_TEXT_MAX];
	/* Whole seconds are enough for people. */
	uint64_t seconds = hs->until_ns > now ? (hs->until_ns - now + 999999999) / 1000000000 : 0;

	duration_format((int64_t)(seconds * 1000000000), left);
	fprintf(stderr, "wippy: waiting for %u process%s on host %s to end; what is left is ended in %s\n", n,
		n == 1 ? "" : "es", hs->host->id, left);
}

static void on_host_look(struct loop_timer *t)
{
	struct host_stop *hs = container_of(t, struct host_stop, timer);
	unsigned left = atomic_load_explicit(&hs->host->nprocesses, memory_order_acquire);
	uint64_t now = loop_clock_ns();

	if (left == 0) {
		atomic_store(&hs->host->state, HOST_STOPPED);
		hs->done(hs->arg, hs->host);
		list_remove(&hs->in_stops);
		host_stop_free(hs);
		return;
	}
	if (!hs->told && now >= hs->tell_ns) {
		hs->told = true;
		tell(hs, left, now);
	}
	if (!hs->aborting && now >= hs->until_ns) {
		hs->aborting = true;
		for (unsigned i = 0; i < hs->sched->nworkers; i++)
			worker_run_later(&hs->sched->workers[i], abort_host, host_ref(hs->host));
	}
	loop_timer_start_ms(t, HOST_LOOK_MS);
}

void scheduler_stop_host(struct scheduler *s, struct host *h, struct loop *loop, host_stopped_fn *done, void *arg)
{
	struct host_stop *hs = xcalloc(1, sizeof(*hs));

	hs->sched = s;
	hs->host = host_ref(h);
	hs->loop = loop;
	hs->done = done;
	hs->arg = arg;
	list_push_back(&s->host_stops, &hs->in_stops);
	hs->until_ns = loop_clock_ns() + h->stop_timeout_ms * 1000000;
	hs->tell_ns = loop_clock_ns() + SILENT_MS_MAX * 1000000ull;
	atomic_store(&h->state, HOST_STOPPING);
	if (s->started && atomic_load(&h->nprocesses) > 0)
		for (unsigned i = 0; i < s->nworkers; i++)
			worker_run_later(&s->workers[i], cancel_host, host_ref(h));
	loop_timer_init(&hs->timer, loop, on_host_look);
	loop_timer_start_ms(&hs->timer, 0);
}

/* -- looking ----------------------------------------------------------------------------------------- */

void *scheduler_owner(const struct scheduler *s)
{
	return s->owner;
}

unsigned scheduler_nworkers(const struct scheduler *s)
{
	return s->nworkers;
}

struct worker *scheduler_worker(struct scheduler *s, unsigned i)
{
	return &s->workers[i];
}

struct hosts *scheduler_hosts(struct scheduler *s)
{
	return s->hosts;
}

struct programs *scheduler_programs(struct scheduler *s)
{
	return s->programs;
}

struct names *scheduler_names(struct scheduler *s)
{
	return s->names;
}

unsigned scheduler_nprocesses(struct scheduler *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->nworkers; i++)
		n += atomic_load_explicit(&s->workers[i].nprocesses, memory_order_relaxed);
	return n;
}

size_t scheduler_heap_memory_max(const struct scheduler *s)
{
	return s->heap_memory_max;
}

const struct module_list *scheduler_modules(const struct scheduler *s)
{
	return &s->modules;
}
