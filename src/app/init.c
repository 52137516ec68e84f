/*
 * init.c - `wippy init`: write wippy.lock.
 */
#include <stdio.h>

#include "app/cli.h"
#include "registry/project.h"

static struct {
	const char *src;
	const char *modules;
	const char *lock;
} opt = {"./src", ".wippy", "wippy.lock"};

static const struct option *init_options(void)
{
	static const struct option table[] = {
		{"src-dir", 'd', OPTION_TEXT, &opt.src, "DIR", "where definitions live (default ./src)"},
		{"modules-dir", 0, OPTION_TEXT, &opt.modules, "DIR", "where modules and state live (default .wippy)"},
		{"lock-file", 'l', OPTION_TEXT, &opt.lock, "FILE", "the file to write (default wippy.lock)"},
		{0},
	};

	return table;
}

static int init_run(const struct cli_globals *g, int argc, char **argv, struct err *e)
{
	if (argc > 0)
		return err_set(e, ERR_INVALID, "init takes no arguments, got \"%s\"", argv[0]);
	if (!opt.src[0] || !opt.modules[0] || !opt.lock[0])
		return err_set(e, ERR_INVALID, "--src-dir, --modules-dir and --lock-file must not be empty");
	if (project_lock_write(opt.lock, opt.src, opt.modules, e) < 0)
		return -1;
	if (!g->silent)
		printf("Wrote %s: definitions live in %s, modules and state in %s.\n", opt.lock, opt.src, opt.modules);
	return EXIT_OK;
}

const struct command init_command = {
	.name = "init",
	.arguments = "",
	.summary = "Make this folder a project: write wippy.lock",
	.details = "Keeps the modules, replacements and options of an existing lock file. Creates nothing else.\n",
	.options = init_options,
	.run = init_run,
};
