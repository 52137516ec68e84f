#include "app/config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/config_merge.h"
#include "base/alloc.h"
#include "base/duration.h"
#include "value/yaml.h"

enum key_type { KEY_STRING, KEY_BOOL, KEY_INT, KEY_DURATION, KEY_SIZE, KEY_ANY };

struct key {
	const char *path;
	enum key_type type;
	size_t offset;              /* in struct config; NONE: the value is read elsewhere, or not at all */
	const char *without_effect; /* why nothing happens, for the warning */
};

#define NONE SIZE_MAX
#define AT(field) offsetof(struct config, field)
#define NO_EFFECT(path, why)             \
	{                                \
		path, KEY_ANY, NONE, why \
	}

/* Every key there is. A path ending in '.' accepts everything below it. */
static const struct key keys[] = {
	{"version", KEY_STRING, NONE, NULL},
	{"network_service.state_dir", KEY_STRING, AT(state_dir), NULL},
	{"network_service.default_network", KEY_STRING, AT(default_network), NULL},
	{"network_service.sidecar", KEY_STRING, AT(sidecar), NULL},
	{"network_service.drain_timeout", KEY_DURATION, AT(drain_timeout_ns), NULL},
	{"registry.enable_history", KEY_BOOL, AT(history_enabled), NULL},
	{"registry.history_type", KEY_STRING, NONE, NULL},
	{"registry.history_path", KEY_STRING, AT(history_path), NULL},
	{"registry.event_wait_timeout", KEY_DURATION, AT(event_wait_ns), NULL},
	NO_EFFECT("registry.dispatch_internal_kinds", "the kinds without handlers are fixed"),
	NO_EFFECT("registry.history_dsn", "history is kept in memory or in an SQLite file"),
	NO_EFFECT("registry.history_schema", "history is kept in memory or in an SQLite file"),
	{"security.strict_mode", KEY_BOOL, AT(strict_mode), NULL},
	{"shutdown.timeout", KEY_DURATION, AT(shutdown_timeout_ns), NULL},
	{"logger.encoding", KEY_STRING, NONE, NULL},
	{"logmanager.propagate_downstream", KEY_BOOL, AT(log_console), NULL},
	{"logmanager.min_level", KEY_INT, AT(log_min_level), NULL},
	{"logmanager.stream_to_events", KEY_BOOL, AT(log_events), NULL},
	{"lua.heap_processes", KEY_INT, AT(lua_heap_processes), NULL},
	{"lua.heap_memory", KEY_SIZE, AT(lua_heap_memory), NULL},
	NO_EFFECT("lua.proto_cache_size", "compiled code is always shared, there is no cache to size"),
	NO_EFFECT("lua.main_cache_size", "compiled code is always shared, there is no cache to size"),
	NO_EFFECT("lua.type_system.enabled", "types are checked for syntax only"),
	NO_EFFECT("lua.type_system.strict", "types are checked for syntax only"),
	NO_EFFECT("lua.cache.", "sources are translated at every start, in a few milliseconds"),
	{"supervisor.host.worker_count", KEY_INT, AT(workers), NULL},
	NO_EFFECT("supervisor.host.buffer_size", "queues grow as needed"),
	{"dispatcher.http.timeout", KEY_DURATION, AT(http_timeout_ns), NULL},
	{"dispatcher.http.idle_conn_timeout", KEY_DURATION, AT(http_idle_ns), NULL},
	{"dispatcher.http.max_idle_conns", KEY_INT, AT(http_idle_max), NULL},
	{"dispatcher.http.max_idle_per_host", KEY_INT, AT(http_idle_per_host), NULL},
	NO_EFFECT("dispatcher.http.max_clients", "there is one pool, divided by overlay"),
	{"override.", KEY_ANY, NONE, NULL},
	{"disable.", KEY_ANY, NONE, NULL},
	{"profiles.", KEY_ANY, NONE, NULL},
	{"vars.", KEY_ANY, NONE, NULL},
	NO_EFFECT("relay.node_name", "clustering is not built"),
	NO_EFFECT("finder.", "look-ups need no cache"),
	NO_EFFECT("profiler.", "there is no profiler endpoint; use perf"),
	NO_EFFECT("metrics.", "metrics are not built yet"),
	NO_EFFECT("prometheus.", "metrics are not built yet"),
	NO_EFFECT("lsp.", "there is no language server"),
	NO_EFFECT("modules.", "module registries are not supported"),
	NO_EFFECT("extensions.", "extensions are not supported"),
	NO_EFFECT("otel.", "tracing export is not supported"),
	NO_EFFECT("cluster.", "clustering is not built"),
	NO_EFFECT("workspace.", "workspace replacements are not supported"),
};

/* Integers that not every number is good for. */
static const struct range {
	const char *path;
	int64_t min, max;
} ranges[] = {
	{"supervisor.host.worker_count", 0, 256},
	{"lua.heap_processes", 1, 1000000},
	/* 0 asks for the default. */
	{"dispatcher.http.max_idle_conns", 0, 1000000},
	{"dispatcher.http.max_idle_per_host", 0, 1000000},
};

static const struct key *find_key(const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		size_t len = strlen(keys[i].path);
		bool prefix = keys[i].path[len - 1] == '.';

		if (prefix ? strncmp(path, keys[i].path, len) == 0 : strcmp(path, keys[i].path) == 0)
			return &keys[i];
	}
	return NULL;
}

static bool is_below(const char *path, const char *key)
{
	size_t len = strlen(path);

	return strncmp(path, key, len) == 0 && key[len] == '.';
}

static bool has_keys_below(const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (is_below(path, keys[i].path))
			return true;
	}
	return false;
}

static void warn_key(void (*warn)(const char *), const char *file, uint32_t line, const char *path, const char *why)
{
	char *text =
		line ? xasprintf("%s:%u: %s: %s", file, line, path, why) : xasprintf("%s: %s: %s", file, path, why);

	warn(text);
	free(text);
}

/* `v` is what stands at `path`, whose key is in that line. */
static void check_keys(
	const char *file, const struct value *v, uint32_t line, const char *path, void (*warn)(const char *))
{
	const struct key *k = path[0] ? find_key(path) : NULL;

	if (k) {
		if (k->without_effect)
			warn_key(warn, file, line, path, k->without_effect);
		return;
	}
	if (value_type(v) != VALUE_MAP || (path[0] && !has_keys_below(path))) {
		warn_key(warn, file, line, path, "unknown key, ignored");
		return;
	}
	for (size_t i = 0; i < value_count(v); i++) {
		const char *name;
		uint32_t at;
		const struct value *item = value_pair(v, i, &name, &at);
		char *below = xasprintf("%s%s%s", path, path[0] ? "." : "", name);

		check_keys(file, item, at, below, warn);
		free(below);
	}
}

void config_check_keys(const char *file, const struct value *doc, void (*warn)(const char *))
{
	check_keys(file, doc, value_line(doc), "", warn);
}

int config_parse_size(const char *text, int64_t *ret)
{
	static const char units[] = "KMGT";
	const char *unit;
	char *end;
	double n = strtod(text, &end);

	if (end == text || !(n > 0))
		return -1;
	if (*end) {
		unit = strchr(units, *end);
		if (!unit)
			return -1;
		for (const char *u = units; u <= unit; u++)
			n *= 1024;
		end++;
		if (*end == 'B')
			end++;
	}
	if (*end || n > 1e15)
		return -1;
	*ret = (int64_t)n;
	return 0;
}

static int parse_size(const struct value *v, int64_t *ret)
{
	if (value_type(v) == VALUE_INT && value_get_int(v) > 0) {
		*ret = value_get_int(v);
		return 0;
	}
	return value_type(v) == VALUE_STRING ? config_parse_size(value_get_string(v, NULL), ret) : -1;
}

static int check_range(const struct key *k, int64_t n, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		const struct range *r = &ranges[i];

		if (strcmp(r->path, k->path) == 0 && (n < r->min || n > r->max))
			return err_set(e, ERR_INVALID, "%s: expected %lld to %lld, got %lld", k->path,
				(long long)r->min, (long long)r->max, (long long)n);
	}
	return 0;
}

static int read_key(const struct key *k, const struct value *v, struct config *c, struct err *e)
{
	static const char *const wanted[] = {
		[KEY_STRING] = "a string",
		[KEY_BOOL] = "true or false",
		[KEY_INT] = "an integer",
		[KEY_DURATION] = "a duration string such as \"30s\"",
		[KEY_SIZE] = "a size such as \"256M\"",
	};
	void *field = (char *)c + k->offset;
	struct err ignored = {0};
	const char *text;
	size_t len;

	switch (k->type) {
	case KEY_STRING:
		if (value_type(v) != VALUE_STRING)
			break;
		free(*(char **)field);
		*(char **)field = xstrdup(value_get_string(v, NULL));
		return 0;
	case KEY_BOOL:
		if (value_type(v) != VALUE_BOOL)
			break;
		*(bool *)field = value_get_bool(v);
		return 0;
	case KEY_INT:
		if (value_type(v) != VALUE_INT)
			break;
		*(int64_t *)field = value_get_int(v);
		return check_range(k, value_get_int(v), e);
	case KEY_DURATION:
		if (value_type(v) != VALUE_STRING)
			break;
		text = value_get_string(v, &len);
		if (duration_parse(text, len, field, &ignored) < 0 || *(int64_t *)field < 0)
			break;
		return 0;
	case KEY_SIZE:
		if (parse_size(v, field) < 0)
			break;
		return 0;
	case KEY_ANY:
		return 0;
	}
	text = value_text(v, "");
	return err_set(e, ERR_INVALID, "%s: expected %s, got %s%s%s", k->path, wanted[k->type], value_type_name(v),
		text[0] ? " " : "", text);
}

static int read_encoding(const struct value *root, struct config *c, struct err *e)
{
	const struct value *v = value_path(root, "logger.encoding");
	const char *text;

	if (!v)
		return 0;
	text = value_text(v, "");
	if (strcmp(text, "json") != 0 && strcmp(text, "console") != 0)
		return err_set(e, ERR_INVALID, "logger.encoding: expected \"console\" or \"json\", got %s %s",
			value_type_name(v), text);
	c->log_json = text[0] == 'j';
	return 0;
}

/* Another type is one this program does not have: what is kept in memory instead is lost at exit, so it says so. */
static int read_history_type(const struct value *root, void (*warn)(const char *text), struct config *c, struct err *e)
{
	static const char *const names[] = {
		[HISTORY_MEMORY] = "memory", [HISTORY_SQLITE] = "sqlite", [HISTORY_NIL] = "nil"};
	const struct value *v = value_path(root, "registry.history_type");
	char *text;

	/* `history_type: nil` is a text in YAML, `null` is none. */
	if (v && value_type(v) != VALUE_STRING && value_type(v) != VALUE_NIL)
		return err_set(e, ERR_INVALID, "registry.history_type: expected a string, got %s", value_type_name(v));
	if (!c->history_enabled || value_type(v) == VALUE_NIL) {
		c->history_type = c->history_enabled ? HISTORY_MEMORY : HISTORY_NIL;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(value_get_string(v, NULL), names[i]) == 0) {
			c->history_type = (enum history_type)i;
			return 0;
		}
	}
	text = xasprintf("registry.history_type: unknown type %s; history is kept in memory (there are memory, sqlite "
			 "and nil)",
		value_get_string(v, NULL));
	warn(text);
	free(text);
	return 0;
}

static int check_ranges(const struct config *c, struct err *e)
{
	if (c->lua_heap_memory < 4 * 1024 * 1024)
		return err_set(e, ERR_INVALID, "lua.heap_memory: expected at least 4M, got %lld bytes",
			(long long)c->lua_heap_memory);
	return 0;
}

/* Relative paths are relative to the folder of the first configuration file. */
static int resolve_path(char **path, const char *first_file, struct err *e)
{
	char cwd[PATH_MAX];
	const char *slash = strrchr(first_file, '/');
	char *joined;

	if (!*path || (*path)[0] == '/' || (*path)[0] == '\0')
		return 0;
	if (!getcwd(cwd, sizeof(cwd)))
		return err_set_errno(e, ERR_INTERNAL, errno, "cannot tell the working directory");
	if (slash && first_file[0] == '/')
		joined = xasprintf("%.*s/%s", (int)(slash - first_file), first_file, *path);
	else if (slash)
		joined = xasprintf("%s/%.*s/%s", cwd, (int)(slash - first_file), first_file, *path);
	else
		joined = xasprintf("%s/%s", cwd, *path);
	free(*path);
	*path = joined;
	return 0;
}

static void set_defaults(struct config *c)
{
	*c = (struct config){
		.state_dir = xstrdup(".wippy/net"),
		.drain_timeout_ns = 30 * INT64_C(1000000000),
		.history_enabled = true,
		.history_path = xstrdup(".wippy/registry.db"),
		.event_wait_ns = 30 * INT64_C(1000000000),
		.shutdown_timeout_ns = 30 * INT64_C(1000000000),
		.log_console = true,
		.log_min_level = -1,
		.lua_heap_processes = 4096,
		.lua_heap_memory = 256 * 1024 * 1024,
		.http_timeout_ns = 30 * INT64_C(1000000000),
		.http_idle_ns = 90 * INT64_C(1000000000),
		.http_idle_max = 100,
		.http_idle_per_host = 10,
	};
}

/* Say where the refused value `v` stands. Values of --set have no line; which of several files one came from is not kept. */
static void name_origin(const struct config_sources *src, const struct value *v, struct err *e)
{
	unsigned line = value_line(v);

	if (line == 0)
		err_prefix(e, "--set");
	else if (src->files->count > 1)
		err_prefix(e, "one of the configuration files: line %u", line);
	else
		err_prefix(e, "%s: line %u", src->files->count == 1 ? src->files->items[0] : CONFIG_DEFAULT_FILE, line);
}

int config_load(const struct config_sources *src, void (*warn)(const char *text), struct config *ret, struct err *e)
{
	const char *first = src->files->count > 0 ? src->files->items[0] : CONFIG_DEFAULT_FILE;
	struct config c;

	set_defaults(&c);
	if (config_merge(src, warn, &c.root, e) < 0)
		goto fail;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct value *v = keys[i].offset == NONE ? NULL : value_path(c.root, keys[i].path);

		if (v && read_key(&keys[i], v, &c, e) < 0) {
			name_origin(src, v, e);
			goto fail;
		}
	}
	if (read_encoding(c.root, &c, e) < 0) {
		name_origin(src, value_path(c.root, "logger.encoding"), e);
		goto fail;
	}
	if (read_history_type(c.root, warn, &c, e) < 0) {
		name_origin(src, value_path(c.root, "registry.history_type"), e);
		goto fail;
	}
	if (check_ranges(&c, e) < 0) {
		err_prefix(e, "configuration");
		goto fail;
	}
	if (resolve_path(&c.state_dir, first, e) < 0 || resolve_path(&c.sidecar, first, e) < 0)
		goto fail;
	if (c.default_network && !c.default_network[0]) {
		free(c.default_network);
		c.default_network = NULL;
	}
	/* 0 asks for the default. */
	c.http_timeout_ns = c.http_timeout_ns ? c.http_timeout_ns : 30 * INT64_C(1000000000);
	c.http_idle_ns = c.http_idle_ns ? c.http_idle_ns : 90 * INT64_C(1000000000);
	c.http_idle_max = c.http_idle_max ? c.http_idle_max : 100;
	c.http_idle_per_host = c.http_idle_per_host ? c.http_idle_per_host : 10;
	*ret = c;
	return 0;
fail:
	config_done(&c);
	return -1;
}

void config_done(struct config *c)
{
	free(c->state_dir);
	free(c->default_network);
	free(c->sidecar);
	free(c->history_path);
	value_unref(c->root);
	*c = (struct config){0};
}
