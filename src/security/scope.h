/*
 * scope.h - what an identity may do: a set of policies, by id.
 *
 * Immutable, reference counted, any thread: a scope with or without a policy is another scope. One policy that denies
 * is enough; else one that allows; else the scope says nothing. A scope keeps the policies it was built from, also when
 * their entries change.
 *
 * A scope is compiled when it is made: what it says about an action is found by the action, so a decision looks at the
 * policies about that action only, and at their conditions only when the resource matches.
 */
#ifndef SECURITY_SCOPE_H
#define SECURITY_SCOPE_H

#include <stdbool.h>
#include <stddef.h>

#include "security/identity.h"
#include "security/policy.h"

struct scope;

/* A scope without policies: everything is undefined in it. */
struct scope *scope_new(void);
/* Borrows `policies`; of two with the same id the last counts. */
struct scope *scope_new_of(struct policy *const *policies, size_t n);
struct scope *scope_ref(struct scope *s); /* NULL gives NULL */
void scope_unref(struct scope *s);        /* NULL is fine */

/* A new scope with `p` in it (in the place of one with the same id), or without the policy of that id. */
struct scope *scope_with(struct scope *s, struct policy *p);
struct scope *scope_without(struct scope *s, const char *policy_id);
bool scope_contains(const struct scope *s, const char *policy_id);

/* The policies, sorted by id. Borrowed. */
size_t scope_count(const struct scope *s);
struct policy *scope_policy(const struct scope *s, size_t i);

/* One deny wins; else one allow; else undefined. `meta` (a map of attributes of this check) may be NULL. */
enum verdict scope_judge(const struct scope *s, const struct identity *who, const char *action, const char *resource,
	const struct value *meta);
enum verdict scope_judge_check(const struct scope *s, const struct check *c);
/* The policy that decided: the first (by id) that says what the scope says. NULL when undefined. Borrowed. Slow. */
struct policy *scope_deciding(const struct scope *s, const struct check *c);

/* The check every gate uses: with both an identity and a scope the scope must allow; with either missing everything
 * is allowed, unless `strict`. */
bool security_allows(const struct scope *s, const struct identity *who, bool strict, const char *action,
	const char *resource, const struct value *meta);

/* "allow", "deny", "undefined" */
const char *verdict_name(enum verdict v);

#endif
