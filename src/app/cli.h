/*
 * cli.h - the command line: commands, the flags all of them share, and what is printed for people.
 */
#ifndef APP_CLI_H
#define APP_CLI_H

#include <stdbool.h>

#include "app/options.h"
#include "base/err.h"

/* Exit codes. A program run with `wippy run` chooses its own besides. */
enum {
	EXIT_OK = 0,
	EXIT_ERROR = 1, /* a reported error, or a second signal */
};

struct cli_globals {
	struct option_list config_files;
	bool verbose;
	bool very_verbose;
	bool console;
	bool silent;
	bool event_streams;
	const char *memory_limit;
	bool help;
};

struct command {
	const char *name;
	const char *arguments; /* for the usage line */
	const char *summary;   /* one line */
	const char *details;   /* more for `wippy help NAME`; may be NULL */
	/* The command's own options, filled in by it; ended by a zeroed one. NULL = none. */
	const struct option *(*options)(void);
	/* Returns the exit code; with -1 `e` says what to report. argv holds the positionals. */
	int (*run)(const struct cli_globals *g, int argc, char **argv, struct err *e);
};

extern const struct command network_command;
extern const struct command registry_command;
extern const struct command init_command, run_command, lint_command, security_command;

/* The list, ended by NULL. */
extern const struct command *const commands[];
const struct command *command_find(const char *name);

void cli_print_banner(void);
void cli_print_overview(void);
void cli_print_command(const struct command *c);
/* "Error: <text>" on stderr; without the prefix but coloured with -c. */
void cli_report(const struct cli_globals *g, const struct err *e);
/* Is colour welcome on this descriptor? */
bool cli_colours(int fd);

#endif
