/* Lines stay where they are, and programs that both languages know mean the same in both. */
#include "front_run.h"

/* Each leaves line ends in unlike places; some are more than one line. */
static const char *const fragments[] = {
	"local a = 1 -- comment",
	"local b: {\n  x: number,\n  y?: string,\n} = nil",
	"type T = {\n  a: number |\n    string,\n}",
	"interface I\n  function f(self): number\nend",
	"do\n  type Inner = (a: number,\n b: string) -> nil\nend",
	"local s = 'a\\\nb' .. 1.5\n  .. a",
	"local l = [[\n\n]] --[[\n]] local m = {\n  1,\n  2,\n}",
	"local c = s as\n  string",
	"local d = s ::\n  string!\n;(f or print as any)()",
	"for i = 1, 2 do\n  goto continue\n  ::continue::\nend",
	"for k, v in f(\n) do\nend",
	"local function g<\n T\n>(x: T,\n ...: any\n): (T,\n nil)\n  return x\nend",
	"repeat\n  local y = 1\nuntil\n true",
	"\r\n",
	"\r",
	"x = typeof_ and\n T(\n 1\n)",
	"local q = '\\q\\\r\n\\x' .. (\n a as number) .. 2.0",
	"if a then\nelseif b then\nelse\nend",
	"local w: A<B<C>> = f(1,\n  2)!",
	"while false do\n break\nend",
	"",
	"--[==[\n]] ]=]\n]==]",
};

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static unsigned count_lines(const char *s, size_t len)
{
	unsigned n = 1;

	for (size_t i = 0; i < len; i++) {
		if (s[i] != '\n' && s[i] != '\r')
			continue;
		n++;
		if (i + 1 < len && (s[i + 1] == '\n' || s[i + 1] == '\r') && s[i + 1] != s[i])
			i++;
	}
	return n;
}

static void errors_keep_their_lines(void **state)
{
	static const struct {
		const char *source;
		const char *message; /* behind the line */
	} failures[] = {
		{"error('here')", "here"},
		{"local z = 'x' .. nil", "attempt to concatenate a nil value"},
		{"error('a\\q' .. 1.0 as any)", "aq1"},
		{"local function h(x: number): nil error('deep') end h(1)", "deep"},
		{"undefined_function()", "attempt to call a nil value (global 'undefined_function')"},
	};
	uint32_t seed = 7;

	(void)state;
	for (unsigned round = 0; round < 600; round++) {
		unsigned n = next_random(&seed) % 12;
		unsigned which = next_random(&seed) % ARRAY_LEN(failures);
		struct buf b = BUF_INIT;
		char *got;
		char *expected;

		buf_adds(&b, "local f, typeof_, a, s = function() return function() end end, false, 1, 2 ");
		for (unsigned i = 0; i < n; i++) {
			buf_adds(&b, "do ");
			buf_adds(&b, fragments[next_random(&seed) % ARRAY_LEN(fragments)]);
			buf_adds(&b, next_random(&seed) % 2 ? "\nend\n" : "\r\nend\r\n");
		}
		expected =
			xasprintf("error: test:%u: %s", count_lines(buf_str(&b), buf_len(&b)), failures[which].message);
		buf_adds(&b, failures[which].source);
		buf_adds(&b, "\nlocal after = 1\n");
		got = run_source(buf_str(&b), buf_len(&b));
		if (strcmp(got, expected) != 0)
			fail_msg("%s\n  gives    %s\n  expected %s", buf_str(&b), got, expected);
		free(got);
		free(expected);
		buf_done(&b);
	}
}

static void columns_stay_where_possible(void **state)
{
	static const char source[] = "\nlocal x: number, y = f as (a) -> b, T {\n  z!, 1 :: string } ;";
	static const char expected[] = "\nlocal x        , y = f            , T {\n  z , 1           } ;";
	struct front_output o = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(front_translate("test", source, strlen(source), &o, &e), 0);
	if (!strstr(o.lua, expected))
		fail_msg("%s", o.lua);
	front_output_done(&o);
}

static const char *const plain_programs[] = {
	"local function fib(n) if n < 2 then return n end return fib(n-1) + fib(n-2) end return fib(15)",
	"local t = {} for i = 1, 20 do t[#t + 1] = (i * 7) % 11 end table.sort(t) return table.concat(t, ' ')",
	"local Stack = {} Stack.__index = Stack\nfunction Stack.new() return setmetatable({n = 0}, Stack) end\n"
	"function Stack:push(v) self.n = self.n + 1; self[self.n] = v end\n"
	"function Stack:pop() local v = self[self.n] self[self.n] = nil self.n = self.n - 1 return v end\n"
	"local s = Stack.new() s:push(1) s:push('two') s:push(nil) return s:pop(), s:pop(), s:pop(), s.n",
	"local out = {} for w in (\"the quick brown fox\"):gmatch(\"%a+\") do out[#out + 1] = w:upper():sub(1, 1) .. "
	"#w end return table.concat(out)",
	"local co = coroutine.wrap(function(a) local b = coroutine.yield(a + 1) coroutine.yield(b * 2) return 'end' "
	"end) return co(1), co(10), co()",
	"local function range(n) return function(s, i) if i < s then return i + 1 end end, n, 0 end local s = 0 for i "
	"in range(10) do s = s + i end return s",
	"local ok, e = pcall(function() error({code = 42}) end) return ok, e.code",
	"local ok, e = pcall(error, 'x', 0) return ok, e",
	"return pcall(function() local x = nil; return x.y end)",
	"local mt = {__add = function(a, b) return a.v + b.v end, __eq = function() return true end, __lt = function() "
	"return true end, __le = function() return false end}\n"
	"local x, y = setmetatable({v = 1}, mt), setmetatable({v = 2}, mt) return x + y, x == y, x < y, x <= y",
	"local i = 0 ::loop:: i = i + 1 if i % 2 == 1 then goto loop end if i < 9 then goto loop end return i",
	"local r = {} for i = 3, 1, -1 do for j = i, 3 do if j == 2 then goto next end r[#r + 1] = i * 10 + j ::next:: "
	"end end return table.concat(r, ',')",
	"local s = 'a' .. 'b' .. 1 .. 2 return s, #s, s < 'b', s:rep(2, '-'):gsub('b', '%0%0')",
	"local fs = {} for i = 1, 3 do fs[i] = function() i = i + 1 return i end end return fs[1](), fs[1](), fs[2](), "
	"fs[3]()",
	"local function f(...) local a, b = ..., 'last' return select('#', ...), a, b, (...) end return f(1, nil, nil)",
	"local t = setmetatable({}, {__index = function(_, k) return k .. '!' end, __call = function(self, x) return x "
	"* 2 end}) return t.abc, t(21), rawget(t, 'x')",
	"return 1e15, 2^53, 10 // 3, -10 // 3, -10 % 3, 10.5 // 1, 7 % -3.5, 1 << 63, 1 << 64, ~5 & 0xff, 3 | 4, 5 ~ "
	"1, '10' + 5, 10 / 2",
	"local x = 10 do local x = x + 1 do local x = x * 2 if x ~= 22 then error(x) end end end return x",
	"local t = {f = function(self, ...) return ... end, [1] = 'one', 'first'; 'second', n = {m = {k = 1}}} return "
	"t:f(1, 2), t[1], t[2], t.n.m.k, #t",
	"local s = 0; for _, v in next, {5, 6, 7} do s = s + v end; while s > 10 do s = s - 3; if s == 12 then break "
	"end end return s",
	"local function va(...) return {n = select('#', ...), ...} end local t = va((function() return 1, 2, 3 end)()) "
	"return t.n, t[3], #va(va())",
	"return ((('x'))):byte(), (\"%d %s %5.2f %q\"):format(3, 'a', 2.5, 'q\\n'), #[==[\nlong]]]==], [[a\nb]]",
	"local a = {} ; (function() a.x = 1 end)() ; return a.x",
	"return not not nil, not 0, nil == false, 1 == 1.0, '1' == 1, 0/0 ~= 0/0, -0.0 == 0.0, math.type(3), "
	"math.type(3.0)",
	"local n = 0 repeat local done = n >= 3 n = n + 1 until done return n",
	"local t = {10, 20, 30, nil, 50} local c = 0 for k in pairs(t) do c = c + k end return c, select(-1, 1, 2, 3)",
	"goto done do return 'skipped' end ::done:: return 'reached'",
};

/* The same text run by the engine's Lua alone. */
static char *run_plain(const char *source)
{
	struct buf out = BUF_INIT;
	lua_State *L = luaL_newstate();

	luaL_openlibs(L);
	if (luaL_loadbuffer(L, source, strlen(source), "=test") != LUA_OK || lua_pcall(L, 0, LUA_MULTRET, 0) != LUA_OK)
		buf_addf(&out, "error: %s", luaL_tolstring(L, -1, NULL));
	else
		show_values(L, 1, &out);
	lua_close(L);
	return buf_detach(&out, NULL);
}

static void plain_programs_mean_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(plain_programs); i++) {
		char *expected = run_plain(plain_programs[i]);

		assert_null(strstr(expected, "error: test"));
		check_source(plain_programs[i], expected);
		free(expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_keep_their_lines),
		cmocka_unit_test(columns_stay_where_possible),
		cmocka_unit_test(plain_programs_mean_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
