/*
 * yaml_scalar.c - see yaml_scalar.h
 */
#include "value/yaml_scalar.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hex.h"

static const char yaml_prefix[] = "tag:yaml.org,2002:";

static bool is_one_of(const char *text, size_t len, const char *const *words)
{
	for (; *words; words++) {
		if (strlen(*words) == len && memcmp(*words, text, len) == 0)
			return true;
	}
	return false;
}

static bool is_null(const char *text, size_t len)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL", NULL};

	return is_one_of(text, len, words);
}

static bool is_true(const char *text, size_t len)
{
	static const char *const words[] = {"true", "True", "TRUE", NULL};

	return is_one_of(text, len, words);
}

static bool is_false(const char *text, size_t len)
{
	static const char *const words[] = {"false", "False", "FALSE", NULL};

	return is_one_of(text, len, words);
}

static size_t skip_digits(const char *text, size_t len, size_t i)
{
	while (i < len && text[i] >= '0' && text[i] <= '9')
		i++;
	return i;
}

/* The text is [-+]?[0-9]+ or a run of octal or hexadecimal digits. NULL when it is none. What exceeds 64 bits is
 * handed to the float reader by the caller (decimal), or added up as a float (the others). */
static struct value *read_digits(const char *text, size_t len, int base, bool negative)
{
	uint64_t limit = negative ? UINT64_C(1) << 63 : INT64_MAX;
	uint64_t sum = 0;
	double approximate = 0;
	bool fits = true;

	if (len == 0)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		int digit = hex_digit(text[i]);

		if (digit < 0 || digit >= base)
			return NULL;
		approximate = approximate * base + digit;
		if (fits && sum > (limit - (uint64_t)digit) / (uint64_t)base)
			fits = false;
		if (fits)
			sum = sum * (uint64_t)base + (uint64_t)digit;
	}
	if (!fits)
		return value_float(negative ? -approximate : approximate);
	return value_int(negative ? (int64_t)(0 - sum) : (int64_t)sum);
}

static struct value *read_strtod(const char *text, size_t len)
{
	char *copy = xmemdupz(text, len);
	struct value *v = value_float(strtod(copy, NULL));

	free(copy);
	return v;
}

static struct value *read_int(const char *text, size_t len)
{
	bool sign = len > 0 && (text[0] == '-' || text[0] == '+');
	struct value *v;

	if (len > 2 && text[0] == '0' && text[1] == 'o')
		return read_digits(text + 2, len - 2, 8, false);
	if (len > 2 && text[0] == '0' && text[1] == 'x')
		return read_digits(text + 2, len - 2, 16, false);
	v = read_digits(text + sign, len - sign, 10, sign && text[0] == '-');
	if (value_type(v) == VALUE_FLOAT) {
		/* Correctly rounded, which adding up is not. */
		value_unref(v);
		v = read_strtod(text, len);
	}
	return v;
}

static struct value *read_float(const char *text, size_t len)
{
	static const char *const inf[] = {".inf", ".Inf", ".INF", NULL};
	static const char *const nan[] = {".nan", ".NaN", ".NAN", NULL};
	size_t sign = len > 0 && (text[0] == '-' || text[0] == '+');
	size_t i, digits;

	if (is_one_of(text + sign, len - sign, inf))
		return value_float(text[0] == '-' ? -INFINITY : INFINITY);
	if (is_one_of(text, len, nan))
		return value_float(NAN);
	/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
	i = skip_digits(text, len, sign);
	digits = i - sign;
	if (i < len && text[i] == '.') {
		size_t after = skip_digits(text, len, i + 1);

		digits += after - i - 1;
		i = after;
	}
	if (digits == 0)
		return NULL;
	if (i < len && (text[i] == 'e' || text[i] == 'E')) {
		size_t start = i + 1;

		if (start < len && (text[start] == '-' || text[start] == '+'))
			start++;
		i = skip_digits(text, len, start);
		if (i == start)
			return NULL;
	}
	return i == len ? read_strtod(text, len) : NULL;
}

struct value *yaml_plain_scalar(const char *text, size_t len)
{
	struct value *v;

	if (is_null(text, len))
		return value_nil();
	if (is_true(text, len) || is_false(text, len))
		return value_bool(is_true(text, len));
	v = read_int(text, len);
	if (!v)
		v = read_float(text, len);
	return v ? v : value_string(text, len);
}

struct value *yaml_tagged_scalar(const char *tag, const char *text, size_t len)
{
	const char *name = tag + sizeof(yaml_prefix) - 1;
	struct value *v;

	if (strncmp(tag, yaml_prefix, sizeof(yaml_prefix) - 1) != 0)
		return value_string(text, len);
	if (strcmp(name, "str") == 0)
		return value_string(text, len);
	if (strcmp(name, "null") == 0)
		return is_null(text, len) ? value_nil() : NULL;
	if (strcmp(name, "bool") == 0)
		return is_true(text, len) || is_false(text, len) ? value_bool(is_true(text, len)) : NULL;
	if (strcmp(name, "int") == 0) {
		v = read_int(text, len);
		if (value_type(v) == VALUE_INT)
			return v;
		value_unref(v);
		return NULL;
	}
	if (strcmp(name, "float") == 0) {
		v = read_float(text, len);
		return v;
	}
	return NULL;
}

bool yaml_tag_fits_collection(const char *tag, enum value_type type)
{
	if (strncmp(tag, yaml_prefix, sizeof(yaml_prefix) - 1) != 0)
		return true;
	return strcmp(tag + sizeof(yaml_prefix) - 1, type == VALUE_LIST ? "seq" : "map") == 0;
}
