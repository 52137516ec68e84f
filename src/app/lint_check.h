/*
 * lint_check.h - the check of one entry, shared by the files that make it up: lint_check.c (names in the source, style, all of it) and
 * lint_entry.c (the entry's fields).
 */
#ifndef APP_LINT_CHECK_H
#define APP_LINT_CHECK_H

#include "app/lint.h"

struct check {
	struct units *us;
	struct unit *u;
	const struct members *members;
	struct findings *out;
	struct map *tested;  /* paths the source asks about: lint_use by path */
	struct map *written; /* paths the source assigns to */
	struct map *used;    /* first parts of all paths */
	struct map *known;   /* global names that were looked for: `yes` or `no` */
	struct map *meant;   /* names of modules, in the same way: does the name mean the module? */
};

static inline void check_add(struct check *c, const char *code, enum severity severity, struct spot spot, char *message)
{
	findings_add(c->out, c->u->entry, code, severity, spot, message);
}

/* Suggestions cost most; who has a thousand findings has other worries. */
static inline bool wants_suggestions(const struct check *c)
{
	return c->out->count < 1000;
}

static inline struct spot in_source(const struct lint_place *place)
{
	return (struct spot){.place = place};
}

static inline struct spot at_value(const struct value *v)
{
	return (struct spot){.at = v};
}

/* -- lint_entry.c --------------------------------------------------------------------------------------- */

/* Listed for clarity or by habit; always there. */
bool is_library_name(const struct members *m, const char *name);
bool is_module(const struct members *m, const char *name);
void check_modules(struct check *c);
void check_imports(struct check *c);
void check_method(struct check *c);

#endif
