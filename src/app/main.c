/*
 * main.c - wippy: the command line's entry.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/cli.h"
#include "registry/secret_read.h"

/* Is `word` an option, of whichever command, whose value is the next word? */
static bool takes_next_word(const char *word, const struct option *global)
{
	const struct option *o = options_find(global, word);

	for (const struct command *const *c = commands; *c && !o; c++) {
		if ((*c)->options)
			o = options_find((*c)->options(), word);
	}
	return o && o->type != OPTION_SWITCH;
}

int main(int argc, char **argv)
{
	struct cli_globals g = {0};
	const struct option global[] = {
		{"config", 0, OPTION_LIST, &g.config_files, NULL, NULL},
		{"verbose", 'v', OPTION_SWITCH, &g.verbose, NULL, NULL},
		{"very-verbose", 0, OPTION_SWITCH, &g.very_verbose, NULL, NULL},
		{"console", 'c', OPTION_SWITCH, &g.console, NULL, NULL},
		{"silent", 's', OPTION_SWITCH, &g.silent, NULL, NULL},
		{"event-streams", 'e', OPTION_SWITCH, &g.event_streams, NULL, NULL},
		{"memory-limit", 'm', OPTION_TEXT, &g.memory_limit, NULL, NULL},
		{"help", 'h', OPTION_SWITCH, &g.help, NULL, NULL},
		{0},
	};
	const struct command *c = NULL;
	struct err e = {0};
	int at = 1, rc;

	/* Before anything of ours takes a number. */
	secret_fds_note();
	/* A peer that goes away is an error of one write, not the end of the program. */
	signal(SIGPIPE, SIG_IGN);

	/* The command is the first word that is neither an option nor an option's value; everything else goes to the command's table
	 * and the global one. */
	while (at < argc && argv[at][0] == '-' && strcmp(argv[at], "--") != 0)
		at += takes_next_word(argv[at], global) ? 2 : 1;
	if (at < argc) {
		c = command_find(argv[at]);
		if (!c) {
			err_set(&e, ERR_INVALID,
				"unknown command \"%s\" for \"wippy\"; `wippy help` lists the commands", argv[at]);
			cli_report(&g, &e);
			return EXIT_ERROR;
		}
		memmove(&argv[at], &argv[at + 1], (size_t)(argc - at) * sizeof(*argv));
		argc--;
	}
	argc = options_parse(argv + 1, argc - 1, c && c->options ? c->options() : NULL, global, &e);
	if (argc < 0) {
		if (c == &run_command && strncmp(e.text, "unknown", 7) == 0) {
			struct err plain = e;

			err_set(&e, plain.kind, "%s; arguments of the program itself follow \"--\"", plain.text);
		}
		cli_report(&g, &e);
		return EXIT_ERROR;
	}
	if (!c) {
		cli_print_banner();
		cli_print_overview();
		return EXIT_OK;
	}
	if (g.help) {
		cli_print_command(c);
		return EXIT_OK;
	}
	rc = c->run(&g, argc, argv + 1, &e);
	if (rc < 0) {
		fflush(stdout);
		cli_report(&g, &e);
		rc = EXIT_ERROR;
	}
	option_list_done(&g.config_files);
	return rc;
}
