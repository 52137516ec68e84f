#include "engine/members.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "engine/readonly.h"
#include "engine/state.h"

enum { MEMBERS_DEPTH_MAX = 3, MEMBER_PATH_MAX = 256 };

struct members {
	struct map *paths;   /* to enum member, as a pointer */
	struct map *ambient; /* names */
};

struct walk {
	struct members *m;
	struct heap *heap;
};

/* Does reading a field that is not there ask somebody else? The value on top is the real table. */
static bool asks_elsewhere(lua_State *L)
{
	if (luaL_getmetafield(L, -1, "__index") == LUA_TNIL)
		return false;
	lua_pop(L, 1);
	return true;
}

static void add_fields(struct members *m, lua_State *L, const char *path, unsigned depth);

/* The value on top, which stays. */
static void add_value(struct members *m, lua_State *L, const char *path, unsigned depth)
{
	enum member kind = MEMBER_VALUE;
	bool resolved;

	if (map_has(m->paths, path))
		return;
	if (lua_type(L, -1) != LUA_TTABLE) {
		map_set(m->paths, path, (void *)(uintptr_t)kind);
		return;
	}
	resolved = readonly_resolve(L, -1);
	if (!asks_elsewhere(L) && depth < MEMBERS_DEPTH_MAX)
		kind = MEMBER_TABLE;
	map_set(m->paths, path, (void *)(uintptr_t)kind);
	if (kind == MEMBER_TABLE)
		add_fields(m, L, path, depth);
	if (resolved)
		lua_pop(L, 1);
}

static void add_fields(struct members *m, lua_State *L, const char *path, unsigned depth)
{
	char below[MEMBER_PATH_MAX];

	luaL_checkstack(L, 10, NULL);
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		if (lua_type(L, -2) == LUA_TSTRING) {
			int len = snprintf(below, sizeof(below), "%s.%s", path, lua_tostring(L, -2));

			if (len > 0 && (size_t)len < sizeof(below))
				add_value(m, L, below, depth + 1);
		}
		lua_pop(L, 1);
	}
}

/* Runs protected. */
static int l_collect(lua_State *L)
{
	struct walk *w = lua_touserdata(L, 1);

	lua_rawgeti(L, LUA_REGISTRYINDEX, w->heap->base_globals);
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		if (lua_type(L, -2) == LUA_TSTRING) {
			map_set(w->m->ambient, lua_tostring(L, -2), w);
			add_value(w->m, L, lua_tostring(L, -2), 0);
		}
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	for (size_t i = 0; w->heap->modules && i < w->heap->modules->count; i++) {
		const struct module *mod = &w->heap->modules->modules[i];

		heap_push_module(w->heap, L, mod);
		add_value(w->m, L, mod->name, 0);
		lua_pop(L, 1);
	}
	return 0;
}

int members_new(const struct module_list *modules, struct members **ret, struct err *e)
{
	struct heap_config cfg = {.modules = modules, .instances_max = 1};
	struct members *m = xcalloc(1, sizeof(*m));
	struct walk w = {.m = m};
	int rc = -1;

	m->paths = map_new();
	m->ambient = map_new();
	/* Each program has its own. */
	map_set(m->ambient, "_G", m);
	map_set(m->paths, "_G", (void *)(uintptr_t)MEMBER_VALUE);
	if (heap_new(&cfg, &w.heap, e) < 0)
		goto out;
	lua_pushcfunction(w.heap->L, l_collect);
	lua_pushlightuserdata(w.heap->L, &w);
	if (lua_pcall(w.heap->L, 1, 0, 0) != LUA_OK) {
		err_set(e, ERR_INTERNAL, "cannot list the modules: %s", lua_tostring(w.heap->L, -1));
		goto out;
	}
	*ret = m;
	m = NULL;
	rc = 0;
out:
	heap_free(w.heap);
	members_free(m);
	return rc;
}

void members_free(struct members *m)
{
	if (!m)
		return;
	map_free(m->paths, NULL);
	map_free(m->ambient, NULL);
	free(m);
}

enum member members_find(const struct members *m, const char *path)
{
	return (enum member)(uintptr_t)map_get(m->paths, path);
}

bool members_is_ambient(const struct members *m, const char *name)
{
	return map_has(m->ambient, name);
}

bool members_next(const struct members *m, size_t *pos, const char **ret_path)
{
	return map_next(m->paths, pos, ret_path, NULL);
}
