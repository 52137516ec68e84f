/*
 * expr_lex.h - the words of an expression. Pure.
 */
#ifndef VALUE_EXPR_LEX_H
#define VALUE_EXPR_LEX_H

#include <stdbool.h>
#include <stdint.h>

#include "value/value.h"

enum token_type { TOKEN_END, TOKEN_NAME, TOKEN_NUMBER, TOKEN_STRING, TOKEN_SIGN };

struct token {
	enum token_type type;
	const char *start; /* in the source */
	size_t len;
	uint32_t line, column; /* 1-based; columns count bytes */
	struct value *literal; /* of a number or string; the lexer's, until the next token */
};

struct expr_lexer {
	const char *at, *end;
	uint32_t line;
	const char *line_start;
	struct token token; /* the current one */
	struct err *e;
};

/* `source` must live as long; `e` receives what goes wrong. The first token is read by expr_lexer_next(). */
void expr_lexer_init(struct expr_lexer *l, const char *source, size_t len, struct err *e);
void expr_lexer_done(struct expr_lexer *l);
/* INVALID "... (line:column)". */
int expr_lexer_next(struct expr_lexer *l);
/* Is the current token this sign or word? Never true of a string. */
bool token_is(const struct token *t, const char *text);
/* INVALID "<what> <token> (line:column)". */
int expr_lexer_refuse(struct expr_lexer *l, const char *what);

#endif
