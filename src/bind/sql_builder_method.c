/*
 * sql_builder_method.c - the methods of sql.builder's queries that change one, and what makes a new one.
 *
 * A method changes a copy, which is what the program gets. Whatever may raise is done while the C objects belong to userdata.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/sql_builder.h"

const char *const sql_builder_formats[SQL_FORMATS] = {
	[SQL_QUESTION] = "?", [SQL_DOLLAR] = "$1", [SQL_AT] = "@p1", [SQL_COLON] = ":1"};

static void add(lua_State *L, struct sql_builder *b, enum sql_place place, struct sql_part *p)
{
	struct err e;

	if (sql_builder_add(b, place, p, &e) < 0)
		luaL_error(L, "%s", e.text);
}

static int done(lua_State *L)
{
	lua_settop(L, 2);
	return 1;
}

/* One text that replaces what was there. */
static int set_text(lua_State *L, enum sql_place place)
{
	struct sql_builder *b = sql_builder_copy_self(L);
	const char *text;
	size_t len;

	luaL_checktype(L, 3, LUA_TSTRING);
	text = lua_tolstring(L, 3, &len);
	sql_builder_clear(b, place);
	add(L, b, place, sql_part_new(text, len, NULL));
	return done(L);
}

/* Each argument a text of its own. */
static int add_texts(lua_State *L, enum sql_place place)
{
	struct sql_builder *b = sql_builder_copy_self(L);

	for (int i = 3; i <= lua_gettop(L); i++) {
		const char *text;
		size_t len;

		luaL_checktype(L, i, LUA_TSTRING);
		text = lua_tolstring(L, i, &len);
		add(L, b, place, sql_part_new(text, len, NULL));
	}
	return done(L);
}

/* A text with values, `word` before it. */
static int add_expression(lua_State *L, enum sql_place place, const char *word)
{
	struct sql_builder *b = sql_builder_copy_self(L);

	luaL_checktype(L, 3, LUA_TSTRING);
	if (*word) {
		lua_pushfstring(L, "%s %s", word, lua_tostring(L, 3));
		lua_replace(L, 3);
	}
	add(L, b, place, sql_part_from_text(L, 3));
	return done(L);
}

static int add_condition(lua_State *L, enum sql_place place)
{
	struct sql_builder *b = sql_builder_copy_self(L);

	luaL_checkany(L, 3);
	add(L, b, place, sql_part_from_condition(L, 3));
	return done(L);
}

static int set_number(lua_State *L, enum sql_place place)
{
	struct sql_builder *b = sql_builder_copy_self(L);
	lua_Integer n = luaL_checkinteger(L, 3);
	char text[32];
	int len = snprintf(text, sizeof(text), "%lld", n > 0 ? (long long)n : 0LL);

	sql_builder_clear(b, place);
	add(L, b, place, sql_part_new(text, (size_t)len, NULL));
	return done(L);
}

#define METHOD(name, call)                \
	static int l_##name(lua_State *L) \
	{                                 \
		return call;              \
	}

METHOD(from, set_text(L, SQL_PLACE_FROM))
METHOD(table, set_text(L, SQL_PLACE_TABLE))
METHOD(columns, add_texts(L, SQL_PLACE_COLUMN))
METHOD(group_by, add_texts(L, SQL_PLACE_GROUP))
METHOD(order_by, add_texts(L, SQL_PLACE_ORDER))
METHOD(options, add_texts(L, SQL_PLACE_OPTION))
METHOD(join, add_expression(L, SQL_PLACE_JOIN, "JOIN"))
METHOD(left_join, add_expression(L, SQL_PLACE_JOIN, "LEFT JOIN"))
METHOD(right_join, add_expression(L, SQL_PLACE_JOIN, "RIGHT JOIN"))
METHOD(inner_join, add_expression(L, SQL_PLACE_JOIN, "INNER JOIN"))
METHOD(prefix, add_expression(L, SQL_PLACE_PREFIX, ""))
METHOD(suffix, add_expression(L, SQL_PLACE_SUFFIX, ""))
METHOD(where, add_condition(L, SQL_PLACE_WHERE))
METHOD(having, add_condition(L, SQL_PLACE_HAVING))
METHOD(limit, set_number(L, SQL_PLACE_LIMIT))
METHOD(offset, set_number(L, SQL_PLACE_OFFSET))

static int l_distinct(lua_State *L)
{
	sql_builder_set_distinct(sql_builder_copy_self(L));
	return done(L);
}

static int l_placeholder_format(lua_State *L)
{
	struct sql_builder *b = sql_builder_copy_self(L);

	for (size_t i = 0; i < SQL_FORMATS; i++) {
		if (lua_type(L, 3) == LUA_TSTRING && strcmp(lua_tostring(L, 3), sql_builder_formats[i]) == 0) {
			sql_builder_set_format(b, (enum sql_format)i);
			return done(L);
		}
	}
	return raise_argument(L, 2, "placeholder format expected");
}

/* One row: the arguments from 3 on. */
static int l_values(lua_State *L)
{
	struct sql_builder *b = sql_builder_copy_self(L);
	int top = lua_gettop(L);
	struct sql_params *params;
	struct buf text = BUF_INIT;
	const char *bad = NULL;
	struct err e;

	luaL_checkany(L, 3);
	luaL_checkstack(L, 2, NULL);
	params = sql_params_new();
	for (int i = 3; !bad && i <= top; i++) {
		struct sql_part *fragment = sql_fragment_at(L, i);

		buf_addc(&text, i == 3 ? '(' : ',');
		if (fragment) {
			if (sql_part_render(fragment, &text, params, &e) < 0)
				bad = "a value cannot be used here";
		} else {
			buf_addc(&text, '?');
			bad = sql_params_collect(L, i, i, params);
		}
	}
	buf_addc(&text, ')');
	if (bad)
		sql_params_free(params);
	add(L, b, SQL_PLACE_VALUES, bad ? sql_part_bad(bad) : sql_part_new(buf_data(&text), buf_len(&text), params));
	buf_done(&text);
	return done(L);
}

static int l_insert_set_map(lua_State *L)
{
	struct sql_builder *b = sql_builder_copy_self(L);
	struct sql_params *params;
	struct buf text = BUF_INIT;
	const char **names, *bad = NULL;
	struct err e;
	size_t n;

	names = sql_sorted_names(L, 3, &n);
	params = sql_params_new();
	sql_builder_clear(b, SQL_PLACE_COLUMN);
	sql_builder_clear(b, SQL_PLACE_VALUES);
	for (size_t i = 0; !bad && i < n; i++) {
		struct sql_value v = sql_named_value(L, names[i]);

		buf_adds(&text, i == 0 ? "(?" : ",?");
		if (sql_params_add(params, &v, &e) < 0 ||
			sql_builder_add(b, SQL_PLACE_COLUMN, sql_part_new(names[i], strlen(names[i]), NULL), &e) < 0)
			bad = "too many or too large parameters";
	}
	buf_addc(&text, ')');
	if (bad || n == 0)
		sql_params_free(params);
	if (n > 0)
		sql_builder_add(b, SQL_PLACE_VALUES,
			bad ? sql_part_bad(bad) : sql_part_new(buf_data(&text), buf_len(&text), params), &e);
	buf_done(&text);
	free(names);
	return done(L);
}

/* The builder of a select at idx as a part, with words around it. */
static struct sql_part *part_from_select(lua_State *L, int idx, const char *before, const char *after)
{
	const struct sql_builder *select = sql_builder_of(L, idx, SQL_BUILD_SELECT);
	struct sql_params *params = sql_params_new();
	struct buf text = BUF_INIT;
	struct sql_part *p;
	struct err e;

	buf_adds(&text, before);
	if (sql_builder_render(select, &text, params, &e) < 0) {
		sql_params_free(params);
		p = sql_part_bad("select statements must have at least one result column");
	} else {
		buf_adds(&text, after);
		p = sql_part_new(buf_data(&text), buf_len(&text), params);
	}
	buf_done(&text);
	return p;
}

static int l_insert_select(lua_State *L)
{
	struct sql_builder *b = sql_builder_copy_self(L);

	sql_builder_clear(b, SQL_PLACE_SELECT);
	add(L, b, SQL_PLACE_SELECT, part_from_select(L, 3, "", ""));
	return done(L);
}

static int l_from_select(lua_State *L)
{
	struct sql_builder *b = sql_builder_copy_self(L);

	luaL_checktype(L, 4, LUA_TSTRING);
	lua_pushfstring(L, ") AS %s", lua_tostring(L, 4));
	sql_builder_clear(b, SQL_PLACE_FROM);
	add(L, b, SQL_PLACE_FROM, part_from_select(L, 3, "(", lua_tostring(L, -1)));
	return done(L);
}

static int l_set(lua_State *L)
{
	struct sql_builder *b = sql_builder_copy_self(L);

	luaL_checktype(L, 3, LUA_TSTRING);
	luaL_checkany(L, 4);
	lua_pushfstring(L, "%s = ", lua_tostring(L, 3));
	add(L, b, SQL_PLACE_SET, sql_part_from_value(L, 4, lua_tostring(L, -1)));
	return done(L);
}

static int l_update_set_map(lua_State *L)
{
	struct sql_builder *b = sql_builder_copy_self(L);
	const char **names;
	struct err e;
	size_t n;

	names = sql_sorted_names(L, 3, &n);
	for (size_t i = 0; i < n; i++) {
		struct sql_params *params = sql_params_new();
		struct sql_value v = sql_named_value(L, names[i]);
		char *text = xasprintf("%s = ?", names[i]);
		bool ok = sql_params_add(params, &v, &e) == 0;
		struct sql_part *p =
			ok ? sql_part_new(text, strlen(text), params) : sql_part_bad("a parameter is too large");

		if (!ok)
			sql_params_free(params);
		sql_builder_add(b, SQL_PLACE_SET, p, &e);
		free(text);
	}
	free(names);
	return done(L);
}

/* -- constructors ---------------------------------------------------------------------------------------------- */

/* With an optional text at 1. */
static int construct(lua_State *L, enum sql_builder_type type)
{
	struct sql_builder *b = sql_builder_push(L, type);

	if (!lua_isnoneornil(L, 1) && lua_gettop(L) > 1) {
		const char *text;
		size_t len;

		luaL_checktype(L, 1, LUA_TSTRING);
		text = lua_tolstring(L, 1, &len);
		if (len > 0)
			add(L, b, SQL_PLACE_TABLE, sql_part_new(text, len, NULL));
	}
	return 1;
}

METHOD(insert, construct(L, SQL_BUILD_INSERT))
METHOD(update, construct(L, SQL_BUILD_UPDATE))
METHOD(delete, construct(L, SQL_BUILD_DELETE))

static int l_select(lua_State *L)
{
	sql_builder_push(L, SQL_BUILD_SELECT);
	lua_insert(L, 1);
	add_texts(L, SQL_PLACE_COLUMN);
	return 1;
}

/* -- the tables ------------------------------------------------------------------------------------------------- */

static const luaL_Reg select_methods[] = {
	{"columns", l_columns},
	{"distinct", l_distinct},
	{"from", l_from},
	{"group_by", l_group_by},
	{"having", l_having},
	{"inner_join", l_inner_join},
	{"join", l_join},
	{"left_join", l_left_join},
	{"limit", l_limit},
	{"offset", l_offset},
	{"order_by", l_order_by},
	{"right_join", l_right_join},
	{"where", l_where},
	{NULL, NULL},
};

static const luaL_Reg insert_methods[] = {
	{"columns", l_columns},
	{"into", l_table},
	{"options", l_options},
	{"prefix", l_prefix},
	{"select", l_insert_select},
	{"set_map", l_insert_set_map},
	{"values", l_values},
	{NULL, NULL},
};

static const luaL_Reg update_methods[] = {
	{"from", l_from},
	{"from_select", l_from_select},
	{"limit", l_limit},
	{"offset", l_offset},
	{"order_by", l_order_by},
	{"set", l_set},
	{"set_map", l_update_set_map},
	{"table", l_table},
	{"where", l_where},
	{NULL, NULL},
};

static const luaL_Reg delete_methods[] = {
	{"from", l_table},
	{"limit", l_limit},
	{"offset", l_offset},
	{"order_by", l_order_by},
	{"where", l_where},
	{NULL, NULL},
};

const luaL_Reg *const sql_builder_methods[SQL_BUILD_DELETE + 1] = {
	[SQL_BUILD_SELECT] = select_methods,
	[SQL_BUILD_INSERT] = insert_methods,
	[SQL_BUILD_UPDATE] = update_methods,
	[SQL_BUILD_DELETE] = delete_methods,
};

const luaL_Reg sql_builder_common_methods[] = {
	{"placeholder_format", l_placeholder_format},
	{"suffix", l_suffix},
	{NULL, NULL},
};

const luaL_Reg sql_builder_constructors[] = {
	{"delete", l_delete},
	{"insert", l_insert},
	{"select", l_select},
	{"update", l_update},
	{NULL, NULL},
};
