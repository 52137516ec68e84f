/*
 * kind_lua.c - process.lua, function.lua and library.lua: source text becomes code that can run.
 *
 * A changed library rebuilds what imports it: new calls and processes use the new code, running ones finish on the old. What replaces a program is kept
 * aside until the whole change is agreed on, so that nobody runs code of a change that is refused.
 */
#include <stdlib.h>
#include <string.h>

#include "actor/call.h"
#include "actor/program.h"
#include "base/alloc.h"
#include "base/log.h"
#include "bind/current.h"
#include "engine/code.h"
#include "service/kinds.h"
#include "service/runtime.h"

enum {
	POOL_LAZY_AUTO = 100, /* calls at once of a function that says nothing about its pool */
	POOL_LAZY = 16,
	POOL_STATIC = 8,
	POOL_MAX = 1 << 20,
};

/* -- code -------------------------------------------------------------------------------------------- */

struct parts {
	const struct module **modules;
	size_t nmodules;
	struct code_import *imports;
	size_t nimports;
};

static void parts_done(struct parts *p)
{
	free(p->modules);
	free(p->imports);
}

/* Always there as globals, whether listed or not. */
static bool is_base_library(const char *name)
{
	static const char *const names[] = {"table", "string", "math", "os", "errors", "coroutine", "utf8"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static int read_modules(struct runtime *rt, const struct entry *e, struct parts *ret, struct err *err)
{
	const struct value *list = value_get(e->data, "modules");

	if (!list)
		return 0;
	if (value_type(list) != VALUE_LIST)
		return err_set(err, ERR_INVALID, "field 'modules': expected list, got %s", value_type_name(list));
	ret->modules = xcalloc(value_count(list) + 1, sizeof(struct module *));
	for (size_t i = 0; i < value_count(list); i++) {
		const struct value *v = value_at(list, i);
		const char *name = value_text(v, "");
		const struct module *m;

		if (!*name)
			return err_set(err, ERR_INVALID, "field 'modules': module cannot be empty");
		if (strchr(name, ':'))
			return err_set(err, ERR_INVALID, "field 'modules': module cannot have a namespace: '%s'", name);
		if (is_base_library(name))
			continue;
		m = module_find(rt->config.modules, name);
		if (!m)
			return err_set(err, ERR_NOT_FOUND,
				"field 'modules': failed to add dependency: node with ID %s not found", name);
		for (size_t k = 0; k < ret->nmodules; k++)
			if (ret->modules[k] == m)
				return err_set(err, ERR_ALREADY_EXISTS,
					"field 'modules': dependency from %s to %s already exists", e->id, name);
		ret->modules[ret->nmodules++] = m;
	}
	return 0;
}

static int read_imports(struct runtime *rt, const struct entry *e, struct parts *ret, struct err *err)
{
	const struct value *map = value_get(e->data, "imports");

	if (!map)
		return 0;
	if (value_type(map) != VALUE_MAP)
		return err_set(err, ERR_INVALID, "field 'imports': expected map, got %s", value_type_name(map));
	ret->imports = xcalloc(value_count(map) + 1, sizeof(struct code_import));
	for (size_t i = 0; i < value_count(map); i++) {
		const char *alias;
		const struct value *v = value_pair(map, i, &alias, NULL);
		const char *ref = value_text(v, "");
		struct code *library;
		char *id;

		if (!*alias)
			return err_set(err, ERR_INVALID, "field 'imports': import alias cannot be empty");
		if (!*ref || ref[strlen(ref) - 1] == ':')
			return err_set(err, ERR_INVALID, "field 'imports': import :name cannot be empty");
		id = entry_id_resolve(ref, e->ns);
		library = map_get(rt->libraries, id);
		if (!library)
			err_set(err, ERR_NOT_FOUND,
				"field 'imports': failed to add dependency: node with ID %s not found", id);
		free(id);
		if (!library)
			return -1;
		for (size_t k = 0; k < ret->nimports; k++)
			if (ret->imports[k].library == library)
				return err_set(err, ERR_ALREADY_EXISTS,
					"field 'imports': dependency from %s to %s already exists", e->id, ref);
		ret->imports[ret->nimports++] = (struct code_import){alias, library};
	}
	return 0;
}

/* `method` is what an entry without the field gets; NULL for libraries. */
static int build_code(
	struct runtime *rt, const struct entry *e, const char *method, struct code **ret_code, struct err *err)
{
	const struct value *source = value_get(e->data, "source");
	struct code_spec spec = {.id = e->id};
	struct parts parts = {0};
	int rc = -1;

	if (value_type(source) != VALUE_STRING || !*value_get_string(source, &spec.source_len))
		return err_set(err, ERR_INVALID, "invalid configuration: field 'source': source is required");
	spec.source = value_get_string(source, &spec.source_len);
	if (method && value_read_string(e->data, "method", &method, err) < 0)
		return -1;
	if (method && !*method)
		return err_set(err, ERR_INVALID, "invalid configuration: field 'method': method is required");
	spec.method = method;
	if (read_modules(rt, e, &parts, err) < 0 || read_imports(rt, e, &parts, err) < 0)
		goto out;
	spec.modules = parts.modules;
	spec.nmodules = parts.nmodules;
	spec.imports = parts.imports;
	spec.nimports = parts.nimports;
	rc = code_new(&spec, ret_code, err);
out:
	parts_done(&parts);
	return rc;
}

/* -- pools ------------------------------------------------------------------------------------------- */

/* How many calls of the function run at once, whether what one keeps outlives a pause, and whether all instances are made beforehand (static). How long a queue of
 * callers is cannot be seen from a program: callers wait either way. An adaptive pool grows when a caller finds no idle instance and shrinks when they rest. */
static int read_pool(const struct entry *e, unsigned *ret_max, bool *ret_keep, bool *ret_warm, struct err *err)
{
	const struct value *pool = value_get(e->data, "pool");
	const char *type = "";
	int64_t workers = 0, size = 0, max_size = 0, buffer = 0, max;
	bool warm_start = false;

	*ret_max = POOL_LAZY_AUTO;
	*ret_keep = false;
	*ret_warm = false;
	if (!pool)
		return 0;
	if (value_type(pool) != VALUE_MAP)
		return err_set(err, ERR_INVALID, "field 'pool': expected map, got %s", value_type_name(pool));
	if (value_read_string(pool, "type", &type, err) < 0 || value_read_int(pool, "workers", &workers, err) < 0 ||
		value_read_int(pool, "size", &size, err) < 0 || value_read_int(pool, "max_size", &max_size, err) < 0 ||
		value_read_int(pool, "buffer", &buffer, err) < 0 ||
		value_read_bool(pool, "warm_start", &warm_start, err) < 0)
		return err_prefix(err, "pool");
	if (workers < 0 || size < 0 || max_size < 0 || buffer < 0)
		return err_set(err, ERR_INVALID, "field 'pool': sizes must not be negative");
	if (strcmp(type, "inline") == 0)
		max = 1;
	else if (strcmp(type, "lazy") == 0 || strcmp(type, "adaptive") == 0)
		max = max_size ? max_size : POOL_LAZY;
	else if (strcmp(type, "static") == 0)
		max = workers ? workers : size ? size : POOL_STATIC;
	else if (*type)
		return err_set(err, ERR_INVALID, "field 'pool.type': unknown pool type: %s", type);
	else if (workers > 0)
		max = workers;
	else if (size > 0 && max_size == 0)
		max = 1;
	else
		max = max_size ? max_size : POOL_LAZY_AUTO;
	*ret_max = max > POOL_MAX ? POOL_MAX : (unsigned)max;
	/* Only lazy and adaptive pools shrink. */
	*ret_warm = strcmp(type, "static") == 0 || (!*type && workers > 0);
	*ret_keep = strcmp(type, "inline") == 0 || strcmp(type, "static") == 0 ||
		    (!*type && (workers > 0 || (size > 0 && max_size == 0)));
	return 0;
}

/* -- programs ---------------------------------------------------------------------------------------- */

static void retire_program(struct program *p)
{
	if (p && p->pool)
		call_pool_close(p);
	program_unref(p);
}

/* Fill a static pool, as soon as there are workers that can. */
static void warm(struct runtime *rt, struct program *p, unsigned n)
{
	struct frame_edge edge = {.entry_network = p->network};
	struct frame *frame;
	struct err err;

	if (!rt->started || rt->stopping)
		return;
	if (edge_frame(&rt->node, NULL, &edge, &frame, &err) < 0) {
		log_error("function", "the pool of a function could not be filled", LOG_STR("entry", p->id),
			LOG_STR("error", err.text));
		return;
	}
	call_pool_warm(p, n, frame);
	frame_unref(frame);
}

void kind_lua_started(struct runtime *rt)
{
	void *v;

	for (size_t i = 0; map_next(rt->codes, &i, NULL, &v);) {
		const struct entry *e = v;
		struct program *p;
		unsigned max;
		bool keep, warms;

		if (strcmp(e->kind, "function.lua") != 0 || read_pool(e, &max, &keep, &warms, NULL) < 0 || !warms)
			continue;
		p = programs_get(scheduler_programs(rt->node.scheduler), e->id);
		if (p)
			warm(rt, p, max);
		program_unref(p);
	}
}

/* A program that is to replace the one that runs. */
struct staged {
	struct program *program;
	unsigned warm; /* calls to be made ready; 0: none */
};

static void staged_free(void *arg)
{
	struct staged *s = arg;

	if (s)
		retire_program(s->program);
	free(s);
}

static void put_or_stage(struct runtime *rt, struct program *program, unsigned warm_calls)
{
	struct programs *programs = scheduler_programs(rt->node.scheduler);
	struct program *live = programs_get(programs, program->id);

	if (live) {
		struct staged *s = xcalloc(1, sizeof(*s));

		*s = (struct staged){program, warm_calls};
		staged_free(map_set(rt->staged_programs, program->id, s));
	} else {
		if (warm_calls > 0)
			warm(rt, program, warm_calls);
		retire_program(programs_put(programs, program));
	}
	program_unref(live);
}

static void lua_commit(struct runtime *rt)
{
	struct map *staged = rt->staged_programs;
	void *v;

	rt->staged_programs = map_new();
	for (size_t i = 0; map_next(staged, &i, NULL, &v);) {
		struct staged *s = v;

		if (s->warm > 0)
			warm(rt, s->program, s->warm);
		retire_program(programs_put(scheduler_programs(rt->node.scheduler), s->program));
		free(s);
	}
	map_free(staged, NULL);
}

static void lua_discard(struct runtime *rt)
{
	map_free(rt->staged_programs, staged_free);
	rt->staged_programs = map_new();
}

static void take_out(struct runtime *rt, const char *id)
{
	staged_free(map_remove(rt->staged_programs, id));
	retire_program(programs_remove(scheduler_programs(rt->node.scheduler), id));
}

static int put_program(struct runtime *rt, const struct entry *e, enum program_type type, struct err *err)
{
	struct program_spec spec = {.type = type, .id = e->id};
	struct program *program;
	bool warms = false;
	const struct value *host;
	struct code *code;

	if (type == PROGRAM_FUNCTION && read_pool(e, &spec.calls_max, &spec.calls_keep, &warms, err) < 0)
		return -1;
	if (build_code(rt, e, type == PROGRAM_PROCESS ? "main" : "", &code, err) < 0)
		return -1;
	spec.code = code;
	spec.options = value_get(e->meta, "options");
	host = value_get(e->meta, "default_host");
	if (!host)
		host = value_get(spec.options, "default_host");
	if (type == PROGRAM_PROCESS && value_type(host) == VALUE_STRING)
		spec.default_host = value_get_string(host, NULL);
	program = program_new(rt->node.scheduler, &spec);
	put_or_stage(rt, program, warms ? spec.calls_max : 0);
	code_unref(code);
	return 0;
}

static void unref_code(void *c)
{
	code_unref(c);
}

static int put_library(struct runtime *rt, const struct entry *e, struct err *err)
{
	struct code *code;

	if (build_code(rt, e, NULL, &code, err) < 0)
		return -1;
	unref_code(map_set(rt->libraries, e->id, code));
	return 0;
}

static int put(struct runtime *rt, const struct entry *e, struct err *err)
{
	if (strcmp(e->kind, "library.lua") == 0)
		return put_library(rt, e, err);
	return put_program(rt, e, strcmp(e->kind, "function.lua") == 0 ? PROGRAM_FUNCTION : PROGRAM_PROCESS, err);
}

static void unref_entry(void *e)
{
	entry_unref(e);
}

static bool imports(const struct entry *e, const char *id)
{
	const struct value *map = value_get(e->data, "imports");

	for (size_t i = 0; i < value_count(map); i++) {
		const struct value *v = value_pair(map, i, NULL, NULL);
		char *full = entry_id_resolve(value_get_string(v, NULL), e->ns);
		bool same = strcmp(full, id) == 0;

		free(full);
		if (same)
			return true;
	}
	return false;
}

static void rebuild_importers(struct runtime *rt, const char *id)
{
	void *v;

	for (size_t i = 0; map_next(rt->codes, &i, NULL, &v);) {
		const struct entry *e = v;
		struct err err;

		if (!imports(e, id))
			continue;
		if (put(rt, e, &err) < 0)
			log_error("lua", "an entry keeps its old code: it does not build with the changed library",
				LOG_STR("entry", e->id), LOG_STR("library", id), LOG_STR("error", err.text));
		else if (strcmp(e->kind, "library.lua") == 0)
			rebuild_importers(rt, e->id);
	}
}

static int lua_add(struct runtime *rt, struct entry *e, struct err *err)
{
	if (put(rt, e, err) < 0)
		return -1;
	unref_entry(map_set(rt->codes, e->id, entry_ref(e)));
	return 0;
}

/* Whoever imports it uses the new code; one that came back makes those work again that failed without it. */
static int library_put(struct runtime *rt, struct entry *e, struct err *err)
{
	if (lua_add(rt, e, err) < 0)
		return -1;
	rebuild_importers(rt, e->id);
	return 0;
}

static int lua_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	(void)old;
	return lua_add(rt, e, err);
}

static int library_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	(void)old;
	return library_put(rt, e, err);
}

/* Nothing that imports `id` can be started any more; what runs goes on. Their entries stay known, for when it comes back. */
static void disable_importers(struct runtime *rt, const char *id)
{
	void *v;

	for (size_t i = 0; map_next(rt->codes, &i, NULL, &v);) {
		const struct entry *e = v;

		if (!imports(e, id))
			continue;
		if (strcmp(e->kind, "library.lua") == 0) {
			if (map_get(rt->libraries, e->id)) {
				unref_code(map_remove(rt->libraries, e->id));
				disable_importers(rt, e->id);
			}
			continue;
		}
		take_out(rt, e->id);
		log_warn("lua", "an entry cannot run any more: a library it imports was removed",
			LOG_STR("entry", e->id), LOG_STR("library", id));
	}
}

static void program_remove(struct runtime *rt, struct entry *e)
{
	take_out(rt, e->id);
	unref_entry(map_remove(rt->codes, e->id));
}

static void library_remove(struct runtime *rt, struct entry *e)
{
	unref_code(map_remove(rt->libraries, e->id));
	unref_entry(map_remove(rt->codes, e->id));
	/* When the program ends everything goes. */
	if (rt->started && !rt->stopping)
		disable_importers(rt, e->id);
}

const struct kind process_lua_kind = {
	.name = "process.lua",
	.summary = "a process, or a command of `wippy run`",
	.verbatim = "source",
	.add = lua_add,
	.update = lua_update,
	.remove = program_remove,
	.commit = lua_commit,
	.discard = lua_discard,
};

const struct kind function_lua_kind = {
	.name = "function.lua",
	.summary = "a function that others call",
	.verbatim = "source",
	.add = lua_add,
	.update = lua_update,
	.remove = program_remove,
	.commit = lua_commit,
	.discard = lua_discard,
};

const struct kind library_lua_kind = {
	.name = "library.lua",
	.summary = "code that other entries import",
	.verbatim = "source",
	.add = library_put,
	.update = library_update,
	.remove = library_remove,
	.commit = lua_commit,
	.discard = lua_discard,
};
