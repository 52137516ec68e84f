#include "bind/json_schema.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/scratch.h"
#include "engine/lua_api.h"
#include "value/json.h"
#include "value/schema.h"

enum { CACHED_MAX = 100, CACHED_TEXT_MAX = 1048576 /* longer ones are compiled each time */ };

static const char cache_key; /* registry: the heap's cache */

struct cached {
	char *text;
	size_t len;
	struct schema *schema;
	uint64_t used;
};

struct cache {
	struct cached items[CACHED_MAX];
	unsigned count;
	uint64_t clock;
};

static int cache_gc(lua_State *L)
{
	struct cache *c = lua_touserdata(L, 1);

	for (unsigned i = 0; i < c->count; i++) {
		free(c->items[i].text);
		schema_free(c->items[i].schema);
	}
	c->count = 0;
	return 0;
}

static struct cache *cache_of(lua_State *L)
{
	struct cache *c;

	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &cache_key) == LUA_TNIL) {
		handle_register(L, "json.schemas", NULL, cache_gc);
		handle_new(L, "json.schemas", sizeof(*c));
		lua_pushvalue(L, -1);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &cache_key);
	}
	c = lua_touserdata(L, -1);
	lua_pop(L, 1);
	return c;
}

static struct schema *cache_find(struct cache *c, const struct buf *text)
{
	for (unsigned i = 0; i < c->count; i++) {
		struct cached *item = &c->items[i];

		if (item->len == buf_len(text) && memcmp(item->text, buf_data(text), item->len) == 0) {
			item->used = ++c->clock;
			return item->schema;
		}
	}
	return NULL;
}

/* Takes `schema`; the one unused for longest goes when the cache is full. */
static void cache_add(struct cache *c, const struct buf *text, struct schema *schema)
{
	struct cached *item = &c->items[0];

	if (c->count < CACHED_MAX) {
		item = &c->items[c->count++];
	} else {
		for (unsigned i = 1; i < c->count; i++) {
			if (c->items[i].used < item->used)
				item = &c->items[i];
		}
		free(item->text);
		schema_free(item->schema);
	}
	*item = (struct cached){.text = xmemdupz(buf_data(text), buf_len(text)),
		.len = buf_len(text),
		.schema = schema,
		.used = ++c->clock};
}

static int fail(lua_State *L, const struct err *e)
{
	lua_pushboolean(L, false);
	push_err(L, e);
	return 2;
}

static int invalid(lua_State *L, const char *what)
{
	struct err e = {0};

	err_set(&e, ERR_INVALID, "%s", what);
	return fail(L, &e);
}

/* The first value of a JSON text. */
static int parse(const char *text, size_t len, struct value **ret_value, struct err *e)
{
	if (json_parse(text, len, ret_value, e) < 0) {
		e->kind = ERR_INVALID;
		return -1;
	}
	return 0;
}

/* The schema in argument 1 as a tree, and in `text` as its key in the cache. */
static int read_schema(lua_State *L, struct value **tree, struct buf *text, struct err *e)
{
	if (lua_type(L, 1) == LUA_TSTRING) {
		size_t len;
		const char *s = lua_tolstring(L, 1, &len);

		buf_add(text, s, len);
		return 0;
	}
	if (value_from_lua(L, 1, tree, e) < 0)
		return -1;
	json_write(*tree, text);
	return 0;
}

/* Compile, or find, the schema in argument 1, and check the tree with it. */
static int validate(lua_State *L, const struct value *data, bool from_lua)
{
	struct cache *cache = cache_of(L);
	struct value **tree = scratch_value(L);
	struct buf *text = scratch_buf(L);
	struct schema *schema, *own = NULL;
	struct err e = {0};
	int rc;

	if (read_schema(L, tree, text, &e) < 0)
		goto bad_schema;
	schema = cache_find(cache, text);
	if (!schema) {
		if (!*tree && parse(buf_data(text), buf_len(text), tree, &e) < 0)
			goto bad_schema;
		if (schema_compile(*tree, &schema, &e) < 0)
			goto bad_schema;
		if (buf_len(text) <= CACHED_TEXT_MAX)
			cache_add(cache, text, schema);
		else
			own = schema;
	}
	rc = schema_validate(schema, data, from_lua, &e);
	schema_free(own);
	if (rc < 0) {
		err_prefix(&e, "validation failed");
		return fail(L, &e);
	}
	lua_pushboolean(L, true);
	return 1;
bad_schema:
	e.kind = ERR_INVALID;
	err_prefix(&e, "compile schema");
	return fail(L, &e);
}

/* 0, or what is returned. */
static int check_schema_argument(lua_State *L)
{
	if (lua_isnoneornil(L, 1))
		return invalid(L, "schema is required");
	if (lua_type(L, 1) != LUA_TSTRING && lua_type(L, 1) != LUA_TTABLE)
		return invalid(L, "schema must be a string or table");
	return 0;
}

int json_validate(lua_State *L)
{
	struct value **data;
	struct err e = {0};
	int failed = check_schema_argument(L);

	if (failed)
		return failed;
	if (lua_isnoneornil(L, 2))
		return invalid(L, "data is required");
	data = scratch_value(L);
	if (value_from_lua(L, 2, data, &e) < 0)
		return fail(L, &e);
	return validate(L, *data, true);
}

int json_validate_string(lua_State *L)
{
	struct value **data;
	struct err e = {0};
	const char *text;
	size_t len;
	int failed = check_schema_argument(L);

	if (failed)
		return failed;
	if (lua_isnoneornil(L, 2))
		return invalid(L, "data is required");
	if (lua_type(L, 2) != LUA_TSTRING)
		return invalid(L, "data must be a JSON string");
	text = lua_tolstring(L, 2, &len);
	data = scratch_value(L);
	if (parse(text, len, data, &e) < 0)
		return fail(L, &e);
	return validate(L, *data, false);
}
