#include "bind/system.h"

#include <string.h>

#include "actor/service_table.h"
#include "base/alloc.h"
#include "bind/current.h"
#include "bind/node.h"
#include "engine/lua_api.h"

static const char guard_type[] = "system.service_list";

/* Owned by Lua while tables are made of it, which may raise. */
struct service_list {
	struct service_status *items;
	size_t count;
};

static int list_gc(lua_State *L)
{
	struct service_list *l = lua_touserdata(L, 1);

	service_statuses_free(l->items, l->count);
	*l = (struct service_list){0};
	return 0;
}

static struct service_list *push_guard(lua_State *L)
{
	handle_register(L, guard_type, NULL, list_gc);
	return handle_new(L, guard_type, sizeof(struct service_list));
}

static void set_integer(lua_State *L, const char *name, int64_t i)
{
	lua_pushinteger(L, (lua_Integer)i);
	lua_setfield(L, -2, name);
}

static void set_text(lua_State *L, const char *name, const char *text)
{
	lua_pushstring(L, text);
	lua_setfield(L, -2, name);
}

static void push_status(lua_State *L, const struct service_status *s)
{
	lua_createtable(L, 0, 7);
	set_text(L, "id", s->id);
	set_text(L, "status", s->status);
	set_text(L, "desired", s->desired);
	set_integer(L, "retry_count", s->retry_count);
	set_integer(L, "last_update", s->last_update_ns);
	set_integer(L, "started_at", s->started_at_ns);
	if (s->details)
		set_text(L, "details", s->details);
}

/* The table, or NULL and `e`. */
static struct service_table *services(lua_State *L, struct err *e)
{
	struct service_table *t = current_node(L)->services;

	if (!t)
		err_set(e, ERR_INTERNAL, "supervisor not available");
	return t;
}

int system_supervisor_state(lua_State *L)
{
	size_t len;
	const char *id = luaL_checklstring(L, 1, &len);
	struct service_table *t;
	struct service_list *l;
	struct err e = {0};

	SYSTEM_REQUIRE(L, "system.read", "supervisor");
	t = services(L, &e);
	if (!t)
		return push_nil_and_err(L, &e);
	if (len == 0) {
		err_set(&e, ERR_INVALID, "service ID required");
		return push_nil_and_err(L, &e);
	}
	l = push_guard(L);
	l->items = xcalloc(1, sizeof(*l->items));
	if (strlen(id) != len || !service_table_get(t, id, l->items)) {
		err_set(&e, ERR_NOT_FOUND, "service not found: %.256s", id);
		return push_nil_and_err(L, &e);
	}
	l->count = 1;
	push_status(L, l->items);
	lua_pushnil(L);
	return 2;
}

int system_supervisor_states(lua_State *L)
{
	struct service_table *t;
	struct service_list *l;
	struct err e = {0};

	SYSTEM_REQUIRE(L, "system.read", "supervisor");
	t = services(L, &e);
	if (!t)
		return push_nil_and_err(L, &e);
	l = push_guard(L);
	l->count = service_table_list(t, &l->items);
	lua_createtable(L, (int)l->count, 0);
	for (size_t i = 0; i < l->count; i++) {
		push_status(L, &l->items[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_pushnil(L);
	return 2;
}
