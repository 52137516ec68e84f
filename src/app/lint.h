/*
 * lint.h - `wippy lint`: what the files that make it up share.
 *
 *   lint.c          the command: options, what is shown of what was found
 *   lint_check.c    the checks of one entry with the knowledge of all; lint_entry.c those of its fields
 *   lint_project.c  entries, their modules and imports, what each of them defines
 *   lint_source.c   places in entries as places in the files that people edit
 *   lint_suggest.c  "did you mean"
 *   lint_output.c   for people, as a summary, as JSON
 *
 * Codes: P0001 syntax; E01.. names that are not there (lint_check.c has the list); W.... style, only with --rules. Nothing is run. One thread.
 */
#ifndef APP_LINT_H
#define APP_LINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/options.h"
#include "base/map.h"
#include "engine/front_lint.h"
#include "engine/members.h"
#include "registry/project.h"

/* -- findings ------------------------------------------------------------------------------------------- */

enum severity { SEVERITY_HINT, SEVERITY_WARNING, SEVERITY_ERROR };

struct finding {
	const struct entry *entry;
	const char *code;
	enum severity severity;
	char *message;
	/* Where, as in the file that is edited; line 0 = not known. */
	char *file;
	uint32_t line;
	uint32_t column; /* 0 = not known */
	uint32_t len;    /* of the marked part */
	char *excerpt;   /* the line's text; NULL = not known */
};

struct lint_filter {
	enum severity level;
	const struct option_list *namespaces; /* each may hold several, separated by commas; all when empty */
	const struct option_list *codes;
	bool rules;
};

struct findings {
	struct finding *items;
	size_t count;
	size_t cap;
	size_t by_severity[SEVERITY_ERROR + 1];
	const struct lint_filter *filter;
	struct sources *sources;
};

/* Where something is: in the entry's source, at a value of its definition, or (both NULL) at the entry. */
struct spot {
	const struct lint_place *place;
	const struct value *at;
};

/* Takes `message`. What the filter does not let through is dropped. */
void findings_add(struct findings *f, const struct entry *e, const char *code, enum severity severity, struct spot spot,
	char *message);

/* -- places --------------------------------------------------------------------------------------------- */

/* `dir`: the folder that the files of entries are relative to. Borrowed. */
struct sources *sources_new(const char *dir);
void sources_free(struct sources *s);
/* Fill file, line, column, len and excerpt. */
void sources_locate(struct sources *s, struct finding *f, struct spot spot);
/* The line of the file for a line of the entry's source; 0 when it is not known. */
uint32_t sources_line(struct sources *s, const struct entry *e, uint32_t line);

/* -- the project ---------------------------------------------------------------------------------------- */

struct unit {
	const struct entry *entry;
	struct lint_report *report; /* NULL without a source */
	bool is_library;
	struct map *globals;     /* names it assigns to or declares as types; NULL = none */
	struct map *modules;     /* names it lists, known or not, to the struct value that lists it */
	struct map *imports;     /* alias to the same */
	struct unit **libraries; /* imported, those that are there */
	size_t nlibraries;
	struct unit **importers;
	size_t nimporters;
	uint64_t mark; /* of the last walk that met it */
	bool misses_import;
};

struct units {
	struct unit *items;
	size_t count;
	struct map *by_id;
	struct map *entries; /* all of them, by id */
	uint64_t mark;
	struct unit **walk; /* scratch of units_reachable() */
};

void units_init(struct units *us, const struct project_entries *p);
void units_done(struct units *us);
struct unit *units_library(const struct units *us, const struct unit *u, const char *alias);
/* `u` and all that shares its globals: what it imports, directly or not, and for a library also those that import it, with what they
 * import. The list is valid until the next call. */
struct unit *const *units_reachable(struct units *us, struct unit *u, size_t *ret_n);
/* The same without the importers. */
struct unit *const *units_closure(struct units *us, struct unit *u, size_t *ret_n);
/* Does it list, import, declare or assign to that name? */
bool unit_provides(const struct unit *u, const char *name);

void lint_check_unit(struct units *us, struct unit *u, const struct members *m, struct findings *out);

/* -- suggestions ---------------------------------------------------------------------------------------- */

struct suggestion {
	const char *wanted;
	char *best; /* malloc'd; NULL = none */
	size_t distance;
};

/* Is `candidate` closer than what was offered before, and close at all? */
void suggestion_offer(struct suggestion *s, const char *candidate, size_t len);
/* "; did you mean 'x'?" or "" (malloc'd); frees what `s` holds. */
char *suggestion_take(struct suggestion *s);

/* -- output --------------------------------------------------------------------------------------------- */

/* `limit` 0 = all. */
void lint_print_text(const struct findings *f, size_t limit, bool colours);
void lint_print_summary(const struct findings *f, size_t limit);
void lint_print_json(const struct findings *f, size_t limit, size_t nentries);
/* "No issues found" and how many entries were checked. */
void lint_print_count(const struct findings *f, size_t nentries);

#endif
