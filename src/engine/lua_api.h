/*
 * lua_api.h - helpers for bindings: checked arguments, errors, packing. Includes the Lua headers; for engine/ and bind/ only.
 *
 * A table from a program may be read-only: whatever walks tables raw (lua_next, lua_rawget) asks readonly_resolve() first (readonly.h).
 * Failures of the world come back as `nil, error object`; misuse raises a string. Check every argument before acquiring anything.
 */
#ifndef ENGINE_LUA_API_H
#define ENGINE_LUA_API_H

#include <lauxlib.h>
#include <lua.h>

#include "base/buf.h"
#include "base/err.h"
#include "engine/failure.h"
#include "engine/heap.h"
#include "engine/packed.h"
#include "engine/task.h"
#include "engine/wait.h"
#include "value/value.h"

/* -- errors ------------------------------------------------------------------------------------------ */

/* Push an error object. push_failure keeps its own reference. */
void push_failure(lua_State *L, struct failure *f);
void push_err(lua_State *L, const struct err *e);
/* Push nil and the error object; return 2. */
int push_nil_and_err(lua_State *L, const struct err *e);
int push_nil_and_failure(lua_State *L, struct failure *f);
/* The error object at idx, NULL when it is none. Borrowed. */
struct failure *failure_at(lua_State *L, int idx);
/* What a raised or returned value means as a failure: error objects as they are (kind "" becomes Internal), anything else its text, kind Internal. Caller's reference. */
struct failure *failure_from_lua(lua_State *L, int idx);
/* "bad argument #n to <fn> (<what>)", with position; never returns. */
int raise_argument(lua_State *L, int arg, const char *what);
/* Raise "<position>: text". */
int raise_text(lua_State *L, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* -- text -------------------------------------------------------------------------------------------- */

/* The dialect's tostring() of the value at idx, pushed; honours __tostring when `metamethods`. Returns the string. */
const char *push_text(lua_State *L, int idx, bool metamethods, size_t *ret_len);

/* What print() does with its line of text; the default logs it at level info with the caller's location. Set before any heap runs. */
typedef void print_fn(lua_State *L, const char *text);
void lua_set_print(print_fn *fn);

/* -- data -------------------------------------------------------------------------------------------- */

/* Pack `n` values starting at stack index `first`; ERR_INVALID when too large or too deep. */
int packed_from_lua(lua_State *L, int first, int n, struct packed **ret, struct err *e);
/* Push all values of `p`; returns how many. Raises only when memory is out or the stack is full. */
int packed_push(lua_State *L, const struct packed *p);
/* Push the i-th value only (nil if absent). */
void packed_push_at(lua_State *L, const struct packed *p, unsigned i);
/* A data tree pushed as fresh tables. */
void value_push(lua_State *L, const struct value *v);
/* The value at idx as a data tree: sequences become lists, error objects their text, functions and userdata nil. ERR_INVALID on cycles or depth. */
int value_from_lua(lua_State *L, int idx, struct value **ret, struct err *e);

/* -- arguments --------------------------------------------------------------------------------------- */

/* A duration argument: number = nanoseconds, or a string such as "1m30s", or a time.Duration. -1 with `e` (INVALID) otherwise. */
int duration_from_lua(lua_State *L, int idx, int64_t *ret_ns, struct err *e);

/* Fields of an options table at idx; a field of another type leaves *ret alone and returns false. Strings are borrowed from the table. */
bool field_string(lua_State *L, int idx, const char *name, const char **ret, size_t *ret_len);
bool field_number(lua_State *L, int idx, const char *name, double *ret);
bool field_bool(lua_State *L, int idx, const char *name, bool *ret);

/* -- handles: userdata with methods ------------------------------------------------------------------- */

/* Register the metatable `type` once per heap: methods under __index, gc may be NULL; protected, `type()` says "userdata". */
void handle_register(lua_State *L, const char *type, const luaL_Reg *methods, lua_CFunction gc);
/* New userdata of that registered type, zeroed. */
void *handle_new(lua_State *L, const char *type, size_t bytes);
/* Raises "<type> expected" on mismatch. */
void *handle_check(lua_State *L, int idx, const char *type);

/* Types made so often that a heap has their metatables at hand. Most handles of such a type own nothing outside Lua: those are made plain, without a
 * finalizer, which would cost more than all the rest of a short life. The others are made owning. */
enum handle_kind_id { HANDLE_HTTP_REQUEST, HANDLE_HTTP_RESPONSE, HANDLE_MESSAGE, HANDLE_PAYLOAD, HANDLE_KINDS };

/* Once per heap (again does nothing). Pops a value: the methods' upvalue. They and `text` (__tostring) begin with handle_self(). */
void handle_register_kind(lua_State *L, enum handle_kind_id id, const char *type, const luaL_Reg *methods,
	lua_CFunction text, lua_CFunction gc);
/* Zeroed; without user values. */
void *handle_new_owning(lua_State *L, enum handle_kind_id id, size_t bytes);
/* Not zeroed. */
void *handle_new_plain(lua_State *L, enum handle_kind_id id, size_t bytes, int nuservalues);
/* The handle that is argument 1 of the running method, or raise "<type> expected". */
void *handle_self(lua_State *L, enum handle_kind_id id);

/* -- where we are -------------------------------------------------------------------------------------- */

struct heap *heap_of(lua_State *L);
/* Entry id of the code that called the binding, and its line ("app:probe", 12); for log records. Borrowed, "" if unknown. */
const char *caller_location(lua_State *L, int *ret_line);
/* Entry id of the running code (env lookups, process.id). */
const char *running_entry(lua_State *L);

#endif
