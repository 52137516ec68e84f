/*
 * packed.h - Lua values on their way between processes: deep-copied into one flat, immutable block of bytes.
 *
 * Holds `count` values (a message's payloads, a call's arguments). Integers and floats stay apart; shared and cyclic references inside
 * one value are kept, metatables that are plain data too; error objects keep message, kind, retryable, details. Functions, threads and other userdata
 * become nil. Reference counted, any thread. Packing and unpacking are engine/lua_packed.h; this header knows no Lua.
 */
#ifndef ENGINE_PACKED_H
#define ENGINE_PACKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "value/value.h"

enum {
	PACKED_BYTES_MAX = 64 * 1024 * 1024, /* of one block */
	PACKED_DEPTH_MAX = 200,              /* nested tables */
};

struct packed;

struct packed *packed_ref(struct packed *p); /* NULL gives NULL */
void packed_unref(struct packed *p);
unsigned packed_count(const struct packed *p); /* NULL: 0 */
size_t packed_bytes(const struct packed *p);

/* A copy for who can hold bytes but not a reference (a Lua object without a finalizer): how much it needs, 0 when it is more than `max` or
 * holds references itself; ... */
size_t packed_inline_bytes(const struct packed *p, size_t max);
/* ... and the copy made there, valid as long as `mem`, which is aligned for pointers. It is only read: no packed_ref(). */
const struct packed *packed_inline(void *mem, const struct packed *p);

/* Each string one value (terminal arguments). */
struct packed *packed_from_strings(const char *const *strings, unsigned n);
/* One value from a data tree (maps become tables with string keys, lists 1-based arrays); `v` may be NULL for no value at all. */
struct packed *packed_from_value(const struct value *v);
/* The i-th payload as a data tree; tables with 1..n keys become lists, functions nil; NULL if there is no such payload or it is cyclic or too deep. */
struct value *packed_to_value(const struct packed *p, unsigned i);

/* Build a block of several parts without Lua (events sent by the runtime). */
struct packed *packed_concat(struct packed *const *parts, unsigned n);

#endif
