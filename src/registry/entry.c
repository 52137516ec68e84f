#include "registry/entry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

struct entry *entry_new(const char *id, const char *kind, struct value *meta, struct value *data)
{
	struct entry *e = xcalloc(1, sizeof(*e));

	refcount_init(&e->refs);
	entry_id_split(id, &e->ns, &e->name);
	e->id = xasprintf("%s:%s", e->ns, e->name);
	e->kind = xstrdup(kind);
	e->meta = meta ? meta : value_map();
	e->data = data;
	e->file = xstrdup("");
	return e;
}

struct entry *entry_with_data(const struct entry *e, struct value *data)
{
	struct entry *fresh = xcalloc(1, sizeof(*fresh));

	refcount_init(&fresh->refs);
	fresh->id = xstrdup(e->id);
	fresh->ns = xstrdup(e->ns);
	fresh->name = xstrdup(e->name);
	fresh->kind = xstrdup(e->kind);
	fresh->meta = value_ref(e->meta);
	fresh->data = data;
	fresh->file = xstrdup(e->file);
	fresh->line = e->line;
	fresh->sources = e->sources ? xstrdup(e->sources) : NULL;
	return fresh;
}

bool entry_equal(const struct entry *a, const struct entry *b)
{
	return a == b || (strcmp(a->id, b->id) == 0 && strcmp(a->kind, b->kind) == 0 && value_equal(a->meta, b->meta) &&
				 value_equal(a->data, b->data));
}

struct entry *entry_ref(struct entry *e)
{
	if (e)
		refcount_inc(&e->refs);
	return e;
}

void entry_unref(struct entry *e)
{
	if (!e || !refcount_dec(&e->refs))
		return;
	free(e->id);
	free(e->ns);
	free(e->name);
	free(e->kind);
	free(e->file);
	free(e->sources);
	value_unref(e->meta);
	value_unref(e->data);
	free(e);
}

void entry_id_split(const char *id, char **ret_ns, char **ret_name)
{
	const char *colon = strchr(id, ':');

	*ret_ns = colon ? xmemdupz(id, (size_t)(colon - id)) : xstrdup("");
	*ret_name = xstrdup(colon ? colon + 1 : id);
}

char *entry_id_resolve(const char *ref, const char *ns)
{
	return strchr(ref, ':') ? xstrdup(ref) : xasprintf("%s:%s", ns, ref);
}

int entry_prefix(struct err *err, const struct entry *e, const struct value *at)
{
	uint32_t line = value_line(at) ? value_line(at) : e->line;

	err_prefix(err, "entry %s", e->id);
	if (!e->file[0])
		return -1;
	return line ? err_prefix(err, "%s:%u", e->file, line) : err_prefix(err, "%s", e->file);
}
