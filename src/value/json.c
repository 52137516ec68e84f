/*
 * json.c - JSON text to values (RFC 8259). See json.h
 *
 * jansson checks and decodes the text. One pass before it sees to what it does not: our nesting limit, and integers
 * beyond 64 bits, which it refuses and we clamp.
 */
#include "value/json.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/alloc.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Past the string that opens at text[i]; len if it never ends. */
static size_t skip_string(const char *text, size_t len, size_t i)
{
	for (i++; i < len; i++) {
		if (text[i] == '\\')
			i++;
		else if (text[i] == '"')
			return i + 1;
	}
	return len;
}

/* The end of a run of bytes that can belong to one number or word. */
static size_t skip_word(const char *text, size_t len, size_t i)
{
	while (i < len && !strchr(" \t\r\n,:[]{}\"", text[i])) /* finds NUL too */
		i++;
	return i;
}

/*
 * The limit of 64 bits if `word` is an integer beyond it, else NULL. Comparing digits is enough: JSON has no leading
 * zeros, and what has them anyway is left for jansson to refuse.
 */
static const char *clamp(const char *word, size_t len)
{
	bool negative = len > 0 && word[0] == '-';
	const char *limit = negative ? "-9223372036854775808" : "9223372036854775807";
	size_t limit_len = strlen(limit);

	if (len < limit_len || word[negative] == '0')
		return NULL;
	for (size_t i = negative; i < len; i++) {
		if (!is_digit(word[i]))
			return NULL;
	}
	return len > limit_len || memcmp(word, limit, len) > 0 ? limit : NULL;
}

/*
 * Walk over the first value. Integers out of range are replaced, filled up with blanks so that columns stay right, in
 * *ret_copy, which is NULL if there are none. Syntax errors are not looked for.
 */
static int prepare(const char *text, size_t len, char **ret_copy, struct err *e)
{
	char *copy = NULL;
	size_t depth = 0, i = 0;

	while (i < len) {
		char c = text[i];
		size_t start = i;
		const char *limit;

		if (c == '[' || c == '{') {
			if (++depth > JSON_DEPTH_MAX) {
				free(copy);
				return err_set(e, ERR_INTERNAL, "maximum nesting depth exceeded");
			}
			i++;
			continue;
		}
		if (c == ']' || c == '}') {
			depth -= depth > 0;
			i++;
		} else if (c == '"') {
			i = skip_string(text, len, i);
		} else {
			i = skip_word(text, len, i);
			if (i == start) { /* blanks and separators */
				i++;
				continue;
			}
			limit = clamp(text + start, i - start);
			if (limit) {
				if (!copy)
					copy = xmemdupz(text, len);
				memset(copy + start, ' ', i - start);
				memcpy(copy + start, limit, strlen(limit));
			}
		}
		if (depth == 0)
			break; /* the first value is over */
	}
	*ret_copy = copy;
	return 0;
}

/* No deeper than JSON_DEPTH_MAX: prepare() saw to it. */
static struct value *to_value(json_t *j)
{
	struct value *v;
	const char *key;
	json_t *item;
	size_t i;

	switch (json_typeof(j)) {
	case JSON_OBJECT:
		v = value_map();
		json_object_foreach(j, key, item)
			value_map_set(v, key, to_value(item));
		return v;
	case JSON_ARRAY:
		v = value_list();
		json_array_foreach(j, i, item)
			value_list_append(v, to_value(item));
		return v;
	case JSON_STRING:
		return value_string(json_string_value(j), json_string_length(j));
	case JSON_INTEGER:
		return value_int(json_integer_value(j));
	case JSON_REAL:
		return value_float(json_real_value(j));
	case JSON_TRUE:
	case JSON_FALSE:
		return value_bool(json_is_true(j));
	case JSON_NULL:
		break;
	}
	return value_nil();
}

int json_parse(const char *text, size_t len, struct value **ret_value, struct err *e)
{
	const size_t flags = JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL;
	json_error_t error;
	char *copy = NULL;
	json_t *j;

	if (prepare(text, len, &copy, e) < 0)
		return -1;
	/* jansson takes no null pointer, even for no bytes. */
	j = json_loadb(copy ? copy : len ? text : "", len, flags, &error);
	free(copy);
	if (!j) {
		if (json_error_code(&error) == json_error_stack_overflow)
			return err_set(e, ERR_INTERNAL, "maximum nesting depth exceeded");
		return err_set(e, ERR_INTERNAL, "%d:%d: %s", error.line < 1 ? 1 : error.line,
			error.column < 0 ? 0 : error.column, error.text);
	}
	*ret_value = to_value(j);
	json_decref(j);
	return 0;
}
