/* Heaps, code and instances: loading, imports, the memory cap. */
#include "lua_run.h"

#include <pthread.h>

/* -- code ---------------------------------------------------------------------------------------------- */

static struct code *make_importer(const char *id, const char *source, const char *method,
	const struct code_import *imports, size_t n, struct err *e)
{
	struct code_spec spec = {.id = id,
		.source = source,
		.source_len = strlen(source),
		.method = method,
		.imports = imports,
		.nimports = n};
	struct code *c = NULL;

	return code_new(&spec, &c, e) < 0 ? NULL : c;
}

static const char *run_code(struct heap *h, struct code *c)
{
	struct instance *in;
	struct err e = {0};
	const char *text;
	struct task t;

	if (instance_new(h, c, 0, &in, &e) < 0)
		fail_msg("instance_new: %s", e.text);
	start_task(&t, &plain_ops, in, NULL);
	text = show_task(&t, run_task(&t));
	task_done(&t);
	instance_free(in);
	return text;
}

static void test_code(void **state)
{
	struct code *a = make_code("app:a", "return {}", NULL), *b = make_code("app:a", "return {}", "main");
	struct code_spec spec = {.id = "app:bad", .source = "x = = 1", .source_len = 7};
	struct err e = {0};

	(void)state;
	assert_string_equal(code_id(a), "app:a");
	assert_null(code_method(a));
	assert_string_equal(code_method(b), "main");
	assert_true(code_serial(a) > 0 && code_serial(b) > code_serial(a));
	assert_ptr_equal(code_ref(a), a);
	code_unref(a);
	code_unref(a);
	code_unref(b);
	code_unref(NULL);
	assert_int_equal(code_new(&spec, &a, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_non_null(strstr(e.text, "app:bad:1:"));
}

static void test_imports(void **state)
{
	struct heap *h = make_heap(0, NULL);
	struct err e = {0};
	/* The order they run: low, which both need, then one and two by id, then the entry. */
	struct code *low = make_code("lib:low", "order = 'low' runs = (runs or 0) + 1 return { name = 'low' }", NULL);
	struct code_import low_import = {"low", low};
	struct code *two = make_importer("lib:two",
		"order = order .. ' two' .. low.name return { f = function() return low.name end }", NULL, &low_import,
		1, &e);
	struct code *one = make_importer(
		"lib:one", "order = order .. ' one' return function() return order end", NULL, &low_import, 1, &e);
	struct code_import imports[] = {{"two", two}, {"one", one}, {"low", low}};
	struct code *main_code = make_importer("app:main",
		"order = order .. ' main' return { main = function() return one() .. two.f() .. runs .. "
		"tostring(require('two') == two) end }",
		"main", imports, 3, &e);
	struct code *other;

	(void)state;
	assert_non_null(main_code);
	assert_string_equal(run_code(h, main_code), "low one twolow mainlow1true");
	code_unref(main_code);

	/* The same library under two aliases runs twice. */
	imports[0] = (struct code_import){"a", low};
	imports[1] = (struct code_import){"b", low};
	main_code = make_importer("app:twice", "return { main = function() return runs .. tostring(a == b) end }",
		"main", imports, 2, &e);
	assert_string_equal(run_code(h, main_code), "2false");
	code_unref(main_code);

	/* One alias, two targets, seen only in the closure. */
	other = make_code("lib:other", "return {}", NULL);
	imports[0] = (struct code_import){"one", one};
	imports[1] = (struct code_import){"low", other};
	assert_null(make_importer("app:clash", "return {}", NULL, imports, 2, &e));
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_non_null(strstr(e.text, "alias 'low' collision"));
	code_unref(other);
	code_unref(one);
	code_unref(two);
	code_unref(low);
	heap_free(h);
}

static void test_bad_chunks(void **state)
{
	static const struct {
		const char *source;
		enum err_kind kind;
		const char *text;
	} cases[] = {
		{"error('boom')", ERR_INTERNAL, "failed to execute script: app:c:1: boom"},
		{"error(errors.new('object'))", ERR_INTERNAL, "failed to execute script: object"},
		{"local x = nil + 1", ERR_INTERNAL, "failed to execute script: app:c:1:"},
		{"return {}", ERR_NOT_FOUND, "method \"main\" not found in module"},
		{"return 5", ERR_NOT_FOUND, "method \"main\" not found in module"},
		{"", ERR_NOT_FOUND, "method \"main\" not found in module"},
		{"return { main = 5 }", ERR_NOT_FOUND, "method \"main\" not found in module"},
		{"local t = {} for i = 1, 1e9 do t[i] = { i } end", ERR_INTERNAL,
			"failed to execute script: memory limit of 8 MiB reached"},
	};
	struct heap *h = make_heap(8 << 20, NULL);
	struct code *library = make_code("lib:bad", "error('in library', 0)", NULL), *c;
	struct code_import import = {"helper", library};
	struct instance *in;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		c = make_code("app:c", cases[i].source, "main");
		assert_int_equal(instance_new(h, c, 0, &in, &e), -1);
		assert_int_equal(e.kind, cases[i].kind);
		if (strncmp(e.text, cases[i].text, strlen(cases[i].text)) != 0)
			fail_msg("%s\ngot: %s", cases[i].source, e.text);
		code_unref(c);
	}
	c = make_importer("app:c", "return {}", NULL, &import, 1, &e);
	assert_int_equal(instance_new(h, c, 0, &in, &e), -1);
	assert_string_equal(e.text, "failed to load dependency helper: in library");
	code_unref(c);
	code_unref(library);
	assert_int_equal(heap_instances(h), 0);
	/* A function is used for any method name. */
	assert_string_equal(run_source_in(h, "return function() return 'function' end", NULL), "function");
	heap_free(h);
}

static int opened;

static int list_open(lua_State *L)
{
	opened++;
	lua_newtable(L);
	lua_newtable(L);
	lua_pushliteral(L, "inner value");
	lua_setfield(L, -2, "value");
	lua_setfield(L, -2, "inner");
	return 1;
}

static int answer_open(lua_State *L)
{
	lua_pushinteger(L, 42);
	return 1;
}

static const struct module modules[] = {{"listed", list_open, false}, {"answer", answer_open, true}};
static const struct module_list module_list = {modules, 2};

static void test_modules(void **state)
{
	struct heap *h = make_heap(0, &module_list);
	const struct module *listed = module_find(&module_list, "listed");
	static const char source[] = "return { main = function() listed.inner.value = 1 end }";
	static const char reader[] = "return { main = function() return listed.inner.value .. answer .. "
				     "tostring(require('listed') == listed) end }";
	struct code_spec spec = {.id = "app:m",
		.source = source,
		.source_len = sizeof(source) - 1,
		.method = "main",
		.modules = &listed,
		.nmodules = 1};
	struct err e = {0};
	struct code *c, *library, *importer;
	struct code_import import = {"lib", NULL};

	(void)state;
	opened = 0;
	assert_null(module_find(&module_list, "nowhere"));
	assert_int_equal(code_new(&spec, &c, &e), 0);
	assert_non_null(strstr(run_code(h, c), "Immutable"));
	code_unref(c);
	spec.source = reader;
	spec.source_len = sizeof(reader) - 1;
	assert_int_equal(code_new(&spec, &c, &e), 0);
	assert_string_equal(run_code(h, c), "inner value42true");
	assert_int_equal(opened, 1);
	assert_string_equal(run_body(h, "return type(listed) .. answer"), "nil42");
	/* What a library lists its importer sees as well; an alias must not mean both. */
	spec.id = "lib:m";
	spec.method = NULL;
	assert_int_equal(code_new(&spec, &library, &e), 0);
	import.library = library;
	importer =
		make_importer("app:i", "return { main = function() return type(listed) end }", "main", &import, 1, &e);
	assert_string_equal(run_code(h, importer), "table");
	code_unref(importer);
	import.alias = "listed";
	assert_null(make_importer("app:i", "return {}", NULL, &import, 1, &e));
	assert_int_equal(e.kind, ERR_CONFLICT);
	code_unref(library);
	code_unref(c);
	heap_free(h);
}

/* -- memory -------------------------------------------------------------------------------------------- */

static void test_memory_cap(void **state)
{
	static const char *const hogs[] = {
		"local t = {} for i = 1, 1e9 do t[i] = { i } end",
		"local t = {} local ok = pcall(function() for i = 1, 1e9 do t[i] = { i } end end) return 'survived'",
		"local t = {} xpcall(function() for i = 1, 1e9 do t[i] = { i } end end, function() return 'x' end) "
		"return 'survived'",
		"local t = {} local co = coroutine.create(function() for i = 1, 1e9 do t[i] = { i } end end) "
		"coroutine.resume(co) return 'survived'",
		"local t = {} local f = coroutine.wrap(function() for i = 1, 1e9 do t[i] = { i } end end) pcall(f) "
		"return 'survived'",
		"local s = 'x' while true do s = s .. s end",
		"local s = 'x' while true do local ok, r = pcall(string.rep, s, 2) if ok then s = r end end",
		"local s = ('x'):rep(1024) while true do local ok, r = pcall(string.gsub, s, '.', '%0%0') if ok then s "
		"= r end end",
		"local t = {} for i = 1, 1e9 do t[i] = 'abc' .. i end",
		"local t = {} for i = 1, 1e9 do t[i] = coroutine.wrap(function() end) end",
		"for i = 1, 1e9 do coroutine.spawn(function() channel.new():receive() end) end",
		"local c = channel.new(1e9) for i = 1, 1e9 do c:send({}) end",
	};
	struct heap *h = make_heap(8 << 20, NULL);
	struct instance *other = make_instance(h, "return { main = function() local c = {} for i = 1, 100 do c[i] = { "
						  "i } coroutine.yield() end return #c end }");
	struct task t;
	size_t quiet;

	(void)state;
	heap_collect_all(h);
	quiet = heap_bytes(h);
	for (size_t i = 0; i < ARRAY_LEN(hogs); i++) {
		start_task(&t, &plain_ops, other, NULL);
		assert_int_equal(task_run(&t, 50), TASK_READY);
		if (strcmp(run_body(h, hogs[i]), "failed: memory limit of 8 MiB reached") != 0)
			fail_msg("%s\ngot: %s", hogs[i], run_body(h, hogs[i]));
		/* Another one in the same heap goes on. */
		assert_string_equal(show_task(&t, run_task(&t)), "100");
		task_done(&t);
		/* The engine halves its table of strings once a cycle; the registry keeps its size. */
		for (int k = 0; k < 10; k++)
			heap_collect_all(h);
		if (heap_bytes(h) > quiet + 256 * 1024)
			fail_msg("%s: %zu bytes stay, %zu before", hogs[i], heap_bytes(h), quiet);
	}
	instance_free(other);
	heap_free(h);
}

static void test_many_instances(void **state)
{
	enum { MANY = 2000 };
	struct heap_config cfg = {.instances_max = MANY};
	struct instance *in[MANY];
	struct task *t = calloc(MANY, sizeof(*t));
	struct code *c = make_code(
		"app:idle", "local function main() return coroutine.yield() end return { main = main }", "main");
	struct err e = {0};
	struct heap *h;
	size_t before, each;

	(void)state;
	assert_int_equal(heap_new(&cfg, &h, &e), 0);
	assert_int_equal(instance_new(h, c, 0, &in[0], &e), 0);
	instance_free(in[0]);
	heap_collect_all(h);
	before = heap_bytes(h);
	for (int i = 0; i < MANY; i++) {
		assert_false(heap_is_full(h));
		assert_int_equal(instance_new(h, c, 0, &in[i], &e), 0);
		start_task(&t[i], &plain_ops, in[i], NULL);
		assert_int_equal(task_run(&t[i], 1), TASK_READY);
	}
	assert_true(heap_is_full(h));
	heap_collect_all(h);
	each = (heap_bytes(h) - before) / MANY + sizeof(struct task);
	print_message("%zu bytes an idle process\n", each);
	assert_true(each < 1600);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(run_task(&t[i]), TASK_DONE);
		task_done(&t[i]);
		instance_free(in[i]);
	}
	while (!heap_collect_step(h))
		;
	heap_collect_all(h);
	/* Threads kept for the next ones, and tables that have grown. */
	assert_true(heap_bytes(h) < before + 600 * 1024);
	assert_int_equal(heap_instances(h), 0);
	code_unref(c);
	free(t);
	heap_free(h);
}

/* Compiled code of an entry that was replaced goes away. */
static void test_replaced_code(void **state)
{
	struct heap *h = make_heap(0, NULL);
	size_t before;

	(void)state;
	for (int i = 0; i < 100; i++)
		run_body(h, "return 1");
	heap_collect_all(h);
	before = heap_bytes(h);
	for (int i = 0; i < 1000; i++)
		run_body(h, "return 1");
	heap_collect_all(h);
	assert_true(heap_bytes(h) < before + 4096);
	heap_free(h);
}

/* -- threads ------------------------------------------------------------------------------------------- */

static struct code *shared_code;
static struct packed *shared_args;

/* A heap a thread; code, messages and failures are shared. */
static void *run_many(void *arg)
{
	struct heap *h = make_heap(0, NULL);
	struct instance *in;
	struct err e = {0};
	struct task t;
	size_t *good = arg;

	for (int i = 0; i < 500; i++) {
		if (instance_new(h, shared_code, 0, &in, &e) < 0)
			break;
		start_task(&t, &plain_ops, in, shared_args);
		if (run_task(&t) == TASK_FAILED && strcmp(task_failure(&t)->message, "high: low") == 0)
			(*good)++;
		task_done(&t);
		instance_free(in);
	}
	heap_free(h);
	return NULL;
}

static void test_threads(void **state)
{
	struct heap *h = make_heap(0, NULL);
	struct instance *in = make_instance(h, "return { main = function() return { errors.new('low') } end }");
	pthread_t threads[2];
	size_t good[2] = {0, 0};
	struct task t;

	(void)state;
	start_task(&t, &plain_ops, in, NULL);
	assert_int_equal(run_task(&t), TASK_DONE);
	shared_args = packed_ref(task_result(&t));
	task_done(&t);
	instance_free(in);
	shared_code = make_code("app:shared",
		"type Shape = { x: number } "
		"return { main = function(v) return Shape:is({ x = 1 }), errors.wrap(v[1], 'high') end }",
		"main");
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_many, &good[i]), 0);
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(good[i], 500);
	}
	code_unref(shared_code);
	packed_unref(shared_args);
	heap_free(h);
}

/* Instances come and go in any order, and nothing else in the registry is disturbed. */
static void test_instances_in_any_order(void **state)
{
	enum { MANY = 500, ROUNDS = 4 };
	static struct instance *instances[MANY];
	struct heap *h = make_heap(0, NULL);
	struct code *nothing = make_code("app:nothing", "return nil", NULL);
	struct err e;
	char want[16];

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct instance *empty;

		assert_int_equal(instance_new(h, nothing, 0, &empty, &e), 0);
		for (int i = 0; i < MANY; i++) {
			char *source = xasprintf("mine = %d return { main = function() return mine end }", i);

			if (!instances[i])
				instances[i] = make_instance(h, source);
			free(source);
		}
		heap_collect_all(h);
		for (int i = 0; i < MANY; i++) {
			struct task t;

			snprintf(want, sizeof(want), "%d", i);
			start_task(&t, &plain_ops, instances[i], NULL);
			assert_string_equal(show_task(&t, run_task(&t)), want);
			task_done(&t);
			if ((i + round) % 3 == 0 || round == ROUNDS - 1) {
				instance_free(instances[i]);
				instances[i] = NULL;
			}
		}
		instance_free(empty);
	}
	code_unref(nothing);
	assert_int_equal(heap_instances(h), 0);
	heap_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_code),
		cmocka_unit_test(test_imports),
		cmocka_unit_test(test_bad_chunks),
		cmocka_unit_test(test_modules),
		cmocka_unit_test(test_memory_cap),
		cmocka_unit_test(test_many_instances),
		cmocka_unit_test(test_replaced_code),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_instances_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
