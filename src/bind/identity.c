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
