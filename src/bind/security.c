/*
 * security.c - the `security` module: who acts, what they may do, and policies as values.
 *
 * Actors, scopes and policies are immutable and stay in their process: a message carries none of them.
 */
#include <string.h>

#include "bind/current.h"
#include "bind/identity.h"
#include "bind/modules.h"
#include "bind/security_token.h"
#include "engine/lua_api.h"
#include "engine/readonly.h"
#include "security/policy_set.h"

enum { SCOPE_POLICIES_MAX = 100000 };

/* -- arguments ------------------------------------------------------------------------------------------- */

/* A text without NUL bytes: one would hide its end from a policy. */
static const char *check_text(lua_State *L, int arg)
{
	size_t len;
	const char *text = luaL_checklstring(L, arg, &len);

	if (memchr(text, '\0', len))
		raise_argument(L, arg, "the text holds a NUL byte");
	return text;
}

/* A table of attributes, or nothing: NULL. */
static struct value *check_meta(lua_State *L, int arg)
{
	struct value *meta;
	struct err e;

	if (lua_isnoneornil(L, arg))
		return NULL;
	luaL_checktype(L, arg, LUA_TTABLE);
	if (value_from_lua(L, arg, &meta, &e) < 0)
		raise_argument(L, arg, lua_pushstring(L, e.text));
	if (value_type(meta) == VALUE_MAP)
		return meta;
	value_unref(meta); /* an empty table counts as a list */
	return NULL;
}

static struct identity *check_actor(lua_State *L, int arg)
{
	handle_check(L, arg, BIND_ACTOR_TYPE);
	return actor_at(L, arg);
}

static struct scope *check_scope(lua_State *L, int arg)
{
	handle_check(L, arg, BIND_SCOPE_TYPE);
	return scope_at(L, arg);
}

static struct policy *check_policy(lua_State *L, int arg)
{
	handle_check(L, arg, BIND_POLICY_TYPE);
	return policy_at(L, arg);
}

static int fail(lua_State *L, enum err_kind kind, const char *words)
{
	struct err e;

	err_set(&e, kind, "%s", words);
	return push_nil_and_err(L, &e);
}

/* -- the running code --------------------------------------------------------------------------------------- */

static int l_actor(lua_State *L)
{
	actor_push(L, current_frame(L)->actor);
	return 1;
}

static int l_scope(lua_State *L)
{
	scope_push(L, current_frame(L)->scope);
	return 1;
}

/* Unlike the checks of the runtime: without an actor and a scope the answer is no. */
static int l_can(lua_State *L)
{
	const char *action = check_text(L, 1), *resource = check_text(L, 2);
	struct value *meta = check_meta(L, 3);
	const struct frame *f = current_frame(L);
	bool can = f->actor && f->scope && scope_judge(f->scope, f->actor, action, resource, meta) == VERDICT_ALLOW;

	value_unref(meta);
	lua_pushboolean(L, can);
	return 1;
}

/* -- actors ------------------------------------------------------------------------------------------------- */

static int l_new_actor(lua_State *L)
{
	const char *id = check_text(L, 1);
	struct identity **p;

	lua_settop(L, 2);
	if (!lua_isnil(L, 2))
		luaL_checktype(L, 2, LUA_TTABLE);
	if (!current_allows(L, "security.actor.create", id))
		return raise_text(L, "not allowed to create actor with ID: %s", id);
	p = handle_new(L, BIND_ACTOR_TYPE, sizeof(*p));
	*p = identity_new(id, check_meta(L, 2));
	return 1;
}

static int l_actor_id(lua_State *L)
{
	lua_pushstring(L, identity_id(check_actor(L, 1)));
	return 1;
}

static int l_actor_meta(lua_State *L)
{
	const struct value *meta = identity_meta(check_actor(L, 1));

	if (value_type(meta) == VALUE_MAP)
		value_push(L, meta);
	else
		lua_newtable(L);
	return 1;
}

static int actor_gc(lua_State *L)
{
	struct identity **p = lua_touserdata(L, 1);

	identity_unref(*p);
	*p = NULL;
	return 0;
}

/* -- policies ----------------------------------------------------------------------------------------------- */

static int l_policy(lua_State *L)
{
	const char *id = check_text(L, 1);
	struct policy *p;

	if (!current_allows(L, "security.policy.get", id))
		return fail(L, ERR_INVALID, "permission denied: access policy");
	p = policy_set_get(current_node(L)->policies, id);
	if (!p)
		return fail(L, ERR_INTERNAL, "get policy: policy not found");
	policy_push(L, p);
	policy_unref(p);
	return 1;
}

static int l_policy_id(lua_State *L)
{
	lua_pushstring(L, policy_id(check_policy(L, 1)));
	return 1;
}

/* Arguments 2 to 5: actor, action, resource, metadata. */
static int l_policy_evaluate(lua_State *L)
{
	const struct policy *p = check_policy(L, 1);
	struct identity *who = check_actor(L, 2);
	const char *action = check_text(L, 3), *resource = check_text(L, 4);
	struct check c = check_of(who, action, resource, NULL);
	struct value *meta = check_meta(L, 5);

	c.meta = meta;
	lua_pushstring(L, verdict_name(policy_judge(p, &c)));
	value_unref(meta);
	return 1;
}

static int policy_gc(lua_State *L)
{
	struct policy **p = lua_touserdata(L, 1);

	policy_unref(*p);
	*p = NULL;
	return 0;
}

/* -- scopes ------------------------------------------------------------------------------------------------- */

static void demand_scope(lua_State *L, const char *resource)
{
	if (!current_allows(L, "security.scope.create", resource))
		raise_text(L, "not allowed to create custom scopes");
}

static int l_new_scope(lua_State *L)
{
	struct policy **list;
	struct scope **p;
	size_t n = 0, count = 0;

	demand_scope(L, "custom");
	lua_settop(L, 1);
	if (!lua_isnil(L, 1)) {
		luaL_checktype(L, 1, LUA_TTABLE);
		if (readonly_resolve(L, 1))
			lua_replace(L, 1);
		n = lua_rawlen(L, 1);
	}
	if (n > SCOPE_POLICIES_MAX)
		return raise_argument(L, 1, "too many policies");
	list = lua_newuserdatauv(L, (n + 1) * sizeof(struct policy *), 0);
	for (size_t i = 1; i <= n; i++) {
		struct policy *one;

		lua_rawgeti(L, 1, (lua_Integer)i);
		one = policy_at(L, -1);
		if (one)
			list[count++] = one; /* borrowed: the table keeps it */
		lua_pop(L, 1);
	}
	p = handle_new(L, BIND_SCOPE_TYPE, sizeof(*p));
	*p = scope_new_of(list, count);
	return 1;
}

static int l_named_scope(lua_State *L)
{
	const char *id = check_text(L, 1);
	struct scope *s;

	if (!current_allows(L, "security.policy_group.get", id))
		return fail(L, ERR_INVALID, "permission denied: access policy group");
	s = policy_set_group(current_node(L)->policies, id);
	if (!s)
		return fail(L, ERR_INTERNAL, "get policy group: policy group not found");
	scope_push(L, s);
	scope_unref(s);
	return 1;
}

/* A Policy, an id, or {ns = "app", name = "x"}; the id may be pushed. */
static const char *check_policy_ref(lua_State *L, int arg)
{
	struct policy *p = policy_at(L, arg);

	if (p)
		return policy_id(p);
	if (lua_type(L, arg) == LUA_TSTRING)
		return check_text(L, arg);
	if (!lua_istable(L, arg)) {
		raise_argument(L, arg, "policy, policy id or {ns, name} expected");
		return "";
	}
	if (lua_getfield(L, arg, "ns") != LUA_TSTRING || lua_getfield(L, arg, "name") != LUA_TSTRING)
		raise_argument(L, arg, "ns and name must be strings");
	return lua_pushfstring(L, "%s:%s", lua_tostring(L, -2), lua_tostring(L, -1));
}

static int l_scope_with(lua_State *L)
{
	struct scope *s = check_scope(L, 1);
	struct policy *policy = check_policy(L, 2);
	struct scope **p;

	demand_scope(L, "with");
	p = handle_new(L, BIND_SCOPE_TYPE, sizeof(*p));
	*p = scope_with(s, policy);
	return 1;
}

static int l_scope_without(lua_State *L)
{
	struct scope *s = check_scope(L, 1);
	const char *id = check_policy_ref(L, 2);
	struct scope **p;

	demand_scope(L, "without");
	p = handle_new(L, BIND_SCOPE_TYPE, sizeof(*p));
	*p = scope_without(s, id);
	return 1;
}

static int l_scope_contains(lua_State *L)
{
	struct scope *s = check_scope(L, 1);

	lua_pushboolean(L, scope_contains(s, check_policy_ref(L, 2)));
	return 1;
}

static int l_scope_policies(lua_State *L)
{
	struct scope *s = check_scope(L, 1);
	size_t n = scope_count(s);

	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		policy_push(L, scope_policy(s, i));
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static int l_scope_evaluate(lua_State *L)
{
	const struct scope *s = check_scope(L, 1);
	struct identity *who = check_actor(L, 2);
	const char *action = check_text(L, 3), *resource = check_text(L, 4);
	struct value *meta = check_meta(L, 5);

	lua_pushstring(L, verdict_name(scope_judge(s, who, action, resource, meta)));
	value_unref(meta);
	return 1;
}

static int scope_gc(lua_State *L)
{
	struct scope **p = lua_touserdata(L, 1);

	scope_unref(*p);
	*p = NULL;
	return 0;
}

int bind_security_open(struct lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"actor", l_actor},
		{"can", l_can},
		{"named_scope", l_named_scope},
		{"new_actor", l_new_actor},
		{"new_scope", l_new_scope},
		{"policy", l_policy},
		{"scope", l_scope},
		{"token_store", l_security_token_store},
		{NULL, NULL},
	};
	static const luaL_Reg actor[] = {{"id", l_actor_id}, {"meta", l_actor_meta}, {NULL, NULL}};
	static const luaL_Reg policy[] = {{"evaluate", l_policy_evaluate}, {"id", l_policy_id}, {NULL, NULL}};
	static const luaL_Reg scope[] = {
		{"contains", l_scope_contains},
		{"evaluate", l_scope_evaluate},
		{"policies", l_scope_policies},
		{"with", l_scope_with},
		{"without", l_scope_without},
		{NULL, NULL},
	};

	handle_register(L, BIND_ACTOR_TYPE, actor, actor_gc);
	handle_register(L, BIND_POLICY_TYPE, policy, policy_gc);
	handle_register(L, BIND_SCOPE_TYPE, scope, scope_gc);
	security_token_register(L);
	luaL_newlib(L, functions);
	return 1;
}
