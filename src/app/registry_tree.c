#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/registry.h"
#include "base/alloc.h"
#include "base/map.h"
#include "registry/env.h"
#include "registry/references.h"

/* -- namespaces ----------------------------------------------------------------------------------- */

struct space {
	char *name;        /* the last part */
	char *path;        /* all of it */
	struct map *below; /* part -> struct space */
	struct map *kinds; /* kind -> how many, as a number in the pointer */
	size_t count;      /* entries right here */
};

static struct space *space_new(const char *path)
{
	struct space *s = xcalloc(1, sizeof(*s));
	const char *dot = strrchr(path, '.');

	s->path = xstrdup(path);
	s->name = xstrdup(dot ? dot + 1 : path);
	s->below = map_new();
	s->kinds = map_new();
	return s;
}

static void space_free(void *v)
{
	struct space *s = v;

	map_free(s->below, space_free);
	map_free(s->kinds, NULL);
	free(s->name);
	free(s->path);
	free(s);
}

static struct space *space_at(struct space *root, const char *ns)
{
	struct space *s = root;

	for (const char *at = ns; *at; at += strcspn(at, ".") + (at[strcspn(at, ".")] == '.')) {
		size_t len = strcspn(at, ".");
		char *path = xmemdupz(ns, (size_t)(at - ns) + len), *part = xmemdupz(at, len);
		struct space *next = map_get(s->below, part);

		if (!next) {
			next = space_new(path);
			map_set(s->below, part, next);
		}
		s = next;
		free(path);
		free(part);
	}
	return s;
}

static int by_name(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* Its keys in order; free() them. */
static const char **sorted_keys(const struct map *m)
{
	const char **keys = xcalloc(map_count(m) + 1, sizeof(*keys));
	size_t n = 0;
	void *v;

	for (size_t i = 0; map_next(m, &i, &keys[n], &v);)
		n++;
	qsort(keys, n, sizeof(*keys), by_name);
	return keys;
}

static struct value *space_value(const struct space *s)
{
	struct value *v = value_map(), *kinds = value_map(), *below = value_list();
	const char **keys = sorted_keys(s->kinds);

	for (size_t i = 0; keys[i]; i++)
		value_map_set(kinds, keys[i], value_int((int64_t)(uintptr_t)map_get(s->kinds, keys[i])));
	free(keys);
	keys = sorted_keys(s->below);
	for (size_t i = 0; keys[i]; i++)
		value_list_append(below, space_value(map_get(s->below, keys[i])));
	free(keys);
	value_map_set(v, "namespace", value_cstring(s->path));
	value_map_set(v, "entries", value_int((int64_t)s->count));
	value_map_set(v, "kinds", kinds);
	value_map_set(v, "children", below);
	return v;
}

/* How wide the names are with what stands before them. */
static int measure(const struct space *s, int depth)
{
	int widest = depth ? 3 * (depth - 1) + (int)strlen(s->name) : 0;
	void *v;

	for (size_t i = 0; map_next(s->below, &i, NULL, &v);) {
		int w = measure(v, depth + 1);

		widest = w > widest ? w : widest;
	}
	return widest;
}

static void print_space(const struct space *s, const char *before, int depth, bool last, int width)
{
	char *label = depth == 1 ? xstrdup("") : xasprintf("%s%s", before, last ? "└─ " : "├─ ");
	char *further = depth == 1 ? xstrdup("") : xasprintf("%s%s", before, last ? "   " : "│  ");
	int pad = width - 3 * (depth - 1) - (int)strlen(s->name);
	const char **keys = sorted_keys(s->kinds);

	printf("%s%s%*s", label, s->name, pad, "");
	if (s->count > 0)
		printf("  %4zu", s->count);
	for (size_t i = 0; keys[i]; i++)
		printf("%s%s %zu", i ? ", " : "  ", keys[i], (size_t)(uintptr_t)map_get(s->kinds, keys[i]));
	printf("\n");
	free(keys);
	keys = sorted_keys(s->below);
	for (size_t i = 0; keys[i]; i++)
		print_space(map_get(s->below, keys[i]), further, depth + 1, !keys[i + 1], width);
	free(keys);
	free(label);
	free(further);
}

void registry_print_namespaces(const struct project_entries *p, enum registry_format format)
{
	struct space *root = space_new("");
	const char **keys;
	int width;

	for (size_t i = 0; i < p->count; i++) {
		struct space *s = space_at(root, p->items[i]->ns);
		uintptr_t n = (uintptr_t)map_get(s->kinds, p->items[i]->kind);

		map_set(s->kinds, p->items[i]->kind, (void *)(n + 1));
		s->count++;
	}
	keys = sorted_keys(root->below);
	width = measure(root, 0);
	if (format != REGISTRY_TEXT) {
		struct value *all = value_list();

		for (size_t i = 0; keys[i]; i++)
			value_list_append(all, space_value(map_get(root->below, keys[i])));
		registry_print(all, format);
	} else if (!keys[0]) {
		printf("No entries found\n");
	} else {
		for (size_t i = 0; keys[i]; i++)
			print_space(map_get(root->below, keys[i]), "", 1, true, width);
		printf("\nTotal: %zu %s\n", p->count, p->count == 1 ? "entry" : "entries");
	}
	free(keys);
	space_free(root);
}

/* -- references ----------------------------------------------------------------------------------- */

struct refs {
	const struct project_entries *p;
	const struct entry *from;
	struct map *found; /* id -> entry */
};

static void collect(void *arg, const char *text)
{
	struct refs *r = arg;
	char *id = entry_id_resolve(text, r->from->ns);

	for (size_t i = 0; i < r->p->count; i++) {
		struct entry *e = r->p->items[i];
		bool hit = strcmp(e->id, id) == 0;

		if (strncmp(text, "group:", 6) == 0)
			hit = entry_lists_group(e, text + 6);
		else if (strncmp(text, "ns:", 3) == 0)
			hit = strcmp(e->ns, text + 3) == 0;
		else if (!hit)
			hit = entry_variable_name(e)[0] && strcmp(entry_variable_name(e), text) == 0;
		if (hit && e != r->from)
			map_set(r->found, e->id, e);
	}
	free(id);
}

/* id -> entry. */
static struct map *references(const struct project_entries *p, const struct entry *e)
{
	struct refs r = {p, e, map_new()};

	entry_references(e, collect, &r);
	env_references(e->data, collect, &r);
	return r.found;
}

struct printer {
	const struct project_entries *p;
	struct map *seen; /* those whose own references were shown */
};

static void print_below(struct printer *pr, const struct entry *e, const char *before)
{
	struct map *found = references(pr->p, e);
	const char **keys = sorted_keys(found);

	map_set(pr->seen, e->id, pr);
	for (size_t i = 0; keys[i]; i++) {
		const struct entry *to = map_get(found, keys[i]);
		bool last = !keys[i + 1], again = map_has(pr->seen, to->id);
		char *further = xasprintf("%s%s", before, last ? "   " : "│  ");

		printf("%s%s%s  (%s)%s\n", before, last ? "└─ " : "├─ ", to->id, to->kind, again ? "  as above" : "");
		if (!again)
			print_below(pr, to, further);
		free(further);
	}
	free(keys);
	map_free(found, NULL);
}

static struct value *below_value(struct printer *pr, const struct entry *e)
{
	struct map *found = references(pr->p, e);
	const char **keys = sorted_keys(found);
	struct value *list = value_list();

	map_set(pr->seen, e->id, pr);
	for (size_t i = 0; keys[i]; i++) {
		const struct entry *to = map_get(found, keys[i]);
		struct value *v = value_map();

		value_map_set(v, "id", value_cstring(to->id));
		value_map_set(v, "kind", value_cstring(to->kind));
		if (!map_has(pr->seen, to->id))
			value_map_set(v, "references", below_value(pr, to));
		value_list_append(list, v);
	}
	free(keys);
	map_free(found, NULL);
	return list;
}

/* id -> entry of those that refer to `e`. */
static struct map *referrers(const struct project_entries *p, const struct entry *e)
{
	struct map *m = map_new();

	for (size_t i = 0; i < p->count; i++) {
		struct map *found = references(p, p->items[i]);

		if (map_has(found, e->id))
			map_set(m, p->items[i]->id, p->items[i]);
		map_free(found, NULL);
	}
	return m;
}

void registry_print_references(const struct project_entries *p, const struct entry *e, enum registry_format format)
{
	struct printer pr = {p, map_new()};
	struct map *by = referrers(p, e);
	const char **keys = sorted_keys(by);

	if (format == REGISTRY_TEXT) {
		printf("%s  (%s)\n", e->id, e->kind);
		print_below(&pr, e, "");
		if (keys[0])
			printf("\nReferred to by:\n");
		for (size_t i = 0; keys[i]; i++)
			printf("  %s  (%s)\n", keys[i], ((const struct entry *)map_get(by, keys[i]))->kind);
	} else {
		struct value *v = value_map(), *list = value_list();

		for (size_t i = 0; keys[i]; i++)
			value_list_append(list, value_cstring(keys[i]));
		value_map_set(v, "id", value_cstring(e->id));
		value_map_set(v, "kind", value_cstring(e->kind));
		value_map_set(v, "references", below_value(&pr, e));
		value_map_set(v, "referenced_by", list);
		registry_print(v, format);
	}
	free(keys);
	map_free(by, NULL);
	map_free(pr.seen, NULL);
}
