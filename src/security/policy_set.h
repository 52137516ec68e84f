/*
 * policy_set.h - the policies of the application by id, and its groups.
 *
 * A group exists exactly as long as a policy lists it. Policies come, change and go on the main thread; look-ups come
 * from any thread. A look-up gives the object of that moment: scopes made before a change keep what they have.
 */
#ifndef SECURITY_POLICY_SET_H
#define SECURITY_POLICY_SET_H

#include <stddef.h>

#include "security/policy.h"
#include "security/scope.h"

struct policy_set;

struct policy_set *policy_set_new(void);
void policy_set_free(struct policy_set *s); /* NULL is fine */

/* Takes the reference; replaces the one of the same id, in its groups too. */
void policy_set_put(struct policy_set *s, struct policy *p);
/* Absent is fine. */
void policy_set_remove(struct policy_set *s, const char *id);

/* References; NULL when there is none. */
struct policy *policy_set_get(struct policy_set *s, const char *id);
struct scope *policy_set_group(struct policy_set *s, const char *group_id);

/* What is asked for and not there, for a caller that wants to know. */
typedef void policy_missing_fn(void *arg, const char *what /* "group" or "policy" */, const char *id);

/* The union of these groups and policies (lists of full ids, NULL or nil: none; what is no text is left out). NULL
 * when nothing of it exists. `missing` may be NULL. */
struct scope *policy_set_union(struct policy_set *s, const struct value *groups, const struct value *policies,
	policy_missing_fn *missing, void *arg);

#endif
