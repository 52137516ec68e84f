/*
 * override.c - what configuration changes in the loaded entries before they are applied: `override` and `disable`.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "registry/pattern.h"
#include "registry/project.h"

static size_t find_entry(const struct project_entries *p, const char *id)
{
	for (size_t i = 0; i < p->count; i++) {
		if (strcmp(p->items[i]->id, id) == 0)
			return i;
	}
	return p->count;
}

struct entry *entry_copy(const struct entry *e)
{
	struct entry *c = xcalloc(1, sizeof(*c));

	refcount_init(&c->refs);
	c->id = xstrdup(e->id);
	c->ns = xstrdup(e->ns);
	c->name = xstrdup(e->name);
	c->kind = xstrdup(e->kind);
	c->file = xstrdup(e->file);
	c->line = e->line;
	c->sources = xstrdup(e->sources);
	c->meta = value_ref(e->meta);
	c->data = value_ref(e->data);
	return c;
}

static void set_path(struct value **tree, const char *path, const struct value *v)
{
	struct value *fresh = value_with_path(*tree, path, value_ref((struct value *)v));

	value_unref(*tree);
	*tree = fresh;
}

int entry_set(struct entry *e, const char *path, const struct value *v, struct err *err)
{
	if (path[0] == '.')
		path++;
	if (strcmp(path, "kind") == 0) {
		if (value_type(v) != VALUE_STRING || !value_get_string(v, NULL)[0])
			return err_set(err, ERR_INVALID, "kind override must be a string");
		free(e->kind);
		e->kind = xstrdup(value_get_string(v, NULL));
		return 0;
	}
	if (strncmp(path, "meta.", 5) == 0)
		set_path(&e->meta, path + 5, v);
	else
		set_path(&e->data, strncmp(path, "data.", 5) == 0 ? path + 5 : path, v);
	return 0;
}

int project_override(struct project_entries *p, const char *key, const struct value *v, struct err *e)
{
	const char *first = strchr(key, ':');
	const char *second = first ? strchr(first + 1, ':') : NULL;
	struct entry *fresh;
	char *id;
	size_t at;

	if (!second || first == key || second == first + 1 || !second[1])
		return err_set(e, ERR_INVALID, "invalid override: %s (expected namespace:entry:path=value)", key);
	id = xmemdupz(key, (size_t)(second - key));
	at = find_entry(p, id);
	if (at == p->count) {
		err_set(e, ERR_NOT_FOUND, "override errors: no entry found for %s", id);
		free(id);
		return -1;
	}
	free(id);
	fresh = entry_copy(p->items[at]);
	if (entry_set(fresh, second + 1, v, e) < 0) {
		entry_unref(fresh);
		return err_prefix(e, "override errors: %s", key);
	}
	entry_unref(p->items[at]);
	p->items[at] = fresh;
	return 0;
}

/* -- patterns -- */

static int check_pattern(const struct value *v, bool needs_colon, struct err *e)
{
	const char *text;

	if (value_type(v) != VALUE_STRING)
		return err_set(e, ERR_INVALID, "line %u: field 'disable': expected a string, got %s", value_line(v),
			value_type_name(v));
	text = value_get_string(v, NULL);
	if (needs_colon && !strchr(text, ':'))
		return err_set(e, ERR_INVALID,
			"invalid entry pattern '%s': missing ':' separator (expected namespace:name)", text);
	if (!dotted_is_bounded(text))
		return err_set(e, ERR_INVALID, "invalid entry pattern '%.64s': too long or too many '**'", text);
	return 0;
}

static bool is_disabled(const struct entry *e, const struct value *namespaces, const struct value *entries)
{
	for (size_t i = 0; i < value_count(namespaces); i++) {
		if (dotted_matches(value_get_string(value_at(namespaces, i), NULL), e->ns))
			return true;
	}
	for (size_t i = 0; i < value_count(entries); i++) {
		const char *text = value_get_string(value_at(entries, i), NULL);
		const char *colon = strchr(text, ':');
		char *ns = xmemdupz(text, (size_t)(colon - text));
		bool hit = dotted_matches(ns, e->ns) && dotted_matches(colon + 1, e->name);

		free(ns);
		if (hit)
			return true;
	}
	return false;
}

static int check_is_list(const char *name, const struct value *v, struct err *e)
{
	if (value_type(v) == VALUE_NIL || value_type(v) == VALUE_LIST)
		return 0;
	return err_set(e, ERR_INVALID, "%s: expected a list of patterns, got %s%s", name, value_type_name(v),
		value_type(v) == VALUE_MAP ? " (add and remove are for profiles)" : "");
}

int project_disable(
	struct project_entries *p, const struct value *namespaces, const struct value *entries, struct err *e)
{
	size_t kept = 0;

	if (check_is_list("disable.namespaces", namespaces, e) < 0 || check_is_list("disable.entries", entries, e) < 0)
		return -1;
	for (size_t i = 0; i < value_count(namespaces); i++) {
		if (check_pattern(value_at(namespaces, i), false, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < value_count(entries); i++) {
		if (check_pattern(value_at(entries, i), true, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < p->count; i++) {
		if (is_disabled(p->items[i], namespaces, entries))
			entry_unref(p->items[i]);
		else
			p->items[kept++] = p->items[i];
	}
	p->count = kept;
	return 0;
}
