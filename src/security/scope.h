/*
 * scope.h - what an identity may do: a set of policies.
 *
 * Immutable, reference counted, any thread. A scope without a policy that allows something denies it.
 */
#ifndef SECURITY_SCOPE_H
#define SECURITY_SCOPE_H

#include <stdbool.h>

#include "security/identity.h"

struct scope;

/* A scope without policies: everything is undefined in it. */
struct scope *scope_new(void);
struct scope *scope_ref(struct scope *s); /* NULL gives NULL */
void scope_unref(struct scope *s);        /* NULL is fine */

enum verdict { VERDICT_UNDEFINED, VERDICT_ALLOW, VERDICT_DENY };

/* One deny wins; else one allow; else undefined. `meta` (a map of attributes of this check) may be NULL. */
enum verdict scope_judge(const struct scope *s, const struct identity *who, const char *action, const char *resource,
	const struct value *meta);

/* The check every gate uses: with both an identity and a scope the scope must allow; with either missing everything is allowed,
 * unless `strict`. */
bool security_allows(const struct scope *s, const struct identity *who, bool strict, const char *action,
	const char *resource, const struct value *meta);

#endif
