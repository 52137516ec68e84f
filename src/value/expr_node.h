/*
 * expr_node.h - what an expression is compiled to, and what runs it. Inside the room.
 *
 * Nodes belong to the expression and never change after compilation. A run is one thread's; its functions return -1 with INTERNAL, and what
 * they put into *ret_ is the caller's.
 */
#ifndef VALUE_EXPR_NODE_H
#define VALUE_EXPR_NODE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "value/expr.h"
#include "value/regex.h"

enum {
	NODES_DEEP_MAX = 1000, /* a + b + ... is deep without being nested */
	MADE_DEEP_MAX = 1000,  /* lists in lists that one run puts together */
};

enum node_type {
	NODE_LITERAL,
	NODE_NAME,
	NODE_ENVIRONMENT, /* $env */
	NODE_VARIABLE,    /* of a let: `slot` */
	NODE_ITEM,        /* # */
	NODE_INDEX,       /* #index */
	NODE_ACCUMULATOR, /* #acc */
	NODE_UNARY,
	NODE_BINARY,
	NODE_CONDITIONAL,
	NODE_MEMBER, /* kids: of what, which */
	NODE_SLICE,  /* kids: of what, from (or NULL), to (or NULL) */
	NODE_CHAIN,  /* where a ?. that met nil ends */
	NODE_LIST,
	NODE_MAP, /* kids: key, value, ... */
	NODE_CALL,
	NODE_LET, /* kids: value, body */
};

enum operation {
	OP_NOT,
	OP_MINUS,
	OP_PLUS,
	OP_OR,
	OP_AND,
	OP_EQUAL,
	OP_UNEQUAL,
	OP_LESS,
	OP_LESS_EQUAL,
	OP_GREATER,
	OP_GREATER_EQUAL,
	OP_IN,
	OP_MATCHES,
	OP_CONTAINS,
	OP_STARTS_WITH,
	OP_ENDS_WITH,
	OP_RANGE,
	OP_ADD,
	OP_SUBTRACT,
	OP_MULTIPLY,
	OP_DIVIDE,
	OP_MODULO,
	OP_POWER,
	OP_COALESCE,
};

struct node {
	enum node_type type;
	enum operation operation;
	bool optional; /* ?. */
	uint32_t line, column;
	unsigned depth;        /* of the tree below */
	unsigned slot;         /* of a let */
	struct value *literal; /* also the name */
	struct regex *regex;   /* of a `matches` with a literal */
	const struct expr_function *function;
	struct node **kids;
	size_t nkids;
	struct node *next; /* all of the expression */
};

struct expr {
	atomic_uint refs;
	struct node *root;
	struct node *all;
	unsigned nslots;
};

/* The innermost item of a closure. */
struct expr_scope {
	const struct expr_scope *outer;
	const struct value *item;
	const struct value *accumulator; /* NULL: there is none */
	size_t index;
	unsigned deep; /* how deep they may be */
};

struct expr_run {
	const struct expr_name *names;
	size_t nnames;
	const struct expr_scope *scope;
	struct value **slots;
	unsigned *slots_deep;
	size_t steps;
	size_t made;           /* bytes, about */
	unsigned deep;         /* how deep what was computed last may be, beyond its inputs */
	const struct node *at; /* for errors */
	struct err *e;
};

/* Functions of the language: `call` gets its arguments computed, `each` a list and a closure (NULL: none). */
struct expr_function {
	const char *name;
	unsigned min, max; /* arguments */
	int (*call)(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value);
	int (*each)(struct expr_run *r, const struct value *list, const struct node *closure, const struct value *extra,
		struct value **ret_value);
};

/* NULL: none of that name. */
const struct expr_function *expr_function_find(const char *name, size_t len);
/* Why there is none, if there is a reason; else NULL. */
const char *expr_function_missing(const char *name, size_t len);

extern const struct expr_function expr_list_functions[];
extern const struct expr_function expr_text_functions[];

/* -- running ------------------------------------------------------------------------------------------ */

int expr_eval(struct expr_run *r, const struct node *n, struct value **ret_value);
/* INTERNAL with the place. */
int expr_fail(struct expr_run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Count work and memory; -1 when a bound is met. */
int expr_steps(struct expr_run *r, size_t n);
int expr_made(struct expr_run *r, size_t bytes);
/* A list made by a run takes about this much more for each item. */
enum { EXPR_ITEM_BYTES = 16, EXPR_SCALAR_BYTES = 64 };

/* Both count what they make. */
int expr_string(struct expr_run *r, const char *s, size_t len, struct value **ret_value);
int expr_append(struct expr_run *r, struct value *list, const struct value *item);

/* nil, bool, int, float, string, array, map */
const char *expr_type_name(const struct value *v);
bool expr_is_number(const struct value *v);
/* -1, 0, 1; fails unless both are numbers or both are strings. */
int expr_compare(struct expr_run *r, const char *what, const struct value *a, const struct value *b, int *ret_order);
/* Equal as == is, counted as steps. */
int expr_equal(struct expr_run *r, const struct value *a, const struct value *b, bool *ret_equal);
int expr_arithmetic(
	struct expr_run *r, enum operation op, const struct value *a, const struct value *b, struct value **ret_value);
/* The operator of a NODE_BINARY, any that needs both of its operands. */
int expr_compute(struct expr_run *r, const struct node *n, const struct value *a, const struct value *b,
	struct value **ret_value);
/* An element of a list or string (negative: from the end), a field of a map (nil if absent). */
int expr_fetch(struct expr_run *r, const struct value *from, const struct value *which, struct value **ret_value);
int expr_slice(struct expr_run *r, const struct value *of, const struct value *from, const struct value *to,
	struct value **ret_value);
/* As string() shows it; steps and bytes are counted. */
int expr_text(struct expr_run *r, const struct value *v, struct buf *out);
/* Its JSON on one line; steps and bytes are counted before. */
int expr_json(struct expr_run *r, const struct value *v, struct buf *out);
/* The items in the order of their keys (a list as long), stable; `order` is nil, "asc" or "desc". */
int expr_sort(struct expr_run *r, const struct value *keys, const struct value *items, const struct value *order,
	struct value **ret_value);
/* Like value_ref(), for what is borrowed: trees never change. */
struct value *expr_keep(const struct value *v);

#endif
