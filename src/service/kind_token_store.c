/*
 * kind_token_store.c - security.token_store: where access tokens are kept. The backing store is looked up with each
 * operation.
 */
#include "bind/token_store.h"
#include "service/kinds.h"
#include "service/runtime.h"

static int token_store_add(struct runtime *rt, struct entry *e, struct err *err)
{
	struct token_store *ts;

	if (token_store_new(rt->node.env, e, &ts, err) < 0)
		return -1;
	instances_put(rt->node.instances, e->id, &token_store_type, ts);
	return 0;
}

static int token_store_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	(void)old;
	return token_store_add(rt, e, err);
}

static void token_store_remove(struct runtime *rt, struct entry *e)
{
	instances_remove(rt->node.instances, e->id);
}

const struct kind security_token_store_kind = {
	.name = "security.token_store",
	.summary = "access tokens, kept in a store",
	.add = token_store_add,
	.update = token_store_update,
	.remove = token_store_remove,
};
