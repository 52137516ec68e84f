/*
 * lua_data.h - Lua values to and from text formats, for the modules that share them (json, yaml, payload).
 *
 * All push either one value and return 0, or nothing and return -1. They may raise (memory).
 */
#ifndef BIND_LUA_DATA_H
#define BIND_LUA_DATA_H

#include <stddef.h>

#include "base/err.h"

struct lua_State;

/* As json.encode() and json.decode(); errors are INTERNAL. */
int json_push_encoded(struct lua_State *L, int idx, struct err *e);
int json_push_decoded(struct lua_State *L, const char *text, size_t len, struct err *e);

struct yaml_style {
	unsigned indent;                /* columns, 2 or 4 */
	const char *const *field_order; /* names that come first in every map; the rest is sorted */
	size_t nfields;
};

/* As yaml.encode() and yaml.decode(); any value can be encoded. INTERNAL, except INVALID for a sequence with an index
 * beyond a million. */
int yaml_push_encoded(struct lua_State *L, int idx, const struct yaml_style *style, struct err *e);
int yaml_push_decoded(struct lua_State *L, const char *text, size_t len, struct err *e);

#endif
