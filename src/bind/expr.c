/*
 * expr.c - the `expr` module: expressions over data, bounded and without side effects (value/expr.h).
 *
 *     local expr = require("expr")
 *     local n = expr.eval("sum(map(orders, .total)) > limit", { orders = orders, limit = 100 })
 *     local program = expr.compile("user.age >= 18")
 *     local adult, err = program:run({ user = user })
 *
 * eval() keeps what it compiled, for all heaps together: at most CACHE_COUNT_MAX expressions, the ones not used for longest go first.
 */
#include "value/expr.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"
#include "bind/modules.h"
#include "bind/scratch.h"
#include "engine/lua_api.h"

static const char program_type[] = "expr.Program";

enum {
	CACHE_COUNT_MAX = 1000,
	/* Compiled they take many times the bytes of the source: long ones are not kept, nor too much of short ones. */
	CACHE_SOURCE_BYTES_MAX = 4096,
	CACHE_BYTES_MAX = 512 * 1024,
};

struct cached {
	struct list node;
	char *source;
	size_t len;
	struct expr *expr;
};

static struct {
	pthread_mutex_t lock;
	struct map *by_source; /* NULL until the first use */
	struct list order;     /* the most recently used first */
	size_t bytes;
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* -- the cache ---------------------------------------------------------------------------------------- */

/* A reference, or NULL. */
static struct expr *cache_get(const char *source)
{
	struct cached *c;
	struct expr *x = NULL;

	pthread_mutex_lock(&cache.lock);
	c = cache.by_source ? map_get(cache.by_source, source) : NULL;
	if (c) {
		list_remove(&c->node);
		list_push_front(&cache.order, &c->node);
		x = expr_ref(c->expr);
	}
	pthread_mutex_unlock(&cache.lock);
	return x;
}

static void drop_oldest(void)
{
	struct cached *c = container_of(cache.order.prev, struct cached, node);

	list_remove(&c->node);
	map_remove(cache.by_source, c->source);
	cache.bytes -= c->len;
	expr_unref(c->expr);
	free(c->source);
	free(c);
}

/* Keeps its own reference. */
static void cache_put(const char *source, size_t len, struct expr *x)
{
	struct cached *c;

	if (len > CACHE_SOURCE_BYTES_MAX)
		return;
	pthread_mutex_lock(&cache.lock);
	if (!cache.by_source) {
		cache.by_source = map_new();
		list_init(&cache.order);
	}
	if (!map_has(cache.by_source, source)) {
		while (map_count(cache.by_source) >= CACHE_COUNT_MAX ||
			(cache.bytes + len > CACHE_BYTES_MAX && !list_is_empty(&cache.order)))
			drop_oldest();
		c = xmalloc(sizeof(*c));
		*c = (struct cached){.source = xmemdupz(source, len), .len = len, .expr = expr_ref(x)};
		map_set(cache.by_source, c->source, c);
		list_push_front(&cache.order, &c->node);
		cache.bytes += len;
	}
	pthread_mutex_unlock(&cache.lock);
}

/* -- compiling and running ---------------------------------------------------------------------------- */

struct program {
	struct expr *expr;
};

static struct program *check_program(lua_State *L, int idx)
{
	return handle_check(L, idx, program_type);
}

static int program_gc(lua_State *L)
{
	struct program *p = check_program(L, 1);

	expr_unref(p->expr);
	p->expr = NULL;
	return 0;
}

/* The source at index 1; raises unless it is a string. */
static const char *check_source(lua_State *L, size_t *ret_len)
{
	if (lua_type(L, 1) != LUA_TSTRING)
		raise_argument(L, 1, "string expected");
	return lua_tolstring(L, 1, ret_len);
}

static void check_environment(lua_State *L, int idx)
{
	if (!lua_isnoneornil(L, idx) && !lua_istable(L, idx))
		raise_argument(L, idx, "table expected");
}

static int compile(const char *source, size_t len, struct expr **ret_expr, struct err *e)
{
	if (len == 0)
		return err_set(e, ERR_INVALID, "expression cannot be empty");
	if (expr_compile(source, len, ret_expr, e) < 0) {
		e->kind = ERR_INTERNAL;
		return -1;
	}
	return 0;
}

/* Pushes the result, or nil and the error. The expression is in a handle or in the cache's: the caller holds it. */
static int run(lua_State *L, const struct expr *x, int env)
{
	struct value **tree = scratch_value(L), **result = scratch_value(L);
	struct expr_name *names;
	struct err e = {0};
	size_t n;

	if (!lua_isnoneornil(L, env) && value_from_lua(L, env, tree, &e) < 0) {
		e.kind = ERR_INTERNAL;
		return push_nil_and_err(L, &e);
	}
	n = value_type(*tree) == VALUE_MAP ? value_count(*tree) : 0;
	names = lua_newuserdatauv(L, (n + 1) * sizeof(*names), 0);
	for (size_t i = 0; i < n; i++)
		names[i].value = value_pair(*tree, i, &names[i].name, NULL);
	if (expr_run(x, names, n, result, &e) < 0)
		return push_nil_and_err(L, &e);
	value_push(L, *result);
	return 1;
}

static int l_eval(lua_State *L)
{
	struct program *p;
	struct err e = {0};
	const char *source;
	size_t len;

	source = check_source(L, &len);
	check_environment(L, 2);
	p = handle_new(L, program_type, sizeof(*p));
	if (strlen(source) == len)
		p->expr = cache_get(source);
	if (!p->expr) {
		if (compile(source, len, &p->expr, &e) < 0)
			return push_nil_and_err(L, &e);
		if (strlen(source) == len)
			cache_put(source, len, p->expr);
	}
	return run(L, p->expr, 2);
}

/* The environment says nothing that is not known without it: names have no types here. */
static int l_compile(lua_State *L)
{
	struct program *p;
	struct err e = {0};
	const char *source;
	size_t len;

	source = check_source(L, &len);
	check_environment(L, 2);
	p = handle_new(L, program_type, sizeof(*p));
	if (compile(source, len, &p->expr, &e) < 0)
		return push_nil_and_err(L, &e);
	return 1;
}

static int l_run(lua_State *L)
{
	struct program *p = check_program(L, 1);

	check_environment(L, 2);
	return run(L, p->expr, 2);
}

int bind_expr_open(lua_State *L)
{
	static const luaL_Reg methods[] = {{"run", l_run}, {NULL, NULL}};
	static const luaL_Reg functions[] = {{"compile", l_compile}, {"eval", l_eval}, {NULL, NULL}};

	handle_register(L, program_type, methods, program_gc);
	luaL_newlib(L, functions);
	return 1;
}
