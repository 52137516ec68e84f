/*
 * change_text.c - changes as JSON, for the stores of the history:
 *
 *     [{"kind": "entry.update", "entry": {"id": ..., "kind": ..., "meta": {...}, "data": ...}, "previous": {...}}]
 */
#include <string.h>

#include "registry/history.h"
#include "value/json.h"

static struct value *entry_value(const struct entry *e)
{
	struct value *v = value_map();

	value_map_set(v, "id", value_cstring(e->id));
	value_map_set(v, "kind", value_cstring(e->kind));
	value_map_set(v, "meta", value_ref(e->meta));
	if (e->data)
		value_map_set(v, "data", value_ref(e->data));
	return v;
}

void changes_write(const struct changes *c, struct buf *out)
{
	struct value *list = value_list();

	for (size_t i = 0; i < c->count; i++) {
		const struct change *x = &c->items[i];
		struct value *v = value_map();

		value_map_set(v, "kind", value_cstring(change_type_name(x->type)));
		value_map_set(v, "entry", entry_value(x->entry));
		if (x->previous)
			value_map_set(v, "previous", entry_value(x->previous));
		value_list_append(list, v);
	}
	json_write(list, out);
	value_unref(list);
}

static struct entry *read_entry(const struct value *v)
{
	const struct value *id = value_get(v, "id"), *kind = value_get(v, "kind"), *meta = value_get(v, "meta");
	const struct value *data = value_get(v, "data");

	if (value_type(id) != VALUE_STRING || value_type(kind) != VALUE_STRING || value_type(meta) != VALUE_MAP)
		return NULL;
	return entry_new(value_get_string(id, NULL), value_get_string(kind, NULL),
		value_ref((struct value *)(uintptr_t)meta), value_ref((struct value *)(uintptr_t)data));
}

static int read_change(const struct value *v, struct changes *out, struct err *e)
{
	const struct value *kind = value_get(v, "kind");
	struct entry *entry = read_entry(value_get(v, "entry")), *previous = read_entry(value_get(v, "previous"));
	int rc = -1;

	for (int t = CHANGE_CREATE; t <= CHANGE_DELETE && rc < 0; t++) {
		if (value_type(kind) != VALUE_STRING ||
			strcmp(value_get_string(kind, NULL), change_type_name((enum change_type)t)) != 0)
			continue;
		if (entry && (t == CHANGE_CREATE || previous)) {
			changes_add(out, (enum change_type)t, entry, previous);
			rc = 0;
		}
	}
	entry_unref(entry);
	entry_unref(previous);
	return rc < 0 ? err_set(e, ERR_INVALID, "a stored change has an unknown form") : 0;
}

int changes_read(const char *text, size_t len, struct changes *ret, struct err *e)
{
	struct changes c = {0};
	struct value *list;
	int rc = 0;

	if (json_parse(text, len, &list, e) < 0)
		return err_prefix(e, "stored changes");
	for (size_t i = 0; i < value_count(list) && rc == 0; i++)
		rc = read_change(value_at(list, i), &c, e);
	value_unref(list);
	if (rc < 0)
		changes_done(&c);
	else
		*ret = c;
	return rc;
}
