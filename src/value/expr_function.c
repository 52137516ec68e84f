/*
 * expr_function.c - the functions of the expression language by name, and those that take a closure.
 *
 *   with a closure  all any one none map filter find findIndex findLast findLastIndex count sum groupBy sortBy reduce
 *   lists, numbers  expr_list.c
 *   text, types     expr_text.c
 *
 * What depends on a clock or a time zone data base (now, date, duration, timezone) is left out: a policy must decide the same way
 * whenever and wherever it is asked.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "value/expr_node.h"

const char *expr_function_missing(const char *name, size_t len)
{
	static const char *const clocks[] = {"now", "date", "duration", "timezone"};

	for (size_t i = 0; i < ARRAY_LEN(clocks); i++) {
		if (strlen(clocks[i]) == len && memcmp(clocks[i], name, len) == 0)
			return "expressions have no clock; pass times in as numbers";
	}
	return NULL;
}

/* -- closures ----------------------------------------------------------------------------------------- */

/* What the closure says of one item; a list may be asked in any order. Keeps r->deep as the closure left it. */
static int ask(struct expr_run *r, const struct node *closure, const struct value *item, size_t index,
	const struct value *accumulator, unsigned deep, struct value **ret_value)
{
	struct expr_scope scope = {
		.outer = r->scope, .item = item, .index = index, .accumulator = accumulator, .deep = deep};
	int rc;

	r->scope = &scope;
	rc = expr_eval(r, closure, ret_value);
	r->scope = scope.outer;
	return rc;
}

static int ask_bool(struct expr_run *r, const struct node *closure, const struct value *item, size_t index,
	unsigned deep, bool *ret_yes)
{
	struct value *v;
	int rc = 0;

	if (ask(r, closure, item, index, NULL, deep, &v) < 0)
		return -1;
	if (value_type(v) == VALUE_BOOL) {
		*ret_yes = value_get_bool(v);
	} else {
		r->at = closure;
		rc = expr_fail(r, "the closure must give a bool, got %s", expr_type_name(v));
	}
	value_unref(v);
	return rc;
}

/* How many items satisfy the closure, or are true themselves? Stops above `enough`. */
static int count(
	struct expr_run *r, const struct value *list, const struct node *closure, size_t enough, size_t *ret_count)
{
	unsigned deep = r->deep;
	size_t n = 0;
	bool yes = false;

	for (size_t i = 0; i < value_count(list) && n <= enough; i++) {
		const struct value *item = value_at(list, i);

		if (closure) {
			if (ask_bool(r, closure, item, i, deep, &yes) < 0)
				return -1;
		} else {
			if (value_type(item) != VALUE_BOOL)
				return expr_fail(
					r, "without a closure the items must be bools, got %s", expr_type_name(item));
			yes = value_get_bool(item);
		}
		n += yes;
	}
	*ret_count = n;
	return 0;
}

static int each_any(struct expr_run *r, const struct value *list, const struct node *closure, const struct value *extra,
	struct value **ret_value)
{
	size_t n = 0;

	(void)extra;
	if (count(r, list, closure, 0, &n) < 0)
		return -1;
	*ret_value = value_bool(n > 0);
	return 0;
}

static int each_none(struct expr_run *r, const struct value *list, const struct node *closure,
	const struct value *extra, struct value **ret_value)
{
	size_t n = 0;

	(void)extra;
	if (count(r, list, closure, 0, &n) < 0)
		return -1;
	*ret_value = value_bool(n == 0);
	return 0;
}

static int each_one(struct expr_run *r, const struct value *list, const struct node *closure, const struct value *extra,
	struct value **ret_value)
{
	size_t n = 0;

	(void)extra;
	if (count(r, list, closure, 1, &n) < 0)
		return -1;
	*ret_value = value_bool(n == 1);
	return 0;
}

static int each_count(struct expr_run *r, const struct value *list, const struct node *closure,
	const struct value *extra, struct value **ret_value)
{
	size_t n = 0;

	(void)extra;
	if (count(r, list, closure, SIZE_MAX, &n) < 0)
		return -1;
	*ret_value = value_int((int64_t)n);
	return 0;
}

static int each_all(struct expr_run *r, const struct value *list, const struct node *closure, const struct value *extra,
	struct value **ret_value)
{
	unsigned deep = r->deep;
	bool yes = true;

	(void)extra;
	for (size_t i = 0; i < value_count(list) && yes; i++) {
		if (ask_bool(r, closure, value_at(list, i), i, deep, &yes) < 0)
			return -1;
	}
	*ret_value = value_bool(yes);
	return 0;
}

static int each_map(struct expr_run *r, const struct value *list, const struct node *closure, const struct value *extra,
	struct value **ret_value)
{
	struct value *made = value_list(), *v;
	unsigned deep = r->deep, deepest = 0;

	(void)extra;
	for (size_t i = 0; i < value_count(list); i++) {
		if (ask(r, closure, value_at(list, i), i, NULL, deep, &v) < 0)
			goto fail;
		deepest = r->deep > deepest ? r->deep : deepest;
		value_list_append(made, v);
		if (expr_made(r, EXPR_SCALAR_BYTES) < 0)
			goto fail;
	}
	r->deep = deepest;
	*ret_value = made;
	return 0;
fail:
	value_unref(made);
	return -1;
}

static int each_filter(struct expr_run *r, const struct value *list, const struct node *closure,
	const struct value *extra, struct value **ret_value)
{
	struct value *made = value_list();
	unsigned deep = r->deep;
	bool yes = false;

	(void)extra;
	for (size_t i = 0; i < value_count(list); i++) {
		const struct value *item = value_at(list, i);

		if (ask_bool(r, closure, item, i, deep, &yes) < 0 || (yes && expr_append(r, made, item) < 0)) {
			value_unref(made);
			return -1;
		}
	}
	*ret_value = made;
	return 0;
}

/* The index of the first or last item that satisfies the closure; SIZE_MAX: none does. */
static int find(struct expr_run *r, const struct value *list, const struct node *closure, bool last, size_t *ret_index)
{
	size_t n = value_count(list);
	unsigned deep = r->deep;
	bool yes = false;

	for (size_t i = 0; i < n; i++) {
		size_t at = last ? n - 1 - i : i;

		if (ask_bool(r, closure, value_at(list, at), at, deep, &yes) < 0)
			return -1;
		if (yes) {
			*ret_index = at;
			return 0;
		}
	}
	*ret_index = SIZE_MAX;
	return 0;
}

static int find_item(
	struct expr_run *r, const struct value *list, const struct node *closure, bool last, struct value **ret_value)
{
	size_t i;

	if (find(r, list, closure, last, &i) < 0)
		return -1;
	*ret_value = expr_keep(i == SIZE_MAX ? NULL : value_at(list, i));
	return 0;
}

static int find_index(
	struct expr_run *r, const struct value *list, const struct node *closure, bool last, struct value **ret_value)
{
	size_t i;

	if (find(r, list, closure, last, &i) < 0)
		return -1;
	*ret_value = i == SIZE_MAX ? value_nil() : value_int((int64_t)i);
	return 0;
}

static int each_find(struct expr_run *r, const struct value *list, const struct node *closure,
	const struct value *extra, struct value **ret_value)
{
	(void)extra;
	return find_item(r, list, closure, false, ret_value);
}

static int each_find_last(struct expr_run *r, const struct value *list, const struct node *closure,
	const struct value *extra, struct value **ret_value)
{
	(void)extra;
	return find_item(r, list, closure, true, ret_value);
}

static int each_find_index(struct expr_run *r, const struct value *list, const struct node *closure,
	const struct value *extra, struct value **ret_value)
{
	(void)extra;
	return find_index(r, list, closure, false, ret_value);
}

static int each_find_last_index(struct expr_run *r, const struct value *list, const struct node *closure,
	const struct value *extra, struct value **ret_value)
{
	(void)extra;
	return find_index(r, list, closure, true, ret_value);
}

static int each_sum(struct expr_run *r, const struct value *list, const struct node *closure, const struct value *extra,
	struct value **ret_value)
{
	struct value *sum = value_int(0), *v, *more = NULL;
	unsigned deep = r->deep;
	int rc;

	(void)extra;
	for (size_t i = 0; i < value_count(list); i++) {
		if (!closure) {
			v = expr_keep(value_at(list, i));
		} else if (ask(r, closure, value_at(list, i), i, NULL, deep, &v) < 0) {
			value_unref(sum);
			return -1;
		}
		rc = expr_is_number(v) ? expr_steps(r, 1)
				       : expr_fail(r, "sum() needs numbers, got %s", expr_type_name(v));
		if (rc == 0)
			rc = expr_arithmetic(r, OP_ADD, sum, v, &more);
		value_unref(v);
		value_unref(sum);
		if (rc < 0)
			return -1;
		sum = more;
	}
	*ret_value = sum;
	return 0;
}

static int each_reduce(struct expr_run *r, const struct value *list, const struct node *closure,
	const struct value *extra, struct value **ret_value)
{
	struct value *acc, *more;
	unsigned deep = r->deep;
	size_t i = 0;
	int rc;

	if (extra) {
		acc = expr_keep(extra);
	} else {
		if (value_count(list) == 0)
			return expr_fail(r, "reduce() of an empty array needs an initial value");
		acc = expr_keep(value_at(list, i++));
	}
	for (; i < value_count(list); i++) {
		rc = ask(r, closure, value_at(list, i), i, acc, deep, &more);
		/* What it made goes in again. */
		deep = r->deep > deep ? r->deep : deep;
		value_unref(acc);
		if (rc < 0)
			return -1;
		acc = more;
	}
	r->deep = deep;
	*ret_value = acc;
	return 0;
}

/* -- groups and order --------------------------------------------------------------------------------- */

/* The keys of groups are text, as all keys of maps are here. */
static int key_text(struct expr_run *r, const struct value *key, struct buf *out)
{
	if (expr_text(r, key, out) < 0)
		return -1;
	return memchr(buf_data(out), 0, buf_len(out)) ? expr_fail(r, "a map key cannot hold a NUL") : 0;
}

static int each_group_by(struct expr_run *r, const struct value *list, const struct node *closure,
	const struct value *extra, struct value **ret_value)
{
	struct value *groups = value_map(), *key;
	unsigned deep = r->deep;
	struct buf text = BUF_INIT;
	int rc;

	(void)extra;
	for (size_t i = 0; i < value_count(list); i++) {
		const struct value *item = value_at(list, i);
		struct value *group;

		if (ask(r, closure, item, i, NULL, deep, &key) < 0)
			goto fail;
		buf_clear(&text);
		rc = key_text(r, key, &text);
		value_unref(key);
		if (rc < 0 || expr_steps(r, 1 + value_count(groups) / 16) < 0)
			goto fail;
		/* The group is still being built by this run alone. */
		group = (struct value *)value_get(groups, buf_str(&text));
		if (!group) {
			group = value_list();
			value_map_set(groups, buf_str(&text), group);
		}
		if (expr_append(r, group, item) < 0)
			goto fail;
	}
	buf_done(&text);
	r->deep = deep + 1;
	*ret_value = groups;
	return 0;
fail:
	buf_done(&text);
	value_unref(groups);
	return -1;
}

static int each_sort_by(struct expr_run *r, const struct value *list, const struct node *closure,
	const struct value *extra, struct value **ret_value)
{
	struct value *keys;
	unsigned deep = r->deep;
	int rc;

	if (each_map(r, list, closure, NULL, &keys) < 0)
		return -1;
	rc = expr_sort(r, keys, list, extra, ret_value);
	value_unref(keys);
	r->deep = deep;
	return rc;
}

static const struct expr_function closure_functions[] = {
	{"all", 2, 2, NULL, each_all},
	{"any", 2, 2, NULL, each_any},
	{"one", 2, 2, NULL, each_one},
	{"none", 2, 2, NULL, each_none},
	{"map", 2, 2, NULL, each_map},
	{"filter", 2, 2, NULL, each_filter},
	{"find", 2, 2, NULL, each_find},
	{"findIndex", 2, 2, NULL, each_find_index},
	{"findLast", 2, 2, NULL, each_find_last},
	{"findLastIndex", 2, 2, NULL, each_find_last_index},
	{"count", 1, 2, NULL, each_count},
	{"sum", 1, 2, NULL, each_sum},
	{"groupBy", 2, 2, NULL, each_group_by},
	{"sortBy", 2, 3, NULL, each_sort_by},
	{"reduce", 2, 3, NULL, each_reduce},
	{NULL, 0, 0, NULL, NULL},
};

/* -- by name ------------------------------------------------------------------------------------------ */

static const struct expr_function *find_in(const struct expr_function *table, const char *name, size_t len)
{
	for (; table->name; table++) {
		if (strlen(table->name) == len && memcmp(table->name, name, len) == 0)
			return table;
	}
	return NULL;
}

const struct expr_function *expr_function_find(const char *name, size_t len)
{
	const struct expr_function *f = find_in(closure_functions, name, len);

	if (!f)
		f = find_in(expr_list_functions, name, len);
	return f ? f : find_in(expr_text_functions, name, len);
}
