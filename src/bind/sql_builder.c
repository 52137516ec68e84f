/*
 * sql_builder.c - sql.builder: queries put together by methods, each of which returns a new builder.
 *
 * Whatever may raise is done while the C objects belong to userdata.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/sql.h"
#include "engine/lua_api.h"
#include "engine/readonly.h"
#include "sql/builder.h"

static const char fragment_type[] = "sql.Fragment";
static const char executor_type[] = "sql.QueryExecutor";
static const char rendering_type[] = "sql.Rendering";
static const char *const builder_types[] = {
	[SQL_BUILD_SELECT] = "sql.SelectBuilder",
	[SQL_BUILD_INSERT] = "sql.InsertBuilder",
	[SQL_BUILD_UPDATE] = "sql.UpdateBuilder",
	[SQL_BUILD_DELETE] = "sql.DeleteBuilder",
};
static const char *const formats[] = {[SQL_QUESTION] = "?", [SQL_DOLLAR] = "$1", [SQL_AT] = "@p1", [SQL_COLON] = ":1"};

struct fragment_handle {
	struct sql_part *part;
};

struct builder_handle {
	struct sql_builder *builder;
};

/* What is being rendered; its owner while something may raise. */
struct rendering_handle {
	struct buf text;
	struct sql_params *params;
};

static int fragment_gc(lua_State *L)
{
	struct fragment_handle *h = lua_touserdata(L, 1);

	sql_part_unref(h->part);
	h->part = NULL;
	return 0;
}

static int builder_gc(lua_State *L)
{
	struct builder_handle *h = lua_touserdata(L, 1);

	sql_builder_free(h->builder);
	h->builder = NULL;
	return 0;
}

static int rendering_gc(lua_State *L)
{
	struct rendering_handle *h = lua_touserdata(L, 1);

	buf_done(&h->text);
	sql_params_free(h->params);
	h->params = NULL;
	return 0;
}

static struct rendering_handle *push_rendering(lua_State *L)
{
	struct rendering_handle *h = handle_new(L, rendering_type, sizeof(*h));

	h->params = sql_params_new();
	return h;
}

/* A fragment object that waits for its part. */
static struct fragment_handle *push_fragment(lua_State *L)
{
	return handle_new(L, fragment_type, sizeof(struct fragment_handle));
}

static struct sql_part *fragment_at(lua_State *L, int idx)
{
	struct fragment_handle *h = luaL_testudata(L, idx, fragment_type);

	return h ? h->part : NULL;
}

static struct sql_builder *builder_of(lua_State *L, int idx, enum sql_builder_type type)
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

/* -- parts from Lua values: none of these raises between the making and the end ------------------------------ */

/* The values at first..last of the stack; -1 with a bad part's reason. */
static const char *collect(lua_State *L, int first, int last, struct sql_params *params)
{
	struct err e;

	for (int i = first; i <= last; i++) {
		struct sql_value v = sql_value_from_lua(L, i);

		if (sql_params_add(params, &v, &e) < 0)
			return "too many or too large parameters";
	}
	return NULL;
}

/* SQL text at idx with its values behind it. */
static struct sql_part *part_from_text(lua_State *L, int idx)
{
	struct sql_params *params;
	const char *text, *bad;
	size_t len;

	luaL_checktype(L, idx, LUA_TSTRING);
	luaL_checkstack(L, 2, NULL);
	text = lua_tolstring(L, idx, &len);
	params = sql_params_new();
	bad = collect(L, idx + 1, lua_gettop(L), params);
	if (!bad)
		return sql_part_new(text, len, params);
	sql_params_free(params);
	return sql_part_bad(bad);
}

struct comparison {
	const char *with;    /* "a = ?" */
	const char *null;    /* "a IS NULL"; NULL: an error */
	const char *no_null; /* which */
	const char *empty;   /* of no columns */
};

static const struct comparison eq = {" = ?", " IS NULL", NULL, "(1=1)"};
static const struct comparison not_eq = {" <> ?", " IS NOT NULL", NULL, "(1=1)"};
static const char order_null[] = "cannot use null with less than or greater than operators";
static const char like_null[] = "cannot use null with like operators";
static const struct comparison lt = {" < ?", NULL, order_null, ""};
static const struct comparison lte = {" <= ?", NULL, order_null, ""};
static const struct comparison gt = {" > ?", NULL, order_null, ""};
static const struct comparison gte = {" >= ?", NULL, order_null, ""};
static const struct comparison like = {" LIKE ?", NULL, like_null, ""};
static const struct comparison not_like = {" NOT LIKE ?", NULL, like_null, ""};

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in the map at idx, sorted; raises before it allocates. They are the table's. Free the list. Pushes the
 * table itself. */
static const char **sorted_names(lua_State *L, int idx, size_t *ret_n)
{
	const char **names;
	size_t n = 0;

	luaL_checktype(L, idx, LUA_TTABLE);
	luaL_checkstack(L, 6, NULL);
	if (!readonly_resolve(L, idx))
		lua_pushvalue(L, idx);
	idx = lua_gettop(L);
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			luaL_error(L, "a map from column names to values is expected, got a key of type %s",
				luaL_typename(L, -2));
		if (++n > SQL_PARAMS_MAX)
			luaL_error(L, "too many columns: at most %d are allowed", SQL_PARAMS_MAX);
	}
	names = xcalloc(n + 1, sizeof(*names));
	n = 0;
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1))
		names[n++] = lua_tostring(L, -2);
	qsort(names, n, sizeof(*names), compare_names);
	*ret_n = n;
	return names;
}

/* The value of a name in the table on top. Its bytes stay the table's. */
static struct sql_value named_value(lua_State *L, const char *name)
{
	struct sql_value v;

	lua_pushstring(L, name);
	lua_rawget(L, -2);
	v = sql_value_from_lua(L, lua_gettop(L));
	lua_pop(L, 1);
	return v;
}

static struct sql_part *part_from_map(lua_State *L, int idx, const struct comparison *cmp)
{
	size_t n;
	const char **names = sorted_names(L, idx, &n), *bad = NULL;
	struct sql_params *params = sql_params_new();
	struct buf text = BUF_INIT;
	struct sql_part *p;
	struct err e;

	for (size_t i = 0; !bad && i < n; i++) {
		struct sql_value v = named_value(L, names[i]);

		buf_addf(&text, "%s%s", i > 0 ? " AND " : "", names[i]);
		if (v.type != SQL_NULL) {
			buf_adds(&text, cmp->with);
			if (sql_params_add(params, &v, &e) < 0)
				bad = "too many or too large parameters";
		} else if (cmp->null) {
			buf_adds(&text, cmp->null);
		} else {
			bad = cmp->no_null;
		}
	}
	if (n == 0)
		buf_adds(&text, cmp->empty);
	p = bad ? sql_part_bad(bad) : sql_part_new(buf_data(&text), buf_len(&text), params);
	if (bad)
		sql_params_free(params);
	buf_done(&text);
	free(names);
	lua_pop(L, 1);
	return p;
}

/* A condition at idx: text with values, a map of equalities, or a fragment. */
static struct sql_part *part_from_condition(lua_State *L, int idx)
{
	struct sql_part *p = fragment_at(L, idx);

	if (p)
		return sql_part_ref(p);
	if (lua_istable(L, idx))
		return part_from_map(L, idx, &eq);
	if (lua_type(L, idx) == LUA_TSTRING)
		return part_from_text(L, idx);
	raise_argument(L, idx, "text, a table or a fragment expected");
	return NULL;
}

/* "before ?" or "before <fragment>", for the value at idx. */
static struct sql_part *part_from_value(lua_State *L, int idx, const char *before)
{
	struct sql_part *fragment = fragment_at(L, idx), *p;
	struct sql_params *params = sql_params_new();
	struct buf text = BUF_INIT;
	struct sql_value v;
	struct err e;
	int rc;

	buf_adds(&text, before);
	if (fragment) {
		rc = sql_part_render(fragment, &text, params, &e);
	} else {
		v = sql_value_from_lua(L, idx);
		buf_addc(&text, '?');
		rc = sql_params_add(params, &v, &e);
	}
	p = rc == 0 ? sql_part_new(buf_data(&text), buf_len(&text), params)
		    : sql_part_bad("a value cannot be used here");
	if (rc < 0)
		sql_params_free(params);
	buf_done(&text);
	return p;
}

/* -- fragments --------------------------------------------------------------------------------------------- */

static int l_expr(lua_State *L)
{
	struct sql_part *p;

	luaL_checktype(L, 1, LUA_TSTRING);
	push_fragment(L);
	lua_insert(L, 1);
	p = part_from_text(L, 2);
	((struct fragment_handle *)lua_touserdata(L, 1))->part = p;
	lua_settop(L, 1);
	return 1;
}

static int compare(lua_State *L, const struct comparison *cmp)
{
	struct fragment_handle *h = push_fragment(L);

	h->part = part_from_map(L, 1, cmp);
	return 1;
}

#define COMPARISON(name)                    \
	static int l_##name(lua_State *L)   \
	{                                   \
		return compare(L, &(name)); \
	}

COMPARISON(eq)
COMPARISON(not_eq)
COMPARISON(lt)
COMPARISON(lte)
COMPARISON(gt)
COMPARISON(gte)
COMPARISON(like)
COMPARISON(not_like)

/* The list's items become fragments on the stack, so that nothing is lost when a later one raises. */
static int join(lua_State *L, const char *word, const char *none)
{
	struct fragment_handle *h;
	struct sql_part **parts;
	int n, first;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	if (!readonly_resolve(L, 1))
		lua_pushvalue(L, 1);
	n = (int)lua_rawlen(L, 2);
	if (n > 1000)
		return luaL_error(L, "too many conditions: at most 1000 are allowed");
	luaL_checkstack(L, n + 8, NULL);
	first = 3;
	for (int i = 0; i < n; i++) {
		h = push_fragment(L);
		lua_rawgeti(L, 2, i + 1);
		if (!fragment_at(L, -1) && !lua_istable(L, -1))
			return luaL_error(L, "a list of fragments and tables is expected");
		h->part = part_from_condition(L, lua_gettop(L));
		lua_pop(L, 1);
	}
	h = push_fragment(L);
	parts = xcalloc((size_t)n + 1, sizeof(struct sql_part *));
	for (int i = 0; i < n; i++)
		parts[i] = fragment_at(L, first + i);
	h->part = sql_part_join(parts, (size_t)n, word, none);
	free(parts);
	return 1;
}

static int l_and(lua_State *L)
{
	return join(L, " AND ", "(1=1)");
}

static int l_or(lua_State *L)
{
	return join(L, " OR ", "(1=0)");
}

/* -- text and values back to Lua ----------------------------------------------------------------------------- */

static void push_params(lua_State *L, const struct sql_params *params)
{
	size_t n = sql_params_count(params);

	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		struct sql_value v = sql_params_at(params, i);

		sql_value_push_param(L, &v);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static int l_fragment_to_sql(lua_State *L)
{
	struct fragment_handle *f = handle_check(L, 1, fragment_type);
	struct rendering_handle *h = push_rendering(L);
	struct err e;

	if (sql_part_render(f->part, &h->text, h->params, &e) < 0)
		return push_nil_and_err(L, &e);
	lua_pushlstring(L, buf_data(&h->text), buf_len(&h->text));
	push_params(L, h->params);
	return 2;
}

/* Render into `h`, with the builder's own placeholders. */
static int render(const struct sql_builder *b, struct rendering_handle *h, struct err *e)
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
	struct rendering_handle *h = push_rendering(L);
	struct err e;

	if (render(b, h, &e) < 0)
		return push_nil_and_err(L, &e);
	lua_pushlstring(L, buf_data(&h->text), buf_len(&h->text));
	push_params(L, h->params);
	return 2;
}

static int l_to_sql(lua_State *L)
{
	return push_rendered(L, any_builder(L, 1));
}

static int l_tostring(lua_State *L)
{
	const struct sql_builder *b = any_builder(L, 1);
	struct rendering_handle *h = push_rendering(L);
	struct err e;

	if (render(b, h, &e) < 0)
		lua_pushstring(L, e.text);
	else
		lua_pushlstring(L, buf_data(&h->text), buf_len(&h->text));
	return 1;
}

static int l_fragment_tostring(lua_State *L)
{
	struct fragment_handle *f = handle_check(L, 1, fragment_type);
	struct rendering_handle *h = push_rendering(L);
	struct err e;

	if (sql_part_render(f->part, &h->text, h->params, &e) < 0)
		lua_pushstring(L, e.text);
	else
		lua_pushlstring(L, buf_data(&h->text), buf_len(&h->text));
	return 1;
}

/* -- changing: a copy that the program gets ------------------------------------------------------------------- */

static struct sql_builder *push_builder(lua_State *L, enum sql_builder_type type)
{
	struct builder_handle *h = handle_new(L, builder_types[type], sizeof(*h));

	h->builder = sql_builder_new(type);
	return h->builder;
}

/* Put a copy of the builder at 1 below the arguments, which begin at 3 then. */
static struct sql_builder *copy_self(lua_State *L)
{
	const struct sql_builder *b = any_builder(L, 1);
	struct builder_handle *h = handle_new(L, builder_types[sql_builder_type(b)], sizeof(*h));

	h->builder = sql_builder_copy(b);
	lua_insert(L, 2);
	return h->builder;
}

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
	struct sql_builder *b = copy_self(L);
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
	struct sql_builder *b = copy_self(L);

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
	struct sql_builder *b = copy_self(L);

	luaL_checktype(L, 3, LUA_TSTRING);
	if (*word) {
		lua_pushfstring(L, "%s %s", word, lua_tostring(L, 3));
		lua_replace(L, 3);
	}
	add(L, b, place, part_from_text(L, 3));
	return done(L);
}

static int add_condition(lua_State *L, enum sql_place place)
{
	struct sql_builder *b = copy_self(L);

	luaL_checkany(L, 3);
	add(L, b, place, part_from_condition(L, 3));
	return done(L);
}

static int set_number(lua_State *L, enum sql_place place)
{
	struct sql_builder *b = copy_self(L);
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
	sql_builder_set_distinct(copy_self(L));
	return done(L);
}

static int l_placeholder_format(lua_State *L)
{
	struct sql_builder *b = copy_self(L);

	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		if (lua_type(L, 3) == LUA_TSTRING && strcmp(lua_tostring(L, 3), formats[i]) == 0) {
			sql_builder_set_format(b, (enum sql_format)i);
			return done(L);
		}
	}
	return raise_argument(L, 2, "placeholder format expected");
}

/* One row: the arguments from 3 on. */
static int l_values(lua_State *L)
{
	struct sql_builder *b = copy_self(L);
	int top = lua_gettop(L);
	struct sql_params *params;
	struct buf text = BUF_INIT;
	const char *bad = NULL;
	struct err e;

	luaL_checkany(L, 3);
	luaL_checkstack(L, 2, NULL);
	params = sql_params_new();
	for (int i = 3; !bad && i <= top; i++) {
		struct sql_part *fragment = fragment_at(L, i);

		buf_addc(&text, i == 3 ? '(' : ',');
		if (fragment) {
			if (sql_part_render(fragment, &text, params, &e) < 0)
				bad = "a value cannot be used here";
		} else {
			buf_addc(&text, '?');
			bad = collect(L, i, i, params);
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
	struct sql_builder *b = copy_self(L);
	struct sql_params *params;
	struct buf text = BUF_INIT;
	const char **names, *bad = NULL;
	struct err e;
	size_t n;

	names = sorted_names(L, 3, &n);
	params = sql_params_new();
	sql_builder_clear(b, SQL_PLACE_COLUMN);
	sql_builder_clear(b, SQL_PLACE_VALUES);
	for (size_t i = 0; !bad && i < n; i++) {
		struct sql_value v = named_value(L, names[i]);

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
	const struct sql_builder *select = builder_of(L, idx, SQL_BUILD_SELECT);
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
	struct sql_builder *b = copy_self(L);

	sql_builder_clear(b, SQL_PLACE_SELECT);
	add(L, b, SQL_PLACE_SELECT, part_from_select(L, 3, "", ""));
	return done(L);
}

static int l_from_select(lua_State *L)
{
	struct sql_builder *b = copy_self(L);

	luaL_checktype(L, 4, LUA_TSTRING);
	lua_pushfstring(L, ") AS %s", lua_tostring(L, 4));
	sql_builder_clear(b, SQL_PLACE_FROM);
	add(L, b, SQL_PLACE_FROM, part_from_select(L, 3, "(", lua_tostring(L, -1)));
	return done(L);
}

static int l_set(lua_State *L)
{
	struct sql_builder *b = copy_self(L);

	luaL_checktype(L, 3, LUA_TSTRING);
	luaL_checkany(L, 4);
	lua_pushfstring(L, "%s = ", lua_tostring(L, 3));
	add(L, b, SQL_PLACE_SET, part_from_value(L, 4, lua_tostring(L, -1)));
	return done(L);
}

static int l_update_set_map(lua_State *L)
{
	struct sql_builder *b = copy_self(L);
	const char **names;
	struct err e;
	size_t n;

	names = sorted_names(L, 3, &n);
	for (size_t i = 0; i < n; i++) {
		struct sql_params *params = sql_params_new();
		struct sql_value v = named_value(L, names[i]);
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
	struct rendering_handle *h;
	struct sql_params *params;
	struct database *db;
	struct sql_tx *tx;
	struct err e;

	handle_check(L, 1, executor_type);
	lua_settop(L, 1);
	lua_getiuservalue(L, 1, 1);
	lua_rawgeti(L, 2, 1);
	lua_rawgeti(L, 2, 2);
	h = push_rendering(L);
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

/* -- constructors ---------------------------------------------------------------------------------------------- */

/* With an optional text at 1. */
static int construct(lua_State *L, enum sql_builder_type type)
{
	struct sql_builder *b = push_builder(L, type);

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
	push_builder(L, SQL_BUILD_SELECT);
	lua_insert(L, 1);
	add_texts(L, SQL_PLACE_COLUMN);
	return 1;
}

static void register_builder(lua_State *L, enum sql_builder_type type, const luaL_Reg *own)
{
	static const luaL_Reg common[] = {
		{"placeholder_format", l_placeholder_format},
		{"run_with", l_run_with},
		{"suffix", l_suffix},
		{"to_sql", l_to_sql},
		{NULL, NULL},
	};

	handle_register(L, builder_types[type], own, builder_gc);
	luaL_getmetatable(L, builder_types[type]);
	lua_pushcfunction(L, l_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_getfield(L, -1, "__index");
	luaL_setfuncs(L, common, 0);
	lua_pop(L, 2);
}

static void register_types(lua_State *L)
{
	static const luaL_Reg fragment[] = {{"to_sql", l_fragment_to_sql}, {NULL, NULL}};
	static const luaL_Reg executor[] = {
		{"exec", l_executor_exec},
		{"query", l_executor_query},
		{"to_sql", l_executor_to_sql},
		{NULL, NULL},
	};
	static const luaL_Reg select[] = {
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
	static const luaL_Reg insert[] = {
		{"columns", l_columns},
		{"into", l_table},
		{"options", l_options},
		{"prefix", l_prefix},
		{"select", l_insert_select},
		{"set_map", l_insert_set_map},
		{"values", l_values},
		{NULL, NULL},
	};
	static const luaL_Reg update[] = {
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
	static const luaL_Reg delete[] = {
		{"from", l_table},
		{"limit", l_limit},
		{"offset", l_offset},
		{"order_by", l_order_by},
		{"where", l_where},
		{NULL, NULL},
	};

	handle_register(L, rendering_type, NULL, rendering_gc);
	handle_register(L, executor_type, executor, NULL);
	handle_register(L, fragment_type, fragment, fragment_gc);
	luaL_getmetatable(L, fragment_type);
	lua_pushcfunction(L, l_fragment_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_pop(L, 1);
	register_builder(L, SQL_BUILD_SELECT, select);
	register_builder(L, SQL_BUILD_INSERT, insert);
	register_builder(L, SQL_BUILD_UPDATE, update);
	register_builder(L, SQL_BUILD_DELETE, delete);
}

void sql_builder_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"and_", l_and},
		{"delete", l_delete},
		{"eq", l_eq},
		{"expr", l_expr},
		{"gt", l_gt},
		{"gte", l_gte},
		{"insert", l_insert},
		{"like", l_like},
		{"lt", l_lt},
		{"lte", l_lte},
		{"not_eq", l_not_eq},
		{"not_like", l_not_like},
		{"or_", l_or},
		{"select", l_select},
		{"update", l_update},
		{NULL, NULL},
	};
	static const char *const names[] = {
		[SQL_QUESTION] = "question", [SQL_DOLLAR] = "dollar", [SQL_AT] = "at", [SQL_COLON] = "colon"};

	register_types(L);
	luaL_newlib(L, functions);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		lua_pushstring(L, formats[i]);
		lua_setfield(L, -2, names[i]);
	}
	lua_pushstring(L, formats[SQL_QUESTION]);
	lua_setfield(L, -2, "default_placeholder");
}
