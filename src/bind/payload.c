#include "bind/payload.h"

#include "engine/lua_api.h"

static const char payload_type[] = "payload.Payload";

struct payload {
	struct packed *packed;
	unsigned index;
};

static int l_data(lua_State *L)
{
	const struct payload *p = handle_check(L, 1, payload_type);

	packed_push_at(L, p->packed, p->index);
	return 1;
}

static int payload_gc(lua_State *L)
{
	struct payload *p = lua_touserdata(L, 1);

	packed_unref(p->packed);
	p->packed = NULL;
	return 0;
}

void payload_register(lua_State *L)
{
	static const luaL_Reg methods[] = {{"data", l_data}, {NULL, NULL}};

	handle_register(L, payload_type, methods, payload_gc);
}

void payload_push(lua_State *L, struct packed *packed, unsigned i)
{
	struct payload *p = handle_new(L, payload_type, sizeof(*p));

	p->packed = packed_ref(packed);
	p->index = i;
}

void payload_push_all(lua_State *L, struct packed *packed)
{
	unsigned n = packed_count(packed);

	if (n == 0) {
		lua_pushnil(L);
	} else if (n == 1) {
		payload_push(L, packed, 0);
	} else {
		lua_createtable(L, (int)n, 0);
		for (unsigned i = 0; i < n; i++) {
			payload_push(L, packed, i);
			lua_rawseti(L, -2, (lua_Integer)i + 1);
		}
	}
}
