/*
 * readonly.h - tables that cannot be changed: an empty table in front of the real one.
 *
 * Library and module tables are shared by every process of a heap, so nobody may write to them. Reading goes through __index; whatever walks
 * tables raw (next, rawget, packing, encoders) asks readonly_resolve() first. Owner thread only.
 */
#ifndef ENGINE_READONLY_H
#define ENGINE_READONLY_H

#include <lua.h>
#include <stdbool.h>

/* Replace the table on top of the stack by a read-only one in front of it; tables inside that have no metatable as well. Once per table: it must be a tree. */
void readonly_wrap(lua_State *L);
/* Make the table at idx itself read-only: its content moves to a new table behind it. Metamethods stay. */
void readonly_freeze(lua_State *L, int idx);
/* Is the value at idx a read-only table? */
bool readonly_is(lua_State *L, int idx);
/* Push the real table when the one at idx is read-only and return true; otherwise push nothing. Never allocates. */
bool readonly_resolve(lua_State *L, int idx);
/* Raise what an assignment to such a table raises; contains "Immutable". */
int readonly_refuse(lua_State *L);

#endif
