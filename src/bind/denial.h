/*
 * denial.h - a refusal by a policy as an error that says who may change it.
 */
#ifndef BIND_DENIAL_H
#define BIND_DENIAL_H

#include "base/err.h"

struct lua_State;

/* Push nil and the error `e` of the running code's denied `action` on `resource`; return 2. Kind and words stay;
 * details get action, resource, actor (when there is one), policy (when one denies) and hint, a sentence. */
int push_nil_and_denial(struct lua_State *L, const struct err *e, const char *action, const char *resource);

#endif
