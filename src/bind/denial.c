#include "bind/denial.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/current.h"
#include "engine/lua_api.h"
#include "security/scope.h"

static char *hint(const struct frame *f, const struct policy *p, const char *action, const char *resource)
{
	if (!f->actor || !f->scope)
		return xasprintf("security.strict_mode is on and this code has no %s: give it one with "
				 "lifecycle.security of its service, or with_actor and with_scope where it is called",
			f->actor ? "scope" : "actor");
	if (p)
		return xasprintf("policy %s denies it; whoever owns that policy, or chooses the scope of this code "
				 "(lifecycle.security of its service, with_scope where it is called), may change that",
			policy_id(p));
	return xasprintf("no policy of the scope allows %s on %s; whoever chooses the scope of this code "
			 "(lifecycle.security of its service, with_scope where it is called) may add one",
		action, resource);
}

int push_nil_and_denial(lua_State *L, const struct err *e, const char *action, const char *resource)
{
	const struct frame *f = current_frame(L);
	struct value *details = value_map();
	const struct policy *p = NULL;
	struct check c = check_of(f->actor, action, resource, NULL);
	struct failure *failure;
	char *text;

	if (f->actor && f->scope)
		p = scope_deciding(f->scope, &c);
	text = hint(f, p, action, resource);
	value_map_set(details, "action", value_cstring(action));
	value_map_set(details, "resource", value_cstring(resource));
	if (f->actor)
		value_map_set(details, "actor", value_cstring(identity_id(f->actor)));
	if (p)
		value_map_set(details, "policy", value_cstring(policy_id(p)));
	value_map_set(details, "hint", value_cstring(text));
	free(text);
	failure = failure_new(err_kind_name(e->kind), e->retry, e->text, strlen(e->text), details, NULL, NULL);
	lua_pushnil(L);
	push_failure(L, failure);
	failure_unref(failure);
	return 2;
}
