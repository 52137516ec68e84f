/* Whole small applications: processes, messages, relations, calls, exit codes. Each with one worker and with three. */
#include "app_run.h"

/* The thread sanitizer holds signals back until the program calls something it intercepts. */
#ifdef __SANITIZE_THREAD__
#define SPIN_BODY "process.registry.lookup(\"none\")"
#else
#define SPIN_BODY ""
#endif

static const char entries[] =
	"- {name: processes, kind: process.host, lifecycle: {auto_start: true, stop_timeout: 200ms}}\n"
	"- {name: terminal, kind: terminal.host, lifecycle: {auto_start: true, stop_timeout: 200ms}}\n"
	"- {name: asleep, kind: process.host}\n"
	"- {name: lib, kind: library.lua, source: 'return { twice = function(x) return 2 * x end }'}\n"
	"- {name: give, kind: process.lua, source: 'return { main = function(...) return ... end }'}\n"
	"- {name: crash, kind: process.lua, source: 'return { main = function(w) error(w or \"crashed\") end }'}\n"
	"- {name: forever, kind: process.lua, source: 'return { main = function() process.inbox():receive() end }'}\n"
	"- {name: spin, kind: process.lua, source: 'return { main = function() while true do " SPIN_BODY
	" end end }'}\n"
	"- {name: chunk, kind: process.lua, source: 'error(\"bad chunk\")'}\n"
	"- {name: nomethod, kind: process.lua, source: 'return {}'}\n"
	"- name: echo\n"
	"  kind: process.lua\n"
	"  source: |\n"
	"    return { main = function()\n"
	"      local inbox = process.inbox()\n"
	"      while true do\n"
	"        local m = inbox:receive()\n"
	"        if m:topic() == 'stop' then return m:payload():data() end\n"
	"        process.send(m:from(), m:topic(), m:payload():data())\n"
	"      end\n"
	"    end }\n"
	"- name: crash_on\n"
	"  kind: process.lua\n"
	"  source: return { main = function() local m = process.inbox():receive() error('told to') end }\n"
	"- name: named\n"
	"  kind: process.lua\n"
	"  source: return { main = function(n) process.registry.register(n) return (process.inbox():receive()):topic() "
	"end }\n"
	"- name: canceled\n"
	"  kind: process.lua\n"
	"  source: return { main = function() local e = process.events():receive() return e.kind .. '/' .. e.reason .. "
	"'/' .. e.from end }\n"
	"- {name: add, kind: function.lua, method: add, source: 'return { add = function(a, b) return a + b end }'}\n"
	"- name: fail\n"
	"  kind: function.lua\n"
	"  method: main\n"
	"  source: return { main = function(how) if how == 'raise' then error('boom') elseif how == 'text' then return "
	"nil, 'words' end return nil, errors.new({ message = 'gone', kind = 'NotFound', details = { a = 1 } }) end }\n"
	"- name: values\n"
	"  kind: function.lua\n"
	"  method: main\n"
	"  modules: [ctx, funcs]\n"
	"  source: return { main = function(deep) if deep then return funcs.call('app:values') end local v = ctx.all() "
	"return v end }\n"
	"- name: hang\n"
	"  kind: function.lua\n"
	"  method: main\n"
	"  source: return { main = function(name) process.registry.register(name) process.inbox():receive() end }\n"
	"- name: hangs\n"
	"  kind: process.lua\n"
	"  modules: [funcs]\n"
	"  source: return { main = function(name) return funcs.call('app:hang', name) end }\n"
	"- name: one\n"
	"  kind: function.lua\n"
	"  method: main\n"
	"  pool: {type: inline}\n"
	"  source: local busy = false return { main = function() if busy then return 'overlap' end busy = true for i = "
	"1, 3 do coroutine.yield() end busy = false return 'ok' end }\n"
	"- {name: lost, kind: function.lua, method: main, source: 'return { main = function() end }', meta: {options: "
	"{network: 'app:none'}}}\n";

/* Ask a process that may not be there yet for its name. */
#define WAIT_FOR_NAME                                                                                               \
	"local function pid_of(name) while true do local p = process.registry.lookup(name) if p then return p end " \
	"coroutine.yield() end end "

static void check(const char *body, int exit_code, const char *text)
{
	static const unsigned workers[] = {1, 3};
	char *main = app_main(body);

	for (size_t i = 0; i < ARRAY_LEN(workers); i++) {
		struct runtime_config cfg = {.workers = workers[i]};
		struct app_result r = app_run(entries, main, &cfg);
		bool same = text[0] == '~' ? strstr(r.text, text + 1) != NULL : strcmp(r.text, text) == 0;

		if (r.exit_code != exit_code || !same)
			fail_msg("%u workers: %s\n got: %d '%s'\nwant: %d '%s'", workers[i], body, r.exit_code, r.text,
				exit_code, text);
	}
	free(main);
}

static void test_exit_codes(void **state)
{
	(void)state;
	check("return 7", 7, "");
	check("return 7.9", 7, "");
	check("return", 0, "");
	check("return nil", 0, "");
	check("return {}", 0, "");
	check("return 'text'", 0, "text");
	check("return true", 0, "");
	check("return false", 1, "");
	check("return 0/0", 1, "");
	check("return 1/0", 1, "");
	check("return 3, 'words'", 1, "words");
	check("return 3, false", 3, "");
	check("error('x')", 1, "app:main:1: x");
	check("error(errors.new({ message = 'm', kind = 'Odd' }))", 1, "m");
	check("local a, b = ... assert(a == 'one' and b == 'two')", 0, "");
	check("channel.select({})", 1, "~deadlock: all coroutines blocked");
	check("coroutine.spawn(function() error('child') end) coroutine.yield()", 1, "app:main:1: child");
}

static void test_spawn_errors(void **state)
{
	(void)state;
	check("return nil, select(2, process.spawn('app:none', 'app:processes'))", 1, "factory not found");
	check("return nil, select(2, process.spawn('app:add', 'app:processes'))", 1, "factory not found");
	check("return nil, select(2, process.spawn('app:give', 'app:none'))", 1, "host not found");
	check("return nil, select(2, process.spawn('app:give', 'app:give'))", 1, "host does not implement");
	check("return nil, select(2, process.spawn('app:give', 'app:asleep'))", 1, "host is not running");
	check("return nil, select(2, process.spawn('app:give'))", 1, "spawn requires at least id and host arguments");
	check("return nil, select(2, process.spawn_linked('app:give'))", 1,
		"spawn_linked requires at least id and host arguments");
	check("return nil, select(2, process.spawn('app:chunk', 'app:processes'))", 1, "~failed to execute script");
	check("return nil, select(2, process.spawn('app:nomethod', 'app:processes'))", 1,
		"method \"main\" not found in module");
	check("local p, e = process.spawn('app:none', 'app:processes') return e:kind() == 'NotFound'", 0, "");
}

static void test_messages(void **state)
{
	(void)state;
	check("local pid = assert(process.spawn('app:echo', 'app:processes')) local inbox = process.inbox() "
	      "for i = 1, 300 do assert(process.send(pid, 'n', i)) end "
	      "for i = 1, 300 do local m = inbox:receive() assert(m:topic() == 'n' and m:from() == pid and "
	      "m:payload():data() == i) end",
		0, "");
	/* Sent before anything is opened, routed by topic, several payloads. */
	check("local me = process.pid() process.send(me, 'a', 1) process.send(me, 'b', 2, 3) process.send(me, 'c') "
	      "local b, inbox = process.listen('b'), process.inbox() local v = b:receive() assert(v[1] == 2 and v[2] "
	      "== 3) "
	      "local m = inbox:receive() assert(m:topic() == 'a') m = inbox:receive() assert(m:topic() == 'c' and "
	      "m:payload() == nil)",
		0, "");
	check("local b = process.listen('b', { message = true }) process.send(process.pid(), 'b', 5) "
	      "local m = b:receive() assert(m:topic() == 'b' and m:payload():data() == 5 and tostring(m) == "
	      "'process.Message{topic=b}')",
		0, "");
	check("local ch, inbox = process.listen('t'), process.inbox() assert(process.listen('t') == ch and "
	      "process.inbox() == inbox) "
	      "assert(process.unlisten(ch)) local v, ok = ch:receive() assert(v == nil and ok == false) "
	      "process.send(process.pid(), 't', 1) assert(inbox:receive():topic() == 't') "
	      "local done, e = process.unlisten(ch) assert(done == false and e:kind() == 'NotFound')",
		0, "");
	check("return nil, select(2, process.send(process.pid(), '@x', 1))", 1, "cannot send to @ topics");
	check("return nil, select(2, process.send(process.pid()))", 1,
		"send requires at least destination and topic arguments");
	check("return nil, select(2, process.send('nobody', 't'))", 1,
		"could not resolve 'nobody' as PID or registered name");
	check("return nil, select(2, process.send('{app:processes|0x0ffff}', 't'))", 1, "process not found");
	check("return nil, select(2, process.send('{app:nowhere|0x0ffff}', 't'))", 1, "host not found");
	check("return nil, select(2, process.listen(''))", 1, "topic cannot be empty");
	check("return nil, select(2, process.listen('@x'))", 1, "cannot listen to @ topics");
	/* Tables are copied, error objects travel, channels do not. */
	check("local t = { x = { 1 } } t.me = t local ch = process.listen('t') process.send(process.pid(), 't', t, "
	      "errors.new('e'), channel.new()) "
	      "local v = ch:receive() assert(v[1] ~= t and v[1].x[1] == 1 and v[1].me == v[1] and v[2]:message() == "
	      "'e' and v[3] == nil)",
		0, "");
}

static void test_monitors(void **state)
{
	(void)state;
	check("local ev = process.events() local pid = assert(process.spawn_monitored('app:give', 'app:processes', { a "
	      "= 5 })) "
	      "local e = ev:receive() assert(e.kind == process.event.EXIT and e.from == pid and e.result.value.a == 5 "
	      "and e.result.error == nil) "
	      "assert(math.type(e.at) == 'integer')",
		0, "");
	check("local ev = process.events() process.spawn_monitored('app:crash', 'app:processes', 'words') local e = "
	      "ev:receive() "
	      "assert(e.result.value == nil and e.result.error:kind() == 'Internal') return nil, e.result.error",
		1, "app:crash:1: words");
	/* Messages sent before the end come first; then the pid is gone and its name too. */
	check(WAIT_FOR_NAME
		"local pid = process.spawn('app:named', 'app:processes', 'n1') pid_of('n1') local ev = "
		"process.events() "
		"assert(process.monitor(pid)) local ok, e = process.monitor(pid) assert(not ok and e:message() == "
		"'already monitoring pid') "
		"assert(process.send('n1', 'bye')) local x = ev:receive() assert(x.result.value == 'bye') "
		"assert(process.registry.lookup('n1') == nil) ok, e = process.send(pid, 'x') assert(e:message() == "
		"'process not found') "
		"ok, e = process.monitor(pid) assert(e:message() == 'pid not registered' and e:kind() == 'Internal')",
		0, "");
	check("local pid = process.spawn_monitored('app:echo', 'app:processes') assert(process.unmonitor(pid)) "
	      "assert(process.unmonitor(pid)) "
	      "local ev = process.events() process.send(pid, 'stop', 1) process.spawn_monitored('app:give', "
	      "'app:processes', 'second') "
	      "local e = ev:receive() assert(e.result.value == 'second')",
		0, "");
}

static void test_links(void **state)
{
	(void)state;
	check("local pid = process.spawn_linked('app:crash_on', 'app:processes') process.send(pid, 'go') "
	      "channel.new():receive()",
		1, "linked process failed");
	check("process.set_options({ trap_links = true }) local ev = process.events() "
	      "local pid = process.spawn_linked_monitored('app:crash_on', 'app:processes') process.send(pid, 'go') "
	      "local a, b = ev:receive(), ev:receive() assert(a.kind == 'pid.exit' and b.kind == 'pid.link.down' and "
	      "a.from == pid and b.from == pid) "
	      "return nil, b.result.error",
		1, "app:crash_on:1: told to");
	/* A linked peer that ends well is silent. */
	check("local pid = process.spawn_linked_monitored('app:give', 'app:processes') local e = "
	      "process.events():receive() assert(e.kind == 'pid.exit') "
	      "coroutine.yield()",
		0, "");
	check("local pid = process.spawn('app:crash_on', 'app:processes') assert(process.link(pid)) "
	      "assert(process.link(pid)) assert(process.unlink(pid)) "
	      "local ev = process.events() process.monitor(pid) process.send(pid, 'go') assert(ev:receive().kind == "
	      "'pid.exit')",
		0, "");
	check("local ok, e = process.set_options({ other = 1 }) return nil, e", 1, "option other is not supported");
	check("local ok, e = process.set_options({ trap_links = 1 }) return nil, e", 1, "trap_links must be a boolean");
}

static void test_cancel_and_terminate(void **state)
{
	(void)state;
	check("local ev = process.events() local pid = process.spawn_monitored('app:canceled', 'app:processes') "
	      "assert(process.cancel(pid, 'enough')) local e = ev:receive() assert(e.result.value == "
	      "'pid.cancel/enough/' .. process.pid())",
		0, "");
	check("local ev = process.events() local pid = process.spawn_monitored('app:forever', 'app:processes') "
	      "assert(process.terminate(pid)) "
	      "local e = ev:receive() assert(e.result.error:kind() == 'Internal') return nil, e.result.error",
		1, "process terminated");
	/* Running code is interrupted, on the same worker and on others. */
	check("local ev = process.events() local pids = {} for i = 1, 4 do pids[i] = "
	      "process.spawn_monitored('app:spin', 'app:processes') end "
	      "for i = 1, 4 do assert(process.terminate(pids[i])) end "
	      "for i = 1, 4 do assert(ev:receive().result.error:message() == 'process terminated') end",
		0, "");
	check("return nil, select(2, process.terminate('{app:processes|0x0ffff}'))", 1, "process not found");
	check("return process.terminate(process.pid())", 0, ""); /* on a terminal host: nothing happens */
}

static void test_names(void **state)
{
	(void)state;
	check("assert(process.registry.register('me')) assert(process.registry.register('me')) "
	      "assert(process.registry.lookup('me') == process.pid()) "
	      "assert(process.registry.unregister('me')) assert(process.registry.unregister('me') == false) "
	      "local p, e = process.registry.lookup('me') assert(p == nil and e:message() == 'name not registered' and "
	      "e:kind() == 'NotFound')",
		0, "");
	check("local pid = process.spawn('app:forever', 'app:processes') assert(process.registry.register('other', "
	      "pid)) "
	      "local ok, e = process.registry.register('other') assert(e:kind() == 'AlreadyExists') return nil, e",
		1, "name already registered");
	/* with_name: one process, messages to its holder. */
	check("local s = process.with_options({}):with_name('single'):with_message('hello', 1) local ev = "
	      "process.events() "
	      "local a = assert(s:spawn_monitored('app:canceled', 'app:processes')) local b = "
	      "assert(s:spawn('app:canceled', 'app:processes')) assert(a == b) "
	      "process.cancel('single') assert(ev:receive().from == a) assert(process.registry.lookup('single') == "
	      "nil)",
		0, "");
	check("local pid = process.with_context({ k = 1 }):with_message('stop', 'first'):spawn_monitored('app:echo', "
	      "'app:processes') "
	      "assert(process.events():receive().result.value == 'first')",
		0, "");
}

static void test_exec(void **state)
{
	(void)state;
	check("local v = assert(process.exec('app:give', 'app:processes', 41)) return v + 1", 42, "");
	check("return nil, select(2, process.exec('app:crash', 'app:processes', 'inside'))", 1, "app:crash:1: inside");
	check("local v, e = process.exec('app:none', 'app:processes') assert(e:kind() == 'Internal') return nil, e", 1,
		"factory not found");
	check("return nil, select(2, process.exec('give', 'app:processes'))", 1,
		"invalid process ID format (namespace:name required)");
	check("local n = 0 for i = 1, 20 do coroutine.spawn(function() local v = process.exec('app:give', "
	      "'app:processes', i) n = n + v end) end "
	      "while n < 210 do coroutine.yield() end",
		0, "");
}

static void test_calls(void **state)
{
	(void)state;
	check("return funcs.call('app:add', 40, 2)", 42, "");
	check("local v, e = funcs.call('app:fail', 'raise') assert(e:kind() == 'Internal') return nil, e", 1,
		"app:fail:1: boom");
	check("local v, e = funcs.call('app:fail', 'text') assert(e:kind() == 'Internal' and e:retryable() == false) "
	      "return nil, e",
		1, "words");
	check("local v, e = funcs.call('app:fail') assert(e:kind() == 'NotFound' and e:details().a == 1) return nil, e",
		1, "gone");
	check("return nil, select(2, funcs.call('app:none'))", 1, "no handler registered for target");
	check("return nil, select(2, funcs.call(''))", 1, "function ID required");
	check("return nil, select(2, funcs.call('x'))", 1, "namespace required in function ID");
	check("return nil, select(2, funcs.call('x:'))", 1, "name required in function ID");
	/* Context values: over the caller's, down the whole way, and back up unchanged. */
	check("local x = funcs.new():with_context({ a = 1, b = { 2 } }) local v = x:with_context({ a = 3 "
	      "}):call('app:values', true) "
	      "assert(v.a == 3 and v.b[1] == 2) v = x:call('app:values') assert(v.a == 1) v = funcs.call('app:values') "
	      "assert(v.a == nil)",
		0, "");
	/* One at a time, the others wait. */
	check("local n = 0 for i = 1, 10 do coroutine.spawn(function() assert(funcs.call('app:one') == 'ok') n = n + 1 "
	      "end) end "
	      "while n < 10 do coroutine.yield() end",
		0, "");
	/* The callee ends with its caller. */
	check(WAIT_FOR_NAME "local ev = process.events() local pid = process.spawn('app:hangs', 'app:processes', "
			    "'callee') local callee = pid_of('callee') "
			    "assert(process.monitor(callee)) assert(process.terminate(pid)) local e = ev:receive() "
			    "assert(e.from == callee) return nil, e.result.error",
		1, "context canceled");
}

static void test_futures(void **state)
{
	(void)state;
	check("local f = assert(funcs.async('app:add', 40, 2)) assert(not f:is_complete()) local p, ok = "
	      "f:channel():receive() "
	      "assert(ok and f:is_complete() and p:data() == 42 and f:result():data() == 42 and f:channel() == "
	      "f:response()) "
	      "p, ok = f:channel():receive() assert(p == nil and ok == false) local e, failed = f:error() assert(e == "
	      "nil and failed == false)",
		0, "");
	check("local f = funcs.async('app:fail') local v, ok = f:channel():receive() assert(ok and v:kind() == "
	      "'NotFound') "
	      "local e, failed = f:error() assert(failed) return f:result()",
		1, "gone");
	check("local f = funcs.async('app:hang', 'h') assert(f:cancel() and f:is_canceled()) local v, ok = "
	      "f:channel():receive() "
	      "assert(v == nil and not ok) local p, e = f:result() assert(e:kind() == 'Canceled') return nil, e",
		1, "canceled");
	check("local fs = {} for i = 1, 50 do fs[i] = funcs.async('app:add', i, 0) end local n = 0 "
	      "for i = 1, 50 do n = n + fs[i]:channel():receive():data() end assert(n == 1275)",
		0, "");
	/* Unfinished at the end of the process. */
	check("for i = 1, 10 do funcs.async('app:hang', 'h' .. i) end coroutine.yield()", 0, "");
	check("return nil, select(2, funcs.async('app:none'))", 1, "no handler registered for target");
}

static void test_networks(void **state)
{
	(void)state;
	check("return nil, select(2, process.with_options({ network = 'app:none' }):spawn('app:give', "
	      "'app:processes'))",
		1, "network: service not found");
	check("return nil, select(2, funcs.new():with_options({ network = 'app:none' }):call('app:add', 1, 2))", 1,
		"network: service not found");
	check("return nil, select(2, funcs.call('app:lost'))", 1, "network: service not found");
	check("return funcs.new():with_options({ network = 'direct' }):call('app:add', 1, 2)", 3, "");
	/* A word of the call replaces that of the entry, also to clear it. */
	check("return funcs.new():with_options({ network = '' }):call('app:lost')", 0, "");
	check("return funcs.new():with_options({ network = 5 }):call('app:add', 1, 2)", 3, "");

	char *main = app_main("return 0");
	struct runtime_config cfg = {.workers = 1, .default_network = "app:none"};
	struct app_result r = app_run(entries, main, &cfg);

	assert_int_equal(r.exit_code, -1);
	assert_non_null(strstr(r.text, "network: service not found"));
	free(main);
}

static void test_strict_mode(void **state)
{
	char *main = app_main(
		"local ok, e = process.spawn('app:give', 'app:processes') assert(e:kind() == 'PermissionDenied') "
		"assert(e:message() == 'not allowed to spawn process: app:give') "
		"ok, e = funcs.call('app:add', 1, 2) assert(e:message() == 'not allowed: app:add') "
		"ok, e = funcs.new():with_options({ network = 'app:tor' }) assert(e:message() == 'not allowed: network "
		"app:tor') "
		"ok, e = pcall(process.with_options, {}) assert(not ok)");
	struct runtime_config cfg = {.workers = 1, .strict_mode = true};
	struct app_result r = app_run(entries, main, &cfg);

	(void)state;
	assert_string_equal(r.text, "");
	assert_int_equal(r.exit_code, 0);
	free(main);
}

/* What is still there when the command ends is asked to stop, then aborted. */
static void test_stop(void **state)
{
	(void)state;
	check("for i = 1, 20 do process.spawn('app:forever', 'app:processes') process.spawn('app:spin', "
	      "'app:processes') end return 4",
		4, "");
}

/* Everything at once on several workers; what arrives is counted. */
static void test_crowd(void **state)
{
	(void)state;
	check("local ev = process.events() local n = 0 "
	      "for i = 1, 2000 do assert(process.spawn_monitored(i % 3 == 0 and 'app:crash' or 'app:give', "
	      "'app:processes', 'x')) end "
	      "for i = 1, 2000 do local e = ev:receive() if e.result.error then n = n + 1 end end assert(n == 666)",
		0, "");
	check("local inbox, pids = process.inbox(), {} for i = 1, 200 do pids[i] = process.spawn('app:echo', "
	      "'app:processes') end "
	      "for r = 1, 5 do for i = 1, 200 do process.send(pids[i], 'x', i) end for i = 1, 200 do inbox:receive() "
	      "end end",
		0, "");
}

static void test_load_errors(void **state)
{
	static const struct {
		const char *entry, *text;
	} cases[] = {
		{"- {name: x, kind: process.lua}", "~source is required"},
		{"- {name: x, kind: function.lua, source: 'return 1'}", "~method is required"},
		{"- {name: x, kind: process.lua, source: 'return {}', modules: [nope]}",
			"~node with ID nope not found"},
		{"- {name: x, kind: process.lua, source: 'return {}', modules: ['a:b']}",
			"~module cannot have a namespace"},
		{"- {name: x, kind: process.lua, source: 'return {}', imports: {a: none}}",
			"~node with ID app:none not found"},
		{"- {name: x, kind: process.lua, source: 'return {'}", "~app:x"},
		{"- {name: x, kind: function.lua, method: m, source: 'return {}', pool: {type: odd}}",
			"~unknown pool type: odd"},
		{"- {name: x, kind: process.host, host: {workers: -1}}", "~workers must be greater than 0"},
	};
	struct runtime_config cfg = {.workers = 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct app_result r = app_run(entries, cases[i].entry, &cfg);

		assert_int_equal(r.exit_code, -1);
		if (!strstr(r.text, cases[i].text + 1))
			fail_msg("%s: %s", cases[i].entry, r.text);
	}
}

static void test_libraries(void **state)
{
	struct runtime_config cfg = {.workers = 1};
	struct app_result r = app_run(entries,
		"- name: main\n  kind: process.lua\n  imports: {l: 'app:lib'}\n  source: return { main = function() "
		"return l.twice(4) + require('l').twice(1) end }\n",
		&cfg);

	(void)state;
	assert_string_equal(r.text, "");
	assert_int_equal(r.exit_code, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit_codes),
		cmocka_unit_test(test_spawn_errors),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_monitors),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_cancel_and_terminate),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_futures),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_strict_mode),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_load_errors),
		cmocka_unit_test(test_libraries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
