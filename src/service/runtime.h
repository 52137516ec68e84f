/*
 * runtime.h - one running application: registry, overlays, workers, services; what app/ composes and drives.
 *
 * Everything here runs on the main thread, which owns the control loop `runtime_loop()`: kind handlers, supervision, signals, start
 * and stop. Lua never runs there. Order of use: runtime_new, runtime_load, runtime_start, [runtime_exec], runtime_run, runtime_free.
 *
 *     int main: runtime_new(&cfg, &rt, &e);
 *               runtime_load(rt, entries, n, &e);
 *               runtime_start(rt);
 *               runtime_exec(rt, "app:probe", "app:terminal", args, nargs, on_done, arg, &e);
 *               int status = runtime_run(rt);   // until a command ended or a signal came, then stopped in order
 *               runtime_free(rt);
 */
#ifndef SERVICE_RUNTIME_H
#define SERVICE_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actor/scheduler.h"
#include "base/err.h"
#include "base/map.h"
#include "bind/node.h"
#include "engine/failure.h"
#include "engine/module.h"
#include "engine/packed.h"
#include "http/client.h"
#include "loop/loop.h"
#include "overlay/overlay.h"
#include "registry/kind.h"
#include "registry/registry.h"

struct http_app;
struct overlay_driver;
struct supervisor;

enum runtime_history { RUNTIME_HISTORY_MEMORY, RUNTIME_HISTORY_SQLITE, RUNTIME_HISTORY_NONE };

struct runtime_config {
	const struct kind_list *kinds;
	const struct module_list *modules;
	const struct overlay_driver *const *drivers; /* network.* kinds; may be NULL when ndrivers is 0 */
	size_t ndrivers;
	unsigned workers;            /* 0 = one per core */
	size_t heap_memory_max;      /* bytes per Lua heap; 0 = no cap */
	unsigned heap_instances_max; /* processes per Lua heap; 0 = 4096 */
	struct http_client_config http;
	const char *default_network;    /* network_service.default_network; NULL or "" = none; copied */
	const char *network_state_dir;  /* absolute; copied */
	const char *network_sidecar;    /* absolute; NULL = looked for; copied */
	bool strict_mode;               /* security.strict_mode */
	uint64_t shutdown_timeout_ms;   /* 0 = 30000 */
	uint64_t drain_timeout_ms;      /* network_service.drain_timeout; 0 = 30000 */
	uint64_t settle_timeout_ms;     /* registry.event_wait_timeout; 0 = 30000 */
	enum runtime_history history;   /* registry.history_type */
	const char *history_path;       /* of RUNTIME_HISTORY_SQLITE; borrowed until runtime_load() returns */
	void (*warn)(const char *text); /* told what is odd about an entry, for people; NULL: the log. Main thread */
};

/* Visible to service/ (kinds) and app/. */
struct runtime {
	struct node node; /* registry, overlays, scheduler, ... as bindings see them */
	struct runtime_config config;
	struct overlay_env overlay_env;
	struct loop *loop;
	struct supervisor *supervisor;
	struct map *libraries;       /* entry id -> struct code *, library.lua */
	struct map *staged_programs; /* of kind_lua.c, to go live with the change under way */
	struct map *staged_networks; /* entry id -> struct overlay *, to go live with the change under way */
	struct list drains;          /* of network_swap.c */
	struct http_app *http;       /* of http_app.c; NULL: nothing is served */
	struct map *codes;           /* entry id -> sources of programs, for rebuilding after a library changed */
	int exit_code;
	bool started;
	bool stopping;
	bool stopped;
	unsigned signals;
	struct loop_timer stop_timer;
	char *default_network;
	char *state_dir;
	char *sidecar;
};

/* No thread is started yet. On failure nothing is left behind. */
int runtime_new(const struct runtime_config *cfg, struct runtime **ret_rt, struct err *e);
/* Apply the baseline; all or nothing. Once. */
int runtime_load(struct runtime *rt, struct entry *const *entries, size_t n, struct err *e);
/* The project's files have changed: take these entries for what runtime_load() got, and apply the difference as one change, on top of which the current
 * version stays as it is. On failure nothing has changed. *ret_changes entries differed; may be NULL. Services start and stop later. Main thread. */
int runtime_reload(struct runtime *rt, struct entry *const *entries, size_t n, size_t *ret_changes, struct err *e);
/* Start the workers, then the services with lifecycle.auto_start, dependencies first. A service that fails is logged and does not stop the others. */
void runtime_start(struct runtime *rt);

/* How a command ended. `text` has no newline: with a failure its message, for stderr; else a result that is a string (up to its first NUL), for
 * stdout; NULL when there is none. `failure` has a stack when it is an error nobody caught. Main thread, once. */
typedef void runtime_exec_fn(void *arg, int exit_code, const char *text, const struct failure *failure);

/* Run a process entry on a terminal host with the arguments after the command's name; when it ends `done` runs and then the whole runtime
 * stops, with its exit code as runtime_run()'s result. `host_id` NULL: the only terminal.host. Errors: NOT_FOUND "no terminal.host found in registry";
 * "multiple terminal hosts found (a:b, a:c), use --host to specify"; "host not found"; "factory not found". A chunk that fails is reported through
 * `done` (exit code 1). Before or during runtime_run(). */
int runtime_exec(struct runtime *rt, const char *entry_id, const char *host_id, const char *const *args, unsigned nargs,
	runtime_exec_fn *done, void *arg, struct err *e);

/* Turn the control loop until the runtime has stopped; returns the exit code. The first SIGINT/SIGTERM stops in order; the second ends the
 * program at once with status 1. */
int runtime_run(struct runtime *rt);
/* Begin to stop with that exit code: services in reverse order, then hosts (CANCEL "scheduler shutdown", their stop_timeout, abort), then workers. Overall limit:
 * shutdown_timeout. A second call changes nothing. Any thread. */
void runtime_request_stop(struct runtime *rt, int exit_code);

struct loop *runtime_loop(struct runtime *rt);

/* Stops what still runs. NULL is fine. */
void runtime_free(struct runtime *rt);

#endif
