/*
 * kind_security.c - security.policy and security.policy.expr: an entry becomes the live policy of its id.
 *
 * The replacement of a changed entry is built first; when it cannot be built the old policy stays live. Look-ups and
 * groups have the new one at once; scopes made before keep the old one.
 */
#include "security/policy.h"
#include "security/policy_set.h"
#include "service/kinds.h"
#include "service/runtime.h"

static int policy_add(struct runtime *rt, struct entry *e, struct err *err)
{
	struct policy *p;

	if (policy_new(e, &p, err) < 0)
		return err_prefix(err, "failed to create policy entry");
	policy_set_put(rt->node.policies, p);
	return 0;
}

static int policy_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	(void)old;
	return policy_add(rt, e, err);
}

static void policy_remove(struct runtime *rt, struct entry *e)
{
	policy_set_remove(rt->node.policies, e->id);
}

const struct kind security_policy_kind = {
	.name = "security.policy",
	.summary = "a rule: who may do what to which resource",
	.add = policy_add,
	.update = policy_update,
	.remove = policy_remove,
};

const struct kind security_policy_expr_kind = {
	.name = "security.policy.expr",
	.summary = "a rule whose condition is an expression",
	.add = policy_add,
	.update = policy_update,
	.remove = policy_remove,
};
