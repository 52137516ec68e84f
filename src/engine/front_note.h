/*
 * front_note.h - what the parser tells the linter, when there is one. Internal to the front end; one thread.
 *
 *   front_lint.c        the report: positions, problems
 *   front_lint_names.c  paths, assignments
 *   front_lint_values.c expressions as a whole, what the chunk returns
 *   front_lint_scope.c  local variables, and what is only worth a remark
 *
 * Every call stands behind `if (p->lint)`, so that translating pays one test of a pointer for it.
 */
#ifndef ENGINE_FRONT_NOTE_H
#define ENGINE_FRONT_NOTE_H

#include "engine/front_lint.h"
#include "engine/front_parse.h"

enum {
	CHAIN_FIELDS_MAX = 3,
	PATH_BYTES_MAX = 200, /* of what a variable stands for */
};

/* Bytes of the source. */
struct span {
	uint32_t off;
	uint32_t end;
};

/* A suffixed expression as far as it is a path, kept by the function that parses it. */
struct chain {
	uint32_t off;
	uint32_t end;
	uint32_t sym;
	int32_t local; /* -1: a global */
	int32_t use;   /* in lint.uses, -1 = none */
	uint32_t nfields;
	struct span fields[CHAIN_FIELDS_MAX];
	bool is_name;     /* it begins with a name */
	bool is_recorded; /* as a use, or on purpose not */
	bool is_closed;   /* what follows is no path */
	bool is_indexed;  /* the name itself, by something that is no literal */
	bool is_method;   /* the last field is called with ':' */
	bool is_require;
};

/* What one expression of a list is, as a whole. */
enum item_kind { ITEM_OTHER, ITEM_CHAIN, ITEM_REQUIRE, ITEM_TABLE, ITEM_FUNCTION };

struct item {
	enum item_kind kind;
	struct chain chain; /* ITEM_CHAIN */
	int32_t use;        /* ITEM_REQUIRE */
	uint32_t first_key; /* ITEM_TABLE: in lint.keys */
	uint32_t nkeys;
	bool is_open;
};

struct local {
	uint32_t sym;
	uint32_t off;
	enum local_kind kind;
	uint32_t group; /* declared by the same statement, or for the same function */
	uint32_t place; /* in lint.scope */
	int32_t outer;  /* the variable of the same name around it, -1 = none */
	uint32_t reads; /* the name stands anywhere but as the target of an assignment */
	uint32_t bare;  /* of these: the plain value, which anyone may then change */
	uint32_t writes;
	bool is_tied;   /* gets one of the results of a call */
	bool is_import; /* require() of a literal */
	bool is_function;
	bool is_table;         /* began as a constructor with known fields */
	bool is_open;          /* fields may be added unseen */
	char *path;            /* it stands for this; NULL = not known */
	VEC(struct span) keys; /* fields of the table */
};

struct raw_use {
	struct lint_use use;
	int32_t local; /* the path is only right if this variable keeps its value; -1 = none */
};

struct lint {
	struct lint_report *report;
	VEC(struct local) locals; /* all there ever were */
	VEC(int32_t) scope;       /* in step with parser.locals */
	VEC(int32_t) innermost;   /* by symbol: the variable of that name in scope, -1 = none */
	VEC(struct raw_use) uses;
	VEC(struct lint_problem) problems;
	VEC(struct item) items;   /* of the lists being parsed */
	VEC(struct span) keys;    /* of all constructors at the level of the chunk */
	VEC(bool) assigned;       /* by symbol: the global was assigned to */
	VEC(struct item) returns; /* of the chunk */
	struct chain last;        /* the suffixed expression that ended last */
	struct span function;     /* the function expression that ended last */
	struct span require;      /* the require() of a literal that ended last */
	int32_t require_use;
	struct span table; /* the constructor that ended last at the level of the chunk */
	uint32_t table_key;
	bool table_is_open;
	bool in_table;
	uint32_t group;
	bool has_return;
	struct span return_at;
	uint32_t error_off;
	char *error;
};

/* front_lint.c */
/* Takes `text`. `other_off`: one more than the offset of the place that `text` ends with, 0 = none. */
void lint_add_problem(struct lint *l, enum lint_rule rule, uint32_t off, uint32_t end, char *text, uint32_t other_off);
void lint_note_error(struct parser *p, const struct token *t, const char *text);

/* front_lint_names.c */
int32_t lint_innermost(const struct lint *l, uint32_t sym);
/* `name` is NULL when it begins with something else. */
void lint_begin_chain(struct parser *p, struct chain *c, const struct token *name);
void lint_add_field(struct parser *p, struct chain *c, const struct token *field);
void lint_add_method(struct parser *p, struct chain *c, const struct token *name);
/* At the token behind '['. */
void lint_add_index(struct parser *p, struct chain *c);
/* At the arguments. */
void lint_begin_call(struct parser *p, struct chain *c);
void lint_end_call(struct parser *p, struct chain *c);
void lint_end_chain(struct parser *p, struct chain *c);
/* The chain that ended last is assigned to. */
void lint_assign(struct parser *p, bool is_function);
/* An annotation names it. */
void lint_mention(struct parser *p, const struct token *name);
void lint_declare_type(struct parser *p, const struct token *name);
void lint_finish_names(struct parser *p);
/* Is the token a string that spells a name? */
bool lint_is_name(const struct parser *p, const struct token *t);
/* Where the text before `off`, without the blanks at its end, ends. */
uint32_t lint_skip_blanks_back(const struct parser *p, uint32_t off);

/* front_lint_values.c */
/* The expression from `start` to the last token is one of a list. */
void lint_add_item(struct parser *p, uint32_t start);
void lint_drop_items(struct lint *l, uint32_t n);
/* The last `n` items are returned. */
void lint_return(struct parser *p, struct span at, uint32_t n);
/* True for a constructor whose keys are to be told. */
bool lint_begin_table(struct parser *p);
void lint_add_key(struct lint *l, uint32_t off, uint32_t end);
/* At the token behind '['. */
void lint_add_computed_key(struct parser *p);
void lint_end_table(struct parser *p, uint32_t off);
void lint_end_function(struct parser *p, uint32_t off);
void lint_finish_export(struct parser *p);

/* front_lint_scope.c */
void lint_declare(struct parser *p, uint32_t sym, uint32_t off, enum local_kind kind, bool first);
/* The last `nnames` variables get the last `nvalues` items. */
void lint_local_values(struct parser *p, uint32_t nnames, uint32_t nvalues, enum expr_kind last);
void lint_leave_block(struct parser *p, uint32_t first_local);
/* The body of the function has no statement: its parameters are for show. */
void lint_excuse_params(struct parser *p);
/* At the first token of a block, which ends it. */
void lint_empty_block(struct parser *p);
/* Behind the right operand. */
void lint_comparison(struct parser *p, uint32_t op, struct span left, uint32_t right);

#endif
