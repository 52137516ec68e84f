#include "service/runtime.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actor/bus.h"
#include "actor/group.h"
#include "actor/process.h"
#include "actor/service_table.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/metrics.h"
#include "bind/modules.h"
#include "bind/current.h"
#include "engine/code.h"
#include "registry/history.h"
#include "security/policy_set.h"
#include "service/http_app.h"
#include "service/history_sqlite.h"
#include "service/live.h"
#include "service/network_status.h"
#include "service/network_swap.h"
#include "service/kinds.h"
#include "service/supervisor.h"

enum { SHUTDOWN_MS = 30000, EXIT_UNSET = -1 };

static void unref_code(void *c)
{
	code_unref(c);
}

static void unref_entry(void *e)
{
	entry_unref(e);
}

static void request_stop(struct node *n, int exit_code)
{
	runtime_request_stop(n->runtime, exit_code);
}

int runtime_new(const struct runtime_config *cfg, struct runtime **ret_rt, struct err *e)
{
	struct runtime *rt = xcalloc(1, sizeof(*rt));
	struct scheduler_config sc = {
		.workers = cfg->workers,
		.modules = cfg->modules,
		.heap_memory_max = cfg->heap_memory_max,
		.heap_instances_max = cfg->heap_instances_max,
		.hooks = &bind_process_hooks,
		.owner = &rt->node,
	};

	(void)e;
	rt->config = *cfg;
	rt->default_network = cfg->default_network && *cfg->default_network ? xstrdup(cfg->default_network) : NULL;
	rt->state_dir = xstrdup(cfg->network_state_dir ? cfg->network_state_dir : "");
	rt->overlay_env.state_dir = rt->state_dir;
	rt->sidecar = cfg->network_sidecar ? xstrdup(cfg->network_sidecar) : NULL;
	rt->overlay_env.sidecar = rt->sidecar;
	rt->overlay_env.changed = network_changed;
	rt->overlay_env.dialled = network_dialled;
	rt->overlay_env.changed_arg = rt;
	rt->exit_code = EXIT_UNSET;
	rt->loop = loop_new();
	rt->overlay_env.control = rt->loop;
	rt->libraries = map_new();
	rt->codes = map_new();
	rt->staged_programs = map_new();
	rt->staged_networks = map_new();
	list_init(&rt->drains);
	rt->supervisor = supervisor_new(rt);
	rt->node.overlays = overlay_set_new();
	rt->node.env = env_new();
	rt->node.instances = instances_new();
	rt->node.metrics = metrics_new();
	rt->node.services = service_table_new();
	bind_logger_install();
	rt->node.scheduler = scheduler_new(&sc);
	rt->node.bus = bus_new(rt->node.scheduler, rt->loop);
	rt->node.groups = groups_new();
	rt->node.policies = policy_set_new();
	rt->node.registry = registry_new(cfg->kinds, rt);
	registry_set_env(rt->node.registry, rt->node.env);
	rt->node.default_network = rt->default_network;
	rt->node.strict_mode = cfg->strict_mode;
	rt->node.http = cfg->http;
	rt->node.started_ns = loop_clock_ns();
	rt->node.runtime = rt;
	rt->node.request_stop = request_stop;
	rt->node.change = live_change;
	live_watch(rt);
	*ret_rt = rt;
	return 0;
}

int runtime_load(struct runtime *rt, struct entry *const *entries, size_t n, struct err *e)
{
	struct history *h = NULL;

	if (rt->config.history == RUNTIME_HISTORY_SQLITE && history_open_sqlite(rt->config.history_path, &h, e) < 0)
		return err_prefix(e, "registry history");
	if (rt->config.history == RUNTIME_HISTORY_MEMORY && history_open(NULL, NULL, &h, e) < 0)
		return -1;
	registry_set_history(rt->node.registry, h);
	return registry_load(rt->node.registry, entries, n, e);
}

int runtime_reload(struct runtime *rt, struct entry *const *entries, size_t n, size_t *ret_changes, struct err *e)
{
	if (rt->stopping)
		return err_set(e, ERR_UNAVAILABLE, "the runtime is stopping");
	return registry_rebase(rt->node.registry, entries, n, ret_changes, e);
}

/* -- start and stop ---------------------------------------------------------------------------------- */

static void runtime_stop(struct runtime *rt, int exit_code);

static void on_signal(void *arg, int signum)
{
	struct runtime *rt = arg;

	(void)signum;
	if (rt->signals++ > 0) {
		log_info("run", "force exit");
		_exit(1);
	}
	log_info("run", "received shutdown signal");
	log_info("run", "shutting down (press Ctrl+C again to force exit)");
	runtime_stop(rt, EXIT_UNSET);
}

void runtime_start(struct runtime *rt)
{
	struct overlay *o;

	if (rt->default_network && strcmp(rt->default_network, FRAME_DIRECT) != 0) {
		o = overlay_set_get(rt->node.overlays, rt->default_network);
		if (!o)
			log_error("runtime",
				"network_service.default_network names no network entry: every process and call that "
				"chooses none will fail",
				LOG_STR("network", rt->default_network));
		overlay_unref(o);
	}
	loop_watch_signals(rt->loop, on_signal, rt);
	rt->started = true;
	scheduler_start(rt->node.scheduler);
	kind_lua_started(rt);
	supervisor_start(rt->supervisor);
}

/* A worker does not come back: nothing can be taken down in order any more. */
static void stop_workers(struct runtime *rt)
{
	if (scheduler_stop(rt->node.scheduler) == 0)
		return;
	log_error("runtime", "a worker is stuck in native code; ending the program");
	_exit(1);
}

static void finish(void *arg)
{
	struct runtime *rt = arg;

	if (rt->stopped)
		return;
	rt->stopped = true;
	loop_timer_stop(&rt->stop_timer);
	stop_workers(rt);
	loop_stop(rt->loop);
}

static void on_stop_timeout(struct loop_timer *t)
{
	struct runtime *rt = container_of(t, struct runtime, stop_timer);

	log_warn("runtime", "stopping took longer than shutdown.timeout; aborting what is left");
	finish(rt);
}

static void runtime_stop(struct runtime *rt, int exit_code)
{
	/* What a command ended with counts even when a signal began the stop. */
	if (exit_code != EXIT_UNSET && rt->exit_code == EXIT_UNSET)
		rt->exit_code = exit_code;
	if (rt->stopping)
		return;
	rt->stopping = true;
	loop_timer_init(&rt->stop_timer, rt->loop, on_stop_timeout);
	loop_timer_start_ms(
		&rt->stop_timer, rt->config.shutdown_timeout_ms ? rt->config.shutdown_timeout_ms : SHUTDOWN_MS);
	supervisor_stop(rt->supervisor, finish, rt);
}

struct stop_request {
	struct loop_post post;
	struct runtime *rt;
	int exit_code;
};

static void on_stop_request(struct loop_post *post)
{
	struct stop_request *r = container_of(post, struct stop_request, post);

	runtime_stop(r->rt, r->exit_code);
	free(r);
}

void runtime_request_stop(struct runtime *rt, int exit_code)
{
	struct stop_request *r = xcalloc(1, sizeof(*r));

	r->post.run = on_stop_request;
	r->rt = rt;
	r->exit_code = exit_code;
	loop_post(rt->loop, &r->post);
}

int runtime_run(struct runtime *rt)
{
	if (!rt->stopped)
		loop_run(rt->loop);
	return rt->exit_code == EXIT_UNSET ? 0 : rt->exit_code;
}

struct loop *runtime_loop(struct runtime *rt)
{
	return rt->loop;
}

void runtime_free(struct runtime *rt)
{
	if (!rt)
		return;
	if (rt->started && !rt->stopped) {
		runtime_stop(rt, EXIT_UNSET);
		runtime_run(rt);
	}
	network_stop_all(rt);
	bus_stop(rt->node.bus);
	/* What the workers told the main thread last. */
	loop_stop(rt->loop);
	loop_run(rt->loop);
	registry_free(rt->node.registry);
	map_free(rt->staged_programs, NULL);
	map_free(rt->staged_networks, NULL);
	supervisor_free(rt->supervisor);
	http_app_free(rt->http);
	bus_free(rt->node.bus);
	groups_free(rt->node.groups);
	policy_set_free(rt->node.policies);
	scheduler_free(rt->node.scheduler);
	overlay_set_free(rt->node.overlays);
	instances_free(rt->node.instances);
	metrics_free(rt->node.metrics);
	service_table_free(rt->node.services);
	env_free(rt->node.env);
	map_free(rt->libraries, unref_code);
	map_free(rt->codes, unref_entry);
	if (rt->stopping)
		loop_timer_stop(&rt->stop_timer);
	loop_free(rt->loop);
	free(rt->default_network);
	free(rt->state_dir);
	free(rt->sidecar);
	free(rt);
}

/* -- commands ---------------------------------------------------------------------------------------- */

struct command {
	struct runtime *rt;
	runtime_exec_fn *done;
	void *arg;
	int exit_code;
	char *text; /* the method's result when that is a string */
	struct failure *failure;
	bool uncaught;
	struct loop_post post;
};

/* The exit code a method's result stands for, as the system will report it: the low eight bits. */
static int exit_code_of(struct packed *result, char **ret_text)
{
	struct value *v = packed_to_value(result, 0);
	int code = 0;
	double f;

	switch (value_type(v)) {
	case VALUE_BOOL:
		code = value_get_bool(v) ? 0 : 1;
		break;
	case VALUE_INT:
	case VALUE_FLOAT:
		f = value_get_float(v);
		code = !isfinite(f)         ? 1
		       : f >= 2147483647.0  ? 2147483647
		       : f <= -2147483648.0 ? -2147483647 - 1
					    : (int)f;
		break;
	case VALUE_STRING:
		*ret_text = xstrdup(value_get_string(v, NULL));
		break;
	default:
		break;
	}
	value_unref(v);
	return code & 0xff;
}

static void on_command_over(struct loop_post *post)
{
	struct command *c = container_of(post, struct command, post);

	struct failure *f = c->failure;

	/* Where a returned error object was made says nothing about where things went wrong. */
	if (f && f->stack && !c->uncaught) {
		f = failure_new(f->kind, f->retry, f->message, f->message_len, value_ref(f->details), NULL,
			failure_keep(f->cause));
		failure_unref(c->failure);
		c->failure = f;
	}
	c->done(c->arg, c->exit_code, f ? f->message : c->text, f);
	runtime_stop(c->rt, c->exit_code);
	failure_unref(c->failure);
	free(c->text);
	free(c);
}

/* On the worker of the process. */
static void on_command_ended(void *arg, const struct process_end *end)
{
	struct command *c = arg;

	c->exit_code = end->failure ? 1 : exit_code_of(end->value, &c->text);
	c->failure = failure_keep(end->failure);
	c->uncaught = end->uncaught;
	c->post.run = on_command_over;
	loop_post(c->rt->loop, &c->post);
}

static void on_command_spawned(struct spawn *s)
{
	struct command *c = s->ended_arg;

	if (s->failed) {
		struct failure *f = failure_from_err(&s->err);
		struct process_end end = {.failure = f};

		on_command_ended(c, &end);
		failure_unref(f);
	}
	spawn_free(s);
}

/* The only terminal host there is. */
static int find_terminal_host(struct runtime *rt, struct host **ret_host, struct err *e)
{
	struct snapshot *snap = registry_snapshot(rt->node.registry);
	const char *found = NULL;
	struct buf names = BUF_INIT;
	unsigned n = 0;

	for (size_t i = 0; i < snapshot_count(snap); i++) {
		const struct entry *en = snapshot_at(snap, i);

		if (strcmp(en->kind, "terminal.host") != 0)
			continue;
		found = en->id;
		buf_addf(&names, "%s%s", n++ ? ", " : "", en->id);
	}
	if (n == 1)
		*ret_host = hosts_get(scheduler_hosts(rt->node.scheduler), found);
	else if (n == 0)
		err_set(e, ERR_NOT_FOUND, "no terminal.host found in registry");
	else
		err_set(e, ERR_INVALID, "multiple terminal hosts found (%s), use --host to specify", buf_str(&names));
	buf_done(&names);
	snapshot_unref(snap);
	return n == 1 ? 0 : -1;
}

static int find_host(struct runtime *rt, const char *host_id, struct host **ret_host, struct err *e)
{
	struct host *h;

	if (!host_id)
		return find_terminal_host(rt, ret_host, e);
	h = hosts_get(scheduler_hosts(rt->node.scheduler), host_id);
	if (!h)
		return err_set(e, ERR_NOT_FOUND, "host not found: %s", host_id);
	*ret_host = h;
	return 0;
}

int runtime_exec(struct runtime *rt, const char *entry_id, const char *host_id, const char *const *args, unsigned nargs,
	runtime_exec_fn *done, void *arg, struct err *e)
{
	struct spawn *s = spawn_new();
	struct frame_edge edge = {0};
	struct service *host_service;
	struct command *c;

	if (find_host(rt, host_id, &s->host, e) < 0)
		goto fail;
	host_service = supervisor_find(rt->supervisor, s->host->id);
	if (!host_service || service_state(host_service) == SERVICE_UNKNOWN) {
		err_set(e, ERR_UNAVAILABLE, "host %s is not running: its entry needs lifecycle.auto_start: true",
			s->host->id);
		goto fail;
	}
	s->program = programs_get(scheduler_programs(rt->node.scheduler), entry_id);
	if (!s->program || s->program->type != PROGRAM_PROCESS) {
		err_set(e, ERR_NOT_FOUND, "factory not found: %s is no process entry", entry_id);
		goto fail;
	}
	edge.entry_network = s->program->network;
	if (edge_frame(&rt->node, NULL, &edge, &s->frame, e) < 0)
		goto fail;
	s->args = packed_from_strings(args, nargs);
	if (s->host->type == HOST_TERMINAL)
		s->terminal = terminal_new(args, nargs);
	c = xcalloc(1, sizeof(*c));
	c->rt = rt;
	c->done = done;
	c->arg = arg;
	s->ended = on_command_ended;
	s->ended_arg = c;
	s->done = on_command_spawned;
	s->reply_loop = rt->loop;
	spawn_start(spawn_place(rt->node.scheduler, NULL, s), s);
	return 0;
fail:
	spawn_free(s);
	return -1;
}
