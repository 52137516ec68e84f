#include "bind/store_data.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "bind/lua_data.h"
#include "engine/lua_api.h"
#include "engine/readonly.h"
#include "value/json.h"

enum { KEY_SHOWN_BYTES_MAX = 64 };

/* -- data of a program, packed -------------------------------------------------------------------------------- */

struct packed_data {
	struct store_data data;
	struct packed *packed;
};

static int packed_write_json(const struct store_data *d, struct buf *out, struct err *e)
{
	struct value *v = packed_to_value(container_of(d, struct packed_data, data)->packed, 0);

	if (!v)
		return err_set(e, ERR_INVALID, "the value is cyclic or nested too deeply for JSON");
	json_write(v, out);
	value_unref(v);
	return 0;
}

static void packed_data_free(struct store_data *d)
{
	struct packed_data *p = container_of(d, struct packed_data, data);

	packed_unref(p->packed);
	free(p);
}

static const struct store_data_type packed_type = {"packed", packed_write_json, packed_data_free};

static int too_large(struct err *e)
{
	return err_set(e, ERR_INVALID, "the value is larger than %d MiB", STORE_VALUE_BYTES_MAX >> 20);
}

static int packed_data_new(lua_State *L, int idx, struct store_data **ret, struct err *e)
{
	struct packed_data *d;
	struct packed *p;

	if (packed_from_lua(L, idx, 1, &p, e) < 0)
		return -1;
	if (packed_bytes(p) > STORE_VALUE_BYTES_MAX) {
		packed_unref(p);
		return too_large(e);
	}
	d = xcalloc(1, sizeof(*d));
	refcount_init(&d->data.refs);
	d->data.type = &packed_type;
	d->packed = p;
	*ret = &d->data;
	return 0;
}

static int json_data_new(lua_State *L, int idx, struct store_data **ret, struct err *e)
{
	const char *text;
	size_t len;
	int rc = 0;

	if (json_push_encoded(L, idx, e) < 0)
		return -1;
	text = lua_tolstring(L, -1, &len);
	if (len > STORE_VALUE_BYTES_MAX)
		rc = too_large(e);
	else
		*ret = store_data_json(text, len);
	lua_pop(L, 1);
	return rc;
}

/* -- what cannot be stored --------------------------------------------------------------------------------- */

/* A way into a table: "value.list[3].call". */
struct way {
	lua_State *L;
	int seen; /* the index of the set of tables that were looked at */
	unsigned depth;
	const char *bad; /* the type of what was found */
	struct buf path; /* written from its end to its beginning, a step at a time */
};

static bool is_storable(lua_State *L, int idx)
{
	int type = lua_type(L, idx);

	return type != LUA_TFUNCTION && type != LUA_TTHREAD && type != LUA_TLIGHTUSERDATA &&
	       (type != LUA_TUSERDATA || failure_at(L, idx));
}

static void prepend_step(struct way *w, int key)
{
	struct buf longer = BUF_INIT;
	const char *text;
	size_t len;

	if (lua_isinteger(w->L, key)) {
		buf_addf(&longer, "[%lld]", (long long)lua_tointeger(w->L, key));
	} else if (lua_type(w->L, key) == LUA_TSTRING) {
		text = lua_tolstring(w->L, key, &len);
		buf_addf(&longer, ".%.*s", len > KEY_SHOWN_BYTES_MAX ? KEY_SHOWN_BYTES_MAX : (int)len, text);
	} else {
		buf_addf(&longer, "[a %s]", luaL_typename(w->L, key));
	}
	buf_add(&longer, buf_data(&w->path), buf_len(&w->path));
	buf_done(&w->path);
	w->path = longer;
}

static bool find_unstorable(struct way *w, int idx);

/* True: the pair on top of the stack has something; its step is on the path. */
static bool is_pair_unstorable(struct way *w)
{
	int value = lua_gettop(w->L), key = value - 1;

	if (!is_storable(w->L, key))
		w->bad = luaL_typename(w->L, key);
	else if (!is_storable(w->L, value))
		w->bad = luaL_typename(w->L, value);
	else if (!lua_istable(w->L, value) || !find_unstorable(w, value))
		return false;
	prepend_step(w, key);
	return true;
}

/* In the table at idx and what it holds, each looked at once. Too deep, or without a stack: packing refuses it in
 * its own words. */
static bool find_unstorable(struct way *w, int idx)
{
	lua_State *L = w->L;
	int top = lua_gettop(L);
	bool found = false, known;

	if (w->depth >= PACKED_DEPTH_MAX || !lua_checkstack(L, 8))
		return false;
	known = lua_rawgetp(L, w->seen, lua_topointer(L, idx)) != LUA_TNIL;
	lua_pop(L, 1);
	if (known)
		return false;
	lua_pushboolean(L, true);
	lua_rawsetp(L, w->seen, lua_topointer(L, idx));
	if (readonly_resolve(L, idx))
		idx = lua_gettop(L);
	w->depth++;
	for (lua_pushnil(L); !found && lua_next(L, idx); lua_settop(L, lua_gettop(L) - 1))
		found = is_pair_unstorable(w);
	w->depth--;
	lua_settop(L, top);
	return found;
}

/* Packing and JSON leave out what they cannot carry: here that would be data lost without a word. */
static int check_storable(lua_State *L, int idx, struct err *e)
{
	struct way w = {.L = L, .path = BUF_INIT};

	if (!is_storable(L, idx))
		return err_set(e, ERR_INVALID, "a %s cannot be stored", luaL_typename(L, idx));
	if (!lua_istable(L, idx))
		return 0;
	lua_newtable(L);
	w.seen = lua_gettop(L);
	if (find_unstorable(&w, idx))
		err_set(e, ERR_INVALID, "a %s cannot be stored: value%.400s", w.bad, buf_str(&w.path));
	buf_done(&w.path);
	lua_pop(L, 1);
	return w.bad ? -1 : 0;
}

/* -- from Lua and back -------------------------------------------------------------------------------------- */

int store_data_from_lua(lua_State *L, int idx, const struct store *s, struct store_data **ret, struct err *e)
{
	if (check_storable(L, idx, e) < 0)
		return -1;
	return store_info(s)->durable ? json_data_new(L, idx, ret, e) : packed_data_new(L, idx, ret, e);
}

int store_data_push(lua_State *L, const struct store_data *d, struct err *e)
{
	struct buf text = BUF_INIT;
	const char *json;
	size_t len;
	int rc;

	if (d->type == &packed_type) {
		packed_push_at(L, container_of(d, struct packed_data, data)->packed, 0);
		return 0;
	}
	json = store_data_json_text(d, &len);
	if (json)
		return json_push_decoded(L, json, len, e);
	rc = d->type->write_json(d, &text, e);
	if (rc == 0) { /* a copy that Lua owns while decoding may raise */
		lua_pushlstring(L, buf_data(&text), buf_len(&text));
		buf_done(&text);
		json = lua_tolstring(L, -1, &len);
		rc = json_push_decoded(L, json, len, e);
		lua_remove(L, rc == 0 ? -2 : -1);
	}
	buf_done(&text);
	return rc;
}
