/*
 * policy.h - one rule: who may do what to which resource.
 *
 *     - name: no_overlay
 *       kind: security.policy
 *       policy:
 *         actions: network.select          # a pattern or a list of them, see pattern_list.h
 *         resources: ["app:tor", "vpn:*"]
 *         effect: deny                     # allow | deny
 *         conditions: []                   # all must hold, see condition.h
 *       groups: [untrusted]                # a bare name is of the policy's own namespace
 *
 * The kind security.policy.expr has `policy.expression` (see value/expr.h; names: actor, action, resource, meta)
 * instead of conditions.
 *
 * A policy never changes and is reference counted: a changed entry makes a new one, and who holds the old one keeps it.
 * Any thread. Deciding allocates nothing, unless there is an expression to run.
 */
#ifndef SECURITY_POLICY_H
#define SECURITY_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "registry/entry.h"
#include "security/check.h"
#include "security/pattern_list.h"

enum verdict { VERDICT_UNDEFINED, VERDICT_ALLOW, VERDICT_DENY };

struct policy;

/* Is that a kind of entries that are policies? */
bool policy_is_kind(const char *kind);

/* Read an entry of such a kind. INVALID: "actions must be a string or list", "invalid policy effect: X", "condition
 * 0: field is required", "expression is required", "failed to compile expression: ...", ... */
int policy_new(const struct entry *entry, struct policy **ret, struct err *e);
struct policy *policy_ref(struct policy *p); /* NULL gives NULL */
void policy_unref(struct policy *p);         /* NULL is fine */

const char *policy_id(const struct policy *p);
/* The full ids of its groups, each once. */
size_t policy_ngroups(const struct policy *p);
const char *policy_group(const struct policy *p, size_t i);
/* What it says when it applies: VERDICT_ALLOW or VERDICT_DENY. */
enum verdict policy_effect(const struct policy *p);
const struct pattern_list *policy_actions(const struct policy *p);

/* VERDICT_UNDEFINED when it does not apply. */
enum verdict policy_judge(const struct policy *p, const struct check *c);
/* policy_judge() for a check whose action is known to match. */
enum verdict policy_judge_resource(const struct policy *p, const struct check *c);

/* Why it does not apply, for people; "" when it does. */
void policy_explain(const struct policy *p, const struct check *c, struct buf *ret_why);
enum policy_part { POLICY_APPLIES, POLICY_ACTION, POLICY_RESOURCE, POLICY_CONDITION, POLICY_EXPRESSION };
/* What it fails on. */
enum policy_part policy_failing_part(const struct policy *p, const struct check *c);
/* "", "action", "resource", "condition", "expression" */
const char *policy_part_name(enum policy_part part);

#endif
