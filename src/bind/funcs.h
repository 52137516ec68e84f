/*
 * funcs.h - calling a registered function by its id, for the `funcs` module and for those that call in another's name (contracts).
 */
#ifndef BIND_FUNCS_H
#define BIND_FUNCS_H

#include <stdbool.h>

#include "actor/frame.h"
#include "value/value.h"

struct lua_State;

/* What a call is given besides target and arguments; zeroed: nothing. Borrowed. */
struct call_extras {
	struct frame_edge edge; /* what the callee does not inherit */
	const struct value *options;
	bool permitted; /* the caller has checked another permission instead of funcs.call */
};

/* Call `target` with the values from stack index `first` on and wait. Used as `return funcs_call(...)`: the value, or nil and the error. */
int funcs_call(struct lua_State *L, const char *target, int first, const struct call_extras *x);
/* The same without waiting: a Future, or nil and the error. */
int funcs_async(struct lua_State *L, const char *target, int first, const struct call_extras *x);

#endif
