/*
 * network.c - `wippy network`: the command, its options, and what its parts share.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/lists.h"
#include "app/network.h"
#include "base/alloc.h"
#include "base/duration.h"
#include "service/runtime.h"
#include "value/json.h"

struct network_options network_opt;
#define opt network_opt

static const struct option *network_options(void)
{
	static const struct option table[] = {
		{"json", 0, OPTION_SWITCH, &opt.json, NULL, "print JSON"},
		{"watch", 'w', OPTION_SWITCH, &opt.watch, NULL, "status: go on, a line for each change, until SIGINT"},
		{"timeout", 't', OPTION_TEXT, &opt.timeout, "DURATION",
			"how long to wait (default: status 10s, check 60s)"},
		{"entry", 0, OPTION_TEXT, &opt.entry, "NS:NAME", "explain: the function or process that runs"},
		{"call", 0, OPTION_TEXT, &opt.call, "NETWORK",
			"explain: chosen by its caller, as in with_options({network = ...}); \"\" clears"},
		{"inherited", 0, OPTION_TEXT, &opt.inherited, "NETWORK", "explain: the network its caller runs under"},
		{"request", 0, OPTION_TEXT, &opt.request, "NETWORK", "explain: overlay_network of the request"},
		START_OPTION_OVERRIDE(opt.flags, ""),
		START_OPTION_SET(opt.flags),
		START_OPTION_PROFILE(opt.flags),
		{0},
	};

	return table;
}

static int network_read(const struct cli_globals *g, struct start *ret, struct err *e)
{
	struct start_options so = {
		.globals = g,
		.flags = &opt.flags,
		.quiet = !g->verbose && !g->very_verbose && !g->console,
		.lock_required = true,
	};

	return start_read(&so, ret, e);
}

int network_read_timeout(uint64_t default_ms, uint64_t *ret_ms, struct err *e)
{
	int64_t ns;

	*ret_ms = default_ms;
	if (!opt.timeout)
		return 0;
	if (duration_parse(opt.timeout, strlen(opt.timeout), &ns, NULL) < 0 || ns <= 0)
		return err_set(
			e, ERR_INVALID, "invalid --timeout \"%.100s\": expected a duration such as 30s", opt.timeout);
	*ret_ms = (uint64_t)ns / 1000000 + 1;
	return 0;
}

/* -- the project's overlays, brought up here ------------------------------------------------------- */

static bool is_network(const struct entry *e)
{
	return strncmp(e->kind, "network.", 8) == 0;
}

/* Overlays, and what their entries may refer to. */
static bool is_wanted(const struct entry *e, const char *only)
{
	if (is_network(e))
		return !only || strcmp(e->id, only) == 0;
	return strncmp(e->kind, "env.", 4) == 0 || strncmp(e->kind, "ns.", 3) == 0;
}

int network_bring_up(const struct start *s, const char *only, struct runtime **ret, struct err *e)
{
	const struct config *cfg = &s->config;
	struct runtime_config rc = {
		.kinds = &app_kinds,
		.modules = &app_modules,
		.warn = start_warn,
		.drivers = app_drivers,
		.ndrivers = app_ndrivers,
		.workers = 1,
		.network_state_dir = cfg->state_dir,
		.network_sidecar = cfg->sidecar,
		.history = RUNTIME_HISTORY_NONE,
	};
	struct entry **entries = xcalloc(s->entries.count + 1, sizeof(*entries));
	struct runtime *rt;
	size_t n = 0;
	int rc_load;

	for (size_t i = 0; i < s->entries.count; i++) {
		if (is_wanted(s->entries.items[i], only))
			entries[n++] = s->entries.items[i];
	}
	if (runtime_new(&rc, &rt, e) < 0) {
		free(entries);
		return -1;
	}
	rc_load = runtime_load(rt, entries, n, e);
	free(entries);
	if (rc_load < 0) {
		runtime_free(rt);
		return -1;
	}
	*ret = rt;
	return 0;
}

/* -- showing ---------------------------------------------------------------------------------------- */

long long network_number(const struct value *v, const char *name)
{
	const struct value *field = value_get(v, name);

	return value_type(field) == VALUE_INT ? (long long)value_get_int(field) : 0;
}

void network_print_json(const struct value *v)
{
	struct buf out = BUF_INIT;

	json_write(v, &out);
	printf("%s\n", buf_str(&out));
	buf_done(&out);
	fflush(stdout);
}

/* -- the command ------------------------------------------------------------------------------------- */

static int network_run(const struct cli_globals *g, int argc, char **argv, struct err *e)
{
	const char *what = argc > 0 ? argv[0] : "";
	struct start s = {0};
	int code = -1;

	if (strcmp(what, "status") == 0 && argc == 1) {
		if (network_read(g, &s, e) == 0)
			code = network_status(&s, e);
	} else if (strcmp(what, "check") == 0 && (argc == 2 || argc == 3)) {
		if (network_read(g, &s, e) == 0)
			code = network_check(&s, argv[1], argc == 3 ? argv[2] : NULL, e);
	} else if (strcmp(what, "explain") == 0 && argc <= 2) {
		if (network_read(g, &s, e) == 0)
			code = network_explain(&s, argc == 2 ? argv[1] : NULL, e);
	} else {
		err_set(e, ERR_INVALID, "say `wippy network status`, `check NETWORK [TARGET]` or `explain [TARGET]`");
	}
	start_done(&s);
	start_flags_done(&opt.flags);
	return code;
}

const struct command network_command = {
	.name = "network",
	.arguments = "status | check NETWORK [TARGET] | explain [TARGET]",
	.summary = "Show the overlays, try one, or explain which way a connection takes",
	.details =
		"status   Asks the program that runs with this project's state directory; when none does, brings the\n"
		"         project's overlays up here, waits until each is ready, degraded or down, or --timeout, and\n"
		"         takes them down again. An overlay without a session of its own (socks5) is \"starting\" "
		"until\n"
		"         something dials.\n"
		"check    Brings NETWORK up here and dials TARGET through it: http://..., https://... (a GET) or\n"
		"         tcp://HOST:PORT; tells the times of each phase. Without TARGET: waits until it is up, and "
		"greets\n"
		"         its proxy or bridge: is it there, does it take us, and how?\n"
		"explain  Sends nothing: tells which network a connection to TARGET (a host, HOST:PORT or a URL) "
		"takes,\n"
		"         who chose it, who resolves the name, and who shares the connection's identity.\n"
		"\n"
		"  wippy network explain example.com --entry app:scrape --call app:tor\n"
		"\n"
		"Exit codes: 0 reached (explain: there is a way), 1 an error, 3 the network is down (without TARGET "
		"also: its\n"
		"proxy or bridge does not take us), 4 the network works but\n"
		"the target was not reached (explain: it would be refused), 5 time was up.\n",
	.options = network_options,
	.run = network_run,
};
