/*
 * sql_builder.c - sql.builder: queries put together by methods, each of which returns a new builder. Here: the objects, their
 * text, and running them.
 *
 * Whatever may raise is done while the C objects belong to userdata.
 */
#include "bind/sql_builder.h"

#include "base/alloc.h"

static const char executor_type[] = "sql.QueryExecutor";
static const char rendering_type[] = "sql.Rendering";
static const char *const builder_types[] = {
	[SQL_BUILD_SELECT] = "sql.SelectBuilder",
	[SQL_BUILD_INSERT] = "sql.InsertBuilder",
	[SQL_BUILD_UPDATE] = "sql.UpdateBuilder",
	[SQL_BUILD_DELETE] = "sql.DeleteBuilder",
};

struct builder_handle {
	struct sql_builder *builder;
};

static int builder_gc(lua_State *L)
{
	struct builder_handle *h = lua_touserdata(L, 1);

	sql_builder_free(h->builder);
	h->builder = NULL;
	return 0;
}

static int rendering_gc(lua_State *L)
{
	struct sql_rendering *h = lua_touserdata(L, 1);

	buf_done(&h->text);
	sql_params_free(h->params);
	h->params = NULL;
	return 0;
}

struct sql_rendering *sql_rendering_push(lua_State *L)
{
	struct sql_rendering *h = handle_new(L, rendering_type, sizeof(*h));

	h->params = sql_params_new();
	return h;
}

struct sql_builder *sql_builder_of(lua_State *L, int idx, enum sql_builder_type type)
{
	return ((struct builder_handle *)handle_check(L, idx, builder_types[type]))->builder;
}

/* The builder at idx, of any type. */
static struct sql_builder *any_builder(lua_State *L, int idx)
{
	for (size_t i = 0; i < ARRAY_LEN(builder_types); i++) {
		struct builder_handle *h = luaL_testudata(L, idx, builder_types[i]);

		if (h)
			return h->builder;
	}
	raise_argument(L, idx, "query builder expected");
	return NULL;
}

struct sql_builder *sql_builder_push(lua_State *L, enum sql_builder_type type)
{
	struct builder_handle *h = handle_new(L, builder_types[type], sizeof(*h));

	h->builder = sql_builder_new(type);
	return h->builder;
}

struct sql_builder *sql_builder_copy_self(lua_State *L)
{
	const struct sql_builder *b = any_builder(L, 1);
	struct builder_handle *h = handle_new(L, builder_types[sql_builder_type(b)], sizeof(*h));

	h->builder = sql_builder_copy(b);
	lua_insert(L, 2);
	return h->builder;
}

/* -- text and values back to Lua ----------------------------------------------------------------------------- */

void sql_params_push(lua_State *L, const struct sql_params *params)
{
	size_t n = sql_params_count(params);

	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		struct sql_value v = sql_params_at(params, i);

		sql_value_push_param(L, &v);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

/* Render into `h`, with the builder's own placeholders. */
static int render(const struct sql_builder *b, struct sql_rendering *h, struct err *e)
{
	struct buf plain = BUF_INIT;
	int rc = sql_builder_render(b, &plain, h->params, e);

	if (rc == 0)
		sql_placeholders(sql_builder_format(b), buf_data(&plain), buf_len(&plain), &h->text);
	buf_done(&plain);
	return rc;
}

static int push_rendered(lua_State *L, const struct sql_builder *b)
{
	struct sql_rendering *h = sql_rendering_push(L);
	struct err e;

	if (render(b, h, &e) < 0)
		return push_nil_and_err(L, &e);
	lua_pushlstring(L, buf_data(&h->text), buf_len(&h->text));
	sql_params_push(L, h->params);
	return 2;
}

static int l_to_sql(lua_State *L)
{
	return push_rendered(L, any_builder(L, 1));
}

static int l_tostring(lua_State *L)
{
	const struct sql_builder *b = any_builder(L, 1);
	struct sql_rendering *h = sql_rendering_push(L);
	struct err e;

	if (render(b, h, &e) < 0)
		lua_pushstring(L, e.text);
	else
		lua_pushlstring(L, buf_data(&h->text), buf_len(&h->text));
	return 1;
}

/* -- running --------------------------------------------------------------------------------------------------- */

/* Keeps builder and target as one list. */
static int l_run_with(lua_State *L)
{
	struct database *db;
	struct sql_tx *tx;
	struct err e;

	any_builder(L, 1);
	if (!sql_target(L, 2, &db, &tx, &e))
		return raise_argument(L, 2, "DB or Transaction expected");
	handle_new(L, executor_type, 1);
	lua_createtable(L, 2, 0);
	lua_pushvalue(L, 1);
	lua_rawseti(L, -2, 1);
	lua_pushvalue(L, 2);
	lua_rawseti(L, -2, 2);
	lua_setiuservalue(L, -2, 1);
	return 1;
}

static int execute(lua_State *L, enum sql_op op)
{
	struct sql_rendering *h;
	struct sql_params *params;
	struct database *db;
	struct sql_tx *tx;
	struct err e;

	handle_check(L, 1, executor_type);
	lua_settop(L, 1);
	lua_getiuservalue(L, 1, 1);
	lua_rawgeti(L, 2, 1);
	lua_rawgeti(L, 2, 2);
	h = sql_rendering_push(L);
	if (render(any_builder(L, 3), h, &e) < 0)
		return push_nil_and_err(L, &e);
	sql_target(L, 4, &db, &tx, &e);
	if (!db)
		return push_nil_and_err(L, &e);
	params = h->params;
	h->params = NULL;
	return sql_run(L, db, tx, op, buf_data(&h->text), buf_len(&h->text), params);
}

static int l_executor_query(lua_State *L)
{
	return execute(L, SQL_QUERY);
}

static int l_executor_exec(lua_State *L)
{
	return execute(L, SQL_EXECUTE);
}

static int l_executor_to_sql(lua_State *L)
{
	handle_check(L, 1, executor_type);
	lua_getiuservalue(L, 1, 1);
	lua_rawgeti(L, -1, 1);
	return push_rendered(L, any_builder(L, lua_gettop(L)));
}

/* -- opening ---------------------------------------------------------------------------------------------------- */

static void register_builder(lua_State *L, enum sql_builder_type type)
{
	static const luaL_Reg common[] = {
		{"run_with", l_run_with},
		{"to_sql", l_to_sql},
		{NULL, NULL},
	};

	handle_register(L, builder_types[type], sql_builder_methods[type], builder_gc);
	luaL_getmetatable(L, builder_types[type]);
	lua_pushcfunction(L, l_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_getfield(L, -1, "__index");
	luaL_setfuncs(L, common, 0);
	luaL_setfuncs(L, sql_builder_common_methods, 0);
	lua_pop(L, 2);
}

void sql_builder_open(lua_State *L)
{
	static const luaL_Reg executor[] = {
		{"exec", l_executor_exec},
		{"query", l_executor_query},
		{"to_sql", l_executor_to_sql},
		{NULL, NULL},
	};
	static const char *const names[] = {
		[SQL_QUESTION] = "question", [SQL_DOLLAR] = "dollar", [SQL_AT] = "at", [SQL_COLON] = "colon"};

	handle_register(L, rendering_type, NULL, rendering_gc);
	handle_register(L, executor_type, executor, NULL);
	for (size_t i = 0; i < ARRAY_LEN(builder_types); i++)
		register_builder(L, (enum sql_builder_type)i);
	lua_newtable(L);
	sql_fragment_open(L);
	luaL_setfuncs(L, sql_builder_constructors, 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		lua_pushstring(L, sql_builder_formats[i]);
		lua_setfield(L, -2, names[i]);
	}
	lua_pushstring(L, sql_builder_formats[SQL_QUESTION]);
	lua_setfield(L, -2, "default_placeholder");
}
