/*
 * kind_exec.c - exec.native: an executor, which starts programs on this machine.
 */
#include "bind/exec.h"
#include "service/kinds.h"
#include "service/runtime.h"

static int read_env(const struct value *env, struct err *err)
{
	struct exec_words words = {0};

	if (!env || value_type(env) == VALUE_NIL)
		return 0;
	if (value_type(env) != VALUE_MAP)
		return err_set(err, ERR_INVALID, "field 'default_env': expected a map of texts");
	if (exec_environment(env, NULL, &words, err) < 0)
		return err_prefix(err, "field 'default_env'");
	exec_words_done(&words);
	return 0;
}

static int read_whitelist(const struct value *list, struct err *err)
{
	if (!list || value_type(list) == VALUE_NIL)
		return 0;
	if (value_type(list) != VALUE_LIST)
		return err_set(err, ERR_INVALID, "field 'command_whitelist': expected a list of command lines");
	for (size_t i = 0; i < value_count(list); i++) {
		if (value_type(value_at(list, i)) != VALUE_STRING)
			return err_set(err, ERR_INVALID, "field 'command_whitelist': item %zu is no text", i + 1);
	}
	return 0;
}

/* Nil counts as absent. */
static struct value *field_of(const struct value *data, const char *name)
{
	const struct value *v = value_get(data, name);

	return v && value_type(v) != VALUE_NIL ? value_ref((struct value *)v) : NULL;
}

static int native_add(struct runtime *rt, struct entry *e, struct err *err)
{
	const char *dir = NULL;

	if (value_read_string(e->data, "default_work_dir", &dir, err) < 0 ||
		read_env(value_get(e->data, "default_env"), err) < 0 ||
		read_whitelist(value_get(e->data, "command_whitelist"), err) < 0)
		return -1;
	instances_put(rt->node.instances, e->id, &exec_instance_type,
		exec_native_new(dir && dir[0] ? dir : NULL, field_of(e->data, "default_env"),
			field_of(e->data, "command_whitelist")));
	return 0;
}

static int native_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	(void)old;
	return native_add(rt, e, err);
}

static void native_remove(struct runtime *rt, struct entry *e)
{
	instances_remove(rt->node.instances, e->id);
}

const struct kind exec_native_kind = {
	.name = "exec.native",
	.summary = "permission to run commands, and their environment",
	.add = native_add,
	.update = native_update,
	.remove = native_remove,
};
