/*
 * expr_operate.c - arithmetic, order, equality and parts of values. Integers wrap, `/` and `**` give floats.
 */
#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "value/expr_node.h"

bool expr_is_number(const struct value *v)
{
	return value_type(v) == VALUE_INT || value_type(v) == VALUE_FLOAT;
}

static int compare_floats(double a, double b)
{
	if (isnan(a) || isnan(b))
		return 2;
	return (a > b) - (a < b);
}

int expr_compare(struct expr_run *r, const char *what, const struct value *a, const struct value *b, int *ret_order)
{
	if (value_type(a) == VALUE_INT && value_type(b) == VALUE_INT) {
		int64_t x = value_get_int(a), y = value_get_int(b);

		*ret_order = (x > y) - (x < y);
		return 0;
	}
	if (expr_is_number(a) && expr_is_number(b)) {
		*ret_order = compare_floats(value_get_float(a), value_get_float(b));
		return 0;
	}
	if (value_type(a) == VALUE_STRING && value_type(b) == VALUE_STRING) {
		size_t n, m;
		const char *s = value_get_string(a, &n), *t = value_get_string(b, &m);
		int order = memcmp(s, t, n < m ? n : m);

		*ret_order = order != 0 ? (order > 0) - (order < 0) : (n > m) - (n < m);
		return expr_steps(r, (n < m ? n : m) / 64);
	}
	return expr_fail(r, "invalid operation: %s %s %s", expr_type_name(a), what, expr_type_name(b));
}

/* How many values are there to compare, at most `limit` + 1? */
static size_t weigh(const struct value *v, size_t limit)
{
	size_t n = 1, len;

	if (value_type(v) == VALUE_STRING) {
		value_get_string(v, &len);
		return 1 + len / 64;
	}
	for (size_t i = 0; i < value_count(v) && n <= limit; i++)
		n += weigh(value_type(v) == VALUE_LIST ? value_at(v, i) : value_pair(v, i, NULL, NULL), limit - n);
	return n;
}

int expr_equal(struct expr_run *r, const struct value *a, const struct value *b, bool *ret_equal)
{
	bool trees = value_count(a) > 0 && value_count(b) > 0;

	/* Values of two types differ, except numbers. */
	if (value_type(a) != value_type(b) && !(expr_is_number(a) && expr_is_number(b))) {
		*ret_equal = false;
		return expr_steps(r, 1);
	}
	/* Looking up names in maps may take longer than walking them: counted as if squared for small ones. */
	if (expr_steps(r, trees ? 4 * weigh(a, EXPR_STEPS_MAX) : 1) < 0)
		return -1;
	*ret_equal = value_equal(a, b);
	return 0;
}

/* -- arithmetic --------------------------------------------------------------------------------------- */

static int integers(struct expr_run *r, enum operation op, int64_t a, int64_t b, struct value **ret_value)
{
	uint64_t x = (uint64_t)a, y = (uint64_t)b;

	switch (op) {
	case OP_ADD:
		*ret_value = value_int((int64_t)(x + y));
		return 0;
	case OP_SUBTRACT:
		*ret_value = value_int((int64_t)(x - y));
		return 0;
	case OP_MULTIPLY:
		*ret_value = value_int((int64_t)(x * y));
		return 0;
	default:
		if (b == 0)
			return expr_fail(r, "integer divide by zero");
		*ret_value = value_int(b == -1 ? 0 : a % b);
		return 0;
	}
}

static int join(struct expr_run *r, const struct value *a, const struct value *b, struct value **ret_value)
{
	struct buf out = BUF_INIT;
	size_t n, m;
	const char *s = value_get_string(a, &n), *t = value_get_string(b, &m);

	if (expr_made(r, n + m + EXPR_SCALAR_BYTES) < 0)
		return -1;
	buf_add(&out, s, n);
	buf_add(&out, t, m);
	*ret_value = value_string(buf_data(&out), buf_len(&out));
	buf_done(&out);
	return 0;
}

int expr_arithmetic(
	struct expr_run *r, enum operation op, const struct value *a, const struct value *b, struct value **ret_value)
{
	static const char *const signs[] = {"+", "-", "*", "/", "%", "**"};
	bool ints = value_type(a) == VALUE_INT && value_type(b) == VALUE_INT;
	double x, y;

	if (op == OP_ADD && value_type(a) == VALUE_STRING && value_type(b) == VALUE_STRING)
		return join(r, a, b, ret_value);
	if (!expr_is_number(a) || !expr_is_number(b) || (op == OP_MODULO && !ints))
		return expr_fail(
			r, "invalid operation: %s %s %s", expr_type_name(a), signs[op - OP_ADD], expr_type_name(b));
	if (ints && op != OP_DIVIDE && op != OP_POWER)
		return integers(r, op, value_get_int(a), value_get_int(b), ret_value);
	x = value_get_float(a);
	y = value_get_float(b);
	*ret_value = value_float(op == OP_ADD        ? x + y
				 : op == OP_SUBTRACT ? x - y
				 : op == OP_MULTIPLY ? x * y
				 : op == OP_DIVIDE   ? x / y
						     : pow(x, y));
	return 0;
}

/* -- parts -------------------------------------------------------------------------------------------- */

static size_t one_character(const char *s, size_t len)
{
	size_t n = utf8_sequence(s, len, NULL);

	return n > 0 ? n : 1;
}

/* How many characters? Bytes that are none count as one each. */
static size_t characters(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; n++)
		i += one_character(s + i, len - i);
	return n;
}

static size_t to_bytes(const char *s, size_t len, size_t place)
{
	size_t i = 0;

	for (; place > 0 && i < len; place--)
		i += one_character(s + i, len - i);
	return i;
}

/* The length of a list, or of a string in characters. */
static size_t length_of(const struct value *v)
{
	const char *s;
	size_t len;

	if (value_type(v) != VALUE_STRING)
		return value_count(v);
	s = value_get_string(v, &len);
	return characters(s, len);
}

int expr_fetch(struct expr_run *r, const struct value *from, const struct value *which, struct value **ret_value)
{
	enum value_type type = value_type(from);
	const char *s, *key;
	size_t len, n, start;
	int64_t i;

	if (type == VALUE_MAP) {
		if (value_type(which) != VALUE_STRING)
			return expr_fail(r, "cannot use %s as a key of a map", expr_type_name(which));
		key = value_get_string(which, &len);
		*ret_value = expr_keep(strlen(key) == len ? value_get(from, key) : NULL);
		return 0;
	}
	if ((type != VALUE_LIST && type != VALUE_STRING) || !expr_is_number(which)) {
		if (value_type(which) == VALUE_STRING)
			return expr_fail(
				r, "cannot fetch %.100s from %s", value_get_string(which, NULL), expr_type_name(from));
		return expr_fail(r, "cannot fetch %s from %s", expr_type_name(which), expr_type_name(from));
	}
	if (value_type(which) == VALUE_FLOAT && !(fabs(value_get_float(which)) < 0x1p62))
		return expr_fail(r, "index out of range");
	i = value_type(which) == VALUE_INT ? value_get_int(which) : (int64_t)value_get_float(which);
	n = length_of(from);
	if (i < 0)
		i += (int64_t)n;
	if (i < 0 || (uint64_t)i >= n)
		return expr_fail(r, "index out of range: %lld (length is %zu)", (long long)i, n);
	if (type == VALUE_LIST) {
		*ret_value = expr_keep(value_at(from, (size_t)i));
		return 0;
	}
	s = value_get_string(from, &len);
	if (expr_steps(r, len / 64) < 0)
		return -1;
	start = to_bytes(s, len, (size_t)i);
	return expr_string(r, s + start, one_character(s + start, len - start), ret_value);
}

static int slice_end(struct expr_run *r, const struct value *v, size_t n, size_t otherwise, size_t *ret_end)
{
	int64_t i;

	*ret_end = otherwise;
	if (!v)
		return 0;
	if (value_type(v) != VALUE_INT)
		return expr_fail(r, "cannot slice with %s", expr_type_name(v));
	i = value_get_int(v);
	if (i < 0)
		i = i < -(int64_t)n ? 0 : i + (int64_t)n;
	*ret_end = (uint64_t)i > n ? n : (size_t)i;
	return 0;
}

int expr_slice(struct expr_run *r, const struct value *of, const struct value *from, const struct value *to,
	struct value **ret_value)
{
	size_t n, a, b, len;
	const char *s;

	if (value_type(of) != VALUE_LIST && value_type(of) != VALUE_STRING)
		return expr_fail(r, "cannot slice %s", expr_type_name(of));
	n = length_of(of);
	if (slice_end(r, from, n, 0, &a) < 0 || slice_end(r, to, n, n, &b) < 0)
		return -1;
	if (a > b)
		a = b;
	if (value_type(of) == VALUE_STRING) {
		s = value_get_string(of, &len);
		a = to_bytes(s, len, a);
		b = to_bytes(s, len, b);
		return expr_steps(r, len / 64) < 0 ? -1 : expr_string(r, s + a, b - a, ret_value);
	}
	if (expr_steps(r, b - a) < 0 || expr_made(r, EXPR_SCALAR_BYTES + (b - a) * EXPR_ITEM_BYTES) < 0)
		return -1;
	*ret_value = value_list();
	for (; a < b; a++)
		value_list_append(*ret_value, expr_keep(value_at(of, a)));
	return 0;
}
