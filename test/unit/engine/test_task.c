/* Tasks and coroutines: results, waits through every layer, and ends. */
#include "lua_run.h"

static void test_results(void **state)
{
	static const struct lua_case cases[] = {
		{"return", "nothing"},
		{"return nil", "null"},
		{"return 1, 2, 3", "1"},
		{"return 'a', 'b'", "failed: b"},
		{"return 1, errors.new({ message = 'gone', kind = 'NotFound' })", "failed NotFound: gone"},
		{"return nil, errors.new('plain')", "failed: plain"},
		{"return 1, false", "1"},
		{"return 1, {}", "1"},
		{"return 1, nil, 'x'", "1"},
		{"return print, 5", "null"},
		{"error(errors.new({ message = 'm', kind = 'Odd' }))", "failed Odd: m"},
		{"error()", "failed: nil"},
		{"error(setmetatable({}, { __tostring = function() return 'table text' end }))", "failed: table text"},
		{"error(setmetatable({}, { __tostring = function() error('in text') end }))", "~in text"},
		{"coroutine.spawn(function() error('child') end) coroutine.yield() return 1",
			"failed: app:test:1: child"},
		{"coroutine.spawn(function() return 1, 'ignored' end) return 'main'", "main"},
		{"coroutine.spawn(function() channel.new():receive() end) return 'main'", "main"},
		{"local x = nil x.y = 1", "~failed: app:test:1: attempt to index a nil value"},
	};

	(void)state;
	check_cases(cases, ARRAY_LEN(cases));
}

static void test_coroutines(void **state)
{
	static const struct lua_case cases[] = {
		{"local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) return b * 2 end) "
		 "local _, x = coroutine.resume(co, 1) local _, y = coroutine.resume(co, 10) return { x, y, "
		 "coroutine.status(co) }",
			"[2,20,\"dead\"]"},
		{"local f = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) return { f(), f(), "
		 "f() }",
			"[1,2,3]"},
		{"local co = coroutine.create(function() end) coroutine.resume(co) return { coroutine.resume(co) }",
			"[false,\"can not resume a dead thread\"]"},
		{"local co co = coroutine.create(function() return coroutine.resume(co) end) return { select(2, "
		 "coroutine.resume(co)) }",
			"[false,\"can not resume a running thread\"]"},
		{"local f = coroutine.wrap(function() end) f() f()",
			"failed: app:test:1: can not resume a dead thread"},
		{"local co = coroutine.create(function() error('x') end) return { coroutine.resume(co) }",
			"[false,\"app:test:1: x\"]"},
		{"local co = coroutine.create(function() error({ 'obj' }) end) return select(2, coroutine.resume(co))",
			"[\"obj\"]"},
		{"local f = coroutine.wrap(function() error(errors.new('obj')) end) local ok, e = pcall(f) return "
		 "e:message()",
			"obj"},
		{"coroutine.create(5)", "~function expected, got number"},
		{"coroutine.resume(5)", "~thread expected"},
		{"coroutine.spawn('x')", "~function expected"},
		{"return type(coroutine.running()) .. coroutine.status(coroutine.running())", "threadrunning"},
		{"local co co = coroutine.create(function() return coroutine.status(co) end) return select(2, "
		 "coroutine.resume(co))",
			"running"},
		{"local outer = coroutine.running() local co = coroutine.create(function() return "
		 "coroutine.status(outer) end) "
		 "return select(2, coroutine.resume(co))",
			"normal"},
		{"return { coroutine.resume(coroutine.running()) }", "[false,\"can not resume a running thread\"]"},
		{"local th = coroutine.spawn(function() channel.new():receive() end) return { coroutine.resume(th) }",
			"[false,\"can not resume a running thread\"]"},
		{"local th = coroutine.spawn(function() end) return { coroutine.resume(th) }",
			"[false,\"can not resume a dead thread\"]"},
		/* a spawned one runs until it blocks before spawn returns */
		{"local t = {} coroutine.spawn(function() t[1] = 'child' coroutine.yield() t[3] = 'child' end) t[2] = "
		 "'main' coroutine.yield() return t",
			"[\"child\",\"main\",\"child\"]"},
		{"local n = 0 coroutine.spawn(function(...) n = select('#', ...) end, 1, 2) return n", "0"},
		/* FIFO */
		{"local t = {} for i = 1, 3 do coroutine.spawn(function() for k = 1, 2 do t[#t + 1] = i "
		 "coroutine.yield() end end) end "
		 "for i = 1, 4 do coroutine.yield() end return table.concat(t)",
			"123123"},
		{"return select('#', coroutine.yield(1, 2))", "0"},
		{"return coroutine.isyieldable == nil and coroutine.close == nil", "true"},
		{"local function deep(n) if n == 0 then return 0 end return 1 + deep(n - 1) end return deep(15000)",
			"15000"},
		{"local function loop() return 1 + loop() end local ok, e = pcall(loop) return e", "~stack overflow"},
		{"local t = {} for i = 1, 2000 do t[i] = coroutine.wrap(function() coroutine.yield(i) end) end local s "
		 "= 0 "
		 "for i = 1, 2000 do s = s + t[i]() end return s",
			"2001000"},
	};

	(void)state;
	check_cases(cases, ARRAY_LEN(cases));
}

/* A wait suspends everything between it and the scheduler, and everything goes on afterwards. */
static void test_transparent_waits(void **state)
{
	static const struct lua_case cases[] = {
		{"local c = channel.new() coroutine.spawn(function() c:send(5) end) "
		 "local co = coroutine.create(function() local v = c:receive() coroutine.yield(v) return v + 1 end) "
		 "local _, a = coroutine.resume(co) local _, b = coroutine.resume(co) return { a, b }",
			"[5,6]"},
		{"local c = channel.new() local ok, e = pcall(function() coroutine.spawn(function() c:send('v') end) "
		 "error(c:receive(), 0) end) "
		 "return tostring(ok) .. e",
			"falsev"},
		{"local c = channel.new() coroutine.spawn(function() c:send('deep') end) "
		 "local f = coroutine.wrap(function() return coroutine.wrap(function() local ok, v = pcall(function() "
		 "return (coroutine.wrap(function() return c:receive() end)()) end) return v end)() end) return f()",
			"deep"},
		/* another coroutine cannot resume what is blocked inside */
		{"local c, r = channel.new() local co = coroutine.create(function() return c:receive() end) "
		 "coroutine.spawn(function() coroutine.resume(co) end) local ok, e = coroutine.resume(co) c:send(1) "
		 "return e",
			"can not resume a running thread"},
		{"local c = channel.new() coroutine.spawn(function() c:send(1) end) "
		 "return { xpcall(function() c:receive() error('after', 0) end, function(e) return 'handled ' .. e "
		 "end) }",
			"[false,\"handled after\"]"},
		{"local r = { xpcall(function() error('x', 0) end, function(e) error('y', 0) end) } return r",
			"[false,\"y\"]"},
		{"return { xpcall(function(...) return select('#', ...) end, print, 1, 2) }", "[true,0]"},
		{"return { pcall(5) }", "[false,\"attempt to call a number value\"]"},
		{"local e = errors.new('same') local ok, got = pcall(error, e) return got == e", "true"},
		{"pcall()", "~bad argument #1 to pcall"},
		{"table.sort({ 2, 1 }, function(a, b) coroutine.yield() return a < b end)", "~cannot yield inside"},
		{"local c = channel.new() table.sort({ 2, 1 }, function(a, b) c:receive() return a < b end)",
			"~cannot wait inside"},
		{"local c = channel.new() return setmetatable({}, { __index = function() return (c:receive()) end }).x",
			"~deadlock"},
		{"local c = channel.new() return (('x'):gsub('x', function() return (c:receive()) end))",
			"~cannot wait inside"},
		/* a nest inside a callback cannot wait either */
		{"local c = channel.new() table.sort({ 2, 1 }, function(a, b) coroutine.wrap(function() c:receive() "
		 "end)() return a < b end)",
			"~cannot wait inside"},
		/* but it can yield to its own resume */
		{"local t = { 2, 1 } table.sort(t, function(a, b) return coroutine.wrap(function() coroutine.yield(a < "
		 "b) end)() end) return t",
			"[1,2]"},
		{"local n = 0 table.sort({ 2, 1 }, function(a, b) coroutine.spawn(function() n = n + 1 end) return a < "
		 "b end) coroutine.yield() return n > 0",
			"true"},
	};

	(void)state;
	check_cases(cases, ARRAY_LEN(cases));
}

/* -- pendings ------------------------------------------------------------------------------------------ */

static struct pending *operation; /* the one that was started last */
static unsigned cancelled, finished;

static void cancel_operation(struct pending *p)
{
	cancelled++;
	free(p);
}

static int finish_operation(lua_State *L, struct pending *p)
{
	finished++;
	free(p);
	lua_pushliteral(L, "finished");
	return 1;
}

static int l_operate(lua_State *L)
{
	operation = xcalloc(1, sizeof(*operation));
	operation->cancel = cancel_operation;
	if (lua_toboolean(L, 1))
		pending_ready(operation);
	return wait_for(L, operation, finish_operation);
}

static int operate_open(lua_State *L)
{
	lua_pushcfunction(L, l_operate);
	return 1;
}

static int l_hand(lua_State *L)
{
	lua_settop(L, 1);
	lua_pushliteral(L, "handed");
	return end_turn(L, 2);
}

static int hand_open(lua_State *L)
{
	lua_pushcfunction(L, l_hand);
	return 1;
}

static const struct module modules[] = {{"operate", operate_open, true}, {"hand", hand_open, true}};
static const struct module_list module_list = {modules, 2};

static void test_pending(void **state)
{
	struct heap *h = make_heap(0, &module_list);
	struct instance *in = make_instance(h, "return { main = function() return operate() .. operate(true) end }");
	struct task t;

	(void)state;
	cancelled = finished = wakes = 0;
	start_task(&t, &plain_ops, in, NULL);
	assert_int_equal(run_task(&t), TASK_WAITING);
	assert_int_equal(wakes, 0);
	pending_ready(operation);
	assert_int_equal(wakes, 1);
	assert_string_equal(show_task(&t, run_task(&t)), "finishedfinished");
	assert_int_equal(finished, 2);
	task_done(&t);

	/* Ended while it waits, and when ready but not yet run: cancelled once each. */
	start_task(&t, &plain_ops, in, NULL);
	assert_int_equal(run_task(&t), TASK_WAITING);
	task_done(&t);
	assert_int_equal(cancelled, 1);
	start_task(&t, &plain_ops, in, NULL);
	assert_int_equal(run_task(&t), TASK_WAITING);
	pending_ready(operation);
	task_done(&t);
	assert_int_equal(cancelled, 2);
	assert_int_equal(finished, 2);
	instance_free(in);

	/* Main returns: the others' operations are undone. */
	in = make_instance(h, "return { main = function() coroutine.spawn(function() operate() end) return 1 end }");
	assert_string_equal((start_task(&t, &plain_ops, in, NULL), show_task(&t, run_task(&t))), "1");
	assert_int_equal(cancelled, 3);
	task_done(&t);
	instance_free(in);

	/* Where waiting is impossible the operation is undone before the error. */
	assert_string_equal(run_body(h, "return (pcall(table.sort, { 1, 2 }, function() operate() end))"), "false");
	assert_int_equal(cancelled, 4);
	heap_free(h);
}

/* Who hands over much lets others run in between, keeps its results, and goes on before its siblings. */
static void test_end_turn(void **state)
{
	static const char *const bodies[] = {
		"for i = 1, 1000 do local a, b = hand(i) assert(a == i and b == 'handed') end return 'all'",
		"local n = 0 coroutine.spawn(function() coroutine.yield() n = n + 1 end) "
		"for i = 1, 1000 do hand(i) end return n == 0 and 'all' or 'overtaken'",
		"local co = coroutine.wrap(function() for i = 1, 1000 do local ok, a, b = pcall(hand, i) "
		"assert(ok and a == i and b == 'handed') if i % 100 == 0 then coroutine.yield(i) end end return 0 end) "
		"local s = 0 for i = 1, 11 do s = s + co() end return s == 5500 and 'all' or s",
	};
	struct heap *h = make_heap(0, &module_list);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		char *source = xasprintf("return { main = function() %s end }", bodies[i]);
		struct instance *in = make_instance(h, source);
		enum task_status st = TASK_READY;
		unsigned turns = 0;
		struct task t;

		start_task(&t, &plain_ops, in, NULL);
		for (; st == TASK_READY && turns < 1000; turns++)
			st = task_run(&t, 1000);
		assert_string_equal(show_task(&t, st), "all");
		assert_in_range(turns, 5, 100);
		task_done(&t);
		instance_free(in);
		free(source);
	}
	/* Where nothing can wait it just returns; so it does in a chunk. */
	assert_string_equal(
		run_body(h, "local n = 0 table.sort({ 1, 2, 3 }, function(a, b) for i = 1, 500 do hand() end "
			    "n = n + 1 return a < b end) return n > 0"),
		"true");
	assert_string_equal(
		run_source_in(h, "for i = 1, 500 do hand() end return { main = function() return 1 end }", NULL), "1");
	heap_free(h);
}

static void test_chunk_level(void **state)
{
	struct heap *h = make_heap(0, &module_list);
	struct err e = {0};
	struct instance *in;
	static const char *const sources[] = {
		"operate()",
		"channel.new():receive()",
		"coroutine.wrap(function() operate() end)()",
		"coroutine.spawn(print)",
	};

	(void)state;
	cancelled = 0;
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		struct code *c = make_code("app:chunk", sources[i], "main");

		assert_int_equal(instance_new(h, c, 0, &in, &e), -1);
		assert_int_equal(e.kind, ERR_INTERNAL);
		assert_non_null(strstr(e.text, "failed to execute script: app:chunk:1: cannot"));
		code_unref(c);
	}
	assert_int_equal(cancelled, 2);
	heap_free(h);
}

static void test_fail(void **state)
{
	struct heap *h = make_heap(0, &module_list);
	struct instance *in = make_instance(h, "return { main = function() pcall(operate) return 1 end }");
	struct failure *f = failure_new("Internal", ERR_RETRY_UNKNOWN, "process terminated", 18, NULL, NULL, NULL);
	struct task t;

	(void)state;
	cancelled = wakes = 0;
	start_task(&t, &plain_ops, in, NULL);
	assert_int_equal(run_task(&t), TASK_WAITING);
	task_fail(&t, f);
	task_fail(&t, f);
	assert_int_equal(wakes, 1);
	assert_string_equal(show_task(&t, run_task(&t)), "failed: process terminated");
	assert_int_equal(cancelled, 1);
	assert_int_equal(task_run(&t, 1), TASK_FAILED);
	task_done(&t);
	task_done(&t);
	failure_unref(f);
	instance_free(in);
	heap_free(h);
}

static void test_stack_of_uncaught(void **state)
{
	struct heap *h = make_heap(0, NULL);
	struct instance *in = make_instance(
		h, "local function inner() error('x') end\nlocal function main()\ninner()\nend return { main = main }");
	struct task t;

	(void)state;
	start_task(&t, &plain_ops, in, NULL);
	assert_int_equal(run_task(&t), TASK_FAILED);
	assert_non_null(strstr(task_failure(&t)->stack, "app:test:1 (inner)\napp:test:3 ("));
	task_done(&t);
	instance_free(in);
	heap_free(h);
}

static void test_budget_and_arguments(void **state)
{
	struct heap *h = make_heap(0, NULL);
	struct instance *in = make_instance(
		h, "return { main = function(a, b) for i = 1, 10 do coroutine.yield() end return a .. b end }");
	const char *const words[] = {"one", "two"};
	struct packed *args = packed_from_strings(words, 2);
	struct err e = {0};
	struct task t;

	(void)state;
	start_task(&t, &plain_ops, in, args);
	assert_int_equal(task_run(&t, 3), TASK_READY);
	assert_string_equal(show_task(&t, run_task(&t)), "onetwo");
	task_done(&t);
	memset(&t, 0, sizeof(t));
	assert_int_equal(task_init(&t, &plain_ops, in, "other", NULL, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_string_equal(e.text, "method \"other\" not found in module");
	task_done(&t);
	packed_unref(args);
	instance_free(in);
	heap_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_coroutines),
		cmocka_unit_test(test_transparent_waits),
		cmocka_unit_test(test_pending),
		cmocka_unit_test(test_end_turn),
		cmocka_unit_test(test_chunk_level),
		cmocka_unit_test(test_fail),
		cmocka_unit_test(test_stack_of_uncaught),
		cmocka_unit_test(test_budget_and_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
