/*
 * link.c - ns.requirement: what a module leaves open for the application to say.
 *
 *     - name: jobs                            - name: host
 *       kind: ns.dependency                     kind: ns.requirement
 *       component: acme/jobs                    default: app:workers
 *       parameters:                             targets:
 *         - {name: host, value: app:heavy}        - {entry: queue, path: lifecycle.requires+=}
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "registry/project.h"

struct linker {
	struct project_entries *entries;
	struct map *by_id; /* id -> the last of its places in `entries`, plus one */
};

static size_t find(const struct linker *l, const char *id)
{
	return (size_t)(uintptr_t)map_get(l->by_id, id);
}

/* -- decoding ------------------------------------------------------------------------------------- */

static bool is_text(const struct value *v)
{
	return value_type(v) == VALUE_STRING && value_get_string(v, NULL)[0];
}

static bool is_scalar(const struct value *v)
{
	return value_type(v) != VALUE_LIST && value_type(v) != VALUE_MAP;
}

static int check_list(const struct entry *e, const char *field, struct err *err)
{
	const struct value *v = value_get(e->data, field);

	if (v && value_type(v) != VALUE_LIST && value_type(v) != VALUE_NIL) {
		err_set(err, ERR_INVALID, "field '%s': expected a list, got %s", field, value_type_name(v));
		return entry_prefix(err, e, v);
	}
	return 0;
}

static int check_requirement(const struct entry *e, struct err *err)
{
	const struct value *targets = value_get(e->data, "targets"), *preset = value_get(e->data, "default");

	if (check_list(e, "targets", err) < 0)
		return -1;
	if (preset && !is_scalar(preset)) {
		err_set(err, ERR_INVALID, "field 'default': expected a single value, got %s", value_type_name(preset));
		return entry_prefix(err, e, preset);
	}
	for (size_t i = 0; i < value_count(targets); i++) {
		const struct value *t = value_at(targets, i);

		if (is_text(value_get(t, "entry")) && is_text(value_get(t, "path")))
			continue;
		err_set(err, ERR_INVALID, "field 'targets[%zu]': expected {entry: ..., path: ...}", i);
		return entry_prefix(err, e, t);
	}
	return 0;
}

static int check_dependency(const struct entry *e, struct err *err)
{
	const struct value *component = value_get(e->data, "component"), *list = value_get(e->data, "parameters");
	const char *text = is_text(component) ? value_get_string(component, NULL) : "", *slash = strchr(text, '/');

	if (!slash || slash == text || !slash[1] || strchr(slash + 1, '/')) {
		err_set(err, ERR_INVALID, "field 'component': invalid format (expected org/module, got \"%s\")", text);
		return entry_prefix(err, e, component);
	}
	if (check_list(e, "parameters", err) < 0)
		return -1;
	for (size_t i = 0; i < value_count(list); i++) {
		const struct value *p = value_at(list, i), *v = value_get(p, "value");

		if (is_text(value_get(p, "name")) && v && is_scalar(v))
			continue;
		err_set(err, ERR_INVALID, "field 'parameters[%zu]': expected {name: ..., value: ...}", i);
		return entry_prefix(err, e, p);
	}
	return 0;
}

/* -- values --------------------------------------------------------------------------------------- */

/* Is the namespace what the component is called with dots: acme/jobs and acme.jobs? */
static bool is_namespace_of(const char *ns, const char *component)
{
	for (; *ns && *component; ns++, component++) {
		if (*ns != *component && !(*ns == '.' && *component == '/'))
			return false;
	}
	return *ns == *component;
}

static bool parameter_matches(const char *name, const char *component, const struct entry *requirement)
{
	const struct value *module = value_get(requirement->meta, "module");

	if (strchr(name, ':'))
		return strcmp(name, requirement->id) == 0;
	if (strcmp(name, requirement->name) != 0)
		return false;
	return is_namespace_of(requirement->ns, component) ||
	       (value_type(module) == VALUE_STRING && strcmp(value_get_string(module, NULL), component) == 0);
}

static int find_value(
	const struct linker *l, const struct entry *requirement, const struct value **ret, struct err *err)
{
	const struct entry *from = NULL;
	struct err changed;
	const struct value *found = NULL;

	for (size_t i = 0; i < l->entries->count; i++) {
		const struct entry *e = l->entries->items[i];
		const struct value *list = value_get(e->data, "parameters");
		const char *component;

		/* Checked before, but an earlier value may have been written into it. */
		if (strcmp(e->kind, "ns.dependency") != 0 || check_dependency(e, &changed) < 0)
			continue;
		component = value_get_string(value_get(e->data, "component"), NULL);
		for (size_t k = 0; k < value_count(list); k++) {
			const struct value *p = value_at(list, k), *v = value_get(p, "value");

			if (!parameter_matches(value_get_string(value_get(p, "name"), NULL), component, requirement))
				continue;
			/* The values stay out of the text: one may be a password. */
			if (found && !value_equal(found, v))
				return err_set(err, ERR_CONFLICT,
					"parameter conflict: multiple dependencies define different values: %s and %s",
					from->id, e->id);
			found = v;
			from = e;
		}
	}
	if (!found)
		found = value_get(requirement->data, "default");
	if (!found || value_type(found) == VALUE_NIL)
		return err_set(err, ERR_NOT_FOUND,
			"no value available: no dependency parameter found and no default value specified");
	*ret = found;
	return 0;
}

/* -- targets -------------------------------------------------------------------------------------- */

static const struct value *look(const struct entry *e, const char *path)
{
	if (path[0] == '.')
		path++;
	if (strncmp(path, "meta.", 5) == 0)
		return value_path(e->meta, path + 5);
	return value_path(e->data, strncmp(path, "data.", 5) == 0 ? path + 5 : path);
}

static int append(struct entry *e, const char *path, const struct value *v, struct err *err)
{
	const struct value *old = look(e, path);
	struct value *list;
	int rc;

	if (value_type(old) != VALUE_LIST && value_type(old) != VALUE_NIL)
		return err_set(err, ERR_INVALID, "cannot append to non-array at path: %s", path);
	for (size_t i = 0; i < value_count(old); i++) {
		if (value_equal(value_at(old, i), v))
			return 0;
	}
	list = value_list();
	for (size_t i = 0; i < value_count(old); i++)
		value_list_append(list, value_ref((struct value *)(uintptr_t)value_at(old, i)));
	value_list_append(list, value_ref((struct value *)(uintptr_t)v));
	rc = entry_set(e, path, list, err);
	value_unref(list);
	return rc;
}

static int write_target(struct linker *l, const struct entry *requirement, const struct value *target,
	const struct value *v, struct err *err)
{
	char *id = entry_id_resolve(value_get_string(value_get(target, "entry"), NULL), requirement->ns);
	char *path = xstrdup(value_get_string(value_get(target, "path"), NULL));
	size_t len = strlen(path), at = find(l, id);
	bool appends = len > 2 && strcmp(path + len - 2, "+=") == 0;
	struct entry *fresh = NULL;
	int rc = -1;

	if (at == 0) {
		err_set(err, ERR_NOT_FOUND, "no matching entries found: %s", id);
		goto out;
	}
	if (appends)
		path[len - 2] = '\0';
	fresh = entry_copy(l->entries->items[at - 1]);
	rc = appends ? append(fresh, path, v, err) : entry_set(fresh, path, v, err);
	if (rc < 0)
		goto out;
	entry_unref(l->entries->items[at - 1]);
	l->entries->items[at - 1] = fresh;
	fresh = NULL;
out:
	entry_unref(fresh);
	free(path);
	free(id);
	return rc;
}

static int link_one(struct linker *l, struct entry *requirement, struct err *err)
{
	const struct value *targets = value_get(requirement->data, "targets"), *v = NULL;

	if (check_requirement(requirement, err) < 0)
		return -1;
	if (value_count(targets) == 0)
		return err_set(err, ERR_INVALID, "no targets defined in requirement definition");
	if (find_value(l, requirement, &v, err) < 0)
		return -1;
	for (size_t i = 0; i < value_count(targets); i++) {
		if (write_target(l, requirement, value_at(targets, i), v, err) < 0)
			return -1;
	}
	return 0;
}

static int check_all(const struct project_entries *p, struct err *e)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct entry *x = p->items[i];

		if (strcmp(x->kind, "ns.requirement") == 0 && check_requirement(x, e) < 0)
			return -1;
		if (strcmp(x->kind, "ns.dependency") == 0 && check_dependency(x, e) < 0)
			return -1;
	}
	return 0;
}

int project_link(struct project_entries *p, project_problem_fn *warn, void *arg, struct err *e)
{
	struct linker l = {.entries = p};

	if (check_all(p, e) < 0)
		return -1;
	l.by_id = map_new();
	for (size_t i = 0; i < p->count; i++)
		map_set(l.by_id, p->items[i]->id, (void *)(uintptr_t)(i + 1));
	for (size_t i = 0; i < p->count; i++) {
		struct entry *x = p->items[i];
		struct err one = {0};

		if (strcmp(x->kind, "ns.requirement") != 0)
			continue;
		/* A target may be a requirement, even this one. */
		entry_ref(x);
		if (link_one(&l, x, &one) < 0 && warn) {
			entry_prefix(&one, x, NULL);
			warn(arg, &one);
		}
		entry_unref(x);
	}
	map_free(l.by_id, NULL);
	return 0;
}
