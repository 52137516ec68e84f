/*
 * future.h - the result of a call that was started without waiting for it.
 */
#ifndef BIND_FUTURE_H
#define BIND_FUTURE_H

#include "bind/invoke.h"

struct lua_State;

void future_register(struct lua_State *L);
/* Start the call and push its Future; returns 1, or nil and the error. Borrows all. The running process owns it: when that ends, so
 * does the callee. */
int future_start(struct lua_State *L, const struct invoke_ask *ask);

#endif
