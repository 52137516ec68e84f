#include "bind/store_call.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/current.h"
#include "bind/store_data.h"
#include "engine/lua_api.h"

static const char guard_type[] = "bind.store_call";

/* One operation. Lives apart from the object, which may be released meanwhile. */
struct store_call {
	struct pending pending;
	struct store_wait *wait; /* NULL: answered */
	struct store_answer answer;
	const char *name;    /* "get", for errors */
	bool false_on_error; /* instead of nil */
	/* Push the results; -1 with `e`. */
	store_call_fn *finish;
};

static void call_free(struct store_call *c)
{
	store_answer_done(&c->answer);
	free(c);
}

static void on_answer(void *arg, struct store_answer *a)
{
	struct store_call *c = arg;

	c->wait = NULL;
	c->answer = *a;
	a->entries = NULL;
	a->count = 0;
	pending_ready(&c->pending);
}

static void call_cancel(struct pending *p)
{
	struct store_call *c = container_of(p, struct store_call, pending);

	if (c->wait)
		store_cancel(c->wait);
	call_free(c);
}

static int guard_gc(lua_State *L)
{
	struct store_call **guard = lua_touserdata(L, 1);

	if (*guard)
		call_free(*guard);
	*guard = NULL;
	return 0;
}

static int push_failed(lua_State *L, const struct store_call *c, struct err *e)
{
	err_prefix(e, "store %s", c->name);
	if (!c->false_on_error)
		return push_nil_and_err(L, e);
	lua_pushboolean(L, false);
	push_err(L, e);
	return 2;
}

/* Pushing results may raise: a userdata owns the call meanwhile. */
static int call_finish(lua_State *L, struct pending *p)
{
	struct store_call *c = container_of(p, struct store_call, pending);
	struct store_call **guard = handle_new(L, guard_type, sizeof(*guard));
	struct err e = c->answer.err;
	int n;

	*guard = c;
	n = c->answer.rc < 0 ? -1 : c->finish(L, c, &e);
	if (n < 0)
		n = push_failed(L, c, &e);
	*guard = NULL;
	call_free(c);
	return n;
}

int store_call(lua_State *L, struct store *s, const struct store_request *r, const char *name, bool false_on_error,
	store_call_fn *finish)
{
	struct store_call *c = xcalloc(1, sizeof(*c));

	c->pending.cancel = call_cancel;
	c->name = name;
	c->false_on_error = false_on_error;
	c->finish = finish;
	if (store_info(s)->waits && !wait_is_possible(L)) { /* it raises: nothing may have begun */
		store_data_unref(r->data);
		return wait_for(L, &c->pending, call_finish);
	}
	c->wait = store_begin(s, r, &c->answer, current_loop(L), on_answer, c);
	store_data_unref(r->data);
	if (!c->wait)
		return call_finish(L, &c->pending);
	return wait_for(L, &c->pending, call_finish);
}

/* -- results --------------------------------------------------------------------------------------------- */

int store_call_value(lua_State *L, struct store_call *c, struct err *e)
{
	if (store_data_push(L, c->answer.entries[0].data, e) < 0)
		return -1;
	lua_pushnil(L);
	return 2;
}

int store_call_true(lua_State *L, struct store_call *c, struct err *e)
{
	(void)c;
	(void)e;
	lua_pushboolean(L, true);
	lua_pushnil(L);
	return 2;
}

int store_call_found(lua_State *L, struct store_call *c, struct err *e)
{
	(void)e;
	lua_pushboolean(L, c->answer.found);
	lua_pushnil(L);
	return 2;
}

static int push_entry(lua_State *L, const struct store_entry *en, struct err *e)
{
	lua_createtable(L, 0, 3);
	lua_pushlstring(L, en->key, en->key_len);
	lua_setfield(L, -2, "key");
	if (store_data_push(L, en->data, e) < 0) {
		lua_pop(L, 1);
		return -1;
	}
	lua_setfield(L, -2, "value");
	lua_pushfstring(L, "%I", (LUAI_UACINT)en->version);
	lua_setfield(L, -2, "version");
	return 0;
}

int store_call_entry(lua_State *L, struct store_call *c, struct err *e)
{
	if (push_entry(L, &c->answer.entries[0], e) < 0)
		return -1;
	lua_pushnil(L);
	return 2;
}

int store_call_list(lua_State *L, struct store_call *c, struct err *e)
{
	const struct store_answer *a = &c->answer;
	const struct store_entry *last = a->count > 0 ? &a->entries[a->count - 1] : NULL;

	luaL_checkstack(L, 8, NULL);
	lua_createtable(L, 0, 3);
	lua_createtable(L, (int)a->count, 0);
	for (size_t i = 0; i < a->count; i++) {
		if (push_entry(L, &a->entries[i], e) < 0) {
			lua_pop(L, 2);
			return -1;
		}
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "items");
	lua_pushlstring(L, last ? last->key : "", last ? last->key_len : 0);
	lua_setfield(L, -2, "cursor");
	lua_pushboolean(L, a->has_more);
	lua_setfield(L, -2, "has_more");
	lua_pushnil(L);
	return 2;
}

void store_call_register(lua_State *L)
{
	handle_register(L, guard_type, NULL, guard_gc);
}
