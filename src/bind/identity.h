/*
 * identity.h - actors and scopes as Lua values.
 */
#ifndef BIND_IDENTITY_H
#define BIND_IDENTITY_H

#include "security/identity.h"
#include "security/scope.h"

struct lua_State;

/* The types' names: the security module gives them their methods with handle_register() under these. */
#define BIND_ACTOR_TYPE "security.Actor"
#define BIND_SCOPE_TYPE "security.Scope"

/* What the userdata at idx holds; NULL when it is something else. Borrowed. */
struct identity *actor_at(struct lua_State *L, int idx);
struct scope *scope_at(struct lua_State *L, int idx);

#endif
