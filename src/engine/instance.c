#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/lua_api.h"
#include "engine/state.h"

enum { TUNE_INSTANCES = 64 }; /* made between two looks at the heap's size */

/* In the metatable of global tables nobody has changed. */
static const char lazy_key;

bool globals_are_lazy(lua_State *L, int idx)
{
	bool lazy;

	if (lua_type(L, idx) != LUA_TTABLE || !lua_getmetatable(L, idx))
		return false;
	lazy = lua_rawgetp(L, -1, &lazy_key) != LUA_TNIL;
	lua_pop(L, 2);
	return lazy;
}

void globals_settle(lua_State *L, int idx)
{
	idx = lua_absindex(L, idx);
	luaL_checkstack(L, 8, NULL);
	lua_getmetatable(L, idx);
	lua_getfield(L, -1, "__index");
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		lua_pushvalue(L, -2);
		if (lua_rawget(L, idx) == LUA_TNIL) {
			lua_pop(L, 1);
			lua_pushvalue(L, -2);
			lua_insert(L, -2);
			lua_rawset(L, idx);
		} else {
			lua_pop(L, 2);
		}
	}
	lua_pop(L, 2);
	lua_pushnil(L);
	lua_setmetatable(L, idx);
}

/* A new global. One that hides a base global by being nil needs a table that holds its names itself. */
static int l_set_global(lua_State *L)
{
	lua_settop(L, 3);
	if (lua_isnil(L, 3) && globals_are_lazy(L, 1))
		globals_settle(L, 1);
	lua_rawset(L, 1);
	return 0;
}

void instance_push_globals(lua_State *L)
{
	struct heap *h = thread_heap(L);

	if (h->current)
		lua_rawgeti(L, LUA_REGISTRYINDEX, h->current->task->instance->globals);
	else if (h->loading)
		lua_rawgeti(L, LUA_REGISTRYINDEX, h->loading_globals);
	else
		lua_pushnil(L);
}

const char *running_entry(lua_State *L)
{
	struct heap *h = thread_heap(L);

	if (h->current)
		return h->current->task->instance->loaded->code->id;
	return h->loading ? h->loading->id : "";
}

/* -- making one ---------------------------------------------------------------------------------------- */

/* What l_make() works on; `step` says how far it came when it raised. */
struct making {
	struct heap *heap;
	struct loaded *loaded;
	struct loaded **libraries;
	const char *alias; /* of the dependency that runs, NULL: the entry's own chunk */
	bool steady;       /* it ran before and had the method */
	bool has_method;
	int globals;
	int export;
};

/* The metatable that lets an empty global table show the base globals and the listed modules: one for all instances of a code. */
static void push_meta(struct heap *h, lua_State *L, struct loaded *l)
{
	const struct code *c = l->code;

	if (l->meta != LUA_NOREF) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, l->meta);
		return;
	}
	lua_createtable(L, 0, 3);
	lua_pushcfunction(L, l_set_global);
	lua_setfield(L, -2, "__newindex");
	if (c->nmodules == 0) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, h->base_globals);
	} else {
		lua_newtable(L);
		lua_rawgeti(L, LUA_REGISTRYINDEX, h->base_globals);
		lua_pushnil(L);
		while (lua_next(L, -2)) {
			lua_pushvalue(L, -2);
			lua_insert(L, -2);
			lua_rawset(L, -5);
		}
		lua_pop(L, 1);
		for (size_t i = 0; i < c->nmodules; i++) {
			heap_push_module(h, L, c->modules[i]);
			lua_setfield(L, -2, c->modules[i]->name);
		}
	}
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, 1);
	lua_rawsetp(L, -2, &lazy_key);
	lua_pushvalue(L, -1);
	l->meta = luaL_ref(L, LUA_REGISTRYINDEX);
}

static bool has_method(lua_State *L, int idx, const char *method)
{
	bool found;

	if (!method || lua_isfunction(L, idx))
		return true;
	if (!lua_istable(L, idx))
		return false;
	lua_pushvalue(L, idx);
	lua_pushstring(L, method);
	lua_rawget(L, -2);
	found = lua_isfunction(L, -1);
	lua_pop(L, 2);
	return found;
}

static int l_make(lua_State *L)
{
	struct making *m = lua_touserdata(L, 1);
	const struct code *c = m->loaded->code;
	int globals;

	m->heap->strange_call = false; /* the call of this function was noted, if any is */
	lua_createtable(L, 0, c->names_globals ? 1 : 0);
	globals = lua_gettop(L);
	if (c->names_globals) {
		lua_pushvalue(L, globals);
		lua_setfield(L, globals, "_G");
	}
	push_meta(m->heap, L, m->loaded);
	lua_setmetatable(L, globals);
	lua_pushvalue(L, globals);
	m->globals = anchor_put(L);
	m->heap->loading_globals = m->globals;
	for (size_t i = 0; i < c->ndependencies; i++) {
		m->alias = c->dependencies[i].alias;
		lua_rawgeti(L, LUA_REGISTRYINDEX, m->libraries[i]->factory);
		lua_pushvalue(L, globals);
		lua_call(L, 1, 1);
		lua_pushstring(L, m->alias);
		lua_insert(L, -2);
		lua_rawset(L, globals);
	}
	m->alias = NULL;
	lua_rawgeti(L, LUA_REGISTRYINDEX, m->loaded->factory);
	lua_pushvalue(L, globals);
	lua_call(L, 1, 1);
	m->has_method = m->steady || has_method(L, lua_gettop(L), c->method);
	m->export = anchor_put(L);
	return 0;
}

/* Text of the error on top of L, said of the chunk that raised it. */
static void explain(struct heap *h, const struct making *m, int status, struct err *e)
{
	struct failure *f;

	if (task_is_memory_error(h->L, status))
		f = heap_memory_failure(h);
	else
		f = failure_from_lua(h->L, -1);
	failure_to_err(f, e);
	failure_unref(f);
	if (!e)
		return;
	e->kind = ERR_INTERNAL;
	e->retry = ERR_RETRY_NO;
	if (m->alias)
		err_prefix(e, "failed to load dependency %s", m->alias);
	else
		err_prefix(e, "failed to execute script");
}

/* Run l_make() at chunk level: no coroutine is current, so that nothing in it can wait, whoever called us. */
static int run_chunks(struct heap *h, struct making *m, uint64_t deadline_ns, struct err *e)
{
	struct code *c = m->loaded->code;
	int outcome = atomic_load_explicit(&c->outcome, memory_order_relaxed);
	bool first = outcome == OUTCOME_UNKNOWN;
	/* Chunks that always end the same end in time: they go without the hook, which makes the engine trace each instruction. */
	bool watch = deadline_ns && outcome != OUTCOME_STEADY;
	lua_State *running = h->running;
	struct coroutine *current = h->current;
	const struct code *loading = h->loading;
	int loading_globals = h->loading_globals;
	uint64_t chunk_deadline_ns = h->chunk_deadline_ns;
	bool can_wait = h->can_wait, enforce = h->enforce, over_cap = h->over_cap, strange_call = h->strange_call;
	int status, rc = 0;

	h->current = NULL;
	h->can_wait = false;
	h->loading = c;
	h->chunk_deadline_ns = deadline_ns;
	h->enforce = true;
	h->over_cap = false;
	h->running = h->L;
	lua_pushcfunction(h->L, l_make);
	lua_pushlightuserdata(h->L, m);
	if (first)
		steady_watch(h->L);
	else if (watch)
		preempt_watch_deadline(h->L, true);
	status = lua_pcall(h->L, 1, 0, 0);
	if (first || watch)
		preempt_watch_deadline(h->L, false);
	h->enforce = false;
	if (first)
		steady_note(h, c, status == LUA_OK && m->has_method);
	if (status != LUA_OK) {
		explain(h, m, status, e);
		lua_pop(h->L, 1);
		rc = -1;
	} else if (!m->has_method) {
		rc = err_set(e, ERR_NOT_FOUND, "method \"%s\" not found in module", c->method);
	}
	h->running = running;
	h->current = current;
	h->loading = loading;
	h->loading_globals = loading_globals;
	h->chunk_deadline_ns = chunk_deadline_ns;
	h->can_wait = can_wait;
	h->enforce = enforce;
	h->over_cap = over_cap;
	h->strange_call = strange_call;
	return rc;
}

int instance_new(struct heap *h, struct code *code, uint64_t deadline_ns, struct instance **ret_instance, struct err *e)
{
	struct making m = {.heap = h, .steady = code_is_steady(code), .globals = LUA_NOREF, .export = LUA_NOREF};
	struct loaded *few[16];
	struct loaded **libraries = few;
	struct instance *in;
	bool enforce = h->enforce;
	int rc = -1;

	/* Compiling is the runtime's work and is kept for all: it must not fail because of what one program uses. */
	h->enforce = false;
	if (code->ndependencies > ARRAY_LEN(few))
		libraries = xcalloc(code->ndependencies, sizeof(struct loaded *));
	/* Counted at once, so that loading the next one does not sweep it; libraries have a reference in `code`. */
	m.loaded = heap_load(h, code, e);
	if (!m.loaded)
		goto out;
	m.loaded->ninstances++;
	for (size_t i = 0; i < code->ndependencies; i++) {
		libraries[i] = heap_load(h, code->dependencies[i].library, e);
		if (!libraries[i]) {
			err_prefix(e, "failed to load dependency %s", code->dependencies[i].alias);
			m.loaded->ninstances--;
			goto out;
		}
	}
	m.libraries = libraries;
	if (run_chunks(h, &m, deadline_ns, e) < 0) {
		anchor_drop(h, m.globals);
		anchor_drop(h, m.export);
		m.loaded->ninstances--;
		goto out;
	}
	in = heap_alloc(h, sizeof(*in));
	in->heap = h;
	in->loaded = m.loaded;
	in->globals = m.globals;
	in->export = m.export;
	if (h->instances++ % TUNE_INSTANCES == 0)
		heap_tune(h);
	*ret_instance = in;
	rc = 0;
out:
	if (libraries != few)
		free(libraries);
	h->enforce = enforce;
	return rc;
}

void instance_drop_export(struct instance *in)
{
	anchor_drop(in->heap, in->export);
	in->export = LUA_NOREF;
}

void instance_free(struct instance *in)
{
	struct heap *h;

	if (!in)
		return;
	h = in->heap;
	anchor_drop(h, in->globals);
	anchor_drop(h, in->export);
	assert(h->instances > 0 && in->loaded->ninstances > 0);
	in->loaded->ninstances--;
	h->instances--;
	heap_dealloc(h, in, sizeof(*in));
}

struct heap *instance_heap(const struct instance *in)
{
	return in->heap;
}
