/* The supervisor with services that do as they are told: order, restarts, time limits. What happens is written down as a line of words. */
#include "app_run.h"
#include "service/supervisor.h"

static struct buf said;
static struct runtime *rt;

/* What a service does; its name stands for it in `said`. */
struct plan {
	const char *name;
	unsigned fails;   /* so many starts fail */
	bool never_ready; /* the start never ends */
	bool final;       /* a failure that is not to be retried */
	bool stays;       /* the stop never ends */
	unsigned starts;
};

static void say(const char *what, const struct plan *p)
{
	buf_addf(&said, "%s%s%s", buf_len(&said) ? " " : "", what, p->name);
}

static void plan_start(struct service *s)
{
	struct plan *p = service_self(s);
	struct err e;

	say("+", p);
	p->starts++;
	if (p->never_ready)
		return;
	if (p->starts > p->fails) {
		service_started(s);
		return;
	}
	err_set(&e, ERR_INTERNAL, "told to fail");
	e.retry = p->final ? ERR_RETRY_NO : ERR_RETRY_UNKNOWN;
	service_failed(s, &e);
}

static void plan_stop(struct service *s)
{
	struct plan *p = service_self(s);

	say("-", p);
	if (!p->stays)
		service_stopped(s);
}

static void plan_abandon(struct service *s)
{
	say("!", service_self(s));
}

static const struct service_ops ops = {
	.start = plan_start, .stop = plan_stop, .abandon = plan_abandon, .stop_is_unbounded = true};

static int set_up(void **state)
{
	static const struct kind_list no_kinds;
	struct runtime_config cfg = {.workers = 1, .kinds = &no_kinds, .modules = &app_run_modules};
	struct err e;

	(void)state;
	buf_init(&said);
	return runtime_new(&cfg, &rt, &e);
}

static int tear_down(void **state)
{
	(void)state;
	runtime_free(rt);
	buf_done(&said);
	return 0;
}

static void add(struct plan *p, const char *lifecycle, const char *needs)
{
	struct entry *entries[APP_ENTRIES_MAX];
	char *yaml = xasprintf("- {name: %s, kind: plan, lifecycle: {%s}}\n", p->name, lifecycle);
	struct err e;
	size_t n = 0;

	app_entries(yaml, entries, &n);
	if (supervisor_add_needing(rt->supervisor, entries[0], needs, &ops, p, NULL, &e) < 0)
		fail_msg("%s", e.text);
	entry_unref(entries[0]);
	free(yaml);
}

static void on_time(struct loop_timer *t)
{
	loop_stop(t->loop);
}

static void turn_for(uint64_t ms)
{
	struct loop_timer t;

	loop_timer_init(&t, rt->loop, on_time);
	loop_timer_start_ms(&t, ms);
	loop_run(rt->loop);
}

static void stopped(void *arg)
{
	*(bool *)arg = true;
	loop_stop(rt->loop);
}

static void stop_all(void)
{
	bool done = false;

	supervisor_stop(rt->supervisor, stopped, &done);
	assert_false(done); /* later, never from within */
	loop_run(rt->loop);
	assert_true(done);
}

static void expect_said(const char *want)
{
	assert_string_equal(buf_str(&said), want);
	buf_clear(&said);
}

static enum service_state state_of(const struct plan *p)
{
	char *id = xasprintf("app:%s", p->name);
	enum service_state st = service_state(supervisor_find(rt->supervisor, id));

	free(id);
	return st;
}

static void test_order(void **state)
{
	struct plan a = {.name = "a"}, b = {.name = "b"}, c = {.name = "c"}, d = {.name = "d"}, e = {.name = "e"};

	(void)state;
	add(&a, "auto_start: true, requires: [b]", NULL);
	add(&b, "depends_on: ['app:c']", NULL);
	add(&c, "", NULL);                          /* started because it is needed */
	add(&d, "", NULL);                          /* not needed */
	add(&e, "auto_start: true", "app:nothing"); /* a reference to what is no service is ignored */
	supervisor_start(rt->supervisor);
	expect_said("+c +e +b +a");
	assert_int_equal(state_of(&d), SERVICE_UNKNOWN);
	stop_all();
	expect_said("-a -b -c -e"); /* c after b after a; e any time */
}

static void test_missing_and_cycles(void **state)
{
	struct plan a = {.name = "a"}, b = {.name = "b"}, c = {.name = "c"}, d = {.name = "d"}, e = {.name = "e"};

	(void)state;
	add(&a, "auto_start: true, requires: [gone]", NULL);
	add(&b, "auto_start: true, requires: [a]", NULL);
	add(&c, "auto_start: true, requires: [d]", NULL);
	add(&d, "auto_start: true, requires: [c]", NULL);
	add(&e, "auto_start: true", NULL);
	supervisor_start(rt->supervisor);
	expect_said("+e");
	stop_all();
	expect_said("-e");
}

static void test_restart(void **state)
{
	struct plan a = {.name = "a", .fails = 3}, b = {.name = "b"};

	(void)state;
	add(&a, "auto_start: true, restart: {initial_delay: 20ms, backoff_factor: 2, jitter: 0.01}", NULL);
	add(&b, "auto_start: true, requires: [a]", NULL);
	supervisor_start(rt->supervisor);
	expect_said("+a");
	assert_int_equal(state_of(&a), SERVICE_FAILED);
	turn_for(10);
	expect_said("");
	turn_for(30); /* at 20 */
	expect_said("+a");
	turn_for(10); /* the next is at 60, then at 140 */
	expect_said("");
	turn_for(200);
	expect_said("+a +a +b");
	assert_int_equal(state_of(&b), SERVICE_RUNNING);
}

static void fail_running(struct plan *p, enum err_retry retry)
{
	char *id = xasprintf("app:%s", p->name);
	struct err e;

	err_set(&e, ERR_INTERNAL, "broke");
	e.retry = retry;
	service_failed(supervisor_find(rt->supervisor, id), &e);
	free(id);
}

static void test_attempts(void **state)
{
	struct plan a = {.name = "a", .fails = 100}, b = {.name = "b"};
	const char *lifecycle =
		"auto_start: true, stable_threshold: 50ms, restart: {initial_delay: 1ms, max_attempts: 3}";

	(void)state;
	add(&a, lifecycle, NULL);
	add(&b, lifecycle, NULL);
	supervisor_start(rt->supervisor);
	turn_for(50);
	expect_said("+a +b +a +a"); /* three runs and no more */
	assert_int_equal(state_of(&a), SERVICE_FAILED);
	/* Running long enough wipes out what was before: three more runs. */
	for (int i = 0; i < 2; i++) {
		fail_running(&b, ERR_RETRY_UNKNOWN);
		turn_for(15);
	}
	expect_said("+b +b");
	turn_for(60);
	for (int i = 0; i < 4; i++) {
		if (state_of(&b) == SERVICE_RUNNING)
			fail_running(&b, ERR_RETRY_UNKNOWN);
		turn_for(15);
	}
	expect_said("+b +b +b");
	assert_int_equal(state_of(&b), SERVICE_FAILED);
}

static void test_final(void **state)
{
	struct plan a = {.name = "a", .fails = 9, .final = true}, b = {.name = "b"};
	const char *lifecycle = "auto_start: true, restart: {initial_delay: 1ms}";

	(void)state;
	add(&a, lifecycle, NULL);
	add(&b, lifecycle, NULL);
	supervisor_start(rt->supervisor);
	turn_for(30);
	expect_said("+a +b");
	assert_int_equal(state_of(&a), SERVICE_EXITED);
	service_exited(supervisor_find(rt->supervisor, "app:b"));
	turn_for(30);
	expect_said("");
	assert_int_equal(state_of(&b), SERVICE_EXITED);
}

static void test_timeouts(void **state)
{
	struct plan a = {.name = "a", .never_ready = true}, b = {.name = "b", .stays = true};

	(void)state;
	add(&a, "auto_start: true, start_timeout: 20ms, restart: {initial_delay: 1ms, max_attempts: 2}", NULL);
	add(&b, "auto_start: true, stop_timeout: 20ms", NULL);
	supervisor_start(rt->supervisor);
	turn_for(100);
	expect_said("+a +b !a +a !a");
	assert_int_equal(state_of(&a), SERVICE_FAILED);
	stop_all(); /* ends although b does not */
	expect_said("-b");
	assert_int_equal(state_of(&b), SERVICE_FAILED);
}

/* A restart that is due does not happen any more once all is stopping. */
static void test_stop_while_waiting(void **state)
{
	struct plan a = {.name = "a", .fails = 9};

	(void)state;
	add(&a, "auto_start: true, restart: {initial_delay: 5ms}", NULL);
	supervisor_start(rt->supervisor);
	expect_said("+a");
	stop_all();
	turn_for(30);
	expect_said("");
}

static void test_remove(void **state)
{
	struct plan a = {.name = "a", .fails = 9}, b = {.name = "b"};

	(void)state;
	add(&a, "auto_start: true, restart: {initial_delay: 5ms}", NULL);
	add(&b, "auto_start: true", NULL);
	supervisor_start(rt->supervisor);
	supervisor_remove(rt->supervisor, "app:a");
	supervisor_remove(rt->supervisor, "app:b");
	turn_for(30);
	expect_said("+a +b -b");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_order),
		CASE(test_missing_and_cycles),
		CASE(test_restart),
		CASE(test_attempts),
		CASE(test_final),
		CASE(test_timeouts),
		CASE(test_stop_while_waiting),
		CASE(test_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
