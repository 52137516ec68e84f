/*
 * expr_parse.h - what the parts of the parser of expressions share: expr_parse.c (operators, let, if), expr_operand.c (what stands between
 * operators). Inside of expr.h.
 *
 * Functions return -1 with the parser's error; nodes belong to the expression from the moment they are made.
 */
#ifndef VALUE_EXPR_PARSE_H
#define VALUE_EXPR_PARSE_H

#include "value/expr_lex.h"
#include "value/expr_node.h"

enum { EXPR_LETS_MAX = EXPR_DEPTH_MAX };

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
	} lets[EXPR_LETS_MAX];
	unsigned nlets;
};

static inline const struct token *current(const struct parser *p)
{
	return &p->lexer.token;
}

static inline int next(struct parser *p)
{
	return expr_lexer_next(&p->lexer);
}

static inline int unexpected(struct parser *p)
{
	return expr_lexer_refuse(&p->lexer, "unexpected");
}

static inline int expect(struct parser *p, const char *text)
{
	return token_is(current(p), text) ? next(p) : unexpected(p);
}

/* -- operators, let, if (expr_parse.c) ---------------------------------------------------------------- */

/* With operators of that precedence and higher; 0: all there is. */
int expr_parse_expression(struct parser *p, int precedence, struct node **ret_node);

/* -- nodes and operands (expr_operand.c) -------------------------------------------------------------- */

/* At the place of a token. */
struct node *expr_new_node(struct parser *p, enum node_type type, const struct token *at);
void expr_add_kid(struct node *n, struct node *kid);
/* Refuse what would nest too deeply when it runs. */
int expr_check_depth(struct parser *p, const struct node *n);

/* Is it a word that is an operator, and so cannot be a name? */
bool expr_is_reserved(const struct token *t);
/* A literal, a list, a map, a name, a call or what a closure is about. */
int expr_parse_operand(struct parser *p, struct node **ret_node);
/* What follows an operand: .x, ?.x, [i], [a:b]. */
int expr_parse_postfix(struct parser *p, struct node **node);
/* The current token is the name's successor; `first` (NULL: none) comes before the arguments in brackets. */
int expr_parse_call(struct parser *p, const struct token *name, struct node *first, struct node **ret_node);

#endif
