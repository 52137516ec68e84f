/*
 * value_path.c - reaching into nested maps by "a.b.c", and reading configuration fields.
 */
#include "value/value.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/duration.h"
#include "base/number.h"

enum { SHOWN_BYTES_MAX = 64 };

/* The next step of `*path` as a string of its own; `*path` becomes what follows the dot, NULL after the last step. */
static char *take_step(const char **path)
{
	const char *dot = strchr(*path, '.');
	char *step = dot ? xmemdupz(*path, (size_t)(dot - *path)) : xstrdup(*path);

	*path = dot ? dot + 1 : NULL;
	return step;
}

const struct value *value_path(const struct value *map, const char *path)
{
	while (path && map) {
		char *step = take_step(&path);

		map = value_get(map, step);
		free(step);
	}
	return map;
}

/* A copy of the map alone: the items are shared. Anything else becomes an empty map. */
static struct value *copy_map(const struct value *map)
{
	struct value *copy = value_map();

	value_set_position(copy, value_line(map), value_column(map));
	for (size_t i = 0; value_type(map) == VALUE_MAP && i < value_count(map); i++) {
		const char *key;
		uint32_t line;
		const struct value *item = value_pair(map, i, &key, &line);

		/* Counting a reference does not change what the tree says. */
		value_map_set_at(copy, key, line, value_ref((struct value *)item));
	}
	return copy;
}

struct value *value_with_path(const struct value *map, const char *path, struct value *item)
{
	struct value *top = copy_map(map);
	struct value *at = top;

	while (path) {
		char *step = take_step(&path);

		if (path) {
			struct value *inner = copy_map(value_get(at, step));

			value_map_set(at, step, inner);
			at = inner;
		} else {
			value_map_set(at, step, item);
		}
		free(step);
	}
	return top;
}

static int wrong_type(const struct value *v, const char *key, const char *expected, struct err *e)
{
	struct buf got = BUF_INIT;
	char number[NUMBER_TEXT_MAX];
	const char *text;
	size_t len;

	buf_adds(&got, value_type_name(v));
	switch (value_type(v)) {
	case VALUE_BOOL:
		buf_addf(&got, " %s", value_get_bool(v) ? "true" : "false");
		break;
	case VALUE_INT:
		buf_addf(&got, " %" PRId64, value_get_int(v));
		break;
	case VALUE_FLOAT:
		number_format_float(value_get_float(v), number);
		buf_addf(&got, " %s", number);
		break;
	case VALUE_STRING:
		text = value_get_string(v, &len);
		buf_adds(&got, " \"");
		buf_add_escaped(&got, text, len, SHOWN_BYTES_MAX);
		buf_addc(&got, '"');
		break;
	default:
		break;
	}
	err_set(e, ERR_INVALID, "field '%s': expected %s, got %s", key, expected, buf_str(&got));
	buf_done(&got);
	return value_line(v) ? err_prefix(e, "line %" PRIu32, value_line(v)) : -1;
}

/* The field, or NULL when there is nothing to read. */
static const struct value *field(const struct value *map, const char *key)
{
	const struct value *v = value_get(map, key);

	return value_type(v) == VALUE_NIL ? NULL : v;
}

int value_read_string(const struct value *map, const char *key, const char **ret, struct err *e)
{
	const struct value *v = field(map, key);
	const char *text;
	size_t len;

	if (!v)
		return 0;
	if (value_type(v) != VALUE_STRING)
		return wrong_type(v, key, "string", e);
	text = value_get_string(v, &len);
	/* The reader would silently get a shorter string than the one in the file. */
	if (strlen(text) != len)
		return wrong_type(v, key, "string without NUL bytes", e);
	*ret = text;
	return 0;
}

int value_read_int(const struct value *map, const char *key, int64_t *ret, struct err *e)
{
	const struct value *v = field(map, key);

	if (!v)
		return 0;
	if (value_type(v) != VALUE_INT)
		return wrong_type(v, key, "integer", e);
	*ret = value_get_int(v);
	return 0;
}

int value_read_bool(const struct value *map, const char *key, bool *ret, struct err *e)
{
	const struct value *v = field(map, key);

	if (!v)
		return 0;
	if (value_type(v) != VALUE_BOOL)
		return wrong_type(v, key, "boolean", e);
	*ret = value_get_bool(v);
	return 0;
}

int value_read_duration(const struct value *map, const char *key, int64_t *ret_ns, struct err *e)
{
	const struct value *v = field(map, key);
	const char *text;
	size_t len;

	if (!v)
		return 0;
	if (value_type(v) != VALUE_STRING)
		return wrong_type(v, key, "duration string such as \"15s\"", e);
	text = value_get_string(v, &len);
	if (duration_parse(text, len, ret_ns, e) == 0)
		return 0;
	err_prefix(e, "field '%s'", key);
	return value_line(v) ? err_prefix(e, "line %" PRIu32, value_line(v)) : -1;
}
