/*
 * expr_run.c - walks the nodes of an expression; one function a kind of node.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "value/expr_node.h"

/* What expr_eval() answers where a ?. met nil: up to the end of the chain nothing is computed. */
enum { CHAIN_ENDS = 1 };

/* -- names and items ---------------------------------------------------------------------------------- */

static void look_up(struct expr_run *r, const struct node *n, struct value **ret_value)
{
	const char *name = value_get_string(n->literal, NULL);

	for (size_t i = 0; i < r->nnames; i++) {
		if (strcmp(r->names[i].name, name) == 0) {
			*ret_value = expr_keep(r->names[i].value);
			return;
		}
	}
	*ret_value = value_nil();
}

static int eval_environment(struct expr_run *r, struct value **ret_value)
{
	struct value *map;

	if (expr_steps(r, r->nnames) < 0 || expr_made(r, r->nnames * EXPR_SCALAR_BYTES) < 0)
		return -1;
	map = value_map();
	for (size_t i = 0; i < r->nnames; i++) {
		if (!value_get(map, r->names[i].name))
			value_map_set(map, r->names[i].name, expr_keep(r->names[i].value));
	}
	*ret_value = map;
	return 0;
}

static int eval_item(struct expr_run *r, const struct node *n, struct value **ret_value)
{
	assert(r->scope); /* the parser lets them stand in closures only */
	r->deep = r->scope->deep;
	if (n->type == NODE_INDEX) {
		*ret_value = value_int((int64_t)r->scope->index);
		return 0;
	}
	if (n->type == NODE_ACCUMULATOR) {
		if (!r->scope->accumulator)
			return expr_fail(r, "#acc is known to reduce() only");
		*ret_value = expr_keep(r->scope->accumulator);
		return 0;
	}
	*ret_value = expr_keep(r->scope->item);
	return 0;
}

static int eval_let(struct expr_run *r, const struct node *n, struct value **ret_value)
{
	struct value *v = NULL, *before;
	unsigned deep_before;
	int rc;

	assert(r->slots);
	before = r->slots[n->slot];
	deep_before = r->slots_deep[n->slot];

	if (expr_eval(r, n->kids[0], &v) < 0)
		return -1;
	r->slots[n->slot] = v;
	r->slots_deep[n->slot] = r->deep;
	rc = expr_eval(r, n->kids[1], ret_value);
	r->slots[n->slot] = before;
	r->slots_deep[n->slot] = deep_before;
	value_unref(v);
	return rc;
}

/* -- operators ---------------------------------------------------------------------------------------- */

static int eval_bool(struct expr_run *r, const struct node *n, const char *what, bool *ret_bool)
{
	struct value *v = NULL;
	int rc = 0;

	if (expr_eval(r, n, &v) < 0)
		return -1;
	if (value_type(v) == VALUE_BOOL) {
		*ret_bool = value_get_bool(v);
	} else {
		r->at = n;
		rc = expr_fail(r, "%s needs a bool, got %s", what, expr_type_name(v));
	}
	value_unref(v);
	return rc;
}

static int eval_unary(struct expr_run *r, const struct node *n, struct value **ret_value)
{
	struct value *v = NULL, *zero;
	bool b = false;
	int rc;

	if (n->operation == OP_NOT) {
		if (eval_bool(r, n->kids[0], "not", &b) < 0)
			return -1;
		*ret_value = value_bool(!b);
		return 0;
	}
	if (expr_eval(r, n->kids[0], &v) < 0)
		return -1;
	r->at = n;
	if (!expr_is_number(v)) {
		rc = expr_fail(r, "invalid operation: %c %s", n->operation == OP_MINUS ? '-' : '+', expr_type_name(v));
	} else if (n->operation == OP_PLUS) {
		*ret_value = value_ref(v);
		rc = 0;
	} else if (value_type(v) == VALUE_FLOAT) {
		*ret_value = value_float(-value_get_float(v));
		rc = 0;
	} else {
		zero = value_int(0);
		rc = expr_arithmetic(r, OP_SUBTRACT, zero, v, ret_value);
		value_unref(zero);
	}
	value_unref(v);
	return rc;
}

static int eval_and_or(struct expr_run *r, const struct node *n, struct value **ret_value)
{
	const char *what = n->operation == OP_AND ? "and" : "or";
	bool b = false;

	if (eval_bool(r, n->kids[0], what, &b) < 0)
		return -1;
	if (b == (n->operation == OP_AND) && eval_bool(r, n->kids[1], what, &b) < 0)
		return -1;
	*ret_value = value_bool(b);
	return 0;
}

static int eval_binary(struct expr_run *r, const struct node *n, struct value **ret_value)
{
	struct value *a = NULL, *b = NULL;
	int rc;

	if (n->operation == OP_AND || n->operation == OP_OR)
		return eval_and_or(r, n, ret_value);
	if (expr_eval(r, n->kids[0], &a) < 0)
		return -1;
	if (n->operation == OP_COALESCE) {
		if (value_type(a) != VALUE_NIL) {
			*ret_value = a;
			return 0;
		}
		value_unref(a);
		return expr_eval(r, n->kids[1], ret_value);
	}
	rc = expr_eval(r, n->kids[1], &b);
	if (rc == 0) {
		r->at = n;
		rc = expr_compute(r, n, a, b, ret_value);
		r->deep = 0;
		value_unref(b);
	}
	value_unref(a);
	return rc;
}

/* -- parts -------------------------------------------------------------------------------------------- */

static int eval_member(struct expr_run *r, const struct node *n, struct value **ret_value)
{
	struct value *of, *which;
	unsigned deep;
	int rc = expr_eval(r, n->kids[0], &of);

	if (rc != 0)
		return rc;
	deep = r->deep;
	if (n->optional && value_type(of) == VALUE_NIL) {
		value_unref(of);
		return CHAIN_ENDS;
	}
	rc = expr_eval(r, n->kids[1], &which);
	if (rc == 0) {
		r->at = n;
		rc = expr_fetch(r, of, which, ret_value);
		value_unref(which);
	}
	r->deep = deep;
	value_unref(of);
	return rc;
}

static int eval_slice(struct expr_run *r, const struct node *n, struct value **ret_value)
{
	struct value *of, *from = NULL, *to = NULL;
	unsigned deep;
	int rc = expr_eval(r, n->kids[0], &of);

	if (rc != 0)
		return rc;
	deep = r->deep;
	if (n->optional && value_type(of) == VALUE_NIL) {
		value_unref(of);
		return CHAIN_ENDS;
	}
	rc = -1;
	if ((n->kids[1] && expr_eval(r, n->kids[1], &from) < 0) || (n->kids[2] && expr_eval(r, n->kids[2], &to) < 0))
		goto out;
	r->at = n;
	rc = expr_slice(r, of, from, to, ret_value);
out:
	r->deep = deep;
	value_unref(of);
	value_unref(from);
	value_unref(to);
	return rc;
}

/* -- literals and calls ------------------------------------------------------------------------------- */

static int deeper(struct expr_run *r, unsigned deep)
{
	r->deep = deep + 1;
	return r->deep > MADE_DEEP_MAX ? expr_fail(r, "the result is nested too deeply") : 0;
}

static int eval_list(struct expr_run *r, const struct node *n, struct value **ret_value)
{
	struct value *list = value_list(), *item;
	unsigned deep = 0;

	for (size_t i = 0; i < n->nkids; i++) {
		if (expr_eval(r, n->kids[i], &item) < 0)
			goto fail;
		deep = r->deep > deep ? r->deep : deep;
		value_list_append(list, item);
	}
	r->at = n;
	if (expr_made(r, EXPR_SCALAR_BYTES + n->nkids * EXPR_ITEM_BYTES) < 0 || deeper(r, deep) < 0)
		goto fail;
	*ret_value = list;
	return 0;
fail:
	value_unref(list);
	return -1;
}

static int eval_map(struct expr_run *r, const struct node *n, struct value **ret_value)
{
	struct value *map = value_map(), *key = NULL, *item;
	unsigned deep = 0;

	for (size_t i = 0; i < n->nkids; i += 2) {
		const char *text;
		size_t len;

		if (expr_eval(r, n->kids[i], &key) < 0)
			goto fail;
		if (value_type(key) != VALUE_STRING) {
			r->at = n->kids[i];
			expr_fail(r, "a map key must be a string, got %s", expr_type_name(key));
			goto fail;
		}
		text = value_get_string(key, &len);
		if (strlen(text) != len) {
			expr_fail(r, "a map key cannot hold a NUL");
			goto fail;
		}
		if (expr_eval(r, n->kids[i + 1], &item) < 0)
			goto fail;
		deep = r->deep > deep ? r->deep : deep;
		value_map_set(map, text, item);
		value_unref(key);
		key = NULL;
		if (expr_made(r, EXPR_SCALAR_BYTES + len) < 0)
			goto fail;
	}
	r->at = n;
	if (expr_made(r, EXPR_SCALAR_BYTES) < 0 || deeper(r, deep) < 0)
		goto fail;
	*ret_value = map;
	return 0;
fail:
	value_unref(key);
	value_unref(map);
	return -1;
}

/* A function with a closure: the list, the closure as it stands, what comes behind it. */
static int eval_each(struct expr_run *r, const struct node *n, struct value **ret_value)
{
	struct value *list, *extra = NULL;
	unsigned deep;
	int rc = -1;

	if (expr_eval(r, n->kids[0], &list) < 0)
		return -1;
	deep = r->deep;
	if (n->nkids > 2) {
		if (expr_eval(r, n->kids[2], &extra) < 0)
			goto out;
		deep = r->deep > deep ? r->deep : deep;
	}
	r->at = n;
	r->deep = deep;
	if (value_type(list) != VALUE_LIST) {
		expr_fail(r, "%s() needs an array, got %s", n->function->name, expr_type_name(list));
		goto out;
	}
	rc = n->function->each(r, list, n->nkids > 1 ? n->kids[1] : NULL, extra, ret_value);
	if (rc == 0) {
		r->at = n;
		rc = deeper(r, r->deep > deep ? r->deep : deep);
		if (rc < 0)
			value_unref(*ret_value);
	}
out:
	value_unref(list);
	value_unref(extra);
	return rc;
}

static int eval_call(struct expr_run *r, const struct node *n, struct value **ret_value)
{
	struct value **args;
	unsigned deep = 0;
	size_t nargs = 0;
	int rc = -1;

	if (n->function->each)
		return eval_each(r, n, ret_value);
	args = xcalloc(n->nkids ? n->nkids : 1, sizeof(struct value *));
	for (; nargs < n->nkids; nargs++) {
		if (expr_eval(r, n->kids[nargs], &args[nargs]) < 0)
			goto out;
		deep = r->deep > deep ? r->deep : deep;
	}
	r->at = n;
	rc = n->function->call(r, args, nargs, ret_value);
	/* No function adds more than two levels: toPairs() makes lists in a list. */
	if (rc == 0 && (rc = deeper(r, deep + 1)) < 0)
		value_unref(*ret_value);
out:
	for (size_t i = 0; i < nargs; i++)
		value_unref(args[i]);
	free(args);
	return rc;
}

int expr_eval(struct expr_run *r, const struct node *n, struct value **ret_value)
{
	bool yes = false;
	int rc;

	r->at = n;
	r->deep = 0;
	if (expr_steps(r, 1) < 0)
		return -1;
	switch (n->type) {
	case NODE_LITERAL:
		*ret_value = value_ref(n->literal);
		return 0;
	case NODE_NAME:
		look_up(r, n, ret_value);
		return 0;
	case NODE_ENVIRONMENT:
		return eval_environment(r, ret_value);
	case NODE_VARIABLE:
		assert(r->slots);
		*ret_value = value_ref(r->slots[n->slot]);
		r->deep = r->slots_deep[n->slot];
		return 0;
	case NODE_ITEM:
	case NODE_INDEX:
	case NODE_ACCUMULATOR:
		return eval_item(r, n, ret_value);
	case NODE_UNARY:
		return eval_unary(r, n, ret_value);
	case NODE_BINARY:
		return eval_binary(r, n, ret_value);
	case NODE_CONDITIONAL:
		if (eval_bool(r, n->kids[0], "a condition", &yes) < 0)
			return -1;
		return expr_eval(r, n->kids[yes ? 1 : 2], ret_value);
	case NODE_MEMBER:
		return eval_member(r, n, ret_value);
	case NODE_SLICE:
		return eval_slice(r, n, ret_value);
	case NODE_CHAIN:
		rc = expr_eval(r, n->kids[0], ret_value);
		if (rc == CHAIN_ENDS) {
			*ret_value = value_nil();
			rc = 0;
		}
		return rc;
	case NODE_LIST:
		return eval_list(r, n, ret_value);
	case NODE_MAP:
		return eval_map(r, n, ret_value);
	case NODE_CALL:
		return eval_call(r, n, ret_value);
	case NODE_LET:
		return eval_let(r, n, ret_value);
	}
	return expr_fail(r, "an unknown node");
}

int expr_run(
	const struct expr *x, const struct expr_name *names, size_t nnames, struct value **ret_value, struct err *e)
{
	struct expr_run r = {.names = names, .nnames = nnames, .e = e};
	int rc;

	if (x->nslots > 0) {
		r.slots = xcalloc(x->nslots, sizeof(struct value *));
		r.slots_deep = xcalloc(x->nslots, sizeof(unsigned));
	}
	rc = expr_eval(&r, x->root, ret_value);
	free(r.slots);
	free(r.slots_deep);
	return rc;
}

int expr_test(const struct expr *x, const struct expr_name *names, size_t nnames, struct err *e)
{
	struct value *v = NULL;
	int rc;

	if (expr_run(x, names, nnames, &v, e) < 0)
		return -1;
	rc = value_type(v) == VALUE_BOOL
		     ? value_get_bool(v)
		     : err_set(e, ERR_INTERNAL, "the expression gives %s, not a bool", expr_type_name(v));
	value_unref(v);
	return rc;
}
