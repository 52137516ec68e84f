/*
 * run.c - `wippy run`: load a project, start it, and run one of its commands or wait for a signal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/cli.h"
#include "app/commands.h"
#include "app/config.h"
#include "app/lists.h"
#include "app/log_output.h"
#include "app/start.h"
#include "app/watch.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/secret.h"
#include "service/announce.h"
#include "service/control.h"
#include "service/runtime.h"

static struct {
	const char *exec;
	const char *host;
	struct start_flags flags;
	bool watch;
} opt;

static const struct option *run_options(void)
{
	static const struct option table[] = {
		{"exec", 'x', OPTION_TEXT, &opt.exec, "NS:NAME", "start this process entry and exit with it"},
		{"host", 0, OPTION_TEXT, &opt.host, "ID", "terminal host for the process (default: the only one)"},
		START_OPTION_OVERRIDE(opt.flags, ", as in app:gw:addr=:9090"),
		START_OPTION_SET(opt.flags),
		START_OPTION_PROFILE(opt.flags),
		{"watch", 'w', OPTION_SWITCH, &opt.watch, NULL,
			"apply edits of the project's files while it runs, and say what changed"},
		{0},
	};

	return table;
}

/* What the command line asks to start. */
struct target {
	char *entry_id; /* NULL: nothing, run until a signal */
	const char *const *args;
	unsigned nargs;
};

static int find_target(const struct start *s, int argc, char **argv, struct target *ret, struct err *e)
{
	*ret = (struct target){0};
	if (argc > 0) {
		const struct entry *found = command_entry_find(&s->entries, argv[0]);

		if (!found)
			return err_set(e, ERR_NOT_FOUND, "command \"%s\" not found. %s", argv[0],
				s->has_lock ? "Use 'wippy run list' to see available commands"
					    : "There is no wippy.lock in this folder: run `wippy init` in the "
					      "project's folder first");
		ret->entry_id = xstrdup(found->id);
		ret->args = (const char *const *)argv + 1;
		ret->nargs = (unsigned)argc - 1;
		return 0;
	}
	if (!opt.exec)
		return 0;
	if (!strchr(opt.exec, ':'))
		return err_set(e, ERR_INVALID,
			"invalid exec spec: missing separator ':' in \"%s\" (expected namespace:name)", opt.exec);
	ret->entry_id = xstrdup(opt.exec);
	return 0;
}

/* The frames of the program, a line each; what the runtime did in between says nothing. */
static void print_stack(const char *stack)
{
	while (*stack) {
		size_t len = strcspn(stack, "\n");

		if (strncmp(stack, "[native]", 8) != 0)
			fprintf(stderr, "  at %.*s\n", (int)len, stack);
		stack += len + (stack[len] == '\n');
	}
}

static void print_line(const char *text)
{
	fprintf(stderr, "%s\n", text);
}

/* What a program fails with may hold a secret that it was given. */
static void print_hidden(const char *text, void (*print)(const char *text))
{
	char *hidden = secret_hide(text);

	print(hidden ? hidden : text);
	free(hidden);
}

static void report_end(void *arg, int exit_code, const char *text, const struct failure *failure)
{
	(void)arg;
	(void)exit_code;
	if (text && !failure)
		printf("%s\n", text);
	fflush(stdout);
	if (text && failure)
		print_hidden(text, print_line);
	if (failure && failure->stack)
		print_hidden(failure->stack, print_stack);
}

/* For `wippy network status`: a program that serves and has overlays may be asked what they do. */
static struct control *answer_questions(struct runtime *rt)
{
	struct control *c = NULL;
	struct overlay **all;
	struct err e;
	size_t n;

	all = overlay_set_list(rt->node.overlays, &n);
	for (size_t i = 0; i < n; i++)
		overlay_unref(all[i]);
	free(all);
	if (n > 0 && control_new(rt, &c, &e) < 0)
		log_warn("run", "nobody can ask for the state of the overlays", LOG_STR("reason", e.text));
	return c;
}

static int run_loaded(const struct start_options *so, struct start *s, const struct target *t, struct err *e)
{
	const struct config *cfg = &s->config;
	struct project_entries *entries = &s->entries;
	size_t nentries = entries->count;
	struct watch *watch = NULL;
	struct runtime_config rc = {
		.kinds = &app_kinds,
		.modules = &app_modules,
		.warn = start_warn,
		.drivers = app_drivers,
		.ndrivers = app_ndrivers,
		.workers = (unsigned)cfg->workers,
		.heap_memory_max = (size_t)cfg->lua_heap_memory,
		.heap_instances_max = (unsigned)cfg->lua_heap_processes,
		.default_network = cfg->default_network,
		.network_state_dir = cfg->state_dir,
		.network_sidecar = cfg->sidecar,
		.strict_mode = cfg->strict_mode,
		.drain_timeout_ms = (uint64_t)cfg->drain_timeout_ns / 1000000,
		.settle_timeout_ms = (uint64_t)cfg->event_wait_ns / 1000000,
		.history = cfg->history_type == HISTORY_SQLITE ? RUNTIME_HISTORY_SQLITE
			   : cfg->history_type == HISTORY_NIL  ? RUNTIME_HISTORY_NONE
							       : RUNTIME_HISTORY_MEMORY,
		.history_path = cfg->history_path,
		.shutdown_timeout_ms = (uint64_t)cfg->shutdown_timeout_ns / 1000000,
		.http =
			{
				.timeout_ms = (uint64_t)cfg->http_timeout_ns / 1000000,
				.idle_ms = (uint64_t)cfg->http_idle_ns / 1000000,
				.idle_max = (unsigned)cfg->http_idle_max,
				.idle_per_host_max = (unsigned)cfg->http_idle_per_host,
			},
	};
	struct control *control = NULL;
	struct runtime *rt;
	int code;

	if (runtime_new(&rc, &rt, e) < 0)
		return -1;
	if (cfg->log_events)
		log_output_stream(announce_log, rt->node.bus);
	if (runtime_load(rt, entries->items, entries->count, e) < 0)
		goto fail;
	runtime_start(rt);
	if (t->entry_id && runtime_exec(rt, t->entry_id, opt.host, t->args, t->nargs, report_end, NULL, e) < 0)
		goto fail;
	if (!t->entry_id)
		control = answer_questions(rt);
	if (opt.watch && watch_new(rt, so, s, &watch, e) < 0)
		goto fail;
	log_info("run", "runtime ready", LOG_INT("entries", nentries));
	code = runtime_run(rt);
	watch_free(watch);
	control_free(control);
	log_info("run", "stopped", LOG_INT("exit_code", code));
	log_output_stream(NULL, NULL);
	runtime_free(rt);
	return code;
fail:
	control_free(control);
	log_output_stream(NULL, NULL);
	runtime_free(rt);
	return -1;
}

static int run_run(const struct cli_globals *g, int argc, char **argv, struct err *e)
{
	struct start_options so = {
		.globals = g,
		.flags = &opt.flags,
	};
	struct start s = {0};
	struct target target = {0};
	int code = -1;

	if (argc > 0 && strcmp(argv[0], "list") == 0 && !opt.exec)
		return commands_list(&so, e);
	so.lock_required = opt.watch;
	/* A command owns the terminal: no log and no banner unless asked for. */
	so.quiet = (argc > 0 || opt.exec) && !g->verbose && !g->very_verbose && !g->console;
	if (!g->silent && !so.quiet)
		cli_print_banner();
	fflush(stdout);
	if (start_read(&so, &s, e) < 0 || find_target(&s, argc, argv, &target, e) < 0)
		goto out;
	code = run_loaded(&so, &s, &target, e);
out:
	free(target.entry_id);
	start_done(&s);
	start_flags_done(&opt.flags);
	return code;
}

const struct command run_command = {
	.name = "run",
	.arguments = "[COMMAND [ARGUMENTS...]]",
	.summary = "Run the project in this folder, or one of its commands",
	.details =
		"COMMAND is the meta.command.name of a process entry; `wippy run list` shows them. Without one the\n"
		"project runs until SIGINT or SIGTERM; a second signal ends it at once. Arguments that begin with\n"
		"a dash follow \"--\": wippy run probe -- --fast.\n"
		"With --watch, edits of the project's files take effect at once, all that differs as one change; what\n"
		"cannot run is refused with the reason, and what ran before goes on.\n",
	.options = run_options,
	.run = run_run,
};
