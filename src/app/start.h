/*
 * start.h - what every command that works on a project does first: logging, configuration, lock file, entries, overrides.
 */
#ifndef APP_START_H
#define APP_START_H

#include "app/cli.h"
#include "app/config.h"
#include "registry/project.h"

struct start_options {
	const struct cli_globals *globals;
	const struct option_list *sets;
	const struct option_list *profiles;
	const struct option_list *overrides;
	const char *lock_path; /* NULL = wippy.lock; another folder's makes that the project */
	bool quiet;            /* no log, whatever the configuration says */
	bool lock_required;    /* without a lock file: an error instead of an empty project */
};

struct start {
	struct config config;
	struct project_entries entries;
	bool has_lock; /* there was a lock file */
};

/* Problems of definition files are printed to stderr one a line as they are found; `e` is the first. */
int start_read(const struct start_options *o, struct start *ret, struct err *e);
/* The same once more while the program runs: logging stays as it is, and `prefix` begins each line that is printed. */
int start_read_again(const struct start_options *o, const char *prefix, struct start *ret, struct err *e);
void start_done(struct start *s);
/* The folder of the lock file, which the files of entries are relative to; malloc'd. */
char *start_project_dir(const struct start_options *o);

#endif
