/*
 * sql_builder.h - what the files of `sql.builder` share: sql_builder.c (the objects, running them), sql_fragment.c (conditions, and
 * parts from Lua values), sql_builder_method.c (the methods that change a query).
 *
 * One Lua state, its thread. "May raise" is a Lua error; what is made in C belongs to userdata before anything may raise.
 */
#ifndef BIND_SQL_BUILDER_H
#define BIND_SQL_BUILDER_H

#include "bind/sql.h"
#include "engine/lua_api.h"
#include "sql/builder.h"

/* -- objects (sql_builder.c) ----------------------------------------------------------------------------- */

/* What is being rendered; its owner while something may raise. */
struct sql_rendering {
	struct buf text;
	struct sql_params *params;
};

/* Push an empty one. */
struct sql_rendering *sql_rendering_push(lua_State *L);
/* Push a list of the values as a program gave them. */
void sql_params_push(lua_State *L, const struct sql_params *params);

/* Push a new query. */
struct sql_builder *sql_builder_push(lua_State *L, enum sql_builder_type type);
/* The query at idx, of that type; raises for anything else. */
struct sql_builder *sql_builder_of(lua_State *L, int idx, enum sql_builder_type type);
/* Put a copy of the query at 1, of any type, below the arguments, which begin at 3 then. Raises for anything else. */
struct sql_builder *sql_builder_copy_self(lua_State *L);

/* -- conditions and parts (sql_fragment.c) --------------------------------------------------------------- */

/* Register the type of conditions, and set the functions that make them in the table on top. */
void sql_fragment_open(lua_State *L);
/* The condition at idx, borrowed; NULL when it is another thing. */
struct sql_part *sql_fragment_at(lua_State *L, int idx);

/* The caller's new parts. They raise before anything is made; what SQL cannot take gives a part that fails when it is rendered. */
/* SQL text at idx, its values behind it up to the top. */
struct sql_part *sql_part_from_text(lua_State *L, int idx);
/* Text with values, a map of equalities, or a condition. */
struct sql_part *sql_part_from_condition(lua_State *L, int idx);
/* "before ?" or "before <condition>", for the value at idx. */
struct sql_part *sql_part_from_value(lua_State *L, int idx, const char *before);

/* Add the values at first..last of the stack; NULL, or why one cannot be used. Does not raise. */
const char *sql_params_collect(lua_State *L, int first, int last, struct sql_params *params);
/* The names in the map at idx, sorted; raises before it allocates. They are the table's. Free the list. Pushes the
 * table itself. */
const char **sql_sorted_names(lua_State *L, int idx, size_t *ret_n);
/* The value of a name in the table on top. Its bytes stay the table's. */
struct sql_value sql_named_value(lua_State *L, const char *name);

/* -- methods (sql_builder_method.c) ---------------------------------------------------------------------- */

enum { SQL_FORMATS = SQL_COLON + 1 };
/* By enum sql_format: how programs name it. */
extern const char *const sql_builder_formats[SQL_FORMATS];
/* By enum sql_builder_type. */
extern const luaL_Reg *const sql_builder_methods[SQL_BUILD_DELETE + 1];
/* Of every query. */
extern const luaL_Reg sql_builder_common_methods[];
extern const luaL_Reg sql_builder_constructors[];

#endif
