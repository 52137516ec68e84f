/*
 * Types as Lua values: the userdata, its calls and operators, and `typeof`.
 *
 * User values of a type: 1 what its memory belongs to (a set, or the type it was taken from), 2 the global table for
 * names declared elsewhere, 3 its `is` function once asked for.
 */
#include "engine/type.h"

#include <lauxlib.h>
#include <string.h>

#include "engine/type_node.h"
#include "engine/type_reflect.h"

enum { UV_OWNER = 1, UV_ENV, UV_IS, UV_COUNT = UV_IS };

/* Where the registry keeps the metatables, and `typeof` itself. */
static const char value_key, set_key, scope_key, typeof_key;

/* At index 1 of a table of types: the set they are from. */
enum { SCOPE_SET = 1 };

struct type_value *type_value_at(lua_State *L, int idx)
{
	void *p;

	idx = lua_absindex(L, idx);
	if (lua_type(L, idx) != LUA_TUSERDATA || !lua_getmetatable(L, idx))
		return NULL;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &value_key);
	p = lua_rawequal(L, -1, -2) ? lua_touserdata(L, idx) : NULL;
	lua_pop(L, 2);
	return p;
}

bool type_is_value(lua_State *L, int idx)
{
	return type_value_at(L, idx) != NULL;
}

static const struct type_value *check_value(lua_State *L, int arg)
{
	const struct type_value *value = type_value_at(L, arg);

	luaL_argexpected(L, value, arg, "type");
	return value;
}

/* Pushes the type's global table too, if it has one, for as long as the query lasts. */
static void query_init(struct type_query *q, lua_State *L, int type_idx)
{
	q->L = L;
	q->env = q->keep = 0;
	q->steps = q->depth = q->nframes = 0;
	if (lua_getiuservalue(L, type_idx, UV_ENV) == LUA_TTABLE)
		q->env = lua_gettop(L);
}

void type_query_init(struct type_query *q, lua_State *L, int type_idx)
{
	query_init(q, L, type_idx);
	if (!q->env)
		return;
	lua_newtable(L);
	q->keep = lua_gettop(L);
}

/* A type without memory of its own yet: the caller fills `v` and the user values. */
static struct type_value *push_new(lua_State *L, uint32_t nargs)
{
	struct type_value *value = lua_newuserdatauv(L, sizeof(*value) + nargs * sizeof(struct type_view), UV_COUNT);

	value->v = (struct type_view){.t = &type_any};
	value->frame = (struct type_frame){value->args, nargs};
	lua_rawgetp(L, LUA_REGISTRYINDEX, &value_key);
	lua_setmetatable(L, -2);
	return value;
}

static bool is_of_query(const struct type_query *q, const struct type_frame *frame)
{
	return frame >= q->frames && frame < q->frames + TYPE_FRAMES_MAX;
}

/* Copy the frames a view has from a query into userdata of their own, each kept by the one that needs it. */
static void persist(lua_State *L, const struct type_query *q, struct type_view *v, int owner)
{
	const struct type_frame *from = v->frame;
	struct type_value *holder;
	int at;

	luaL_checkstack(L, 6, "type too deeply nested");
	holder = push_new(L, from->n);
	at = lua_gettop(L);
	lua_createtable(L, (int)from->n + 1, 0);
	lua_pushvalue(L, owner);
	lua_rawseti(L, -2, 1);
	for (uint32_t i = 0; i < from->n; i++) {
		holder->args[i] = from->args[i];
		if (is_of_query(q, holder->args[i].frame)) {
			persist(L, q, &holder->args[i], owner);
			lua_rawseti(L, -2, i + 2);
		}
	}
	lua_setiuservalue(L, at, UV_OWNER);
	v->frame = &holder->frame;
}

void type_push_part(lua_State *L, const struct type_query *q, struct type_view v, int of)
{
	struct type_value *value;

	of = lua_absindex(L, of);
	if (is_of_query(q, v.frame)) {
		persist(L, q, &v, of);
	} else {
		lua_pushvalue(L, of);
	}
	/* What is found through the global table may be replaced there. */
	if (q->keep && lua_rawlen(L, q->keep) > 0) {
		lua_createtable(L, 2, 0);
		lua_insert(L, -2);
		lua_rawseti(L, -2, 1);
		lua_pushvalue(L, q->keep);
		lua_rawseti(L, -2, 2);
	}
	value = push_new(L, 0);
	value->v = v;
	lua_insert(L, -2);
	lua_setiuservalue(L, -2, UV_OWNER);
	lua_getiuservalue(L, of, UV_ENV);
	lua_setiuservalue(L, -2, UV_ENV);
}

/* Does the value at `idx` conform to the type value at `type_idx`? If not, *ret_message is the reason, as T:is() gives
 * it; pushed on the stack, which is otherwise as before. */
static bool type_check(lua_State *L, int idx, int type_idx, const char **ret_message)
{
	const struct type_value *value;
	struct type_query q;
	char message[TYPE_MESSAGE_MAX];
	bool ok;

	idx = lua_absindex(L, idx);
	type_idx = lua_absindex(L, type_idx);
	value = type_value_at(L, type_idx);
	query_init(&q, L, type_idx);
	ok = type_conforms(&q, idx, value->v, message);
	lua_pop(L, 1);
	if (!ok) {
		lua_pushstring(L, message);
		*ret_message = lua_tostring(L, -1);
	}
	return ok;
}

static void push_name(lua_State *L, const struct type_value *value)
{
	struct buf text = BUF_INIT;
	char copy[1024];
	size_t len;

	/* Bounded, so that a copy on the C stack lets the buffer go before anything can raise. */
	type_write(value->v.t, value->v.frame, &text);
	len = buf_len(&text) < sizeof(copy) ? buf_len(&text) : sizeof(copy);
	memcpy(copy, buf_data(&text), len);
	buf_done(&text);
	lua_pushlstring(L, copy, len);
}

static int l_tostring(lua_State *L)
{
	push_name(L, check_value(L, 1));
	return 1;
}

/* T(...) where all arguments are types. */
static int instantiate(lua_State *L, const struct type_value *generic)
{
	int n = lua_gettop(L) - 1;
	struct type_value *value;

	push_name(L, generic);
	if (type_nparams(generic->v.t) == 0 || generic->v.frame)
		return luaL_error(L, "type %s is not generic", lua_tostring(L, -1));
	if ((uint32_t)n != type_nparams(generic->v.t) || n > TYPE_PARAMS_MAX)
		return luaL_error(L, "type %s expects %d type arguments, got %d", lua_tostring(L, -1),
			(int)type_nparams(generic->v.t), n);
	lua_pop(L, 1);
	value = push_new(L, (uint32_t)n);
	for (int i = 0; i < n; i++) {
		const struct type_value *arg = type_value_at(L, i + 2);

		/* nil among them is the type of that name. */
		static const struct type nil = {.kind = TYPE_NIL};

		value->args[i] = arg ? arg->v : (struct type_view){.t = &nil};
	}
	value->v = (struct type_view){generic->v.t, &value->frame};
	/* The generic and the arguments live as long as this does; any of them may know where names are. */
	lua_createtable(L, n + 1, 0);
	for (int i = 1; i <= n + 1; i++) {
		lua_pushvalue(L, i);
		lua_rawseti(L, -2, i);
		if (type_value_at(L, i) && lua_getiuservalue(L, i, UV_ENV) == LUA_TTABLE)
			lua_setiuservalue(L, -3, UV_ENV);
		else if (type_value_at(L, i))
			lua_pop(L, 1);
	}
	lua_setiuservalue(L, -2, UV_OWNER);
	return 1;
}

static bool are_types(lua_State *L, int first)
{
	bool any = false;

	for (int i = first; i <= lua_gettop(L); i++) {
		if (type_value_at(L, i))
			any = true;
		else if (!lua_isnil(L, i))
			return false;
	}
	return any;
}

static int l_call(lua_State *L)
{
	const struct type_value *value = check_value(L, 1);
	const char *message;
	int n = lua_gettop(L) - 1;

	if (n == 0) {
		push_name(L, value);
		return luaL_error(L, "type %s expects at least 1 argument", lua_tostring(L, -1));
	}
	if (are_types(L, 2))
		return instantiate(L, value);
	if (n > 1) {
		push_name(L, value);
		return luaL_error(L, "type %s expects 1 argument, got %d", lua_tostring(L, -1), n);
	}
	if (!type_check(L, 2, 1, &message))
		return luaL_error(L, "%s", message);
	return 1; /* the value is on top */
}

/* T:is(v) and T.is(v); T is the upvalue. */
static int l_is(lua_State *L)
{
	const char *message;
	int type_idx = lua_upvalueindex(1);
	int arg = lua_rawequal(L, 1, type_idx) ? 2 : 1;

	lua_settop(L, arg);
	lua_pushvalue(L, type_idx);
	if (!type_check(L, arg, arg + 1, &message)) {
		lua_pushnil(L);
		lua_insert(L, -2);
		return 2;
	}
	lua_pushvalue(L, arg);
	lua_pushnil(L);
	return 2;
}

static int l_index(lua_State *L)
{
	const struct type_value *value = check_value(L, 1);
	struct type_query q;
	struct type_view field;
	const char *name;
	size_t len;

	if (lua_type(L, 2) != LUA_TSTRING)
		return 0;
	name = lua_tolstring(L, 2, &len);
	if (strcmp(name, "is") == 0) {
		if (lua_getiuservalue(L, 1, UV_IS) == LUA_TNIL) {
			lua_pushvalue(L, 1);
			lua_pushcclosure(L, l_is, 1);
			lua_pushvalue(L, -1);
			lua_setiuservalue(L, 1, UV_IS);
		}
		return 1;
	}
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
		return 1;
	type_query_init(&q, L, 1);
	field = type_field(&q, value->v, name, len);
	if (!field.t)
		return 0;
	type_push_part(L, &q, field, 1);
	return 1;
}

static bool is_subtype(lua_State *L, int a, int b)
{
	const struct type_value *x = check_value(L, a);
	const struct type_value *y = check_value(L, b);
	struct type_query q;

	query_init(&q, L, a);
	return type_is_subtype(&q, x->v, y->v);
}

static int l_eq(lua_State *L)
{
	lua_pushboolean(L, type_is_value(L, 1) && type_is_value(L, 2) && is_subtype(L, 1, 2) && is_subtype(L, 2, 1));
	return 1;
}

static int l_le(lua_State *L)
{
	lua_pushboolean(L, is_subtype(L, 1, 2));
	return 1;
}

static int l_lt(lua_State *L)
{
	lua_pushboolean(L, is_subtype(L, 1, 2) && !is_subtype(L, 2, 1));
	return 1;
}

static int l_set_gc(lua_State *L)
{
	type_set_done(lua_touserdata(L, 1));
	return 0;
}

/* Fill the table on top with the types of the set at `set_idx`. */
static void add_declared(lua_State *L, int set_idx, int env_idx)
{
	const struct type_set *set = lua_touserdata(L, set_idx);

	for (uint32_t i = 0; i < set->ndeclared; i++) {
		push_new(L, 0)->v = (struct type_view){.t = set->declared[i]};
		lua_pushvalue(L, set_idx);
		lua_setiuservalue(L, -2, UV_OWNER);
		if (env_idx) {
			lua_pushvalue(L, env_idx);
			lua_setiuservalue(L, -2, UV_ENV);
		}
		lua_setfield(L, -2, set->declared[i]->name);
	}
	lua_pushvalue(L, set_idx);
	lua_rawseti(L, -2, SCOPE_SET);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &scope_key);
	lua_setmetatable(L, -2);
}

/* types(_ENV) and types(_ENV, name) */
static int l_scope_call(lua_State *L)
{
	const struct type_set *set;

	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checktype(L, 2, LUA_TTABLE);
	if (lua_gettop(L) == 2) {
		lua_rawgeti(L, 1, SCOPE_SET);
		set = lua_touserdata(L, 3);
		if (!set->is_foreign) {
			lua_settop(L, 1);
			return 1;
		}
		lua_createtable(L, 1, (int)set->ndeclared);
		add_declared(L, 3, 2);
		return 1;
	}
	lua_settop(L, 3);
	lua_pushvalue(L, 3);
	if (lua_rawget(L, 2) == LUA_TNIL) {
		lua_pushvalue(L, 3);
		lua_pushvalue(L, 3);
		lua_rawget(L, 1);
		lua_rawset(L, 2);
	}
	return 0;
}

/* typeof(text) */
static int l_typeof_call(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 2, &len);
	struct type_set *set = lua_newuserdatauv(L, sizeof(*set), 0);
	struct err e = {0};

	*set = (struct type_set){0};
	lua_rawgetp(L, LUA_REGISTRYINDEX, &set_key);
	lua_setmetatable(L, -2);
	luaL_checkstack(L, 8, NULL);
	if (type_set_read(set, L, text, len, &e) < 0)
		return luaL_error(L, "%s", e.text);
	lua_createtable(L, 1, (int)set->ndeclared);
	add_declared(L, 3, 0);
	return 1;
}

static void make_metatables(lua_State *L)
{
	static const luaL_Reg value_methods[] = {{"__call", l_call}, {"__tostring", l_tostring}, {"__eq", l_eq},
		{"__lt", l_lt}, {"__le", l_le}, {NULL, NULL}};

	luaL_newlib(L, value_methods);
	lua_pushliteral(L, "type");
	lua_setfield(L, -2, "__name");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	type_push_reflection(L);
	lua_pushcclosure(L, l_index, 1);
	lua_setfield(L, -2, "__index");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &value_key);

	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, l_set_gc);
	lua_setfield(L, -2, "__gc");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &set_key);

	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, l_scope_call);
	lua_setfield(L, -2, "__call");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &scope_key);
}

int type_open(lua_State *L)
{
	static const struct type primitives[] = {
		{.kind = TYPE_BOOLEAN},
		{.kind = TYPE_NUMBER},
		{.kind = TYPE_INTEGER},
		{.kind = TYPE_STRING},
		{.kind = TYPE_ANY},
		{.kind = TYPE_UNKNOWN},
		{.kind = TYPE_NEVER},
	};

	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &typeof_key) == LUA_TTABLE)
		return 1;
	lua_pop(L, 1);
	make_metatables(L);
	lua_createtable(L, 0, 8);
	for (size_t i = 0; i < sizeof(primitives) / sizeof(primitives[0]); i++) {
		push_new(L, 0)->v = (struct type_view){.t = &primitives[i]};
		lua_setfield(L, -2, type_kind_name(&primitives[i]));
	}
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, l_typeof_call);
	lua_setfield(L, -2, "__call");
	lua_setmetatable(L, -2);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &typeof_key);
	return 1;
}
