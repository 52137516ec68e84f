/* Reflection: what a type is made of, as type values. Methods that do not apply give nil. */
#include "engine/type_reflect.h"

#include <lauxlib.h>

static const struct type_value *self_of(lua_State *L)
{
	const struct type_value *value = type_value_at(L, 1);

	luaL_argexpected(L, value, 1, "type");
	lua_settop(L, 1);
	return value;
}

/* The structure behind names; a generic that lacks its arguments stays as it is. */
static struct type_view structure_of(struct type_query *q, struct type_view v)
{
	struct type_view found = type_resolve(q, v);

	return found.t ? found : v;
}

static int l_kind(lua_State *L)
{
	const struct type_value *value = self_of(L);
	struct type_query q;
	struct type_view v;

	type_query_init(&q, L, 1);
	if (value->v.t->kind == TYPE_DECLARED && value->v.frame) {
		lua_pushliteral(L, "instantiated");
		return 1;
	}
	v = value->v;
	/* An alias of an instance is one. */
	while (v.t->kind == TYPE_DECLARED && type_nparams(v.t) == 0)
		v.t = v.t->items[0];
	if (v.t->kind != TYPE_INSTANCE)
		v = structure_of(&q, v);
	lua_pushstring(L, type_kind_name(v.t));
	return 1;
}

static int l_name(lua_State *L)
{
	const struct type_value *value = self_of(L);
	const struct type *t = value->v.t;

	if (t->kind <= TYPE_ERROR && !t->n)
		lua_pushstring(L, type_kind_name(t));
	else if ((t->kind == TYPE_DECLARED && !value->v.frame) || (t->kind == TYPE_NAMED && t->name))
		lua_pushlstring(L, t->name, t->len);
	else
		lua_pushnil(L);
	return 1;
}

/* Item `index` of the structure if it is of that kind. */
static int push_item(lua_State *L, enum type_kind kind, uint32_t index)
{
	const struct type_value *value = self_of(L);
	struct type_query q;
	struct type_view v;

	type_query_init(&q, L, 1);
	v = structure_of(&q, value->v);
	if (v.t->kind != kind || index >= v.t->n)
		return 0;
	type_push_part(L, &q, (struct type_view){v.t->items[index], v.frame}, 1);
	return 1;
}

static int l_elem(lua_State *L)
{
	return push_item(L, TYPE_ARRAY, 0);
}

static int l_key(lua_State *L)
{
	return push_item(L, TYPE_MAP, 0);
}

static int l_val(lua_State *L)
{
	return push_item(L, TYPE_MAP, 1);
}

static int l_inner(lua_State *L)
{
	return push_item(L, TYPE_OPTIONAL, 0);
}

static int l_ret(lua_State *L)
{
	const struct type_value *value = self_of(L);
	struct type_query q;
	struct type_view v;

	type_query_init(&q, L, 1);
	v = structure_of(&q, value->v);
	if (v.t->kind != TYPE_FUNCTION || !v.t->n)
		return 0;
	type_push_part(L, &q, (struct type_view){v.t->items[v.t->n - 1], v.frame}, 1);
	return 1;
}

/* The list of pairs gathered below is the upvalue, then how many values each step gives, then the position. */
static int l_step(lua_State *L)
{
	int width = (int)lua_tointeger(L, lua_upvalueindex(2));
	lua_Integer at = lua_tointeger(L, lua_upvalueindex(3));

	lua_pushinteger(L, at + width);
	lua_replace(L, lua_upvalueindex(3));
	lua_settop(L, 0);
	for (int i = 1; i <= width; i++)
		lua_rawgeti(L, lua_upvalueindex(1), at + i);
	return width;
}

static int push_iterator(lua_State *L, int width)
{
	lua_pushinteger(L, width);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, l_step, 3);
	return 1;
}

static int l_fields(lua_State *L)
{
	const struct type_value *value = self_of(L);
	struct type_query q;
	struct type_view v;

	type_query_init(&q, L, 1);
	v = structure_of(&q, value->v);
	if (v.t->kind != TYPE_RECORD)
		return 0;
	lua_createtable(L, (int)v.t->n * 2, 0);
	for (uint32_t i = 0; i < v.t->n; i++) {
		const struct type *f = v.t->items[i];

		lua_pushlstring(L, f->name, f->len);
		lua_rawseti(L, -2, i * 2 + 1);
		type_push_part(L, &q, (struct type_view){f->items[0], v.frame}, 1);
		lua_rawseti(L, -2, i * 2 + 2);
	}
	return push_iterator(L, 2);
}

static int push_parts(lua_State *L, struct type_query *q, struct type_view v, uint32_t n)
{
	lua_createtable(L, (int)n, 0);
	for (uint32_t i = 0; i < n; i++) {
		type_push_part(L, q, (struct type_view){v.t->items[i], v.frame}, 1);
		lua_rawseti(L, -2, i + 1);
	}
	return push_iterator(L, 1);
}

static int l_variants(lua_State *L)
{
	const struct type_value *value = self_of(L);
	struct type_query q;
	struct type_view v;

	type_query_init(&q, L, 1);
	v = structure_of(&q, value->v);
	if (v.t->kind != TYPE_UNION && v.t->kind != TYPE_INTERSECTION)
		return 0;
	return push_parts(L, &q, v, v.t->n);
}

static int l_params(lua_State *L)
{
	const struct type_value *value = self_of(L);
	struct type_query q;
	struct type_view v;

	type_query_init(&q, L, 1);
	v = structure_of(&q, value->v);
	if (v.t->kind != TYPE_FUNCTION || !v.t->n)
		return 0;
	return push_parts(L, &q, v, v.t->n - 1);
}

static int l_tparams(lua_State *L)
{
	const struct type_value *value = self_of(L);
	struct type_query q;
	struct type_view v = value->v;
	uint32_t n = type_nparams(v.t);

	type_query_init(&q, L, 1);
	if (n == 0 || v.frame)
		return 0;
	lua_createtable(L, (int)n * 2, 0);
	for (uint32_t i = 0; i < n; i++) {
		const struct type *p = v.t->items[i + 1];

		lua_pushlstring(L, p->name, p->len);
		lua_rawseti(L, -2, i * 2 + 1);
		if (p->n) {
			type_push_part(L, &q, (struct type_view){.t = p->items[0]}, 1);
			lua_rawseti(L, -2, i * 2 + 2);
		}
	}
	return push_iterator(L, 2);
}

void type_push_reflection(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"kind", l_kind},
		{"name", l_name},
		{"elem", l_elem},
		{"key", l_key},
		{"val", l_val},
		{"inner", l_inner},
		{"ret", l_ret},
		{"fields", l_fields},
		{"variants", l_variants},
		{"params", l_params},
		{"tparams", l_tparams},
		{NULL, NULL},
	};

	luaL_newlib(L, methods);
}
