#include "bind/identity.h"

#include "engine/lua_api.h"

struct identity *actor_at(lua_State *L, int idx)
{
	struct identity **p = luaL_testudata(L, idx, BIND_ACTOR_TYPE);

	return p ? *p : NULL;
}

struct scope *scope_at(lua_State *L, int idx)
{
	struct scope **p = luaL_testudata(L, idx, BIND_SCOPE_TYPE);

	return p ? *p : NULL;
}

struct policy *policy_at(lua_State *L, int idx)
{
	struct policy **p = luaL_testudata(L, idx, BIND_POLICY_TYPE);

	return p ? *p : NULL;
}

void actor_push(lua_State *L, struct identity *actor)
{
	if (actor)
		*(struct identity **)handle_new(L, BIND_ACTOR_TYPE, sizeof(actor)) = identity_ref(actor);
	else
		lua_pushnil(L);
}

void scope_push(lua_State *L, struct scope *scope)
{
	if (scope)
		*(struct scope **)handle_new(L, BIND_SCOPE_TYPE, sizeof(scope)) = scope_ref(scope);
	else
		lua_pushnil(L);
}

void policy_push(lua_State *L, struct policy *policy)
{
	if (policy)
		*(struct policy **)handle_new(L, BIND_POLICY_TYPE, sizeof(policy)) = policy_ref(policy);
	else
		lua_pushnil(L);
}
