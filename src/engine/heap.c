#include "engine/heap.h"

#include <assert.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "engine/channel.h"
#include "engine/readonly.h"
#include "engine/state.h"

enum {
	MIB = 1024 * 1024,
	STEP_MUL = 200,
	STEP_MUL_IDLE = 40,
	GARBAGE_MIN = 4 * MIB, /* may gather before a cycle begins, however small the heap */
	PAUSE_MIN = 200,
	PAUSE_MAX = 1000,         /* of a cycle's begin: percent of what the last one left */
	GIVE_BACK_MIN = 32 * MIB, /* large blocks freed that are worth asking malloc for */
	ANCHORS_AT_ONCE = 64,
	IDLE_GROWTH_MIN = 256 * 1024, /* not worth a cycle below, and ... */
	IDLE_GROWTH_DEN = 4,          /* ... below a quarter of what was there */
};

/* Would the heap then exceed its cap? */
static bool is_over_cap(struct heap *h, size_t more)
{
	if (!h->enforce || h->used_max == 0 || h->used + more <= h->used_max)
		return false;
	h->over_cap = true;
	return true;
}

static __attribute__((noinline)) void *change_size(struct heap *h, void *ptr, size_t old_bytes, size_t bytes)
{
	void *p;

	if (bytes > old_bytes && is_over_cap(h, bytes - old_bytes))
		return NULL;
	p = pool_resize(&h->pool, ptr, old_bytes, bytes);
	if (p)
		h->used += bytes - old_bytes;
	return p;
}

static void *lua_resize(void *ud, void *ptr, size_t old_bytes, size_t bytes)
{
	struct heap *h = ud;

	if (bytes == 0) {
		if (ptr)
			heap_dealloc(h, ptr, old_bytes);
		return NULL;
	}
	if (ptr)
		return change_size(h, ptr, old_bytes, bytes);
	/* Without a block, Lua passes the kind of object as its size. */
	if (is_over_cap(h, bytes) || !(ptr = pool_alloc(&h->pool, bytes)))
		return NULL;
	h->used += bytes;
	return ptr;
}

void *heap_alloc(struct heap *h, size_t bytes)
{
	void *p = pool_alloc(&h->pool, bytes);

	if (!p)
		p = xmalloc(bytes); /* says so and ends the program */
	h->used += bytes;
	return p;
}

void heap_dealloc(struct heap *h, void *p, size_t bytes)
{
	if (!p)
		return;
	pool_release(&h->pool, p, bytes);
	h->used -= bytes;
}

struct failure *heap_memory_failure(const struct heap *h)
{
	char text[80];
	int n;

	if (h->used_max >= MIB)
		n = snprintf(text, sizeof(text), "memory limit of %zu MiB reached", h->used_max / MIB);
	else
		n = snprintf(text, sizeof(text), "memory limit of %zu bytes reached", h->used_max);
	return failure_new("Internal", ERR_RETRY_UNKNOWN, text, (size_t)n, NULL, NULL, NULL);
}

/* -- anchors ------------------------------------------------------------------------------------------- */

/* Free indices hold `false`, so that luaL_ref(), which looks for the registry's end, never meets a gap. */
static void reserve_anchors(struct heap *h, lua_State *L)
{
	int end = (int)lua_rawlen(L, LUA_REGISTRYINDEX);

	/* Room for all that were ever reserved: giving one back never fails. */
	h->anchors = xreallocarray(h->anchors, h->anchors_cap + ANCHORS_AT_ONCE, sizeof(*h->anchors));
	for (int i = ANCHORS_AT_ONCE; i > 0; i--) {
		lua_pushboolean(L, 0);
		lua_rawseti(L, LUA_REGISTRYINDEX, end + ANCHORS_AT_ONCE + 1 - i);
		h->anchors_cap++;
		h->anchors[h->nanchors++] = end + ANCHORS_AT_ONCE + 1 - i;
	}
}

int anchor_put(lua_State *L)
{
	struct heap *h = thread_heap(L);
	int index;

	/* Nil would be a gap. */
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		return LUA_NOREF;
	}
	if (h->nanchors == 0)
		reserve_anchors(h, L);
	index = h->anchors[--h->nanchors];
	lua_rawseti(L, LUA_REGISTRYINDEX, index);
	return index;
}

void anchor_drop(struct heap *h, int index)
{
	if (index == LUA_NOREF)
		return;
	lua_pushboolean(h->L, 0);
	lua_rawseti(h->L, LUA_REGISTRYINDEX, index);
	h->anchors[h->nanchors++] = index;
}

/* -- base globals -------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int (*open)(lua_State *L);
} libraries[] = {
	{"table", lib_table_open},
	{"string", lib_string_open},
	{"math", lib_math_open},
	{"os", lib_os_open},
	{"errors", lib_errors_open},
	{"coroutine", lib_coroutine_open},
	{"channel", channel_open},
};

void heap_push_module(struct heap *h, lua_State *L, const struct module *m)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, h->module_values);
	if (lua_rawgetp(L, -1, m) == LUA_TNIL) {
		int top;

		lua_pop(L, 1);
		top = lua_gettop(L);
		m->open(L);
		lua_settop(L, top + 1);
		if (lua_type(L, -1) == LUA_TTABLE && !readonly_is(L, -1))
			readonly_wrap(L);
		lua_pushvalue(L, -1);
		lua_rawsetp(L, -3, m);
	}
	lua_remove(L, -2);
}

/* Runs protected: everything that can raise while a heap is made. */
static int l_setup(lua_State *L)
{
	struct heap *h = lua_touserdata(L, 1);

	lua_newtable(L);
	h->module_values = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "v");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	h->channels = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_error_init(L);
	channel_init(L);

	lib_base_open(L);
	for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
		libraries[i].open(L);
		readonly_wrap(L);
		lua_setfield(L, -2, libraries[i].name);
	}
	lib_string_init(L);
	lua_pushvalue(L, -1);
	h->base_globals = luaL_ref(L, LUA_REGISTRYINDEX);
	for (size_t i = 0; h->modules && i < h->modules->count; i++) {
		const struct module *m = &h->modules->modules[i];

		if (!m->global)
			continue;
		heap_push_module(h, L, m);
		lua_setfield(L, -2, m->name);
	}
	return 0;
}

/* An error outside every protected call is a mistake of ours. */
static int on_panic(lua_State *L)
{
	log_error("engine", "Lua error outside a protected call", LOG_STR("error", lua_tostring(L, -1)));
	return 0; /* Lua aborts */
}

/* -- life ---------------------------------------------------------------------------------------------- */

int heap_new(const struct heap_config *cfg, struct heap **ret_heap, struct err *e)
{
	struct heap *h = xcalloc(1, sizeof(*h));

	h->modules = cfg->modules;
	h->owner = cfg->owner;
	h->must_end = cfg->must_end;
	h->instances_max = cfg->instances_max ? cfg->instances_max : 4096;
	h->used_max = cfg->memory_max;
	h->loading_globals = LUA_NOREF;
	list_init(&h->idle);
	pool_init(&h->pool);
	h->L = lua_newstate(lua_resize, h);
	if (!h->L) {
		pool_done(&h->pool);
		free(h);
		return err_set(e, ERR_INTERNAL, "cannot make a Lua state: memory is out");
	}
	*(void **)lua_getextraspace(h->L) = h;
	lua_atpanic(h->L, on_panic);
	lua_pushcfunction(h->L, l_setup);
	lua_pushlightuserdata(h->L, h);
	if (lua_pcall(h->L, 1, 0, 0) != LUA_OK) {
		err_set(e, ERR_INTERNAL, "cannot set up Lua: %s", lua_tostring(h->L, -1));
		heap_free(h);
		return -1;
	}
	heap_tune(h);
	*ret_heap = h;
	return 0;
}

/* The atomic step looks at every thread, so cycles should be few: wait until memory has doubled; a small heap waits for some garbage to be there at all. */
void heap_tune(struct heap *h)
{
	size_t pause = 100 + GARBAGE_MIN / (h->used / 100 + 1);

	if (pause < PAUSE_MIN)
		pause = PAUSE_MIN;
	lua_gc(h->L, LUA_GCINC, (int)(pause < PAUSE_MAX ? pause : PAUSE_MAX), STEP_MUL, 0);
}

static void free_loaded(struct heap *h, struct loaded *l)
{
	luaL_unref(h->L, LUA_REGISTRYINDEX, l->factory);
	luaL_unref(h->L, LUA_REGISTRYINDEX, l->meta);
	code_unref(l->code);
	free(l);
	h->nloaded--;
}

void heap_free(struct heap *h)
{
	struct list *l;

	if (!h)
		return;
	assert(h->instances == 0);
	channel_drop_spare(h);
	while ((l = list_pop_front(&h->idle)) != NULL)
		heap_dealloc(h, list_entry(l, struct coroutine, ready), sizeof(struct coroutine));
	for (size_t i = 0; i < LOADED_BUCKETS; i++) {
		struct loaded *next;

		for (struct loaded *p = h->loaded[i]; p; p = next) {
			next = p->next;
			free_loaded(h, p);
		}
	}
	h->pool.closing = 1;
	lua_close(h->L);
	pool_done(&h->pool);
	free(h->anchors);
	free(h);
}

bool heap_is_full(const struct heap *h)
{
	return h->instances >= h->instances_max;
}

unsigned heap_instances(const struct heap *h)
{
	return h->instances;
}

size_t heap_bytes(const struct heap *h)
{
	return h->used;
}

void *heap_owner(const struct heap *h)
{
	return h->owner;
}

struct heap *heap_of(lua_State *L)
{
	return thread_heap(L);
}

static void note_high(struct heap *h)
{
	if (h->used > h->used_high)
		h->used_high = h->used;
}

void heap_give_back(struct heap *h)
{
	if (h->used_high <= h->used || h->used_high - h->used < GIVE_BACK_MIN)
		return;
	h->used_high = h->used;
	malloc_trim(0);
}

bool heap_wants_collecting(struct heap *h)
{
	note_high(h);
	/* Lua collected by itself meanwhile. */
	if (h->used < h->used_idle)
		h->used_idle = h->used;
	return h->used - h->used_idle > IDLE_GROWTH_MIN + h->used_idle / IDLE_GROWTH_DEN;
}

bool heap_collect_step(struct heap *h)
{
	bool over;

	/* A single step does its multiplier's worth of work: a tenth of a millisecond or two. */
	lua_gc(h->L, LUA_GCINC, 0, STEP_MUL_IDLE, 0);
	over = lua_gc(h->L, LUA_GCSTEP, 0) != 0;
	lua_gc(h->L, LUA_GCINC, 0, STEP_MUL, 0);
	if (over) {
		h->used_idle = h->used;
		pool_trim(&h->pool);
	}
	return over;
}

void heap_collect_all(struct heap *h)
{
	note_high(h);
	lua_gc(h->L, LUA_GCCOLLECT);
	h->used_settled = h->used;
	h->used_idle = h->used;
}

/* -- compiled code ------------------------------------------------------------------------------------- */

static struct loaded **bucket_of(struct heap *h, const struct code *code)
{
	return &h->loaded[code->serial % LOADED_BUCKETS];
}

/* Drop what nobody but this heap knows any more: code that was replaced. */
static void sweep_loaded(struct heap *h)
{
	for (size_t i = 0; i < LOADED_BUCKETS; i++) {
		for (struct loaded **p = &h->loaded[i]; *p;) {
			struct loaded *l = *p;

			if (l->ninstances > 0 || atomic_load_explicit(&l->code->refs.n, memory_order_acquire) > 1) {
				p = &l->next;
				continue;
			}
			*p = l->next;
			free_loaded(h, l);
		}
	}
}

struct loaded *heap_load(struct heap *h, struct code *code, struct err *e)
{
	struct loaded **bucket = bucket_of(h, code);
	struct loaded *l;

	for (l = *bucket; l; l = l->next) {
		if (l->code == code)
			return l;
	}
	sweep_loaded(h);
	l = xcalloc(1, sizeof(*l));
	l->code = code_ref(code);
	l->factory = l->meta = LUA_NOREF;
	h->nloaded++;
	if (compile_factory(h, code, e) < 0) {
		free_loaded(h, l);
		return NULL;
	}
	l->factory = luaL_ref(h->L, LUA_REGISTRYINDEX);
	l->next = *bucket;
	*bucket = l;
	return l;
}
