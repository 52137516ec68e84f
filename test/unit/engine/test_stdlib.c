/* The global functions and the standard libraries, as the dialect has them. */
#include "lua_run.h"

static void test_base(void **state)
{
	static const struct lua_case cases[] = {
		{"return 10 / 2 .. ''", "5"},
		{"return tostring(10 / 2)", "5"},
		{"return tostring(0.1)", "0.1"},
		{"return tostring(1e100)", "1e+100"},
		{"return tostring(1/0) .. tostring(-1/0)", "+Inf-Inf"},
		{"return tostring(nil) .. tostring(true)", "niltrue"},
		{"return tostring(setmetatable({}, { __tostring = function() return 'me' end }))", "me"},
		{"return type(1) .. type(nil) .. type(print) .. type(channel.new())", "numbernilfunctionuserdata"},
		{"return select('#', 1, nil, nil)", "3"},
		{"return select(-1, 1, 2, 3)", "3"},
		{"return (select(2, 'a', 'b', 'c'))", "b"},
		{"return { pcall(select, 0) }", "~index out of range"},
		{"return tonumber('0x10')", "16"},
		{"return tonumber(' 12 ')", "12"},
		{"return tonumber('1e3') == 1000", "true"},
		{"return tonumber('z', 36)", "35"},
		{"return tonumber('8', 8) == nil", "true"},
		{"return tonumber('') == nil and tonumber({}) == nil", "true"},
		{"return tonumber('ff', 16)", "255"},
		{"return { pcall(tonumber, '1', 99) }", "~base out of range"},
		{"return { unpack({ 1, 2, 3 }, 2) }", "[2,3]"},
		{"return rawequal('a', 'a')", "true"},
		{"return rawget(setmetatable({}, { __index = { a = 1 } }), 'a') == nil", "true"},
		{"local n = 0 for i, v in ipairs({ 1, 2, nil, 4 }) do n = n + v end return n", "3"},
		{"local n = 0 for i in ipairs(setmetatable({}, { __index = function(t, i) return i < 9 or nil end })) "
		 "do n = n + 1 end "
		 "return n",
			"0"},
		{"local t = {} for k, v in pairs({ a = 1, b = 2 }) do t[#t + 1] = k .. v end table.sort(t) return "
		 "table.concat(t, ' ')",
			"a1 b2"},
		{"return next({}) == nil", "true"},
		{"return assert(1, 2, 3)", "1"},
		{"assert(false)", "failed: app:test:1: assertion failed!"},
		{"assert(nil, 'no')", "failed: app:test:1: no"},
		{"assert(nil, errors.new({ message = 'gone', kind = errors.NOT_FOUND }))", "failed NotFound: gone"},
		{"assert(nil, {})", "~bad argument #2 to assert"},
		{"error('x')", "failed: app:test:1: x"},
		{"error('x', 0)", "failed: x"},
		{"error({ 1 })", "~failed: table: "},
		{"local function f() error('x', 2) end\n\nf()", "failed: app:test:3: x"},
		{"return { pcall(error) }", "[false]"},
		{"return getmetatable(setmetatable({}, { __metatable = 'no' }))", "no"},
		{"setmetatable(setmetatable({}, { __metatable = 1 }), {})", "~cannot change a protected metatable"},
		{"return getmetatable('').__index == string", "true"},
		{"getmetatable('').__index = nil", "~read-only"},
		{"return load == nil and collectgarbage == nil and dofile == nil and debug == nil and io == nil and "
		 "utf8 == nil",
			"true"},
		{"return require('string') == string", "true"},
		{"return require('nowhere')", "failed: app:test:1: module 'nowhere' not found"},
		{"return package.path .. package.cpath .. type(package.loadlib)", "function"},
		{"return '1' + 1", "2"},
		{"return '10' * '2'", "20"},
		{"return 'a' + 1", "failed: app:test:1: cannot perform add operation between string and number"},
		{"return {} .. 'x'", "~concatenate"},
		{"return -'2'", "-2"},
		{"return setmetatable({}, { __add = function() return 'sum' end }) + 'x'", "sum"},
		{"return 'x' + setmetatable({}, { __add = function() return 'sum' end })", "sum"},
	};

	(void)state;
	check_cases(cases, ARRAY_LEN(cases));
}

static void test_globals(void **state)
{
	static const struct lua_case cases[] = {
		{"x = 5 return _G.x .. _G._G.x", "55"},
		{"x = 5 local g = require('_' .. 'G') return g.x .. tostring(g == require('_' .. 'G'))", "5true"},
		{"_G.y = 6 return y", "6"},
		{"return _G.string == string and _G['print'] == print", "true"},
		{"return rawget(_G, 'print') == print", "true"},
		{"local n = 0 for k in pairs(_G) do n = n + 1 end return n > 20", "true"},
		{"string = nil return string == nil and _G.string == nil", "true"},
		{"setmetatable(_G, { __index = function(t, k) return k end }) return nowhere .. type(print)",
			"nowherefunction"},
		{"setmetatable(_G, { __newindex = function() error('strict', 0) end }) z = 1", "failed: strict"},
		{"return getmetatable(_G) == nil", "true"},
		{"print = 1 return print", "1"},
	};

	(void)state;
	check_cases(cases, ARRAY_LEN(cases));
}

static void test_readonly(void **state)
{
	static const struct lua_case cases[] = {
		{"string.x = 1", "~Immutable"},
		{"rawset(string, 'x', 1)", "~Immutable"},
		{"table.insert(table, 1)", "~Immutable"},
		{"table.remove(math)", "~Immutable"},
		{"table.sort(math)", "~Immutable"},
		{"setmetatable(string, {})", "~Immutable"},
		{"return getmetatable(string) == nil", "true"},
		{"local n = 0 for k, v in pairs(math) do n = n + 1 end return n > 20", "true"},
		{"local f, t = pairs(string) t.rep = nil", "~Immutable"},
		{"return next(coroutine) ~= nil and rawget(string, 'rep') == string.rep", "true"},
		{"local t = table.freeze({ 1, 2, a = 3 }) return t[2] + t.a + #t", "7"},
		{"local t = table.freeze({ 1 }) t[1] = 2", "~Immutable"},
		{"local t = table.freeze({ 1 }) t.new = 2", "~Immutable"},
		{"local t = table.freeze({ 1, 2 }) local n = 0 for i, v in ipairs(t) do n = n + v end return n", "3"},
		{"local t = table.freeze(setmetatable({ 1 }, { __index = { b = 2 }, __call = function(t, x) return x "
		 "end })) "
		 "return t.b + t(40)",
			"42"},
		{"local mt = {} return getmetatable(table.freeze(setmetatable({}, mt))) == mt", "true"},
		{"return tostring(table.isfrozen(table.freeze({}))) .. tostring(table.isfrozen({}))", "truefalse"},
		{"return table.concat(table.freeze({ 1, 2 }), ',') .. select('#', unpack(table.freeze({ 1, 2, 3 })))",
			"1,23"},
		{"return table.freeze({ a = { 1, 2 } })", "{\"a\":[1,2]}"},
	};

	(void)state;
	check_cases(cases, ARRAY_LEN(cases));
}

/* Another program of the same heap sees nothing of what a first one did. */
static void test_isolation(void **state)
{
	struct heap *h = make_heap(0, NULL);

	(void)state;
	assert_string_equal(run_body(h, "x = 1 print = nil return type(x)"), "number");
	assert_string_equal(run_body(h, "return type(x) .. type(print)"), "nilfunction");
	heap_free(h);
}

static void test_table(void **state)
{
	static const struct lua_case cases[] = {
		{"return table.concat({ 1, 2.0, 'x', 1.5 }, '-')", "1-2-x-1.5"},
		{"return table.concat({ 1, 2, 3 }, ',', 2, 3)", "2,3"},
		{"return table.concat({})", ""},
		{"return table.concat({ 1, {}, 3 })", "~invalid value (table) at index 2 in table for concat"},
		{"local t = { 1, 3 } table.insert(t, 2, 2) return t", "[1,2,3]"},
		{"local t = { 1 } table.insert(t, 2) return t", "[1,2]"},
		{"local t = {} table.insert(t, 3, 'x') return t[3]", "x"},
		{"table.insert({})", "~wrong number of arguments"},
		{"local t = { 1, 2, 3 } return table.remove(t) + table.remove(t, 1) * 10 + #t * 100", "113"},
		{"return table.remove({}) == nil and table.remove({ 1 }, 5) == nil", "true"},
		{"local t = { 3, 1, 2 } table.sort(t) return t", "[1,2,3]"},
		{"local t = { 3, 1, 2 } table.sort(t, function(a, b) return a > b end) return t", "[3,2,1]"},
		{"table.sort({ 1 }, 5)", "~function expected"},
		{"return table.getn({ 1, 2 }) .. table.maxn({ 1, [10] = 1 })", "210"},
		{"return #table.create(10, 10)", "0"},
		{"table.create(1e12)", "~size out of range"},
		{"return table.pack == nil and table.move == nil", "true"},
		{"return { table.unpack({ 1, 2 }) }", "[1,2]"},
		{"return { pcall(unpack, {}, 1, 1e8) }", "~too many results"},
		{"table.concat(5)", "~bad argument #1 to concat (table expected, got number)"},
	};

	(void)state;
	check_cases(cases, ARRAY_LEN(cases));
}

static void test_string(void **state)
{
	static const struct lua_case cases[] = {
		{"return ('ab'):rep(3)", "ababab"},
		{"return ('ab'):rep(-1) .. ('ab'):rep(0)", ""},
		{"return { pcall(string.rep, 'x', 1e10) }", "~too large"},
		{"return ('h\xc3\xa4' .. 'z'):upper()", "H\xc3\x84Z"},
		{"return ('\xc3\x84\xd0\x96'):lower()", "\xc3\xa4\xd0\xb6"},
		{"return #('\\255a'):upper()", "2"},
		{"return { ('abc'):find('') }", "[1,0]"},
		{"return { ('abc'):find('b', 1, true) }", "[2,2]"},
		{"return ('abc'):match('x') == nil", "true"},
		{"return (('hello'):gsub('l', { l = 'L' }))", "heLLo"},
		{"return (('hello'):gsub('l', function() return false end))", "hello"},
		{"return (('a\\0b'):gsub('%z', '0'))", "a0b"},
		{"local t = {} for w in string.gfind('a b', '%a') do t[#t + 1] = w end return t", "[\"a\",\"b\"]"},
		{"return ('x'):byte() .. string.char(65, 66)", "120AB"},
		{"return ('abc'):reverse():len() .. ('abcd'):sub(-2)", "3cd"},
		{"string.dump(print)", "~unable to dump"},
		{"return string.format('%d %5.2f %s %q', 3.7, 1.5, 'a', 'b\"')", "3  1.50 a \"b\\\"\""},
		{"return string.format('%s %s %s', nil, true, 3.0)", "nil true 3"},
		{"return string.format('%x %X %o %c %i %u', 255, 255, 8, 65, 5, 6)", "ff FF 10 A 5 6"},
		{"return string.format('%5s|%-5s|%.2s', 'ab', 'ab', 'abc')", "   ab|ab   |ab"},
		{"return string.format('%05d %+d %%', 42, 42)", "00042 +42 %"},
		{"return string.format('%g %g', 0.1, 1e20)", "0.1 1e+20"},
		{"return string.format('%d', 1/0)", "~no integer representation"},
		{"return string.format('%d', 'x')", "~bad argument #2"},
		{"return string.format('%d')", "~bad argument #2 to format (no value)"},
		{"return string.format('%y', 1)", "~invalid conversion '%y'"},
		{"return string.format('%')", "~invalid conversion"},
		{"return string.format('%123d', 1)", "~width or precision too long"},
		{"return string.format('%s', setmetatable({}, { __tostring = function() return 'T' end }))", "T"},
		{"return string.format('%s', errors.new('oops'))", "oops"},
		{"return #string.format('%99.99f', 1e308)", "409"},
		{"return string.unpack('<i4', string.pack('<i4', -2))", "-2"},
		{"return { pcall(string.unpack, '<i4', 'x') }", "~data string too short"},
		{"return { pcall(string.pack, 'y', 1) }", "~invalid format option 'y'"},
		{"return string.packsize('i4i8')", "12"},
	};

	(void)state;
	check_cases(cases, ARRAY_LEN(cases));
}

static void test_math(void **state)
{
	static const struct lua_case cases[] = {
		{"return math.floor(3.7) .. math.ceil(3.2) .. math.floor(-3.5)", "34-4"},
		{"return math.max(1, 5, 3) + math.min(2, 0)", "5"},
		{"return math.type(1) .. math.type(1.0) .. tostring(math.type('1'))", "integerfloatnil"},
		{"return math.tointeger('8') + math.tointeger(3.0)", "11"},
		{"return math.tointeger(3.5) == nil and math.tointeger({}) == nil", "true"},
		{"return math.log(8, 2) == math.log(8)", "true"},
		{"return math.log10(1000) .. math.pow(2, 10) .. math.mod(7, 4)", "310243"},
		{"local m, e = math.frexp(8) return math.ldexp(m, e) .. ' ' .. e", "8 4"},
		{"return math.atan2(0, 1) + math.sinh(0) + math.cosh(0) + math.tanh(0)", "1"},
		{"return { pcall(math.random, 0) }", "~interval is empty"},
		{"return { pcall(math.random, 2, 1) }", "~interval is empty"},
		{"for i = 1, 100 do local x = math.random(3) if x < 1 or x > 3 then return x end end return 'fine'",
			"fine"},
		{"math.randomseed(1) local a = math.random(1e9) math.randomseed(1) return a ~= math.random(1e9)",
			"true"},
		{"return math.huge == 1/0 and math.maxinteger + 1 == math.mininteger", "true"},
		{"return math.ult(1, -1)", "true"},
	};

	(void)state;
	check_cases(cases, ARRAY_LEN(cases));
}

static void test_os(void **state)
{
	static const struct lua_case cases[] = {
		{"return os.platform", "wippy"},
		{"return os.execute == nil and os.exit == nil and os.getenv == nil and os.remove == nil", "true"},
		{"return os.date('!%Y-%m-%d %H:%M:%S', 0)", "1970-01-01 00:00:00"},
		{"return os.date('!%c', 0)", "Thu Jan  1 00:00:00 1970"},
		{"return os.date('!%x %X %p %j %a %A %b %B %y %I %%', 0)",
			"01/01/70 00:00:00 AM 001 Thu Thursday Jan January 70 12 %"},
		{"return os.date('!%U %W %w %Q', 0)", "01 01 4 %Q"},
		{"local t = os.date('!*t', 86399) return t.hour .. ' ' .. t.wday .. ' ' .. t.yday .. ' ' .. "
		 "tostring(t.isdst)",
			"23 5 1 false"},
		{"local a = os.time({ year = 2020, month = 1, day = 1 }) return os.date('%H:%M:%S', a)", "00:00:00"},
		{"return os.time({ year = 2020, month = 13, day = 1 }) == os.time({ year = 2021, month = 1, day = 1 })",
			"true"},
		{"return math.type(os.time())", "integer"},
		{"return os.difftime(5, 3)", "2"},
		{"local a = os.clock() return a >= 0 and os.clock() >= a", "true"},
		{"return { pcall(os.date, '%Y', 1e300) }", "~false"},
		{"os.time({ year = 1e18 })", "~out of range"},
	};

	(void)state;
	check_cases(cases, ARRAY_LEN(cases));
}

/* Nothing that programs make may run code of theirs behind the back of others, or vanish. */
static void test_no_engine_metamethods(void **state)
{
	struct heap *h = make_heap(0, NULL);

	(void)state;
	assert_string_equal(run_body(h, "local mt = { __gc = function() ran = true end } "
					"for i = 1, 10 do setmetatable({}, mt) end return mt.__gc ~= nil"),
		"true");
	heap_collect_all(h);
	assert_string_equal(run_body(h, "local t = setmetatable({}, { __mode = 'k' }) t[{}] = 1 "
					"local s = 0 for i = 1, 1e5 do local x = { i } end "
					"return next(t) ~= nil"),
		"true");
	heap_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base),
		cmocka_unit_test(test_globals),
		cmocka_unit_test(test_readonly),
		cmocka_unit_test(test_isolation),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_string),
		cmocka_unit_test(test_math),
		cmocka_unit_test(test_os),
		cmocka_unit_test(test_no_engine_metamethods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
