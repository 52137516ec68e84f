/*
 * sql_value.c - Lua values as parameters, results as Lua values.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/sql.h"
#include "engine/lua_api.h"
#include "engine/readonly.h"

static const char value_type_name_[] = "sql.Value";
static const char null_key; /* registry: the one sql.NULL */

/* What sql.as.*() returns; the bytes are its user value. sql.NULL is one as well. */
struct typed {
	enum sql_type type;
	int64_t i;
	double f;
};

static struct typed *push_typed(lua_State *L, enum sql_type type)
{
	struct typed *t = handle_new(L, value_type_name_, sizeof(*t));

	t->type = type;
	return t;
}

/* The bytes at the top of the stack become the new object's. */
static void push_typed_bytes(lua_State *L, enum sql_type type)
{
	push_typed(L, type);
	lua_pushvalue(L, -2);
	lua_setiuservalue(L, -2, 1);
}

static int64_t truncate_float(double f)
{
	if (isnan(f))
		return 0;
	if (f >= 9223372036854775808.0)
		return INT64_MAX;
	return f <= -9223372036854775808.0 ? INT64_MIN : (int64_t)f;
}

static int l_as_int(lua_State *L)
{
	int64_t i = 0;

	if (lua_isinteger(L, 1))
		i = lua_tointeger(L, 1);
	else if (lua_type(L, 1) == LUA_TNUMBER)
		i = truncate_float(lua_tonumber(L, 1));
	push_typed(L, SQL_INT)->i = i;
	return 1;
}

static int l_as_float(lua_State *L)
{
	double f = lua_type(L, 1) == LUA_TNUMBER ? lua_tonumber(L, 1) : 0;

	push_typed(L, SQL_FLOAT)->f = f;
	return 1;
}

static int l_as_text(lua_State *L)
{
	int type = lua_type(L, 1);

	if (type == LUA_TSTRING)
		lua_pushvalue(L, 1);
	else if (type == LUA_TNUMBER)
		push_text(L, 1, false, NULL);
	else
		lua_pushliteral(L, "");
	push_typed_bytes(L, SQL_TEXT);
	return 1;
}

static int l_as_binary(lua_State *L)
{
	if (lua_type(L, 1) != LUA_TSTRING) {
		push_typed(L, SQL_NULL);
		return 1;
	}
	lua_pushvalue(L, 1);
	push_typed_bytes(L, SQL_BLOB);
	return 1;
}

static int l_as_null(lua_State *L)
{
	push_typed(L, SQL_NULL);
	return 1;
}

static int value_tostring(lua_State *L)
{
	static const char *const names[] = {
		[SQL_NULL] = "sql.NULL",
		[SQL_BOOL] = "sql.Value{bool}",
		[SQL_INT] = "sql.Value{int}",
		[SQL_FLOAT] = "sql.Value{float}",
		[SQL_TEXT] = "sql.Value{text}",
		[SQL_BLOB] = "sql.Value{binary}",
	};
	const struct typed *t = handle_check(L, 1, value_type_name_);

	lua_pushstring(L, names[t->type]);
	return 1;
}

void sql_value_open(lua_State *L)
{
	static const luaL_Reg as[] = {
		{"int", l_as_int},
		{"float", l_as_float},
		{"text", l_as_text},
		{"binary", l_as_binary},
		{"null", l_as_null},
		{NULL, NULL},
	};

	handle_register(L, value_type_name_, NULL, NULL);
	luaL_getmetatable(L, value_type_name_);
	lua_pushcfunction(L, value_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_pop(L, 1);
	luaL_newlib(L, as);
	lua_setfield(L, -2, "as");
	push_typed(L, SQL_NULL);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &null_key);
	lua_setfield(L, -2, "NULL");
}

static struct sql_value from_typed(lua_State *L, int idx, const struct typed *t)
{
	struct sql_value v = {.type = t->type};

	switch (t->type) {
	case SQL_NULL:
		break;
	case SQL_BOOL:
	case SQL_INT:
		v.i = t->i;
		break;
	case SQL_FLOAT:
		v.f = t->f;
		break;
	case SQL_TEXT:
	case SQL_BLOB:
		lua_getiuservalue(L, idx, 1);
		v.text = lua_tolstring(L, -1, &v.len);
		lua_pop(L, 1); /* the object keeps it */
		break;
	}
	return v;
}

struct sql_value sql_value_from_lua(lua_State *L, int idx)
{
	struct sql_value v = {.type = SQL_NULL};
	const struct typed *t;

	switch (lua_type(L, idx)) {
	case LUA_TBOOLEAN:
		v.type = SQL_BOOL;
		v.i = lua_toboolean(L, idx);
		break;
	case LUA_TNUMBER:
		if (lua_isinteger(L, idx)) {
			v.type = SQL_INT;
			v.i = lua_tointeger(L, idx);
		} else {
			v.type = SQL_FLOAT;
			v.f = lua_tonumber(L, idx);
		}
		break;
	case LUA_TSTRING:
		v.type = SQL_TEXT;
		v.text = lua_tolstring(L, idx, &v.len);
		break;
	case LUA_TUSERDATA:
		t = luaL_testudata(L, idx, value_type_name_);
		if (t)
			v = from_typed(L, idx, t);
		break;
	default:
		break;
	}
	return v;
}

void sql_value_push_param(lua_State *L, const struct sql_value *v)
{
	switch (v->type) {
	case SQL_NULL:
		lua_rawgetp(L, LUA_REGISTRYINDEX, &null_key);
		break;
	case SQL_BOOL:
		lua_pushboolean(L, v->i != 0);
		break;
	case SQL_INT:
		lua_pushinteger(L, v->i);
		break;
	case SQL_FLOAT:
		lua_pushnumber(L, v->f);
		break;
	case SQL_TEXT:
		lua_pushlstring(L, v->text, v->len);
		break;
	case SQL_BLOB:
		lua_pushlstring(L, v->text, v->len);
		push_typed_bytes(L, SQL_BLOB);
		lua_remove(L, -2);
		break;
	}
}

/* The highest positive integer key of the table at idx. */
static lua_Integer highest_key(lua_State *L, int idx)
{
	lua_Integer max = 0;

	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1))
		if (lua_isinteger(L, -2) && lua_tointeger(L, -2) > max)
			max = lua_tointeger(L, -2);
	return max;
}

int sql_params_from_lua(lua_State *L, int idx, struct sql_params **ret, struct err *e)
{
	struct sql_params *p;
	lua_Integer n;
	int rc = 0;

	if (lua_isnoneornil(L, idx)) {
		*ret = NULL;
		return 0;
	}
	if (!lua_istable(L, idx))
		return err_set(e, ERR_INVALID, "parameters must be a table, got %s", luaL_typename(L, idx));
	if (!readonly_resolve(L, idx))
		lua_pushvalue(L, idx);
	idx = lua_gettop(L);
	n = highest_key(L, idx);
	if (n > SQL_PARAMS_MAX) {
		lua_pop(L, 1);
		return err_set(e, ERR_INVALID, "too many parameters: at most %d are allowed", SQL_PARAMS_MAX);
	}
	/* Nothing below raises. */
	p = sql_params_new();
	for (lua_Integer i = 1; rc == 0 && i <= n; i++) {
		struct sql_value v;

		lua_rawgeti(L, idx, i);
		v = sql_value_from_lua(L, lua_gettop(L));
		rc = sql_params_add(p, &v, e);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	if (rc < 0) {
		sql_params_free(p);
		return -1;
	}
	*ret = p;
	return 0;
}

static void push_result_value(lua_State *L, const struct sql_value *v)
{
	switch (v->type) {
	case SQL_NULL:
		lua_pushnil(L);
		break;
	case SQL_BOOL:
		lua_pushboolean(L, v->i != 0);
		break;
	case SQL_INT:
		lua_pushinteger(L, v->i);
		break;
	case SQL_FLOAT:
		lua_pushnumber(L, v->f);
		break;
	case SQL_TEXT:
	case SQL_BLOB:
		lua_pushlstring(L, v->text, v->len);
		break;
	}
}

void sql_result_push(lua_State *L, const struct sql_result *r)
{
	size_t ncolumns = sql_result_ncolumns(r), nrows = sql_result_nrows(r);
	int names, rows;

	luaL_checkstack(L, 6, NULL);
	lua_createtable(L, (int)ncolumns, 0);
	names = lua_gettop(L);
	for (size_t c = 0; c < ncolumns; c++) {
		lua_pushstring(L, sql_result_column(r, c));
		lua_rawseti(L, names, (lua_Integer)c + 1);
	}
	lua_createtable(L, (int)nrows, 0);
	rows = lua_gettop(L);
	for (size_t i = 0; i < nrows; i++) {
		lua_createtable(L, 0, (int)ncolumns);
		for (size_t c = 0; c < ncolumns; c++) {
			struct sql_value v = sql_result_at(r, i, c);

			lua_rawgeti(L, names, (lua_Integer)c + 1);
			push_result_value(L, &v);
			lua_rawset(L, -3); /* nil, too: of columns with one name the last counts */
		}
		lua_rawseti(L, rows, (lua_Integer)i + 1);
	}
	lua_remove(L, names);
}
