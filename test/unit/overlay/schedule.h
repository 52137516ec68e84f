/*
 * schedule.h - one random schedule of a real driver against scripted peers, in virtual time, from a seed.
 *
 * An entry is started, dialled through, listened on, replaced by instances that lead to the same peer or another, removed and put back, while its peers answer right, late, in
 * single bytes, not at all, with nonsense, or die. Then all is well again: within a bounded time a dial must come through, every listener that stands must be reached and
 * the state be "ready". At last all is stopped. Checked on the way and at the end:
 *
 *   - every dial ends once, at its deadline at the latest, with a sentence and a code; every listener is told in order and not after its end;
 *   - states follow each other as documented, are told once, and not after the stop; no text shows a secret;
 *   - the program connects to its peers alone and looks nothing up; what arrives at a target came through the peer of the right instance, to the host that was dialled, under
 *     an identity that no other key has;
 *   - no descriptor and no memory is left.
 *
 * SEED=n runs one schedule, SCHEDULES=n so many; SCHEDULE_LOG=1 prints what the program logs.
 */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include <fcntl.h>
#include <malloc.h>
#include <semaphore.h>
#include <sys/personality.h>

#include "overlay_test.h"
#include "schedule_dials.h"
#include "schedule_entry.h"
#include "schedule_listen.h"
#include "scratch.h"
#include "value/json.h"

/* From that seed on, one fault at one step: see run_every_step(). */
#define STEP_SEEDS UINT64_C(1000000000)

enum { STEPS = 10, STEPS_MAX = 40, SWAPS_MAX = 12, END_S = 100, SCHEDULE_REAL_S = 60 };

struct schedule {
	struct world world;
	struct dialler dialler;
	struct loop_timer stepper;
	unsigned steps_left, swaps_left;
	uint64_t until_ns; /* of the stage */
	/* A worker that dials; else the control thread does. */
	bool has_worker;
	pthread_t thread;
	sem_t started;
	struct loop_post post;
};

/* -- stage 3: the end --------------------------------------------------------------------------------- */

static bool all_over(struct schedule *s)
{
	for (unsigned i = 0; i < SERVICES; i++) {
		if (visitors.services[i].listener && !visitors.services[i].is_over)
			return false;
	}
	return atomic_load(&s->dialler.open) == 0 && (!s->world.protocol->is_over || s->world.protocol->is_over());
}

static void on_ending(struct loop_timer *t)
{
	struct schedule *s = container_of(t, struct schedule, stepper);

	CHECK(loop_clock_ns() < s->until_ns, "not over after %u s: %u dials under way", END_S,
		atomic_load(&s->dialler.open));
	if (all_over(s))
		loop_stop(s->world.loop);
	else
		loop_timer_start_ms(t, 50);
}

static void run_wind_down(struct loop_post *post)
{
	dialler_wind_down(&container_of(post, struct schedule, post)->dialler);
}

static void begin_end(struct schedule *s)
{
	struct world *w = &s->world;
	unsigned first = below(&w->chance, 2);

	schedule_stage = "the end";
	s->post.run = run_wind_down;
	if (s->has_worker)
		loop_post(s->dialler.loop, &s->post);
	else
		dialler_wind_down(&s->dialler);
	if (visitors.services[first].listener)
		service_unlisten(&visitors.services[first]);
	for (unsigned i = 0; i < w->ninstances; i++)
		instance_stop(&w->instances[i]);
	s->until_ns = loop_clock_ns() + END_S * UINT64_C(1000000000);
	s->stepper.fire = on_ending;
	loop_timer_start_ms(&s->stepper, 0);
}

/* -- stage 2: all is well again ------------------------------------------------------------------------ */

/* Whoever failed has had its chance: then it is the service's turn to listen anew, as at any other time. */
static const struct service *unproved_service(void)
{
	const struct service *found = NULL;

	for (unsigned i = 0; i < SERVICES; i++) {
		struct service *s = &visitors.services[i];

		if (s->listener && s->is_over)
			service_unlisten(s);
		if (!s->listener || s->proved)
			continue;
		service_visit(s);
		found = s;
	}
	return found;
}

static void on_healing(struct loop_timer *t)
{
	struct schedule *s = container_of(t, struct schedule, stepper);
	struct world *w = &s->world;
	struct instance *in = current(w);
	bool late = loop_clock_ns() >= s->until_ns;
	const struct service *unproved;
	struct overlay_status st;

	if (!in) {
		CHECK(!late, "the entry does not start again");
		swap(w);
		loop_timer_start_ms(t, 500);
		return;
	}
	unproved = unproved_service();
	overlay_get_status(in->overlay, &st);
	if (atomic_load(&s->dialler.proved) == in->generation && st.state == OVERLAY_READY && !unproved) {
		CHECK(st.reason[0] == '\0', "ready, but '%s'", st.reason);
		begin_end(s);
		return;
	}
	CHECK(!late, "all was well for %u s, but: %s '%s', the last dial %s%s%s%s%s", w->protocol->settle_s,
		overlay_state_name(st.state), st.reason,
		atomic_load(&s->dialler.proved) == in->generation ? "came through" : "did not come through",
		unproved ? ", nobody reaches " : "", unproved ? unproved->name : "", unproved ? " at " : "",
		!unproved              ? ""
		: unproved->address[0] ? unproved->address
				       : "no address");
	loop_timer_start_ms(t, 500);
}

static void begin_healing(struct schedule *s)
{
	struct world *w = &s->world;
	struct instance *in = current(w);

	schedule_stage = "all is well";
	for (unsigned i = 0; i < PEERS; i++) {
		peer_heal(&w->peers[i]);
		if (w->protocol->heal)
			w->protocol->heal(&w->peers[i]);
	}
	atomic_store(&s->dialler.heals, true);
	/* What is being drained may go on; its listeners are those of a service that has moved. */
	for (unsigned i = 0; i < SERVICES; i++) {
		struct service *service = &visitors.services[i];

		service->proved = false;
		if (service->listener && (!in || service->generation != in->generation))
			service_unlisten(service);
		if (!service->listener && w->protocol->visit && in)
			service_listen(service);
	}
	s->until_ns = loop_clock_ns() + w->protocol->settle_s * UINT64_C(1000000000);
	s->stepper.fire = on_healing;
	loop_timer_start_ms(&s->stepper, 0);
}

/* -- stage 1: trouble --------------------------------------------------------------------------------- */

static void disturb(struct world *w)
{
	struct peer *p = &w->peers[below(&w->chance, PEERS)];
	struct conn *c = peer_any(p);
	unsigned what = below(&w->chance, 8);

	is_peer = true;
	if (what == 0) {
		peer_die(p);
	} else if (what < 4 && c) {
		conn_end(c, what == 1);
	} else if (what == 4 && c) {
		conn_enter(c);
		conn_say(c, "\r\nnonsense \x01\xff\r\n", c->is_stream ? 0 : 15);
		conn_leave(c);
	} else if (w->protocol->stir) {
		w->protocol->stir(p);
	}
	is_peer = false;
}

/* What `network status` shows. */
static void check_description(struct world *w)
{
	struct value *all = overlay_set_describe(w->set);
	struct buf text = BUF_INIT;

	json_write(all, &text);
	check_no_secret("the status", buf_str(&text));
	buf_done(&text);
	value_unref(all);
}

static void on_step(struct loop_timer *t)
{
	struct schedule *s = container_of(t, struct schedule, stepper);
	struct world *w = &s->world;
	unsigned what = below(&w->chance, 20);

	check_description(w);
	if (s->steps_left-- == 0) {
		begin_healing(s);
		return;
	}
	if (what < 6) {
		disturb(w);
	} else if (what < 16) {
		if (w->protocol->visit)
			services_step(w);
	} else if (what < 18 && s->swaps_left > 0 && s->swaps_left--) {
		swap(w);
	} else if (what == 18 && below(&w->chance, 2)) {
		remove_entry(w);
	}
	loop_timer_start_ms(t, some_ms(&w->chance, 8000));
}

/* -- the worker --------------------------------------------------------------------------------------- */

static void *worker_main(void *arg)
{
	struct schedule *s = arg;

	vt_join();
	s->dialler.loop = loop_new();
	dialler_init(&s->dialler, &s->world, s->dialler.loop);
	sem_post(&s->started);
	loop_run(s->dialler.loop);
	dialler_done(&s->dialler);
	loop_free(s->dialler.loop);
	vt_leave();
	return NULL;
}

static void start_dialler(struct schedule *s)
{
	if (!s->has_worker) {
		dialler_init(&s->dialler, &s->world, s->world.loop);
		return;
	}
	sem_init(&s->started, 0, 0);
	if (pthread_create(&s->thread, NULL, worker_main, s) != 0)
		abort();
	sem_wait(&s->started);
}

/* -- one schedule ------------------------------------------------------------------------------------- */

static void world_init(struct world *w, const struct protocol *protocol, uint64_t seed)
{
	static const unsigned troubles[] = {0, 15, 30, 50, 80};

	w->protocol = protocol;
	w->seed = seed;
	w->chance.state = seed;
	pthread_mutex_init(&w->lock, NULL);
	w->loop = loop_new();
	w->trap_port = 0;
	w->trap_fd = port_bind(&w->trap_port);
	CHECK(listen(w->trap_fd, 16) == 0, "no trap");
	w->env = (struct overlay_env){
		.state_dir = scratch_path("state"), .control = w->loop, .changed = on_changed, .changed_arg = w};
	w->set = overlay_set_new();
	for (unsigned i = 0; i < PEERS; i++) {
		struct peer *p = &w->peers[i];

		peer_init(p, w->loop, &w->chance, i, troubles[below(&w->chance, ARRAY_LEN(troubles))]);
		p->world = w;
		if (seed >= STEP_SEEDS) {
			p->fault = (enum fault)((seed - STEP_SEEDS) / STEPS % FAULTS);
			p->at = (unsigned)(seed - STEP_SEEDS) % STEPS;
			p->trouble = 70;
		}
		protocol->open_peer(p);
		if (below(&w->chance, 8) == 0)
			peer_die(p);
	}
}

static void world_done(struct world *w)
{
	CHECK(accept(w->trap_fd, NULL, NULL) < 0 && errno == EAGAIN, "somebody came to the target's own address");
	CHECK(atomic_load(&lookups) == 0, "somebody asked the system's resolver");
	close(w->trap_fd);
	for (unsigned i = 0; i < w->nsecrets; i++)
		free(w->secrets[i]);
	pthread_mutex_destroy(&w->lock);
}

static void count(struct schedule *s)
{
	total.dials += s->dialler.dials;
	total.connected += s->dialler.connected;
	total.failed += s->dialler.failed;
	total.canceled += s->dialler.canceled;
	total.streams += s->dialler.streams;
	for (unsigned i = 0; i < SERVICES; i++) {
		total.readies += visitors.services[i].readies;
		total.visits += visitors.services[i].visits;
		total.listen_failures += visitors.services[i].failures;
	}
	for (unsigned i = 0; i < PEERS; i++) {
		total.deaths += s->world.peers[i].deaths;
		for (unsigned k = 0; k < FAULTS; k++)
			total.faults[k] += s->world.peers[i].faults[k];
	}
	total.virtual_ns += vt_now_ns() - VT_BEGIN_NS;
}

static void take_down(struct schedule *s)
{
	struct world *w = &s->world;

	schedule_stage = "taking down";
	run_for(w->loop, 20); /* what the worker's dials still have to say to the control thread */
	if (s->has_worker) {
		loop_stop(s->dialler.loop);
		pthread_join(s->thread, NULL);
		sem_destroy(&s->started);
	} else {
		dialler_done(&s->dialler);
	}
	for (unsigned i = 0; i < SERVICES; i++) {
		if (visitors.services[i].listener)
			service_unlisten(&visitors.services[i]);
	}
	services_end_guests();
	overlay_set_free(w->set);
	for (unsigned i = 0; i < w->ninstances; i++)
		overlay_unref(w->instances[i].overlay);
	for (unsigned i = 0; i < PEERS; i++) {
		if (w->protocol->close_peer)
			w->protocol->close_peer(&w->peers[i]);
		peer_done(&w->peers[i]);
	}
	run_for(w->loop, 5);
	count(s);
	loop_free(w->loop); /* asserts that nothing is left on it */
	world_done(w);
}

struct order {
	const struct protocol *protocol;
	uint64_t seed;
	bool has_worker;
};

/* On a thread of its own, so that what the program keeps for each thread begins anew, too. */
static void *run_schedule(void *arg)
{
	const struct order *order = arg;
	struct schedule *s = xcalloc(1, sizeof(*s));

	world = &s->world;
	vt_begin();
	vt_join();
	schedule_stage = "trouble";
	world_init(&s->world, order->protocol, order->seed);
	services_init(&s->world);
	s->has_worker = order->has_worker;
	s->steps_left = 5 + below(&s->world.chance, STEPS_MAX);
	s->swaps_left = SWAPS_MAX;
	swap(&s->world);
	start_dialler(s);
	loop_timer_init(&s->stepper, s->world.loop, on_step);
	loop_timer_start_ms(&s->stepper, 0);
	loop_run(s->world.loop);
	take_down(s);
	vt_leave();
	atomic_store(&vt.on, false);
	world = NULL;
	free(s);
	return NULL;
}

static void wait_for_fds(unsigned base)
{
	/* A thread of the program may still see to the end of a child. */
	for (unsigned i = 0; i < 4000 && count_fds() > base; i++)
		usleep(1000);
	CHECK(count_fds() <= base, "%u descriptors are left over", count_fds() - base);
}

static void on_alarm_clock(int signum)
{
	(void)signum;
	schedule_hung("it takes too long in real time: a hang");
}

static void run_one(const struct protocol *protocol, uint64_t seed, bool has_worker)
{
	struct order order = {protocol, seed, has_worker};
	pthread_t thread;

	alarm(SCHEDULE_REAL_S);
	if (pthread_create(&thread, NULL, run_schedule, &order) != 0)
		abort();
	pthread_join(thread, NULL);
	alarm(0);
	nftw(scratch_path("state"), scratch_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

/* Under a sanitizer each takes several times as long. */
static unsigned long default_count(bool has_worker)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return has_worker ? 20 : 60;
#else
	return has_worker ? 40 : 250;
#endif
}

static void run_schedules(const struct protocol *protocol, bool has_worker)
{
	const char *seed = getenv("SEED"), *n = getenv("SCHEDULES");
	uint64_t first = seed ? strtoull(seed, NULL, 10) : 1;
	unsigned long count = seed ? 1 : n ? strtoul(n, NULL, 10) : default_count(has_worker);
	size_t memory = 0;
	unsigned fds;

	run_one(protocol, 0, has_worker); /* opens what the loops of a program share */
	memset(&total, 0, sizeof(total));
	usleep(20000); /* its threads' last breath */
	fds = count_fds();
	for (unsigned long i = 0; i < count; i++) {
		if (i == count / 5)
			memory = mallinfo2().uordblks;
		run_one(protocol, first + i, has_worker);
		if (count_fds() != fds) {
			struct world left = {.seed = first + i, .lock = PTHREAD_MUTEX_INITIALIZER};

			world = &left;
			wait_for_fds(fds);
			world = NULL;
		}
	}
	printf("%s%s: seeds %llu-%llu, %.0f s of virtual time; %lu dials: %lu connected, %lu failed, %lu called off, "
	       "%lu "
	       "streams; %lu ready, %lu visits, %lu failed listeners; %lu swaps, %lu deaths\n",
		protocol->driver->label, has_worker ? " with a worker" : "", (unsigned long long)first,
		(unsigned long long)(first + count - 1), (double)total.virtual_ns / 1e9, total.dials, total.connected,
		total.failed, total.canceled, total.streams, total.readies, total.visits, total.listen_failures,
		total.swaps, total.deaths);
	if (count >= 100) {
		size_t now = mallinfo2().uordblks;

		/* Zero under a sanitizer, which has its own way to tell. */
		CHECK(now < memory + 16384, "memory grew by %zu bytes in %lu schedules", now - memory,
			count - count / 5);
		for (unsigned i = 1; i < FAULTS; i++)
			CHECK(i == FAULT_DRIP || total.faults[i] > 0, "fault %u never struck", i);
		CHECK(total.connected > count && total.failed > count && total.streams > count, "too little happened");
		CHECK(!protocol->visit || (total.visits > count && total.listen_failures > 0), "too little happened");
		for (unsigned i = 0; i <= OVERLAY_DOWN; i++)
			CHECK(total.states[i] > 0 || i == OVERLAY_STARTING, "never was %s", overlay_state_name(i));
	}
}

/* Each fault at each step of what a peer says: before the handshake, in its middle, with the stream. */
static void __attribute__((unused)) run_every_step(const struct protocol *protocol)
{
	if (getenv("SEED") || getenv("SCHEDULES"))
		return;
	memset(&total, 0, sizeof(total));
	for (unsigned i = STEPS; i < STEPS * FAULTS; i++)
		run_one(protocol, STEP_SEEDS + i, false);
	for (unsigned i = 1; i < FAULTS; i++)
		CHECK(i == FAULT_DRIP || total.faults[i] > 0, "fault %u never struck", i);
}

/* First in main(): the same addresses in every run, so that a seed is the same schedule again. */
static void schedules_begin(char **argv)
{
	int now = personality(0xffffffff);

	if (now >= 0 && !(now & ADDR_NO_RANDOMIZE) && personality((unsigned long)now | ADDR_NO_RANDOMIZE) >= 0)
		execv("/proc/self/exe", argv);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, on_alarm_clock);
	vt.hung = schedule_hung;
	log_set_sink(check_log, NULL, LOG_DEBUG);
}

#endif
