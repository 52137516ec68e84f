/* Channels: between the coroutines of a program, and fed from outside. */
#include "lua_run.h"

#include "engine/state.h"

static void test_one_channel(void **state)
{
	static const struct lua_case cases[] = {
		{"local c = channel.new(2) c:send(1) c:send(nil) c:close() "
		 "local a, x = c:receive() local b, y = c:receive() local d, z = c:receive() "
		 "return tostring(a) .. tostring(x) .. tostring(b) .. tostring(y) .. tostring(d) .. tostring(z)",
			"1trueniltruenilfalse"},
		{"local c = channel.new() coroutine.spawn(function() for i = 1, 5 do c:send(i) end c:close() end) "
		 "local t = {} while true do local v, ok = c:receive() if not ok then break end t[#t + 1] = v end "
		 "return t",
			"[1,2,3,4,5]"},
		{"local c = channel.new() c:close() c:close() return c:send(1)", "~send on closed channel"},
		{"local c = channel.new() local t = {} coroutine.spawn(function() local r, e = c:send(1) t[1] = "
		 "tostring(r) .. tostring(e) end) "
		 "c:close() coroutine.yield() return t[1]",
			"nilsend on closed channel"},
		{"local c, out = channel.new(), {} coroutine.spawn(function() local v, ok = c:receive() out[1] = "
		 "tostring(v) .. tostring(ok) end) "
		 "c:close() coroutine.yield() return out[1]",
			"nilfalse"},
		{"channel.new('x')", "~bad argument #1 to new (number expected, got string)"},
		{"return type(channel.new(-5))", "userdata"},
		{"local c = channel.new() return tostring(c == c) .. tostring(c == channel.new())", "truefalse"},
		{"channel.new().send(5, 1)", "~channel expected"},
		/* senders are served in the order they came */
		{"local c, t = channel.new(), {} for i = 1, 4 do coroutine.spawn(function() c:send(i) end) end "
		 "for i = 1, 4 do t[i] = c:receive() end return t",
			"[1,2,3,4]"},
		/* receivers too */
		{"local c, t = channel.new(), {} for i = 1, 3 do coroutine.spawn(function() t[i] = c:receive() end) "
		 "end "
		 "for i = 1, 3 do c:send(i * 10) end coroutine.yield() return t",
			"[10,20,30]"},
		/* a blocked sender's value enters the buffer when room is made */
		{"local c, t = channel.new(1), {} coroutine.spawn(function() for i = 1, 3 do c:send(i) end t.done = "
		 "true end) "
		 "t[1] = c:receive() t[2] = c:receive() t[3] = c:receive() coroutine.yield() "
		 "return table.concat(t, ',') .. tostring(t.done)",
			"1,2,3true"},
		/* the buffer keeps order when it is never empty */
		{"local c = channel.new(1000) local n, s = 0, 0 for i = 1, 500 do c:send(i) end "
		 "for i = 501, 20000 do c:send(i) local v = c:receive() n = n + 1 if v ~= n then return 'order ' .. v "
		 "end end return n",
			"19500"},
		{"local c = channel.new() coroutine.spawn(function() c:send(function() return 7 end) end) return "
		 "c:receive()()",
			"7"},
		{"local c = channel.new() return { c }", "[null]"},
	};

	(void)state;
	check_cases(cases, ARRAY_LEN(cases));
}

static void test_select(void **state)
{
	static const struct lua_case cases[] = {
		{"local c = channel.new() local r = channel.select({ c:case_receive(), default = true }) return "
		 "tostring(r.default) .. tostring(r.ok)",
			"truetrue"},
		{"local c = channel.new() return channel.select({ c:case_receive() }, true).default", "true"},
		{"local a, b = channel.new(1), channel.new(1) a:send(1) b:send(2) "
		 "local r = channel.select({ b:case_receive(), a:case_receive() }) return r.value .. "
		 "tostring(r.channel == b) .. tostring(r.ok)",
			"2truetrue"},
		{"local c = channel.new(1) local r = channel.select({ c:case_send('v') }) return r.value .. "
		 "tostring(r.ok) .. c:receive()",
			"vtruev"},
		{"local c = channel.new() c:close() local r = channel.select({ c:case_receive() }) "
		 "return tostring(r.value) .. tostring(r.ok) .. tostring(r.channel == c)",
			"nilfalsetrue"},
		/* closed for sending is never ready */
		{"local c, d = channel.new(1), channel.new(1) c:close() d:send(5) "
		 "return channel.select({ c:case_send(1), d:case_receive() }).value",
			"5"},
		{"local a, b = channel.new(), channel.new() coroutine.spawn(function() b:send('late') end) "
		 "local r = channel.select({ a:case_receive(), b:case_receive() }) return r.value .. "
		 "tostring(r.channel == b)",
			"latetrue"},
		{"local a, b = channel.new(), channel.new() local got coroutine.spawn(function() got = b:receive() "
		 "end) "
		 "local r = channel.select({ a:case_receive(), b:case_send('x') }) coroutine.yield() return r.value .. "
		 "got",
			"xx"},
		/* blocked on both, the one that fires withdraws the other */
		{"local a, b = channel.new(), channel.new() local r coroutine.spawn(function() r = channel.select({ "
		 "a:case_receive(), b:case_receive() }) end) "
		 "a:send(1) coroutine.yield() return channel.select({ b:case_send(2), default = true }).default",
			"true"},
		{"local a = channel.new() coroutine.spawn(function() coroutine.yield() a:close() end) "
		 "local r = channel.select({ a:case_receive() }) return tostring(r.ok) .. tostring(r.value)",
			"falsenil"},
		{"local a = channel.new() coroutine.spawn(function() coroutine.yield() a:close() end) "
		 "local r, e = channel.select({ a:case_send(1) }) return tostring(r) .. tostring(e)",
			"nilsend on closed channel"},
		/* entries that are no cases are skipped; cases serve again */
		{"local a = channel.new(2) local c = a:case_send(3) channel.select({ 'x', c }) channel.select({ c }) "
		 "return a:receive() + a:receive()",
			"6"},
		/* two blocked selects meet */
		{"local a, got = channel.new() coroutine.spawn(function() got = channel.select({ a:case_receive() "
		 "}).value end) "
		 "channel.select({ a:case_send('hi') }) coroutine.yield() return got",
			"hi"},
		{"local a, t = channel.new(), {} for i = 1, 3 do coroutine.spawn(function() channel.select({ "
		 "a:case_send(i) }) end) end "
		 "for i = 1, 3 do t[i] = a:receive() end return t",
			"[1,2,3]"},
		/* the table may change while the select waits */
		{"local a, cases = channel.new() local r cases = { a:case_send('kept') } coroutine.spawn(function() r "
		 "= channel.select(cases) end) "
		 "cases[1] = nil local v = a:receive() return v",
			"kept"},
		{"channel.select(5)", "~table expected"},
		{"channel.select({})", "~deadlock"},
	};

	(void)state;
	check_cases(cases, ARRAY_LEN(cases));
}

static void test_deadlock(void **state)
{
	static const struct lua_case cases[] = {
		{"channel.new():receive()", "failed: deadlock: all coroutines blocked with no pending operations "
					    "(threads=1); waiting at app:test:1"},
		{"coroutine.spawn(function() channel.new():receive() end)\nchannel.new():send(1)",
			"failed: deadlock: all coroutines blocked with no pending operations (threads=2); waiting at "
			"app:test:2, app:test:1"},
		{"for i = 1, 20 do coroutine.spawn(function() channel.new():receive() end) end channel.new():receive()",
			"~threads=21"},
	};

	(void)state;
	check_cases(cases, ARRAY_LEN(cases));
}

/* -- from outside -------------------------------------------------------------------------------------- */

static struct channel *inbox; /* made by the `inbox` module for the test at hand */

static int l_inbox(lua_State *L)
{
	inbox = channel_push_new(L, (size_t)luaL_optinteger(L, 1, 0));
	channel_hold(inbox, task_current(L));
	return 1;
}

static int inbox_open(lua_State *L)
{
	lua_pushcfunction(L, l_inbox);
	return 1;
}

static const struct module modules[] = {{"inbox", inbox_open, true}};
static const struct module_list module_list = {modules, 1};

static void offer(struct heap *h, int v, bool want)
{
	lua_State *L = h->L;
	int top = lua_gettop(L);

	lua_pushinteger(L, v);
	assert_int_equal(channel_offer(L, inbox), want);
	assert_int_equal(lua_gettop(L), top);
}

static void test_feed(void **state)
{
	struct heap *h = make_heap(0, &module_list);
	struct instance *in = make_instance(h,
		"return { main = function() local c = inbox(1) local t = {} "
		"while true do local v, ok = c:receive() if not ok then break end t[#t + 1] = v end return t end }");
	struct task t;

	(void)state;
	start_task(&t, &plain_ops, in, NULL);
	wakes = 0;
	assert_int_equal(run_task(&t), TASK_WAITING); /* held: no deadlock */
	assert_true(channel_has_receiver(inbox));
	heap_collect_all(h);
	offer(h, 1, true);
	assert_int_equal(wakes, 1);
	assert_false(channel_has_receiver(inbox)); /* it took the value */
	offer(h, 2, true);                         /* into the buffer */
	assert_false(channel_has_room(inbox));
	offer(h, 3, false);
	assert_int_equal(wakes, 1);
	assert_int_equal(run_task(&t), TASK_WAITING);
	channel_close(inbox);
	assert_true(channel_is_closed(inbox));
	assert_int_equal(wakes, 2);
	offer(h, 4, false);
	assert_string_equal(show_task(&t, run_task(&t)), "[1,2]");
	task_done(&t);
	instance_free(in);
	heap_free(h);
}

static void test_release(void **state)
{
	struct heap *h = make_heap(0, &module_list);
	struct instance *in = make_instance(h, "return { main = function() inbox():receive() end }");
	struct task t;

	(void)state;
	start_task(&t, &plain_ops, in, NULL);
	assert_int_equal(run_task(&t), TASK_WAITING);
	wakes = 0;
	channel_hold(inbox, &t);
	channel_release(inbox);
	assert_int_equal(wakes, 0);
	channel_release(inbox);
	assert_int_equal(t.nfeeds, 0);
	/* Nobody can feed it any more: it is woken to find that out. */
	assert_int_equal(wakes, 1);
	assert_int_equal(task_run(&t, 10), TASK_FAILED);
	task_done(&t);

	start_task(&t, &plain_ops, in, NULL);
	assert_int_equal(run_task(&t), TASK_WAITING);
	channel_hold(inbox, &t);
	task_done(&t); /* releases what is held */
	assert_int_equal(t.nfeeds, 0);
	task_done(&t);
	heap_collect_all(h);
	instance_free(in);
	heap_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_channel),
		cmocka_unit_test(test_select),
		cmocka_unit_test(test_deadlock),
		cmocka_unit_test(test_feed),
		cmocka_unit_test(test_release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
