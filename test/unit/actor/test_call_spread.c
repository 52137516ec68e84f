/* Calls on another worker: which one is chosen, how the answer comes home, and what a caller that goes away leaves behind. */
#include "workers_fixture.h"

#include <time.h>

#include "actor/call_spread.h"

/* The thread sanitizer holds signals back until the program calls something it intercepts, which a bare loop never does. */
#ifdef __SANITIZE_THREAD__
#define SPIN "for _ = 1, 100000000 do end"
#else
#define SPIN "while true do end"
#endif

enum { WORKERS = 3, HERE = 0, THERE = 1 };

struct bench {
	struct scheduler *sched;
	struct frame *frame;
};

static int setup(void **state)
{
	struct frame_network net = frame_choose_network(NULL, NULL, NULL, NULL);
	struct bench *b = xcalloc(1, sizeof(*b));

	b->sched = workers_start(WORKERS);
	b->frame = frame_derive(NULL, &(struct frame_edge){0}, &net);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	workers_stop(b->sched);
	frame_unref(b->frame);
	free(b);
	return 0;
}

static struct program *make_function(struct scheduler *s, const char *body, unsigned calls_max)
{
	char *source = xasprintf("return { main = function(...) %s end }", body);
	struct code_spec cs = {.id = "app:f", .source = source, .source_len = strlen(source), .method = "main"};
	struct code *c = NULL;
	struct program *p;
	struct err e;

	if (code_new(&cs, &c, &e) < 0)
		fail_msg("%s: %s", source, e.text);
	p = program_new(
		s, &(struct program_spec){.type = PROGRAM_FUNCTION, .id = "app:f", .code = c, .calls_max = calls_max});
	code_unref(c);
	free(source);
	return p;
}

/* -- which worker -------------------------------------------------------------------------------------- */

struct placing {
	struct bench *b;
	struct program *program;
	unsigned queued;        /* here */
	unsigned load[WORKERS]; /* of the others */
	unsigned incoming[WORKERS];
	unsigned chosen;
};

/* On the worker that asks. The others sleep, so what they published stays as it is set. */
static void place(void *arg)
{
	struct placing *p = arg;
	struct worker *here = scheduler_worker(p->b->sched, HERE);
	unsigned queued = here->queued;

	for (unsigned i = HERE + 1; i < scheduler_nworkers(p->b->sched); i++) {
		atomic_store(&scheduler_worker(p->b->sched, i)->load, p->load[i]);
		atomic_store(&scheduler_worker(p->b->sched, i)->incoming, p->incoming[i]);
	}
	here->queued = p->queued;
	p->chosen = call_place(here, p->program)->index;
	here->queued = queued;
	for (unsigned i = HERE + 1; i < scheduler_nworkers(p->b->sched); i++) {
		atomic_store(&scheduler_worker(p->b->sched, i)->load, 0);
		atomic_store(&scheduler_worker(p->b->sched, i)->incoming, 0);
	}
}

static void the_least_busy_worker_is_chosen(void **state)
{
	static const struct {
		enum program_cost cost;
		unsigned calls_max, queued, load[WORKERS], incoming[WORKERS], chosen;
	} cases[] = {
		/* Nothing to do here: no reason to ask anybody. */
		{COST_HEAVY, 9, 0, {0, 0, 0}, {0, 0, 0}, HERE},
		{COST_HEAVY, 9, 1, {0, 0, 0}, {0, 0, 0}, 1},
		{COST_UNKNOWN, 9, 1, {0, 0, 0}, {0, 0, 0}, 1},
		/* Quick ones stay, and those that run one after the other. */
		{COST_LIGHT, 9, 50, {0, 0, 0}, {0, 0, 0}, HERE},
		{COST_HEAVY, 1, 50, {0, 0, 0}, {0, 0, 0}, HERE},
		{COST_HEAVY, 2, 50, {0, 0, 0}, {0, 0, 0}, 1},
		{COST_HEAVY, 9, 5, {0, 4, 3}, {0, 0, 0}, 2},
		{COST_HEAVY, 9, 5, {0, 3, 4}, {0, 0, 0}, 1},
		/* What is on its way counts. */
		{COST_HEAVY, 9, 5, {0, 1, 1}, {0, 3, 0}, 2},
		{COST_HEAVY, 9, 5, {0, 2, 2}, {0, 3, 3}, HERE},
		/* As busy as here is no better. */
		{COST_HEAVY, 9, 5, {0, 5, 6}, {0, 0, 0}, HERE},
	};
	struct bench *b = *state;

	for (unsigned i = 0; i < WORKERS; i++)
		settle(b->sched, i);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct placing p = {.b = b, .queued = cases[i].queued};

		p.program = make_function(b->sched, "return 1", cases[i].calls_max);
		atomic_store(&p.program->cost, cases[i].cost);
		memcpy(p.load, cases[i].load, sizeof(p.load));
		memcpy(p.incoming, cases[i].incoming, sizeof(p.incoming));
		on_worker(b->sched, HERE, place, &p);
		program_unref(p.program);
		if (p.chosen != cases[i].chosen)
			fail_msg("case %zu: worker %u, expected %u", i, p.chosen, cases[i].chosen);
	}
}

static void alone_there_is_no_choice(void **state)
{
	struct bench b = {.sched = workers_start(1)};
	struct placing p = {.b = &b, .queued = 50, .chosen = 9, .program = make_function(b.sched, "return 1", 9)};

	(void)state;
	on_worker(b.sched, HERE, place, &p);
	assert_int_equal(p.chosen, HERE);
	program_unref(p.program);
	workers_stop(b.sched);
}

/* -- calls --------------------------------------------------------------------------------------------- */

struct asking {
	struct bench *b;
	struct program *program;
	struct packed *args;
	struct remote_call *call;
	struct call *own;
	unsigned answers;
	struct worker *answered_on;
	bool cancel_at_once;
	int rc;
	char text[256]; /* the value, or "kind: message" */
	sem_t answered;
	struct err err;
};

static void on_answer(void *arg, struct packed *value, struct failure *failure)
{
	struct asking *a = arg;
	struct value *v = packed_to_value(value, 0);

	a->answers++;
	a->answered_on = worker_current();
	if (failure)
		snprintf(a->text, sizeof(a->text), "%s: %s", failure->kind, failure->message);
	else if (value_type(v) == VALUE_INT)
		snprintf(a->text, sizeof(a->text), "%lld", (long long)value_get_int(v));
	else
		snprintf(a->text, sizeof(a->text), "%s", value_type_name(v));
	value_unref(v);
	sem_post(&a->answered);
}

static void ask(void *arg)
{
	struct asking *a = arg;

	a->call = remote_call_start(
		worker_current(), scheduler_worker(a->b->sched, THERE), a->program, a->b->frame, a->args, on_answer, a);
	if (a->cancel_at_once)
		remote_call_cancel(a->call);
}

static void go_away(void *arg)
{
	remote_call_cancel(((struct asking *)arg)->call);
}

static void begin(struct asking *a, struct bench *b, struct program *p)
{
	*a = (struct asking){.b = b, .program = p, .cancel_at_once = a->cancel_at_once};
	sem_init(&a->answered, 0, 0);
	on_worker(b->sched, HERE, ask, a);
}

static void the_answer_comes_home(void **state)
{
	static const struct {
		const char *body, *text;
	} cases[] = {
		{"return 42", "42"},
		{"return", "nil"},
		{"return {}", "map"},
		{"error('broken')", "broken"},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct program *p = make_function(b->sched, cases[i].body, 9);
		struct asking a = {0};

		begin(&a, b, p);
		sem_wait(&a.answered);
		if (!strstr(a.text, cases[i].text) && !(i == 2 && strcmp(a.text, "list") == 0))
			fail_msg("%s: %s", cases[i].body, a.text);
		assert_ptr_equal(a.answered_on, scheduler_worker(b->sched, HERE));
		settle(b->sched, HERE);
		assert_int_equal(a.answers, 1);
		assert_int_equal(atomic_load(&scheduler_worker(b->sched, THERE)->incoming), 0);
		call_pool_close(p);
		program_unref(p);
	}
}

static void start_here(void *arg)
{
	struct asking *a = arg;

	a->rc = call_start_current(worker_current(), a->program, a->b->frame, NULL, on_answer, a, &a->own, &a->err);
}

static void a_changed_function_is_called_as_it_is_now(void **state)
{
	struct bench *b = *state;
	struct program *old = make_function(b->sched, "return 1", 9), *fresh = make_function(b->sched, "return 2", 9);
	struct asking a = {.b = b, .program = old};

	sem_init(&a.answered, 0, 0);
	program_unref(programs_put(scheduler_programs(b->sched), program_ref(old)));
	call_pool_close(old);
	/* Closed, and still the one that is known: it is on its way out. */
	on_worker(b->sched, HERE, start_here, &a);
	assert_int_equal(a.rc, -1);
	assert_int_equal(a.err.kind, ERR_UNAVAILABLE);
	assert_string_equal(a.err.text, "pool is closed");
	/* From afar the same is an answer. */
	begin(&a, b, old);
	sem_wait(&a.answered);
	assert_non_null(strstr(a.text, "pool is closed"));
	program_unref(programs_put(scheduler_programs(b->sched), program_ref(fresh)));
	on_worker(b->sched, HERE, start_here, &a);
	assert_int_equal(a.rc, 0);
	sem_wait(&a.answered);
	assert_string_equal(a.text, "2");
	begin(&a, b, old);
	sem_wait(&a.answered);
	assert_string_equal(a.text, "2");
	settle(b->sched, HERE);
	program_unref(programs_remove(scheduler_programs(b->sched), "app:f"));
	call_pool_close(fresh);
	program_unref(fresh);
	program_unref(old);
}

/* Until nothing runs there any more, at most ten seconds. */
static bool is_quiet(struct scheduler *s)
{
	const struct timespec a_moment = {.tv_nsec = 1000000};

	for (unsigned i = 0; i < 10000; i++) {
		if (scheduler_nprocesses(s) == 0)
			return true;
		nanosleep(&a_moment, NULL);
	}
	return false;
}

static void who_went_away_hears_nothing(void **state)
{
	static const char *const bodies[] = {SPIN, "return 1"};
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct program *p = make_function(b->sched, bodies[i], 9);
		struct asking a = {.cancel_at_once = true};

		/* Before it began... */
		begin(&a, b, p);
		assert_true(is_quiet(b->sched));
		settle(b->sched, THERE);
		settle(b->sched, HERE);
		assert_int_equal(a.answers, 0);
		/* ...and while it runs: nothing but that ends the endless one. */
		if (i == 0) {
			a.cancel_at_once = false;
			begin(&a, b, p);
			for (unsigned n = 0; n < 100000 && scheduler_nprocesses(b->sched) == 0; n++)
				settle(b->sched, HERE);
			on_worker(b->sched, HERE, go_away, &a);
			assert_true(is_quiet(b->sched));
			settle(b->sched, THERE);
			settle(b->sched, HERE);
			assert_int_equal(a.answers, 0);
		}
		assert_int_equal(atomic_load(&scheduler_worker(b->sched, THERE)->incoming), 0);
		call_pool_close(p);
		program_unref(p);
	}
	remote_call_cancel(NULL);
}

/* The answer is on its way when the caller goes: it finds nobody, and everything is freed all the same. */
static void late(void *arg)
{
	const struct timespec long_enough = {.tv_nsec = 50000000};

	ask(arg);
	nanosleep(&long_enough, NULL);
	go_away(arg);
}

static void an_answer_on_its_way_is_dropped(void **state)
{
	struct bench *b = *state;
	struct program *p = make_function(b->sched, "return 1", 9);
	struct asking a = {.b = b, .program = p};

	sem_init(&a.answered, 0, 0);
	on_worker(b->sched, HERE, late, &a);
	assert_true(is_quiet(b->sched));
	settle(b->sched, THERE);
	settle(b->sched, HERE);
	assert_int_equal(a.answers, 0);
	call_pool_close(p);
	program_unref(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_least_busy_worker_is_chosen, setup, teardown),
		cmocka_unit_test(alone_there_is_no_choice),
		cmocka_unit_test_setup_teardown(the_answer_comes_home, setup, teardown),
		cmocka_unit_test_setup_teardown(a_changed_function_is_called_as_it_is_now, setup, teardown),
		cmocka_unit_test_setup_teardown(who_went_away_hears_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(an_answer_on_its_way_is_dropped, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
