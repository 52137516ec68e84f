#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "bind/change_request.h"
#include "bind/denial.h"
#include "bind/registry.h"

static const char changes_type[] = "registry.Changes";

enum { OPERATIONS_MAX = 100000 };

struct changes_handle {
	struct changes changes;
};

/* -- asking the main thread ----------------------------------------------------------------------- */

enum { ASKED, ANSWERED, DROPPED };

/* A request under way. The worker's, but for `request`, which is the main thread's until the answer. */
struct asking {
	struct change_request request;
	struct pending pending;
	struct loop_post answer;
	struct loop *loop;
	/* Who comes second, the answer or the end of the one who waits, frees. */
	atomic_int state;
	bool arrived;  /* the answer */
	bool orphaned; /* nobody waits for the answer that is on its way */
};

static void asking_free(struct asking *a)
{
	changes_done(&a->request.changes);
	free(a);
}

static void on_answer(struct loop_post *post)
{
	struct asking *a = container_of(post, struct asking, answer);

	a->arrived = true;
	if (a->orphaned)
		asking_free(a);
	else
		pending_ready(&a->pending);
}

/* Main thread. */
static void on_done(struct change_request *r)
{
	struct asking *a = container_of(r, struct asking, request);
	int asked = ASKED;

	if (atomic_compare_exchange_strong(&a->state, &asked, ANSWERED))
		loop_post(a->loop, &a->answer);
	else
		asking_free(a);
}

static void on_cancel(struct pending *p)
{
	struct asking *a = container_of(p, struct asking, pending);
	int asked = ASKED;

	if (a->arrived) {
		asking_free(a);
		return;
	}
	a->orphaned = true;
	atomic_store(&a->request.canceled, true);
	/* Not touched any more once the main thread may free it. */
	atomic_compare_exchange_strong(&a->state, &asked, DROPPED);
}

static int on_finish(lua_State *L, struct pending *p)
{
	struct asking *a = container_of(p, struct asking, pending);
	struct err e = a->request.err;
	uint64_t version = a->request.version;
	bool goes = a->request.goes_to_version, failed = a->request.rc < 0;

	asking_free(a);
	if (failed) {
		if (!goes || e.kind != ERR_NOT_FOUND)
			e.kind = ERR_INTERNAL;
		err_prefix(&e, goes ? "apply version" : "apply changes");
		return push_nil_and_err(L, &e);
	}
	if (goes)
		lua_pushboolean(L, true);
	else
		registry_push_version(L, version);
	lua_pushnil(L);
	return 2;
}

static struct asking *asking_new(lua_State *L)
{
	struct asking *a = xcalloc(1, sizeof(*a));

	a->request.done = on_done;
	a->answer.run = on_answer;
	a->loop = current_loop(L);
	a->pending.cancel = on_cancel;
	return a;
}

/* Takes `a`. */
static int ask(lua_State *L, struct asking *a)
{
	struct node *n = current_node(L);

	if (wait_is_possible(L) && n->change)
		n->change(n, &a->request);
	else
		a->arrived = true; /* wait_for() raises and cancels: nothing may have begun */
	return wait_for(L, &a->pending, on_finish);
}

int registry_go_to(lua_State *L, uint64_t version)
{
	struct asking *a = asking_new(L);

	a->request.goes_to_version = true;
	a->request.version = version;
	return ask(L, a);
}

/* -- the builder ---------------------------------------------------------------------------------- */

void registry_push_changes(lua_State *L)
{
	handle_new(L, changes_type, sizeof(struct changes_handle));
}

static struct changes *check_changes(lua_State *L)
{
	struct changes_handle *h = handle_check(L, 1, changes_type);

	return &h->changes;
}

static int changes_gc(lua_State *L)
{
	struct changes_handle *h = lua_touserdata(L, 1);

	changes_done(&h->changes);
	return 0;
}

static int check_room(const struct changes *c, struct err *e)
{
	if (c->count < OPERATIONS_MAX)
		return 0;
	return err_set(e, ERR_INVALID, "more than %d operations; apply what there is first", OPERATIONS_MAX);
}

static int push_self(lua_State *L)
{
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 2;
}

static int put(lua_State *L, enum change_type type)
{
	struct changes *c = check_changes(L);
	struct entry *entry, *was, *fresh;
	struct err e;

	luaL_checktype(L, 2, LUA_TTABLE);
	if (check_room(c, &e) < 0)
		return push_nil_and_err(L, &e);
	if (registry_entry_at(L, 2, &entry, &e) < 0) {
		err_prefix(&e, "convert entry");
		return push_nil_and_err(L, &e);
	}
	was = type == CHANGE_UPDATE ? registry_get(current_node(L)->registry, entry->id) : NULL;
	fresh = registry_entry_like(entry, was);
	changes_add(c, type, fresh, NULL);
	entry_unref(fresh);
	entry_unref(was);
	entry_unref(entry);
	return push_self(L);
}

static int l_create(lua_State *L)
{
	return put(L, CHANGE_CREATE);
}

static int l_update(lua_State *L)
{
	return put(L, CHANGE_UPDATE);
}

static int l_delete(lua_State *L)
{
	struct changes *c = check_changes(L);
	struct entry *entry;
	const char *id;
	struct err e;

	luaL_checkany(L, 2);
	id = registry_push_id(L, 2, &e);
	if (!id || check_room(c, &e) < 0)
		return push_nil_and_err(L, &e);
	entry = entry_new(id, "", NULL, NULL);
	changes_add(c, CHANGE_DELETE, entry, NULL);
	entry_unref(entry);
	return push_self(L);
}

void registry_push_operations(lua_State *L, const struct changes *c)
{
	lua_createtable(L, (int)c->count, 0);
	for (size_t i = 0; i < c->count; i++) {
		lua_createtable(L, 0, 2);
		lua_pushstring(L, change_type_name(c->items[i].type));
		lua_setfield(L, -2, "kind");
		registry_push_entry(L, c->items[i].entry);
		lua_setfield(L, -2, "entry");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static int l_ops(lua_State *L)
{
	registry_push_operations(L, check_changes(L));
	return 1;
}

static int l_apply(lua_State *L)
{
	const struct changes *c = check_changes(L);
	struct asking *a;
	struct err e;

	if (c->count == 0) {
		err_set(&e, ERR_INVALID, "no changes to apply");
		return push_nil_and_err(L, &e);
	}
	if (!current_allows(L, "registry.apply", "")) {
		err_set(&e, ERR_PERMISSION_DENIED, "not allowed to apply registry changes");
		return push_nil_and_denial(L, &e, "registry.apply", "");
	}
	a = asking_new(L);
	changes_add_all(&a->request.changes, c);
	return ask(L, a);
}

static int l_text(lua_State *L)
{
	char text[64];

	snprintf(text, sizeof(text), "registry.Changes{ops=%zu}", check_changes(L)->count);
	lua_pushstring(L, text);
	return 1;
}

void registry_change_register(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"apply", l_apply},
		{"create", l_create},
		{"delete", l_delete},
		{"ops", l_ops},
		{"update", l_update},
		{NULL, NULL},
	};

	handle_register(L, changes_type, methods, changes_gc);
	luaL_getmetatable(L, changes_type);
	lua_pushcfunction(L, l_text);
	lua_setfield(L, -2, "__tostring");
	lua_pop(L, 1);
}
