#include "app/start.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/log_output.h"
#include "base/alloc.h"
#include "base/log.h"

static const char default_lock_path[] = "wippy.lock";

/* Warnings about configuration come before logging is set up. */
static struct {
	char *texts[CONFIG_WARNINGS_MAX];
	size_t count;
} warnings;

static void keep_warning(const char *text)
{
	if (warnings.count < CONFIG_WARNINGS_MAX)
		warnings.texts[warnings.count++] = xstrdup(text);
}

static bool warns_directly;

void start_warn(const char *text)
{
	if (warns_directly)
		fprintf(stderr, "Warning: %s\n", text);
	else
		log_warn("project", text);
}

/* A mistyped default_network must not go unseen because a command keeps the log quiet. */
static bool is_told_directly(const struct start_options *o)
{
	return o->quiet && !o->globals->silent;
}

static void tell_warnings(const struct start_options *o)
{
	warns_directly = is_told_directly(o);
	for (size_t i = 0; i < warnings.count; i++) {
		if (warns_directly)
			fprintf(stderr, "Warning: %s\n", warnings.texts[i]);
		else
			log_warn("config", warnings.texts[i]);
		free(warnings.texts[i]);
	}
	warnings.count = 0;
}

static int64_t memory_limit(const struct cli_globals *g, int64_t otherwise)
{
	const char *texts[] = {g->memory_limit, getenv("GOMEMLIMIT")};
	int64_t bytes;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (texts[i] && config_parse_size(texts[i], &bytes) == 0 && bytes >= 4 * 1024 * 1024)
			return bytes;
	}
	return otherwise;
}

static void start_logging(const struct start_options *o, const struct config *c)
{
	const struct cli_globals *g = o->globals;
	bool debug = g->verbose || g->very_verbose;
	enum log_format format = LOG_FORMAT_DEFAULT;
	int64_t min = debug ? LOG_DEBUG : c->log_min_level > LOG_INFO ? c->log_min_level : LOG_INFO;

	if (g->silent || o->quiet || !c->log_console)
		format = LOG_FORMAT_NONE;
	else if (g->console)
		format = LOG_FORMAT_CONSOLE;
	else if (c->log_json)
		format = LOG_FORMAT_JSON;
	log_output_start(format, (enum log_level)(min > LOG_ERROR ? LOG_ERROR : min));
}

/* -- overrides -- */

/* A map under a key is a set of fields: {"app:x:meta": {a: 1}} overrides app:x:meta.a. */
static int override_leaves(struct project_entries *p, const char *key, const struct value *v, struct err *e)
{
	if (value_type(v) != VALUE_MAP || value_count(v) == 0)
		return project_override(p, key, v, e);
	for (size_t i = 0; i < value_count(v); i++) {
		const char *name;
		const struct value *item = value_pair(v, i, &name, NULL);
		char *below = xasprintf("%s.%s", key, name);
		int rc = override_leaves(p, below, item, e);

		free(below);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int override_from_config(struct project_entries *p, const struct config *c, struct err *e)
{
	const struct value *overrides = value_get(c->root, "override");

	for (size_t i = 0; i < value_count(overrides); i++) {
		const char *key;
		const struct value *v = value_pair(overrides, i, &key, NULL);

		if (override_leaves(p, key, v, e) < 0)
			return -1;
	}
	return 0;
}

/* One -o may hold several, separated by commas: "a:b:c=1,d:e:f=2". A part without '=' belongs to the value before it. */
static int override_from_flag(struct project_entries *p, const char *flag, struct err *e)
{
	char *copy = xstrdup(flag), *at = copy;
	int rc = 0;

	while (at && rc == 0) {
		char *equals = strchr(at, '=');
		char *end = equals;

		if (!equals || equals == at) {
			rc = err_set(e, ERR_INVALID, "invalid override: %s (expected namespace:entry:path=value)", at);
			break;
		}
		/* The next override begins after a comma that is followed by two colons before its '='. */
		while ((end = strchr(end, ','))) {
			char *next_equals = strchr(end, '='), *colon = strchr(end, ':');

			if (next_equals && colon && colon < next_equals &&
				memchr(colon + 1, ':', (size_t)(next_equals - colon - 1)))
				break;
			end++;
		}
		if (end)
			*end++ = '\0';
		*equals = '\0';

		struct value *v = config_coerce(equals + 1);

		rc = project_override(p, at, v, e);
		value_unref(v);
		at = end;
	}
	free(copy);
	return rc;
}

static int apply_overrides(const struct start_options *o, struct start *s, struct err *e)
{
	if (override_from_config(&s->entries, &s->config, e) < 0)
		return -1;
	for (size_t i = 0; i < o->flags->overrides.count; i++) {
		if (override_from_flag(&s->entries, o->flags->overrides.items[i], e) < 0)
			return -1;
	}
	return 0;
}

static void warn_unresolved(void *arg, const struct err *e)
{
	const struct start_options *o = arg;

	if (is_told_directly(o))
		fprintf(stderr, "Warning: unresolved requirement: %s\n", e->text);
	else
		log_warn("project", "unresolved requirement", LOG_STR("error", e->text));
}

/* What was said explicitly comes once more after linking, and so wins over what was linked. */
static int normalise(const struct start_options *o, struct start *s, struct err *e)
{
	if (apply_overrides(o, s, e) < 0 ||
		project_disable(&s->entries, value_path(s->config.root, "disable.namespaces"),
			value_path(s->config.root, "disable.entries"), e) < 0)
		return -1;
	if (project_link(&s->entries, warn_unresolved, (void *)o, e) < 0)
		return -1;
	return apply_overrides(o, s, e);
}

struct problems {
	const char *prefix;
	size_t count;
};

static void print_problem(void *arg, const struct err *e)
{
	struct problems *p = arg;

	/* The first is the error the command ends with; the others are shown before it. */
	if (p->count++ > 0)
		fprintf(stderr, "%s%s\n", p->prefix, e->text);
}

char *start_project_dir(const struct start_options *o)
{
	const char *slash = o->lock_path ? strrchr(o->lock_path, '/') : NULL;

	if (!slash)
		return xstrdup(".");
	return slash == o->lock_path ? xstrdup("/") : xmemdupz(o->lock_path, (size_t)(slash - o->lock_path));
}

static int read_entries(const struct start_options *o, const char *prefix, struct start *s, struct err *e)
{
	struct project_lock lock = {0};
	struct problems problems = {.prefix = prefix};
	const char *lock_path = o->lock_path ? o->lock_path : default_lock_path;
	char *dir;
	int rc;

	if (project_lock_read(lock_path, &lock, e) < 0) {
		if (e->kind != ERR_NOT_FOUND || o->lock_required)
			return -1;
		log_info("project", "no lock file here; starting with an empty registry", LOG_STR("path", lock_path));
		return 0;
	}
	s->has_lock = true;
	dir = start_project_dir(o);
	rc = project_load(&lock, dir, print_problem, &problems, &s->entries, e);
	free(dir);
	project_lock_done(&lock);
	if (rc < 0 && problems.count > 1) {
		char *text = xasprintf("%s (and %zu more, above)", e->text, problems.count - 1);

		err_set(e, e->kind, "%s", text);
		free(text);
	}
	return rc;
}

static int read_config(const struct start_options *o, void (*warn)(const char *text), struct config *ret, struct err *e)
{
	struct config_sources src = {
		.files = &o->globals->config_files,
		.profiles = &o->flags->profiles,
		.sets = &o->flags->sets,
	};

	if (config_load(&src, warn, ret, e) < 0)
		return -1;
	ret->lua_heap_memory = memory_limit(o->globals, ret->lua_heap_memory);
	ret->log_events |= o->globals->event_streams;
	return 0;
}

static int read_project(
	const struct start_options *o, const char *prefix, struct start *s, struct start *ret, struct err *e)
{
	if (read_entries(o, prefix, s, e) < 0 || normalise(o, s, e) < 0) {
		start_done(s);
		return -1;
	}
	*ret = *s;
	return 0;
}

int start_read(const struct start_options *o, struct start *ret, struct err *e)
{
	struct start s = {0};

	if (read_config(o, keep_warning, &s.config, e) < 0)
		return -1;
	start_logging(o, &s.config);
	tell_warnings(o);
	return read_project(o, "", &s, ret, e);
}

/* The start has told them. */
static void drop_warning(const char *text)
{
	(void)text;
}

int start_read_again(const struct start_options *o, const char *prefix, struct start *ret, struct err *e)
{
	struct start s = {0};

	if (read_config(o, drop_warning, &s.config, e) < 0)
		return -1;
	return read_project(o, prefix, &s, ret, e);
}

void start_done(struct start *s)
{
	project_entries_done(&s->entries);
	config_done(&s->config);
}

void start_flags_done(struct start_flags *f)
{
	option_list_done(&f->overrides);
	option_list_done(&f->sets);
	option_list_done(&f->profiles);
}
