/* Making running code stop: interrupts from a signal, ends nothing can catch, deadlines of chunks. */
#include "lua_run.h"

#include <signal.h>
#include <sys/time.h>

#include "loop/loop.h"

static struct heap *interrupted_heap;
static struct task *doomed;
static struct failure *doom;
static int ticks_to_doom;

/* The thread sanitizer holds signals back until the program calls something it intercepts, and a bare loop never does. */
static void skip_without_signals(void)
{
#ifdef __SANITIZE_THREAD__
	skip();
#endif
}

static void on_alarm(int signum)
{
	(void)signum;
	heap_interrupt(interrupted_heap);
}

static void every_ms(struct heap *h, int ms)
{
	struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	struct itimerval t = {{0, ms * 1000}, {0, ms * 1000}};

	interrupted_heap = h;
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
}

/* Run until it stops being ready; how often it was interrupted. */
static unsigned run_interrupted(struct task *t, enum task_status *ret)
{
	unsigned n = 0;

	while ((*ret = task_run(t, 1000)) == TASK_READY) {
		n++;
		if (doomed == t && --ticks_to_doom == 0)
			task_fail(t, doom);
	}
	return n;
}

static void test_interrupt(void **state)
{
	static const struct lua_case cases[] = {
		{"local s = 0 for i = 1, 2e7 do s = s + i % 7 end return s", "60000003"},
		/* nested, protected, after waits */
		{"local c = channel.new() coroutine.spawn(function() c:send(1) end) local f = "
		 "coroutine.wrap(function() c:receive() "
		 "local s = 0 for i = 1, 2e7 do s = s + 1 end coroutine.yield(s) end) local ok, s = pcall(f) return s",
			"20000000"},
		/* where it cannot yield it goes on */
		{"local n = 0 local t = {} for i = 1, 3e5 do t[i] = i * 7919 % 300007 end table.sort(t, function(a, b) "
		 "n = n + 1 return a < b end) "
		 "for i = 2, #t do if t[i - 1] > t[i] then return 'unsorted' end end return 'sorted'",
			"sorted"},
		{"local s = 0 local mt = { __index = function(t, k) local x = 0 for i = 1, 1e6 do x = x + 1 end return "
		 "x end } "
		 "for i = 1, 20 do s = s + setmetatable({}, mt).x end return s",
			"20000000"},
	};
	struct heap *h = make_heap(0, NULL);
	unsigned interrupts = 0;

	(void)state;
	every_ms(h, 2);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *source = xasprintf("return { main = function() %s end }", cases[i].body);
		struct instance *in = make_instance(h, source);
		enum task_status st;
		struct task t;

		start_task(&t, &plain_ops, in, NULL);
		interrupts += run_interrupted(&t, &st);
		assert_string_equal(show_task(&t, st), cases[i].want);
		task_done(&t);
		instance_free(in);
		free(source);
	}
	every_ms(h, 0);
	print_message("%u interrupts\n", interrupts);
	assert_true(interrupts > 10);
	heap_free(h);
}

/* Two endless ones take turns with a third that ends. */
static void test_fairness(void **state)
{
	struct heap *h = make_heap(0, NULL);
	struct instance *busy =
		make_instance(h, "return { main = function() coroutine.spawn(function() while true do end end) "
				 "local n = 0 while n < 3 do n = n + 1 coroutine.yield() end return n end }");
	enum task_status st;
	struct task t;

	(void)state;
	skip_without_signals();
	every_ms(h, 2);
	start_task(&t, &plain_ops, busy, NULL);
	run_interrupted(&t, &st);
	every_ms(h, 0);
	assert_string_equal(show_task(&t, st), "3");
	task_done(&t);
	instance_free(busy);
	heap_free(h);
}

/* The end of a process cannot be caught, whatever it is doing. */
static int l_end(lua_State *L)
{
	task_fail(task_current(L), doom);
	return 0;
}

static int end_open(lua_State *L)
{
	lua_pushcfunction(L, l_end);
	return 1;
}

static const struct module modules[] = {{"die", end_open, true}};
static const struct module_list module_list = {modules, 1};

static void test_uncatchable(void **state)
{
	static const char *const bodies[] = {
		"die() while true do end",
		"pcall(function() die() while true do end end) return 'caught'",
		"xpcall(function() die() while true do end end, function() return 1 end) return 'caught'",
		"while true do pcall(die) end",
		"local co = coroutine.create(function() die() while true do end end) coroutine.resume(co) return "
		"'caught'",
		"pcall(coroutine.wrap(function() die() while true do end end)) return 'caught'",
		"pcall(table.sort, { 1, 2, 3 }, function() die() while true do end end) while true do end",
		"while true do pcall(string.gsub, 'x', 'x', function() die() while true do end end) end",
		"xpcall(error, function() die() while true do end end) return 'caught'",
		"local mt = { __index = function() die() while true do end end } "
		"while true do pcall(function() return setmetatable({}, mt).x end) end",
		"coroutine.spawn(function() die() end) while true do end",
	};
	struct heap *h = make_heap(0, &module_list);

	(void)state;
	doom = failure_new("Internal", ERR_RETRY_UNKNOWN, "process terminated", 18, NULL, NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		const char *got = run_body(h, bodies[i]);

		if (strcmp(got, "failed: process terminated") != 0)
			fail_msg("%s\ngot: %s", bodies[i], got);
	}
	failure_unref(doom);
	heap_free(h);
}

/* The owner ends it while it is resting between interrupts. */
static void test_killed_between(void **state)
{
	struct heap *h = make_heap(0, NULL);
	struct instance *in = make_instance(
		h, "return { main = function() while true do pcall(function() while true do end end) end end }");
	enum task_status st;
	struct task t;

	(void)state;
	skip_without_signals();
	doom = failure_new("Internal", ERR_RETRY_UNKNOWN, "process terminated", 18, NULL, NULL, NULL);
	doomed = &t;
	ticks_to_doom = 3;
	every_ms(h, 2);
	start_task(&t, &plain_ops, in, NULL);
	assert_int_equal(run_interrupted(&t, &st), 3);
	every_ms(h, 0);
	assert_string_equal(show_task(&t, st), "failed: process terminated");
	task_done(&t);
	instance_free(in);
	doomed = NULL;
	failure_unref(doom);
	heap_free(h);
}

static void test_chunk_deadline(void **state)
{
	static const char *const sources[] = {
		"while true do end",
		"coroutine.wrap(function() while true do end end)()",
	};
	struct heap *h = make_heap(0, NULL);
	struct instance *in;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		struct code *c = make_code("app:slow", sources[i], "main");

		assert_int_equal(instance_new(h, c, loop_clock_ns() + 20000000, &in, &e), -1);
		assert_int_equal(e.kind, ERR_INTERNAL);
		assert_non_null(strstr(e.text, "ran too long"));
		code_unref(c);
	}
	/* No hook is left behind: the same heap runs on at full speed and without a deadline. */
	assert_string_equal(run_body(h, "local s = 0 for i = 1, 1e6 do s = s + 1 end return s"), "1000000");
	heap_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_fairness),
		cmocka_unit_test(test_uncatchable),
		cmocka_unit_test(test_killed_between),
		cmocka_unit_test(test_chunk_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
