/*
 * start.h - what every command that works on a project does first: logging, configuration, lock file, entries, overrides.
 */
#ifndef APP_START_H
#define APP_START_H

#include "app/cli.h"
#include "app/config.h"
#include "registry/project.h"

/* What the options below filled in; start_flags_done() when the command has run. */
struct start_flags {
	struct option_list overrides;
	struct option_list sets;
	struct option_list profiles;
};

/* Rows of a command's table of options, for its own `struct start_flags`; an example ends the help of the first. */
#define START_OPTION_OVERRIDE(f, example)                                                                      \
	{                                                                                                      \
		"override", 'o', OPTION_LIST, &(f).overrides, "KEY=VALUE", "override an entry's field" example \
	}
#define START_OPTION_SET(f)                                                                  \
	{                                                                                    \
		"set", 0, OPTION_LIST, &(f).sets, "S.KEY=VALUE", "set a configuration value" \
	}
#define START_OPTION_PROFILE(f)                                                                                \
	{                                                                                                      \
		"profile", 0, OPTION_LIST, &(f).profiles, "NAME", "lay a profile of the configuration over it" \
	}

struct start_options {
	const struct cli_globals *globals;
	const struct start_flags *flags;
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
/* A sentence for people about the project, once it was read: to stderr where the log is kept quiet, else into the log. */
void start_warn(const char *text);
void start_flags_done(struct start_flags *f);
/* The folder of the lock file, which the files of entries are relative to; malloc'd. */
char *start_project_dir(const struct start_options *o);

#endif
