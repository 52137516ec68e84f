/* Globals that a program never assigns to are read at once; nobody can tell but by the clock. */
#include "lua_run.h"

#include "engine/state.h"

static struct code *make(const char *source, const char *method, const char *alias, struct code *lib)
{
	struct code_import import = {alias, lib};
	struct code_spec spec = {.id = "app:main",
		.source = source,
		.source_len = strlen(source),
		.method = method,
		.imports = &import,
		.nimports = lib ? 1 : 0};
	struct code *c;
	struct err e;

	if (code_new(&spec, &c, &e) < 0)
		fail_msg("%s\nin: %s", e.text, source);
	return c;
}

/* -- which names ---------------------------------------------------------------------------------------- */

/* "name" for a value, "name." when only fields are read. */
static void check_names(const char *source, const char *want)
{
	struct code *c = make(source, "main", NULL, NULL);
	struct buf text = BUF_INIT;

	for (size_t i = 0; i < c->nconstants; i++)
		buf_addf(&text, "%s%s%s", i ? " " : "", c->constants[i].name,
			c->constants[i].is_only_indexed ? "." : "");
	if (strcmp(buf_str(&text), want) != 0)
		fail_msg("%s\n  want: %s\n  got:  %s", source, want, buf_str(&text));
	buf_done(&text);
	code_unref(c);
}

static void names(void **state)
{
	(void)state;
	check_names("return math.pi, math.huge", "math.");
	check_names("return math.pi, math", "math");
	check_names("return math['pi']", "math");
	check_names("return math:floor()", "math");
	check_names("return print(tostring(1))", "print tostring");
	check_names("math.x = 1", "math");
	check_names("math.x, y = 1, 2", "math");
	check_names("y, math.x = 1, 2", "math");
	check_names("math!.x = 1", "math");
	check_names("function math.x() end", "math");
	check_names("function math.x:y() end", "math");
	check_names("math.x.y = 1", "math");
	check_names("return math.x.y", "math.");
	check_names("local math = {} math = 1 return math.pi", "");
	check_names("do local math = 1 end return math.pi", "math.");
	check_names("local function f(math) return math.pi end return math.pi", "math.");
	/* Assigned to somewhere. */
	check_names("return math.pi, function() math = 1 end", "");
	check_names("a, math = 1, 2 return math.pi", "");
	check_names("function math() end return math.pi", "");
	check_names("type math = number return math.pi", "");
	/* The table of globals may be at hand. */
	check_names("_G.math = 1 return math.pi", "");
	check_names("local r = require return math.pi", "");
	check_names("require('_' .. 'G').math = 1 return math.pi", "");
	check_names("require('\\95G').math = 1 return math.pi", "");
	check_names("require'x' return math.pi", "require math.");
	check_names("require('x') return math.pi", "require math.");
	check_names("return _ENV, math.pi", "math.");
	/* Lua would name a local variable in the error. */
	check_names("return 1 + math", "");
	check_names("return math! * 2", "");
	check_names("return (math) - 2", "");
	check_names("return -math, #tostring, ~print, type(-1)", "type");
	check_names("return 1 + math.pi, not print, print == tostring, print and tostring or type, print .. 'x'",
		"type math. print tostring");
	check_names("return f(print, {tostring}, math[type]) + 1", "type f print tostring math");
	check_names("return -function() return print end, 1 + {print}", "print");
}

static void libraries_have_none(void **state)
{
	struct code *c = make("return { f = function() return math.pi end }", NULL, NULL, NULL);

	(void)state;
	assert_int_equal(c->nconstants, 0);
	code_unref(c);
}

/* -- what programs see ------------------------------------------------------------------------------------ */

static void check_with_library(const char *lib_source, const char *alias, const char *body, const char *want)
{
	char *source = xasprintf("local function main() %s\nend return { main = main }", body);
	struct heap *h = make_heap(0, NULL);
	struct code *lib = make(lib_source, NULL, NULL, NULL);
	struct code *c = make(source, "main", alias, lib);
	struct instance *in;
	const char *got;
	struct task t;
	struct err e;

	if (instance_new(h, c, 0, &in, &e) < 0)
		fail_msg("%s\nin: %s", e.text, source);
	start_task(&t, &plain_ops, in, NULL);
	got = show_task(&t, run_task(&t));
	if (strcmp(got, want) != 0)
		fail_msg("%s\n  want: %s\n  got:  %s", body, want, got);
	task_done(&t);
	instance_free(in);
	code_unref(c);
	code_unref(lib);
	heap_free(h);
	free(source);
}

static void libraries_may_assign(void **state)
{
	(void)state;
	check_with_library("math = { pi = 3 } return {}", "lib", "return math.pi", "3");
	check_with_library("function tostring() return 'x' end return {}", "lib", "return tostring(1)", "x");
	check_with_library("_G.math = { pi = 4 } return {}", "lib", "return math.pi", "4");
	check_with_library("require('_' .. 'G').math = { pi = 5 } return {}", "lib", "return math.pi", "5");
	check_with_library("return { set = function() math = { pi = 6 } end }", "lib",
		"local before = math.pi lib.set() return math.pi .. (before > 3 and 'y' or 'n')", "6y");
	/* An import of the name. */
	check_with_library("return { pi = 7 }", "math", "return math.pi", "7");
}

static void assignments_are_seen(void **state)
{
	static const struct lua_case cases[] = {
		{"string = { rep = 1 } return string.rep", "1"},
		{"local before = string.rep string = nil return string == nil and before('a', 2)", "aa"},
		{"require('_' .. 'G').string = { rep = 2 } return string.rep", "2"},
		{"return math.floor(2.5) .. string.rep('x', 3) .. tostring(true)", "2xxxtrue"},
		{"return string.nothing == nil", "true"},
		{"return nothing == nil", "true"},
		{"return string.nothing()", "~attempt to call a nil value (field 'nothing')"},
		{"return nothing()", "~attempt to call a nil value (global 'nothing')"},
		{"return nothing.x", "~attempt to index a nil value (global 'nothing')"},
		{"return string.rep()", "~bad argument #1 to 'rep' ("},
		{"return tostring()", "~bad argument #1 to tostring ("},
	};

	(void)state;
	check_cases(cases, ARRAY_LEN(cases));
}

/* Errors of the engine tell what kind of variable it was: a constant is no other than before. */
static void errors_name_globals(void **state)
{
	static const struct lua_case cases[] = {
		{"return math()", "~attempt to call a table value (global 'math')"},
		{"return (math)()", "~attempt to call a table value (global 'math')"},
		{"math {1}", "~attempt to call a table value (global 'math')"},
		{"math 'x'", "~attempt to call a table value (global 'math')"},
		{"return math.pi, math()", "~attempt to call a table value (global 'math')"},
		{"return print.x", "~attempt to index a function value (global 'print')"},
		{"return print!.x", "~attempt to index a function value (global 'print')"},
		{"return (print).x", "~attempt to index a function value (global 'print')"},
		{"return print[1]", "~attempt to index a function value (global 'print')"},
		{"return print:x()", "~attempt to index a function value (global 'print')"},
		{"print.x = 1", "~attempt to index a function value (global 'print')"},
		{"print[1] = 1", "~attempt to index a function value (global 'print')"},
		{"local a a, print.x = 1, 2", "~attempt to index a function value (global 'print')"},
		{"function print.x() end", "~attempt to index a function value (global 'print')"},
		{"function print:x() end", "~attempt to index a function value (global 'print')"},
		{"return print + 1", "~attempt to perform arithmetic on a function value (global 'print')"},
		{"return 1 + math", "~attempt to perform arithmetic on a table value (global 'math')"},
		{"return 2 ^ (math :: any)", "~attempt to perform arithmetic on a table value (global 'math')"},
		{"return -math", "~attempt to perform arithmetic on a table value (global 'math')"},
		{"return -(1 and (nil or math))", "~attempt to perform arithmetic on a table value (global 'math')"},
		{"return (1 and print).x", "~attempt to index a function value (global 'print')"},
		{"return #print", "~attempt to get length of a function value (global 'print')"},
		{"return math & 1", "~attempt to perform bitwise operation on a table value (global 'math')"},
		{"return ~math", "~attempt to perform bitwise operation on a table value (global 'math')"},
		{"return _VERSION()", "~attempt to call a string value (global '_VERSION')"},
	};

	(void)state;
	check_cases(cases, ARRAY_LEN(cases));
}

static void libraries_stay_read_only(void **state)
{
	static const struct lua_case cases[] = {
		{"string.x = 1", "~cannot change an Immutable table"},
		{"string.rep = nil", "~cannot change an Immutable table"},
		{"string!.x = 1", "~cannot change an Immutable table"},
		{"string['x'] = 1", "~cannot change an Immutable table"},
		{"function string.x() end", "~cannot change an Immutable table"},
		{"function string:x() end", "~cannot change an Immutable table"},
		{"local a a, string.x = 1, 2", "~cannot change an Immutable table"},
		{"local s = string s.x = 1", "~cannot change an Immutable table"},
		{"rawset(string, 'x', 1)", "~cannot change an Immutable table"},
		{"table.insert(string, 1)", "~cannot change an Immutable table"},
		{"setmetatable(string, {})", "~cannot change an Immutable table"},
	};

	(void)state;
	check_cases(cases, ARRAY_LEN(cases));
}

/* -- Lua's bounds ---------------------------------------------------------------------------------------- */

static void all_upvalues_taken(void **state)
{
	struct heap *h = make_heap(0, NULL);
	struct buf s = BUF_INIT;

	(void)state;
	/* With the table of globals there are 255 upvalues; math and string by themselves would be one too many. */
	buf_adds(&s, "local function main() ");
	for (int i = 0; i < 190; i++)
		buf_addf(&s, "local a%d = %d ", i, i);
	buf_adds(&s, "return (function() ");
	for (int i = 190; i < 254; i++)
		buf_addf(&s, "local a%d = %d ", i, i);
	buf_adds(&s, "return (function() local n = math.abs(-1) + #string.rep('x', 2) ");
	for (int i = 0; i < 254; i++)
		buf_addf(&s, "n = n + a%d ", i);
	buf_adds(&s, "return n end)() end)() end return { main = main }");
	assert_string_equal(run_source_in(h, buf_str(&s), NULL), "32134");
	buf_done(&s);
	heap_free(h);
}

enum { MODULES = 100 };

static int open_module(lua_State *L)
{
	lua_createtable(L, 0, 1);
	lua_pushinteger(L, 1);
	lua_setfield(L, -2, "one");
	return 1;
}

static void more_than_fit(void **state)
{
	char names[MODULES][8];
	struct module modules[MODULES];
	struct module_list list = {modules, MODULES};
	struct buf s = BUF_INIT;
	struct heap *h;

	(void)state;
	buf_adds(&s, "local function main() local n = 0 ");
	for (int i = 0; i < MODULES; i++) {
		snprintf(names[i], sizeof(names[i]), "m%d", i);
		modules[i] = (struct module){.name = names[i], .open = open_module, .global = true};
		buf_addf(&s, "if nothing%d == nil then n = n + m%d.one end ", i, i);
	}
	buf_adds(&s, "return n end return { main = main }");
	h = make_heap(0, &list);
	assert_string_equal(run_source_in(h, buf_str(&s), NULL), "100");
	buf_done(&s);
	heap_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(libraries_have_none),
		cmocka_unit_test(libraries_may_assign),
		cmocka_unit_test(assignments_are_seen),
		cmocka_unit_test(errors_name_globals),
		cmocka_unit_test(libraries_stay_read_only),
		cmocka_unit_test(all_upvalues_taken),
		cmocka_unit_test(more_than_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
