/*
 * scratch.h - C data that a binding holds while Lua may raise: it lives in a userdata, so an error leaks nothing.
 *
 * Each pushes one userdata, whose content is freed when it is collected.
 */
#ifndef BIND_SCRATCH_H
#define BIND_SCRATCH_H

#include "base/buf.h"
#include "value/value.h"

struct lua_State;

/* An empty buffer. */
struct buf *scratch_buf(struct lua_State *L);
/* The same for secrets: the bytes are wiped before they are freed. A buffer that grows leaves copies behind: reserve
 * first. */
struct buf *scratch_secret(struct lua_State *L);
/* A place for a tree's reference; NULL at first. */
struct value **scratch_value(struct lua_State *L);

/* Push what is in the buffer as a string, and free it. */
void scratch_push(struct lua_State *L, struct buf *b);

#endif
