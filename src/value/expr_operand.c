/*
 * expr_operand.c - what stands between the operators of an expression: literals, names, lists, maps, calls, closures, fields.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "value/expr_parse.h"

enum { ARGUMENTS_MAX = 64 };

bool expr_is_reserved(const struct token *t)
{
	static const char *const words[] = {
		"not", "in", "or", "and", "matches", "contains", "startsWith", "endsWith", "let", "if", "else"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (token_is(t, words[i]))
			return true;
	}
	return false;
}

/* -- nodes -------------------------------------------------------------------------------------------- */

struct node *expr_new_node(struct parser *p, enum node_type type, const struct token *at)
{
	struct node *n = xcalloc(1, sizeof(*n));

	n->type = type;
	n->line = at->line;
	n->column = at->column;
	n->depth = 1;
	n->next = p->x->all;
	p->x->all = n;
	return n;
}

void expr_add_kid(struct node *n, struct node *kid)
{
	if ((n->nkids & (n->nkids - 1)) == 0)
		n->kids = xreallocarray(n->kids, n->nkids ? n->nkids * 2 : 1, sizeof(struct node *));
	n->kids[n->nkids++] = kid;
	if (kid && kid->depth >= n->depth)
		n->depth = kid->depth + 1;
}

int expr_check_depth(struct parser *p, const struct node *n)
{
	return n && n->depth > NODES_DEEP_MAX
		       ? err_set(p->e, ERR_INVALID, "the expression is too deep (%u:%u)", n->line, n->column)
		       : 0;
}

static struct node *name_node(struct parser *p, const struct token *t)
{
	struct node *n = expr_new_node(p, NODE_LITERAL, t);

	n->literal = value_string(t->start, t->len);
	return n;
}

static struct node *bool_node(struct parser *p, const struct token *t, bool b)
{
	struct node *n = expr_new_node(p, NODE_LITERAL, t);

	n->literal = value_bool(b);
	return n;
}

/* -- calls -------------------------------------------------------------------------------------------- */

/* `{ # > 1 }` or `# > 1` */
static int parse_closure(struct parser *p, struct node **ret_node)
{
	bool braces = token_is(current(p), "{");

	if (braces && next(p) < 0)
		return -1;
	p->closures++;
	if (expr_parse_expression(p, 0, ret_node) < 0)
		return -1;
	p->closures--;
	return braces ? expect(p, "}") : 0;
}

int expr_parse_call(struct parser *p, const struct token *name, struct node *first, struct node **ret_node)
{
	const struct expr_function *f = expr_function_find(name->start, name->len);
	struct node *call, *argument = NULL;
	const char *why;

	if (!f) {
		why = expr_function_missing(name->start, name->len);
		return err_set(p->e, ERR_INVALID, "unknown function %.*s%s%s (%u:%u)",
			name->len > 60 ? 60 : (int)name->len, name->start, why ? ": " : "", why ? why : "", name->line,
			name->column);
	}
	call = expr_new_node(p, NODE_CALL, name);
	call->function = f;
	if (first)
		expr_add_kid(call, first);
	if (expect(p, "(") < 0)
		return -1;
	for (bool more = false; !token_is(current(p), ")"); more = true) {
		if (more && expect(p, ",") < 0)
			return -1;
		if (more && token_is(current(p), ")"))
			break;
		if (call->nkids == ARGUMENTS_MAX)
			return expr_lexer_refuse(&p->lexer, "too many arguments at");
		if ((f->each && call->nkids == 1 ? parse_closure(p, &argument)
						 : expr_parse_expression(p, 0, &argument)) < 0)
			return -1;
		expr_add_kid(call, argument);
	}
	if (call->nkids < f->min || call->nkids > f->max)
		return err_set(p->e, ERR_INVALID, "invalid number of arguments for %s: got %zu (%u:%u)", f->name,
			call->nkids, name->line, name->column);
	*ret_node = call;
	return next(p);
}

/* -- what stands alone -------------------------------------------------------------------------------- */

static int parse_list(struct parser *p, struct node **ret_node)
{
	struct node *list = expr_new_node(p, NODE_LIST, current(p)), *item = NULL;

	if (next(p) < 0)
		return -1;
	while (!token_is(current(p), "]")) {
		if (list->nkids > 0 && expect(p, ",") < 0)
			return -1;
		if (token_is(current(p), "]"))
			break;
		if (expr_parse_expression(p, 0, &item) < 0)
			return -1;
		expr_add_kid(list, item);
	}
	*ret_node = list;
	return next(p);
}

static int parse_key(struct parser *p, struct node **ret_node)
{
	const struct token *t = current(p);

	if (token_is(t, "("))
		return expr_parse_expression(p, 0, ret_node);
	if (t->type == TOKEN_STRING) {
		*ret_node = expr_new_node(p, NODE_LITERAL, t);
		(*ret_node)->literal = value_ref(t->literal);
		return next(p);
	}
	if (t->type != TOKEN_NAME && t->type != TOKEN_NUMBER)
		return expr_lexer_refuse(&p->lexer,
			"a map key must be a quoted string, a number, a name or an expression in parentheses, not");
	*ret_node = name_node(p, t);
	return next(p);
}

static int parse_map(struct parser *p, struct node **ret_node)
{
	struct node *map = expr_new_node(p, NODE_MAP, current(p)), *key = NULL, *item = NULL;

	if (next(p) < 0)
		return -1;
	while (!token_is(current(p), "}")) {
		if (map->nkids > 0 && expect(p, ",") < 0)
			return -1;
		if (token_is(current(p), "}"))
			break;
		if (parse_key(p, &key) < 0 || expect(p, ":") < 0 || expr_parse_expression(p, 0, &item) < 0)
			return -1;
		expr_add_kid(map, key);
		expr_add_kid(map, item);
	}
	*ret_node = map;
	return next(p);
}

static int parse_name(struct parser *p, struct node **ret_node)
{
	struct token name = *current(p);

	name.literal = NULL;
	if (expr_is_reserved(&name))
		return unexpected(p);
	if (next(p) < 0)
		return -1;
	if (token_is(&name, "true") || token_is(&name, "false")) {
		*ret_node = bool_node(p, &name, token_is(&name, "true"));
		return 0;
	}
	if (token_is(&name, "nil")) {
		*ret_node = expr_new_node(p, NODE_LITERAL, &name);
		(*ret_node)->literal = value_nil();
		return 0;
	}
	if (token_is(current(p), "("))
		return expr_parse_call(p, &name, NULL, ret_node);
	for (unsigned i = p->nlets; i-- > 0;) {
		if (token_is(&name, p->lets[i].name)) {
			*ret_node = expr_new_node(p, NODE_VARIABLE, &name);
			(*ret_node)->slot = p->lets[i].slot;
			return 0;
		}
	}
	*ret_node = name_node(p, &name);
	(*ret_node)->type = token_is(&name, "$env") ? NODE_ENVIRONMENT : NODE_NAME;
	return 0;
}

/* `#`, `#acc`, `#index`; `.x` is `#.x`, and the dot stays. */
static int parse_item(struct parser *p, struct node **ret_node)
{
	const struct token *t = current(p);

	if (p->closures == 0)
		return expr_lexer_refuse(&p->lexer, "outside of a closure there is no");
	*ret_node = expr_new_node(p, NODE_ITEM, t);
	if (token_is(t, "."))
		return 0;
	if (p->lexer.at < p->lexer.end && strchr(" \t\r\n", *p->lexer.at))
		return next(p);
	if (next(p) < 0)
		return -1;
	if (t->type != TOKEN_NAME || expr_is_reserved(t))
		return 0;
	if (token_is(t, "acc"))
		(*ret_node)->type = NODE_ACCUMULATOR;
	else if (token_is(t, "index"))
		(*ret_node)->type = NODE_INDEX;
	else
		return expr_lexer_refuse(&p->lexer, "unknown pointer");
	return next(p);
}

int expr_parse_operand(struct parser *p, struct node **ret_node)
{
	const struct token *t = current(p);

	if (token_is(t, "#") || token_is(t, "."))
		return parse_item(p, ret_node);
	if (token_is(t, "["))
		return parse_list(p, ret_node);
	if (token_is(t, "{"))
		return parse_map(p, ret_node);
	if (t->type == TOKEN_NAME)
		return parse_name(p, ret_node);
	if (t->type != TOKEN_NUMBER && t->type != TOKEN_STRING)
		return unexpected(p);
	*ret_node = expr_new_node(p, NODE_LITERAL, t);
	(*ret_node)->literal = value_ref(t->literal);
	return next(p);
}

/* -- .x, ?.x, [i], [a:b] ------------------------------------------------------------------------------ */

/* A chain that goes on ends later. */
static struct node *open_chain(struct node *n, bool *ret_chained)
{
	*ret_chained = n->type == NODE_CHAIN;
	return *ret_chained ? n->kids[0] : n;
}

static struct node *close_chain(struct parser *p, struct node *n, bool chained)
{
	struct node *chain;

	if (!chained)
		return n;
	chain = expr_new_node(p, NODE_CHAIN, current(p));
	expr_add_kid(chain, n);
	return chain;
}

static int parse_field(struct parser *p, struct node *of, bool optional, struct node **ret_node)
{
	const struct token *t = current(p);
	struct node *n = expr_new_node(p, NODE_MEMBER, t);

	if (t->type != TOKEN_NAME)
		return expr_lexer_refuse(&p->lexer, "expected a name, got");
	n->optional = optional;
	expr_add_kid(n, of);
	expr_add_kid(n, name_node(p, t));
	*ret_node = n;
	if (next(p) < 0)
		return -1;
	return token_is(t, "(") ? expr_lexer_refuse(&p->lexer, "values have no functions: unexpected") : 0;
}

/* The current token is behind the "[". */
static int parse_index(struct parser *p, struct node *of, bool optional, struct node **ret_node)
{
	struct node *n = expr_new_node(p, NODE_MEMBER, current(p)), *from = NULL, *to = NULL;

	if (!token_is(current(p), ":") && expr_parse_expression(p, 0, &from) < 0)
		return -1;
	expr_add_kid(n, of);
	expr_add_kid(n, from);
	if (token_is(current(p), ":")) {
		if (next(p) < 0 || (!token_is(current(p), "]") && expr_parse_expression(p, 0, &to) < 0))
			return -1;
		n->type = NODE_SLICE;
		expr_add_kid(n, to);
	}
	n->optional = optional;
	*ret_node = n;
	return expect(p, "]");
}

int expr_parse_postfix(struct parser *p, struct node **node)
{
	for (;;) {
		bool optional = token_is(current(p), "?."), dot = optional || token_is(current(p), "."), chained;
		struct node *of;

		if (!dot && !token_is(current(p), "["))
			return 0;
		of = open_chain(*node, &chained);
		if (next(p) < 0)
			return -1;
		if (optional && token_is(current(p), "[")) {
			if (next(p) < 0)
				return -1;
			dot = false;
		}
		if ((dot ? parse_field(p, of, optional, node) : parse_index(p, of, optional, node)) < 0)
			return -1;
		*node = close_chain(p, *node, chained || optional);
		if (expr_check_depth(p, *node) < 0)
			return -1;
	}
}
