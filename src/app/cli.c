#include "app/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/lists.h"
#include "base/alloc.h"
#include "base/secret.h"

static const struct command version_command, help_command;

const struct command *const commands[] = {&init_command, &run_command, &lint_command, &network_command,
	&security_command, &registry_command, &version_command, &help_command, NULL};

static const struct option global_options[] = {
	{"config", 0, OPTION_LIST, NULL, "FILE",
		"configuration file, repeatable, later ones win (default .wippy.yaml)"},
	{"verbose", 'v', OPTION_SWITCH, NULL, NULL, "log at debug level"},
	{"very-verbose", 0, OPTION_SWITCH, NULL, NULL, "log at debug level, with stacks"},
	{"console", 'c', OPTION_SWITCH, NULL, NULL, "log for people, on standard output"},
	{"silent", 's', OPTION_SWITCH, NULL, NULL, "no log, no banner"},
	{"event-streams", 'e', OPTION_SWITCH, NULL, NULL, "publish log records on the event bus, too"},
	{"memory-limit", 'm', OPTION_TEXT, NULL, "SIZE", "memory a Lua heap may use: 512M, 1G, bytes"},
	{"help", 'h', OPTION_SWITCH, NULL, NULL, "this help"},
	{0},
};

const struct command *command_find(const char *name)
{
	for (const struct command *const *c = commands; *c; c++) {
		if (strcmp((*c)->name, name) == 0)
			return *c;
	}
	return NULL;
}

bool cli_colours(int fd)
{
	return isatty(fd) && !getenv("NO_COLOR");
}

void cli_print_banner(void)
{
	printf("\n"
	       "  __ __ __ (_)___  ___  __ __\n"
	       "  \\ V  V / / / _ \\/ _ \\/ // /\n"
	       "   \\_/\\_/ /_/ .__/ .__/\\_, /   " WIPPY_VERSION "\n"
	       "\n");
}

void cli_print_overview(void)
{
	printf("Runs applications written in typed Lua as isolated actors, and carries their connections\n"
	       "through the overlay network that was chosen, never through another.\n"
	       "\n"
	       "Usage: wippy COMMAND [ARGUMENTS] [FLAGS]\n"
	       "\n"
	       "Commands:\n");
	for (const struct command *const *c = commands; *c; c++)
		printf("  %-9s  %s\n", (*c)->name, (*c)->summary);
	printf("\nFlags for every command:\n");
	options_print(global_options);
	printf("\nExit codes: 0 success, 1 an error that is reported, or what the program run chose.\n"
	       "`wippy help COMMAND` tells more about one command.\n");
}

void cli_print_command(const struct command *c)
{
	printf("%s.\n\nUsage: wippy %s%s%s [FLAGS]\n", c->summary, c->name, c->arguments[0] ? " " : "", c->arguments);
	if (c->details)
		printf("\n%s", c->details);
	if (c->options) {
		printf("\nFlags:\n");
		options_print(c->options());
	}
	printf("\nFlags for every command:\n");
	options_print(global_options);
}

void cli_report(const struct cli_globals *g, const struct err *e)
{
	char *hidden = secret_hide(e->text);
	const char *text = hidden ? hidden : e->text;

	if (!g->console)
		fprintf(stderr, "Error: %s\n", text);
	else if (cli_colours(STDERR_FILENO))
		fprintf(stderr, "\033[31m%s\033[0m\n", text);
	else
		fprintf(stderr, "%s\n", text);
	free(hidden);
}

static void print_kinds(void)
{
	printf("Kinds of entries:\n\n");
	for (size_t i = 0; i < app_kinds.count; i++)
		printf("  %-21s  %s\n", app_kinds.kinds[i]->name, app_kinds.kinds[i]->summary);
}

static int help_run(const struct cli_globals *g, int argc, char **argv, struct err *e)
{
	const struct command *c;

	(void)g;
	if (argc == 0) {
		cli_print_overview();
		return EXIT_OK;
	}
	if (strcmp(argv[0], "kinds") == 0) {
		print_kinds();
		return EXIT_OK;
	}
	c = command_find(argv[0]);
	if (!c)
		return err_set(e, ERR_INVALID, "unknown command \"%s\" for \"wippy\"; `wippy help` lists the commands",
			argv[0]);
	cli_print_command(c);
	return EXIT_OK;
}

static const struct command help_command = {
	.name = "help",
	.arguments = "[COMMAND | kinds]",
	.summary = "Show help: in general, on a command, or the kinds of entries there are",
	.run = help_run,
};

static bool version_short;

static const struct option *version_options(void)
{
	static const struct option table[] = {
		{"short", 0, OPTION_SWITCH, &version_short, NULL, "only the version"},
		{0},
	};

	return table;
}

static int version_run(const struct cli_globals *g, int argc, char **argv, struct err *e)
{
	(void)g;
	if (argc > 0)
		return err_set(e, ERR_INVALID, "version takes no arguments, got \"%s\"", argv[0]);
	if (version_short) {
		printf("%s\n", WIPPY_VERSION);
		return EXIT_OK;
	}
	cli_print_banner();
	printf("wippy %s\n", WIPPY_VERSION);
	return EXIT_OK;
}

static const struct command version_command = {
	.name = "version",
	.arguments = "",
	.summary = "Print the version",
	.options = version_options,
	.run = version_run,
};
