/*
 * identity.h - actors, scopes and policies as Lua values.
 */
#ifndef BIND_IDENTITY_H
#define BIND_IDENTITY_H

#include "security/identity.h"
#include "security/scope.h"

struct lua_State;

/* The types' names: the security module gives them their methods with handle_register() under these. */
#define BIND_ACTOR_TYPE "security.Actor"
#define BIND_SCOPE_TYPE "security.Scope"
#define BIND_POLICY_TYPE "security.Policy"

/* What the userdata at idx holds; NULL when it is something else. Borrowed. */
struct identity *actor_at(struct lua_State *L, int idx);
struct scope *scope_at(struct lua_State *L, int idx);
struct policy *policy_at(struct lua_State *L, int idx);

/* Push it with a reference of its own; nil for NULL. Only where the security module has been opened in this heap. */
void actor_push(struct lua_State *L, struct identity *actor);
void scope_push(struct lua_State *L, struct scope *scope);
void policy_push(struct lua_State *L, struct policy *policy);

#endif
