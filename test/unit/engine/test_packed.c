/* Values on their way between processes: what survives, what does not, and the limits. */
#include "lua_run.h"

#include "engine/packed_format.h"

/* The result of `body` goes through a block into a second program that shows it with `look`. */
static void check_trip(struct heap *h, const char *body, const char *look, const char *want)
{
	struct instance *in;
	char *source = xasprintf("return { main = function() %s end }", body);
	struct packed *p;
	const char *got;
	struct task t;

	in = make_instance(h, source);
	start_task(&t, &plain_ops, in, NULL);
	if (run_task(&t) != TASK_DONE)
		fail_msg("%s: %s", body, task_failure(&t)->message);
	p = packed_ref(task_result(&t));
	task_done(&t);
	instance_free(in);
	free(source);
	source = xasprintf("return { main = function(v, n) %s end }", look);
	got = run_source_in(h, source, p);
	if (strcmp(got, want) != 0)
		fail_msg("%s\n%s\nwant: %s\ngot:  %s", body, look, want, got);
	free(source);
	packed_unref(p);
}

static void test_trips(void **state)
{
	static const struct {
		const char *body, *look, *want;
	} cases[] = {
		{"return 5", "return v .. math.type(v)", "5integer"},
		{"return 5.0", "return v .. math.type(v)", "5float"},
		{"return math.mininteger", "return v == math.mininteger", "true"},
		{"return 'a\\0b'", "return #v .. v:byte(2)", "30"},
		{"return ('x'):rep(300)", "return #v", "300"},
		{"return true", "return v", "true"},
		{"return { 1, 2, { 3, k = 'v' } }", "return v", "[1,2,{\"1\":3,\"k\":\"v\"}]"},
		{"return { [1.5] = 'f', [true] = 'b', [10] = 'i' }", "return v[1.5] .. v[true] .. v[10]", "fbi"},
		{"return { 1, nil, 3 }", "return v[1] + v[3]", "4"},
		{"local t = {} t.me = t return t", "return v.me == v", "true"},
		{"local a = { 1 } return { a, a, x = a }", "return tostring(v[1] == v[2]) .. tostring(v.x == v[1])",
			"truetrue"},
		{"local k = {} return { [k] = k }", "local k = next(v) return v[k] == k", "true"},
		{"return setmetatable({ 1 }, { __index = { a = 'deflt' } })", "return v.a", "deflt"},
		{"local c = { name = 'C' } c.__index = c return setmetatable({}, c)",
			"return v.name .. tostring(getmetatable(v).__index == getmetatable(v))", "Ctrue"},
		{"return setmetatable({}, { __index = function() end })", "return v.x == nil and type(v)", "table"},
		{"return { print, f = print, c = channel.new(), [print] = 1, th = coroutine.running(), n = 1 }",
			"local n = 0 for k in pairs(v) do n = n + 1 end return n .. v.n", "11"},
		{"return { e = errors.new({ message = 'm', kind = 'K', retryable = true, details = { a = { 1, 2 } } }) "
		 "}",
			"local e = v.e return e:message() .. e:kind() .. tostring(e:retryable()) .. e:details().a[2]",
			"mKtrue2"},
		{"return table.freeze({ 1, a = table.freeze({ b = 2 }) })", "v.a.b = 3 v[1] = 4 return v.a.b + v[1]",
			"7"},
		{"return string", "return type(v)", "table"},
		{"return math", "return v.pi > 3 and v.huge == 1 / 0", "true"},
		{"x = 1 y = { 2 } return _G", "return v.x + v.y[1] .. tostring(v.print) .. tostring(getmetatable(v))",
			"3nilnil"},
		{"local t = {} for i = 1, 2000 do t[i] = { i } end t.first = t[1] return t",
			"return tostring(v.first == v[1]) .. #v .. v[2000][1]", "true20002000"},
		{"local t = { 'gap' } t[3] = 3 return t", "return v[1] .. v[3]", "gap3"},
	};
	struct heap *h = make_heap(0, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_trip(h, cases[i].body, cases[i].look, cases[i].want);
	heap_free(h);
}

/* A metatable that arrives must not bring the engine's own metamethods to life. */
static void test_engine_metamethods_stay_out(void **state)
{
	struct heap *h = make_heap(0, NULL);

	(void)state;
	check_trip(h, "return setmetatable({}, setmetatable({ __gc = 1, __mode = 'k', __name = 'kept' }, nil))",
		"local m = getmetatable(v) return tostring(m.__gc) .. tostring(m.__mode) .. m.__name", "nilnilkept");
	heap_collect_all(h);
	heap_free(h);
}

static void test_limits(void **state)
{
	struct heap *h = make_heap(0, NULL);

	(void)state;
	assert_non_null(
		strstr(run_body(h, "local t = {} for i = 1, 201 do t = { t } end return t"), "nested too deeply"));
	check_trip(h, "local t = {} for i = 1, 199 do t = { t } end return t",
		"local n = 0 while v do v = v[1] n = n + 1 end return n", "200");
	assert_non_null(strstr(run_body(h, "return ('x'):rep(65 * 1024 * 1024)"), "too large to copy"));
	assert_non_null(
		strstr(run_body(h, "local s, t = ('x'):rep(1024 * 1024), {} for i = 1, 70 do t[i] = s end return t"),
			"too large to copy"));
	heap_free(h);
}

static void test_without_lua(void **state)
{
	static const char *const strings[] = {"a", "", "long enough to be something"};
	struct packed *s = packed_from_strings(strings, 3), *v, *parts[3], *all;
	struct value *list = value_list(), *map = value_map(), *back;

	(void)state;
	assert_int_equal(packed_count(s), 3);
	assert_int_equal(packed_count(NULL), 0);
	assert_null(packed_to_value(s, 3));
	assert_null(packed_to_value(NULL, 0));
	back = packed_to_value(s, 2);
	assert_string_equal(value_get_string(back, NULL), strings[2]);
	value_unref(back);

	value_list_append(list, value_int(1));
	value_list_append(list, value_float(2.5));
	value_list_append(list, value_nil());
	value_map_set(map, "list", list);
	value_map_set(map, "yes", value_bool(true));
	v = packed_from_value(map);
	back = packed_to_value(v, 0);
	assert_true(value_equal(map, back));
	value_unref(back);
	parts[0] = s;
	parts[1] = NULL;
	parts[2] = v;
	all = packed_concat(parts, 3);
	assert_int_equal(packed_count(all), 4);
	back = packed_to_value(all, 3);
	assert_true(value_equal(map, back));
	value_unref(back);
	packed_unref(all);
	all = packed_from_value(NULL);
	assert_int_equal(packed_count(all), 0);
	packed_unref(all);
	value_unref(map);
	packed_unref(v);
	packed_unref(s);
	packed_unref(NULL);
}

static void check_value(const char *body, const char *want)
{
	struct heap *h = make_heap(0, NULL);

	assert_string_equal(run_body(h, body), want);
	heap_free(h);
}

static void test_to_value(void **state)
{
	struct heap *h = make_heap(0, NULL);
	struct instance *in = make_instance(h, "return { main = function() local t = {} t.t = t return t end }");
	struct task t;

	(void)state;
	start_task(&t, &plain_ops, in, NULL);
	assert_int_equal(run_task(&t), TASK_DONE);
	assert_null(packed_to_value(task_result(&t), 0)); /* a cycle is no tree */
	task_done(&t);
	instance_free(in);
	heap_free(h);
	check_value("local a = { 1 } return { a, a }", "[[1],[1]]");
	check_value("return { [{}] = 1, b = 2 }", "{\"b\":2}");
	check_value("return { [2] = 'two' }", "{\"2\":\"two\"}");
	check_value("return { [true] = 't' }", "{\"true\":\"t\"}");
	check_value("return { e = errors.new('text') }", "{\"e\":\"text\"}");
}

/* Error objects in several parts keep their own failures. */
static void test_concat_failures(void **state)
{
	struct heap *h = make_heap(0, NULL);
	struct packed *parts[2], *all;
	struct value *v;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct instance *in =
			make_instance(h, i ? "return { main = function() return { errors.new('second') } end }"
					   : "return { main = function() return { errors.new('first') } end }");
		struct task t;

		start_task(&t, &plain_ops, in, NULL);
		assert_int_equal(run_task(&t), TASK_DONE);
		parts[i] = packed_ref(task_result(&t));
		task_done(&t);
		instance_free(in);
	}
	all = packed_concat(parts, 2);
	packed_unref(parts[0]);
	packed_unref(parts[1]);
	v = packed_to_value(all, 1);
	assert_string_equal(value_get_string(value_at(v, 0), NULL), "second");
	value_unref(v);
	assert_string_equal(
		run_source_in(h, "return { main = function(a, b) return a[1]:message() .. b[1]:message() end }", all),
		"firstsecond");
	packed_unref(all);
	heap_free(h);
}

/* Blocks are made by us, yet no byte in them is trusted: every one is changed in turn. */
static void test_damaged(void **state)
{
	static const unsigned char values[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 127, 255};
	struct heap *h = make_heap(0, NULL);
	struct instance *in = make_instance(h, "return { main = function() local a = { 1, 2, 'text' } return { a, a, x "
					       "= 1.5, [true] = ('s'):rep(300), "
					       "m = setmetatable({}, { __index = a }), e = errors.new('e') } end }");
	struct packed *p;
	struct task t, sink;

	(void)state;
	start_task(&t, &plain_ops, in, NULL);
	assert_int_equal(run_task(&t), TASK_DONE);
	p = packed_ref(task_result(&t));
	task_done(&t);
	for (size_t i = 0; i < p->len; i++) {
		unsigned char good = p->bytes[i];

		for (size_t k = 0; k < sizeof(values); k++) {
			p->bytes[i] = values[k];
			value_unref(packed_to_value(p, 0));
			start_task(&sink, &plain_ops, in, p);
			task_done(&sink);
		}
		p->bytes[i] = good;
	}
	packed_unref(p);
	instance_free(in);
	heap_free(h);
}

/* A copy without references says the same, at another address. */
static void test_inline(void **state)
{
	const char *const strings[] = {"one", "", "three"};
	struct packed *p = packed_from_strings(strings, 3);
	size_t bytes = packed_inline_bytes(p, 1000);
	const struct packed *copy;
	struct packing k;
	struct failure *f;
	void *mem;

	(void)state;
	assert_true(bytes > 0);
	assert_int_equal(packed_inline_bytes(p, bytes), bytes);
	assert_int_equal(packed_inline_bytes(p, bytes - 1), 0);
	mem = malloc(bytes);
	copy = packed_inline(mem, p);
	packed_unref(p);
	assert_int_equal(packed_count(copy), 3);
	for (unsigned i = 0; i < 3; i++) {
		struct value *v = packed_to_value(copy, i);

		assert_string_equal(value_get_string(v, NULL), strings[i]);
		value_unref(v);
	}
	free(mem);

	/* One that holds a reference cannot be copied. */
	f = failure_new("Internal", ERR_RETRY_NO, "x", 1, NULL, NULL, NULL);
	packing_init(&k);
	assert_int_equal(packing_failure(&k, f, NULL), 0);
	packing_end_payload(&k);
	p = packing_finish(&k);
	assert_int_equal(packed_inline_bytes(p, 1000), 0);
	packed_unref(p);
	failure_unref(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trips),
		cmocka_unit_test(test_engine_metamethods_stay_out),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_without_lua),
		cmocka_unit_test(test_to_value),
		cmocka_unit_test(test_concat_failures),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_inline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
