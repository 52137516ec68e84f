/* What translated programs do. */
#include "front_run.h"

struct program {
	const char *source;
	const char *result;
};

static void check_programs(const struct program *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check_source(v[i].source, v[i].result);
}

#define CHECK_PROGRAMS(...)                                             \
	do {                                                            \
		static const struct program programs[] = {__VA_ARGS__}; \
		check_programs(programs, ARRAY_LEN(programs));          \
	} while (0)

static void chunks(void **state)
{
	(void)state;
	CHECK_PROGRAMS({"", ""}, {"return", ""}, {"return;", ""}, {";;; return 1", "1"}, {"return ...", "first,second"},
		{"-- only a comment", ""}, {"--[[ long\ncomment ]] return 1", "1"}, {"--[==[ ]] ]==] return 2", "2"},
		{"return 1 -- comment at the end", "1"}, {"\xef\xbb\xbfreturn 3", "3"}, {"return 1\r\n", "1"},
		{"x = 1 return x, _G.x", "1,1"},
		{"local x <x", "refused: test:1:9: unexpected '<', local variables take no attributes"}, );
}

static void statements(void **state)
{
	(void)state;
	CHECK_PROGRAMS({"local a, b, c = 1, 2 return a, b, c", "1,2,nil"}, {"local a local a = a return a", "nil"},
		{"a, b = 1, 2 a, b = b, a return a, b", "2,1"},
		{"local t = {} t.x, t['y'] = 1, 2 return t.x, t.y", "1,2"}, {"do local x = 1 end return x", "nil"},
		{"local i = 0 while i < 3 do i = i + 1 end return i", "3"},
		{"local i = 0 repeat local j = i i = i + 1 until j == 4 return i", "5"},
		{"if nil then return 1 elseif false then return 2 else return 3 end", "3"},
		{"local s = 0 for i = 1, 3 do s = s + i end return s", "6"},
		{"local s = 0 for i = 10, 1, -3 do s = s + i end return s", "22"},
		{"local s = 0 for _, v in ipairs{1, 2, 3} do s = s + v end return s", "6"},
		{"local s = 0 for k in pairs{a = 1, b = 2} do s = s + #k end return s", "2"},
		{"while true do break end return 1", "1"}, {"while true do break; end return 1", "1"},
		{"while true do if true then break end end return 1", "1"},
		{"for i = 1, 2 do do break end i = 5 end return 1", "1"},
		{"function f(a, b) return a + b end return f(1, 2)", "3"},
		{"t = {u = {}} function t.u.f(x) return x end return t.u.f(1)", "1"},
		{"local t = {n = 2} function t:f(x) return self.n + x end return t:f(1)", "3"},
		{"local function f(n) if n == 0 then return 0 end return f(n - 1) end return f(50)", "0"},
		{"local function f(...) return select('#', ...), ... end return f(1, nil, 3)", "3,1,nil,3"},
		{"local f = function(...) local a, b = ... return b end return f(1, 2)", "2"},
		{"local t = {1, 2; 3, x = 4, ['y'] = 5, [10] = 6,} return #t, t.x, t.y, t[10]", "3,4,5,6"},
		{"return (\"x\"):upper(), #'abc', -2 ^ 2, not nil == true", "X,3,-4f,true"},
		{"local s = string return s.rep 'ab', s.format \"%d\", 1",
			"error: test:1: bad argument #2 to 'rep' (number expected, got no value)"},
		{"local function f(t) return t.x end return f{x = 1}, f {x = 2}", "1,2"},
		{"return #[[\nabc]], [==[a]]b]==]", "3,a]]b"},
		{"local a <const> = 1", "refused: test:1:9: unexpected '<', local variables take no attributes"},
		{"type = 5 return type", "5"}, {"return type(1), type 'x', type{}", "number,string,table"},
		{"local type = type; type = type return type(1)", "number"},
		{"local pairs = pairs return type(pairs)", "function"}, );
}

static void operators(void **state)
{
	(void)state;
	CHECK_PROGRAMS({"return 7 // 2, 7 % -3, 1 << 4, 256 >> 4, 6 & 3, 6 | 3, 6 ~ 3, ~0", "3,-2,16,16,2,7,5,-1"},
		{"return 1 or 2 and 3, nil and 1 or 2", "1,2"}, {"return 1 < 2 == true, 1 ~= 2", "true,true"},
		{"return 1 | 2 ~ 3 & 4 << 1", "3"}, {"return 2 ^ 3 ^ 2, -2 ^ -2", "512f,-0.25f"},
		{"return 1 .. 2 == '12'", "true"}, {"return ('1' .. '2') + 1 << 3", "104"},
		{"return 2 * 3 + 4 * 5 - 6 / 2", "23f"}, {"return not 1 == 2", "false"},
		{"return - - 3, not not nil, ~ ~ 5, # # 'x' == nil",
			"error: test:1: attempt to get length of a number value"}, );
}

#define WITH_TABLE(...) \
	"local t = {[true] = 'y', [false] = 'n', x = 'x'} return (function(a, b) " __VA_ARGS__ " end)(1, 1)"

/* Of a table that is an upvalue. */
static void comparisons_as_indexes(void **state)
{
	(void)state;
	CHECK_PROGRAMS({WITH_TABLE("return t[a == b], t[a ~= b], t[a < b], t[a <= b]"), "y,n,n,y"},
		{WITH_TABLE("return t[not (a == b)], t[not not (a == b)], t[not a]"), "n,y,n"},
		{WITH_TABLE("return t[(a == b)], t[((a ~= b))], t[(a == b) :: any], t[(a == b)!]"), "y,n,y,y"},
		{WITH_TABLE("return t[true and a == b], t[nil or a == b], t[1 and not (a == b)]"), "y,y,n"},
		{WITH_TABLE("return t[(true and a == b)], t[b and a == b], t[b ~= a or 'x'], t[a == b and 'x']"),
			"y,y,x,x"},
		{WITH_TABLE("return t[nil and a == b], t[c and a == b], t[c or 'x']"), "nil,nil,x"},
		{WITH_TABLE("t[a == b] = 7 t[t[a ~= b] == 'n'] = t[true] + 1 return t[true]"), "8"},
		{WITH_TABLE("return t[t[a == b] == 'y'], t[(function() return a == b end)()], t[#t == 0]"), "y,y,y"},
		{WITH_TABLE("function t.f(...) return ... end return t.f(t[a == b], t\n[ --\na == b --\n]), ({t[a == "
			    "b]})[1]"),
			"y,y"}, );
}

static void numbers(void **state)
{
	(void)state;
	CHECK_PROGRAMS(
		{"return 0, 42, 0x10, 0XfF, 1.5, .5, 3., 1e3, 1E-2, 2e+1", "0,42,16,255,1.5f,0.5f,3f,1000f,0.01f,20f"},
		{"return 9223372036854775807, 9223372036854775808", "9223372036854775807,9223372036854776000f"},
		{"return 00000000000000000000000001", "1"},
		{"return 0xffffffffffffffff, 0x7fffffffffffffff", "-1,9223372036854775807"},
		{"return 0x10000000000000000, 0x0000000000000000000000001", "18446744073709552000f,1"},
		{"return '' .. 0x10000000000000000, '' .. 9223372036854775808",
			"18446744073709552000,9223372036854776000"},
		{"return 1e999 == 1/0, 0xep1", "refused: test:1:22: malformed number: hexadecimal numbers have neither "
					       "a fraction nor an exponent near '0xep1'"},
		{"return 0xe+1", "15"}, );
}

static void strings(void **state)
{
	(void)state;
	CHECK_PROGRAMS({"return '\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\\'' == string.char(7, 8, 12, 10, 13, 9, 11, 92, 34, 39)",
			       "true"},
		{"return '\\65\\066\\0677', #'\\0a\\00\\000'", "ABC7,4"},
		{"return '\\x41', \"\\u{41}\", '\\z  a', '\\q\\-\\%'", "x41,u{41},z  a,q-%"},
		{"return 'a\\\nb'", "a\nb"}, {"return 'a\\\r\nb'", "a\nb"},
		{"return '\\\\x41', '\\\\\\x41'", "\\x41,\\x41"},
		{"local t = {['\\x'] = 1} return t.x, t['\\x'], #\"\\x\" .. '\\z'", "1,1,1z"},
		{"return ('\\q'):rep(2), type '\\w'", "qq,string"}, {"return '\\\n\\q\\\n', error and 1", "\nq\n,1"},
		{"return [[\\x41]]", "\\x41"}, {"return '\\é'", "é"}, );
}

static void long_strings_and_nul(void **state)
{
	static const char source[] = "return #'a\0b', #'\\\0', #[[\0]] --\0\n --[[\0]]";
	char *got = run_source(source, sizeof(source) - 1);

	(void)state;
	assert_string_equal(got, "3,1,1");
	free(got);
}

static void concatenation(void **state)
{
	(void)state;
	CHECK_PROGRAMS({"return 'n=' .. 3.0", "n=3"},
		{"local b = 2.0 return 1 and(b) .. 's', not(b) or(b)..''", "2s,2"}, {"return 1 .. ''", "1"},
		{"local x = 10/2 return 'n=' .. x", "n=5"},
		{"local x = 10/2 return x .. x .. '|' .. x + 1 .. '|' .. -x", "55|6|-5"},
		{"return 0.1 .. '', 1e100 .. '', 1e999 .. ''", "0.1,1e+100,+Inf"},
		{"local t = {n = 2^53} return t.n .. '', (t.n) .. '', t['n'] .. ''",
			"9007199254740992,9007199254740992,9007199254740992"},
		{"local function f() return 2.0, 3 end return f() .. '', (f()) .. ''", "2,2"},
		{"local e = {message = 'broken'} return 'got ' .. e .. '!'", "got broken!"},
		{"return ... .. 'x'", "firstx"}, {"return #'abc' .. 'x', (1 < 2 and 2.0) .. ''", "3x,2"},
		{"return 5 // 2.0 .. '|' .. (1 | 2) .. '|' .. ~1", "2|3|-2"},
		{"local s = '' for i = 1, 3 do s = s .. i / 1 .. ',' end return s", "1,2,3,"},
		{"return ('a' .. 2.0) .. 'b', 'a' .. ('b' .. 1.0)", "a2b,ab1"},
		{"return 'x' .. nil", "error: test:1: attempt to concatenate a nil value"},
		{"return 'x' .. {}", "error: test:1: attempt to concatenate a table value"},
		{"local m = setmetatable({}, {__concat = function(a, b) return 'cat' end}) return m .. 1, 1.5 .. m, m "
		 ".. m",
			"cat,cat,cat"},
		{"local o = setmetatable({}, {__len = function() return 3.0 end}) return '#' .. #o", "#3"},
		{"return 'a' .. (1.0 as number) .. (2.5)! .. 3.0 as any .. ''", "a12.53"},
		{"return -1.0 .. '', 2^2 .. ''", "-1,4"}, );
}

/* The engine's parser descends at each operand; ours must not let it. */
static void long_concatenations(void **state)
{
	static const unsigned sizes[] = {2, 15, 16, 17, 31, 32, 33, 34, 200, 255, 256, 257, 1000, 4096, 4097, 20000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct buf source = BUF_INIT;
		struct buf expected = BUF_INIT;
		char *got;

		buf_adds(&source, "local one = 2/2 return one");
		buf_adds(&expected, "1");
		for (unsigned k = 1; k < sizes[i]; k++) {
			buf_addf(&source, k % 3 ? " .. %u" : " .. %u / 1", k);
			buf_addf(&expected, "%u", k);
		}
		got = run_source(buf_str(&source), buf_len(&source));
		assert_string_equal(got, buf_str(&expected));
		free(got);
		buf_done(&source);
		buf_done(&expected);
	}
}

static void erasure(void **state)
{
	(void)state;
	CHECK_PROGRAMS({"local x: number = 'a' return x", "a"},
		{"local x: number, y: string? = 1 return x, y", "1,nil"},
		{"local function f(a: number, b: string?): (number, string) return a, b end return f(1, 'x')", "1,x"},
		{"local function f<T, U: number>(a: T, ...: U): T, U return a, ... end return f(1, 2)", "1,2"},
		{"local f = function<T>(x: T): T return x end return f(3)", "3"},
		{"function g(): () end return g()", ""},
		{"function m(): nil end function n(): (a: number) -> string end return 1", "1"},
		{"local t = {} function t.u<K>(k: K): {[K]: any} return k end return t.u(1)", "1"},
		{"local a = 1 local b = a as number + 2 as any return b", "3"}, {"return 1 + '2' as number", "3"},
		{"return -1 as number ^ 2, not nil as any", "-1f,true"}, {"local a = {1} :: {number} return a[1]", "1"},
		{"local t = {x = {y = 5}} return t!.x!.y!, t!['x'].y, t.x!.y! + 1", "5,5,6"},
		{"local t = {f = function(self, x) return x end} return t!:f(2), t.f!(t, 3)", "2,3"},
		{"local function f() return 1, 2, 3 end return f() as number", "1"},
		{"local function f() return 1, 2 end return f()!", "1"},
		{"local function f() return 1, 2 end local t = {f() :: any} return #t", "1"},
		{"return ... as any", "first"}, {"local x = 1 as any as number :: string return x", "1"},
		{"local x = y as (number) -> string return x", "nil"},
		{"local f, g = print as any, 1\n(function() g = 2 end)() return g", "2"},
		{"local f = print!\n(function() end)() return 1", "1"},
		{"local f = print :: fun(a: number): string\n;(function() end)() return 1", "1"},
		{"type = type as any return type(1)", "number"}, {"local x = 5 as number\ngoto l ::l:: return x", "5"},
		{"local x = 5 ::l:: return x", "5"}, {"local x = 5 :: number return x", "5"},
		{"local x = 3 as number < 4 return x", "true"},
		{"local x: Map<string, List<number>>= 1 local y: Box<number>= 2 return x + y", "3"},
		{"for i = 1, 2 do local x: integer = i type Inner = {x: Inner} end return 1", "1"},
		{"local as1 = 1 return as1 as number", "1"}, {"return (1 as number) .. ''", "1"}, );
}

static void type_syntax(void **state)
{
	(void)state;
	CHECK_PROGRAMS({"local x: nil | true | false | 'a' | \"b\" | 1 | -2.5 = 1 return x", "1"},
		{"local x: {number}, y: {string?}, z: {} return 1", "1"},
		{"local x: {[string]: {[integer]: any}} return 1", "1"},
		{"local x: {a: number, b?: string, end: nil, typeof: T, is: U,} return 1", "1"},
		{"local x: readonly {number}, y: readonly {a: T} return 1", "1"},
		{"local x: interface {a: T}, y: interface {} return 1", "1"},
		{"local x: number[][], y: T['name'], z: T[K]? return 1", "1"},
		{"local x: a.B, y: a.B<C, D.E> return 1", "1"},
		{"local x: (a: number, b: string, ...any) -> (number, string) return 1", "1"},
		{"local x: (number) -> (string) -> nil return 1", "1"},
		{"local x: () -> (), y: fun(), z: fun(a: T, ...U): (A, B) return 1", "1"},
		{"local x: ((a: T) -> U)? return 1", "1"}, {"local x: A & B | C & D, y: | A | B return 1", "1"},
		{"local x: T extends U ? A : B return 1", "1"},
		{"local x: T extends U? ? A extends B ? C : D : E return 1", "1"},
		{"local x: typeof(1 + f(2)), y: keyof({a: T}) return 1", "1"},
		{"local x: number @min(1) @max(-2)? return 1", "1"},
		{"local x: {name: string @pattern('\\x') @min_len(1), n: number? @any} return 1", "1"},
		{"local function f(x: any): asserts x is number end return 1", "1"},
		{"local function f(x): asserts x return x end return f(2)", "2"},
		{"local x: function, y: thread | userdata | error | self return 1", "1"},
		{"type A = number type B<T> = {T} type C<T: A, U> = (T) -> U return 1", "1"},
		{"interface A function f(self, x: number): (number, string) function g() end return 1", "1"},
		{"interface A : B, C function m(...: any): A, B end return 1", "1"},
		{"do type A = number interface B end end return A, B", "nil,nil"},
		{"local x: typeof(function() local y: T = 1 .. 2.0 return y end) return 1", "1"}, );
}

static void words_as_names(void **state)
{
	(void)state;
	CHECK_PROGRAMS(
		{"local t = {is = 1, as = 2, type = 3, interface = 4, readonly = 5, asserts = 6, keyof = 7, extends = "
		 "8, typeof = 9, fun = 10} "
		 "return t.is, t.as, t.type, t.interface, t.readonly, t.asserts, t.keyof, t.extends, t.typeof, t.fun",
			"1,2,3,4,5,6,7,8,9,10"},
		{"local t = {} function t:is(x) return x end function t.as(x) return x end return t:is(1), t.as(2)",
			"1,2"},
		{"local t = {type = function() return 'T' end} return t:type(), t.type()", "T,T"},
		{"local t = {} t.readonly = 1 return t.readonly", "1"}, );
}

static void env_is_a_name(void **state)
{
	(void)state;
	CHECK_PROGRAMS({"return _ENV", "nil"}, {"_ENV = 5 x = 1 return _ENV, x, _G._ENV", "5,1,5"},
		{"local _ENV = {x = 2} x = 1 return x, _ENV.x", "1,2"},
		{"local function f(_ENV) return _ENV, y end y = 3 return f(4)", "4,3"},
		{"function _ENV() return 1 end return _ENV(), _G._ENV()", "1,1"},
		{"local t = {_ENV = 1} return t._ENV", "1"}, {"for _ENV = 1, 1 do z = _ENV end return z", "1"},
		{"local _ENV <x", "refused: test:1:12: unexpected '<', local variables take no attributes"},
		{"_ENV = {} _ENV.a = 1 return _ENV.a, a", "1,nil"},
		{"local function _ENV() return 7 end return _ENV()", "7"},
		{"do local _ENV = 1 end _ENV = 2 return _G._ENV", "2"}, );
}

static void gotos(void **state)
{
	(void)state;
	CHECK_PROGRAMS(
		{"local s = 0 for i = 1, 5 do if i % 2 == 0 then goto continue end s = s + i ::continue:: end return s",
			"9"},
		{"local i = 0 ::top:: i = i + 1 if i < 4 then goto top end return i", "4"},
		{"do goto out end local x ::out:: ; ::more:: ;", ""},
		{"do goto out end local x ::out:: return x",
			"refused: test:1:9: <goto out> at line 1 jumps into the scope of local 'x'"},
		{"do goto out local x ::out:: ; ::more:: ; end return 1", "1"},
		{"goto f do local x ::f:: end ::f:: return 2", "2"}, {"::a:: do ::a:: goto b ::b:: end return 1", "1"},
		{"local n = 0 ::a:: n = n + 1 do if n > 2 then goto out end goto a ::a:: end ::out:: return n", "1"},
		{"local n = 0 ::a:: do n = n + 1 if n < 3 then goto a end end return n", "3"},
		{"local n = 0 ::a:: do n = n + 1 do goto a end n = n + 10 ::a:: end return n", "1"},
		{"goto keyof1 ::keyof1:: do goto keyof1 ::keyof1:: end return 1", "1"},
		{"local f = function() goto x do end ::x:: return 4 end ::x:: return f()", "4"},
		{"for i = 1, 3 do for j = 1, 3 do if j == 2 then goto continue end end ::continue:: end return 1", "1"},
		{"for i = 1, 2 do for j = 1, 2 do goto continue ::continue:: end goto continue ::continue:: end return "
		 "1",
			"1"},
		{"repeat local x = 1 if x then goto done end x = 2 ::done:: until true return 1", "1"},
		{"goto x; ::x:: return 1", "1"}, {"local x = 1 ::x:: do return x end", "1"}, );
}

static void generic_for(void **state)
{
	(void)state;
	CHECK_PROGRAMS({"local s = 0 for i in four() do s = s + i end return s", "6"},
		{"local s = 0 local f = four() for i in f, nil, nil, 'x' do s = s + i end return s", "6"},
		{"local function g(...) local s = 0 for i in ... do s = s + i end return s end return g(four())", "6"},
		{"function pairs() return four end local s = 0 for i in pairs()() do s = s + i end return s", "6"},
		{"local s = 0 for i in (four()) do s = s + i end return s", "6"},
		{"local s = 0 for k, v in next, {1, 2} do s = s + v end return s", "3"},
		{"local pairs = four local s = 0 for i in pairs(1) do s = s + i end return s", "6"},
		{"local s = 0 for w in ('a b'):gmatch('%a') do s = s + #w end return s", "2"},
		{"local s = 0 for i in four() as any do s = s + i end return s", "6"},
		{"local s = 0 for _, v in ipairs({1, 2}) do s = s + v end return s", "3"},
		{"for k in(pairs{})do end return 1",
			"error: test:1: bad argument #1 to 'for iterator' (table expected, got nil)"},
		{"for k in pairs{}, 1 do end return 1",
			"error: test:1: bad argument #1 to 'for iterator' (table expected, got number)"}, );
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunks),
		cmocka_unit_test(statements),
		cmocka_unit_test(operators),
		cmocka_unit_test(comparisons_as_indexes),
		cmocka_unit_test(numbers),
		cmocka_unit_test(strings),
		cmocka_unit_test(long_strings_and_nul),
		cmocka_unit_test(concatenation),
		cmocka_unit_test(long_concatenations),
		cmocka_unit_test(erasure),
		cmocka_unit_test(type_syntax),
		cmocka_unit_test(words_as_names),
		cmocka_unit_test(env_is_a_name),
		cmocka_unit_test(gotos),
		cmocka_unit_test(generic_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
