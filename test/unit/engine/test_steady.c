/* Which chunks end the same every time. */
#include "lua_run.h"

static struct code *library(const char *source)
{
	struct code_spec spec = {.id = "app:lib", .source = source, .source_len = strlen(source)};
	struct code *c;
	struct err e;

	if (code_new(&spec, &c, &e) < 0)
		fail_msg("%s", e.text);
	return c;
}

static void check(const char *source, const char *lib_source, bool want)
{
	struct heap *h = make_heap(0, NULL);
	struct code *lib = library(lib_source ? lib_source : "return {}");
	struct code_import imports[] = {{"lib", lib}};
	struct code_spec spec = {.id = "app:main",
		.source = source,
		.source_len = strlen(source),
		.method = "main",
		.imports = imports,
		.nimports = 1};
	struct instance *in;
	struct code *c;
	struct err e;

	if (code_new(&spec, &c, &e) < 0)
		fail_msg("%s", e.text);
	assert_false(code_is_steady(c));
	if (instance_new(h, c, 0, &in, &e) == 0)
		instance_free(in);
	if (code_is_steady(c) != want)
		fail_msg("%s: not %s", source, want ? "steady" : "unsteady");
	code_unref(c);
	code_unref(lib);
	heap_free(h);
}

static void test_steady(void **state)
{
	(void)state;
	check("return { main = function() end }", NULL, true);
	check("local t = {} for i = 1, 10 do t[i] = i * 2 end return { main = function() return t end }", NULL, true);
	check("local lib = require('lib') assert(type(lib) == 'table') return { main = function() end }", NULL, true);
	check("local C = {} C.__index = C local c = setmetatable({}, C) return { main = function() return c end }",
		NULL, true);
	/* What is called later does not matter. */
	check("return { main = function() return os.time() end }", NULL, true);
}

static void test_may_differ(void **state)
{
	(void)state;
	check("local at = os.time() return { main = function() return at end }", NULL, false);
	check("local t = {} for k in pairs({ a = 1 }) do t[k] = 1 end return { main = function() end }", NULL, false);
	check("local f = coroutine.wrap(function() end) f() return { main = function() end }", NULL, false);
	check("return { main = function() end }", "local at = os.clock() return { at = at }", false);
	check("local ok = pcall(os.time) return { main = function() end }", NULL, false);
	/* Not even once. */
	check("error('no')", NULL, false);
	check("return { other = function() end }", NULL, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steady),
		cmocka_unit_test(test_may_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
