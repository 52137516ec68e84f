/*
 * text_regexp.c - `text.regexp`: RE2's syntax over value/regex.h.
 *
 *     local re = text.regexp.compile("(\\w+)@(\\w+)")
 *     re:replace_all_string("ann@home", "$2 at ${1}")
 *
 * Places are those of Lua: 1-based, the last one inclusive. A search that meets its limit of steps raises; so does a call whose searches
 * take more than a second together.
 */
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "base/utf8.h"
#include "bind/scratch.h"
#include "bind/text.h"
#include "engine/lua_api.h"
#include "value/regex.h"

static const char regexp_type[] = "text.Regexp";
static const char scan_type[] = "text.Scan";

enum { CALL_MS_MAX = 1000 };

struct regexp {
	struct regex *regex;
};

/* All matches of one text in order, as Go's FindAll: an empty one right behind another does not count. */
struct scan {
	const struct regex *regex;
	struct regex_text *text;
	const char *s;
	size_t len, at, before; /* where the last match ended; SIZE_MAX: there was none */
	int64_t began_us;
	struct regex_span *spans; /* a userdata's */
	unsigned nspans;
};

static struct regex *check_regex(lua_State *L)
{
	return ((struct regexp *)handle_check(L, 1, regexp_type))->regex;
}

static const char *check_text(lua_State *L, int idx, size_t *ret_len)
{
	if (lua_type(L, idx) != LUA_TSTRING)
		raise_argument(L, idx, "string expected");
	return lua_tolstring(L, idx, ret_len);
}

static int l_gc(lua_State *L)
{
	struct regexp *r = handle_check(L, 1, regexp_type);

	regex_unref(r->regex);
	r->regex = NULL;
	return 0;
}

static int scan_gc(lua_State *L)
{
	struct scan *s = handle_check(L, 1, scan_type);

	regex_text_free(s->text);
	s->text = NULL;
	return 0;
}

static int64_t processor_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Pushes two values that hold the scan. `groups`: are they wanted? */
static struct scan *begin(lua_State *L, bool groups)
{
	struct regex *regex = check_regex(L);
	unsigned n = groups ? regex_group_count(regex) + 1 : 1;
	struct regex_span *spans;
	struct err e = {0};
	struct scan *s;
	const char *text;
	size_t len;

	text = check_text(L, 2, &len);
	spans = lua_newuserdatauv(L, n * sizeof(*spans), 0);
	s = handle_new(L, scan_type, sizeof(*s));
	if (regex_text_new(text, len, &s->text, &e) < 0)
		raise_text(L, "%s", e.text);
	s->regex = regex;
	s->s = text;
	s->len = len;
	s->before = SIZE_MAX;
	s->began_us = processor_us();
	s->spans = spans;
	s->nspans = n;
	return s;
}

/* Is there one more? Raises at a limit. */
static bool next(lua_State *L, struct scan *s)
{
	struct err e = {0};
	bool counts = false;

	while (!counts && s->at <= s->len) {
		const struct regex_span *m = &s->spans[0];
		int rc = regex_search_text(s->regex, s->text, s->at, s->spans, s->nspans, &e);

		if (rc < 0)
			raise_text(L, "%s", e.text);
		if (rc == 0) {
			s->at = s->len + 1;
			return false;
		}
		if (processor_us() - s->began_us > CALL_MS_MAX * 1000)
			raise_text(L, "the regex search takes too long: simplify the pattern or shorten the text");
		counts = true;
		if (m->end == s->at) {
			size_t n = utf8_sequence(s->s + s->at, s->len - s->at, NULL);

			counts = m->start != s->before;
			s->at += n > 0 ? n : 1;
		} else {
			s->at = m->end;
		}
		s->before = m->end;
	}
	return counts;
}

/* -- what is found ------------------------------------------------------------------------------------ */

static void push_span(lua_State *L, const struct scan *s, unsigned i)
{
	const struct regex_span *m = &s->spans[i];

	if (m->start == SIZE_MAX)
		lua_pushliteral(L, "");
	else
		lua_pushlstring(L, s->s + m->start, m->end - m->start);
}

static void push_whole(lua_State *L, const struct scan *s)
{
	push_span(L, s, 0);
}

static void push_groups(lua_State *L, const struct scan *s)
{
	lua_createtable(L, (int)s->nspans, 0);
	for (unsigned i = 0; i < s->nspans; i++) {
		push_span(L, s, i);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static void push_place(lua_State *L, const struct scan *s)
{
	lua_createtable(L, 2, 0);
	lua_pushinteger(L, (lua_Integer)s->spans[0].start + 1);
	lua_rawseti(L, -2, 1);
	lua_pushinteger(L, (lua_Integer)s->spans[0].end);
	lua_rawseti(L, -2, 2);
}

typedef void push_fn(lua_State *L, const struct scan *s);

static int find_one(lua_State *L, bool groups, push_fn *push)
{
	struct scan *s = begin(L, groups);

	if (next(L, s))
		push(L, s);
	else
		lua_pushnil(L);
	return 1;
}

static int find_all(lua_State *L, bool groups, push_fn *push)
{
	struct scan *s = begin(L, groups);

	lua_newtable(L);
	for (lua_Integer i = 1; next(L, s); i++) {
		push(L, s);
		lua_rawseti(L, -2, i);
	}
	return 1;
}

static int l_match_string(lua_State *L)
{
	struct scan *s = begin(L, false);

	lua_pushboolean(L, next(L, s));
	return 1;
}

static int l_find_string(lua_State *L)
{
	struct scan *s = begin(L, false);

	/* An empty match cannot be told from none here, as in Go: there the text is the only answer. */
	if (next(L, s) && s->spans[0].end > s->spans[0].start)
		push_whole(L, s);
	else
		lua_pushnil(L);
	return 1;
}

static int l_find_all_string(lua_State *L)
{
	return find_all(L, false, push_whole);
}

static int l_find_string_submatch(lua_State *L)
{
	return find_one(L, true, push_groups);
}

static int l_find_all_string_submatch(lua_State *L)
{
	return find_all(L, true, push_groups);
}

static int l_find_string_index(lua_State *L)
{
	return find_one(L, false, push_place);
}

static int l_find_all_string_index(lua_State *L)
{
	find_all(L, false, push_place);
	if (lua_rawlen(L, -1) == 0)
		lua_pushnil(L);
	return 1;
}

/* -- replacing and splitting -------------------------------------------------------------------------- */

static bool is_name_byte(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
}

/* The group of a $name or $1; SIZE_MAX: there is none, which stands for nothing. */
static size_t group_of(const struct regex *r, const char *name, size_t len)
{
	size_t i = 0;

	for (size_t k = 0; k < len; k++) {
		if (name[k] < '0' || name[k] > '9') {
			i = SIZE_MAX;
			break;
		}
		i = i > REGEX_GROUPS_MAX ? i : i * 10 + (size_t)(name[k] - '0');
	}
	if (i != SIZE_MAX)
		return i <= regex_group_count(r) ? i : SIZE_MAX;
	for (unsigned g = 1; g <= regex_group_count(r); g++) {
		const char *own = regex_group_name(r, g);

		if (strlen(own) == len && memcmp(own, name, len) == 0)
			return g;
	}
	return SIZE_MAX;
}

/* $1, $name (the longest name), ${name}, $$. What is none of these stands for itself. */
static void expand(struct buf *out, const struct scan *s, const char *t, size_t len)
{
	for (size_t i = 0; i < len;) {
		const char *dollar = memchr(t + i, '$', len - i);
		size_t from, to, g;
		bool brace;

		if (!dollar) {
			buf_add(out, t + i, len - i);
			return;
		}
		buf_add(out, t + i, (size_t)(dollar - t) - i);
		i = (size_t)(dollar - t) + 1;
		if (i < len && t[i] == '$') {
			buf_addc(out, '$');
			i++;
			continue;
		}
		brace = i < len && t[i] == '{';
		from = to = i + brace;
		while (to < len && is_name_byte(t[to]))
			to++;
		if (to == from || (brace && (to == len || t[to] != '}'))) {
			buf_addc(out, '$');
			continue;
		}
		g = group_of(s->regex, t + from, to - from);
		if (g != SIZE_MAX && s->spans[g].start != SIZE_MAX)
			buf_add(out, s->s + s->spans[g].start, s->spans[g].end - s->spans[g].start);
		i = to + brace;
	}
}

enum { MADE_BYTES_MAX = 256 * 1024 * 1024 };

static int l_replace_all_string(lua_State *L)
{
	const char *by;
	struct scan *s;
	struct buf *out;
	size_t len, done = 0;

	check_regex(L);
	check_text(L, 2, &len);
	by = check_text(L, 3, &len);
	s = begin(L, true);
	out = scratch_buf(L);
	while (next(L, s)) {
		buf_add(out, s->s + done, s->spans[0].start - done);
		expand(out, s, by, len);
		done = s->spans[0].end;
		if (buf_len(out) > MADE_BYTES_MAX)
			raise_text(L, "the text becomes longer than %d bytes", MADE_BYTES_MAX);
	}
	buf_add(out, s->s + done, s->len - done);
	scratch_push(L, out);
	return 1;
}

static int l_split(lua_State *L)
{
	lua_Integer n = -1, count = 0;
	size_t done = 0, end = 0;
	struct scan *s;

	check_regex(L);
	if (!lua_isnoneornil(L, 3)) {
		if (!lua_isnumber(L, 3))
			raise_argument(L, 3, "number expected");
		n = (lua_Integer)lua_tonumber(L, 3);
	}
	s = begin(L, false);
	lua_newtable(L);
	if (n == 0)
		return 1;
	if (s->len == 0 && regex_source(s->regex)[0] != '\0') {
		lua_pushliteral(L, "");
		lua_rawseti(L, -2, 1);
		return 1;
	}
	while ((n < 0 || count < n - 1) && next(L, s)) {
		end = s->spans[0].start;
		if (s->spans[0].end != 0) {
			lua_pushlstring(L, s->s + done, end - done);
			lua_rawseti(L, -2, ++count);
		}
		done = s->spans[0].end;
	}
	if (count == 0 || end != s->len) {
		lua_pushlstring(L, s->s + done, s->len - done);
		lua_rawseti(L, -2, ++count);
	}
	return 1;
}

/* -- the object --------------------------------------------------------------------------------------- */

static int l_num_subexp(lua_State *L)
{
	lua_pushinteger(L, regex_group_count(check_regex(L)));
	return 1;
}

/* As Go: the first is the whole match, which has no name. */
static int l_subexp_names(lua_State *L)
{
	struct regex *r = check_regex(L);

	lua_newtable(L);
	for (unsigned i = 0; i <= regex_group_count(r); i++) {
		lua_pushstring(L, regex_group_name(r, i));
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static int l_string(lua_State *L)
{
	lua_pushstring(L, regex_source(check_regex(L)));
	return 1;
}

static int l_compile(lua_State *L)
{
	struct regexp *r;
	struct err e = {0};
	const char *pattern;
	size_t len;

	pattern = check_text(L, 1, &len);
	r = handle_new(L, regexp_type, sizeof(*r));
	if (regex_compile(pattern, len, &r->regex, &e) < 0)
		return push_nil_and_err(L, &e);
	return 1;
}

void text_push_regexp(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"match_string", l_match_string},
		{"find_string", l_find_string},
		{"find_all_string", l_find_all_string},
		{"find_string_submatch", l_find_string_submatch},
		{"find_all_string_submatch", l_find_all_string_submatch},
		{"find_string_index", l_find_string_index},
		{"find_all_string_index", l_find_all_string_index},
		{"replace_all_string", l_replace_all_string},
		{"split", l_split},
		{"num_subexp", l_num_subexp},
		{"subexp_names", l_subexp_names},
		{"string", l_string},
		{NULL, NULL},
	};
	static const luaL_Reg no_methods[] = {{NULL, NULL}};
	static const luaL_Reg functions[] = {{"compile", l_compile}, {NULL, NULL}};

	handle_register(L, regexp_type, methods, l_gc);
	handle_register(L, scan_type, no_methods, scan_gc);
	luaL_newlib(L, functions);
}
