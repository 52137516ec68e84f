/* Types as run-time values, through programs that declare and use them. */
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

static void primitives(void **state)
{
	(void)state;
	CHECK_PROGRAMS({"return number(5), string('x'), boolean(false), integer(3), any(nil), unknown(1)",
			       "5,x,false,3,nil,1"},
		{"return integer(2.0), integer:is(2.5)", "2f,nil,expected integer, got number"},
		{"\nreturn string(5)", "error: test:2: expected string, got number"},
		{"return number:is('1')", "nil,expected number, got string"},
		{"return number.is('1')", "nil,expected number, got string"}, {"return boolean:is(false)", "false,nil"},
		{"return number:is(), number.is()", "nil,nil,expected number, got nil"},
		{"return never:is(1)", "nil,expected never, got number"},
		{"return string()", "error: test:1: type string expects at least 1 argument"},
		{"return number(1, 2)", "error: test:1: type number expects 1 argument, got 2"},
		{"return string.rep('a', 2), string.format('%d', 1)", "aa,1"},
		{"local string = function(x) return x end return string(5)", "5"},
		{"local function f(number) return number('x') end return f(function(s) return s .. 1 end)", "x1"},
		{"local s = string return type(s), number", "table,nil"},
		{"return string{1}", "error: test:1: expected string, got table"},
		{"return string 'x', number\n:is(3)", "x,3,nil"}, {"for any = 1, 1 do return any end", "1"}, );
}

static void declared(void **state)
{
	(void)state;
	CHECK_PROGRAMS(
		{"type Id = string | number return Id(1), Id('a'), Id:is(true)", "1,a,nil,expected Id, got boolean"},
		{"type P = {x: number, y: number?} return P:is({x = 1}) ~= nil, P:is{x = 'a'}",
			"true,nil,x: expected number, got string"},
		{"type P = {x: number, y?: number} return select(2, P:is{x = 1, y = 'a'})",
			"y: expected number, got string"},
		{"type P = {x: number} return P:is(5)", "nil,expected P, got number"},
		{"type P = {x: number} local t = {x = 1, extra = 2} return P(t) == t, P.is(t) == t", "true,true"},
		{"type P = {x: number} return P({})", "error: test:1: x: expected number, got nil"},
		{"type P = {x: number} return P(setmetatable({}, {__index = {x = 1}}))",
			"error: test:1: x: expected number, got nil"},
		{"type L = {items: {{id: string}}} return select(2, L:is{items = {{id = 'a'}, {id = 1}}})",
			"items[2].id: expected string, got number"},
		{"type A = {number} return A:is{1, 2, x = 's'} ~= nil, A:is{1, 'b'}",
			"true,nil,[2]: expected number, got string"},
		{"type M = {[string]: number} return M:is{a = 1} ~= nil, M:is{a = 'x'}",
			"true,nil,a: expected number, got string"},
		{"type M = {[string]: number} return M:is{1}", "nil,[1]: expected string, got number"},
		{"type Lit = 'a' | 'b' | 1 | true return Lit('a'), Lit(1.0), Lit(true), Lit:is('c')",
			"a,1f,true,nil,expected Lit, got string"},
		{"type F = (number) -> string return F:is(print) ~= nil, F:is(1)", "true,nil,expected F, got number"},
		{"type N = {v: number, next: N?} local n = {v = 1} n.next = n return N:is(n) == n", "true"},
		{"type N = {v: number, next: N?} return N:is{v = 1, next = {v = 2, next = {v = 'x'}}}",
			"nil,next.next.v: expected number, got string"},
		{"type A = B type B = {c: C} type C = string return A:is{c = 1}", "nil,c: expected C, got number"},
		{"type A = A return A:is(1)", "nil,value or type too deeply nested to be checked"},
		{"type I = {a: string} & {b: number} return I:is{a = 'x', b = 1} ~= nil, I:is{a = 'x'}",
			"true,nil,b: expected number, got nil"},
		{"interface S function area(self): number end return S:is{area = print} ~= nil, S:is{}",
			"true,nil,area: expected (any) -> number, got nil"},
		{"interface A function a() end interface B : A function b() end return B:is{b = print}",
			"nil,a: expected () -> any, got nil"},
		{"type T = table | thread return T:is({}) ~= nil, T:is(coroutine.create(print)) ~= nil, T:is(print)",
			"true,true,nil,expected T, got function"},
		{"type E = {[1]: number} return E:is{5} ~= nil, E:is{5, 6}", "true,nil,[2]: expected 1, got number"}, );
}

static void names(void **state)
{
	(void)state;
	CHECK_PROGRAMS({"type P = {x: number} return tostring(P), type(P), P == P", "P,userdata,true"},
		{"type P = number local a = P:is(2)! local b = P(2)! .. P(3.0) .. number(4.0) for i in P(print) do end",
			"error: test:1: expected P, got function"},
		{"type P = number return P(2)!, P(2.0) .. P(3.0) .. number(4.0)!, (P:is(5))", "2,234,5"},
		{"type P = {x: number} local q = P return q:is{x = 1} ~= nil, pcall(q, 1)",
			"true,false,expected P, got number"},
		{"P = 5 type P = number return P, P:is('x')", "5,nil,expected P, got string"},
		{"type P = number P = 7 return P, P(3)", "7,3"},
		{"type P = number local P = function(x) return x end return P('a')", "a"},
		{"local f = function() return P:is(1) end type P = string return f()", "nil,expected P, got number"},
		{"do type P = number end return P", "nil"},
		{"setmetatable(_G, {__index = function(_, k) error('read ' .. k) end, __newindex = error}) type P = "
		 "number return P(1)",
			"1"},
		{"type A = number type A = string return A('x')", "error: test:1: expected A, got string"},
		{"type A = {x: Elsewhere} return A:is{x = 5} ~= nil, A:is(1)", "true,nil,expected A, got number"},
		{"type A = {x: number} return A.x == number, tostring(A.x), A.y, A.kind ~= nil",
			"false,number,nil,true"},
		{"type _ENV = number return _ENV('x')", "error: test:1: expected _ENV, got string"},
		{"type A = number return pcall(A)", "false,type A expects at least 1 argument"},
		{"type A = number return getmetatable(A)", "false"},
		{"type A = {x: self?} return A:is{x = {x = {x = 1}}}", "nil,x.x.x: expected self?, got number"},
		{"type A = {v: number} return pcall(function() A.x = 1 end)",
			"false,test:1: attempt to index a type value (global 'A')"}, );
}

static void generics(void **state)
{
	(void)state;
	CHECK_PROGRAMS({"type Box<T> = {value: T} return Box(number):is{value = 1} ~= nil, Box(number):is{value = 'x'}",
			       "true,nil,value: expected number, got string"},
		{"type Box<T> = {value: T} return tostring(Box(string)), Box({})",
			"error: test:1: expected Box, got table"},
		{"type Box<T> = {value: T} return tostring(Box(string)), tostring(Box)", "Box<string>,Box"},
		{"type Pair<A, B> = {a: A, b: B} return Pair(number)",
			"error: test:1: type Pair expects 2 type arguments, got 1"},
		{"type P = number return P(string(1) and 1)", "error: test:1: expected string, got number"},
		{"type P = number type Q = string return P(Q)", "error: test:1: type P is not generic"},
		{"type Pair<A, B> = {a: A, b: B} type N = number local p = Pair(N, Pair(string, N)) return "
		 "tostring(p), p:is{a = 1, b = {a = 'x', b = 'y'}}",
			"Pair<N, Pair<string, N>>,nil,b.b: expected N, got string"},
		{"type List<T> = {T} type Names = List<string> return Names:is{'a'} ~= nil, Names:is{1}",
			"true,nil,[1]: expected string, got number"},
		{"type Tree<T> = {v: T, kids: {Tree<T>}?} type NT = Tree<number> return NT:is{v = 1, kids = {{v = 2}, "
		 "{v = 'x'}}}",
			"nil,kids[2].v: expected number, got string"},
		{"type Opt<T> = T | nil return Opt(string)('x'), Opt(string):is(nil)", "x,nil,nil"},
		{"type G<T> = {T} return G:is({})", "nil,expected G, got table"},
		{"type G<T> = {T} type B = {x: G} return B:is{x = {}}", "nil,x: expected G, got table"},
		{"type G<T> = {T} type B = G<number, string> return B:is{}", "nil,expected B, got table"},
		{"type A<T> = {x: B<T>} type B<T> = {y: T} return A(number):is{x = {y = 'no'}}",
			"nil,x.y: expected number, got string"},
		{"type S<T> = {v: T, next: self?} return S(number):is{v = 1, next = {v = 'x'}}",
			"nil,next.v: expected number, got string"}, );
}

/* Lists longer than any fixed number of frames. */
static void deep_generics(void **state)
{
	(void)state;
	CHECK_PROGRAMS({"type L<T> = {v: T, n: L<T>?} local l for i = 1, 150 do l = {v = i, n = l} end local ok = "
			"L(number):is(l) local t = l while t.n do t = t.n end t.v = 'x' return ok == l, (select(2, "
			"L(number):is(l)):gsub('n%.', ''))",
			       "true,...v: expected number, got string"},
		{"type L = {n: L?} local l for i = 1, 100000 do l = {n = l} end return L:is(l)",
			"nil,value or type too deeply nested to be checked"},
		{"type L = {L} local l = {} for i = 1, 40 do l = {l, l} end return L:is(l)",
			"nil,value too large to be checked"}, );
}

static void validators(void **state)
{
	(void)state;
	CHECK_PROGRAMS({"type A = number @min(1) @max(10) return A(1), A(10), A:is(0)",
			       "1,10,nil,expected number @min(1), got 0"},
		{"type A = number @max(2.5) return A:is(3)", "nil,expected number @max(2.5), got 3"},
		{"type A = {name: string @min_len(2) @max_len(3)} return A:is{name = 'ab'} ~= nil, A:is{name = 'a'}",
			"true,nil,name: expected string @min_len(2), got length 1"},
		{"type A = {number} @max_len(2) return A:is{1, 2, 3}",
			"nil,expected {number} @max_len(2), got length 3"},
		{"type A = string @pattern(\"^[a-z]+\\\\d{2}$\") return A('ab12'), A:is('ab1')",
			"ab12,nil,expected string @pattern(\"^[a-z]+\\d{2}$\"), got a string that does not match"},
		{"type A = {number @min(0)} return A:is{1, -1}", "nil,[2]: expected number @min(0), got -1"},
		{"type A = number? @min(0) return A(nil), A:is(-1)", "nil,nil,expected number? @min(0), got -1"},
		{"type A = string @pattern('[') return A:is('x')",
			"nil,the pattern of @pattern is not a valid regular expression"},
		{"type A = number @even @min(x) @min(1, 2) return A(-5)", "-5"},
		{"type A = string @min_len(1) | number @min(-1) return A(-1), A('a'), A:is(-2)",
			"-1,a,nil,expected A, got number"},
		{"type A = - 3 | number @min(- --[[one]] 1) return A(-3), A(-1), A:is(-2)",
			"-3,-1,nil,expected A, got number"},
		{"type A = string @pattern('(?i)^(?:x|y)\\\\.$') return A('X.'), A:is('xz') == nil", "X.,true"}, );
}

static void computed(void **state)
{
	(void)state;
	CHECK_PROGRAMS({"type P = {x: number, s: string} type K = keyof(P) return K('x'), K:is('z')",
			       "x,nil,expected K, got string"},
		{"type P = {x: number} type X = P['x'] return X(1), X:is('a')", "1,nil,expected X, got string"},
		{"type C = 'a' extends string ? number : boolean return C(1), C:is(true)",
			"1,nil,expected C, got boolean"},
		{"type C<T> = T extends number ? string : boolean return C(integer)('x'), C(string)(true)", "x,true"},
		{"type A = typeof(x) return A(1)", "1"},
		{"type A = readonly {x: asserts_} return A:is{} ~= nil", "true"}, );
}

static void reflection(void **state)
{
	(void)state;
	CHECK_PROGRAMS({"type P = {x: number, y: string?} local s = {} for n, t in P:fields() do s[#s + 1] = n .. ':' "
			".. tostring(t) .. ':' .. t:kind() end return table.concat(s, ' '), P:kind(), P:name()",
			       "x:number:number y:string?:optional,record,P"},
		{"type A = {{string}} return A:kind(), tostring(A:elem()), A:elem():elem():name(), A:elem():name(), "
		 "A:key()",
			"array,{string},string,nil"},
		{"type M = {[string]: number} return tostring(M:key()), tostring(M:val()), M:kind()",
			"string,number,map"},
		{"type U = number | 'a' | nil local s = {} for t in U:variants() do s[#s + 1] = tostring(t) end return "
		 "table.concat(s, ' '), U:kind()",
			"number \"a\" nil,union"},
		{"type O = number? return tostring(O:inner()), O:kind(), O:inner():inner()", "number,optional"},
		{"type F = (a: number, ...string) -> (boolean, nil) local s = {} for t in F:params() do s[#s + 1] = "
		 "tostring(t) end return table.concat(s, ' '), tostring(F:ret()), F:ret():kind()",
			"number ...string,(boolean, nil),tuple"},
		{"type G<T: number, U> = {T} local s = {} for n, c in G:tparams() do s[#s + 1] = n .. tostring(c) end "
		 "return table.concat(s, ' '), G:kind(), G:name()",
			"Tnumber Unil,generic,G"},
		{"type G<T> = {v: T} local g = G(string) return g:kind(), g:name(), tostring(g.v), g.v:is(1)",
			"instantiated,nil,string,nil,expected string, got number"},
		{"type G<T> = {v: {T}} type H = G<number> local e = H.v:elem() collectgarbage() collectgarbage() "
		 "return tostring(H.v), tostring(e), H:kind(), e:is('x')",
			"{number},number,instantiated,nil,expected number, got string"},
		{"type A = {number} type B = {number} type C = {string} return A == B, A == C, A ~= C, A <= B, A < B, "
		 "integer(1) and true",
			"true,false,true,true,false,true"},
		{"type A = {x: integer} type B = {x: number} local t = {[A] = 1} return A <= B, B <= A, A < B, t[A]",
			"true,false,true,1"}, );
}

/* A library's types are globals of the process; what names them finds them there, in each process its own. */
static void names_from_elsewhere(void **state)
{
	static const char library[] =
		"type Item = {id: number} type Box<T> = {v: T} shop = {Own = Item} Item_ = Item return 1";
	static const char user[] =
		"type Order = {item: Item, other: shop.Item?, own: shop.Own?, box: Box<Item>?}\n"
		"local a, b = Order:is{item = {id = 1}, box = {v = {id = 'x'}}}\n"
		"local c, d = Order:is{item = {id = 'x'}}\nlocal e, f = Order:is{item = {id = 1}, other = {}}\n"
		"local g, h = Order:is{item = {id = 1}, own = 1} local v = Order.item.id Item, Item_, shop = nil\n"
		"collectgarbage() collectgarbage() return b, d, f, h, v:is('x')";
	static const char *const sources[] = {library, user};
	lua_State *L = luaL_newstate();
	struct front_output o[2] = {0};
	struct buf out = BUF_INIT;

	(void)state;
	luaL_openlibs(L);
	push_env(L);
	for (int i = 0; i < 2; i++) {
		struct err e = {0};

		assert_int_equal(front_translate("test", sources[i], strlen(sources[i]), &o[i], &e), 0);
		assert_true(load_factory(L, "=test", o[i].lua, o[i].len));
		lua_pushvalue(L, 1);
		if (lua_pcall(L, 1, LUA_MULTRET, 0) != LUA_OK)
			fail_msg("%s", lua_tostring(L, -1));
		front_output_done(&o[i]);
	}
	show_values(L, 3, &out);
	assert_string_equal(buf_str(&out), "box.v.id: expected number, got string,item.id: expected number, got string,"
					   "other.id: expected number, got nil,own: expected shop.Own?, got "
					   "number,nil,expected number, got string");
	buf_done(&out);
	lua_close(L);
}

/* Two processes of one program share its types. */
static void processes_share_types(void **state)
{
	static const char source[] = "type P = {x: number} return P";
	lua_State *L = luaL_newstate();
	struct front_output o = {0};
	struct err e = {0};

	(void)state;
	luaL_openlibs(L);
	assert_int_equal(front_translate("test", source, strlen(source), &o, &e), 0);
	assert_true(load_factory(L, "=test", o.lua, o.len));
	for (int i = 0; i < 2; i++) {
		lua_pushvalue(L, 1);
		push_env(L);
		lua_call(L, 1, 1);
	}
	assert_true(lua_rawequal(L, -1, -2));
	assert_true(type_is_value(L, -1));
	assert_false(type_is_value(L, 1));
	front_output_done(&o);
	lua_close(L);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(primitives),
		cmocka_unit_test(declared),
		cmocka_unit_test(names),
		cmocka_unit_test(generics),
		cmocka_unit_test(deep_generics),
		cmocka_unit_test(validators),
		cmocka_unit_test(computed),
		cmocka_unit_test(reflection),
		cmocka_unit_test(names_from_elsewhere),
		cmocka_unit_test(processes_share_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
