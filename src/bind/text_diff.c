/*
 * text_diff.c - `text.diff`: differences of texts and patches (value/text_diff.h).
 *
 *     local differ = text.diff.new()
 *     local changes = differ:compare("old text", "new text") -- {{operation = "delete", text = "old"}, ...}
 *     local patches = differ:patch_make(old, new)
 *     local patched, all_ok = differ:patch_apply(patches, other)
 *
 * Patches are plain tables: {start1, length1, start2, length2, diffs}, places in characters from 1.
 */
#include "value/text_diff.h"

#include <string.h>

#include "base/alloc.h"
#include "bind/scratch.h"
#include "bind/text.h"
#include "engine/lua_api.h"

static const char differ_type[] = "text.Differ";
static const char diff_type[] = "text.Diff";       /* a struct text_diff, while a call runs */
static const char patches_type[] = "text.Patches"; /* the same for patches */

enum { CHANGES_MAX = 4 * 1024 * 1024, PATCHES_MAX = 100000 };

static const char *const operations[] = {
	[TEXT_EQUAL] = "equal",
	[TEXT_DELETE] = "delete",
	[TEXT_INSERT] = "insert",
};

static const struct text_diff_options *check_differ(lua_State *L)
{
	return handle_check(L, 1, differ_type);
}

static const char *check_text(lua_State *L, int idx, size_t *ret_len)
{
	if (lua_type(L, idx) != LUA_TSTRING)
		raise_argument(L, idx, "string expected");
	return lua_tolstring(L, idx, ret_len);
}

static int diff_gc(lua_State *L)
{
	text_diff_done(handle_check(L, 1, diff_type));
	return 0;
}

static int patches_gc(lua_State *L)
{
	text_patches_done(handle_check(L, 1, patches_type));
	return 0;
}

/* -- changes to and from Lua -------------------------------------------------------------------------- */

static void push_changes(lua_State *L, const struct text_diff *d)
{
	lua_createtable(L, (int)d->n, 0);
	for (size_t i = 0; i < d->n; i++) {
		lua_createtable(L, 0, 2);
		lua_pushstring(L, operations[d->changes[i].operation]);
		lua_setfield(L, -2, "operation");
		lua_pushlstring(L, d->changes[i].text, d->changes[i].len);
		lua_setfield(L, -2, "text");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

/* The list of changes at idx; raises nothing that would leak: `d` is a handle's. */
static int read_changes(lua_State *L, int idx, struct text_diff *d, struct err *e)
{
	int top = lua_gettop(L), op;

	idx = lua_absindex(L, idx);
	for (lua_Integer i = 1; lua_geti(L, idx, i) != LUA_TNIL; i++) {
		const char *name, *text;
		size_t len;

		if (!lua_istable(L, -1) || lua_getfield(L, -1, "operation") != LUA_TSTRING ||
			lua_getfield(L, -2, "text") != LUA_TSTRING || i > CHANGES_MAX)
			return err_set(
				e, ERR_INVALID, "change %lld must be a table of operation and text", (long long)i);
		name = lua_tostring(L, -2);
		text = lua_tolstring(L, -1, &len);
		for (op = TEXT_EQUAL; op <= TEXT_INSERT && strcmp(name, operations[op]) != 0; op++)
			;
		if (op > TEXT_INSERT)
			return err_set(e, ERR_INVALID, "unknown operation in change %lld: use equal, delete or insert",
				(long long)i);
		text_diff_add(d, (enum text_operation)op, text, len);
		lua_settop(L, top);
	}
	lua_settop(L, top);
	return 0;
}

static struct text_diff *check_changes(lua_State *L, int idx, struct err *e)
{
	struct text_diff *d;

	if (!lua_istable(L, idx))
		raise_argument(L, idx, "table expected");
	d = handle_new(L, diff_type, sizeof(*d));
	return read_changes(L, idx, d, e) < 0 ? NULL : d;
}

/* -- methods ------------------------------------------------------------------------------------------ */

static int l_compare(lua_State *L)
{
	const struct text_diff_options *opt = check_differ(L);
	struct text_diff *d;
	struct err e = {0};
	const char *a, *b;
	size_t a_len, b_len;

	a = check_text(L, 2, &a_len);
	b = check_text(L, 3, &b_len);
	d = handle_new(L, diff_type, sizeof(*d));
	if (text_diff(a, a_len, b, b_len, opt, d, &e) < 0)
		return push_nil_and_err(L, &e);
	push_changes(L, d);
	return 1;
}

static int l_summarize(lua_State *L)
{
	static const char *const names[] = {
		[TEXT_EQUAL] = "equals", [TEXT_DELETE] = "deletions", [TEXT_INSERT] = "insertions"};
	size_t bytes[3] = {0};
	struct text_diff *d;
	struct err e = {0};

	check_differ(L);
	d = check_changes(L, 2, &e);
	if (!d)
		return push_nil_and_err(L, &e);
	for (size_t i = 0; i < d->n; i++)
		bytes[d->changes[i].operation] += d->changes[i].len;
	lua_createtable(L, 0, 3);
	for (int op = TEXT_EQUAL; op <= TEXT_INSERT; op++) {
		lua_pushinteger(L, (lua_Integer)bytes[op]);
		lua_setfield(L, -2, names[op]);
	}
	return 1;
}

/* For terminals: red and green (ECMA-48 SGR). */
static int l_pretty_text(lua_State *L)
{
	static const char *const colors[] = {[TEXT_DELETE] = "\x1b[31m", [TEXT_INSERT] = "\x1b[32m"};
	struct text_diff *d;
	struct err e = {0};
	struct buf *out;

	check_differ(L);
	d = check_changes(L, 2, &e);
	if (!d)
		return push_nil_and_err(L, &e);
	out = scratch_buf(L);
	for (size_t i = 0; i < d->n; i++) {
		const struct text_change *c = &d->changes[i];

		if (c->operation != TEXT_EQUAL)
			buf_adds(out, colors[c->operation]);
		buf_add(out, c->text, c->len);
		if (c->operation != TEXT_EQUAL)
			buf_adds(out, "\x1b[0m");
	}
	scratch_push(L, out);
	return 1;
}

static void add_html(struct buf *out, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		switch (s[i]) {
		case '&':
			buf_adds(out, "&amp;");
			break;
		case '<':
			buf_adds(out, "&lt;");
			break;
		case '>':
			buf_adds(out, "&gt;");
			break;
		case '\n':
			buf_adds(out, "&para;<br>");
			break;
		default:
			buf_addc(out, s[i]);
		}
	}
}

static int l_pretty_html(lua_State *L)
{
	static const char *const open[] = {[TEXT_EQUAL] = "<span>",
		[TEXT_DELETE] = "<del style=\"background:#ffe6e6;\">",
		[TEXT_INSERT] = "<ins style=\"background:#e6ffe6;\">"};
	static const char *const close[] = {
		[TEXT_EQUAL] = "</span>", [TEXT_DELETE] = "</del>", [TEXT_INSERT] = "</ins>"};
	struct text_diff *d;
	struct err e = {0};
	struct buf *out;

	check_differ(L);
	d = check_changes(L, 2, &e);
	if (!d)
		return push_nil_and_err(L, &e);
	out = scratch_buf(L);
	for (size_t i = 0; i < d->n; i++) {
		const struct text_change *c = &d->changes[i];

		buf_adds(out, open[c->operation]);
		add_html(out, c->text, c->len);
		buf_adds(out, close[c->operation]);
	}
	scratch_push(L, out);
	return 1;
}

/* -- patches ------------------------------------------------------------------------------------------ */

static void set_integer(lua_State *L, const char *name, size_t v)
{
	lua_pushinteger(L, (lua_Integer)v);
	lua_setfield(L, -2, name);
}

static int l_patch_make(lua_State *L)
{
	const struct text_diff_options *opt = check_differ(L);
	struct text_patches *p;
	struct err e = {0};
	const char *a, *b;
	size_t a_len, b_len;

	a = check_text(L, 2, &a_len);
	b = check_text(L, 3, &b_len);
	p = handle_new(L, patches_type, sizeof(*p));
	if (text_patch_make(a, a_len, b, b_len, opt, p, &e) < 0)
		return push_nil_and_err(L, &e);
	lua_createtable(L, (int)p->n, 0);
	for (size_t i = 0; i < p->n; i++) {
		lua_createtable(L, 0, 5);
		set_integer(L, "start1", p->patches[i].start_a + 1);
		set_integer(L, "length1", p->patches[i].len_a);
		set_integer(L, "start2", p->patches[i].start_b + 1);
		set_integer(L, "length2", p->patches[i].len_b);
		push_changes(L, &p->patches[i].diff);
		lua_setfield(L, -2, "diffs");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static int read_place(lua_State *L, const char *name, size_t *ret, struct err *e)
{
	double v = -1;

	if (!field_number(L, -1, name, &v) || !(v >= 1 && v <= TEXT_DIFF_BYTES_MAX + 1))
		return err_set(e, ERR_INVALID, "a patch needs %s, a place from 1", name);
	*ret = (size_t)v - 1;
	return 0;
}

static int read_patches(lua_State *L, int idx, struct text_patches **ret_patches, struct err *e)
{
	lua_Integer n = 0;
	struct text_patches *p = handle_new(L, patches_type, sizeof(*p));

	while (lua_geti(L, idx, n + 1) != LUA_TNIL) {
		if (!lua_istable(L, -1) || n == PATCHES_MAX)
			return err_set(e, ERR_INVALID, "patch %lld must be a table", (long long)n + 1);
		n++;
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	p->patches = xcalloc((size_t)n + 1, sizeof(*p->patches));
	for (lua_Integer i = 1; i <= n; i++) {
		struct text_patch *patch = &p->patches[p->n++];

		lua_geti(L, idx, i);
		if (!lua_istable(L, -1) || read_place(L, "start1", &patch->start_a, e) < 0 ||
			read_place(L, "start2", &patch->start_b, e) < 0)
			return e->text[0] ? -1 : err_set(e, ERR_INVALID, "a patch must be a table");
		if (lua_getfield(L, -1, "diffs") != LUA_TTABLE)
			return err_set(e, ERR_INVALID, "a patch needs diffs, a list of changes");
		if (read_changes(L, -1, &patch->diff, e) < 0)
			return -1;
		lua_pop(L, 2);
	}
	*ret_patches = p;
	return 0;
}

/* A failure leaves nil and the error, so that `all_ok` is never taken for one. */
static int l_patch_apply(lua_State *L)
{
	const struct text_diff_options *opt = check_differ(L);
	struct text_patches *p = NULL;
	struct err e = {0};
	struct buf *out;
	const char *s;
	bool ok = false;
	size_t len;

	if (!lua_istable(L, 2))
		raise_argument(L, 2, "table expected");
	s = check_text(L, 3, &len);
	if (read_patches(L, 2, &p, &e) < 0)
		return push_nil_and_err(L, &e);
	out = scratch_buf(L);
	if (text_patch_apply(p, s, len, opt, out, &ok, &e) < 0)
		return push_nil_and_err(L, &e);
	scratch_push(L, out);
	lua_pushboolean(L, ok);
	return 2;
}

/* -- differs ------------------------------------------------------------------------------------------ */

static double option(lua_State *L, const char *name, double otherwise, double most)
{
	double v = otherwise;

	if (lua_istable(L, 1))
		field_number(L, 1, name, &v);
	return v >= 0 && v <= most ? v : otherwise;
}

static int l_new(lua_State *L)
{
	struct text_diff_options *opt;

	if (!lua_isnoneornil(L, 1) && !lua_istable(L, 1))
		raise_argument(L, 1, "table expected");
	opt = handle_new(L, differ_type, sizeof(*opt));
	*opt = (struct text_diff_options){
		.timeout_s = option(L, "diff_timeout", 1.0, 1e9),
		.match_threshold = option(L, "match_threshold", 0.5, 1),
		.match_distance = option(L, "match_distance", 1000, 1e9),
		.patch_delete_threshold = option(L, "patch_delete_threshold", 0.5, 1),
		.patch_margin = (size_t)option(L, "patch_margin", 4, TEXT_PATCH_MARGIN_MAX),
	};
	return 1;
}

void text_push_diff(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"compare", l_compare},
		{"summarize", l_summarize},
		{"pretty_text", l_pretty_text},
		{"pretty_html", l_pretty_html},
		{"patch_make", l_patch_make},
		{"patch_apply", l_patch_apply},
		{NULL, NULL},
	};
	static const luaL_Reg none[] = {{NULL, NULL}};
	static const luaL_Reg functions[] = {{"new", l_new}, {NULL, NULL}};

	handle_register(L, differ_type, methods, NULL);
	handle_register(L, diff_type, none, diff_gc);
	handle_register(L, patches_type, none, patches_gc);
	luaL_newlib(L, functions);
}
