/*
 * expr_parse.c - from words to nodes: operators by precedence, then calls and closures.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "value/expr_lex.h"
#include "value/expr_node.h"

enum {
	ARGUMENTS_MAX = 64,
	PRECEDENCE_NOT = 50,
	PRECEDENCE_SIGN = 90,
	PRECEDENCE_COALESCE = 500,
	LETS_MAX = EXPR_DEPTH_MAX,
};

struct parser {
	struct expr_lexer lexer;
	struct expr *x;
	struct err *e;
	unsigned depth;
	unsigned closures; /* how many are we inside of? */
	/* The names that are visible, the slot each has: the innermost last. */
	struct {
		char *name;
		unsigned slot;
	} lets[LETS_MAX];
	unsigned nlets;
};

static int parse_expression(struct parser *p, int precedence, struct node **ret_node);

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

/* Words that are operators cannot be names. */
static bool is_reserved(const struct token *t)
{
	static const char *const words[] = {
		"not", "in", "or", "and", "matches", "contains", "startsWith", "endsWith", "let", "if", "else"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (token_is(t, words[i]))
			return true;
	}
	return false;
}

static const struct token *current(const struct parser *p)
{
	return &p->lexer.token;
}

static int next(struct parser *p)
{
	return expr_lexer_next(&p->lexer);
}

static int unexpected(struct parser *p)
{
	return expr_lexer_refuse(&p->lexer, "unexpected");
}

static int expect(struct parser *p, const char *text)
{
	return token_is(current(p), text) ? next(p) : unexpected(p);
}

/* -- nodes -------------------------------------------------------------------------------------------- */

static struct node *new_node(struct parser *p, enum node_type type, const struct token *at)
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

static void add_kid(struct node *n, struct node *kid)
{
	if ((n->nkids & (n->nkids - 1)) == 0)
		n->kids = xreallocarray(n->kids, n->nkids ? n->nkids * 2 : 1, sizeof(struct node *));
	n->kids[n->nkids++] = kid;
	if (kid && kid->depth >= n->depth)
		n->depth = kid->depth + 1;
}

static int check_depth(struct parser *p, const struct node *n)
{
	return n && n->depth > NODES_DEEP_MAX
		       ? err_set(p->e, ERR_INVALID, "the expression is too deep (%u:%u)", n->line, n->column)
		       : 0;
}

static struct node *name_node(struct parser *p, const struct token *t)
{
	struct node *n = new_node(p, NODE_LITERAL, t);

	n->literal = value_string(t->start, t->len);
	return n;
}

static struct node *bool_node(struct parser *p, const struct token *t, bool b)
{
	struct node *n = new_node(p, NODE_LITERAL, t);

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
	if (parse_expression(p, 0, ret_node) < 0)
		return -1;
	p->closures--;
	return braces ? expect(p, "}") : 0;
}

/* The current token is the name's successor; `first` (NULL: none) comes before the arguments in brackets. */
static int parse_call(struct parser *p, const struct token *name, struct node *first, struct node **ret_node)
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
	call = new_node(p, NODE_CALL, name);
	call->function = f;
	if (first)
		add_kid(call, first);
	if (expect(p, "(") < 0)
		return -1;
	for (bool more = false; !token_is(current(p), ")"); more = true) {
		if (more && expect(p, ",") < 0)
			return -1;
		if (more && token_is(current(p), ")"))
			break;
		if (call->nkids == ARGUMENTS_MAX)
			return expr_lexer_refuse(&p->lexer, "too many arguments at");
		if ((f->each && call->nkids == 1 ? parse_closure(p, &argument) : parse_expression(p, 0, &argument)) < 0)
			return -1;
		add_kid(call, argument);
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
	struct node *list = new_node(p, NODE_LIST, current(p)), *item = NULL;

	if (next(p) < 0)
		return -1;
	while (!token_is(current(p), "]")) {
		if (list->nkids > 0 && expect(p, ",") < 0)
			return -1;
		if (token_is(current(p), "]"))
			break;
		if (parse_expression(p, 0, &item) < 0)
			return -1;
		add_kid(list, item);
	}
	*ret_node = list;
	return next(p);
}

static int parse_key(struct parser *p, struct node **ret_node)
{
	const struct token *t = current(p);

	if (token_is(t, "("))
		return parse_expression(p, 0, ret_node);
	if (t->type == TOKEN_STRING) {
		*ret_node = new_node(p, NODE_LITERAL, t);
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
	struct node *map = new_node(p, NODE_MAP, current(p)), *key = NULL, *item = NULL;

	if (next(p) < 0)
		return -1;
	while (!token_is(current(p), "}")) {
		if (map->nkids > 0 && expect(p, ",") < 0)
			return -1;
		if (token_is(current(p), "}"))
			break;
		if (parse_key(p, &key) < 0 || expect(p, ":") < 0 || parse_expression(p, 0, &item) < 0)
			return -1;
		add_kid(map, key);
		add_kid(map, item);
	}
	*ret_node = map;
	return next(p);
}

static int parse_name(struct parser *p, struct node **ret_node)
{
	struct token name = *current(p);

	name.literal = NULL;
	if (is_reserved(&name))
		return unexpected(p);
	if (next(p) < 0)
		return -1;
	if (token_is(&name, "true") || token_is(&name, "false")) {
		*ret_node = bool_node(p, &name, token_is(&name, "true"));
		return 0;
	}
	if (token_is(&name, "nil")) {
		*ret_node = new_node(p, NODE_LITERAL, &name);
		(*ret_node)->literal = value_nil();
		return 0;
	}
	if (token_is(current(p), "("))
		return parse_call(p, &name, NULL, ret_node);
	for (unsigned i = p->nlets; i-- > 0;) {
		if (token_is(&name, p->lets[i].name)) {
			*ret_node = new_node(p, NODE_VARIABLE, &name);
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
	*ret_node = new_node(p, NODE_ITEM, t);
	if (token_is(t, "."))
		return 0;
	if (p->lexer.at < p->lexer.end && strchr(" \t\r\n", *p->lexer.at))
		return next(p);
	if (next(p) < 0)
		return -1;
	if (t->type != TOKEN_NAME || is_reserved(t))
		return 0;
	if (token_is(t, "acc"))
		(*ret_node)->type = NODE_ACCUMULATOR;
	else if (token_is(t, "index"))
		(*ret_node)->type = NODE_INDEX;
	else
		return expr_lexer_refuse(&p->lexer, "unknown pointer");
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
	chain = new_node(p, NODE_CHAIN, current(p));
	add_kid(chain, n);
	return chain;
}

static int parse_field(struct parser *p, struct node *of, bool optional, struct node **ret_node)
{
	const struct token *t = current(p);
	struct node *n = new_node(p, NODE_MEMBER, t);

	if (t->type != TOKEN_NAME)
		return expr_lexer_refuse(&p->lexer, "expected a name, got");
	n->optional = optional;
	add_kid(n, of);
	add_kid(n, name_node(p, t));
	*ret_node = n;
	if (next(p) < 0)
		return -1;
	return token_is(t, "(") ? expr_lexer_refuse(&p->lexer, "values have no functions: unexpected") : 0;
}

/* The current token is behind the "[". */
static int parse_index(struct parser *p, struct node *of, bool optional, struct node **ret_node)
{
	struct node *n = new_node(p, NODE_MEMBER, current(p)), *from = NULL, *to = NULL;

	if (!token_is(current(p), ":") && parse_expression(p, 0, &from) < 0)
		return -1;
	add_kid(n, of);
	add_kid(n, from);
	if (token_is(current(p), ":")) {
		if (next(p) < 0 || (!token_is(current(p), "]") && parse_expression(p, 0, &to) < 0))
			return -1;
		n->type = NODE_SLICE;
		add_kid(n, to);
	}
	n->optional = optional;
	*ret_node = n;
	return expect(p, "]");
}

static int parse_postfix(struct parser *p, struct node **node)
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
		if (check_depth(p, *node) < 0)
			return -1;
	}
}

/* -- operators ---------------------------------------------------------------------------------------- */

static int parse_unary(struct parser *p, enum operation operation, int precedence, struct node **ret_node)
{
	struct node *n = new_node(p, NODE_UNARY, current(p)), *kid = NULL;

	if (next(p) < 0 || parse_expression(p, precedence, &kid) < 0)
		return -1;
	n->operation = operation;
	add_kid(n, kid);
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
		rc = next(p) < 0 || parse_expression(p, 0, ret_node) < 0 || expect(p, ")") < 0 ? -1 : 0;
	else if (token_is(t, "#") || token_is(t, "."))
		rc = parse_item(p, ret_node);
	else if (token_is(t, "["))
		rc = parse_list(p, ret_node);
	else if (token_is(t, "{"))
		rc = parse_map(p, ret_node);
	else if (t->type == TOKEN_NAME)
		rc = parse_name(p, ret_node);
	else if (t->type == TOKEN_NUMBER || t->type == TOKEN_STRING) {
		*ret_node = new_node(p, NODE_LITERAL, t);
		(*ret_node)->literal = value_ref(t->literal);
		rc = next(p);
	} else {
		rc = unexpected(p);
	}
	return rc < 0 ? -1 : parse_postfix(p, ret_node);
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
	struct node *n = new_node(p, NODE_BINARY, at);

	n->operation = op;
	add_kid(n, left);
	add_kid(n, right);
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

	if (parse_expression(p, b->right ? b->precedence : b->precedence + 1, &right) < 0)
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
		if (next(p) < 0 || parse_expression(p, b->precedence + 1, &right) < 0)
			return -1;
		n = binary_node(p, OP_AND, at, n, binary_node(p, b->operation, &sign, left, right));
		if (check_depth(p, n) < 0)
			return -1;
	}
	*ret_node = n;
	return check_depth(p, n);
}

static int parse_pipe(struct parser *p, struct node **node)
{
	struct token name;

	if (next(p) < 0)
		return -1;
	name = *current(p);
	if (name.type != TOKEN_NAME || is_reserved(&name))
		return unexpected(p);
	name.literal = NULL;
	if (next(p) < 0 || parse_call(p, &name, *node, node) < 0 || parse_postfix(p, node) < 0)
		return -1;
	return check_depth(p, *node);
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
			struct node *n = new_node(p, NODE_UNARY, &sign);

			n->operation = OP_NOT;
			add_kid(n, *node);
			*node = n;
		}
	}
}

/* -- let, if, ?: -------------------------------------------------------------------------------------- */

static int parse_let(struct parser *p, struct node **ret_node)
{
	struct node *n = new_node(p, NODE_LET, current(p)), *kid = NULL;
	struct token name;
	int rc = -1;

	if (next(p) < 0)
		return -1;
	name = *current(p);
	name.literal = NULL;
	if (name.type != TOKEN_NAME || is_reserved(&name))
		return unexpected(p);
	if (next(p) < 0 || expect(p, "=") < 0 || parse_expression(p, 0, &kid) < 0)
		return -1;
	add_kid(n, kid);
	if (!token_is(current(p), ";"))
		return unexpected(p);
	if (p->nlets == LETS_MAX)
		return expr_lexer_refuse(&p->lexer, "too many variables at");
	if (next(p) < 0)
		return -1;
	n->slot = p->x->nslots++;
	p->lets[p->nlets].name = xmemdupz(name.start, name.len);
	p->lets[p->nlets++].slot = n->slot;
	if (parse_expression(p, 0, &kid) < 0)
		goto out;
	add_kid(n, kid);
	*ret_node = n;
	rc = 0;
out:
	free(p->lets[--p->nlets].name);
	return rc;
}

/* if c { a } else { b }; else if as well */
static int parse_if(struct parser *p, struct node **ret_node)
{
	struct node *n = new_node(p, NODE_CONDITIONAL, current(p)), *kid = NULL;

	if (next(p) < 0 || parse_expression(p, 0, &kid) < 0)
		return -1;
	add_kid(n, kid);
	if (expect(p, "{") < 0 || parse_expression(p, 0, &kid) < 0 || expect(p, "}") < 0 || expect(p, "else") < 0)
		return -1;
	add_kid(n, kid);
	if (token_is(current(p), "if")) {
		if (parse_expression(p, 0, &kid) < 0)
			return -1;
	} else if (expect(p, "{") < 0 || parse_expression(p, 0, &kid) < 0 || expect(p, "}") < 0) {
		return -1;
	}
	add_kid(n, kid);
	*ret_node = n;
	return 0;
}

static int parse_conditional(struct parser *p, struct node **node)
{
	while (token_is(current(p), "?")) {
		struct node *n = new_node(p, NODE_CONDITIONAL, current(p)), *yes = *node, *no = NULL;

		if (next(p) < 0)
			return -1;
		if (!token_is(current(p), ":") && parse_expression(p, 0, &yes) < 0)
			return -1;
		if (expect(p, ":") < 0 || parse_expression(p, 0, &no) < 0)
			return -1;
		add_kid(n, *node);
		add_kid(n, yes);
		add_kid(n, no);
		*node = n;
		if (check_depth(p, n) < 0)
			return -1;
	}
	return 0;
}

static int parse_expression(struct parser *p, int precedence, struct node **ret_node)
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
	return rc < 0 ? -1 : check_depth(p, *ret_node);
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
	if (next(p) < 0 || parse_expression(p, 0, &x->root) < 0)
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
