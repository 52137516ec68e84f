/*
 * sql_fragment.c - conditions of sql.builder, and the parts of queries that are made from Lua values.
 *
 * Whatever may raise is done while the C objects belong to userdata.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/sql_builder.h"
#include "engine/readonly.h"

static const char fragment_type[] = "sql.Fragment";

struct fragment_handle {
	struct sql_part *part;
};

static int fragment_gc(lua_State *L)
{
	struct fragment_handle *h = lua_touserdata(L, 1);

	sql_part_unref(h->part);
	h->part = NULL;
	return 0;
}

/* A fragment object that waits for its part. */
static struct fragment_handle *push_fragment(lua_State *L)
{
	return handle_new(L, fragment_type, sizeof(struct fragment_handle));
}

struct sql_part *sql_fragment_at(lua_State *L, int idx)
{
	struct fragment_handle *h = luaL_testudata(L, idx, fragment_type);

	return h ? h->part : NULL;
}

/* -- parts from Lua values: none of these raises between the making and the end ------------------------------ */

const char *sql_params_collect(lua_State *L, int first, int last, struct sql_params *params)
{
	struct err e;

	for (int i = first; i <= last; i++) {
		struct sql_value v = sql_value_from_lua(L, i);

		if (sql_params_add(params, &v, &e) < 0)
			return "too many or too large parameters";
	}
	return NULL;
}

struct sql_part *sql_part_from_text(lua_State *L, int idx)
{
	struct sql_params *params;
	const char *text, *bad;
	size_t len;

	luaL_checktype(L, idx, LUA_TSTRING);
	luaL_checkstack(L, 2, NULL);
	text = lua_tolstring(L, idx, &len);
	params = sql_params_new();
	bad = sql_params_collect(L, idx + 1, lua_gettop(L), params);
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

const char **sql_sorted_names(lua_State *L, int idx, size_t *ret_n)
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

struct sql_value sql_named_value(lua_State *L, const char *name)
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
	const char **names = sql_sorted_names(L, idx, &n), *bad = NULL;
	struct sql_params *params = sql_params_new();
	struct buf text = BUF_INIT;
	struct sql_part *p;
	struct err e;

	for (size_t i = 0; !bad && i < n; i++) {
		struct sql_value v = sql_named_value(L, names[i]);

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

struct sql_part *sql_part_from_condition(lua_State *L, int idx)
{
	struct sql_part *p = sql_fragment_at(L, idx);

	if (p)
		return sql_part_ref(p);
	if (lua_istable(L, idx))
		return part_from_map(L, idx, &eq);
	if (lua_type(L, idx) == LUA_TSTRING)
		return sql_part_from_text(L, idx);
	raise_argument(L, idx, "text, a table or a fragment expected");
	return NULL;
}

struct sql_part *sql_part_from_value(lua_State *L, int idx, const char *before)
{
	struct sql_part *fragment = sql_fragment_at(L, idx), *p;
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
	p = sql_part_from_text(L, 2);
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
		if (!sql_fragment_at(L, -1) && !lua_istable(L, -1))
			return luaL_error(L, "a list of fragments and tables is expected");
		h->part = sql_part_from_condition(L, lua_gettop(L));
		lua_pop(L, 1);
	}
	h = push_fragment(L);
	parts = xcalloc((size_t)n + 1, sizeof(struct sql_part *));
	for (int i = 0; i < n; i++)
		parts[i] = sql_fragment_at(L, first + i);
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

static int l_fragment_to_sql(lua_State *L)
{
	struct fragment_handle *f = handle_check(L, 1, fragment_type);
	struct sql_rendering *h = sql_rendering_push(L);
	struct err e;

	if (sql_part_render(f->part, &h->text, h->params, &e) < 0)
		return push_nil_and_err(L, &e);
	lua_pushlstring(L, buf_data(&h->text), buf_len(&h->text));
	sql_params_push(L, h->params);
	return 2;
}

static int l_fragment_tostring(lua_State *L)
{
	struct fragment_handle *f = handle_check(L, 1, fragment_type);
	struct sql_rendering *h = sql_rendering_push(L);
	struct err e;

	if (sql_part_render(f->part, &h->text, h->params, &e) < 0)
		lua_pushstring(L, e.text);
	else
		lua_pushlstring(L, buf_data(&h->text), buf_len(&h->text));
	return 1;
}

void sql_fragment_open(lua_State *L)
{
	static const luaL_Reg methods[] = {{"to_sql", l_fragment_to_sql}, {NULL, NULL}};
	static const luaL_Reg functions[] = {
		{"and_", l_and},
		{"eq", l_eq},
		{"expr", l_expr},
		{"gt", l_gt},
		{"gte", l_gte},
		{"like", l_like},
		{"lt", l_lt},
		{"lte", l_lte},
		{"not_eq", l_not_eq},
		{"not_like", l_not_like},
		{"or_", l_or},
		{NULL, NULL},
	};

	handle_register(L, fragment_type, methods, fragment_gc);
	luaL_getmetatable(L, fragment_type);
	lua_pushcfunction(L, l_fragment_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_pop(L, 1);
	luaL_setfuncs(L, functions, 0);
}
