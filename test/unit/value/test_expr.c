/* The expression language: what every operator and function gives, what is refused and where, what ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "value/expr.h"
#include "value/json.h"

static const char environment[] = "{\"n\": 7, \"f\": 1.5, \"s\": \"hello\", \"b\": true, \"list\": [3, 1, 2], \"m\": "
				  "{\"a\": 1, \"in\": 2, \"d\": {\"e\": 5}},"
				  " \"users\": [{\"name\": \"Ann\", \"age\": 30}, {\"name\": \"Bob\", \"age\": 20}, "
				  "{\"name\": \"Cid\", \"age\": 30}],"
				  " \"u\": \"h\xc3\xa9llo\", \"empty\": []}";

static int run(const char *source, struct value **ret, struct err *e)
{
	static const char *const keys[] = {"n", "f", "s", "b", "list", "m", "users", "u", "empty"};
	struct expr_name names[ARRAY_LEN(keys)];
	struct value *env;
	struct expr *x;
	int rc;

	assert_int_equal(json_parse(environment, strlen(environment), &env, e), 0);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		names[i] = (struct expr_name){keys[i], value_get(env, keys[i])};
	rc = expr_compile(source, strlen(source), &x, e);
	if (rc == 0) {
		rc = expr_run(x, names, ARRAY_LEN(names), ret, e);
		expr_unref(x);
	}
	value_unref(env);
	return rc;
}

static void gives(void **state)
{
	/* The result as JSON. */
	static const struct {
		const char *source, *want;
	} cases[] = {
		/* literals */
		{"42", "42"},
		{"0x2A + 0o52 + 0b101010", "126"},
		{"1_000", "1000"},
		{".5 + 1e2", "100.5"},
		{"\"a\\n\\u00e9\\x41\" + 'b' + `c\\n`", "\"a\\n\xc3\xa9"
							"Abc\\\\n\""},
		{"'it\\'s'", "\"it's\""},
		{"[1, 'x', nil, true,]", "[1,\"x\",null,true]"},
		{"{a: 1, 'b c': 2, 3: 3, (s + '!'): 4}", "{\"a\":1,\"b c\":2,\"3\":3,\"hello!\":4}"},
		{"1 /* one */ + // two\n 2", "3"},
		/* names and parts */
		{"n", "7"},
		{"unknown", "null"},
		{"m.a", "1"},
		{"m.in", "2"},
		{"m['a']", "1"},
		{"m.missing", "null"},
		{"m.d.e", "5"},
		{"unknown?.x.y.z", "null"},
		{"unknown?.[0].x", "null"},
		{"m?.d?.e", "5"},
		{"(unknown?.x) ?? 4", "4"},
		{"unknown?.x ?? 'none'", "\"none\""},
		{"list[0]", "3"},
		{"list[-1]", "2"},
		{"list[1:]", "[1,2]"},
		{"list[:1]", "[3]"},
		{"list[:-1]", "[3,1]"},
		{"list[:]", "[3,1,2]"},
		{"list[2:1]", "[]"},
		{"list[1:99]", "[1,2]"},
		{"u[1]", "\"\xc3\xa9\""},
		{"u[1:3]", "\"\xc3\xa9l\""},
		{"$env.n", "7"},
		{"'n' in $env", "true"},
		{"'zz' in $env", "false"},
		/* arithmetic */
		{"1 + 2 * 3", "7"},
		{"(1 + 2) * 3", "9"},
		{"10 / 4", "2.5"},
		{"10 / 5", "2"},
		{"7 % 4", "3"},
		{"-7 % 4", "-3"},
		{"2 ** 3 ** 2", "512"},
		{"2 ^ 3", "8"},
		{"-2 ** 2", "-4"},
		{"1 - 2 - 3", "-4"},
		{"+n", "7"},
		{"-f", "-1.5"},
		{"f + 1", "2.5"},
		{"9223372036854775807 + 1", "-9223372036854775808"},
		{"'a' + 'b'", "\"ab\""},
		{"n % -1", "0"},
		/* comparison and logic */
		{"1 == 1.0", "true"},
		{"1 == '1'", "false"},
		{"nil == unknown", "true"},
		{"[1, 2] == [1, 2]", "true"},
		{"{a: 1} == {a: 1.0}", "true"},
		{"'a' < 'b'", "true"},
		{"'b' <= 'a'", "false"},
		{"1 < 2 < 3", "true"},
		{"3 > 2 > 2", "false"},
		{"1 != 2 && !false", "true"},
		{"not true or true", "true"},
		{"true || unknown.x", "true"},
		{"false and unknown.x", "false"},
		{"true or false and false", "true"},
		{"not (1 == 2)", "true"},
		{"not b == false", "true"},
		{"3 in list", "true"},
		{"4 not in list", "true"},
		{"'a' in m", "true"},
		{"1 in nil", "false"},
		{"n in 1..9", "true"},
		{"s contains 'ell'", "true"},
		{"s not contains 'ell'", "false"},
		{"s startsWith 'he' and s endsWith 'lo'", "true"},
		{"s matches '^h.*o$'", "true"},
		{"s matches ('^' + 'x')", "false"},
		{"not (s matches '^x')", "true"},
		{"s not matches '^x'", "true"},
		{"unknown contains 'x'", "false"},
		{"unknown ?? 1", "1"},
		{"false ?? 1", "false"},
		{"1 + (unknown ?? 2)", "3"},
		{"b ? 'yes' : 'no'", "\"yes\""},
		{"b ? false ? 1 : 2 : 3", "2"},
		{"b ?: 3", "true"},
		{"if n > 5 { 'big' } else { 'small' }", "\"big\""},
		{"if false { 1 } else if true { 2 } else { 3 }", "2"},
		{"1..3", "[1,2,3]"},
		{"3..1", "[]"},
		{"1..2 + 1", "[1,2,3]"},
		/* let and pipes */
		{"let x = 2; let y = x * 3; x + y", "8"},
		{"let n = 1; n", "1"},
		{"(let x = 5; x) + n", "12"},
		{"s | upper() | split('L')", "[\"HE\",\"\",\"O\"]"},
		{"list | sort() | first()", "1"},
		{"list | filter(# > 1) | map(# * 2)", "[6,4]"},
		{"[s | len(), (s | upper())[0]]", "[5,\"H\"]"},
		/* closures */
		{"all(list, # > 0)", "true"},
		{"any(list, {# > 2})", "true"},
		{"one(list, # > 2)", "true"},
		{"one(list, # > 1)", "false"},
		{"none(list, # > 5)", "true"},
		{"all(empty, false)", "true"},
		{"any(empty, true)", "false"},
		{"map(users, .name)", "[\"Ann\",\"Bob\",\"Cid\"]"},
		{"map(users, {.age + #index})", "[30,21,32]"},
		{"map(users, ({who: .name}))", "[{\"who\":\"Ann\"},{\"who\":\"Bob\"},{\"who\":\"Cid\"}]"},
		{"filter(users, .age > 25 and .name startsWith 'C')", "[{\"name\":\"Cid\",\"age\":30}]"},
		{"find(list, # < 3)", "1"},
		{"find(list, # > 9)", "null"},
		{"findIndex(list, # == 2)", "2"},
		{"findIndex(list, # == 9)", "null"},
		{"findLast(list, # < 3)", "2"},
		{"findLastIndex(list, # < 4)", "2"},
		{"count(list, # > 1)", "2"},
		{"count([true, false, true])", "2"},
		{"sum(list)", "6"},
		{"sum(users, .age)", "80"},
		{"sum([1, 0.5])", "1.5"},
		{"groupBy(users, .age)", "{\"30\":[{\"name\":\"Ann\",\"age\":30},{\"name\":\"Cid\",\"age\":30}],"
					 "\"20\":[{\"name\":\"Bob\",\"age\":20}]}"},
		{"map(sortBy(users, .age), .name)", "[\"Bob\",\"Ann\",\"Cid\"]"},
		{"map(sortBy(users, .name, 'desc'), .name)", "[\"Cid\",\"Bob\",\"Ann\"]"},
		{"reduce(1..4, #acc + #)", "10"},
		{"reduce(1..4, #acc + #, 100)", "110"},
		{"reduce(['a', 'b'], #acc + # + string(#index), '')", "\"a0b1\""},
		{"map(1..2, map(1..2, # * 10))", "[[10,20],[10,20]]"},
		{"let k = 2; map(list, # * k)", "[6,2,4]"},
		{"map(1..3, let x = # * #; x + 1)", "[2,5,10]"},
		/* numbers */
		{"[abs(-3), abs(-1.5), ceil(1.2), floor(1.8), round(1.5), round(-2.5)]", "[3,1.5,2,1,2,-3]"},
		{"[max(1, 5, 2), min(list), max([1, 2], 7), mean(list), median([4, 1, 3]), median([1, 2])]",
			"[5,1,7,2,3,1.5]"},
		{"[mean([]), median([])]", "[0,0]"},
		{"[bitand(0b1010, 0b1100), bitor(10, 12), bitxor(10, 12), bitnand(10, 12), bitnot(10)]",
			"[8,14,6,2,-11]"},
		{"[bitshl(45, 2), bitshr(45, 2), bitushr(-5, 2), bitshl(1, 64)]", "[180,11,4611686018427387902,0]"},
		/* lists and maps */
		{"[first(list), last(list), first(empty), last(empty)]", "[3,2,null,null]"},
		{"[take(list, 2), take(list, 9), reverse(list)]", "[[3,1],[3,1,2],[2,1,3]]"},
		{"concat([1], [2, 3], [])", "[1,2,3]"},
		{"flatten([1, [2, [3, []]]])", "[1,2,3]"},
		{"uniq([1, 2, 1.0, '1', [1], [1]])", "[1,2,\"1\",[1]]"},
		{"[sort(list), sort(list, 'desc'), sort(['b', 'a'])]", "[[1,2,3],[3,2,1],[\"a\",\"b\"]]"},
		{"[keys({a: 1, b: 2}), values({a: 1, b: 2})]", "[[\"a\",\"b\"],[1,2]]"},
		{"toPairs({a: 1})", "[[\"a\",1]]"},
		{"fromPairs([['a', 1], ['b', 2]])", "{\"a\":1,\"b\":2}"},
		{"[get(list, 1), get(list, 9), get(m, 'a'), get(nil, 'a')]", "[1,null,1,null]"},
		/* text */
		{"[len(u), len(list), len(m)]", "[5,3,3]"},
		{"[upper(u), lower('\xc3\x89"
		 "A')]",
			"[\"H\xc3\x89LLO\",\"\xc3\xa9"
			"a\"]"},
		{"[trim('  a b '), trim('__x_', '_'), trimPrefix('foobar', 'foo'), trimSuffix('foobar', 'bar')]",
			"[\"a b\",\"x\",\"bar\",\"foo\"]"},
		{"[split('a,b,c', ','), split('a,b,c', ',', 2), split('ab', ''), split('', ','), split('a', 'a', 0)]",
			"[[\"a\",\"b\",\"c\"],[\"a\",\"b,c\"],[\"a\",\"b\"],[\"\"],[]]"},
		{"[splitAfter('a,b', ','), splitAfter('a,b,c', ',', 2)]", "[[\"a,\",\"b\"],[\"a,\",\"b,c\"]]"},
		{"[join(['a', 'b'], '-'), join(['a', 'b']), join([])]", "[\"a-b\",\"ab\",\"\"]"},
		{"[replace('aaa', 'a', 'b'), replace('aaa', 'a', 'b', 2), replace('ab', '', '-')]",
			"[\"bbb\",\"bba\",\"-a-b-\"]"},
		{"[repeat('ab', 3), repeat('', 5), repeat('x', 0)]", "[\"ababab\",\"\",\"\"]"},
		{"[indexOf('apple pie', 'pie'), indexOf(s, 'z'), lastIndexOf('abab', 'ab'), indexOf(u, 'l')]",
			"[6,-1,2,2]"},
		{"[hasPrefix(s, 'he'), hasSuffix(s, 'he')]", "[true,false]"},
		/* types */
		{"map([nil, true, 1, 1.5, '', [], m], type(#))",
			"[\"nil\",\"bool\",\"int\",\"float\",\"string\",\"array\",\"map\"]"},
		{"[int('12'), int(1.9), int(-1.9), float('1.5'), float(2)]", "[12,1,-1,1.5,2]"},
		{"[string(12), string(1.5), string(nil), string([1, 'a']), string({a: 1})]",
			"[\"12\",\"1.5\",\"<nil>\",\"[1 a]\",\"map[a:1]\"]"},
		{"fromJSON(toJSON({a: [1, 'x']}))", "{\"a\":[1,\"x\"]}"},
		{"toJSON([1])", "\"[\\n  1\\n]\""},
		{"[toBase64('Hello World'), fromBase64('SGVsbG8gV29ybGQ=')]", "[\"SGVsbG8gV29ybGQ=\",\"Hello World\"]"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out = BUF_INIT;
		struct value *v;
		struct err e = {0};

		if (run(cases[i].source, &v, &e) < 0)
			fail_msg("%s: %s", cases[i].source, e.text);
		json_write(v, &out);
		if (strcmp(buf_str(&out), cases[i].want) != 0)
			fail_msg("%s: got %s, want %s", cases[i].source, buf_str(&out), cases[i].want);
		buf_done(&out);
		value_unref(v);
	}
}

static void refuses(void **state)
{
	static const struct {
		const char *source;
		enum err_kind kind;
		const char *want;
	} cases[] = {
		{"", ERR_INVALID, "unexpected end of expression (1:1)"},
		{"1 +", ERR_INVALID, "unexpected end of expression (1:4)"},
		{"1 2", ERR_INVALID, "unexpected 2 (1:3)"},
		{"(1", ERR_INVALID, "unexpected end of expression (1:3)"},
		{"\n  a @ b", ERR_INVALID, "unrecognized character @ (2:5)"},
		{"'abc", ERR_INVALID, "the string is not closed (1:1)"},
		{"'\\q'", ERR_INVALID, "invalid escape sequence in a string (1:1)"},
		{"1 /* x", ERR_INVALID, "unclosed comment (1:3)"},
		{"12ab", ERR_INVALID, "bad number syntax (1:1)"},
		{"99999999999999999999", ERR_INVALID, "the number is too large (1:1)"},
		{"# > 1", ERR_INVALID, "outside of a closure there is no # (1:1)"},
		{".x", ERR_INVALID, "outside of a closure there is no . (1:1)"},
		{"map(list, #foo)", ERR_INVALID, "unknown pointer foo (1:12)"},
		{"nope(1)", ERR_INVALID, "unknown function nope (1:1)"},
		{"now()", ERR_INVALID,
			"unknown function now: expressions have no clock; pass times in as numbers (1:1)"},
		{"len()", ERR_INVALID, "invalid number of arguments for len: got 0 (1:1)"},
		{"filter(list)", ERR_INVALID, "invalid number of arguments for filter: got 1 (1:1)"},
		{"s.upper()", ERR_INVALID, "values have no functions: unexpected ( (1:8)"},
		{"a not 1", ERR_INVALID, "unexpected 1 (1:7)"},
		{"a ?? b + 1", ERR_INVALID, "put parentheses around ?? or around + (1:8)"},
		{"in", ERR_INVALID, "unexpected in (1:1)"},
		{"let in = 1; 2", ERR_INVALID, "unexpected in (1:5)"},
		{"{1.5e: 2", ERR_INVALID, NULL},
		{"s matches '('", ERR_INVALID, "1:11: invalid regex pattern: missing closing ) at offset 1"},
		{"a = 1", ERR_INVALID, "unexpected = (1:3)"},
		{"a; b", ERR_INVALID, "unexpected ; (1:2)"},
		{"\xff", ERR_INVALID, "invalid UTF-8 (1:1)"},
		{"unknown.x", ERR_INTERNAL, "cannot fetch x from nil (1:9)"},
		{"list[9]", ERR_INTERNAL, "index out of range: 9 (length is 3) (1:6)"},
		{"n.x", ERR_INTERNAL, "cannot fetch x from int (1:3)"},
		{"m[1]", ERR_INTERNAL, "cannot use int as a key of a map (1:3)"},
		{"1 + 'a'", ERR_INTERNAL, "invalid operation: int + string (1:3)"},
		{"1 < 'a'", ERR_INTERNAL, "invalid operation: int < string (1:3)"},
		{"-s", ERR_INTERNAL, "invalid operation: - string (1:1)"},
		{"1 % 0", ERR_INTERNAL, "integer divide by zero (1:3)"},
		{"1.5 % 2", ERR_INTERNAL, "invalid operation: float % int (1:5)"},
		{"1 && true", ERR_INTERNAL, "and needs a bool, got int (1:1)"},
		{"!n", ERR_INTERNAL, "not needs a bool, got int (1:2)"},
		{"n ? 1 : 2", ERR_INTERNAL, "a condition needs a bool, got int (1:1)"},
		{"filter(list, #)", ERR_INTERNAL, "the closure must give a bool, got int (1:14)"},
		{"filter(n, true)", ERR_INTERNAL, "filter() needs an array, got int (1:1)"},
		{"1 in 's'", ERR_INTERNAL, "operator \"in\" not defined on string (1:3)"},
		{"map(list, #acc)", ERR_INTERNAL, "#acc is known to reduce() only (1:11)"},
		{"sort([1, 'a'])", ERR_INTERNAL, NULL},
		{"sort(list, 'up')", ERR_INTERNAL, "invalid order, must be \"asc\" or \"desc\" (1:1)"},
		{"int('x1')", ERR_INTERNAL, "invalid operation: int(x1) (1:1)"},
		{"int(1e300)", ERR_INTERNAL, NULL},
		{"fromJSON('{')", ERR_INTERNAL, NULL},
		{"reduce([], #acc)", ERR_INTERNAL, "reduce() of an empty array needs an initial value (1:1)"},
		{"s matches ('(' + '')", ERR_INTERNAL, "invalid regex pattern: missing closing ) at offset 1 (1:3)"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct value *v;
		struct err e = {0};

		if (run(cases[i].source, &v, &e) == 0)
			fail_msg("%s runs", cases[i].source);
		if (e.kind != cases[i].kind || (cases[i].want && strcmp(e.text, cases[i].want) != 0))
			fail_msg("%s: %d %s", cases[i].source, e.kind, e.text);
	}
}

static char *repeated(const char *before, const char *part, size_t n, const char *after)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, before);
	while (n-- > 0)
		buf_adds(&b, part);
	buf_adds(&b, after);
	return buf_detach(&b, NULL);
}

static void ends_with_a_reason(void **state)
{
	struct {
		char *source;
		const char *want; /* a part */
	} cases[] = {
		{repeated("", "(", 300, "1"), "nested too deeply"},
		{repeated("", "-", 300, "1"), "nested too deeply"},
		{repeated("1", "+1", 3000, ""), "too deep"},
		{repeated("a", ".b", 3000, ""), "too deep"},
		{repeated("a", " | len()", 3000, ""), "too deep"},
		{repeated("1", " ? 1 : 1", 3000, ""), "nested too deeply"},
		{repeated("", " ", EXPR_SOURCE_BYTES_MAX, "1"), "is longer than"},
		{xstrdup("1..100000000"), "too many numbers"},
		{xstrdup("map(1..2000, map(1..2000, #))"), "steps"},
		{xstrdup("repeat('0123456789', 900000) + repeat('0123456789', 900000) + repeat('0123456789', 999999) + "
			 "repeat('0123456789', 999999) + repeat('0123456789', 999999)"),
			"bytes"},
		{xstrdup("repeat('x', 1000000000000)"), "repeat() makes too long a string"},
		{xstrdup("reduce(1..5000, [#acc])"), "nested too deeply"},
		{xstrdup("reduce(1..5000, ({a: #acc}))"), "nested too deeply"},
		{xstrdup("reduce(1..5000, map([1], #acc))"), NULL}, /* #acc of map() */
		{xstrdup("reduce(1..5000, toPairs({a: #acc}))"), "nested too deeply"},
		{xstrdup("let a = reduce(1..900, [#acc]); reduce(1..900, [#acc], a)"), "nested too deeply"},
		{xstrdup("reduce(1..60, #acc + #acc, 'xxxx')"), "bytes"},
		{xstrdup("toJSON(reduce(1..500, [#acc]))"), "nested too deeply"},
		{xstrdup("uniq(1..100000)"), "steps"},
		{xstrdup("repeat('x', 500000) matches ('(x+x+)+' + '(y|z)')"), NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct value *v;
		struct err e = {0};

		if (run(cases[i].source, &v, &e) == 0) {
			if (cases[i].want)
				fail_msg("%.60s runs", cases[i].source);
			value_unref(v);
		} else if (cases[i].want && !strstr(e.text, cases[i].want)) {
			fail_msg("%.60s: %s", cases[i].source, e.text);
		}
		free(cases[i].source);
	}
}

static void tests_conditions(void **state)
{
	struct expr *x;
	struct err e = {0};
	struct value *n = value_int(3), *other = value_int(4);
	struct expr_name names[] = {{"n", n}, {"n", other}, {"nothing", NULL}};

	(void)state;
	assert_int_equal(expr_compile("n == 3 and nothing == nil", 25, &x, &e), 0);
	assert_int_equal(expr_test(x, names, 3, &e), 1);
	assert_int_equal(expr_test(x, NULL, 0, &e), 0);
	assert_ptr_equal(expr_ref(x), x);
	expr_unref(x);
	expr_unref(x);
	assert_int_equal(expr_compile("n", 1, &x, &e), 0);
	assert_int_equal(expr_test(x, names, 3, &e), -1);
	assert_int_equal(e.kind, ERR_INTERNAL);
	assert_string_equal(e.text, "the expression gives int, not a bool");
	expr_unref(x);
	assert_null(expr_ref(NULL));
	value_unref(n);
	value_unref(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives),
		cmocka_unit_test(refuses),
		cmocka_unit_test(ends_with_a_reason),
		cmocka_unit_test(tests_conditions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
