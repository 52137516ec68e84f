/*
 * config.h - `.wippy.yaml`: runtime configuration.
 *
 * Files are merged leaf by leaf, later over earlier, then profiles, then `--set`. A wrong type is an error with its line; an unknown key, or one this build does
 * nothing with, is a warning with its line. Read once at start; immutable afterwards.
 */
#ifndef APP_CONFIG_H
#define APP_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "app/options.h"
#include "base/err.h"
#include "value/value.h"

struct config {
	/* network_service */
	char *state_dir;       /* absolute */
	char *default_network; /* NULL = none */
	char *sidecar;         /* of network.tailscale; absolute; NULL = looked for */
	int64_t drain_timeout_ns;
	/* registry */
	bool history_enabled;
	enum history_type { HISTORY_MEMORY, HISTORY_SQLITE, HISTORY_NIL } history_type;
	char *history_path;
	int64_t event_wait_ns;
	/* security */
	bool strict_mode;
	/* shutdown */
	int64_t shutdown_timeout_ns;
	/* logger, logmanager */
	bool log_json;
	bool log_console; /* logmanager.propagate_downstream */
	bool log_events;  /* logmanager.stream_to_events */
	int64_t log_min_level;
	/* lua */
	int64_t lua_heap_processes; /* instances a heap holds */
	int64_t lua_heap_memory;    /* bytes a heap may use */
	/* supervisor.host, dispatcher.http */
	int64_t workers; /* supervisor.host.worker_count; 0 = one a core */
	int64_t http_timeout_ns;
	int64_t http_idle_ns;
	int64_t http_idle_max;
	int64_t http_idle_per_host;

	struct value *root; /* everything, merged: override and disable are read from here */
};

struct config_sources {
	const struct option_list *files;    /* --config; empty: the default file, which may be absent */
	const struct option_list *profiles; /* --profile */
	const struct option_list *sets;     /* --set section.key=value */
};

enum { CONFIG_WARNINGS_MAX = 64 };

/* `warn` hears one sentence a warning, "<file>:<line>: …". */
int config_load(const struct config_sources *src, void (*warn)(const char *text), struct config *ret, struct err *e);
void config_done(struct config *c);

/* The text of a -o or --set value as a value: true/false, integer, float, else string. */
struct value *config_coerce(const char *text);
/* "512M", "1G", "1GB", "1048576" in bytes, powers of 1024; -1 when it is none. */
int config_parse_size(const char *text, int64_t *ret);

#endif
