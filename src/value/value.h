/*
 * value.h - immutable data trees: what YAML and JSON files hold.
 *
 * A value is nil, bool, int, float, string, list or map. Trees are built bottom-up by one thread,
 * then never change: share them between threads with value_ref/value_unref. Maps keep
 * the order of the text and have unique keys. A value read from a file knows its line and column.
 * value_* getters borrow: what they return lives as long as the tree.
 * Some functions (value_equal, the writers) recurse, so whoever builds from foreign input bounds the depth;
 * freeing does not recurse.
 */
#ifndef VALUE_VALUE_H
#define VALUE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum value_type { VALUE_NIL, VALUE_BOOL, VALUE_INT, VALUE_FLOAT, VALUE_STRING, VALUE_LIST, VALUE_MAP };

struct value;

/* Constructors return the caller's reference; never NULL. */
struct value *value_nil(void);
struct value *value_bool(bool b);
struct value *value_int(int64_t i);
struct value *value_float(double f);
struct value *value_string(const char *s, size_t len);
struct value *value_cstring(const char *s);
struct value *value_list(void);
struct value *value_map(void);

struct value *value_ref(struct value *v); /* NULL gives NULL */
void value_unref(struct value *v);        /* NULL is fine */

/* While building only (the tree has one reference): both take `item`. value_map_set replaces. */
void value_list_append(struct value *list, struct value *item);
void value_map_set(struct value *map, const char *key, struct value *item);
/* value_map_set() for a key that stood on a line of a text. */
void value_map_set_at(struct value *map, const char *key, uint32_t key_line, struct value *item);
/* Removes a key from a map being built; false if absent. */
bool value_map_remove(struct value *map, const char *key);
/* Source position, 1-based; 0 = unknown. */
void value_set_position(struct value *v, uint32_t line, uint32_t column);

enum value_type value_type(const struct value *v); /* NULL is VALUE_NIL */
/* "nil", "boolean", "integer", "float", "string", "list", "map" */
const char *value_type_name(const struct value *v);
uint32_t value_line(const struct value *v);
uint32_t value_column(const struct value *v);

/* The tag is asserted, except where a default is given. */
bool value_get_bool(const struct value *v);
int64_t value_get_int(const struct value *v);
double value_get_float(const struct value *v); /* accepts an int too */
const char *value_get_string(const struct value *v, size_t *ret_len /* may be NULL */);
/* The text of a string; `otherwise` for everything else. */
const char *value_text(const struct value *v, const char *otherwise);
/* The text of a map's field; "" when there is none. */
const char *value_text_at(const struct value *map, const char *key);

size_t value_count(const struct value *v); /* items of a list or map, else 0 */
const struct value *value_at(const struct value *list, size_t i);
/* NULL when `v` is no map or lacks the key. */
const struct value *value_get(const struct value *map, const char *key);
/* The i-th pair of a map; both ret_ may be NULL, the line is 0 when unknown. */
const struct value *value_pair(const struct value *map, size_t i, const char **ret_key, uint32_t *ret_key_line);
/* "a.b.c" through nested maps; NULL when a step is missing. */
const struct value *value_path(const struct value *map, const char *path);

/* Field readers for configuration: absent or nil leaves *ret as it is (so set the default first) and returns 0;
 * present with the wrong type returns -1, ERR_INVALID "line 12: field 'port': expected integer, got string \"x\"". */
int value_read_string(const struct value *map, const char *key, const char **ret, struct err *e);
int value_read_int(const struct value *map, const char *key, int64_t *ret, struct err *e);
int value_read_bool(const struct value *map, const char *key, bool *ret, struct err *e);
/* A duration string such as "15s", in nanoseconds. */
int value_read_duration(const struct value *map, const char *key, int64_t *ret_ns, struct err *e);

/* Deep equality; 1 equals 1.0; map order ignored. */
bool value_equal(const struct value *a, const struct value *b);
/* A new tree with `path` ("a.b.c") set to `item` (taken); missing maps are made, non-maps on the way replaced.
 * Copies only the maps along the path. `map` is borrowed. */
struct value *value_with_path(const struct value *map, const char *path, struct value *item);

#endif
