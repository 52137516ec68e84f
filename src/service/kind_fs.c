/*
 * kind_fs.c - fs.directory: a folder that programs reach as a filesystem by the entry's id.
 *
 * The folder is opened here, once; whoever holds an older one keeps it when the entry changes.
 */
#include <string.h>

#include "bind/fs.h"
#include "service/kinds.h"
#include "service/runtime.h"

static int read_base(const struct value *data, struct err *err)
{
	const char *base = "";

	if (value_read_string(data, "base", &base, err) < 0)
		return -1;
	if (!base[0] || strcmp(base, "project") == 0)
		return 0;
	if (strcmp(base, "module") == 0)
		return err_set(err, ERR_INVALID,
			"field 'base': this entry belongs to no module; write \"project\" for a folder beside "
			"wippy.lock");
	return err_set(err, ERR_INVALID, "field 'base': expected \"project\" or \"module\", got \"%.64s\"", base);
}

/* Borrows from `data`. */
static int read_config(const struct value *data, struct files_root_config *ret, struct err *err)
{
	const char *mode = NULL;

	ret->mode = FILES_MODE_DEFAULT;
	if (value_read_string(data, "directory", &ret->path, err) < 0 ||
		value_read_bool(data, "auto_init", &ret->auto_init, err) < 0 || read_base(data, err) < 0)
		return -1;
	if (!ret->path || !ret->path[0])
		return err_set(err, ERR_INVALID, "field 'directory' is required");
	/* Without quotes YAML makes another number of it. */
	if (value_read_string(data, "mode", &mode, err) < 0)
		return err_prefix(err, "the mode must be an octal number in quotes");
	if (mode && files_mode_parse(mode, &ret->mode, err) < 0)
		return err_prefix(err, "field 'mode'");
	return 0;
}

static int directory_add(struct runtime *rt, struct entry *e, struct err *err)
{
	struct files_root_config cfg = {0};
	struct files_root *root;

	if (read_config(e->data, &cfg, err) < 0)
		return -1;
	if (files_root_open(&cfg, &root, err) < 0) {
		/* NOT_FOUND would have the entry tried again; the folder does not come by itself. */
		if (err->kind == ERR_NOT_FOUND)
			err->kind = ERR_INVALID;
		return -1;
	}
	instances_put(rt->node.instances, e->id, &fs_instance_type, root);
	return 0;
}

static int directory_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	(void)old;
	return directory_add(rt, e, err);
}

static void directory_remove(struct runtime *rt, struct entry *e)
{
	instances_remove(rt->node.instances, e->id);
}

const struct kind fs_directory_kind = {
	.name = "fs.directory",
	.summary = "a folder as a filesystem",
	.add = directory_add,
	.update = directory_update,
	.remove = directory_remove,
};
