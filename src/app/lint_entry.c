/*
 * lint_entry.c - the fields of an entry: modules, imports, method.
 */
#include <stdlib.h>
#include <string.h>

#include "app/lint_check.h"
#include "base/alloc.h"

bool is_library_name(const struct members *m, const char *name)
{
	return members_is_ambient(m, name) || strcmp(name, "utf8") == 0;
}

bool is_module(const struct members *m, const char *name)
{
	return !strchr(name, '.') && members_find(m, name) != MEMBER_NONE;
}

static char *suggest_module(const struct check *c, const char *name)
{
	struct suggestion s = {.wanted = name};
	const char *path;

	for (size_t i = 0; wants_suggestions(c) && members_next(c->members, &i, &path);) {
		if (!strchr(path, '.') &&
			(members_find(c->members, path) == MEMBER_TABLE || !members_is_ambient(c->members, path)))
			suggestion_offer(&s, path, strlen(path));
	}
	return suggestion_take(&s);
}

static void check_module(struct check *c, const struct value *v)
{
	const char *name = value_text(v, "");
	char *hint;

	if (!*name) {
		check_add(c, "E0102", SEVERITY_ERROR, at_value(v), xstrdup("field 'modules': module cannot be empty"));
	} else if (strchr(name, ':')) {
		check_add(c, "E0102", SEVERITY_ERROR, at_value(v),
			xasprintf("field 'modules': module cannot have a namespace: '%s'; libraries are listed under "
				  "'imports'",
				name));
	} else if (!is_library_name(c->members, name) && !is_module(c->members, name)) {
		hint = suggest_module(c, name);
		check_add(c, "E0102", SEVERITY_ERROR, at_value(v), xasprintf("there is no module '%s'%s", name, hint));
		free(hint);
	} else if (map_get(c->u->modules, name) != v) {
		check_add(c, "E0102", SEVERITY_ERROR, at_value(v), xasprintf("module '%s' is listed twice", name));
	}
}

void check_modules(struct check *c)
{
	const struct value *list = value_get(c->u->entry->data, "modules");

	if (!list)
		return;
	if (value_type(list) != VALUE_LIST) {
		check_add(c, "E0102", SEVERITY_ERROR, at_value(list),
			xasprintf("field 'modules': expected list, got %s", value_type_name(list)));
		return;
	}
	for (size_t i = 0; i < value_count(list); i++)
		check_module(c, value_at(list, i));
}

static char *suggest_entry(const struct check *c, const char *id)
{
	struct suggestion s = {.wanted = id};

	for (size_t i = 0; wants_suggestions(c) && i < c->us->count; i++) {
		if (c->us->items[i].is_library)
			suggestion_offer(&s, c->us->items[i].entry->id, strlen(c->us->items[i].entry->id));
	}
	return suggestion_take(&s);
}

/* Another alias of the same library, before this one; NULL if there is none. */
static const char *earlier_alias(const struct check *c, const char *alias, const struct unit *library)
{
	const char *other;

	for (size_t i = 0; map_next(c->u->imports, &i, &other, NULL);) {
		if (strcmp(other, alias) == 0)
			return NULL;
		if (units_library(c->us, c->u, other) == library)
			return other;
	}
	return NULL;
}

static bool imports_itself(struct check *c, struct unit *library)
{
	size_t n;
	struct unit *const *list = units_closure(c->us, library, &n);

	for (size_t i = 0; i < n; i++) {
		if (list[i] == c->u)
			return true;
	}
	return false;
}

static void check_import(struct check *c, const char *alias, const struct value *v)
{
	const char *ref = value_text(v, "");
	const struct entry *target;
	struct unit *library;
	const char *other;
	char *id, *hint, *message = NULL;

	if (!*alias || !*ref || ref[strlen(ref) - 1] == ':') {
		check_add(c, "E0103", SEVERITY_ERROR, at_value(v),
			xstrdup(*alias ? "field 'imports': import :name cannot be empty"
				       : "field 'imports': import alias cannot be empty"));
		return;
	}
	id = entry_id_resolve(ref, c->u->entry->ns);
	target = map_get(c->us->entries, id);
	library = units_library(c->us, c->u, alias);
	if (!target) {
		hint = suggest_entry(c, id);
		message = xasprintf("import '%s': there is no entry '%s'%s", alias, id, hint);
		free(hint);
	} else if (!library) {
		message = xasprintf("import '%s': '%s' is a %s, expected a library.lua", alias, id, target->kind);
	} else if ((other = earlier_alias(c, alias, library))) {
		message = xasprintf("import '%s': '%s' is imported as '%s' already", alias, id, other);
	} else if (c->u->is_library && imports_itself(c, library)) {
		message = xasprintf(
			"import '%s': adding dependency would create a cycle, '%s' imports this entry", alias, id);
	}
	if (message)
		check_add(c, "E0103", SEVERITY_ERROR, at_value(v), message);
	free(id);
}

/* One name for two things anywhere among what is loaded together. */
static void check_collisions(struct check *c, const struct value *imports)
{
	size_t n;
	struct unit *const *list = units_closure(c->us, c->u, &n);
	struct map *owners = map_new(); /* alias -> struct unit that it means */
	const char *alias;

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; list[i]->imports && map_next(list[i]->imports, &k, &alias, NULL);) {
			struct unit *library = units_library(c->us, list[i], alias);
			struct unit *other = map_get(owners, alias);

			if (library && other && other != library)
				check_add(c, "E0103", SEVERITY_ERROR, at_value(imports),
					xasprintf("alias '%s' collision: it means both '%s' and '%s'", alias,
						other->entry->id, library->entry->id));
			else if (library)
				map_set(owners, alias, library);
		}
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; list[i]->modules && map_next(list[i]->modules, &k, &alias, NULL);) {
			struct unit *other = map_remove(owners, alias);

			if (other)
				check_add(c, "E0103", SEVERITY_ERROR, at_value(imports),
					xasprintf("alias '%s' collision: it means both a module and '%s'", alias,
						other->entry->id));
		}
	}
	map_free(owners, NULL);
}

void check_imports(struct check *c)
{
	const struct value *map = value_get(c->u->entry->data, "imports");

	if (!map)
		return;
	if (value_type(map) != VALUE_MAP) {
		check_add(c, "E0103", SEVERITY_ERROR, at_value(map),
			xasprintf("field 'imports': expected map, got %s", value_type_name(map)));
		return;
	}
	for (size_t i = 0; i < value_count(map); i++) {
		const char *alias;
		const struct value *v = value_pair(map, i, &alias, NULL);

		check_import(c, alias, v);
	}
	check_collisions(c, map);
}

void check_method(struct check *c)
{
	const struct lint_report *r = c->u->report;
	const struct value *field = value_get(c->u->entry->data, "method");
	const char *method = value_text(field, "");
	struct suggestion s;
	char *hint;

	if (c->u->is_library)
		return;
	if (!*method && strcmp(c->u->entry->kind, "function.lua") == 0) {
		check_add(c, "E0108", SEVERITY_ERROR, (struct spot){0}, xstrdup("method is required"));
		return;
	}
	if (!*method)
		method = "main";
	if (!r || r->has_syntax_error)
		return;
	if (r->export == LINT_EXPORT_NOTHING) {
		check_add(c, "E0104", SEVERITY_ERROR, in_source(&r->export_place),
			xasprintf("method \"%s\" not found: the source returns nothing, expected 'return { %s = ... }'",
				method, method));
		return;
	}
	if (r->export != LINT_EXPORT_TABLE)
		return;
	s = (struct suggestion){.wanted = method};
	for (size_t i = 0; i < r->nfields; i++) {
		if (strcmp(r->fields[i], method) == 0) {
			free(s.best);
			return;
		}
		suggestion_offer(&s, r->fields[i], strlen(r->fields[i]));
	}
	hint = suggestion_take(&s);
	check_add(c, "E0104", SEVERITY_ERROR, in_source(&r->export_place),
		xasprintf("method \"%s\" not found in what the source returns%s", method, hint));
	free(hint);
}
