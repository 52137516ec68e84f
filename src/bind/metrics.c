/*
 * metrics.c - the `metrics` module: what programs count and measure, kept by the runtime.
 */
#include "base/metrics.h"

#include <string.h>

#include "bind/current.h"
#include "bind/modules.h"
#include "engine/lua_api.h"
#include "engine/readonly.h"

typedef int metric_fn(
	struct metrics *m, const char *name, const struct metric_label *labels, size_t n, double value, struct err *e);

/* Texts by name; everything else in the table is left out. One too many is passed on, to be refused. */
static size_t read_labels(lua_State *L, int idx, struct metric_label labels[METRICS_LABELS_MAX + 1])
{
	size_t n = 0;

	if (lua_isnoneornil(L, idx))
		return 0;
	luaL_checktype(L, idx, LUA_TTABLE);
	luaL_checkstack(L, 6, "metrics");
	if (readonly_resolve(L, idx))
		lua_replace(L, idx);
	/* The strings belong to the table, which stays on the stack. */
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
		if (lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING && n <= METRICS_LABELS_MAX)
			labels[n++] = (struct metric_label){lua_tostring(L, -2), lua_tostring(L, -1)};
	}
	return n;
}

static int record(lua_State *L, metric_fn *fn, double value, int labels_at)
{
	struct metric_label labels[METRICS_LABELS_MAX + 1];
	struct metrics *m = current_node(L)->metrics;
	size_t len;
	const char *name = luaL_checklstring(L, 1, &len);
	size_t n = read_labels(L, labels_at, labels);
	struct err e = {0};
	int rc = 0;

	if (!m)
		rc = err_set(&e, ERR_INTERNAL, "metrics collector not available");
	else if (strlen(name) != len)
		rc = err_set(&e, ERR_INVALID, "the name of a metric contains a NUL byte");
	else
		rc = fn(m, name, labels, n, value, &e);
	if (rc < 0)
		return push_nil_and_err(L, &e);
	lua_pushboolean(L, true);
	lua_pushnil(L);
	return 2;
}

static double check_value(lua_State *L)
{
	luaL_checkstring(L, 1);
	luaL_checktype(L, 2, LUA_TNUMBER);
	return lua_tonumber(L, 2);
}

static int l_counter_inc(lua_State *L)
{
	return record(L, metrics_count, 1, 2);
}

static int l_counter_add(lua_State *L)
{
	return record(L, metrics_count, check_value(L), 3);
}

static int l_gauge_set(lua_State *L)
{
	return record(L, metrics_gauge_set, check_value(L), 3);
}

static int l_gauge_inc(lua_State *L)
{
	return record(L, metrics_gauge_add, 1, 2);
}

static int l_gauge_dec(lua_State *L)
{
	return record(L, metrics_gauge_add, -1, 2);
}

static int l_histogram(lua_State *L)
{
	return record(L, metrics_observe, check_value(L), 3);
}

int bind_metrics_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"counter_inc", l_counter_inc},
		{"counter_add", l_counter_add},
		{"gauge_set", l_gauge_set},
		{"gauge_inc", l_gauge_inc},
		{"gauge_dec", l_gauge_dec},
		{"histogram", l_histogram},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	return 1;
}
