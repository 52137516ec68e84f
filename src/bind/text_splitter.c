/*
 * text_splitter.c - `text.splitter`: cut texts into chunks (value/split.h).
 *
 *     local s = text.splitter.recursive({ chunk_size = 512, chunk_overlap = 100 })
 *     local chunks, err = s:split_text(long)
 *     local pages, err = s:split_batch({ { content = long, metadata = { page = 1 } } })
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/scratch.h"
#include "bind/text.h"
#include "engine/lua_api.h"
#include "value/split.h"

static const char splitter_type[] = "text.Splitter";

enum { CHUNK_SIZE_DEFAULT = 512, CHUNK_OVERLAP_DEFAULT = 100, BATCH_MAX = 1000000 };

struct splitter {
	struct split_options options;
	char *separators[SPLIT_SEPARATORS_MAX]; /* owned */
	bool markdown;
};

static struct splitter *check_splitter(lua_State *L)
{
	return handle_check(L, 1, splitter_type);
}

static int l_gc(lua_State *L)
{
	struct splitter *s = check_splitter(L);

	for (size_t i = 0; i < SPLIT_SEPARATORS_MAX; i++) {
		free(s->separators[i]);
		s->separators[i] = NULL;
	}
	return 0;
}

/* -- options ------------------------------------------------------------------------------------------ */

/* The field of the table at index 1 pushed, nil if there is none. */
static int push_option(lua_State *L, const char *name)
{
	if (!lua_istable(L, 1)) {
		lua_pushnil(L);
		return LUA_TNIL;
	}
	return lua_getfield(L, 1, name);
}

static int read_size(lua_State *L, const char *name, size_t *ret, struct err *e)
{
	double v;

	if (push_option(L, name) != LUA_TNIL) {
		v = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
		if (!(v >= 0 && v <= SPLIT_TEXT_BYTES_MAX) || v != floor(v))
			return err_set(e, ERR_INVALID, "%s must be a whole number that is not negative", name);
		*ret = (size_t)v;
	}
	lua_pop(L, 1);
	return 0;
}

static void read_flag(lua_State *L, const char *name, bool *ret)
{
	push_option(L, name);
	if (lua_isboolean(L, -1))
		*ret = lua_toboolean(L, -1);
	lua_pop(L, 1);
}

static int read_separators(lua_State *L, struct splitter *s, struct err *e)
{
	size_t n = 0;

	if (push_option(L, "separators") == LUA_TNIL) {
		lua_pop(L, 1);
		return 0;
	}
	if (!lua_istable(L, -1))
		return err_set(e, ERR_INVALID, "separators must be a list of strings");
	for (; lua_geti(L, -1, (lua_Integer)n + 1) != LUA_TNIL; n++) {
		if (lua_type(L, -1) != LUA_TSTRING || strlen(lua_tostring(L, -1)) != lua_rawlen(L, -1))
			return err_set(e, ERR_INVALID, "separators must be a list of strings without NUL");
		if (n == SPLIT_SEPARATORS_MAX)
			return err_set(e, ERR_INVALID, "more than %d separators", SPLIT_SEPARATORS_MAX);
		s->separators[n] = xstrdup(lua_tostring(L, -1));
		lua_pop(L, 1);
	}
	lua_pop(L, 2);
	if (n > 0) {
		s->options.separators = (const char *const *)s->separators;
		s->options.nseparators = n;
	}
	return 0;
}

static int make(lua_State *L, bool markdown)
{
	struct splitter *s;
	struct err e = {0};

	if (!lua_isnoneornil(L, 1) && !lua_istable(L, 1))
		raise_argument(L, 1, "table expected");
	s = handle_new(L, splitter_type, sizeof(*s));
	s->markdown = markdown;
	s->options.size = CHUNK_SIZE_DEFAULT;
	s->options.overlap = CHUNK_OVERLAP_DEFAULT;
	if (read_size(L, "chunk_size", &s->options.size, &e) < 0 ||
		read_size(L, "chunk_overlap", &s->options.overlap, &e) < 0)
		return push_nil_and_err(L, &e);
	if (markdown) {
		read_flag(L, "code_blocks", &s->options.code_blocks);
		read_flag(L, "reference_links", &s->options.reference_links);
		read_flag(L, "heading_hierarchy", &s->options.heading_hierarchy);
		read_flag(L, "join_table_rows", &s->options.join_table_rows);
	} else {
		read_flag(L, "keep_separator", &s->options.keep_separator);
		if (read_separators(L, s, &e) < 0)
			return push_nil_and_err(L, &e);
	}
	if (s->options.size == 0)
		err_set(&e, ERR_INVALID, "chunk_size must be at least 1");
	else if (s->options.overlap >= s->options.size)
		err_set(&e, ERR_INVALID, "chunk_overlap must be less than chunk_size");
	return e.text[0] ? push_nil_and_err(L, &e) : 1;
}

static int l_recursive(lua_State *L)
{
	return make(L, false);
}

static int l_markdown(lua_State *L)
{
	return make(L, true);
}

/* -- splitting ---------------------------------------------------------------------------------------- */

static int split(const struct splitter *s, const char *text, size_t len, struct value **chunks, struct err *e)
{
	value_unref(*chunks);
	*chunks = NULL;
	return s->markdown ? split_markdown(text, len, &s->options, chunks, e)
			   : split_recursive(text, len, &s->options, chunks, e);
}

static int l_split_text(lua_State *L)
{
	struct splitter *s = check_splitter(L);
	struct value **chunks;
	struct err e = {0};
	const char *text;
	size_t len;

	if (lua_type(L, 2) != LUA_TSTRING)
		raise_argument(L, 2, "string expected");
	text = lua_tolstring(L, 2, &len);
	chunks = scratch_value(L);
	if (split(s, text, len, chunks, &e) < 0)
		return push_nil_and_err(L, &e);
	value_push(L, *chunks);
	return 1;
}

/* Each chunk keeps the metadata of its page: the same table. */
static int l_split_batch(lua_State *L)
{
	struct splitter *s = check_splitter(L);
	lua_Integer made = 0;
	struct value **chunks;
	struct err e = {0};
	const char *text;
	int result;
	size_t len;

	if (!lua_istable(L, 2))
		raise_argument(L, 2, "table expected");
	chunks = scratch_value(L);
	lua_newtable(L);
	result = lua_gettop(L);
	for (lua_Integer i = 1; lua_geti(L, 2, i) != LUA_TNIL; i++) {
		if (!lua_istable(L, -1) || lua_getfield(L, -1, "content") != LUA_TSTRING || i > BATCH_MAX) {
			err_set(&e, ERR_INVALID, "page %lld must be a table with a string `content`", (long long)i);
			return push_nil_and_err(L, &e);
		}
		text = lua_tolstring(L, -1, &len);
		if (split(s, text, len, chunks, &e) < 0)
			return push_nil_and_err(L, &e);
		lua_getfield(L, -2, "metadata");
		for (size_t k = 0; k < value_count(*chunks); k++) {
			lua_createtable(L, 0, 2);
			value_push(L, value_at(*chunks, k));
			lua_setfield(L, -2, "content");
			lua_pushvalue(L, -2);
			lua_setfield(L, -2, "metadata");
			lua_rawseti(L, result, ++made);
		}
		lua_settop(L, result);
	}
	lua_settop(L, result);
	return 1;
}

void text_push_splitter(lua_State *L)
{
	static const luaL_Reg methods[] = {{"split_text", l_split_text}, {"split_batch", l_split_batch}, {NULL, NULL}};
	static const luaL_Reg functions[] = {{"recursive", l_recursive}, {"markdown", l_markdown}, {NULL, NULL}};

	handle_register(L, splitter_type, methods, l_gc);
	luaL_newlib(L, functions);
}
