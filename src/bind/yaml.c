/*
 * yaml.c - the `yaml` module: Lua values to YAML text and back.
 *
 * Encoding makes a tree first, its maps already in the order in which they are written. A table with any positive
 * integer key is a sequence, every other one a map.
 */
#include "value/yaml.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "bind/lua_data.h"
#include "bind/modules.h"
#include "bind/scratch.h"
#include "engine/lua_api.h"
#include "engine/readonly.h"

enum { FIELDS_MAX = 1000 };

struct encoder {
	lua_State *L;
	const struct yaml_style *style;
	const void *path[YAML_DEPTH_MAX]; /* the tables we are inside of */
	unsigned depth;
	size_t nodes;
	struct err *e;
};

struct pair {
	size_t rank; /* place in field_order, or behind all of them */
	char *key;
	struct value *item;
};

static int to_tree(struct encoder *en, int idx, struct value **ret);

static int compare_pairs(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return strcmp(x->key, y->key);
}

static size_t rank_of(const struct yaml_style *style, const char *key)
{
	for (size_t i = 0; i < style->nfields; i++) {
		if (strcmp(style->field_order[i], key) == 0)
			return i;
	}
	return style->nfields;
}

/* The key at idx as text, the caller's; NULL when it has none. Not converted in place: lua_next would lose its way. */
static char *key_text(lua_State *L, int idx)
{
	char number[NUMBER_TEXT_MAX];

	switch (lua_type(L, idx)) {
	case LUA_TSTRING:
		return xstrdup(lua_tostring(L, idx));
	case LUA_TBOOLEAN:
		return xstrdup(lua_toboolean(L, idx) ? "true" : "false");
	case LUA_TNUMBER:
		if (lua_isinteger(L, idx))
			number_format_int(lua_tointeger(L, idx), number);
		else
			number_format_float(lua_tonumber(L, idx), number);
		return xstrdup(number);
	default:
		return NULL;
	}
}

static int map_to_tree(struct encoder *en, int idx, struct value **ret)
{
	lua_State *L = en->L;
	struct pair *pairs = NULL;
	size_t n = 0, cap = 0;
	int rc = 0;

	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
		char *key = key_text(L, -2);

		if (!key)
			continue;
		if (n == cap) {
			cap = cap ? cap * 2 : 16;
			pairs = xreallocarray(pairs, cap, sizeof(*pairs));
		}
		pairs[n] = (struct pair){.rank = rank_of(en->style, key), .key = key};
		rc = to_tree(en, lua_gettop(L), &pairs[n].item);
		n++;
		if (rc < 0) {
			lua_pop(L, 2);
			break;
		}
	}
	if (rc == 0) {
		*ret = value_map();
		if (n > 0)
			qsort(pairs, n, sizeof(*pairs), compare_pairs);
	}
	for (size_t i = 0; i < n; i++) {
		if (rc == 0)
			value_map_set(*ret, pairs[i].key, pairs[i].item);
		else
			value_unref(pairs[i].item);
		free(pairs[i].key);
	}
	free(pairs);
	return rc;
}

static int sequence_to_tree(struct encoder *en, int idx, lua_Integer n, struct value **ret)
{
	struct value *list, *item;

	if ((size_t)n > YAML_NODES_MAX)
		return err_set(en->e, ERR_INVALID, "a sequence has more than %d items", YAML_NODES_MAX);
	list = value_list();
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(en->L, idx, i);
		if (to_tree(en, lua_gettop(en->L), &item) < 0) {
			lua_pop(en->L, 1);
			value_unref(list);
			return -1;
		}
		value_list_append(list, item);
		lua_pop(en->L, 1);
	}
	*ret = list;
	return 0;
}

static int table_to_tree(struct encoder *en, int idx, struct value **ret)
{
	lua_State *L = en->L;
	int top = lua_gettop(L), rc;
	lua_Integer max = 0;
	const void *self;

	if (en->depth == YAML_DEPTH_MAX || !lua_checkstack(L, 8))
		return err_set(en->e, ERR_INTERNAL, "exceeded maximum nesting depth");
	if (readonly_resolve(L, idx))
		idx = lua_gettop(L);
	self = lua_topointer(L, idx);
	for (unsigned i = 0; i < en->depth; i++) {
		if (en->path[i] == self) {
			lua_settop(L, top);
			return err_set(en->e, ERR_INTERNAL, "cannot encode recursively nested tables");
		}
	}
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
		if (lua_isinteger(L, -2) && lua_tointeger(L, -2) > max)
			max = lua_tointeger(L, -2);
	}
	en->path[en->depth++] = self;
	rc = max > 0 ? sequence_to_tree(en, idx, max, ret) : map_to_tree(en, idx, ret);
	en->depth--;
	lua_settop(L, top);
	return rc;
}

/* Shared tables are written as often as they are met, so the nodes are counted. */
static int to_tree(struct encoder *en, int idx, struct value **ret)
{
	if (++en->nodes > YAML_NODES_MAX)
		return err_set(en->e, ERR_INTERNAL, "the value has more than %d nodes", YAML_NODES_MAX);
	return lua_type(en->L, idx) == LUA_TTABLE ? table_to_tree(en, idx, ret)
						  : value_from_lua(en->L, idx, ret, en->e);
}

int yaml_push_encoded(lua_State *L, int idx, const struct yaml_style *style, struct err *e)
{
	struct encoder en = {.L = L, .style = style, .e = e};
	struct value **tree;
	struct buf *out;
	int top;

	idx = lua_absindex(L, idx);
	top = lua_gettop(L);
	tree = scratch_value(L);
	out = scratch_buf(L);
	if (to_tree(&en, idx, tree) < 0) {
		*tree = NULL;
		lua_settop(L, top);
		return -1;
	}
	yaml_write_indented(*tree, style->indent, out);
	scratch_push(L, out);
	lua_replace(L, top + 1);
	lua_settop(L, top + 1);
	return 0;
}

int yaml_push_decoded(lua_State *L, const char *text, size_t len, struct err *e)
{
	int top = lua_gettop(L);
	struct value **tree = scratch_value(L);

	if (yaml_parse_with_times("yaml", text, len, tree, e) < 0) {
		if (e)
			e->kind = ERR_INTERNAL;
		lua_settop(L, top);
		return -1;
	}
	value_push(L, *tree);
	value_unref(*tree);
	*tree = NULL;
	lua_remove(L, top + 1);
	return 0;
}

static int invalid(lua_State *L, const char *what)
{
	struct err e = {0};

	err_set(&e, ERR_INVALID, "%s", what);
	return push_nil_and_err(L, &e);
}

/* The names in the list at idx, borrowed from it; the array belongs to a userdata. What is no string is passed over. */
static void read_field_order(lua_State *L, int idx, struct yaml_style *style)
{
	lua_Unsigned n;
	const char **names;

	if (readonly_resolve(L, idx))
		idx = lua_gettop(L);
	n = lua_rawlen(L, idx);
	if (n > FIELDS_MAX)
		n = FIELDS_MAX;
	names = lua_newuserdatauv(L, (size_t)(n + 1) * sizeof(*names), 0);
	for (lua_Unsigned i = 1; i <= n; i++) {
		if (lua_rawgeti(L, idx, (lua_Integer)i) == LUA_TSTRING)
			names[style->nfields++] = lua_tostring(L, -1);
		lua_pop(L, 1);
	}
	style->field_order = names;
}

static int l_encode(lua_State *L)
{
	struct yaml_style style = {.indent = 4};
	struct err e = {0};

	lua_settop(L, 2);
	if (!lua_istable(L, 1))
		return invalid(L, "table expected");
	if (lua_istable(L, 2)) {
		style.indent = 2;
		lua_getfield(L, 2, "field_order");
		if (lua_istable(L, -1))
			read_field_order(L, lua_gettop(L), &style);
	}
	/* The rest is sorted with or without sort_unordered: the same table gives the same text. */
	if (yaml_push_encoded(L, 1, &style, &e) < 0)
		return push_nil_and_err(L, &e);
	return 1;
}

static int l_decode(lua_State *L)
{
	struct err e = {0};
	const char *text;
	size_t len;

	if (lua_type(L, 1) != LUA_TSTRING)
		return invalid(L, "string expected");
	text = lua_tolstring(L, 1, &len);
	if (len == 0)
		return invalid(L, "input cannot be empty");
	if (yaml_push_decoded(L, text, len, &e) < 0)
		return push_nil_and_err(L, &e);
	return 1;
}

int bind_yaml_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"encode", l_encode}, {"decode", l_decode}, {NULL, NULL}};

	luaL_newlib(L, functions);
	return 1;
}
