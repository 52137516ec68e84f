/*
 * template_node.h - what a template is parsed to, and the state of a rendering. Inside of template.h.
 */
#ifndef VALUE_TEMPLATE_NODE_H
#define VALUE_TEMPLATE_NODE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/map.h"
#include "value/expr_node.h"
#include "value/template.h"

/* -- expressions -------------------------------------------------------------------------------------- */

enum term_type {
	TERM_LITERAL,
	TERM_NAME,
	TERM_DOT,   /* the context */
	TERM_INDEX, /* kids: of what, which */
	TERM_SLICE, /* kids: of what, from or NULL, to or NULL */
	TERM_NOT,
	TERM_MINUS,
	TERM_AND,
	TERM_OR,
	TERM_BINARY,
	TERM_TERNARY,
	TERM_CALL, /* `literal`: the function's name; kids: arguments */
};

struct term {
	enum term_type type;
	enum operation operation;
	unsigned depth;
	struct node place;     /* line and column, for errors */
	struct value *literal; /* also the name */
	struct term **kids;
	size_t nkids;
	struct term *next; /* all of the template */
};

/* -- actions ------------------------------------------------------------------------------------------ */

enum action_type {
	ACTION_TEXT,
	ACTION_WRITE,  /* `term` */
	ACTION_LET,    /* name := term */
	ACTION_ASSIGN, /* name = term */
	ACTION_IF,     /* `before` (may be NULL), term, body, otherwise */
	ACTION_RANGE,  /* name, value_name := term; body, otherwise */
	ACTION_BLOCK,  /* name, parameters, term (the context, may be NULL), body, otherwise: the content */
	ACTION_YIELD,  /* name, parameters, term, body: the content; has_content */
	ACTION_CONTENT,
	ACTION_INCLUDE, /* term: the name, context: may be NULL */
	ACTION_TRY,     /* body, otherwise: catch, name: of the error */
};

struct parameter {
	char *name;        /* "" for a positional argument */
	struct term *term; /* NULL: must be given */
	struct parameter *next;
};

struct action {
	enum action_type type;
	struct node place;
	char *text; /* ACTION_TEXT */
	size_t len;
	char *name, *value_name; /* NULL: none */
	struct parameter *parameters;
	struct term *term, *context;
	struct action *before;
	struct action *body, *otherwise; /* lists */
	bool has_content;
	struct action *next; /* of the same list */
	struct action *all;  /* of the template */
};

struct template
{
	atomic_uint refs;
	char *name;
	char *source;
	char *extends; /* NULL: none */
	char **imports;
	size_t nimports;
	struct map *blocks; /* name: struct action */
	struct action *body;
	struct action *actions; /* all, for freeing */
	struct term *terms;
};

/* -- rendering ---------------------------------------------------------------------------------------- */

struct variable {
	const char *name;
	struct value *value;
	struct variable *next;
};

struct scope {
	struct scope *outer;
	struct variable *variables;
};

/* What `yield content` stands for: the actions, where they were written. */
struct content {
	const struct action *body;
	struct scope *scope;
	const struct value *dot;
	const struct template *template;
	struct map *blocks;
	const struct content *outer;
};

struct render {
	struct template_set *set;
	struct expr_run run; /* counts steps and bytes; its error is the rendering's */
	struct buf *out;
	const struct value *dot;
	const struct value *data; /* its fields are the outermost variables */
	struct scope *scope;
	struct map *blocks; /* name: struct action, of the template that is running and those it extends and imports */
	const struct content *content;
	const struct template *template; /* for errors */
	unsigned depth;
	struct template *held[64]; /* references kept until the end */
	unsigned nheld;
};

/* A reference; NULL when there is none of that name. Any thread. */
struct template *template_set_get(struct template_set *s, const char *name);
/* INTERNAL "... (line:column)" */
int render_fail(struct render *r, const struct node *place, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

int term_eval(struct render *r, const struct term *t, struct value **ret_value);
bool term_is_true(const struct value *v);
/* Evaluate and write, escaped unless the pipeline ends otherwise. */
int term_write(struct render *r, const struct term *t);
/* The variable's place; NULL: there is none (a field of the data is not one). */
struct variable *render_variable(struct render *r, const char *name);
/* A call of a function that is none of the terms' own: *ret_known says whether there is one. */
int template_call(struct render *r, const struct term *t, bool *ret_known, struct value **ret_value);

#endif
