/*
 * expr_made.c - what an expression makes, and how much of it: steps and bytes are counted; errors say where.
 */
#include <stdarg.h>

#include "value/expr_node.h"

int expr_fail(struct expr_run *r, const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	if (r->at)
		err_set(r->e, ERR_INTERNAL, "%s (%u:%u)", buf_str(&text), r->at->line, r->at->column);
	else
		err_set(r->e, ERR_INTERNAL, "%s", buf_str(&text));
	buf_done(&text);
	return -1;
}

int expr_steps(struct expr_run *r, size_t n)
{
	if (n > EXPR_STEPS_MAX - r->steps)
		return expr_fail(r, "the expression takes more than %d steps", EXPR_STEPS_MAX);
	r->steps += n;
	return 0;
}

int expr_made(struct expr_run *r, size_t bytes)
{
	if (bytes > EXPR_MADE_BYTES_MAX - r->made)
		return expr_fail(r, "the expression makes more than %d bytes", EXPR_MADE_BYTES_MAX);
	r->made += bytes;
	return 0;
}

struct value *expr_keep(const struct value *v)
{
	/* Counting references is no change that anybody could see. */
	return v ? value_ref((struct value *)v) : value_nil();
}

int expr_string(struct expr_run *r, const char *s, size_t len, struct value **ret_value)
{
	if (expr_made(r, len + EXPR_SCALAR_BYTES) < 0)
		return -1;
	*ret_value = value_string(s, len);
	return 0;
}

int expr_append(struct expr_run *r, struct value *list, const struct value *item)
{
	if (expr_steps(r, 1) < 0 || expr_made(r, EXPR_ITEM_BYTES) < 0)
		return -1;
	value_list_append(list, expr_keep(item));
	return 0;
}

const char *expr_type_name(const struct value *v)
{
	switch (value_type(v)) {
	case VALUE_BOOL:
		return "bool";
	case VALUE_INT:
		return "int";
	case VALUE_FLOAT:
		return "float";
	case VALUE_STRING:
		return "string";
	case VALUE_LIST:
		return "array";
	case VALUE_MAP:
		return "map";
	case VALUE_NIL:
		break;
	}
	return "nil";
}
