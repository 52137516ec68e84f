#include "bind/system.h"

#include "bind/current.h"
#include "engine/lua_api.h"

static const char guard_type[] = "system.networks";

static int guard_gc(lua_State *L)
{
	struct value **v = lua_touserdata(L, 1);

	value_unref(*v);
	*v = NULL;
	return 0;
}

/* Push `v` (taken) as tables, and nil. Making tables may raise: meanwhile Lua owns the tree. */
static int push_taken(lua_State *L, struct value *v)
{
	struct value **guard;

	handle_register(L, guard_type, NULL, guard_gc);
	guard = handle_new(L, guard_type, sizeof(*guard));
	*guard = v;
	value_push(L, v);
	lua_pushnil(L);
	return 2;
}

int system_network_state(lua_State *L)
{
	const char *id = luaL_checkstring(L, 1);
	struct err e = {0};
	struct overlay *o;
	struct value *v;

	SYSTEM_REQUIRE(L, "system.read", "network");
	o = overlay_set_get(current_node(L)->overlays, id);
	if (!o) {
		err_set(&e, ERR_NOT_FOUND, "network not found: %.256s", id);
		return push_nil_and_err(L, &e);
	}
	v = overlay_describe(o);
	overlay_unref(o);
	return push_taken(L, v);
}

int system_network_states(lua_State *L)
{
	SYSTEM_REQUIRE(L, "system.read", "network");
	return push_taken(L, overlay_set_describe(current_node(L)->overlays));
}
