/*
 * Does a value conform to a type? Raw access only: no Lua code runs, and nothing raises.
 *
 * The first mismatch is described with the path to it. Union members are tried silently. A table met again while it is
 * being checked against the same type conforms as far as that goes.
 */
#include "engine/type_node.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

enum { PATH_STEPS_MAX = 64 }; /* shown in a message */

/* How the value at hand is reached from the one asked about. */
struct step {
	const struct step *up;
	const char *name; /* a field, or NULL: */
	size_t len;
	lua_Integer index;
	bool is_other_key;
};

/* A table being checked. */
struct visit {
	const struct visit *up;
	const void *table;
	const struct type *t;
};

struct check {
	struct type_query *q;
	lua_State *L;
	unsigned silent; /* > 0 while trying members of a union */
	bool failed;     /* `message` is written */
	bool exhausted;  /* of steps or depth: no further member is worth trying */
	char *message;
};

struct place {
	const struct step *path;
	const struct visit *visits;
	struct type_view shown; /* the type to name instead of a part of it, t NULL if none */
};

static bool conforms(struct check *c, int idx, struct type_view v, const struct place *at);

static void write_path(const struct step *s, struct buf *out)
{
	const struct step *steps[PATH_STEPS_MAX];
	bool first = true;
	size_t n = 0;

	for (; s && n < PATH_STEPS_MAX; s = s->up)
		steps[n++] = s;
	if (s)
		buf_adds(out, "...");
	while (n > 0) {
		s = steps[--n];
		if (s->name) {
			if (!first)
				buf_addc(out, '.');
			buf_add_escaped(out, s->name, s->len, 40);
		} else if (s->is_other_key) {
			buf_adds(out, "[?]");
		} else {
			buf_addf(out, "[%lld]", (long long)s->index);
		}
		first = false;
	}
	if (buf_len(out))
		buf_adds(out, ": ");
}

static bool fail_with(struct check *c, const struct place *at, const char *text)
{
	struct buf out = BUF_INIT;

	if (c->silent || c->failed)
		return false;
	c->failed = true;
	write_path(at->path, &out);
	buf_adds(&out, text);
	snprintf(c->message, TYPE_MESSAGE_MAX, "%s", buf_str(&out));
	buf_done(&out);
	return false;
}

/* "expected <type>, got <got>" */
static bool mismatch(struct check *c, const struct place *at, struct type_view v, const char *got)
{
	struct buf out = BUF_INIT;

	if (c->silent || c->failed)
		return false;
	buf_adds(&out, "expected ");
	if (at->shown.t)
		type_write(at->shown.t, at->shown.frame, &out);
	else
		type_write(v.t, v.frame, &out);
	buf_addf(&out, ", got %s", got);
	fail_with(c, at, buf_str(&out));
	buf_done(&out);
	return false;
}

static bool exhaust(struct check *c, const char *why)
{
	c->exhausted = true;
	c->silent = 0;
	return fail_with(c, &(struct place){0}, why);
}

static struct type_view item(struct type_view v, uint32_t i)
{
	return (struct type_view){v.t->items[i], v.frame};
}

static bool is_whole(lua_State *L, int idx)
{
	lua_Number n;

	if (lua_isinteger(L, idx))
		return true;
	n = lua_tonumber(L, idx);
	return n >= -0x1p63 && n < 0x1p63 && n == (lua_Number)(lua_Integer)n;
}

static bool equals_literal(lua_State *L, int idx, const struct type *t)
{
	size_t len;
	const char *s;

	switch (t->kind) {
	case TYPE_LITERAL_BOOLEAN:
		return lua_isboolean(L, idx) && (lua_toboolean(L, idx) != 0) == t->flag;
	case TYPE_LITERAL_STRING:
		if (lua_type(L, idx) != LUA_TSTRING)
			return false;
		s = lua_tolstring(L, idx, &len);
		return len == t->len && memcmp(s, t->name, len) == 0;
	default:
		if (lua_type(L, idx) != LUA_TNUMBER)
			return false;
		if (lua_isinteger(L, idx) && t->is_integer)
			return lua_tointeger(L, idx) == t->integer;
		return lua_tonumber(L, idx) == t->number;
	}
}

static bool is_error_object(lua_State *L, int idx)
{
	bool is = false;

	if (lua_type(L, idx) != LUA_TUSERDATA || !lua_getmetatable(L, idx))
		return false;
	lua_pushliteral(L, "__name");
	lua_rawget(L, -2);
	is = lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "error") == 0;
	lua_pop(L, 2);
	return is;
}

static bool is_primitive(lua_State *L, int idx, const struct type *t)
{
	int type = lua_type(L, idx);

	switch (t->kind) {
	case TYPE_NIL:
		return type == LUA_TNIL;
	case TYPE_BOOLEAN:
		return type == LUA_TBOOLEAN;
	case TYPE_NUMBER:
		return type == LUA_TNUMBER;
	case TYPE_INTEGER:
		return type == LUA_TNUMBER && is_whole(L, idx);
	case TYPE_STRING:
		return type == LUA_TSTRING;
	case TYPE_TABLE:
		return type == LUA_TTABLE;
	case TYPE_FUNCTION:
		return type == LUA_TFUNCTION;
	case TYPE_THREAD:
		return type == LUA_TTHREAD;
	case TYPE_USERDATA:
		return type == LUA_TUSERDATA || type == LUA_TLIGHTUSERDATA;
	case TYPE_ERROR:
		return is_error_object(L, idx);
	case TYPE_NEVER:
		return false;
	default:
		return true;
	}
}

static bool check_array(struct check *c, int idx, struct type_view v, const struct place *outer)
{
	lua_Integer n = (lua_Integer)lua_rawlen(c->L, idx);
	struct step step = {.up = outer->path};
	struct place at = {.path = &step, .visits = outer->visits};

	for (lua_Integer i = 1; i <= n; i++) {
		bool ok;

		step.index = i;
		ok = lua_rawgeti(c->L, idx, i) == LUA_TNIL || conforms(c, lua_gettop(c->L), item(v, 0), &at);
		lua_pop(c->L, 1);
		if (!ok)
			return false;
	}
	return true;
}

static void set_key_step(lua_State *L, int idx, struct step *step)
{
	step->name = NULL;
	step->is_other_key = false;
	if (lua_type(L, idx) == LUA_TSTRING)
		step->name = lua_tolstring(L, idx, &step->len);
	else if (lua_isinteger(L, idx))
		step->index = lua_tointeger(L, idx);
	else
		step->is_other_key = true;
}

static bool check_map(struct check *c, int idx, struct type_view v, const struct place *outer)
{
	struct step step = {.up = outer->path};
	struct place at = {.path = &step, .visits = outer->visits};
	lua_State *L = c->L;

	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
		int value = lua_gettop(L);

		set_key_step(L, value - 1, &step);
		if (!conforms(c, value - 1, item(v, 0), &at) || !conforms(c, value, item(v, 1), &at)) {
			lua_pop(L, 2);
			return false;
		}
	}
	return true;
}

static bool check_record(struct check *c, int idx, struct type_view v, const struct place *outer)
{
	struct step step = {.up = outer->path};
	struct place at = {.path = &step, .visits = outer->visits};
	lua_State *L = c->L;

	for (uint32_t i = 0; i < v.t->n; i++) {
		const struct type *f = v.t->items[i];
		bool ok;

		step.name = f->name;
		step.len = f->len;
		lua_pushlstring(L, f->name, f->len);
		lua_rawget(L, idx);
		ok = (f->flag && lua_isnil(L, -1)) ||
		     conforms(c, lua_gettop(L), (struct type_view){f->items[0], v.frame}, &at);
		lua_pop(L, 1);
		if (!ok)
			return false;
	}
	return true;
}

static bool check_table(struct check *c, int idx, struct type_view v, const struct place *at)
{
	struct visit visit = {at->visits, lua_topointer(c->L, idx), v.t};
	struct place inside = {.path = at->path, .visits = &visit};

	if (lua_type(c->L, idx) != LUA_TTABLE)
		return mismatch(c, at, v, luaL_typename(c->L, idx));
	for (const struct visit *o = at->visits; o; o = o->up) {
		if (o->table == visit.table && o->t == v.t)
			return true;
	}
	switch (v.t->kind) {
	case TYPE_ARRAY:
		return check_array(c, idx, v, &inside);
	case TYPE_MAP:
		return check_map(c, idx, v, &inside);
	default:
		return check_record(c, idx, v, &inside);
	}
}

static bool check_union(struct check *c, int idx, struct type_view v, const struct place *at)
{
	for (uint32_t i = 0; i < v.t->n; i++) {
		bool ok;

		c->silent++;
		ok = conforms(c, idx, item(v, i), at);
		if (c->exhausted)
			return false;
		c->silent--;
		if (ok)
			return true;
	}
	return mismatch(c, at, v, luaL_typename(c->L, idx));
}

static bool check_intersection(struct check *c, int idx, struct type_view v, const struct place *at)
{
	for (uint32_t i = 0; i < v.t->n; i++) {
		if (!conforms(c, idx, item(v, i), at))
			return false;
	}
	return true;
}

static bool check_instance(struct check *c, int idx, struct type_view v, const struct place *at)
{
	struct type_view args[TYPE_PARAMS_MAX];
	const struct type *generic = type_instantiate(c->q, v, args);
	struct type_frame frame = {args, v.t->n - 1};
	struct place here = *at;

	if (!generic)
		return mismatch(c, at, v, luaL_typename(c->L, idx));
	if (!here.shown.t)
		here.shown = v;
	if (generic == &type_any)
		return true;
	return conforms(c, idx, (struct type_view){generic->items[0], &frame}, &here);
}

static bool check_keyof(struct check *c, int idx, struct type_view v, const struct place *at)
{
	uint32_t nframes = c->q->nframes;
	struct type_view base = type_resolve(c->q, item(v, 0));
	bool ok = true;
	size_t len;
	const char *s;

	if (base.t && base.t->kind == TYPE_MAP) {
		ok = conforms(c, idx, item(base, 0), at);
	} else if (base.t && (base.t->kind == TYPE_RECORD || base.t->kind == TYPE_INTERSECTION)) {
		ok = lua_type(c->L, idx) == LUA_TSTRING;
		if (ok) {
			s = lua_tolstring(c->L, idx, &len);
			ok = type_field(c->q, base, s, len).t != NULL;
		}
		if (!ok)
			mismatch(c, at, v, luaL_typename(c->L, idx));
	}
	c->q->nframes = nframes;
	return ok;
}

/* INDEX and CONDITIONAL: through what they stand for. */
static bool check_computed(struct check *c, int idx, struct type_view v, const struct place *at)
{
	uint32_t nframes = c->q->nframes;
	struct type_view meaning = type_resolve(c->q, v);
	bool ok = meaning.t ? conforms(c, idx, meaning, at) : mismatch(c, at, v, luaL_typename(c->L, idx));

	c->q->nframes = nframes;
	return ok;
}

static bool check_length(struct check *c, int idx, struct type_view v, const struct place *at, bool is_min)
{
	lua_Number n = (lua_Number)lua_rawlen(c->L, idx);
	lua_Number limit = v.t->items[1]->number;
	char got[48];

	if (is_min ? n >= limit : n <= limit)
		return true;
	snprintf(got, sizeof(got), "length %.0f", n);
	return mismatch(c, at, v, got);
}

static bool check_size(struct check *c, int idx, struct type_view v, const struct place *at, bool is_min)
{
	lua_Number n = lua_tonumber(c->L, idx);
	lua_Number limit = v.t->items[1]->number;
	char got[48];

	if (is_min ? n >= limit : n <= limit)
		return true;
	snprintf(got, sizeof(got), "%.14g", n);
	return mismatch(c, at, v, got);
}

static bool check_pattern(struct check *c, int idx, struct type_view v, const struct place *at)
{
	regmatch_t whole;
	size_t len;
	const char *s = lua_tolstring(c->L, idx, &len);

	if (!v.t->pattern)
		return fail_with(c, at, "the pattern of @pattern is not a valid regular expression");
	whole.rm_so = 0;
	whole.rm_eo = (regoff_t)len;
	if (regexec(v.t->pattern, s, 1, &whole, REG_STARTEND) == 0)
		return true;
	/* The string itself may be a secret. */
	return mismatch(c, at, v, "a string that does not match");
}

static bool check_validated(struct check *c, int idx, struct type_view v, const struct place *at)
{
	struct place here = *at;
	const char *name = v.t->name;
	bool numeric = v.t->items[1]->kind == TYPE_LITERAL_NUMBER;
	int type = lua_type(c->L, idx);

	if (!conforms(c, idx, item(v, 0), &here))
		return false;
	here.shown = (struct type_view){0};
	if (numeric && type == LUA_TNUMBER && (strcmp(name, "min") == 0 || strcmp(name, "max") == 0))
		return check_size(c, idx, v, &here, name[1] == 'i');
	if (numeric && (type == LUA_TSTRING || type == LUA_TTABLE) &&
		(strcmp(name, "min_len") == 0 || strcmp(name, "max_len") == 0))
		return check_length(c, idx, v, &here, name[1] == 'i');
	if (type == LUA_TSTRING && strcmp(name, "pattern") == 0)
		return check_pattern(c, idx, v, &here);
	return true;
}

static bool check_optional(struct check *c, int idx, struct type_view v, const struct place *at)
{
	struct place here = *at;

	if (lua_isnil(c->L, idx))
		return true;
	if (!here.shown.t)
		here.shown = v;
	return conforms(c, idx, item(v, 0), &here);
}

static bool check_named(struct check *c, int idx, struct type_view v, const struct place *at)
{
	struct place here = *at;
	struct type_view meaning;

	if (!here.shown.t)
		here.shown = v;
	if (v.t->kind == TYPE_DECLARED) {
		if (type_nparams(v.t) && !v.frame)
			return mismatch(c, &here, v, luaL_typename(c->L, idx));
		return conforms(c, idx, item(v, 0), &here);
	}
	if (v.t->kind == TYPE_PARAM) {
		if (!v.frame || v.t->index >= v.frame->n)
			return mismatch(c, &here, v, luaL_typename(c->L, idx));
		return conforms(c, idx, v.frame->args[v.t->index], &here);
	}
	/* `self` keeps the arguments of the generic it stands in. */
	if (v.t->target)
		meaning = (struct type_view){v.t->target, v.t->name ? NULL : v.frame};
	else
		meaning = type_lookup(c->q, v.t);
	return conforms(c, idx, meaning, &here);
}

static bool conforms_here(struct check *c, int idx, struct type_view v, const struct place *at)
{
	switch (v.t->kind) {
	case TYPE_NAMED:
	case TYPE_PARAM:
	case TYPE_DECLARED:
		return check_named(c, idx, v, at);
	case TYPE_INSTANCE:
		return check_instance(c, idx, v, at);
	case TYPE_ARRAY:
	case TYPE_MAP:
	case TYPE_RECORD:
		return check_table(c, idx, v, at);
	case TYPE_UNION:
		return check_union(c, idx, v, at);
	case TYPE_INTERSECTION:
		return check_intersection(c, idx, v, at);
	case TYPE_OPTIONAL:
		return check_optional(c, idx, v, at);
	case TYPE_KEYOF:
		return check_keyof(c, idx, v, at);
	case TYPE_INDEX:
	case TYPE_CONDITIONAL:
		return check_computed(c, idx, v, at);
	case TYPE_VALIDATED:
		return check_validated(c, idx, v, at);
	case TYPE_LITERAL_BOOLEAN:
	case TYPE_LITERAL_STRING:
	case TYPE_LITERAL_NUMBER:
		if (equals_literal(c->L, idx, v.t))
			return true;
		return mismatch(c, at, v, luaL_typename(c->L, idx));
	default:
		if (is_primitive(c->L, idx, v.t))
			return true;
		return mismatch(c, at, v, luaL_typename(c->L, idx));
	}
}

static bool conforms(struct check *c, int idx, struct type_view v, const struct place *at)
{
	bool ok;

	if (c->exhausted)
		return false;
	if (++c->q->steps > TYPE_STEPS_MAX)
		return exhaust(c, "value too large to be checked");
	if (c->q->depth >= TYPE_DEPTH_MAX || !lua_checkstack(c->L, 6))
		return exhaust(c, "value or type too deeply nested to be checked");
	c->q->depth++;
	ok = conforms_here(c, idx, v, at);
	c->q->depth--;
	return ok;
}

bool type_conforms(struct type_query *q, int idx, struct type_view v, char message[static TYPE_MESSAGE_MAX])
{
	struct check c = {.q = q, .L = q->L, .message = message};
	struct place at = {0};

	message[0] = '\0';
	return conforms(&c, lua_absindex(q->L, idx), v, &at);
}
