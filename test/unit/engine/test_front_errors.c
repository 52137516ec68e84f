/* Sources the front end refuses: the place and the words. */
#include "front_run.h"

struct refusal {
	const char *source;
	const char *message;
};

static void check_refusals(const struct refusal *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct front_output o = {0};
		struct err e = {0};
		int rc = front_translate("app:main", v[i].source, strlen(v[i].source), &o, &e);

		if (rc == 0)
			fail_msg("%s\n  was accepted as\n%s", v[i].source, o.lua);
		assert_int_equal(e.kind, ERR_INVALID);
		if (strcmp(e.text, v[i].message) != 0)
			fail_msg("%s\n  gives    %s\n  expected %s", v[i].source, e.text, v[i].message);
	}
}

#define CHECK_REFUSALS(...)                                             \
	do {                                                            \
		static const struct refusal refusals[] = {__VA_ARGS__}; \
		check_refusals(refusals, ARRAY_LEN(refusals));          \
	} while (0)

static void tokens(void **state)
{
	(void)state;
	CHECK_REFUSALS({"x = 'abc", "app:main:1:5: unfinished string, expected the closing quote near ''abc'"},
		{"x = 'abc\n'",
			"app:main:1:5: unfinished string, expected the closing quote on the same line near ''abc'"},
		{"\nx = [[abc\n\n", "app:main:2:5: unfinished long string, expected its closing bracket near '[[abc'"},
		{"\n  --[==[ abc\n]]", "app:main:2:3: unfinished long comment near '--[==['"},
		{"x = '\\300'", "app:main:1:6: decimal escape too large, expected at most \\255 near '\\300''"},
		{"x = [=a", "app:main:1:5: invalid long string delimiter, expected '[' after '[=' near '[=a'"},
		{"x = 3x", "app:main:1:5: malformed number, expected a blank or an operator after its last digit near "
			   "'3x'"},
		{"x = 1..2", "app:main:1:5: malformed number, expected a blank or an operator after its last digit "
			     "near '1..2'"},
		{"x = 1e", "app:main:1:5: malformed number, expected digits in the exponent near '1e'"},
		{"x = 0x", "app:main:1:5: malformed number, expected hexadecimal digits after '0x' near '0x'"},
		{"x = 0x1p4", "app:main:1:5: malformed number: hexadecimal numbers have neither a fraction nor an "
			      "exponent near '0x1p4'"},
		{"x = 0xA.8", "app:main:1:5: malformed number: hexadecimal numbers have neither a fraction nor an "
			      "exponent near '0xA.8'"},
		{"x = $y", "app:main:1:5: unexpected character near '$y'"},
		{"\x01", "app:main:1:1: unexpected character near '\\x01'"},
		{"x = \xc3\xa9", "app:main:1:5: unexpected character near 'é'"}, );
}

static void statements(void **state)
{
	(void)state;
	CHECK_REFUSALS({"x", "app:main at EOF: unexpected end of file, expected '=' or the arguments of a call"},
		{"x y", "app:main:1:3: unexpected 'y', expected '=' or the arguments of a call"},
		{"x += 1", "app:main:1:3: unexpected '+', expected '=' or the arguments of a call"},
		{"f() = 1", "app:main:1:1: cannot assign to this, expected a variable or a field"},
		{"a, f() = 1", "app:main:1:4: cannot assign to this, expected a variable or a field"},
		{"(a) = 1", "app:main:1:1: cannot assign to this, expected a variable or a field"},
		{"(a)", "app:main:1:1: unexpected expression, expected a statement"},
		{"a, b", "app:main at EOF: unexpected end of file, expected '=' behind the variables"},
		{"5", "app:main:1:1: unexpected '5', expected a statement"},
		{"'x':upper()", "app:main:1:1: unexpected ''x'', expected a statement"},
		{"local 5", "app:main:1:7: unexpected '5', expected the name of a variable"},
		{"local x =", "app:main at EOF: unexpected end of file, expected an expression"},
		{"local is = 1", "app:main:1:7: unexpected reserved word 'is', expected the name of a variable"},
		{"local t = typeof(x)", "app:main:1:11: unexpected reserved word 'typeof', expected an expression"},
		{"if x then", "app:main at EOF: unexpected end of file, expected 'end'"},
		{"if x then\n\ny()\n",
			"app:main at EOF: unexpected end of file, expected 'end' (to close 'if' at line 1)"},
		{"if x do end", "app:main:1:6: unexpected reserved word 'do', expected 'then' after the condition"},
		{"while x then end",
			"app:main:1:9: unexpected reserved word 'then', expected 'do' after the condition"},
		{"for i = 1 do end",
			"app:main:1:11: unexpected reserved word 'do', expected ',' after the loop's first value"},
		{"for i, j = 1, 2 do end", "app:main:1:10: unexpected '=', expected 'in' after the loop's variables"},
		{"for i: number = 1, 2 do end", "app:main:1:6: unexpected ':', loop variables take no type annotation"},
		{"function f(", "app:main at EOF: unexpected end of file, expected the name of a parameter"},
		{"function f(a b) end", "app:main:1:14: unexpected 'b', expected ',' or ')' behind the parameter"},
		{"function f(a?: number) end",
			"app:main:1:13: unexpected '?', a parameter that may be nil is written 'name: type?'"},
		{"function f(..., a) end", "app:main:1:15: unexpected ',', expected ',' or ')' behind the parameter"},
		{"end", "app:main:1:1: unexpected reserved word 'end', expected a statement or the end of the file "
			"(every block is closed already)"},
		{"return 1\nx()",
			"app:main:2:1: unexpected 'x', expected the end of the block ('return' is its last statement)"},
		{"return;;",
			"app:main:1:8: unexpected ';', expected the end of the block ('return' is its last statement)"},
		{"while true do break x() end", "app:main:1:21: unexpected 'x', expected the end of the block ('break' "
						"is its last statement; write 'do break end')"},
		{"break", "app:main:1:1: 'break' outside a loop"},
		{"while x do local f = function() break end end", "app:main:1:33: 'break' outside a loop"},
		{"local x <const> = 1", "app:main:1:9: unexpected '<', local variables take no attributes"},
		{"local x: number <close> = 1", "app:main:1:17: unexpected '<', local variables take no attributes"},
		{"function f() return ... end", "app:main:1:21: cannot use '...' outside a vararg function"},
		{"f\n(x)", "app:main:2:1: ambiguous syntax (function call x new statement)"},
		{"local y = f()\n(g or h)()", "app:main:2:1: ambiguous syntax (function call x new statement)"},
		{"a:b\n()", "app:main:2:1: ambiguous syntax (function call x new statement)"}, );
}

static void expressions(void **state)
{
	(void)state;
	CHECK_REFUSALS({"x = a != b", "app:main:1:7: unexpected '!=', expected '~=' for inequality"},
		{"x = (1", "app:main at EOF: unexpected end of file, expected ')'"},
		{"f(1\n,2", "app:main at EOF: unexpected end of file, expected ',' or ')' behind the argument (to "
			    "close '(' at line 1)"},
		{"f(1 2)", "app:main:1:5: unexpected '2', expected ',' or ')' behind the argument"},
		{"x = {1 2}", "app:main:1:8: unexpected '2', expected ',' or '}'"},
		{"x = {end = 1}", "app:main:1:6: unexpected reserved word 'end', expected a field's name"},
		{"x = a.end", "app:main:1:7: unexpected reserved word 'end', expected a field's name after '.'"},
		{"x = a:5()", "app:main:1:7: unexpected '5', expected a method's name after ':'"},
		{"x = a:b", "app:main at EOF: unexpected end of file, expected arguments of the call"},
		{"x = a[1", "app:main at EOF: unexpected end of file, expected ']' after the index"},
		{"x = {[1 = 2}", "app:main:1:9: unexpected '=', expected ']' after the key"},
		{"x = 1 +", "app:main at EOF: unexpected end of file, expected an expression"},
		{"x = 1 + * 2", "app:main:1:9: unexpected '*', expected an expression"},
		{"x = if a then b", "app:main:1:5: unexpected reserved word 'if', expected an expression"},
		{"x = a? b", "app:main:1:6: unexpected '?', expected a statement"}, );
}

static void types(void **state)
{
	(void)state;
	CHECK_REFUSALS({"local x: = 1", "app:main:1:10: unexpected '=', expected a type"},
		{"local x: {a: number b: string}", "app:main:1:21: unexpected 'b', expected ',' or '}'"},
		{"local x: {[string] number}",
			"app:main:1:20: unexpected 'number', expected ':' before the type of the values"},
		{"local x: (a: number)",
			"app:main at EOF: unexpected end of file, expected '->' and the results of the function type"},
		{"local x: Map<string",
			"app:main at EOF: unexpected end of file, expected ',' or '>' behind the type argument"},
		{"local x: A | ", "app:main at EOF: unexpected end of file, expected a type"},
		{"local x: {a: T, [string]: U}", "app:main:1:17: unexpected '[', expected a field as in 'name: type'"},
		{"type X", "app:main at EOF: unexpected end of file, expected '=' after the type's name"},
		{"type X 5", "app:main:1:8: unexpected '5', expected '=' after the type's name"},
		{"type X<> = number", "app:main:1:8: unexpected '>', expected the name of a type parameter"},
		{"interface X\nx\nend",
			"app:main:2:1: unexpected 'x', expected 'function' or 'end' (to close 'interface' at line 1)"},
		{"interface", "app:main at EOF: unexpected end of file, expected the name of the interface"},
		{"local x: readonly number", "app:main:1:19: unexpected 'number', expected '{' after 'readonly'"},
		{"local x: T extends U : A", "app:main:1:22: unexpected ':', expected '?' in the conditional type"},
		{"local x: abcdefghijklmnopqrstuvwxyz0123456789 'abcdefghijklmnopqrstuvwxyz0123456789",
			"app:main:1:47: unfinished string, expected the closing quote near "
			"''abcdefghijklmnopqrstuvwxyz012'"},
		{"local x: number @",
			"app:main at EOF: unexpected end of file, expected the name of a validator after '@'"},
		{"x = y as 5 + as", "app:main:1:14: unexpected reserved word 'as', expected an expression"},
		{"x = y as", "app:main at EOF: unexpected end of file, expected a type"}, );
}

static void labels(void **state)
{
	(void)state;
	CHECK_REFUSALS({"goto x", "app:main:1:6: no visible label 'x' for <goto> at line 1"},
		{"\ndo goto x end do ::x:: end", "app:main:2:9: no visible label 'x' for <goto> at line 2"},
		{"::x::\nfunction f() goto x end", "app:main:2:19: no visible label 'x' for <goto> at line 2"},
		{"::x:: local y\n::x:: f()", "app:main:2:3: label 'x' already defined on line 1"},
		{"\ngoto x local a ::x:: f()", "app:main:2:6: <goto x> at line 2 jumps into the scope of local 'a'"},
		{"repeat goto x local a ::x:: until a",
			"app:main:1:13: <goto x> at line 1 jumps into the scope of local 'a'"},
		{"::5::", "app:main:1:3: unexpected '5', expected the name of the label"},
		{"::x", "app:main at EOF: unexpected end of file, expected '::' behind the label"},
		{"goto 1", "app:main:1:6: unexpected '1', expected the name of a label"}, );
}

/* `n` times `open`, then `core`, then `n` times `close`. */
static char *nested(const char *open, const char *core, const char *close, unsigned n)
{
	struct buf b = BUF_INIT;

	for (unsigned i = 0; i < n; i++)
		buf_adds(&b, open);
	buf_adds(&b, core);
	for (unsigned i = 0; i < n; i++)
		buf_adds(&b, close);
	return buf_detach(&b, NULL);
}

/* Whatever nests: what is accepted loads, and the rest is refused in our words, not the engine's. */
static void nesting(void **state)
{
	static const struct {
		const char *start, *open, *core, *close;
	} shapes[] = {
		{"x = ", "(", "1", ")"},
		{"x = ", "{", "", "}"},
		{"x = ", "- ", "1", ""},
		{"x = ", "not ", "1", ""},
		{"x = ", "2^", "1", ""},
		{"x = ", "a .. (", "b", ")"},
		{"x = ", "f(", "", ")"},
		{"x = ", "f(a .. ", "b", ")"},
		{"x = ", "a[", "1", "]"},
		{"x = ", "(f() as T) .. (", "1", ")"},
		{"x = ", "{a .. b .. c .. ", "1", "}"},
		{"", "do ", "", "end "},
		{"", "while 1 do ", "", "end "},
		{"", "repeat ", "", "until 1 "},
		{"", "if 1 then ", "", "end "},
		{"", "for i = 1, 2 do ", "", "end "},
		{"", "for i in f() do ", "", "end "},
		{"x = ", "function() return ", "1", " end"},
		{"", "function f() ", "", "end "},
		{"", "local function f() ", "", "end "},
		{"local x: ", "{", "T", "}"},
		{"local x: ", "(a: ", "T", ") -> T"},
		{"local x: ", "A<", "T", "> "},
		{"local x: ", "T extends U ? ", "A", " : B"},
		{"local x: ", "keyof(", "T", ")"},
		{"local x: T", "[]", "", ""},
		{"local x: T", "[A", "", "]"},
		{"local x: T", "| A & B", "", ""},
		{"", "::a::", "", ""},
		{"x = ", "1 or 1 and 1 < 1 | 1 ~ 1 & 1 << 1 .. 1 + 1 * - ", "1", ""},
		{"x", ", x", " = 1", ""},
		{"x = ", "f() ! .y", "", ""},
		{"x = ", "(f(", "1", ")!) .. 1.5"},
		{"for i in ", "f(", "1", ")"},
		{"x = a", "", "", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		bool refused = false;

		for (unsigned n = 1; n <= 400; n++) {
			char *body = nested(shapes[i].open, shapes[i].core, shapes[i].close, n);
			char *source = xasprintf("%s%s%s", shapes[i].start, body,
				strncmp(shapes[i].start, "for", 3) == 0 ? " do end" : "");
			struct front_output o = {0};
			struct err e = {0};

			if (front_translate("test", source, strlen(source), &o, &e) == 0) {
				lua_State *L = luaL_newstate();

				assert_false(refused);
				if (luaL_loadbuffer(L, o.lua, o.len, "=test") != LUA_OK &&
					!is_engine_limit(lua_tostring(L, -1)))
					fail_msg("%s does not load: %s", source, lua_tostring(L, -1));
				lua_close(L);
			} else if (strcmp(shapes[i].open, "::a::") != 0) {
				refused = true;
				if (!strstr(e.text, "too deeply nested") && n > 1)
					fail_msg("%s: %s", source, e.text);
				assert_true(n > 10);
			}
			front_output_done(&o);
			free(source);
			free(body);
		}
	}
}

static void too_long(void **state)
{
	size_t len = FRONT_SOURCE_MAX + 1;
	char *source = malloc(len);
	struct front_output o = {0};
	struct err e = {0};

	(void)state;
	memset(source, ' ', len);
	assert_int_equal(front_translate("a:b", source, len, &o, &e), -1);
	assert_string_equal(e.text, "a:b:1:1: source too long, expected at most 4194304 bytes");
	assert_int_equal(front_translate("a:b", source, len - 1, &o, &e), 0);
	front_output_done(&o);
	free(source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens),
		cmocka_unit_test(statements),
		cmocka_unit_test(expressions),
		cmocka_unit_test(types),
		cmocka_unit_test(labels),
		cmocka_unit_test(nesting),
		cmocka_unit_test(too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
