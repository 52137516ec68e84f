/*
 * project.h - a project folder on disk: wippy.lock and the definition files it names.
 *
 * Reads files only; nothing is started. A bad file is an error, not a warning: half an application never starts.
 */
#ifndef REGISTRY_PROJECT_H
#define REGISTRY_PROJECT_H

#include <stdbool.h>
#include <stddef.h>

#include "registry/entry.h"

enum { PROJECT_FILE_BYTES_MAX = 16 * 1024 * 1024, PROJECT_ENTRIES_MAX = 100000 };

struct project_lock {
	char *src;          /* directories.src, as written */
	char *modules;      /* directories.modules */
	struct value *root; /* the whole document, for rewriting */
};

/* ERR_NOT_FOUND "lock file not found: wippy.lock"; ERR_INVALID "invalid lock file: …"; "failed to load lock file:
 * …". */
int project_lock_read(const char *path, struct project_lock *ret, struct err *e);
/* Write `path` anew with these directories, keeping modules, replacements and options of an existing file. Mode
 * 0600, replaced atomically. */
int project_lock_write(const char *path, const char *src, const char *modules, struct err *e);
void project_lock_done(struct project_lock *l);

struct project_entries {
	struct entry **items;
	size_t count;
};

/* Called for every problem found, in the order of the files. */
typedef void project_problem_fn(void *arg, const struct err *e);

/* Read every definition file (*.yaml, *.yml, *.json with a `namespace`) under the source root and inline file://
 * references. `problem` (may be NULL) hears of all problems of all files; `e` gets the first. Files are named
 * relative to `dir`, the folder of the lock file. */
int project_load(const struct project_lock *l, const char *dir, project_problem_fn *problem, void *arg,
	struct project_entries *ret, struct err *e);
/* Is a file of that name read, below a source root? */
bool project_is_definition(const char *name);
void project_entries_done(struct project_entries *p);

/* Set "ns:name:path" to `v` (borrowed) on the loaded entries: path is `kind`, `meta.x.y`, `data.x.y` or bare `x.y`.
 * ERR_INVALID "invalid override: <key>", "kind override must be a string"; ERR_NOT_FOUND "override: no entry found
 * for app:x". */
int project_override(struct project_entries *p, const char *key, const struct value *v, struct err *e);

/* The two halves of that, for one entry: a copy that nobody shares yet, and the change. `path` as above, a leading
 * dot is ignored. */
struct entry *entry_copy(const struct entry *e);
int entry_set(struct entry *e, const char *path, const struct value *v, struct err *err);

/* Give every `ns.requirement` its value: from the parameters of each `ns.dependency` that match it, else its
 * default; written to its targets. A requirement that gets none is told to `warn` (may be NULL): "entry
 * acme.jobs:host: no value available: ..." and stays as it is. INVALID when a requirement or a dependency cannot be
 * understood. */
int project_link(struct project_entries *p, project_problem_fn *warn, void *arg, struct err *e);

/* Drop the entries that `disable.namespaces` and `disable.entries` (lists of patterns, either may be NULL) name:
 * segments split at dots, `*` is one segment, `**` any number, `(a|b)` alternatives. ERR_INVALID for a malformed
 * pattern. */
int project_disable(
	struct project_entries *p, const struct value *namespaces, const struct value *entries, struct err *e);

#endif
