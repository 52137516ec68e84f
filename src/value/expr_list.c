/*
 * expr_list.c - functions of the expression language over lists, maps and numbers.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "value/expr_node.h"

static int need(struct expr_run *r, const char *name, const struct value *v, enum value_type type)
{
	if (value_type(v) == type)
		return 0;
	return expr_fail(r, "invalid argument for %s (type %s)", name, expr_type_name(v));
}

static int need_number(struct expr_run *r, const char *name, const struct value *v)
{
	return expr_is_number(v) ? 0 : expr_fail(r, "invalid argument for %s (type %s)", name, expr_type_name(v));
}

/* -- numbers ------------------------------------------------------------------------------------------ */

static int call_abs(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	int64_t i;

	(void)nargs;
	if (need_number(r, "abs", args[0]) < 0)
		return -1;
	if (value_type(args[0]) == VALUE_FLOAT) {
		*ret_value = value_float(fabs(value_get_float(args[0])));
		return 0;
	}
	i = value_get_int(args[0]);
	*ret_value = value_int(i < 0 ? (int64_t)(0 - (uint64_t)i) : i);
	return 0;
}

static int call_ceil(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	(void)nargs;
	if (need_number(r, "ceil", args[0]) < 0)
		return -1;
	*ret_value = value_float(ceil(value_get_float(args[0])));
	return 0;
}

static int call_floor(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	(void)nargs;
	if (need_number(r, "floor", args[0]) < 0)
		return -1;
	*ret_value = value_float(floor(value_get_float(args[0])));
	return 0;
}

static int call_round(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	(void)nargs;
	if (need_number(r, "round", args[0]) < 0)
		return -1;
	*ret_value = value_float(round(value_get_float(args[0])));
	return 0;
}

/* Every number among the arguments and in lists among them, to `see`. */
typedef void see_fn(void *arg, const struct value *number);

static int each_number(
	struct expr_run *r, const char *name, struct value *const *args, size_t nargs, see_fn *see, void *arg)
{
	for (size_t i = 0; i < nargs; i++) {
		if (value_type(args[i]) != VALUE_LIST) {
			if (need_number(r, name, args[i]) < 0)
				return -1;
			see(arg, args[i]);
			continue;
		}
		for (size_t j = 0; j < value_count(args[i]); j++) {
			const struct value *item = value_at(args[i], j);

			if (expr_steps(r, 1) < 0 || need_number(r, name, item) < 0)
				return -1;
			see(arg, item);
		}
	}
	return 0;
}

struct extreme {
	int sign; /* 1: the largest */
	const struct value *best;
};

static void see_extreme(void *arg, const struct value *v)
{
	struct extreme *x = arg;
	bool better;

	if (!x->best) {
		x->best = v;
		return;
	}
	if (value_type(v) == VALUE_INT && value_type(x->best) == VALUE_INT)
		better = x->sign > 0 ? value_get_int(v) > value_get_int(x->best)
				     : value_get_int(v) < value_get_int(x->best);
	else
		better = x->sign > 0 ? value_get_float(v) > value_get_float(x->best)
				     : value_get_float(v) < value_get_float(x->best);
	if (better)
		x->best = v;
}

static int extreme(struct expr_run *r, const char *name, int sign, struct value *const *args, size_t nargs,
	struct value **ret_value)
{
	struct extreme x = {.sign = sign};

	if (each_number(r, name, args, nargs, see_extreme, &x) < 0)
		return -1;
	*ret_value = expr_keep(x.best);
	return 0;
}

static int call_max(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	return extreme(r, "max", 1, args, nargs, ret_value);
}

static int call_min(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	return extreme(r, "min", -1, args, nargs, ret_value);
}

struct numbers {
	double *items;
	size_t n, cap;
};

static void see_number(void *arg, const struct value *v)
{
	struct numbers *a = arg;

	if (a->n == a->cap) {
		a->cap = a->cap ? a->cap * 2 : 16;
		a->items = xreallocarray(a->items, a->cap, sizeof(*a->items));
	}
	a->items[a->n++] = value_get_float(v);
}

static int order_of_floats(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int call_mean(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct numbers a = {0};
	double sum = 0;
	int rc = each_number(r, "mean", args, nargs, see_number, &a);

	for (size_t i = 0; i < a.n; i++)
		sum += a.items[i];
	if (rc == 0)
		*ret_value = value_float(a.n > 0 ? sum / (double)a.n : 0);
	free(a.items);
	return rc;
}

static int call_median(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct numbers a = {0};
	int rc = each_number(r, "median", args, nargs, see_number, &a);

	if (rc == 0 && a.n > 0) {
		qsort(a.items, a.n, sizeof(*a.items), order_of_floats);
		*ret_value =
			value_float(a.n % 2 == 1 ? a.items[a.n / 2] : (a.items[a.n / 2 - 1] + a.items[a.n / 2]) / 2);
	} else if (rc == 0) {
		*ret_value = value_float(0);
	}
	free(a.items);
	return rc;
}

/* -- bits --------------------------------------------------------------------------------------------- */

static int bits(struct expr_run *r, const char *name, struct value *const *args, size_t nargs, struct value **ret_value)
{
	uint64_t x, y = 0;

	for (size_t i = 0; i < nargs; i++) {
		if (need(r, name, args[i], VALUE_INT) < 0)
			return -1;
	}
	x = (uint64_t)value_get_int(args[0]);
	if (nargs > 1)
		y = (uint64_t)value_get_int(args[1]);
	if (strstr(name, "sh")) {
		if ((int64_t)y < 0)
			return expr_fail(r, "%s: the shift is negative", name);
		if (strcmp(name, "bitshl") == 0)
			x = y > 63 ? 0 : x << y;
		else if (strcmp(name, "bitushr") == 0)
			x = y > 63 ? 0 : x >> y;
		else
			x = (uint64_t)((int64_t)x >> (y > 63 ? 63 : y));
	} else {
		x = strcmp(name, "bitand") == 0    ? x & y
		    : strcmp(name, "bitor") == 0   ? x | y
		    : strcmp(name, "bitxor") == 0  ? x ^ y
		    : strcmp(name, "bitnand") == 0 ? x & ~y
						   : ~x;
	}
	*ret_value = value_int((int64_t)x);
	return 0;
}

#define BITS(name)                                                                                                    \
	static int call_##name(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value) \
	{                                                                                                             \
		return bits(r, #name, args, nargs, ret_value);                                                        \
	}

BITS(bitand)
BITS(bitor)
BITS(bitxor)
BITS(bitnand)
BITS(bitnot)
BITS(bitshl)
BITS(bitshr)
BITS(bitushr)

/* -- lists -------------------------------------------------------------------------------------------- */

static int call_get(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct err ignored = {0}, *e = r->e;
	int rc;

	(void)nargs;
	r->e = &ignored;
	rc = expr_fetch(r, args[0], args[1], ret_value);
	r->e = e;
	if (rc < 0)
		*ret_value = value_nil();
	return 0;
}

static int call_first(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	(void)nargs;
	if (need(r, "first", args[0], VALUE_LIST) < 0)
		return -1;
	*ret_value = expr_keep(value_count(args[0]) > 0 ? value_at(args[0], 0) : NULL);
	return 0;
}

static int call_last(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	size_t n = value_count(args[0]);

	(void)nargs;
	if (need(r, "last", args[0], VALUE_LIST) < 0)
		return -1;
	*ret_value = expr_keep(n > 0 ? value_at(args[0], n - 1) : NULL);
	return 0;
}

static int call_take(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	(void)nargs;
	if (need(r, "take", args[0], VALUE_LIST) < 0 || need(r, "take", args[1], VALUE_INT) < 0)
		return -1;
	if (value_get_int(args[1]) < 0)
		return expr_fail(r, "take() needs a number that is not negative");
	return expr_slice(r, args[0], NULL, args[1], ret_value);
}

static int call_reverse(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct value *list;

	(void)nargs;
	if (need(r, "reverse", args[0], VALUE_LIST) < 0)
		return -1;
	list = value_list();
	for (size_t i = value_count(args[0]); i-- > 0;) {
		if (expr_append(r, list, value_at(args[0], i)) < 0) {
			value_unref(list);
			return -1;
		}
	}
	*ret_value = list;
	return 0;
}

static int append_all(struct expr_run *r, struct value *list, const struct value *from)
{
	for (size_t i = 0; i < value_count(from); i++) {
		if (expr_append(r, list, value_at(from, i)) < 0)
			return -1;
	}
	return 0;
}

static int call_concat(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct value *list = value_list();

	for (size_t i = 0; i < nargs; i++) {
		if (need(r, "concat", args[i], VALUE_LIST) < 0 || append_all(r, list, args[i]) < 0) {
			value_unref(list);
			return -1;
		}
	}
	*ret_value = list;
	return 0;
}

/* `depth` bounds the C stack: a list from outside may be that deep, one of ours too. */
static int flatten(struct expr_run *r, struct value *list, const struct value *from, unsigned depth)
{
	if (depth == 2 * MADE_DEEP_MAX)
		return expr_fail(r, "flatten(): the array is nested too deeply");
	for (size_t i = 0; i < value_count(from); i++) {
		const struct value *item = value_at(from, i);

		if (value_type(item) == VALUE_LIST) {
			if (expr_steps(r, 1) < 0 || flatten(r, list, item, depth + 1) < 0)
				return -1;
		} else if (expr_append(r, list, item) < 0) {
			return -1;
		}
	}
	return 0;
}

static int call_flatten(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct value *list;

	(void)nargs;
	if (need(r, "flatten", args[0], VALUE_LIST) < 0)
		return -1;
	list = value_list();
	if (flatten(r, list, args[0], 0) < 0) {
		value_unref(list);
		return -1;
	}
	*ret_value = list;
	return 0;
}

static int call_uniq(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct value *list;
	bool known;

	(void)nargs;
	if (need(r, "uniq", args[0], VALUE_LIST) < 0)
		return -1;
	list = value_list();
	for (size_t i = 0; i < value_count(args[0]); i++) {
		const struct value *item = value_at(args[0], i);

		known = false;
		for (size_t j = 0; !known && j < value_count(list); j++) {
			if (expr_equal(r, value_at(list, j), item, &known) < 0)
				goto fail;
		}
		if (!known && expr_append(r, list, item) < 0)
			goto fail;
	}
	*ret_value = list;
	return 0;
fail:
	value_unref(list);
	return -1;
}

/* -- order -------------------------------------------------------------------------------------------- */

struct sorted {
	const struct value *key;
	const struct value *item;
};

/* A merge sort: stable, and an error in a comparison ends it. */
static int merge_sort(struct expr_run *r, struct sorted *a, struct sorted *spare, size_t n, int sign)
{
	size_t half = n / 2, i = 0, j = half, k = 0;
	int order;

	if (n < 2)
		return 0;
	if (merge_sort(r, a, spare, half, sign) < 0 || merge_sort(r, a + half, spare, n - half, sign) < 0)
		return -1;
	while (i < half && j < n) {
		if (expr_steps(r, 1) < 0 || expr_compare(r, "<", a[i].key, a[j].key, &order) < 0)
			return -1;
		spare[k++] = order != 2 && order * sign > 0 ? a[j++] : a[i++];
	}
	while (i < half)
		spare[k++] = a[i++];
	memcpy(a, spare, k * sizeof(*a));
	return 0;
}

int expr_sort(struct expr_run *r, const struct value *keys, const struct value *items, const struct value *order,
	struct value **ret_value)
{
	size_t n = value_count(items);
	struct sorted *a, *spare;
	struct value *list;
	int sign = 1, rc;

	if (value_type(order) == VALUE_STRING && strcmp(value_get_string(order, NULL), "desc") == 0)
		sign = -1;
	else if (value_type(order) != VALUE_NIL &&
		 (value_type(order) != VALUE_STRING || strcmp(value_get_string(order, NULL), "asc") != 0))
		return expr_fail(r, "invalid order, must be \"asc\" or \"desc\"");
	if (expr_steps(r, n) < 0 || expr_made(r, n * 2 * sizeof(*a)) < 0)
		return -1;
	a = xcalloc(n + 1, sizeof(*a));
	spare = xcalloc(n + 1, sizeof(*a));
	for (size_t i = 0; i < n; i++)
		a[i] = (struct sorted){value_at(keys, i), value_at(items, i)};
	rc = merge_sort(r, a, spare, n, sign);
	if (rc == 0) {
		list = value_list();
		for (size_t i = 0; i < n; i++)
			value_list_append(list, expr_keep(a[i].item));
		*ret_value = list;
	}
	free(a);
	free(spare);
	return rc;
}

static int call_sort(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	if (need(r, "sort", args[0], VALUE_LIST) < 0)
		return -1;
	return expr_sort(r, args[0], args[0], nargs > 1 ? args[1] : NULL, ret_value);
}

/* -- maps --------------------------------------------------------------------------------------------- */

static int map_to_list(
	struct expr_run *r, const char *name, const struct value *map, bool keys, bool values, struct value **ret_value)
{
	struct value *list, *key_value, *pair;

	if (need(r, name, map, VALUE_MAP) < 0)
		return -1;
	list = value_list();
	for (size_t i = 0; i < value_count(map); i++) {
		const char *key;
		const struct value *item = value_pair(map, i, &key, NULL);

		if (expr_steps(r, 1) < 0 || expr_made(r, 4 * EXPR_SCALAR_BYTES + strlen(key)) < 0) {
			value_unref(list);
			return -1;
		}
		key_value = keys ? value_cstring(key) : NULL;
		if (keys && values) {
			pair = value_list();
			value_list_append(pair, key_value);
			value_list_append(pair, expr_keep(item));
			value_list_append(list, pair);
		} else {
			value_list_append(list, keys ? key_value : expr_keep(item));
		}
	}
	*ret_value = list;
	return 0;
}

static int call_keys(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	(void)nargs;
	return map_to_list(r, "keys", args[0], true, false, ret_value);
}

static int call_values(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	(void)nargs;
	return map_to_list(r, "values", args[0], false, true, ret_value);
}

static int call_to_pairs(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	(void)nargs;
	return map_to_list(r, "toPairs", args[0], true, true, ret_value);
}

static int call_from_pairs(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct value *map;

	(void)nargs;
	if (need(r, "fromPairs", args[0], VALUE_LIST) < 0)
		return -1;
	map = value_map();
	for (size_t i = 0; i < value_count(args[0]); i++) {
		const struct value *pair = value_at(args[0], i);
		const struct value *key =
			value_type(pair) == VALUE_LIST && value_count(pair) == 2 ? value_at(pair, 0) : NULL;
		size_t len = 0;

		if (value_type(key) != VALUE_STRING || strlen(value_get_string(key, &len)) != len) {
			expr_fail(r, "fromPairs() needs pairs of a string and a value");
			goto fail;
		}
		if (expr_steps(r, 1) < 0 || expr_made(r, 2 * EXPR_SCALAR_BYTES + len) < 0)
			goto fail;
		value_map_set(map, value_get_string(key, NULL), expr_keep(value_at(pair, 1)));
	}
	*ret_value = map;
	return 0;
fail:
	value_unref(map);
	return -1;
}

enum { ANY = 64 };

const struct expr_function expr_list_functions[] = {
	{"abs", 1, 1, call_abs, NULL},
	{"ceil", 1, 1, call_ceil, NULL},
	{"floor", 1, 1, call_floor, NULL},
	{"round", 1, 1, call_round, NULL},
	{"max", 1, ANY, call_max, NULL},
	{"min", 1, ANY, call_min, NULL},
	{"mean", 1, ANY, call_mean, NULL},
	{"median", 1, ANY, call_median, NULL},
	{"bitand", 2, 2, call_bitand, NULL},
	{"bitor", 2, 2, call_bitor, NULL},
	{"bitxor", 2, 2, call_bitxor, NULL},
	{"bitnand", 2, 2, call_bitnand, NULL},
	{"bitnot", 1, 1, call_bitnot, NULL},
	{"bitshl", 2, 2, call_bitshl, NULL},
	{"bitshr", 2, 2, call_bitshr, NULL},
	{"bitushr", 2, 2, call_bitushr, NULL},
	{"get", 2, 2, call_get, NULL},
	{"first", 1, 1, call_first, NULL},
	{"last", 1, 1, call_last, NULL},
	{"take", 2, 2, call_take, NULL},
	{"reverse", 1, 1, call_reverse, NULL},
	{"concat", 1, ANY, call_concat, NULL},
	{"flatten", 1, 1, call_flatten, NULL},
	{"uniq", 1, 1, call_uniq, NULL},
	{"sort", 1, 2, call_sort, NULL},
	{"keys", 1, 1, call_keys, NULL},
	{"values", 1, 1, call_values, NULL},
	{"toPairs", 1, 1, call_to_pairs, NULL},
	{"fromPairs", 1, 1, call_from_pairs, NULL},
	{NULL, 0, 0, NULL, NULL},
};
