/*
 * condition.h - the conditions of a policy: field, operator, value.
 *
 *     conditions:
 *       - {field: actor.meta.role, operator: in, value: [admin, owner]}
 *       - {field: meta.owner, operator: eq, value_from: actor.id}
 *
 * Fields (and value_from): actor.id, actor.meta, actor.meta.a.b, action, resource, meta.a.b; any other text is one key
 * of the check's metadata. A field that is absent or null satisfies only exists and nexists; what cannot be evaluated
 * is not satisfied, negated operators included. Immutable once read; any thread.
 */
#ifndef SECURITY_CONDITION_H
#define SECURITY_CONDITION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "security/check.h"
#include "value/value.h"

struct condition;

struct condition_list {
	struct condition *items;
	size_t count;
};

/* NULL or nil is an empty list. INVALID "condition 0: field is required", "...: operator is required", "...: value
 * or value_from is required", "...: invalid operator: X", "...: invalid regex pattern: ...", "conditions must be a
 * list". */
int condition_list_read(struct condition_list *ret, const struct value *list, struct err *e);
void condition_list_done(struct condition_list *l);

/* Do all hold? */
bool condition_list_holds(const struct condition_list *l, const struct check *c);
/* The index of the first that does not hold, and why, for people ("condition 1: actor.meta.role eq "admin": it is
 * "user""); -1 when all hold. */
int condition_list_explain(const struct condition_list *l, const struct check *c, struct buf *ret_why);

#endif
