/*
 * front_parse.h - the parser's state, shared by the files that make it up. Internal to the front end; one thread.
 *
 *   front_token.c    tokens, errors, nesting
 *   front_parse.c    blocks, statements, functions
 *   front_expr.c     expressions
 *   front_type.c     type syntax, and the compact form of types
 *   front_declare.c  annotations, and statements that declare types
 *   front_scope.c    local variables, labels and gotos
 *
 * A recursive descent that builds no tree: it notes what has to change in the text. The first error is kept in `err`,
 * and from then on the current token is the end of the source, so that every function unwinds by itself; loops
 * must therefore end at TK_EOF. Nesting is counted as the engine's own parser counts it, the nesting our changes add
 * included, so that nothing accepted here is too deep there.
 */
#ifndef ENGINE_FRONT_PARSE_H
#define ENGINE_FRONT_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "engine/front.h"
#include "engine/front_edit.h"
#include "engine/front_lex.h"

/* What the translated text calls its own things: the dialect's reserved words, so that no program can mean them. */
#define FRONT_TEXT "as"         /* the operand of `..` as text */
#define FRONT_TYPEOF "typeof"   /* run-time type values */
#define FRONT_FOR "is"          /* at most three values for the generic `for` */
#define FRONT_TYPES "extends"   /* the types of this source */
#define FRONT_LOCAL_ENV "keyof" /* a local variable called _ENV */
#define FRONT_LABEL "keyof"     /* with a number: a label whose name is in use around it */

struct lint;

struct function {
	struct function *outer;
	struct block *block;
	bool is_vararg;
	uint32_t first_label; /* in parser.labels */
	uint32_t first_goto;  /* in parser.gotos */
};

struct block {
	struct block *outer; /* NULL for the outermost block of a function */
	bool is_loop;
	uint32_t first_local; /* in parser.locals */
	uint32_t first_label;
	uint32_t first_goto;
};

struct label {
	uint32_t sym;
	uint32_t line;
	uint32_t nlocals; /* in scope at the label */
	uint32_t renamed; /* number of its new name, 0 = keeps its own */
};

struct pending_goto {
	uint32_t sym;
	uint32_t line; /* of the goto */
	uint32_t off;  /* of the name */
	uint32_t end;
	uint32_t nlocals; /* in scope at the goto, and in every block left since */
};

/* A call of a global name that may turn out to be a chunk-level type. */
struct type_use {
	uint32_t sym;
	uint32_t off; /* of the name */
	uint32_t dot; /* of the '.' before `is`, 0 = none */
};

/* An argument of such a call that is the bare name of a primitive type. */
struct type_arg {
	uint32_t use; /* in parser.uses */
	uint32_t off;
};

/* An operand of `..`. */
struct operand {
	uint32_t off;
	uint32_t end;
};

/* What the source does with the global variable of a name. */
enum global_use {
	GLOBAL_FIELD = 1,  /* `x.field` is read */
	GLOBAL_VALUE = 2,  /* anything else but assigning to it */
	GLOBAL_ASSIGN = 4, /* `x = ...`, also by declaring a type of the name */
	/* What fails for some values, with an error that names the variable: */
	GLOBAL_INDEX = 8,    /* `x.field`, `x[i]`, `x:method()`, read or assigned to */
	GLOBAL_CALL = 16,    /* `x()` */
	GLOBAL_OPERAND = 32, /* `x + 1`, `#x`, ...; not `..`, which is given text_as(x) */
};

/* Does an expression end in a comparison, in parentheses or not? */
enum comparison {
	COMPARISON_NONE,
	COMPARISON_PLAIN, /* it is one, or `not` of one: true or false */
	COMPARISON_LAST,  /* the last operand of `and` or `or` is */
};

struct declared_type {
	uint32_t sym;
	bool is_generic;
};

#define VEC(type)             \
	struct {              \
		type *v;      \
		uint32_t n;   \
		uint32_t cap; \
	}

void *vec_grow(void *v, uint32_t *cap, size_t size);

#define VEC_ADD(vec, ...)                                                              \
	do {                                                                           \
		if ((vec)->n == (vec)->cap)                                            \
			(vec)->v = vec_grow((vec)->v, &(vec)->cap, sizeof(*(vec)->v)); \
		(vec)->v[(vec)->n++] = (__VA_ARGS__);                                  \
	} while (0)

struct parser {
	struct lexer lx;
	struct edits edits;
	struct token tok;      /* the current one */
	struct token ahead[3]; /* those already read behind it */
	uint32_t nahead;
	uint32_t last_end; /* of the token before the current one */
	uint32_t last_line;
	uint32_t nsuffixes; /* of the suffixed expression parsed last: fields, indexes, calls */
	uint32_t bare; /* symbol of the global variable that the expression parsed last is, 0: it is something else */
	enum comparison comparison; /* of the expression parsed last */
	uint32_t depth;
	uint32_t peak; /* deepest nesting in the expression being parsed */
	bool failed;
	const char *id;
	struct err *err;
	struct lint *lint; /* front_note.h; NULL when only translating */

	struct function *fn;
	VEC(uint32_t) locals; /* symbols */
	VEC(struct label) labels;
	VEC(struct pending_goto) gotos;
	uint32_t nrenamed;

	VEC(struct type_use) uses;
	VEC(struct type_arg) type_args;
	VEC(struct operand) operands; /* a stack: of the chains being parsed */
	VEC(struct declared_type) types;
	struct buf type_text; /* compact form of the chunk-level types */
	uint32_t type_quiet;  /* > 0: types are parsed for their syntax only */
	bool needs_for;
	bool opens_globals; /* see front.h */
};

/* front.c: `src` is followed by a NUL. */
void front_parser_init(struct parser *p, const char *src, size_t len);
void front_parser_done(struct parser *p);

/* front_token.c */
void parser_advance(struct parser *p);
/* The i-th token behind the current one, i <= 3. */
const struct token *parser_peek(struct parser *p, uint32_t i);
bool parser_accept(struct parser *p, uint32_t kind);
/* The error names `what`, as in "'=' after the type's name". */
bool parser_expect(struct parser *p, uint32_t kind, const char *what);
/* As parser_expect(), for what closes a construct opened at `line` by `opener`. */
bool parser_expect_close(struct parser *p, uint32_t kind, const char *what, const char *opener, uint32_t line);
/* A name that is no reserved word. */
bool parser_expect_name(struct parser *p, const char *what, struct token *ret);
/* A name after '.' or ':', or a field's: the dialect's own reserved words are names there. */
bool parser_expect_field(struct parser *p, const char *what, struct token *ret);

/* Errors; the first one counts. */
void parser_fail_at(struct parser *p, const struct token *t, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* "unexpected <current token>, expected <what>" */
void parser_fail_expected(struct parser *p, const char *what);

/* Nesting. enter fails (and is still to be left) beyond FRONT_DEPTH_MAX; parser_deepen counts levels added around
 * the expression just parsed. */
bool parser_enter(struct parser *p);
void parser_leave(struct parser *p);
void parser_deepen(struct parser *p, uint32_t levels);

/* front_scope.c */
void scope_enter_function(struct parser *p, struct function *fn, struct block *b);
void scope_leave_function(struct parser *p);
void scope_enter_block(struct parser *p, struct block *b, bool is_loop);
void scope_leave_block(struct parser *p);
enum local_kind {
	LOCAL_VARIABLE,
	LOCAL_FUNCTION,
	LOCAL_PARAM,
	LOCAL_SELF,
	LOCAL_LOOP,    /* of a generic `for` */
	LOCAL_COUNTER, /* of a numeric one */
};

/* `off`: of the name. `first`: of the names that a statement or a function declares together. */
void scope_add_local(struct parser *p, uint32_t sym, uint32_t off, enum local_kind kind, bool first);
bool scope_is_local(const struct parser *p, uint32_t sym);
/* At the name. `is_last`: nothing but labels and semicolons follows in the block. */
void scope_add_label(struct parser *p, const struct token *name, bool is_last);
void scope_check_label(struct parser *p, const struct token *name);
void scope_add_goto(struct parser *p, const struct token *name, uint32_t line);
bool scope_in_loop(const struct parser *p);

/* front_expr.c */
enum expr_kind {
	EXPR_VARIABLE, /* may be assigned to */
	EXPR_CALL,
	EXPR_VARARG,
	EXPR_FLOAT, /* a literal */
	EXPR_TEXT,  /* never a float nor an error object, so `..` needs no help with it */
	EXPR_OTHER,
};

enum expr_kind parse_expr(struct parser *p);
/* Returns the number of expressions, `ret_last` the kind of the last one. */
uint32_t parse_expr_list(struct parser *p, enum expr_kind *ret_last);
/* A variable, call or parenthesised expression, without casts behind it. */
enum expr_kind parse_suffixed_expr(struct parser *p);
/* The current token is a name: note it if the engine's Lua would take it for something else. */
void note_name(struct parser *p, const struct token *t);
void note_declared_name(struct parser *p, const struct token *t);
/* The expression parsed last, which begins with `t`, is assigned to. */
void note_assignment(struct parser *p, const struct token *t);

/* front_parse.c */
void parse_chunk(struct parser *p);
/* From the type parameters or '(' to the `end`. */
void parse_function_body(struct parser *p, bool is_method, uint32_t line);

/* front_type.c and front_declare.c */
void parse_type(struct parser *p);
/* ":" type, if there, blanked. */
void parse_annotation(struct parser *p);
/* ":" returns, if there, blanked. */
void parse_return_annotation(struct parser *p);
/* "<" ... ">", if there, blanked. */
void parse_type_params(struct parser *p);
/* The current token is `type` or `interface`. */
void parse_type_statement(struct parser *p);
void parse_interface_statement(struct parser *p);

#endif
