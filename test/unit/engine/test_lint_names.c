/* What the linter tells about names: the paths a source uses, and what its chunk returns. */
#include "lint_run.h"

#define USES(source, expected) check_lint(add_uses, source, expected)
#define EXPORT(source, expected) check_lint(add_export, source, expected)

static void paths(void **state)
{
	(void)state;
	USES("f(a.b.c, d:e(), g[1].h, k['l'].m)",
		"1:1+1 read f\n1:3+5 read a.b.c\n1:10+3 read d.e\n1:17+1 read g\n1:25+8 read k.l.m\n");
	USES("return a.b.c.d.e.f", "1:8+7 read a.b.c.d\n");
	USES("return (a).b, 'x':upper", "");
	USES("local a return a.b", "");
	USES("return a.\n\tb\n\t.c", "1:8+9 read a.b.c\n");
	USES("return _G.x, _G['y'].z", "1:8+4 read x (tested)\n1:14+9 read y.z (tested)\n");
}

static void through_locals(void **state)
{
	(void)state;
	USES("local json = require('json') return json.encode",
		"1:14+7 read require\n1:14+15 require json\n1:37+11 read json.encode (local)\n");
	USES("local e = process.event return e.EXIT",
		"1:11+13 read process.event\n1:32+6 read process.event.EXIT (local)\n");
	USES("local s = string s = f() return s.foo", "1:11+6 read string\n1:22+1 read f\n");
	USES("local a, b = x, y return b.c", "1:14+1 read x\n1:17+1 read y\n1:26+3 read y.c (local)\n");
	USES("local a = f(x) return a.b", "1:11+1 read f\n1:13+1 read x\n");
	USES("local a = (x) return a.b", "1:12+1 read x\n");
}

static void writes(void **state)
{
	(void)state;
	USES("x = y", "1:1+1 write x\n1:5+1 read y\n");
	USES("a.b, c = 1, 2", "1:1+3 write a.b\n1:6+1 write c\n");
	USES("a[b].c = 1", "1:1+1 read a\n1:3+1 read b\n");
	USES("function string.trim() end", "1:10+11 write string.trim\n");
	USES("local s = string function s.trim() end", "1:11+6 read string\n1:27+6 write string.trim (local)\n");
	USES("_G.x = 1", "1:1+4 write x\n");
	USES("function f() end", "1:10+1 write f\n");
}

static void tests_of_presence(void **state)
{
	(void)state;
	USES("if x then end", "1:4+1 read x (tested)\n");
	USES("if a == x then end", "1:4+1 read a\n1:9+1 read x\n");
	USES("return x or y, not z, x == nil, x ~= nil, x == 1",
		"1:8+1 read x (tested)\n1:13+1 read y\n1:20+1 read z (tested)\n1:23+1 read x (tested)\n"
		"1:33+1 read x (tested)\n1:43+1 read x\n");
	USES("return type(x), f(x), type(x.y)",
		"1:8+4 read type\n1:13+1 read x (tested)\n1:17+1 read f\n1:19+1 read x\n1:23+4 read type\n"
		"1:28+3 read x.y (tested)\n");
	USES("if a and x then end", "1:4+1 read a (tested)\n1:10+1 read x (tested)\n");
}

static void types(void **state)
{
	(void)state;
	USES("type Point = {x: number} return Point(v), Point:is(v)",
		"1:6+5 type Point\n1:33+5 read Point\n1:39+1 read v\n1:43+8 read Point.is\n1:52+1 read v\n");
	USES("return number(x), integer:is(x), string.is(x)", "1:15+1 read x\n1:30+1 read x\n1:44+1 read x\n");
	USES("return G(number, any)", "1:8+1 read G\n");
	USES("local x: shapes.Point, y: Other", "1:10+6 mention shapes\n");
	USES("interface I function m(a: number) end", "1:11+1 type I\n");
	USES("do type Inner = number end", "");
}

static void flags(void **state)
{
	static const struct {
		const char *source;
		bool opens_globals;
		bool requires_any;
	} cases[] = {
		{"return require('x')", false, false},
		{"return require(x)", false, true},
		{"return pcall(require, 'x')", false, true},
		{"return _G.x", false, false},
		{"return _G[x]", true, false},
		{"setmetatable(_G, {})", true, false},
		{"local _G = {} return _G", false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct lint_report *r = front_lint(cases[i].source, strlen(cases[i].source));

		if (r->opens_globals != cases[i].opens_globals || r->requires_any != cases[i].requires_any)
			fail_msg("%s gives %d %d", cases[i].source, r->opens_globals, r->requires_any);
		lint_report_free(r);
	}
}

static void exports_known(void **state)
{
	(void)state;
	EXPORT("return { a = 1, ['b'] = 2, end_ = 3, 4 }", "1:1 table a b end_\n");
	EXPORT("f()\n", "1:4 nothing\n");
	EXPORT("return", "1:1 nothing\n");
	EXPORT("return function() end", "1:1 function\n");
	EXPORT("local function f() end\nreturn f", "2:1 function\n");
	EXPORT("local f = function() end return f", "1:26 function\n");
	EXPORT("local M = {x = 1}\nfunction M.y() end\nM.z = 1 M['w'] = 2\nfunction M:v() end\nreturn M",
		"5:1 table x y z w v\n");
	EXPORT("local M = {} function M.a() return M.b() end return M", "1:46 table a\n");
	EXPORT("if f() then return {a = 1} end return {b = 2}", "1:13 table a b\n");
	EXPORT("local t = { f = function() return { inner = 1 } end, g = { deep = 1 } } return t", "1:73 table f g\n");
	EXPORT("return { a = 1 }, { b = 2 }", "1:1 table a\n");
	EXPORT("local M: any = {a = 1} return M", "1:24 table a\n");
}

static void exports_unknown(void **state)
{
	static const char *const sources[] = {
		"return x",
		"return f()",
		"return { [k] = 1 }",
		"local M = {} M[k] = 1 return M",
		"local M = {} fill(M) return M",
		"local M = {} M.__index = M return M",
		"local M = setmetatable({}, x) return M",
		"local M = {} setmetatable(M, x) return M",
		"local M = {} M:extend() return M",
		"local M M = {} return M",
		"local M = {} M = f() return M",
		"local M = {} local N = M N.a = 1 return M",
		"return {} as Module",
		"if f() then return {} end return g",
		"if f() then return {} end return function() end",
		"return ...",
		"return nil",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		struct lint_report *r = front_lint(sources[i], strlen(sources[i]));

		if (r->export != LINT_EXPORT_UNKNOWN)
			fail_msg("%s is known as %d", sources[i], r->export);
		lint_report_free(r);
	}
}

/* What is linear must stay so: names, scopes and lists in great number. */
static void much(void **state)
{
	struct buf source = BUF_INIT;
	struct lint_report *r;

	(void)state;
	for (int i = 0; i < 60000; i++)
		buf_addf(&source, "local v%d = require('m') v%d.x()\n", i % 30000, i % 30000);
	for (int i = 0; i < 30000; i++)
		buf_addf(&source, "g%d.y = g%d.z\n", i, i);
	r = front_lint(buf_data(&source), buf_len(&source));
	assert_false(r->has_syntax_error);
	assert_true(r->nuses == 3 * 60000 + 2 * 30000);
	lint_report_free(r);
	buf_clear(&source);
	/* A path that grows with every step stays bounded. */
	buf_adds(&source, "local a = m\n");
	for (int i = 0; i < 20000; i++)
		buf_adds(&source, "local a = a.bcdefghij.klmnop\n");
	r = front_lint(buf_data(&source), buf_len(&source));
	assert_false(r->has_syntax_error);
	for (size_t i = 0; i < r->nuses; i++)
		assert_true(strlen(r->uses[i].path) < 300);
	lint_report_free(r);
	buf_done(&source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths),
		cmocka_unit_test(through_locals),
		cmocka_unit_test(writes),
		cmocka_unit_test(tests_of_presence),
		cmocka_unit_test(types),
		cmocka_unit_test(flags),
		cmocka_unit_test(exports_known),
		cmocka_unit_test(exports_unknown),
		cmocka_unit_test(much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
