/*
 * type_reflect.h - the reflection methods of type values. Internal to the files of type.h.
 */
#ifndef ENGINE_TYPE_REFLECT_H
#define ENGINE_TYPE_REFLECT_H

#include <lua.h>

#include "engine/type_node.h"

/* Push the table of the methods, by name. */
void type_push_reflection(lua_State *L);
/* Push a part of the type value at `of`, found by the query, as a type value that keeps alive what it needs. */
void type_push_part(lua_State *L, const struct type_query *q, struct type_view v, int of);
/* Begin a query about the type value at `type_idx`; pushes one or two values, to stay below as long as it lasts. */
void type_query_init(struct type_query *q, lua_State *L, int type_idx);

#endif
