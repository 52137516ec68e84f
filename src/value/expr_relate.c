/*
 * expr_relate.c - operators between two values: equality and order, in, matches and its like, ranges.
 */
#include <string.h>

#include "base/alloc.h"
#include "value/expr_node.h"

static int is_in(struct expr_run *r, const struct value *a, const struct value *b, bool *ret_yes)
{
	const char *key;
	size_t len;

	switch (value_type(b)) {
	case VALUE_NIL:
		*ret_yes = false;
		return 0;
	case VALUE_LIST:
		*ret_yes = false;
		for (size_t i = 0; !*ret_yes && i < value_count(b); i++) {
			if (expr_equal(r, value_at(b, i), a, ret_yes) < 0)
				return -1;
		}
		return 0;
	case VALUE_MAP:
		if (value_type(a) != VALUE_STRING)
			return expr_fail(r, "cannot use %s as a key of a map", expr_type_name(a));
		key = value_get_string(a, &len);
		*ret_yes = strlen(key) == len && value_get(b, key);
		return 0;
	default:
		return expr_fail(r, "operator \"in\" not defined on %s", expr_type_name(b));
	}
}

static int match(struct expr_run *r, const struct node *n, const char *text, size_t len, const struct value *pattern,
	bool *ret_yes)
{
	struct regex *own = NULL;
	const char *source;
	struct err e = {0};
	size_t source_len;
	int rc;

	if (!n->regex) {
		source = value_get_string(pattern, &source_len);
		if (expr_steps(r, 100 + source_len) < 0)
			return -1;
		if (regex_compile(source, source_len, &own, &e) < 0)
			return expr_fail(r, "%s", e.text);
	}
	rc = expr_steps(r, 1 + len / 16) < 0 ? -1 : regex_search(n->regex ? n->regex : own, text, len, 0, NULL, 0, &e);
	regex_unref(own);
	if (rc < 0)
		return e.text[0] ? expr_fail(r, "%s", e.text) : -1;
	*ret_yes = rc == 1;
	return 0;
}

/* matches, contains, startsWith, endsWith: nil has none of them. */
static int relate_strings(
	struct expr_run *r, const struct node *n, const struct value *a, const struct value *b, bool *ret_yes)
{
	static const char *const names[] = {"matches", "contains", "startsWith", "endsWith"};
	const char *s, *t;
	size_t s_len, t_len;

	*ret_yes = false;
	if (value_type(a) == VALUE_NIL || value_type(b) == VALUE_NIL)
		return 0;
	if (value_type(a) != VALUE_STRING || value_type(b) != VALUE_STRING)
		return expr_fail(r, "invalid operation: %s %s %s", expr_type_name(a), names[n->operation - OP_MATCHES],
			expr_type_name(b));
	s = value_get_string(a, &s_len);
	t = value_get_string(b, &t_len);
	if (expr_steps(r, s_len / 64) < 0)
		return -1;
	switch (n->operation) {
	case OP_MATCHES:
		return match(r, n, s, s_len, b, ret_yes);
	case OP_CONTAINS:
		*ret_yes = memmem(s, s_len, t, t_len) != NULL;
		return 0;
	case OP_STARTS_WITH:
		*ret_yes = s_len >= t_len && memcmp(s, t, t_len) == 0;
		return 0;
	default:
		*ret_yes = s_len >= t_len && memcmp(s + s_len - t_len, t, t_len) == 0;
		return 0;
	}
}

static int make_range(struct expr_run *r, const struct value *a, const struct value *b, struct value **ret_value)
{
	int64_t from, to;
	struct value *list;
	size_t n;

	if (value_type(a) != VALUE_INT || value_type(b) != VALUE_INT)
		return expr_fail(r, "invalid operation: %s .. %s", expr_type_name(a), expr_type_name(b));
	from = value_get_int(a);
	to = value_get_int(b);
	if (from <= to && (uint64_t)to - (uint64_t)from >= EXPR_STEPS_MAX)
		return expr_fail(r, "the range has too many numbers");
	n = from <= to ? (size_t)(to - from + 1) : 0;
	if (expr_steps(r, n) < 0 || expr_made(r, n * EXPR_SCALAR_BYTES) < 0)
		return -1;
	list = value_list();
	for (size_t i = 0; i < n; i++)
		value_list_append(list, value_int(from + (int64_t)i));
	*ret_value = list;
	return 0;
}

int expr_compute(struct expr_run *r, const struct node *n, const struct value *a, const struct value *b,
	struct value **ret_value)
{
	static const char *const signs[] = {"<", "<=", ">", ">="};
	enum operation op = n->operation;
	int order = 0;
	bool yes = false;

	switch (op) {
	case OP_EQUAL:
	case OP_UNEQUAL:
		if (expr_equal(r, a, b, &yes) < 0)
			return -1;
		yes = yes == (op == OP_EQUAL);
		break;
	case OP_LESS:
	case OP_LESS_EQUAL:
	case OP_GREATER:
	case OP_GREATER_EQUAL:
		if (expr_compare(r, signs[op - OP_LESS], a, b, &order) < 0)
			return -1;
		/* 2: not a number, which is in no order. */
		yes = order != 2 && (op == OP_LESS                ? order < 0
					    : op == OP_LESS_EQUAL ? order <= 0
					    : op == OP_GREATER    ? order > 0
								  : order >= 0);
		break;
	case OP_IN:
		if (is_in(r, a, b, &yes) < 0)
			return -1;
		break;
	case OP_MATCHES:
	case OP_CONTAINS:
	case OP_STARTS_WITH:
	case OP_ENDS_WITH:
		if (relate_strings(r, n, a, b, &yes) < 0)
			return -1;
		break;
	case OP_RANGE:
		return make_range(r, a, b, ret_value);
	default:
		return expr_arithmetic(r, op, a, b, ret_value);
	}
	*ret_value = value_bool(yes);
	return 0;
}
