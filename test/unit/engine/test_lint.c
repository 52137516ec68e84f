/* What the linter remarks on from the source alone: the places and the words, and what it keeps quiet about. */
#include "lint_run.h"

#define PROBLEMS(source, expected) check_lint(add_problems, source, expected)
#define QUIET(source) check_lint(add_problems, source, "")

static void syntax(void **state)
{
	(void)state;
	PROBLEMS("local x = \n\n", "1:10+1 syntax: unexpected end of file, expected an expression\n");
	PROBLEMS("local unused\nx y\n", "2:3+1 syntax: unexpected 'y', expected '=' or the arguments of a call\n");
	PROBLEMS("", "");
	PROBLEMS("\n\nreturn )", "3:8+1 syntax: unexpected ')', expected an expression\n");
	PROBLEMS("x = 'abc", "1:5+1 syntax: unfinished string, expected the closing quote near ''abc'\n");
	PROBLEMS("do\r\n\r\n  goto x\r\nend", "3:8+1 syntax: no visible label 'x' for <goto> at line 3\n");
	PROBLEMS("\xef\xbb\xbf$", "1:4+1 syntax: unexpected character near '$'\n");
}

static void too_long(void **state)
{
	size_t len = 5 * 1024 * 1024;
	char *text = calloc(1, len);
	struct lint_report *r = front_lint(text, len);

	(void)state;
	assert_int_equal(r->nproblems, 1);
	assert_true(r->has_syntax_error);
	assert_string_equal(r->problems[0].text, "source too long, expected at most 4194304 bytes");
	assert_int_equal(r->problems[0].place.line, 1);
	lint_report_free(r);
	free(text);
}

static void empty_blocks(void **state)
{
	const char *text = "this block is empty; a comment in it says that it is meant to be";
	char *expected;

	(void)state;
#define EMPTY(source, place)                                         \
	do {                                                         \
		expected = xasprintf("%s empty: %s\n", place, text); \
		PROBLEMS(source, expected);                          \
		free(expected);                                      \
	} while (0)
	EMPTY("if f() then end", "1:8+4");
	EMPTY("if f() then g() else\nend", "1:17+4");
	EMPTY("if f() then g() elseif h() then else g() end", "1:28+4");
	EMPTY("while f() do end", "1:11+2");
	EMPTY("do \n\n end", "1:1+2");
	EMPTY("for i = 1, 2 do end", "1:14+2");
	EMPTY("for _ in f() do end", "1:14+2");
	EMPTY("repeat until f()", "1:1+6");
#undef EMPTY
	QUIET("if f() then -- nothing to do\nend");
	QUIET("do --[[x]] end");
	QUIET("do ; end");
	QUIET("return function() end");
}

static void globals(void **state)
{
	(void)state;
	PROBLEMS("x = 1", "1:1+1 global: 'x' is global; declare it with 'local'\n");
	PROBLEMS("a, b.c = 1, 2 a = 3", "1:1+1 global: 'a' is global; declare it with 'local'\n");
	PROBLEMS("function f() end",
		"1:10+1 global: function 'f' is global; make it local, or name it in the table that is returned\n");
	QUIET("local x x = 1 return x");
	QUIET("_G.x = 1");
	QUIET("t.x = 1 t.y.z = 2 t[1] = 3 f().x = 4");
	QUIET("function t.f() end function t:g() end");
	QUIET("_cache = 1");
}

static void comparisons(void **state)
{
	const char *nan = "; to ask for NaN write x ~= x";
	char *expected;

	(void)state;
	expected = xasprintf("1:8+6 self: both sides of the comparison are the same%s\n", nan);
	PROBLEMS("return x == x", expected);
	free(expected);
	PROBLEMS("return a.b[1] < a.b[1]", "1:8+15 self: both sides of the comparison are the same\n");
	PROBLEMS("return p and x >= x", "1:14+6 self: both sides of the comparison are the same\n");
	QUIET("return x ~= x");
	QUIET("return f() == f()");
	QUIET("return x == xx, xx == x, a + x == x, x == -x");
	QUIET("return {} == {}, 'a' == 'a'");
}

static void unused_locals(void **state)
{
	(void)state;
	PROBLEMS("local x", "1:7+1 local: local variable 'x' is never used\n");
	PROBLEMS("local x = 1\nx = 2", "1:7+1 local: local variable 'x' is set but never read\n");
	PROBLEMS("local function f() end", "1:16+1 local: local function 'f' is never used\n");
	PROBLEMS("local a, b = f()\nreturn a", "1:10+1 local: local variable 'b' is never used\n");
	PROBLEMS("local a, b = 1, 2\nreturn b", "1:7+1 local: local variable 'a' is never used\n");
	PROBLEMS("do local x = 1 end\nlocal x = 2 return x", "1:10+1 local: local variable 'x' is never used\n");
	QUIET("local a, b = f() return b");
	QUIET("local a, b = ... return b");
	QUIET("local _, _x, __ = f()");
	QUIET("local x return function() return x end");
	QUIET("local x repeat local y = f() until y == x");
	QUIET("local t = {} t.x = 1");
	QUIET("local x: number = 1 return x as string");
	QUIET("local shapes = f() local function g(p: shapes.Point) return p end return g");
	QUIET("local x = 1 local y: typeof(x) = 2 return y");
}

static void loops(void **state)
{
	(void)state;
	PROBLEMS("for k, v in pairs(t) do f(k) end", "1:8+1 local: loop variable 'v' is never used\n");
	PROBLEMS("for a, b, c in f() do g(b) end", "1:11+1 local: loop variable 'c' is never used\n");
	QUIET("for i = 1, 3 do f() end");
	QUIET("for k, v in pairs(t) do f(v) end");
	QUIET("for line in f() do g() end");
	QUIET("for k, _ in pairs(t) do f() end");
}

static void unused_parameters(void **state)
{
	const char *tail = "is never used; begin its name with '_' if it has to be there";
	char *expected;

	(void)state;
	expected = xasprintf("1:20+1 param: parameter 'b' %s\n", tail);
	PROBLEMS("return function(a, b) return a end", expected);
	free(expected);
	QUIET("return function(a, b) return b end");
	QUIET("return function(a, ...) return ... end");
	QUIET("return function(_a, _) f() end");
	QUIET("return function(self, _) f() end");
	QUIET("function t:m() f() end");
	QUIET("return function(a, b) end");
	QUIET("return function(a: typeof(function() local q = 1 return q end), b) return b end");
}

static void imports(void **state)
{
	(void)state;
	PROBLEMS("local json = require('json')", "1:7+4 import: 'json' is required but never used\n");
	PROBLEMS("local a, b = require \"a\", require [[b]] return a",
		"1:10+1 import: 'b' is required but never used\n");
	PROBLEMS("local x = require('m').x", "1:7+1 local: local variable 'x' is never used\n");
	PROBLEMS("local x = require(name)", "1:7+1 local: local variable 'x' is never used\n");
	PROBLEMS("local function require(s) return s end local x = require('m')",
		"1:46+1 local: local variable 'x' is never used\n");
	QUIET("local json = require('json') return json.encode");
	QUIET("local _json = require('json')");
}

static void shadowing(void **state)
{
	(void)state;
	PROBLEMS("local x = 1\ndo local x = 2 f(x) end return x",
		"2:10+1 shadow: local variable 'x' shadows the local variable declared on line 1\n");
	PROBLEMS("local x = 1\nlocal function f(x) return x end return f(x)",
		"2:18+1 shadow: parameter 'x' shadows the local variable declared on line 1\n");
	PROBLEMS("local function f() end\nfor _, f in g() do f() end f()",
		"2:8+1 shadow: loop variable 'f' shadows the local function declared on line 1\n");
	QUIET("local a, err = f() g(err) local b, err = g() return a, b, err");
	QUIET("do local x = 1 f(x) end do local x = 2 f(x) end");
	QUIET("local _ = f() do local _ = g() end");
	QUIET("function a:b() return function(self) return self end end");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syntax),
		cmocka_unit_test(too_long),
		cmocka_unit_test(empty_blocks),
		cmocka_unit_test(globals),
		cmocka_unit_test(comparisons),
		cmocka_unit_test(unused_locals),
		cmocka_unit_test(loops),
		cmocka_unit_test(unused_parameters),
		cmocka_unit_test(imports),
		cmocka_unit_test(shadowing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
