/*
 * lint_project.c - the entries with a source, and which of them share their globals.
 */
#include <stdlib.h>
#include <string.h>

#include "app/lint.h"
#include "base/alloc.h"

static bool has_source(const struct entry *e)
{
	static const char *const kinds[] = {"function.lua", "library.lua", "process.lua", "workflow.lua"};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(e->kind, kinds[i]) == 0)
			return true;
	}
	return false;
}

static void put(struct map **m, const char *key, const void *v)
{
	if (!*m)
		*m = map_new();
	if (!map_has(*m, key))
		map_set(*m, key, (void *)v);
}

static void note_globals(struct unit *u)
{
	const struct lint_report *r = u->report;

	for (size_t i = 0; r && i < r->nuses; i++) {
		const struct lint_use *use = &r->uses[i];

		if ((use->access == LINT_TYPE || (use->access == LINT_WRITE && use->is_global)) &&
			!strchr(use->path, '.'))
			put(&u->globals, use->path, use);
	}
}

static void read_lists(struct unit *u)
{
	const struct value *modules = value_get(u->entry->data, "modules");
	const struct value *imports = value_get(u->entry->data, "imports");

	for (size_t i = 0; value_type(modules) == VALUE_LIST && i < value_count(modules); i++) {
		const struct value *v = value_at(modules, i);

		if (value_type(v) == VALUE_STRING)
			put(&u->modules, value_get_string(v, NULL), v);
	}
	for (size_t i = 0; value_type(imports) == VALUE_MAP && i < value_count(imports); i++) {
		const char *alias;
		const struct value *v = value_pair(imports, i, &alias, NULL);

		put(&u->imports, alias, v);
	}
}

static void add_link(struct unit ***list, size_t *n, struct unit *u)
{
	if ((*n & (*n - 1)) == 0)
		*list = xreallocarray(*list, *n ? 2 * *n : 1, sizeof(**list));
	(*list)[(*n)++] = u;
}

static struct unit *target_of(const struct units *us, const struct unit *u, const struct value *ref)
{
	struct unit *t;
	char *id;

	if (value_type(ref) != VALUE_STRING)
		return NULL;
	id = entry_id_resolve(value_get_string(ref, NULL), u->entry->ns);
	t = map_get(us->by_id, id);
	free(id);
	return t && t->is_library ? t : NULL;
}

static void link_imports(struct units *us, struct unit *u)
{
	void *v;

	for (size_t i = 0; u->imports && map_next(u->imports, &i, NULL, &v);) {
		struct unit *t = target_of(us, u, v);

		if (!t) {
			u->misses_import = true;
			continue;
		}
		add_link(&u->libraries, &u->nlibraries, t);
		add_link(&t->importers, &t->nimporters, u);
	}
}

void units_init(struct units *us, const struct project_entries *p)
{
	*us = (struct units){.by_id = map_new(), .entries = map_new()};
	us->items = xcalloc(p->count + 1, sizeof(*us->items));
	for (size_t i = 0; i < p->count; i++) {
		const struct entry *e = p->items[i];
		const struct value *source = value_get(e->data, "source");
		struct unit *u = &us->items[us->count];

		map_set(us->entries, e->id, (void *)e);
		if (!has_source(e))
			continue;
		us->count++;
		u->entry = e;
		u->is_library = strcmp(e->kind, "library.lua") == 0;
		map_set(us->by_id, e->id, u);
		read_lists(u);
		if (value_type(source) == VALUE_STRING && *value_get_string(source, NULL)) {
			size_t len;
			const char *text = value_get_string(source, &len);

			u->report = front_lint(text, len);
			note_globals(u);
		}
	}
	for (size_t i = 0; i < us->count; i++)
		link_imports(us, &us->items[i]);
	us->walk = xcalloc(us->count + 1, sizeof(struct unit *));
}

void units_done(struct units *us)
{
	for (size_t i = 0; i < us->count; i++) {
		struct unit *u = &us->items[i];

		lint_report_free(u->report);
		map_free(u->globals, NULL);
		map_free(u->modules, NULL);
		map_free(u->imports, NULL);
		free(u->libraries);
		free(u->importers);
	}
	free(us->items);
	free(us->walk);
	map_free(us->by_id, NULL);
	map_free(us->entries, NULL);
}

struct unit *units_library(const struct units *us, const struct unit *u, const char *alias)
{
	const struct value *ref = u->imports ? map_get(u->imports, alias) : NULL;

	return ref ? target_of(us, u, ref) : NULL;
}

static void meet(struct units *us, struct unit *u, size_t *n)
{
	if (u->mark == us->mark)
		return;
	u->mark = us->mark;
	us->walk[(*n)++] = u;
}

static void meet_libraries(struct units *us, size_t *n)
{
	for (size_t i = 0; i < *n; i++) {
		struct unit *u = us->walk[i];

		for (size_t k = 0; k < u->nlibraries; k++)
			meet(us, u->libraries[k], n);
	}
}

struct unit *const *units_closure(struct units *us, struct unit *u, size_t *ret_n)
{
	us->mark++;
	*ret_n = 0;
	meet(us, u, ret_n);
	meet_libraries(us, ret_n);
	return us->walk;
}

struct unit *const *units_reachable(struct units *us, struct unit *u, size_t *ret_n)
{
	us->mark++;
	*ret_n = 0;
	meet(us, u, ret_n);
	for (size_t i = 0; i < *ret_n; i++) {
		struct unit *at = us->walk[i];

		for (size_t k = 0; k < at->nimporters; k++)
			meet(us, at->importers[k], ret_n);
	}
	meet_libraries(us, ret_n);
	return us->walk;
}

bool unit_provides(const struct unit *u, const char *name)
{
	return (u->globals && map_has(u->globals, name)) || (u->modules && map_has(u->modules, name)) ||
	       (u->imports && map_has(u->imports, name));
}
