/*
 * expr.h - a small expression language over values: policies and the `expr` module speak it.
 *
 * Literals (numbers, 'x' and "x", true, false, nil, [1, 2], {a: 1}), names, `a.b`, `a?.b`, `a[0]`, `a[1:3]`, arithmetic (+ - * / % ** ^), comparison,
 * `&& || !` and `and or not`, `in`, `not in`, `contains`, `startsWith`, `endsWith`, `matches`, `??`, `c ? a : b`, ranges 1..3, `a | f()`, closures
 * in `all any one none map filter find count ...` (`#` is the item, `.x` its field), and the functions listed in expr_function.c. A name that is unknown is nil.
 *
 * A compiled expression never changes and may be run by any thread. Source, depth, steps of a run and the size of what it makes are
 * bounded: an expression of a stranger ends, with INVALID or INTERNAL that says which bound it met. No function has a side effect.
 */
#ifndef VALUE_EXPR_H
#define VALUE_EXPR_H

#include <stddef.h>

#include "base/err.h"
#include "value/value.h"

enum {
	EXPR_SOURCE_BYTES_MAX = 64 * 1024,
	EXPR_DEPTH_MAX = 200,
	EXPR_STEPS_MAX = 1000000,
	EXPR_MADE_BYTES_MAX = 64 * 1024 * 1024,
};

struct expr;

/* What a name stands for, at the outermost level. */
struct expr_name {
	const char *name;
	const struct value *value; /* NULL: nil */
};

/* INVALID with line and column of what is wrong. */
int expr_compile(const char *source, size_t len, struct expr **ret_expr, struct err *e);
struct expr *expr_ref(struct expr *x); /* NULL gives NULL */
void expr_unref(struct expr *x);       /* NULL is fine */

/* Run it over these names (a name listed twice: the first). INTERNAL says what went wrong. *ret_value is the caller's. */
int expr_run(
	const struct expr *x, const struct expr_name *names, size_t nnames, struct value **ret_value, struct err *e);
/* For a condition: 1 true, 0 false, -1 when it fails or is no boolean. */
int expr_test(const struct expr *x, const struct expr_name *names, size_t nnames, struct err *e);

#endif
