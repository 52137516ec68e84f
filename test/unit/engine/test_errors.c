/* Error objects: the `errors` library and what bindings push. */
#include "lua_run.h"

static void test_library(void **state)
{
	static const struct lua_case cases[] = {
		{"local e = errors.new('m') return e:message() .. e:kind() .. tostring(e:retryable()) .. "
		 "tostring(e:details())",
			"mnilnil"},
		{"local e = errors.new({ message = 'm', kind = 'Odd', retryable = false, details = { a = 1, b = { 2, 3 "
		 "} } }) "
		 "return e:kind() .. tostring(e:retryable()) .. e:details().a .. e:details().b[2]",
			"Oddfalse13"},
		{"local e = errors.new({ message = 'm', kind = 5, retryable = 'x', details = 7 }) "
		 "return e:kind() .. tostring(e:retryable()) .. tostring(e:details())",
			"nilnil"},
		{"local e = errors.new({ message = 'm', details = { f = print, [1] = 'gone', n = {} } }) local d = "
		 "e:details() "
		 "return type(d.f) .. tostring(d[1]) .. type(d.n)",
			"stringniltable"},
		{"local e = errors.new({ message = 'm', details = {} }) return next(e:details()) == nil", "true"},
		{"local d = {} d.d = d return errors.new({ message = 'm', details = d })", "~nested too deeply"},
		{"local e = errors.new({ message = 'm', details = { a = 1 } }) e:details().a = 2 return e:details().a",
			"1"},
		{"errors.new({})", "~message field is required"},
		{"errors.new({ message = 5 })", "~message must be a string"},
		{"errors.new(5)", "~expected string or table"},
		{"return errors.new('Kind', 'message'):message()", "Kind"},
		{"return errors.NOT_FOUND .. errors.ALREADY_EXISTS .. errors.INVALID .. errors.PERMISSION_DENIED .. "
		 "errors.UNAVAILABLE .. errors.INTERNAL "
		 ".. errors.CANCELED .. errors.CONFLICT .. errors.TIMEOUT .. errors.RATE_LIMITED .. '[' .. "
		 "errors.UNKNOWN .. ']'",
			"NotFoundAlreadyExistsInvalidPermissionDeniedUnavailableInternalCanceledConflictTimeoutRateLimi"
			"ted[]"},
		{"local e = errors.wrap(errors.new({ message = 'low', kind = 'Timeout', retryable = true, details = { "
		 "a = 1 } }), 'high') "
		 "return tostring(e) .. e:kind() .. tostring(e:retryable()) .. e:details().a",
			"high: lowTimeouttrue1"},
		{"return errors.wrap('low', 'high'):message()", "high: low"},
		{"return errors.wrap(errors.new('a'), errors.new('b')):message()", "b: a"},
		{"errors.wrap(5, 'x')", "~expected string or error object"},
		{"errors.wrap('x', 5)", "~expected string or error object"},
		{"return tostring(errors.is(errors.new({ message = 'm', kind = 'Invalid' }), errors.INVALID)) .. "
		 "tostring(errors.is('m', errors.INVALID)) .. tostring(errors.is(errors.new('m'), 'Invalid'))",
			"truefalsefalse"},
		{"errors.is(errors.new('m'), nil)", "~bad argument #2 to is (string expected, got nil)"},
		{"local e = errors.new('m') return 'a ' .. e .. ' b' .. 1.0 .. e", "a m b1m"},
		{"local e = errors.new('m') return e .. nil", "mnil"},
		{"return type(errors.new('m')) .. tostring(errors.new('a') == errors.new('a'))", "userdatafalse"},
		{"errors.new('m').x = 1", "~failed: app:test:1:"},
		{"return getmetatable(errors.new('m')) == nil", "true"},
		{"return errors.new('m').message(5)", "~error expected"},
		{"local function thrower()\nreturn errors.new('m') end\nlocal s = errors.call_stack(thrower())\n"
		 "return s.frames[1].source .. ' ' .. s.frames[1].line .. ' ' .. s.frames[1].level .. s.frames[1].type "
		 ".. s.thread",
			"app:test 2 0Luamain"},
		{"return errors.call_stack('x') == nil", "true"},
		{"local e = errors.wrap(errors.new('low'), 'high') local s = e:stack() "
		 "return s:sub(1, 22) .. (s:find('\\nlow\\n', 1, true) and ' with cause' or '')",
			"high: low\n  app:test:1 with cause"},
		{"local function deep(n) if n == 0 then return errors.new('m') end local e = deep(n - 1) return e end "
		 "return #errors.call_stack(deep(1000)).frames",
			"19"},
	};

	(void)state;
	check_cases(cases, ARRAY_LEN(cases));
}

/* -- from C -------------------------------------------------------------------------------------------- */

static int l_fails(lua_State *L)
{
	struct err e = {0};

	err_set(&e, ERR_UNAVAILABLE, "no route");
	err_code(&e, "proxy_auth_failed");
	err_retryable(&e);
	return push_nil_and_err(L, &e);
}

static int l_takes_number(lua_State *L)
{
	int64_t ns;
	struct err e = {0};

	if (duration_from_lua(L, 1, &ns, &e) < 0)
		return push_nil_and_err(L, &e);
	lua_pushinteger(L, ns);
	return 1;
}

static int l_options(lua_State *L)
{
	const char *s = "none";
	double d = -1;
	bool b = false;

	field_string(L, 1, "s", &s, NULL);
	field_number(L, 1, "d", &d);
	field_bool(L, 1, "b", &b);
	lua_pushfstring(L, "%s %f %s", s, d, b ? "yes" : "no");
	return 1;
}

static int l_thing_get(lua_State *L)
{
	int *thing = handle_check(L, 1, "test.Thing");

	lua_pushinteger(L, ++*thing);
	return 1;
}

static int l_thing(lua_State *L)
{
	static const luaL_Reg methods[] = {{"get", l_thing_get}, {NULL, NULL}};

	handle_register(L, "test.Thing", methods, NULL);
	handle_register(L, "test.Thing", methods, NULL);
	handle_new(L, "test.Thing", sizeof(int));
	return 1;
}

static int l_where(lua_State *L)
{
	int line;
	const char *entry = caller_location(L, &line);

	lua_pushfstring(L, "%s:%d %s", entry, line, running_entry(L));
	return 1;
}

static int probe_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"fails", l_fails},
		{"duration", l_takes_number},
		{"options", l_options},
		{"thing", l_thing},
		{"where", l_where},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	return 1;
}

static const struct module modules[] = {{"probe", probe_open, true}};
static const struct module_list module_list = {modules, 1};

static void test_bindings(void **state)
{
	static const struct lua_case cases[] = {
		{"local v, e = probe.fails() return tostring(v) .. e:kind() .. tostring(e:retryable()) .. "
		 "e:details().code .. e",
			"nilUnavailabletrueproxy_auth_failedno route"},
		{"local _, e = probe.fails() return errors.call_stack(e).frames[2].line", "1"},
		{"return nil, select(2, probe.fails())", "failed Unavailable: no route"},
		{"return probe.duration('1m30s') == 90 * 1000000000", "true"},
		{"return probe.duration(1.9)", "1"},
		{"return tostring(select(2, probe.duration({})))", "duration must be number or string"},
		{"return tostring(select(2, probe.duration(1/0)))", "the duration is out of range"},
		{"return tostring(select(2, probe.duration('1d')))", "time: unknown unit \"d\" in duration \"1d\""},
		{"return probe.options({ s = 'x', d = 2, b = true })", "x 2.0 yes"},
		{"return probe.options({ s = 5, d = 'x' }) .. probe.options(nil)", "none -1.0 nonone -1.0 no"},
		{"return probe.options(table.freeze({ s = 'frozen' }))", "frozen -1.0 no"},
		{"local t = probe.thing() return t:get() + t:get() .. type(t) .. tostring(getmetatable(t))",
			"3userdatanil"},
		{"probe.thing().get(channel.new())", "~test.Thing expected, got userdata"},
		{"\n\nreturn probe.where()", "app:test:3 app:test"},
		{"probe.x = 1", "~Immutable"},
	};
	struct heap *h = make_heap(0, &module_list);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *got = run_body(h, cases[i].body);

		if (cases[i].want[0] == '~' ? !strstr(got, cases[i].want + 1) : strcmp(got, cases[i].want) != 0)
			fail_msg("%s\nwant: %s\ngot:  %s", cases[i].body, cases[i].want, got);
	}
	heap_free(h);
}

static void test_values(void **state)
{
	struct heap *h = make_heap(0, NULL);
	struct failure *f = failure_new("Odd", ERR_RETRY_YES, "message", 7, NULL, NULL, NULL);
	struct err e = {0};

	(void)state;
	assert_int_equal(failure_to_err(f, &e), -1);
	assert_int_equal(e.kind, ERR_UNKNOWN); /* a kind a program chose */
	assert_int_equal(e.retry, ERR_RETRY_YES);
	failure_unref(f);
	failure_unref(NULL);
	/* A long chain of causes is freed without a deep stack. */
	assert_string_equal(run_body(h, "local e = errors.new('x') for i = 1, 20000 do e = errors.wrap(e, '') "
					"if #e:message() > 1000 then e = errors.new('x') end end return 'ok'"),
		"ok");
	heap_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_library),
		cmocka_unit_test(test_bindings),
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
