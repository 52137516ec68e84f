/*
 * template_parse.h - what the parts of the parser of templates share: template_text.c (text, comments, where actions are), template_term.c
 * (expressions), template_parse.c (actions). Inside of template.h.
 *
 * Words inside of {{ }} are those of expr_lex.h. Functions return -1 with the parser's error; what was made belongs to the template all the same.
 */
#ifndef VALUE_TEMPLATE_PARSE_H
#define VALUE_TEMPLATE_PARSE_H

#include "value/expr_lex.h"
#include "value/template_node.h"

enum { TEMPLATE_PARAMETERS_MAX = 64 /* of a block, arguments of a call */ };

struct parser {
	struct template *t;
	const char *at, *end; /* behind the current action, or in text */
	uint32_t line;
	struct expr_lexer lexer; /* of the current action */
	const char *previous_end;
	bool trim; /* blanks before the next text go */
	unsigned depth;
	struct err *e;
};

static inline int fail(struct parser *p, const char *what)
{
	return err_set(p->e, ERR_INVALID, "%s", what);
}

static inline const struct token *current(const struct parser *p)
{
	return &p->lexer.token;
}

static inline int next(struct parser *p)
{
	if (p->lexer.token.start)
		p->previous_end = p->lexer.token.start + p->lexer.token.len;
	return expr_lexer_next(&p->lexer);
}

static inline int unexpected(struct parser *p)
{
	return current(p)->type == TOKEN_END ? fail(p, "unexpected end of an action")
					     : expr_lexer_refuse(&p->lexer, "unexpected");
}

static inline int expect(struct parser *p, const char *text)
{
	return token_is(current(p), text) ? next(p) : unexpected(p);
}

static inline bool at_end(const struct parser *p)
{
	return current(p)->type == TOKEN_END;
}

static inline int expect_end(struct parser *p)
{
	return at_end(p) ? 0 : unexpected(p);
}

/* Written right behind what came before, as .field, [index] and calls must be. */
static inline bool is_adjacent(const struct parser *p)
{
	return current(p)->start == p->previous_end;
}

static inline bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* -- text (template_text.c) --------------------------------------------------------------------------- */

/* The text up to the next {{ or {*; NULL if there is none. */
struct action *template_read_text(struct parser *p);
/* Both stand at the opening, and end behind the closing braces: a comment; the words of an action, of which the first is current then. */
int template_skip_comment(struct parser *p);
int template_open_action(struct parser *p);

/* -- expressions (template_term.c) -------------------------------------------------------------------- */

/* At the place of the current word; the template's. */
struct term *template_new_term(struct parser *p, enum term_type type);
int template_parse_term(struct parser *p, struct term **ret_term);
/* A term, and the functions it goes through: a | f | g: b */
int template_parse_pipeline(struct parser *p, struct term **ret_term);
/* A name that is no keyword; malloc'd. */
int template_take_name(struct parser *p, char **ret_name);

#endif
