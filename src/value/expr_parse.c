/*
 * expr_parse.c - from words to nodes: operators by precedence, let, if.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "value/expr_parse.h"

enum {
	PRECEDENCE_NOT = 50,
	PRECEDENCE_SIGN = 90,
	PRECEDENCE_COALESCE = 500,
};

static const struct binary {
	const char *text;
	int precedence;
	enum operation operation;
	bool right; /* associates to the right */
} binaries[] = {
	{"or", 10, OP_OR, false},
	{"||", 10, OP_OR, false},
	{"and", 15, OP_AND, false},
	{"&&", 15, OP_AND, false},
	{"==", 20, OP_EQUAL, false},
	{"!=", 20, OP_UNEQUAL, false},
	{"<", 20, OP_LESS, false},
	{">", 20, OP_GREATER, false},
	{">=", 20, OP_GREATER_EQUAL, false},
	{"<=", 20, OP_LESS_EQUAL, false},
	{"in", 20, OP_IN, false},
	{"matches", 20, OP_MATCHES, false},
	{"contains", 20, OP_CONTAINS, false},
	{"startsWith", 20, OP_STARTS_WITH, false},
	{"endsWith", 20, OP_ENDS_WITH, false},
	{"..", 25, OP_RANGE, false},
	{"+", 30, OP_ADD, false},
	{"-", 30, OP_SUBTRACT, false},
	{"*", 60, OP_MULTIPLY, false},
	{"/", 60, OP_DIVIDE, false},
	{"%", 60, OP_MODULO, false},
	{"**", 100, OP_POWER, true},
	{"^", 100, OP_POWER, true},
	{"??", PRECEDENCE_COALESCE, OP_COALESCE, false},
};

static int parse_unary(struct parser *p, enum operation operation, int precedence, struct node **ret_node)
{
	struct node *n = expr_new_node(p, NODE_UNARY, current(p)), *kid = NULL;

	if (next(p) < 0 || expr_parse_expression(p, precedence, &kid) < 0)
		return -1;
	n->operation = operation;
	expr_add_kid(n, kid);
	*ret_node = n;
	return 0;
}

static int parse_primary(struct parser *p, struct node **ret_node)
{
	const struct token *t = current(p);
	int rc;

	if (token_is(t, "not") || token_is(t, "!"))
		rc = parse_unary(p, OP_NOT, PRECEDENCE_NOT, ret_node);
	else if (token_is(t, "-"))
		rc = parse_unary(p, OP_MINUS, PRECEDENCE_SIGN, ret_node);
	else if (token_is(t, "+"))
		rc = parse_unary(p, OP_PLUS, PRECEDENCE_SIGN, ret_node);
	else if (token_is(t, "("))
		rc = next(p) < 0 || expr_parse_expression(p, 0, ret_node) < 0 || expect(p, ")") < 0 ? -1 : 0;
	else
		rc = expr_parse_operand(p, ret_node);
	return rc < 0 ? -1 : expr_parse_postfix(p, ret_node);
}

static const struct binary *binary_at(const struct token *t)
{
	for (size_t i = 0; i < ARRAY_LEN(binaries); i++) {
		if (token_is(t, binaries[i].text))
			return &binaries[i];
	}
	return NULL;
}

static bool may_be_negated(const struct binary *b)
{
	return b->operation >= OP_IN && b->operation <= OP_ENDS_WITH;
}

static bool is_order(enum operation op)
{
	return op >= OP_LESS && op <= OP_GREATER_EQUAL;
}

static struct node *binary_node(
	struct parser *p, enum operation op, const struct token *at, struct node *left, struct node *right)
{
	struct node *n = expr_new_node(p, NODE_BINARY, at);

	n->operation = op;
	expr_add_kid(n, left);
	expr_add_kid(n, right);
	return n;
}

/* A pattern that is known is compiled once, and what is wrong with it is said at once. */
static int compile_pattern(struct parser *p, struct node *n)
{
	const struct node *pattern = n->kids[1];
	const char *text;
	size_t len;

	if (n->operation != OP_MATCHES || pattern->type != NODE_LITERAL || value_type(pattern->literal) != VALUE_STRING)
		return 0;
	text = value_get_string(pattern->literal, &len);
	if (regex_compile(text, len, &n->regex, p->e) < 0)
		return err_prefix(p->e, "%u:%u", pattern->line, pattern->column);
	return 0;
}

/* The current token is behind the operator. 1 < 2 < 3 is 1 < 2 and 2 < 3. */
static int parse_right(
	struct parser *p, const struct binary *b, const struct token *at, struct node *left, struct node **ret_node)
{
	struct node *right = NULL, *n;

	if (expr_parse_expression(p, b->right ? b->precedence : b->precedence + 1, &right) < 0)
		return -1;
	n = binary_node(p, b->operation, at, left, right);
	if (compile_pattern(p, n) < 0)
		return -1;
	while (is_order(b->operation)) {
		struct token sign = *current(p);

		b = binary_at(&sign);
		if (!b || !is_order(b->operation))
			break;
		left = right;
		if (next(p) < 0 || expr_parse_expression(p, b->precedence + 1, &right) < 0)
			return -1;
		n = binary_node(p, OP_AND, at, n, binary_node(p, b->operation, &sign, left, right));
		if (expr_check_depth(p, n) < 0)
			return -1;
	}
	*ret_node = n;
	return expr_check_depth(p, n);
}

static int parse_pipe(struct parser *p, struct node **node)
{
	struct token name;

	if (next(p) < 0)
		return -1;
	name = *current(p);
	if (name.type != TOKEN_NAME || expr_is_reserved(&name))
		return unexpected(p);
	name.literal = NULL;
	if (next(p) < 0 || expr_parse_call(p, &name, *node, node) < 0 || expr_parse_postfix(p, node) < 0)
		return -1;
	return expr_check_depth(p, *node);
}

static int parse_binaries(struct parser *p, int precedence, struct node **node)
{
	bool coalesced = false;

	for (;;) {
		const struct binary *b;
		struct token sign = *current(p);
		struct expr_lexer before = p->lexer;
		bool negated = false;

		if (precedence == 0 && token_is(&sign, "|")) {
			if (parse_pipe(p, node) < 0)
				return -1;
			coalesced = false;
			continue;
		}
		if (token_is(&sign, "not")) {
			if (next(p) < 0)
				return -1;
			sign = *current(p);
			b = binary_at(&sign);
			if (!b || !may_be_negated(b))
				return unexpected(p);
			if (b->precedence < precedence) {
				p->lexer = before; /* neither token has a literal */
				return 0;
			}
			negated = true;
		} else {
			b = binary_at(&sign);
			if (!b || b->precedence < precedence)
				return 0;
		}
		if (coalesced && b->operation != OP_COALESCE)
			return expr_lexer_refuse(&p->lexer, "put parentheses around ?? or around");
		if (next(p) < 0 || parse_right(p, b, &sign, *node, node) < 0)
			return -1;
		coalesced = b->operation == OP_COALESCE;
		if (negated) {
			struct node *n = expr_new_node(p, NODE_UNARY, &sign);

			n->operation = OP_NOT;
			expr_add_kid(n, *node);
			*node = n;
		}
	}
}

/* -- let, if, ?: -------------------------------------------------------------------------------------- */

static int parse_let(struct parser *p, struct node **ret_node)
{
	struct node *n = expr_new_node(p, NODE_LET, current(p)), *kid = NULL;
	struct token name;
	int rc = -1;

	if (next(p) < 0)
		return -1;
	name = *current(p);
	name.literal = NULL;
	if (name.type != TOKEN_NAME || expr_is_reserved(&name))
		return unexpected(p);
	if (next(p) < 0 || expect(p, "=") < 0 || expr_parse_expression(p, 0, &kid) < 0)
		return -1;
	expr_add_kid(n, kid);
	if (!token_is(current(p), ";"))
		return unexpected(p);
	if (p->nlets == EXPR_LETS_MAX)
		return expr_lexer_refuse(&p->lexer, "too many variables at");
	if (next(p) < 0)
		return -1;
	n->slot = p->x->nslots++;
	p->lets[p->nlets].name = xmemdupz(name.start, name.len);
	p->lets[p->nlets++].slot = n->slot;
	if (expr_parse_expression(p, 0, &kid) < 0)
		goto out;
	expr_add_kid(n, kid);
	*ret_node = n;
	rc = 0;
out:
	free(p->lets[--p->nlets].name);
	return rc;
}

/* if c { a } else { b }; else if as well */
static int parse_if(struct parser *p, struct node **ret_node)
{
	struct node *n = expr_new_node(p, NODE_CONDITIONAL, current(p)), *kid = NULL;

	if (next(p) < 0 || expr_parse_expression(p, 0, &kid) < 0)
		return -1;
	expr_add_kid(n, kid);
	if (expect(p, "{") < 0 || expr_parse_expression(p, 0, &kid) < 0 || expect(p, "}") < 0 || expect(p, "else") < 0)
		return -1;
	expr_add_kid(n, kid);
	if (token_is(current(p), "if")) {
		if (expr_parse_expression(p, 0, &kid) < 0)
			return -1;
	} else if (expect(p, "{") < 0 || expr_parse_expression(p, 0, &kid) < 0 || expect(p, "}") < 0) {
		return -1;
	}
	expr_add_kid(n, kid);
	*ret_node = n;
	return 0;
}

static int parse_conditional(struct parser *p, struct node **node)
{
	while (token_is(current(p), "?")) {
		struct node *n = expr_new_node(p, NODE_CONDITIONAL, current(p)), *yes = *node, *no = NULL;

		if (next(p) < 0)
			return -1;
		if (!token_is(current(p), ":") && expr_parse_expression(p, 0, &yes) < 0)
			return -1;
		if (expect(p, ":") < 0 || expr_parse_expression(p, 0, &no) < 0)
			return -1;
		expr_add_kid(n, *node);
		expr_add_kid(n, yes);
		expr_add_kid(n, no);
		*node = n;
		if (expr_check_depth(p, n) < 0)
			return -1;
	}
	return 0;
}

int expr_parse_expression(struct parser *p, int precedence, struct node **ret_node)
{
	int rc;

	if (p->depth == EXPR_DEPTH_MAX)
		return expr_lexer_refuse(&p->lexer, "the expression is nested too deeply at");
	p->depth++;
	if (precedence == 0 && token_is(current(p), "let"))
		rc = parse_let(p, ret_node);
	else if (precedence == 0 && token_is(current(p), "if"))
		rc = parse_if(p, ret_node);
	else
		rc = parse_primary(p, ret_node) < 0 || parse_binaries(p, precedence, ret_node) < 0 ||
				     (precedence == 0 && parse_conditional(p, ret_node) < 0)
			     ? -1
			     : 0;
	p->depth--;
	return rc < 0 ? -1 : expr_check_depth(p, *ret_node);
}

/* -- expressions -------------------------------------------------------------------------------------- */

int expr_compile(const char *source, size_t len, struct expr **ret_expr, struct err *e)
{
	struct expr *x;
	struct parser *p;
	struct err own = {0};
	int rc = -1;

	if (!e)
		e = &own;
	if (len > EXPR_SOURCE_BYTES_MAX)
		return err_set(e, ERR_INVALID, "the expression is longer than %d bytes", EXPR_SOURCE_BYTES_MAX);
	x = xcalloc(1, sizeof(*x));
	atomic_init(&x->refs, 1);
	p = xcalloc(1, sizeof(*p));
	p->x = x;
	p->e = e;
	expr_lexer_init(&p->lexer, source, len, e);
	if (next(p) < 0 || expr_parse_expression(p, 0, &x->root) < 0)
		goto out;
	if (current(p)->type != TOKEN_END) {
		unexpected(p);
		goto out;
	}
	*ret_expr = x;
	x = NULL;
	rc = 0;
out:
	expr_lexer_done(&p->lexer);
	free(p);
	expr_unref(x);
	return rc;
}

struct expr *expr_ref(struct expr *x)
{
	if (x)
		atomic_fetch_add_explicit(&x->refs, 1, memory_order_relaxed);
	return x;
}

void expr_unref(struct expr *x)
{
	struct node *n, *following;

	if (!x || atomic_fetch_sub_explicit(&x->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (n = x->all; n; n = following) {
		following = n->next;
		value_unref(n->literal);
		regex_unref(n->regex);
		free(n->kids);
		free(n);
	}
	free(x);
}
