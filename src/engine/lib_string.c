/*
 * lib_string.c - the `string` library: the engine's patterns and packing, and what the dialect has otherwise.
 */
#include <locale.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "engine/lua_api.h"
#include "engine/readonly.h"
#include "engine/state.h"

/* -- case ---------------------------------------------------------------------------------------------- */

static locale_t utf8_locale;

/* Before main(): letters of all scripts have cases, whatever the user's locale is. */
__attribute__((constructor)) static void make_locale(void)
{
	utf8_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

static bool is_ascii(const char *s, size_t len)
{
	unsigned char all = 0;

	for (size_t i = 0; i < len; i++)
		all |= (unsigned char)s[i];
	return all < 0x80;
}

static char ascii_case(char c, bool upper)
{
	if (upper)
		return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static size_t encode(uint32_t c, char out[static 4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xC0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xE0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3F));
		out[2] = (char)(0x80 | (c & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3F));
	out[2] = (char)(0x80 | (c >> 6 & 0x3F));
	out[3] = (char)(0x80 | (c & 0x3F));
	return 4;
}

static uint32_t other_case(uint32_t c, bool upper)
{
	if (c < 0x80)
		return (uint32_t)(unsigned char)ascii_case((char)c, upper);
	if (!utf8_locale)
		return c;
	return upper ? towupper_l(c, utf8_locale) : towlower_l(c, utf8_locale);
}

static int change_case(lua_State *L, bool upper)
{
	size_t len;
	const char *s = luaL_checklstring(L, 1, &len);
	luaL_Buffer b;

	if (is_ascii(s, len)) {
		char *out = luaL_buffinitsize(L, &b, len);

		for (size_t i = 0; i < len; i++)
			out[i] = ascii_case(s[i], upper);
		luaL_pushresultsize(&b, len);
		return 1;
	}
	luaL_buffinit(L, &b);
	for (size_t i = 0; i < len;) {
		uint32_t c;
		size_t n = utf8_sequence(s + i, len - i, &c);
		char out[4];

		if (n == 0) { /* no UTF-8: the byte as it is */
			luaL_addchar(&b, s[i++]);
			continue;
		}
		luaL_addlstring(&b, out, encode(other_case(c, upper), out));
		i += n;
	}
	luaL_pushresult(&b);
	return 1;
}

static int l_upper(lua_State *L)
{
	return change_case(L, true);
}

static int l_lower(lua_State *L)
{
	return change_case(L, false);
}

/* -- others -------------------------------------------------------------------------------------------- */

static int l_rep(lua_State *L)
{
	size_t len, max = thread_heap(L)->used_max;
	const char *s = luaL_checklstring(L, 1, &len);
	lua_Integer n = luaL_checkinteger(L, 2);
	luaL_Buffer b;
	char *p;

	if (n <= 0 || len == 0) {
		lua_pushliteral(L, "");
		return 1;
	}
	if (max == 0)
		max = SIZE_MAX / 2;
	if (len > max / (size_t)n)
		return luaL_error(L, "resulting string too large");
	p = luaL_buffinitsize(L, &b, len * (size_t)n);
	for (lua_Integer i = 0; i < n; i++)
		memcpy(p + (size_t)i * len, s, len);
	luaL_pushresultsize(&b, len * (size_t)n);
	return 1;
}

static int l_dump(lua_State *L)
{
	return luaL_error(L, "unable to dump given function");
}

/* -- arithmetic on strings ----------------------------------------------------------------------------- */

static const struct {
	const char *event;
	const char *name;
	int op;
} operators[] = {
	{"__add", "add", LUA_OPADD},
	{"__sub", "sub", LUA_OPSUB},
	{"__mul", "mul", LUA_OPMUL},
	{"__div", "div", LUA_OPDIV},
	{"__mod", "mod", LUA_OPMOD},
	{"__pow", "pow", LUA_OPPOW},
	{"__unm", "unm", LUA_OPUNM},
	{"__idiv", "idiv", LUA_OPIDIV},
};

static bool push_number(lua_State *L, int idx)
{
	const char *s;
	size_t len;

	if (lua_type(L, idx) == LUA_TNUMBER) {
		lua_pushvalue(L, idx);
		return true;
	}
	s = lua_type(L, idx) == LUA_TSTRING ? lua_tolstring(L, idx, &len) : NULL;
	return s && lua_stringtonumber(L, s) == len + 1;
}

/* Upvalue: index into `operators`. The other operand's own metamethod comes second when the first operand is a string. */
static int l_arithmetic(lua_State *L)
{
	int i = (int)lua_tointeger(L, lua_upvalueindex(1));

	lua_settop(L, 2);
	if (push_number(L, 1) && (operators[i].op == LUA_OPUNM || push_number(L, 2))) {
		lua_arith(L, operators[i].op);
		return 1;
	}
	lua_settop(L, 2);
	if (lua_type(L, 2) != LUA_TSTRING && luaL_getmetafield(L, 2, operators[i].event) != LUA_TNIL) {
		lua_insert(L, 1);
		lua_call(L, 2, 1);
		return 1;
	}
	return luaL_error(L, "cannot perform %s operation between %s and %s", operators[i].name, luaL_typename(L, 1),
		luaL_typename(L, 2));
}

int lib_string_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"dump", l_dump},
		{"format", lib_string_format},
		{"lower", l_lower},
		{"rep", l_rep},
		{"upper", l_upper},
		{NULL, NULL},
	};

	luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 0);
	luaL_setfuncs(L, functions, 0);
	lua_getfield(L, -1, "gmatch");
	lua_setfield(L, -2, "gfind");

	/* The metatable of all strings, instead of the engine's. */
	lua_pushliteral(L, "");
	lua_createtable(L, 0, 12);
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "__index");
	for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
		lua_pushinteger(L, (lua_Integer)i);
		lua_pushcclosure(L, l_arithmetic, 1);
		lua_setfield(L, -2, operators[i].event);
	}
	lua_setmetatable(L, -2);
	lua_pop(L, 1);
	return 1;
}

/* With the globals on top: what getmetatable("") shows is a read-only table with the read-only library. */
void lib_string_init(lua_State *L)
{
	lua_pushliteral(L, "");
	lua_getmetatable(L, -1);
	lua_createtable(L, 0, 1);
	lua_getfield(L, -4, "string");
	lua_setfield(L, -2, "__index");
	readonly_wrap(L);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 2);
}
