/*
 * packed_value.c - packed blocks from and to data trees.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "engine/packed_format.h"

/* -- from a tree --------------------------------------------------------------------------------------- */

static int put_value(struct packing *k, const struct value *v, unsigned depth, struct err *e);

static int put_list(struct packing *k, const struct value *v, unsigned depth, struct err *e)
{
	size_t n = value_count(v), at;

	if (packing_table(k, &at, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (put_value(k, value_at(v, i), depth + 1, e) < 0)
			return -1;
	}
	packing_table_end(k, at, (uint32_t)n, 0, false);
	return 0;
}

static int put_map(struct packing *k, const struct value *v, unsigned depth, struct err *e)
{
	size_t n = value_count(v), at;
	uint32_t npairs = 0;

	if (packing_table(k, &at, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const char *key;
		const struct value *item = value_pair(v, i, &key, NULL);

		if (value_type(item) == VALUE_NIL)
			continue;
		if (packing_string(k, key, strlen(key), e) < 0 || put_value(k, item, depth + 1, e) < 0)
			return -1;
		npairs++;
	}
	packing_table_end(k, at, 0, npairs, false);
	return 0;
}

static int put_value(struct packing *k, const struct value *v, unsigned depth, struct err *e)
{
	const char *s;
	size_t len;

	if (depth > PACKED_DEPTH_MAX)
		return err_set(e, ERR_INVALID, "the value is nested too deeply to copy");
	switch (value_type(v)) {
	case VALUE_NIL:
		return packing_tag(k, PACKED_NIL, e);
	case VALUE_BOOL:
		return packing_tag(k, value_get_bool(v) ? PACKED_TRUE : PACKED_FALSE, e);
	case VALUE_INT:
		return packing_int(k, value_get_int(v), e);
	case VALUE_FLOAT:
		return packing_float(k, value_get_float(v), e);
	case VALUE_STRING:
		s = value_get_string(v, &len);
		return packing_string(k, s, len, e);
	case VALUE_LIST:
		return put_list(k, v, depth, e);
	case VALUE_MAP:
		return put_map(k, v, depth, e);
	}
	return packing_tag(k, PACKED_NIL, e);
}

struct packed *packed_from_value(const struct value *v)
{
	struct packing k;

	packing_init(&k);
	if (!v)
		return packing_finish(&k);
	/* What a block cannot hold becomes nil. */
	if (put_value(&k, v, 0, NULL) < 0) {
		packing_done(&k);
		packing_tag(&k, PACKED_NIL, NULL);
	}
	packing_end_payload(&k);
	return packing_finish(&k);
}

/* -- to a tree ----------------------------------------------------------------------------------------- */

/* Tables met so far, by number; NULL while one is being read, which is how a cycle shows. */
struct reading {
	struct unpacking u;
	struct value **tables;
	size_t ntables;
	size_t cap;
};

static int get_value(struct reading *r, const struct packed_item *it, unsigned depth, struct value **ret);

static int next_value(struct reading *r, unsigned depth, struct value **ret)
{
	struct packed_item it;

	if (!unpacking_next(&r->u, &it))
		return -1;
	return get_value(r, &it, depth, ret);
}

static size_t begin_table(struct reading *r)
{
	if (r->ntables == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 16;
		r->tables = xreallocarray(r->tables, r->cap, sizeof(*r->tables));
	}
	r->tables[r->ntables] = NULL;
	return r->ntables++;
}

/* A key that is no string, as text; NULL for one that has no text. */
static const char *key_text(const struct packed_item *it, char number[static NUMBER_TEXT_MAX])
{
	switch (it->tag) {
	case PACKED_INT:
		number_format_int(it->i, number);
		return number;
	case PACKED_FLOAT:
		number_format_float(it->f, number);
		return number;
	case PACKED_TRUE:
		return "true";
	case PACKED_FALSE:
		return "false";
	default:
		return NULL;
	}
}

/* Takes `item`. */
static void set_pair(struct value *map, const struct packed_item *key, struct value *item)
{
	char number[NUMBER_TEXT_MAX];
	const char *text;

	if (key->tag == PACKED_STR8 || key->tag == PACKED_STR32) {
		char *copy = xmemdupz(key->str, key->len);

		value_map_set(map, copy, item);
		free(copy);
		return;
	}
	text = key_text(key, number);
	if (text)
		value_map_set(map, text, item);
	else
		value_unref(item);
}

static int get_table(struct reading *r, const struct packed_item *it, unsigned depth, struct value **ret)
{
	bool is_list = it->npairs == 0;
	struct value *table = is_list ? value_list() : value_map();
	struct value *item = NULL;
	struct packed_item key = {.tag = PACKED_INT};
	size_t number = begin_table(r);

	for (uint32_t i = 0; i < it->narray; i++) {
		if (next_value(r, depth + 1, &item) < 0)
			goto fail;
		key.i = (int64_t)i + 1;
		if (is_list)
			value_list_append(table, item);
		else
			set_pair(table, &key, item);
	}
	for (uint32_t i = 0; i < it->npairs; i++) {
		struct value *skipped = NULL;

		if (!unpacking_next(&r->u, &key))
			goto fail;
		/* A table as a key: its bytes must be read, but data trees have no such keys. */
		if (key.tag == PACKED_TABLE && get_value(r, &key, depth + 1, &skipped) < 0)
			goto fail;
		value_unref(skipped);
		if (next_value(r, depth + 1, &item) < 0)
			goto fail;
		set_pair(table, &key, item);
	}
	if (it->has_meta) {
		if (next_value(r, depth + 1, &item) < 0)
			goto fail;
		value_unref(item);
	}
	r->tables[number] = value_ref(table);
	*ret = table;
	return 0;
fail:
	value_unref(table);
	return -1;
}

static int get_value(struct reading *r, const struct packed_item *it, unsigned depth, struct value **ret)
{
	if (depth > PACKED_DEPTH_MAX)
		return -1;
	switch (it->tag) {
	case PACKED_NIL:
		*ret = value_nil();
		return 0;
	case PACKED_FALSE:
	case PACKED_TRUE:
		*ret = value_bool(it->tag == PACKED_TRUE);
		return 0;
	case PACKED_INT:
		*ret = value_int(it->i);
		return 0;
	case PACKED_FLOAT:
		*ret = value_float(it->f);
		return 0;
	case PACKED_STR8:
	case PACKED_STR32:
		*ret = value_string(it->str, it->len);
		return 0;
	case PACKED_TABLE:
		return get_table(r, it, depth, ret);
	case PACKED_REF:
		if (it->index >= r->ntables || !r->tables[it->index])
			return -1;
		*ret = value_ref(r->tables[it->index]);
		return 0;
	case PACKED_FAIL:
		*ret = value_string(it->failure->message, it->failure->message_len);
		return 0;
	}
	return -1;
}

struct value *packed_to_value(const struct packed *p, unsigned i)
{
	struct reading r = {0};
	struct value *v = NULL;

	if (!unpacking_init(&r.u, p, i))
		return NULL;
	if (next_value(&r, 0, &v) < 0)
		v = NULL;
	for (size_t n = 0; n < r.ntables; n++)
		value_unref(r.tables[n]);
	free(r.tables);
	return v;
}
