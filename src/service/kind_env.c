/*
 * kind_env.c - the kinds `env.storage.*` and `env.variable`: entries become what env_lookup() and the `env` module
 * see.
 *
 * A variable whose name or storage is no good is refused, so that a typing mistake shows at start and not as a
 * value that is missing later.
 */
#include "service/kinds.h"
#include "service/runtime.h"

#define STORAGE_KIND(word, storage_type, text)                                                            \
	static int word##_add(struct runtime *rt, struct entry *e, struct err *err)                       \
	{                                                                                                 \
		return env_storage_put(rt->node.env, storage_type, e, err);                               \
	}                                                                                                 \
                                                                                                          \
	static int word##_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err) \
	{                                                                                                 \
		(void)old;                                                                                \
		return env_storage_put(rt->node.env, storage_type, e, err);                               \
	}                                                                                                 \
                                                                                                          \
	const struct kind env_storage_##word##_kind = {                                                   \
		.name = "env.storage." #word,                                                             \
		.summary = (text),                                                                        \
		.add = word##_add,                                                                        \
		.update = word##_update,                                                                  \
		.remove = storage_remove,                                                                 \
	}

static void storage_remove(struct runtime *rt, struct entry *e)
{
	env_storage_remove(rt->node.env, e->id);
}

STORAGE_KIND(os, ENV_STORAGE_OS, "the environment of the operating system, read-only");
STORAGE_KIND(memory, ENV_STORAGE_MEMORY, "values by key in memory");
STORAGE_KIND(static, ENV_STORAGE_STATIC, "values by key in the entry itself, read-only");
STORAGE_KIND(file, ENV_STORAGE_FILE, "values by key in a file of KEY=VALUE lines");
STORAGE_KIND(router, ENV_STORAGE_ROUTER, "several storages, asked one after the other");

static int variable_add(struct runtime *rt, struct entry *e, struct err *err)
{
	return env_variable_put(rt->node.env, e, err);
}

static int variable_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	(void)old;
	return env_variable_put(rt->node.env, e, err);
}

static void variable_remove(struct runtime *rt, struct entry *e)
{
	env_variable_remove(rt->node.env, e->id);
}

const struct kind env_variable_kind = {
	.name = "env.variable",
	.summary = "a public name for a value in a storage",
	.add = variable_add,
	.update = variable_update,
	.remove = variable_remove,
};
