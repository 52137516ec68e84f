/*
 * kind_template.c - template.set: a set that programs reach by the entry's id; template.jet: a template in a set, under the entry's name and id.
 *
 * A set lives as long as its entry, whatever its templates do: a rendering that runs keeps the templates it began with.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/templates.h"
#include "service/kinds.h"
#include "service/runtime.h"
#include "value/template.h"

static int check_engine(const struct entry *e, struct err *err)
{
	const char *engine = NULL;

	if (value_read_string(e->data, "engine", &engine, err) < 0)
		return -1;
	/* Field values of the known engines only: there is one. */
	if (engine && engine[0] && strcmp(engine, "jet") != 0)
		return err_set(err, ERR_INVALID, "field 'engine': expected \"jet\", got \"%.64s\"", engine);
	return 0;
}

static int set_add(struct runtime *rt, struct entry *e, struct err *err)
{
	if (check_engine(e, err) < 0)
		return -1;
	instances_put(rt->node.instances, e->id, &template_set_instance_type, template_set_new());
	return 0;
}

/* The live set stays, with its templates. */
static int set_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	(void)rt;
	(void)old;
	return check_engine(e, err);
}

static void set_remove(struct runtime *rt, struct entry *e)
{
	instances_remove(rt->node.instances, e->id);
}

/* The full id of the set, malloc'd. */
static int read_set(const struct entry *e, char **ret_id, struct err *err)
{
	const char *set = NULL;

	if (value_read_string(e->data, "set", &set, err) < 0)
		return -1;
	if (!set || !set[0])
		return err_set(err, ERR_INVALID, "field 'set' is required: the id of a template.set");
	*ret_id = entry_id_resolve(set, e->ns);
	return 0;
}

static int jet_add(struct runtime *rt, struct entry *e, struct err *err)
{
	const char *source = NULL;
	struct template_set *set;
	struct template *t;
	char *id;
	int rc = -1;

	if (value_read_string(e->data, "source", &source, err) < 0 || read_set(e, &id, err) < 0)
		return -1;
	if (!source) {
		free(id);
		return err_set(err, ERR_INVALID, "field 'source' is required");
	}
	set = instances_get(rt->node.instances, id, &template_set_instance_type, err);
	if (set && template_parse(e->name, source, strlen(source), &t, err) == 0) {
		template_set_put(set, e->name, t);
		template_set_put(set, e->id, t);
		template_unref(t);
		rc = 0;
	}
	template_set_unref(set);
	free(id);
	return rc < 0 ? err_prefix(err, "template") : 0;
}

static void jet_remove(struct runtime *rt, struct entry *e)
{
	struct err ignored = {0};
	struct template_set *set;
	char *id;

	if (read_set(e, &id, &ignored) < 0)
		return;
	set = instances_get(rt->node.instances, id, &template_set_instance_type, &ignored);
	if (set) {
		template_set_remove(set, e->name);
		template_set_remove(set, e->id);
		template_set_unref(set);
	}
	free(id);
}

/* The new one is there before the old one goes, if it was in another set. */
static int jet_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	struct err ignored = {0};
	char *from = NULL, *to = NULL;

	if (jet_add(rt, e, err) < 0)
		return -1;
	if (read_set(old, &from, &ignored) == 0 && read_set(e, &to, &ignored) == 0 && strcmp(from, to) != 0)
		jet_remove(rt, old);
	free(from);
	free(to);
	return 0;
}

const struct kind template_set_kind = {
	.name = "template.set",
	.summary = "templates that programs render",
	.add = set_add,
	.update = set_update,
	.remove = set_remove,
};

const struct kind template_jet_kind = {
	.name = "template.jet",
	.summary = "a template of a set",
	.verbatim = "source",
	.add = jet_add,
	.update = jet_update,
	.remove = jet_remove,
};
