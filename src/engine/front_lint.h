/*
 * front_lint.h - what one source says about itself, without running it: its mistakes, and the names it uses of others.
 *
 * The parser of the front end is asked to note what it meets. What can be judged from the source alone comes as problems; what also takes knowledge of
 * the modules and of other sources (is that global there? does that module have such a field?) comes as uses, for the caller to judge. Pure; any thread.
 *
 * Never a problem: names that begin with '_', `self`, varargs, the variable of a numeric `for`, and a name that only keeps its place before one that is
 * used (`local _a, b = f()`, a parameter before a used one).
 */
#ifndef ENGINE_FRONT_LINT_H
#define ENGINE_FRONT_LINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lint_rule {
	LINT_SYNTAX, /* the only problem then: the parser stops at the first one */
	LINT_EMPTY_BLOCK,
	LINT_GLOBAL_ASSIGNMENT,
	LINT_SELF_COMPARE,
	LINT_UNUSED_LOCAL,
	LINT_UNUSED_PARAMETER,
	LINT_UNUSED_IMPORT,
	LINT_SHADOWING,
};

struct lint_place {
	uint32_t off; /* of the first byte */
	uint32_t len; /* at least 1 */
	uint32_t line;
	uint32_t column; /* 1-based, in bytes */
};

struct lint_problem {
	enum lint_rule rule;
	struct lint_place place;
	uint32_t other_line; /* where the text ends in "declared on line", to be put behind it; else 0 */
	char *text;
};

enum lint_access {
	LINT_READ,
	LINT_WRITE,   /* of a global, or of a field of one */
	LINT_REQUIRE, /* require() of a literal */
	LINT_TYPE,    /* a chunk-level type: a global of that name, unless the program makes one */
	LINT_MENTION, /* in an annotation, as in `x: shapes.Point` */
};

/* "json" or "json.encode": what a program gets at through a global name, through require() of a literal, or through a local variable that
 * stands for either (and is never assigned anything else). */
struct lint_use {
	enum lint_access access;
	bool is_global;          /* the first part is looked up as a global */
	bool is_tested;          /* the source asks whether it is there at all */
	struct lint_place place; /* of the whole path; for `require("x")` of the call */
	char *path;
};

/* What the chunk returns, as far as it shows. */
enum lint_export {
	LINT_EXPORT_UNKNOWN,
	LINT_EXPORT_NOTHING,
	LINT_EXPORT_FUNCTION,
	LINT_EXPORT_TABLE, /* with exactly these fields */
};

struct lint_report {
	struct lint_problem *problems; /* in the order of the text */
	size_t nproblems;
	struct lint_use *uses;
	size_t nuses;
	enum lint_export export;
	char **fields; /* of the table */
	size_t nfields;
	struct lint_place export_place; /* of the first `return` of the chunk; the end of the text without one */
	bool has_syntax_error;          /* nothing else is known then */
	bool opens_globals; /* `_G` is handed on, or indexed by what is not a literal: any global may be made or used */
	bool requires_any;  /* require() of something other than a literal */
};

/* Never NULL; free with lint_report_free(). */
struct lint_report *front_lint(const char *source, size_t len);
void lint_report_free(struct lint_report *r);

#endif
