/*
 * lib_format.c - string.format.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/lua_api.h"
#include "engine/state.h"

enum {
	SPEC_MAX = 32,
	ITEM_MAX = 512, /* %.99f of the largest double has 309 + 1 + 99 characters */
};

/* Copies "%", flags, width and precision (two digits each, as in Lua) and leaves `*s` at the conversion. */
static size_t read_spec(lua_State *L, const char **s, const char *end, char spec[static SPEC_MAX])
{
	const char *p = *s;
	size_t n = 0;

	spec[n++] = '%';
	while (p < end && *p && strchr("-+ #0", *p)) {
		if (n > 5)
			return (size_t)luaL_error(L, "invalid format (repeated flags)");
		spec[n++] = *p++;
	}
	for (int i = 0; i < 2 && p < end && isdigit((unsigned char)*p); i++)
		spec[n++] = *p++;
	if (p < end && *p == '.') {
		spec[n++] = *p++;
		for (int i = 0; i < 2 && p < end && isdigit((unsigned char)*p); i++)
			spec[n++] = *p++;
	}
	if (p < end && isdigit((unsigned char)*p))
		return (size_t)luaL_error(L, "invalid format (width or precision too long)");
	*s = p;
	return n;
}

/* Integers as they are, floats cut off. */
static long long check_integer(lua_State *L, int arg)
{
	lua_Number d;
	lua_Integer i;
	int ok;

	i = lua_tointegerx(L, arg, &ok);
	if (ok)
		return i;
	d = luaL_checknumber(L, arg);
	if (!(d >= -0x1p63 && d < 0x1p63))
		raise_argument(L, arg, "number has no integer representation");
	return (long long)d;
}

static void add_quoted(lua_State *L, luaL_Buffer *b, int arg)
{
	size_t len;
	const char *s;

	if (lua_type(L, arg) != LUA_TSTRING) {
		push_text(L, arg, false, NULL);
		luaL_addvalue(b);
		return;
	}
	s = lua_tolstring(L, arg, &len);
	luaL_addchar(b, '"');
	for (size_t i = 0; i < len; i++) {
		char text[8];

		switch (s[i]) {
		case '"':
		case '\\':
		case '\n':
			luaL_addchar(b, '\\');
			luaL_addchar(b, s[i]);
			break;
		case '\r':
			luaL_addstring(b, "\\r");
			break;
		case '\0':
			snprintf(text, sizeof(text), i + 1 < len && isdigit((unsigned char)s[i + 1]) ? "\\000" : "\\0");
			luaL_addstring(b, text);
			break;
		default:
			luaL_addchar(b, s[i]);
		}
	}
	luaL_addchar(b, '"');
}

static void add_string(lua_State *L, luaL_Buffer *b, int arg, const char *spec)
{
	char item[ITEM_MAX];
	size_t len;
	const char *s = push_text(L, arg, true, &len);
	int n;

	/* Without a width, or too long for one to matter: as it is, whatever bytes are in it. */
	if (strcmp(spec, "%s") == 0 || (!strchr(spec, '.') && len >= 100)) {
		luaL_addvalue(b);
		return;
	}
	n = snprintf(item, sizeof(item), spec, s);
	lua_pop(L, 1);
	luaL_addlstring(b, item, n > 0 ? (size_t)n : 0);
}

static void add_float(luaL_Buffer *b, const char *spec, lua_Number d)
{
	char item[ITEM_MAX];
	int n;

	if (isnan(d))
		n = snprintf(item, sizeof(item), "NaN");
	else if (isinf(d))
		n = snprintf(item, sizeof(item), d > 0 ? "+Inf" : "-Inf");
	else
		n = snprintf(item, sizeof(item), spec, d);
	luaL_addlstring(b, item, (size_t)n);
}

static void add_item(lua_State *L, luaL_Buffer *b, char conversion, char *spec, size_t n, int arg)
{
	char item[ITEM_MAX];

	switch (conversion) {
	case 'c':
		spec[n++] = 'c';
		spec[n] = '\0';
		n = (size_t)snprintf(item, sizeof(item), spec, (int)(unsigned char)check_integer(L, arg));
		luaL_addlstring(b, item, n);
		return;
	case 'd':
	case 'i':
	case 'u':
	case 'x':
	case 'X':
	case 'o':
		spec[n++] = 'l';
		spec[n++] = 'l';
		spec[n++] = conversion;
		spec[n] = '\0';
		n = (size_t)snprintf(item, sizeof(item), spec, check_integer(L, arg));
		luaL_addlstring(b, item, n);
		return;
	case 'e':
	case 'E':
	case 'f':
	case 'F':
	case 'g':
	case 'G':
	case 'a':
	case 'A':
		spec[n++] = conversion;
		spec[n] = '\0';
		add_float(b, spec, luaL_checknumber(L, arg));
		return;
	case 'q':
		add_quoted(L, b, arg);
		return;
	case 's':
		spec[n++] = 's';
		spec[n] = '\0';
		add_string(L, b, arg, spec);
		return;
	default:
		luaL_error(L, "invalid conversion '%%%c' to format", conversion);
	}
}

int lib_string_format(lua_State *L)
{
	int top = lua_gettop(L);
	int arg = 1;
	size_t len;
	const char *s = luaL_checklstring(L, 1, &len);
	const char *end = s + len;
	luaL_Buffer b;

	luaL_buffinit(L, &b);
	while (s < end) {
		char spec[SPEC_MAX];
		size_t n;

		if (*s != '%') {
			luaL_addchar(&b, *s++);
			continue;
		}
		if (++s < end && *s == '%') {
			luaL_addchar(&b, *s++);
			continue;
		}
		n = read_spec(L, &s, end, spec);
		if (s == end)
			return luaL_error(L, "invalid conversion '%%' to format");
		if (++arg > top)
			return raise_argument(L, arg, "no value");
		add_item(L, &b, *s++, spec, n, arg);
	}
	luaL_pushresult(&b);
	return 1;
}
