/*
 * value.c - see value.h
 */
#include "value/value.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/refcount.h"

/* Maps up to this size are searched pair by pair; larger ones have an index. */
enum { LINEAR_PAIRS_MAX = 12 };

struct value_pair {
	char *key;
	struct value *item;
	uint32_t line;
};

struct value {
	struct refcount refs;
	enum value_type type;
	union {
		struct {
			uint32_t line;
			uint32_t column;
		};
		struct value *next_dead; /* the position is no longer needed while a tree is freed */
	};
	union {
		bool b;
		int64_t i;
		double f;
		struct {
			const char *bytes; /* just behind the struct */
			size_t len;
		} string;
		struct {
			struct value **items;
			size_t n, cap;
		} list;
		struct {
			struct value_pair *pairs;
			size_t n, cap;
			struct map *index; /* key to position + 1, as a pointer; NULL while the map is small */
		} map;
	};
};

static struct value *new_value(enum value_type type, size_t more_bytes)
{
	struct value *v = xmalloc(sizeof(*v) + more_bytes);

	memset(v, 0, sizeof(*v));
	refcount_init(&v->refs);
	v->type = type;
	return v;
}

struct value *value_nil(void)
{
	return new_value(VALUE_NIL, 0);
}

struct value *value_bool(bool b)
{
	struct value *v = new_value(VALUE_BOOL, 0);

	v->b = b;
	return v;
}

struct value *value_int(int64_t i)
{
	struct value *v = new_value(VALUE_INT, 0);

	v->i = i;
	return v;
}

struct value *value_float(double f)
{
	struct value *v = new_value(VALUE_FLOAT, 0);

	v->f = f;
	return v;
}

struct value *value_string(const char *s, size_t len)
{
	struct value *v;
	char *bytes;

	assert(len < SIZE_MAX - sizeof(*v) - 1);
	v = new_value(VALUE_STRING, len + 1);
	bytes = (char *)(v + 1);
	if (len)
		memcpy(bytes, s, len);
	bytes[len] = '\0';
	v->string.bytes = bytes;
	v->string.len = len;
	return v;
}

struct value *value_cstring(const char *s)
{
	return value_string(s, strlen(s));
}

struct value *value_list(void)
{
	return new_value(VALUE_LIST, 0);
}

struct value *value_map(void)
{
	return new_value(VALUE_MAP, 0);
}

struct value *value_ref(struct value *v)
{
	if (v)
		refcount_inc(&v->refs);
	return v;
}

/* Drop one reference; a value nobody holds any more goes to the front of `dead`. */
static void drop(struct value *v, struct value **dead)
{
	if (v && refcount_dec(&v->refs)) {
		v->next_dead = *dead;
		*dead = v;
	}
}

void value_unref(struct value *v)
{
	struct value *dead = NULL;

	drop(v, &dead);
	while (dead) {
		v = dead;
		dead = v->next_dead;
		if (v->type == VALUE_LIST) {
			for (size_t i = 0; i < v->list.n; i++)
				drop(v->list.items[i], &dead);
			free(v->list.items);
		} else if (v->type == VALUE_MAP) {
			for (size_t i = 0; i < v->map.n; i++) {
				free(v->map.pairs[i].key);
				drop(v->map.pairs[i].item, &dead);
			}
			free(v->map.pairs);
			map_free(v->map.index, NULL);
		}
		free(v);
	}
}

static void assert_building(const struct value *v, enum value_type type)
{
	assert(v->type == type);
	/* Somebody else might be reading it on another thread. */
	assert(atomic_load_explicit(&v->refs.n, memory_order_relaxed) == 1);
	(void)v;
	(void)type;
}

static size_t grown(size_t cap)
{
	return cap ? cap * 2 : 4;
}

void value_list_append(struct value *list, struct value *item)
{
	assert_building(list, VALUE_LIST);
	assert(item);
	if (list->list.n == list->list.cap) {
		list->list.cap = grown(list->list.cap);
		list->list.items = xreallocarray(list->list.items, list->list.cap, sizeof(*list->list.items));
	}
	list->list.items[list->list.n++] = item;
}

static void index_pair(struct value *map, size_t i)
{
	map_set(map->map.index, map->map.pairs[i].key, (void *)(uintptr_t)(i + 1));
}

static void make_index(struct value *map)
{
	map_free(map->map.index, NULL);
	map->map.index = NULL;
	if (map->map.n <= LINEAR_PAIRS_MAX)
		return;
	map->map.index = map_new();
	for (size_t i = 0; i < map->map.n; i++)
		index_pair(map, i);
}

static struct value_pair *find_pair(const struct value *map, const char *key)
{
	if (map->map.index) {
		uintptr_t place = (uintptr_t)map_get(map->map.index, key);

		return place ? &map->map.pairs[place - 1] : NULL;
	}
	for (size_t i = 0; i < map->map.n; i++) {
		if (strcmp(map->map.pairs[i].key, key) == 0)
			return &map->map.pairs[i];
	}
	return NULL;
}

void value_map_set(struct value *map, const char *key, struct value *item)
{
	value_map_set_at(map, key, 0, item);
}

void value_map_set_at(struct value *map, const char *key, uint32_t key_line, struct value *item)
{
	struct value_pair *pair;

	assert_building(map, VALUE_MAP);
	assert(item);
	pair = find_pair(map, key);
	if (pair) {
		struct value *old = pair->item;

		pair->item = item;
		pair->line = key_line;
		value_unref(old);
		return;
	}
	if (map->map.n == map->map.cap) {
		map->map.cap = grown(map->map.cap);
		map->map.pairs = xreallocarray(map->map.pairs, map->map.cap, sizeof(*map->map.pairs));
	}
	map->map.pairs[map->map.n++] = (struct value_pair){.key = xstrdup(key), .item = item, .line = key_line};
	if (map->map.index)
		index_pair(map, map->map.n - 1);
	else
		make_index(map);
}

bool value_map_remove(struct value *map, const char *key)
{
	struct value_pair *pair;
	size_t i;

	assert_building(map, VALUE_MAP);
	pair = find_pair(map, key);
	if (!pair)
		return false;
	i = (size_t)(pair - map->map.pairs);
	free(pair->key);
	value_unref(pair->item);
	memmove(pair, pair + 1, (map->map.n - i - 1) * sizeof(*pair));
	map->map.n--;
	/* Every place behind it has changed. */
	make_index(map);
	return true;
}

void value_set_position(struct value *v, uint32_t line, uint32_t column)
{
	v->line = line;
	v->column = column;
}

enum value_type value_type(const struct value *v)
{
	return v ? v->type : VALUE_NIL;
}

const char *value_type_name(const struct value *v)
{
	static const char *const names[] = {
		[VALUE_NIL] = "nil",
		[VALUE_BOOL] = "boolean",
		[VALUE_INT] = "integer",
		[VALUE_FLOAT] = "float",
		[VALUE_STRING] = "string",
		[VALUE_LIST] = "list",
		[VALUE_MAP] = "map",
	};

	return names[value_type(v)];
}

uint32_t value_line(const struct value *v)
{
	return v ? v->line : 0;
}

uint32_t value_column(const struct value *v)
{
	return v ? v->column : 0;
}

bool value_get_bool(const struct value *v)
{
	assert(value_type(v) == VALUE_BOOL);
	return v->b;
}

int64_t value_get_int(const struct value *v)
{
	assert(value_type(v) == VALUE_INT);
	return v->i;
}

double value_get_float(const struct value *v)
{
	if (value_type(v) == VALUE_INT)
		return (double)v->i;
	assert(value_type(v) == VALUE_FLOAT);
	return v->f;
}

const char *value_get_string(const struct value *v, size_t *ret_len)
{
	assert(value_type(v) == VALUE_STRING);
	if (ret_len)
		*ret_len = v->string.len;
	return v->string.bytes;
}

const char *value_text(const struct value *v, const char *otherwise)
{
	return value_type(v) == VALUE_STRING ? v->string.bytes : otherwise;
}

const char *value_text_at(const struct value *map, const char *key)
{
	return value_text(value_get(map, key), "");
}

size_t value_count(const struct value *v)
{
	switch (value_type(v)) {
	case VALUE_LIST:
		return v->list.n;
	case VALUE_MAP:
		return v->map.n;
	default:
		return 0;
	}
}

const struct value *value_at(const struct value *list, size_t i)
{
	assert(value_type(list) == VALUE_LIST && i < list->list.n);
	return list->list.items[i];
}

const struct value *value_get(const struct value *map, const char *key)
{
	struct value_pair *pair = value_type(map) == VALUE_MAP ? find_pair(map, key) : NULL;

	return pair ? pair->item : NULL;
}

const struct value *value_pair(const struct value *map, size_t i, const char **ret_key, uint32_t *ret_key_line)
{
	assert(value_type(map) == VALUE_MAP && i < map->map.n);
	if (ret_key)
		*ret_key = map->map.pairs[i].key;
	if (ret_key_line)
		*ret_key_line = map->map.pairs[i].line;
	return map->map.pairs[i].item;
}

/* An int equals a float only when the float is exactly that integer: above 2^53 rounding would make neighbours equal. */
static bool int_equals_float(int64_t i, double f)
{
	return f >= -0x1p63 && f < 0x1p63 && f == floor(f) && (int64_t)f == i;
}

bool value_equal(const struct value *a, const struct value *b)
{
	enum value_type type = value_type(a);

	if (type == VALUE_INT && value_type(b) == VALUE_FLOAT)
		return int_equals_float(a->i, b->f);
	if (type == VALUE_FLOAT && value_type(b) == VALUE_INT)
		return int_equals_float(b->i, a->f);
	if (type != value_type(b))
		return false;
	switch (type) {
	case VALUE_NIL:
		return true;
	case VALUE_BOOL:
		return a->b == b->b;
	case VALUE_INT:
		return a->i == b->i;
	case VALUE_FLOAT:
		return a->f == b->f;
	case VALUE_STRING:
		return a->string.len == b->string.len && memcmp(a->string.bytes, b->string.bytes, a->string.len) == 0;
	case VALUE_LIST:
		if (a->list.n != b->list.n)
			return false;
		for (size_t i = 0; i < a->list.n; i++) {
			if (!value_equal(a->list.items[i], b->list.items[i]))
				return false;
		}
		return true;
	case VALUE_MAP:
		if (a->map.n != b->map.n)
			return false;
		for (size_t i = 0; i < a->map.n; i++) {
			struct value_pair *other = find_pair(b, a->map.pairs[i].key);

			if (!other || !value_equal(a->map.pairs[i].item, other->item))
				return false;
		}
		return true;
	}
	return false;
}
