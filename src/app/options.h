/*
 * options.h - command-line options from a table.
 *
 * Options may stand anywhere: --name value, --name=value, -n value, -nvalue, bundled switches (-vc); "--" ends them. What is left are the positionals, in
 * order. Errors read as people know them: `unknown flag: --x`.
 */
#ifndef APP_OPTIONS_H
#define APP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum option_type {
	OPTION_SWITCH, /* bool: set */
	OPTION_TEXT,   /* const char *: the last one wins */
	OPTION_LIST,   /* struct option_list: every one, in order */
};

struct option_list {
	const char **items;
	size_t count;
};

struct option {
	const char *name; /* without dashes; NULL ends a table */
	char letter;      /* 0 = none */
	enum option_type type;
	void *target;
	const char *value; /* how help calls the value: "FILE" */
	const char *help;
};

/* Parse argv[0..argc) against both tables (either may be NULL). Positionals are moved to the front of argv; their number is returned, -1 on error.
 * Strings are borrowed from argv. `-h` and `--help` are ordinary switches of the table. */
int options_parse(char **argv, int argc, const struct option *own, const struct option *global, struct err *e);

/* The option that the word "--name" or "-n" names, alone, without a value in the same word; NULL when there is none. */
const struct option *options_find(const struct option *table, const char *word);

/* Print the table for people, columns lined up. */
void options_print(const struct option *table);
void option_list_done(struct option_list *l);

#endif
