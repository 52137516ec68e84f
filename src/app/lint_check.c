/*
 * lint_check.c - the checks of one entry with the knowledge of all.
 *
 *   P0001  error    the source does not parse
 *   E0101  error    require() of a name that is neither listed nor always there
 *   E0102  error    `modules` names something that is no module
 *   E0103  error    `imports` names something that is no library, or cannot be loaded together
 *   E0104  error    the method is not among what the source returns
 *   E0105  warning  a global that nobody defines
 *   E0106  warning  a field that the module or library does not have
 *   E0107  warning  an assignment to a table that is read-only
 *   E0108  error    a field the entry cannot do without is missing
 *   W0001 ... W0007  warnings about style (front_lint.h)
 *
 * What fails an entry before it runs is an error; what fails it only if it gets there is a warning.
 */
#include <stdlib.h>
#include <string.h>

#include "app/lint_check.h"
#include "base/alloc.h"

static const char yes[] = "yes", no[] = "no";

/* -- names in the source -------------------------------------------------------------------------------- */

static char *first_part(const char *path)
{
	return xmemdupz(path, strcspn(path, "."));
}

static bool find_global(struct check *c, const char *name)
{
	struct unit *const *list;
	size_t n;

	if (members_is_ambient(c->members, name) || unit_provides(c->u, name) || c->u->report->opens_globals)
		return true;
	list = units_reachable(c->us, c->u, &n);
	for (size_t i = 0; i < n; i++) {
		const struct lint_report *r = list[i]->report;

		/* What cannot be read may define anything. */
		if (unit_provides(list[i], name) || !r || r->has_syntax_error || r->opens_globals ||
			list[i]->misses_import)
			return true;
	}
	return false;
}

static bool is_known_global(struct check *c, const char *name)
{
	const char *answer = map_get(c->known, name);

	if (!answer) {
		answer = find_global(c, name) ? yes : no;
		map_set(c->known, name, (void *)answer);
	}
	return answer == yes;
}

static char *suggest_global(struct check *c, const char *name)
{
	struct suggestion s = {.wanted = name};
	struct map *const maps[] = {c->u->globals, c->u->modules, c->u->imports};
	const char *other;

	for (size_t i = 0; wants_suggestions(c) && members_next(c->members, &i, &other);) {
		if (members_is_ambient(c->members, other))
			suggestion_offer(&s, other, strlen(other));
	}
	for (size_t k = 0; k < ARRAY_LEN(maps); k++) {
		for (size_t i = 0; maps[k] && wants_suggestions(c) && map_next(maps[k], &i, &other, NULL);)
			suggestion_offer(&s, other, strlen(other));
	}
	return suggestion_take(&s);
}

static void check_global(struct check *c, const struct lint_use *use, const char *name)
{
	struct lint_place place = use->place;
	char *hint;

	if (map_has(c->tested, name) || is_known_global(c, name))
		return;
	place.len = (uint32_t)strlen(name);
	if (is_module(c->members, name))
		hint = xasprintf("; list module '%s' in 'modules'", name);
	else
		hint = suggest_global(c, name);
	check_add(c, "E0105", SEVERITY_WARNING, in_source(&place), xasprintf("undefined global '%s'%s", name, hint));
	free(hint);
}

/* Does a name mean the module or library table of that name, and not something the program put there? */
static bool find_meaning(struct check *c, const char *name)
{
	struct unit *const *list;
	size_t n;

	if (!is_module(c->members, name) || (c->u->imports && map_has(c->u->imports, name)))
		return false;
	if (!members_is_ambient(c->members, name) && !(c->u->modules && map_has(c->u->modules, name)))
		return false;
	list = units_reachable(c->us, c->u, &n);
	for (size_t i = 0; i < n; i++) {
		if (list[i]->globals && map_has(list[i]->globals, name))
			return false;
	}
	return true;
}

static bool means_module(struct check *c, const char *name)
{
	const char *answer = map_get(c->meant, name);

	if (!answer) {
		answer = find_meaning(c, name) ? yes : no;
		map_set(c->meant, name, (void *)answer);
	}
	return answer == yes;
}

static char *suggest_member(struct check *c, const char *prefix, const char *name)
{
	struct suggestion s = {.wanted = name};
	size_t len = strlen(prefix);
	const char *path;

	for (size_t i = 0; wants_suggestions(c) && members_next(c->members, &i, &path);) {
		if (strncmp(path, prefix, len) == 0 && path[len] == '.' && !strchr(path + len + 1, '.'))
			suggestion_offer(&s, path + len + 1, strlen(path + len + 1));
	}
	return suggestion_take(&s);
}

static void check_module_path(struct check *c, const struct lint_use *use)
{
	const char *end = use->path + strcspn(use->path, ".");

	while (*end) {
		size_t next = (size_t)(end + 1 - use->path) + strcspn(end + 1, ".");
		char *table = xmemdupz(use->path, (size_t)(end - use->path));
		char *whole = xmemdupz(use->path, next);
		const char *name = whole + strlen(table) + 1;
		bool is_table = members_find(c->members, table) == MEMBER_TABLE;
		bool is_last = use->path[next] == '\0';
		bool is_missing = is_table && members_find(c->members, whole) == MEMBER_NONE;

		if (is_table && is_last && use->access == LINT_WRITE) {
			check_add(c, "E0107", SEVERITY_WARNING, in_source(&use->place),
				xasprintf("cannot assign to '%s': '%s' is a read-only table", whole, table));
		} else if (is_missing && !map_has(c->tested, whole)) {
			char *hint = suggest_member(c, table, name);

			check_add(c, "E0106", SEVERITY_WARNING, in_source(&use->place),
				xasprintf("'%s' has no field '%s'%s", table, name, hint));
			free(hint);
		}
		free(table);
		free(whole);
		if (!is_table || is_missing)
			return;
		end = use->path + next;
	}
}

static void check_library_path(
	struct check *c, const struct lint_use *use, const char *alias, const struct unit *library)
{
	const struct lint_report *r = library->report;
	char *name = first_part(use->path + strlen(alias) + 1);
	char *whole = xasprintf("%s.%s", alias, name);
	struct suggestion s = {.wanted = name};
	/* This entry may have added it. */
	bool found = use->access != LINT_READ || map_has(c->tested, whole) || map_has(c->written, whole);

	for (size_t i = 0; i < r->nfields && !found; i++) {
		found = strcmp(r->fields[i], name) == 0;
		if (!found && wants_suggestions(c))
			suggestion_offer(&s, r->fields[i], strlen(r->fields[i]));
	}
	if (!found) {
		char *hint = suggestion_take(&s);

		check_add(c, "E0106", SEVERITY_WARNING, in_source(&use->place),
			xasprintf("library '%s' (%s) has no field '%s'%s", alias, library->entry->id, name, hint));
		free(hint);
	}
	free(s.best);
	free(name);
	free(whole);
}

static void check_require(struct check *c, const struct lint_use *use)
{
	const char *name = use->path;

	if ((c->u->modules && map_has(c->u->modules, name)) || (c->u->imports && map_has(c->u->imports, name)) ||
		members_is_ambient(c->members, name))
		return;
	check_add(c, "E0101", SEVERITY_ERROR, in_source(&use->place),
		xasprintf("require(\"%s\") is not declared in _index.yaml imports or modules", name));
}

static void check_use(struct check *c, const struct lint_use *use)
{
	char *name;
	struct unit *library;

	if (use->access == LINT_REQUIRE) {
		check_require(c, use);
		return;
	}
	if (use->access == LINT_TYPE || use->access == LINT_MENTION)
		return;
	name = first_part(use->path);
	if (use->is_global && (use->access == LINT_READ || strchr(use->path, '.')))
		check_global(c, use, name);
	if (strchr(use->path, '.')) {
		library = units_library(c->us, c->u, name);
		if (means_module(c, name))
			check_module_path(c, use);
		else if (library && library->report && library->report->export == LINT_EXPORT_TABLE)
			check_library_path(c, use, name, library);
	}
	free(name);
}

/* -- what is listed but not used -------------------------------------------------------------------------- */

/* Does a library need it that does not bring it along? */
static bool is_used_by_libraries(struct check *c, const char *name)
{
	size_t n;
	struct unit *const *list = units_closure(c->us, c->u, &n);

	for (size_t i = 1; i < n; i++) {
		const struct lint_report *r = list[i]->report;

		if (!r || r->has_syntax_error || r->opens_globals || r->requires_any)
			return true;
		if (unit_provides(list[i], name))
			continue;
		for (size_t k = 0; k < r->nuses; k++) {
			size_t len = strcspn(r->uses[k].path, ".");

			if (strncmp(r->uses[k].path, name, len) == 0 && name[len] == '\0')
				return true;
		}
	}
	return false;
}

static void check_listed(struct check *c, const struct map *names, const char *what)
{
	const char *name;
	void *v;

	for (size_t i = 0; names && map_next(names, &i, &name, &v);) {
		const struct unit *library = units_library(c->us, c->u, name);

		if (map_has(c->used, name) || is_used_by_libraries(c, name))
			continue;
		/* What is not there has been reported as that. */
		if (names == c->u->imports ? !library
					   : !is_library_name(c->members, name) && !is_module(c->members, name))
			continue;
		/* A library may be there for the globals it makes. */
		if (library && (library->globals || !library->report || library->report->opens_globals ||
				       library->report->has_syntax_error))
			continue;
		check_add(c, "W0006", SEVERITY_WARNING, at_value(v),
			xasprintf("%s '%s' is listed but never used", what, name));
	}
}

/* -- all of it -------------------------------------------------------------------------------------------- */

static void check_rules(struct check *c)
{
	static const char *const codes[] = {
		[LINT_SYNTAX] = "P0001",
		[LINT_EMPTY_BLOCK] = "W0001",
		[LINT_GLOBAL_ASSIGNMENT] = "W0002",
		[LINT_SELF_COMPARE] = "W0003",
		[LINT_UNUSED_LOCAL] = "W0004",
		[LINT_UNUSED_PARAMETER] = "W0005",
		[LINT_UNUSED_IMPORT] = "W0006",
		[LINT_SHADOWING] = "W0007",
	};
	const struct lint_report *r = c->u->report;

	for (size_t i = 0; i < r->nproblems; i++) {
		const struct lint_problem *p = &r->problems[i];
		uint32_t line;
		char *text;

		if (p->rule != LINT_SYNTAX && !c->out->filter->rules)
			continue;
		line = p->other_line ? sources_line(c->out->sources, c->u->entry, p->other_line) : 0;
		if (line)
			text = xasprintf("%s %u", p->text, line);
		else if (p->other_line)
			text = xasprintf("%s %u of the source", p->text, p->other_line);
		else
			text = xstrdup(p->text);
		check_add(c, codes[p->rule], p->rule == LINT_SYNTAX ? SEVERITY_ERROR : SEVERITY_WARNING,
			in_source(&p->place), text);
	}
}

static void note_names(struct check *c)
{
	const struct lint_report *r = c->u->report;

	for (size_t i = 0; i < r->nuses; i++) {
		struct lint_use *use = &r->uses[i];
		char *name = first_part(use->path);

		map_set(c->used, name, use);
		if (use->is_tested)
			map_set(c->tested, use->path, use);
		if (use->access == LINT_WRITE)
			map_set(c->written, use->path, use);
		free(name);
	}
}

void lint_check_unit(struct units *us, struct unit *u, const struct members *m, struct findings *out)
{
	struct check c = {
		.us = us,
		.u = u,
		.members = m,
		.out = out,
		.tested = map_new(),
		.written = map_new(),
		.used = map_new(),
		.known = map_new(),
		.meant = map_new(),
	};
	const struct lint_report *r = u->report;

	if (!r)
		check_add(&c, "E0108", SEVERITY_ERROR, (struct spot){0}, xstrdup("source is required"));
	check_modules(&c);
	check_imports(&c);
	check_method(&c);
	if (r) {
		note_names(&c);
		check_rules(&c);
		for (size_t i = 0; i < r->nuses; i++)
			check_use(&c, &r->uses[i]);
	}
	if (r && out->filter->rules && !r->has_syntax_error && !r->opens_globals && !r->requires_any) {
		check_listed(&c, u->modules, "module");
		check_listed(&c, u->imports, "import");
	}
	map_free(c.tested, NULL);
	map_free(c.written, NULL);
	map_free(c.used, NULL);
	map_free(c.known, NULL);
	map_free(c.meant, NULL);
}
