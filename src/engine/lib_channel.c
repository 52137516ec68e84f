/*
 * lib_channel.c - the `channel` library: what programs call on channels.
 */
#include <stdint.h>

#include "base/alloc.h"
#include "engine/channel.h"
#include "engine/channel_state.h"
#include "engine/lua_api.h"
#include "engine/state.h"

/* A case of select: user values are the channel and the value to send. */
struct select_case {
	bool sends;
};

static void *test_type(lua_State *L, int idx, const void *metatable)
{
	void *p = lua_touserdata(L, idx);
	bool same;

	if (!p || !lua_getmetatable(L, idx))
		return NULL;
	same = lua_topointer(L, -1) == metatable;
	lua_pop(L, 1);
	return same ? p : NULL;
}

struct channel *channel_test(lua_State *L, int idx)
{
	return test_type(L, idx, thread_heap(L)->channel_meta_at);
}

struct channel *channel_make(lua_State *L, size_t capacity)
{
	struct channel *ch = lua_newuserdatauv(L, sizeof(*ch), 1);

	*ch = (struct channel){.heap = thread_heap(L), .first = 1, .anchor = LUA_NOREF};
	ch->capacity = capacity > UINT32_MAX ? UINT32_MAX : (uint32_t)capacity;
	list_init(&ch->receivers);
	list_init(&ch->senders);
	list_init(&ch->feed_link);
	lua_rawgeti(L, LUA_REGISTRYINDEX, ch->heap->channel_meta);
	lua_setmetatable(L, -2);
	return ch;
}

static __attribute__((noinline)) struct channel *check_channel_slowly(lua_State *L)
{
	struct channel *ch = channel_test(L, 1);

	if (!ch)
		raise_argument(L, 1, "channel expected");
	if (ch->holds > 0)
		ch->heap->last_held = ch;
	return ch;
}

static struct channel *check_channel(lua_State *L)
{
	struct channel *ch = lua_touserdata(L, 1);

	/* A held channel lives, so nothing else is at its address. */
	if (ch && ch == thread_heap(L)->last_held)
		return ch;
	return check_channel_slowly(L);
}

static int l_new(lua_State *L)
{
	lua_Number size = 0;
	int is_number = 1;

	if (!lua_isnoneornil(L, 1))
		size = lua_tonumberx(L, 1, &is_number);
	if (!is_number)
		return raise_argument(L, 1, lua_pushfstring(L, "number expected, got %s", luaL_typename(L, 1)));
	channel_make(L, size >= 1 ? (size < (lua_Number)UINT32_MAX ? (size_t)size : UINT32_MAX) : 0);
	return 1;
}

/* -- one channel --------------------------------------------------------------------------------------- */

static int push_closed(lua_State *L)
{
	struct err e = {0};

	err_set(&e, ERR_INVALID, "send on closed channel");
	return push_nil_and_err(L, &e);
}

static int finish_send(lua_State *L, struct pending *p)
{
	struct channel_wait *w = container_of(p, struct channel_wait, pending);
	bool ok = w->ok;

	channel_wait_free(w);
	if (!ok)
		return push_closed(L);
	lua_pushboolean(L, 1);
	return 1;
}

static int l_send(lua_State *L)
{
	struct channel *ch = check_channel(L);
	struct channel_wait *w;

	lua_settop(L, 2);
	switch (channel_try_send(L, ch, 1, 2)) {
	case CHANNEL_OK:
		lua_pushboolean(L, 1);
		return 1;
	case CHANNEL_CLOSED:
		return luaL_error(L, "send on closed channel");
	case CHANNEL_WOULD_BLOCK:
		break;
	}
	w = channel_wait_new(L, 1, false);
	channel_wait_set(w, 0, ch, true, 2);
	return wait_for(L, &w->pending, finish_send);
}

static int finish_receive(lua_State *L, struct pending *p)
{
	struct channel_wait *w = container_of(p, struct channel_wait, pending);
	bool ok = w->ok;

	channel_wait_free(w);
	/* The sender has pushed the value. */
	if (!ok)
		lua_pushnil(L);
	lua_pushboolean(L, ok);
	return 2;
}

static int l_receive(lua_State *L)
{
	struct channel *ch = check_channel(L);
	struct channel_wait *w;

	switch (channel_try_receive(L, ch, 1)) {
	case CHANNEL_OK:
		lua_pushboolean(L, 1);
		return 2;
	case CHANNEL_CLOSED:
		lua_pushnil(L);
		lua_pushboolean(L, 0);
		return 2;
	case CHANNEL_WOULD_BLOCK:
		break;
	}
	if (channel_supply(L, ch)) {
		lua_pushboolean(L, 1);
		return 2;
	}
	w = channel_wait_new(L, 1, false);
	channel_wait_set(w, 0, ch, false, 0);
	return wait_for(L, &w->pending, finish_receive);
}

static int l_close(lua_State *L)
{
	channel_close(check_channel(L));
	return 0;
}

/* -- select -------------------------------------------------------------------------------------------- */

static int make_case(lua_State *L, bool sends)
{
	struct select_case *c;

	check_channel(L);
	lua_settop(L, 2);
	c = lua_newuserdatauv(L, sizeof(*c), 2);
	c->sends = sends;
	lua_pushvalue(L, 1);
	lua_setiuservalue(L, -2, 1);
	lua_pushvalue(L, 2);
	lua_setiuservalue(L, -2, 2);
	lua_rawgeti(L, LUA_REGISTRYINDEX, thread_heap(L)->case_meta);
	lua_setmetatable(L, -2);
	return 1;
}

static int l_case_send(lua_State *L)
{
	return make_case(L, true);
}

static int l_case_receive(lua_State *L)
{
	return make_case(L, false);
}

/* Push the result for the case at stack index `c`; the value, if any, is on top and stays below the result. */
static int push_result(lua_State *L, int c, bool with_value, bool ok)
{
	int value = lua_gettop(L);

	lua_createtable(L, 0, 3);
	lua_getiuservalue(L, c, 1);
	lua_setfield(L, -2, "channel");
	if (with_value) {
		lua_pushvalue(L, value);
		lua_setfield(L, -2, "value");
	}
	lua_pushboolean(L, ok);
	lua_setfield(L, -2, "ok");
	return 1;
}

/* Decide the case on top of the stack if it is ready. */
static bool try_case(lua_State *L)
{
	int c = lua_gettop(L);
	struct select_case *sc = lua_touserdata(L, c);
	struct channel *ch;

	lua_getiuservalue(L, c, 1);
	ch = lua_touserdata(L, -1);
	if (sc->sends) {
		lua_getiuservalue(L, c, 2);
		if (channel_try_send(L, ch, c + 1, c + 2) == CHANNEL_OK) {
			push_result(L, c, true, true);
			return true;
		}
	} else {
		enum channel_result r = channel_try_receive(L, ch, c + 1);

		if (r != CHANNEL_WOULD_BLOCK) {
			push_result(L, c, r == CHANNEL_OK, r == CHANNEL_OK);
			return true;
		}
	}
	lua_settop(L, c);
	return false;
}

/* The same for a case to receive, when none was ready. */
static bool supply_case(lua_State *L, int c)
{
	struct select_case *sc = lua_touserdata(L, c);
	struct channel *ch;

	if (sc->sends)
		return false;
	lua_getiuservalue(L, c, 1);
	ch = lua_touserdata(L, -1);
	lua_pop(L, 1);
	if (!channel_supply(L, ch))
		return false;
	push_result(L, c, true, true);
	return true;
}

static int finish_select(lua_State *L, struct pending *p)
{
	struct channel_wait *w = container_of(p, struct channel_wait, pending);
	struct channel_case *c = &w->cases[w->fired];
	bool ok = w->ok, sends = c->sends;
	int index = c->index;

	channel_wait_free(w);
	if (sends && !ok)
		return push_closed(L);
	if (sends)
		lua_getiuservalue(L, index, 2);
	return push_result(L, index, ok, ok);
}

static int l_select(lua_State *L)
{
	struct channel_wait *w;
	lua_Integer n;
	bool has_default;
	int first, last;

	if (!lua_istable(L, 1))
		return raise_argument(L, 1, lua_pushfstring(L, "table expected, got %s", luaL_typename(L, 1)));
	lua_settop(L, 2);
	has_default = lua_isboolean(L, 2) && lua_toboolean(L, 2);
	lua_getfield(L, 1, "default");
	has_default = has_default || (lua_isboolean(L, -1) && lua_toboolean(L, -1));
	lua_settop(L, 2);
	n = (lua_Integer)lua_rawlen(L, 1);
	/* The cases go on the stack, where they keep channels and values alive whatever becomes of the table. */
	luaL_checkstack(L, n < LUAI_MAXSTACK ? (int)n + 8 : LUAI_MAXSTACK, "too many cases");
	first = lua_gettop(L) + 1;
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, 1, i);
		if (!test_type(L, -1, thread_heap(L)->case_meta_at)) {
			lua_pop(L, 1);
			continue;
		}
		if (try_case(L))
			return 1;
	}
	last = lua_gettop(L);
	if (has_default) {
		lua_createtable(L, 0, 2);
		lua_pushboolean(L, 1);
		lua_setfield(L, -2, "default");
		lua_pushboolean(L, 1);
		lua_setfield(L, -2, "ok");
		return 1;
	}
	for (int i = first; i <= last; i++) {
		if (supply_case(L, i))
			return 1;
	}
	w = channel_wait_new(L, (uint32_t)(last - first + 1), true);
	for (int i = first; i <= last; i++) {
		struct select_case *sc = lua_touserdata(L, i);
		struct channel *ch;

		lua_getiuservalue(L, i, 1);
		ch = lua_touserdata(L, -1);
		lua_pop(L, 1);
		/* Closed for sending is never ready, now or later. */
		if (sc->sends && ch->closed)
			continue;
		channel_wait_set(w, (uint32_t)(i - first), ch, sc->sends, i);
	}
	return wait_for(L, &w->pending, finish_select);
}

/* -- registration -------------------------------------------------------------------------------------- */

/* A registry reference to it. */
static int make_metatable(lua_State *L, const char *name, const luaL_Reg *methods, const void **ret_at)
{
	lua_createtable(L, 0, 4);
	lua_newtable(L);
	luaL_setfuncs(L, methods, 0);
	lua_setfield(L, -2, "__index");
	lua_pushstring(L, name);
	lua_setfield(L, -2, "__name");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	*ret_at = lua_topointer(L, -1);
	return luaL_ref(L, LUA_REGISTRYINDEX);
}

void channel_init(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"case_receive", l_case_receive},
		{"case_send", l_case_send},
		{"close", l_close},
		{"receive", l_receive},
		{"send", l_send},
		{NULL, NULL},
	};
	static const luaL_Reg none[] = {{NULL, NULL}};

	struct heap *h = thread_heap(L);

	h->channel_meta = make_metatable(L, "channel", methods, &h->channel_meta_at);
	h->case_meta = make_metatable(L, "channel.case", none, &h->case_meta_at);
}

int channel_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"new", l_new},
		{"select", l_select},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	return 1;
}
