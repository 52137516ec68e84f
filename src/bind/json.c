/*
 * json.c - the `json` module: Lua values to JSON text and back.
 *
 * Encoding walks the Lua value itself; decoding goes through a value tree. Tables are read raw. A decoded empty
 * object is remembered (weakly)
 * so that it encodes as {} again, while a table that never held anything is [].
 */
#include <string.h>

#include "base/number.h"
#include "bind/lua_data.h"
#include "bind/json_schema.h"
#include "bind/modules.h"
#include "bind/scratch.h"
#include "engine/lua_api.h"
#include "engine/readonly.h"
#include "value/json.h"

static const char objects_key; /* registry: weak set of empty tables that came from {} */

struct encoder {
	lua_State *L;
	struct buf *out;
	const void *path[JSON_DEPTH_MAX + 1]; /* the tables we are inside of */
	unsigned depth;
	struct err *e;
};

static int encode(struct encoder *en, int idx);

static int fail(struct encoder *en, const char *what)
{
	return err_set(en->e, ERR_INTERNAL, "%s", what);
}

static bool is_remembered_object(lua_State *L, int idx)
{
	bool yes;

	lua_rawgetp(L, LUA_REGISTRYINDEX, &objects_key);
	lua_pushvalue(L, idx);
	lua_rawget(L, -2);
	yes = lua_toboolean(L, -1);
	lua_pop(L, 2);
	return yes;
}

/* Keys 1..n and nothing else: returns n, -1 with the reason otherwise. The table is not empty and its first key is a
 * positive integer. */
static lua_Integer sequence_length(struct encoder *en, int idx)
{
	lua_State *L = en->L;
	lua_Integer count = 0, max = 0;

	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
		lua_Integer k;

		if (!lua_isinteger(L, -2) || (k = lua_tointeger(L, -2)) < 1) {
			lua_pop(L, 2);
			return fail(en, "cannot encode mixed-key table");
		}
		count++;
		if (k > max)
			max = k;
	}
	return count == max ? max : fail(en, "cannot encode sparse array");
}

static int encode_sequence(struct encoder *en, int idx)
{
	lua_Integer n = sequence_length(en, idx);

	if (n < 0)
		return -1;
	buf_addc(en->out, '[');
	for (lua_Integer i = 1; i <= n; i++) {
		if (i > 1)
			buf_addc(en->out, ',');
		lua_rawgeti(en->L, idx, i);
		if (encode(en, lua_gettop(en->L)) < 0) {
			lua_pop(en->L, 1);
			return -1;
		}
		lua_pop(en->L, 1);
	}
	buf_addc(en->out, ']');
	return 0;
}

/* The name a key gets, without changing it on the stack (lua_next would lose its place). */
static int encode_key(struct encoder *en, int idx)
{
	lua_State *L = en->L;
	char text[NUMBER_TEXT_MAX];
	size_t len;

	switch (lua_type(L, idx)) {
	case LUA_TSTRING: {
		const char *s = lua_tolstring(L, idx, &len);

		json_write_string(s, len, en->out);
		return 0;
	}
	case LUA_TBOOLEAN:
		buf_adds(en->out, lua_toboolean(L, idx) ? "\"true\"" : "\"false\"");
		return 0;
	case LUA_TNUMBER:
		if (lua_isinteger(L, idx) && lua_tointeger(L, idx) > 0)
			return fail(en, "cannot encode mixed-key table");
		len = lua_isinteger(L, idx) ? number_format_int(lua_tointeger(L, idx), text)
					    : number_format_float(lua_tonumber(L, idx), text);
		json_write_string(text, len, en->out);
		return 0;
	default:
		return fail(en, "cannot encode a table whose key is no string, number or boolean");
	}
}

static int encode_object(struct encoder *en, int idx)
{
	lua_State *L = en->L;
	bool first = true;

	buf_addc(en->out, '{');
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
		int top = lua_gettop(L);

		if (!first)
			buf_addc(en->out, ',');
		first = false;
		if (encode_key(en, top - 1) < 0) {
			lua_pop(L, 2);
			return -1;
		}
		buf_addc(en->out, ':');
		if (encode(en, top) < 0) {
			lua_pop(L, 2);
			return -1;
		}
	}
	buf_addc(en->out, '}');
	return 0;
}

static int encode_table(struct encoder *en, int idx)
{
	lua_State *L = en->L;
	const void *self = lua_topointer(L, idx);
	bool sequence, resolved;
	int rc;

	for (unsigned i = 0; i < en->depth; i++) {
		if (en->path[i] == self)
			return fail(en, "cannot encode recursively nested tables");
	}
	if (en->depth >= JSON_DEPTH_MAX)
		return fail(en, "exceeded maximum nesting depth");
	if (!lua_checkstack(L, 8))
		return fail(en, "not enough memory");
	resolved = readonly_resolve(L, idx);
	if (resolved)
		idx = lua_gettop(L);
	lua_pushnil(L);
	if (!lua_next(L, idx)) {
		buf_adds(en->out, is_remembered_object(L, idx) ? "{}" : "[]");
		rc = 0;
	} else {
		sequence = lua_isinteger(L, -2) && lua_tointeger(L, -2) > 0;
		lua_pop(L, 2);
		en->path[en->depth++] = self;
		rc = sequence ? encode_sequence(en, idx) : encode_object(en, idx);
		en->depth--;
	}
	if (resolved)
		lua_pop(L, 1);
	return rc;
}

static int encode(struct encoder *en, int idx)
{
	lua_State *L = en->L;
	struct failure *f;
	char text[NUMBER_TEXT_MAX];
	size_t len;

	switch (lua_type(L, idx)) {
	case LUA_TBOOLEAN:
		buf_adds(en->out, lua_toboolean(L, idx) ? "true" : "false");
		return 0;
	case LUA_TNUMBER:
		if (lua_isinteger(L, idx)) {
			len = number_format_int(lua_tointeger(L, idx), text);
			buf_add(en->out, text, len);
		} else {
			json_write_float(lua_tonumber(L, idx), en->out);
		}
		return 0;
	case LUA_TSTRING: {
		const char *s = lua_tolstring(L, idx, &len);

		json_write_string(s, len, en->out);
		return 0;
	}
	case LUA_TTABLE:
		return encode_table(en, idx);
	case LUA_TUSERDATA:
		f = failure_at(L, idx);
		if (f) {
			json_write_string(f->message, f->message_len, en->out);
			return 0;
		}
		break;
	default:
		break;
	}
	buf_adds(en->out, "null");
	return 0;
}

/* Makes what this file keeps in the heap; other modules come here without json.open. */
static void push_objects(lua_State *L)
{
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &objects_key) == LUA_TTABLE)
		return;
	lua_pop(L, 1);
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "k");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &objects_key);
}

int json_push_encoded(lua_State *L, int idx, struct err *e)
{
	struct encoder en = {.L = L, .e = e};
	int top;

	idx = lua_absindex(L, idx);
	top = lua_gettop(L);
	push_objects(L);
	lua_pop(L, 1);
	en.out = scratch_buf(L); /* it must not leak when Lua raises (out of memory) */
	if (encode(&en, idx) < 0) {
		buf_done(en.out);
		lua_settop(L, top);
		return -1;
	}
	scratch_push(L, en.out);
	lua_remove(L, top + 1);
	return 0;
}

static int l_encode(lua_State *L)
{
	struct err e = {0};

	lua_settop(L, 1);
	return json_push_encoded(L, 1, &e) < 0 ? push_nil_and_err(L, &e) : 1;
}

/* Push `v`, remembering the empty objects in it. The remembered set lies at `set`. */
static void push_decoded(lua_State *L, const struct value *v, int set)
{
	size_t n = value_count(v);

	luaL_checkstack(L, 8, "JSON value");
	switch (value_type(v)) {
	case VALUE_LIST:
		lua_createtable(L, (int)n, 0);
		for (size_t i = 0; i < n; i++) {
			push_decoded(L, value_at(v, i), set);
			lua_rawseti(L, -2, (lua_Integer)i + 1);
		}
		break;
	case VALUE_MAP:
		lua_createtable(L, 0, (int)n);
		for (size_t i = 0; i < n; i++) {
			const char *key;

			const struct value *item = value_pair(v, i, &key, NULL);

			lua_pushstring(L, key);
			push_decoded(L, item, set);
			lua_rawset(L, -3);
		}
		if (n == 0) {
			lua_pushvalue(L, -1);
			lua_pushboolean(L, true);
			lua_rawset(L, set);
		}
		break;
	default:
		value_push(L, v);
		break;
	}
}

int json_push_decoded(lua_State *L, const char *text, size_t len, struct err *e)
{
	int top = lua_gettop(L);
	struct value **tree = scratch_value(L);

	if (json_parse(text, len, tree, e) < 0) {
		lua_settop(L, top);
		return -1;
	}
	push_objects(L);
	push_decoded(L, *tree, lua_gettop(L));
	value_unref(*tree);
	*tree = NULL;
	lua_replace(L, top + 1);
	lua_settop(L, top + 1);
	return 0;
}

static int l_decode(lua_State *L)
{
	struct err e = {0};
	const char *text;
	size_t len;

	if (lua_type(L, 1) != LUA_TSTRING) {
		err_set(&e, ERR_INVALID, "string expected");
		return push_nil_and_err(L, &e);
	}
	text = lua_tolstring(L, 1, &len);
	if (len == 0) {
		err_set(&e, ERR_INVALID, "empty string is not valid JSON");
		return push_nil_and_err(L, &e);
	}
	return json_push_decoded(L, text, len, &e) < 0 ? push_nil_and_err(L, &e) : 1;
}

int bind_json_open(struct lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"encode", l_encode},
		{"decode", l_decode},
		{"validate", json_validate},
		{"validate_string", json_validate_string},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	return 1;
}
