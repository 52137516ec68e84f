/*
 * lua_args.c - what bindings take from their arguments, handles, and where a call came from.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/duration.h"
#include "engine/lua_api.h"
#include "engine/readonly.h"
#include "engine/state.h"

int duration_from_lua(lua_State *L, int idx, int64_t *ret_ns, struct err *e)
{
	const int64_t *duration;
	const char *s;
	double d;
	size_t len;

	switch (lua_type(L, idx)) {
	case LUA_TNUMBER:
		if (lua_isinteger(L, idx)) {
			*ret_ns = lua_tointeger(L, idx);
			return 0;
		}
		d = lua_tonumber(L, idx);
		if (!(d > -0x1p63 && d < 0x1p63))
			return err_set(e, ERR_INVALID, "the duration is out of range");
		*ret_ns = (int64_t)d;
		return 0;
	case LUA_TSTRING:
		s = lua_tolstring(L, idx, &len);
		return duration_parse(s, len, ret_ns, e);
	case LUA_TUSERDATA:
		duration = luaL_testudata(L, idx, "time.Duration");
		if (!duration)
			break;
		*ret_ns = *duration;
		return 0;
	default:
		break;
	}
	return err_set(e, ERR_INVALID, "duration must be number or string");
}

/* -- options ------------------------------------------------------------------------------------------- */

/* Pushes the raw field; options tables are data. */
static int push_field(lua_State *L, int idx, const char *name)
{
	idx = lua_absindex(L, idx);
	if (!lua_istable(L, idx)) {
		lua_pushnil(L);
		return LUA_TNIL;
	}
	if (readonly_resolve(L, idx)) {
		lua_pushstring(L, name);
		lua_rawget(L, -2);
		lua_remove(L, -2);
	} else {
		lua_pushstring(L, name);
		lua_rawget(L, idx);
	}
	return lua_type(L, -1);
}

bool field_string(lua_State *L, int idx, const char *name, const char **ret, size_t *ret_len)
{
	bool found = push_field(L, idx, name) == LUA_TSTRING;

	if (found)
		*ret = lua_tolstring(L, -1, ret_len); /* the table keeps it alive */
	lua_pop(L, 1);
	return found;
}

bool field_number(lua_State *L, int idx, const char *name, double *ret)
{
	bool found = push_field(L, idx, name) == LUA_TNUMBER;

	if (found)
		*ret = lua_tonumber(L, -1);
	lua_pop(L, 1);
	return found;
}

bool field_bool(lua_State *L, int idx, const char *name, bool *ret)
{
	bool found = push_field(L, idx, name) == LUA_TBOOLEAN;

	if (found)
		*ret = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return found;
}

/* -- handles ------------------------------------------------------------------------------------------- */

void handle_register(lua_State *L, const char *type, const luaL_Reg *methods, lua_CFunction gc)
{
	if (luaL_newmetatable(L, type)) {
		lua_newtable(L);
		if (methods)
			luaL_setfuncs(L, methods, 0);
		lua_setfield(L, -2, "__index");
		if (gc) {
			lua_pushcfunction(L, gc);
			lua_setfield(L, -2, "__gc");
		}
		lua_pushboolean(L, 0);
		lua_setfield(L, -2, "__metatable");
	}
	lua_pop(L, 1);
}

void *handle_new(lua_State *L, const char *type, size_t bytes)
{
	void *p = lua_newuserdatauv(L, bytes, 1);

	memset(p, 0, bytes);
	luaL_setmetatable(L, type);
	return p;
}

void *handle_check(lua_State *L, int idx, const char *type)
{
	void *p = luaL_testudata(L, idx, type);

	if (!p)
		raise_argument(L, idx, lua_pushfstring(L, "%s expected, got %s", type, luaL_typename(L, idx)));
	return p;
}

/* -- handles that often own nothing --------------------------------------------------------------------- */

static struct handle_kind *kind_of(lua_State *L, enum handle_kind_id id)
{
	return &thread_heap(L)->kinds[id];
}

/* The metatable on top of the stack; `shared` is the methods' upvalue. */
static void fill_kind(lua_State *L, const char *type, const luaL_Reg *methods, lua_CFunction text, int shared)
{
	lua_createtable(L, 0, 4);
	lua_pushvalue(L, shared);
	luaL_setfuncs(L, methods, 1);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, text);
	lua_setfield(L, -2, "__tostring");
	lua_pushstring(L, type);
	lua_setfield(L, -2, "__name");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
}

void handle_register_kind(lua_State *L, enum handle_kind_id id, const char *type, const luaL_Reg *methods,
	lua_CFunction text, lua_CFunction gc)
{
	struct handle_kind *k = kind_of(L, id);
	int shared = lua_gettop(L);

	luaL_checkstack(L, 8, NULL);
	if (!k->type) {
		k->type = type;
		lua_createtable(L, 0, 5);
		fill_kind(L, type, methods, text, shared);
		lua_pushcfunction(L, gc);
		lua_setfield(L, -2, "__gc");
		k->owning = lua_topointer(L, -1);
		k->owning_ref = luaL_ref(L, LUA_REGISTRYINDEX);
		lua_createtable(L, 0, 4);
		fill_kind(L, type, methods, text, shared);
		k->plain = lua_topointer(L, -1);
		k->plain_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	lua_pop(L, 1);
}

void *handle_new_owning(lua_State *L, enum handle_kind_id id, size_t bytes)
{
	void *p = lua_newuserdatauv(L, bytes, 0);

	memset(p, 0, bytes);
	lua_rawgeti(L, LUA_REGISTRYINDEX, kind_of(L, id)->owning_ref);
	lua_setmetatable(L, -2);
	return p;
}

void *handle_new_plain(lua_State *L, enum handle_kind_id id, size_t bytes, int nuservalues)
{
	void *p = lua_newuserdatauv(L, bytes, nuservalues);

	lua_rawgeti(L, LUA_REGISTRYINDEX, kind_of(L, id)->plain_ref);
	lua_setmetatable(L, -2);
	return p;
}

void *handle_self(lua_State *L, enum handle_kind_id id)
{
	const struct handle_kind *k = kind_of(L, id);
	void *p = lua_touserdata(L, 1);

	if (p && lua_getmetatable(L, 1)) {
		const void *meta = lua_topointer(L, -1);

		lua_pop(L, 1);
		if (meta == k->plain || meta == k->owning)
			return p;
	}
	raise_argument(L, 1, lua_pushfstring(L, "%s expected, got %s", k->type, luaL_typename(L, 1)));
	return NULL;
}

/* -- where --------------------------------------------------------------------------------------------- */

const char *caller_location(lua_State *L, int *ret_line)
{
	lua_Debug ar;

	for (int level = 0; lua_getstack(L, level, &ar); level++) {
		lua_getinfo(L, "Sl", &ar);
		if (ar.currentline <= 0)
			continue;
		if (ret_line)
			*ret_line = ar.currentline;
		return ar.source + (ar.source[0] == '=');
	}
	if (ret_line)
		*ret_line = 0;
	return "";
}
