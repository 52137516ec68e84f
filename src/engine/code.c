#include "engine/code.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/front.h"
#include "engine/state.h"

static atomic_uint_fast64_t next_serial = 1;

static struct code_dependency *find_alias(const struct code *c, const char *alias)
{
	for (size_t i = 0; i < c->ndependencies; i++) {
		if (strcmp(c->dependencies[i].alias, alias) == 0)
			return &c->dependencies[i];
	}
	return NULL;
}

/* A library may be met on several ways: the longest one counts, so that it always runs before whoever imports it. */
static int add_dependency(struct code *c, const char *alias, struct code *library, unsigned level, struct err *e)
{
	struct code_dependency *d = find_alias(c, alias);

	if (d) {
		if (strcmp(d->library->id, library->id) != 0)
			return err_set(e, ERR_CONFLICT, "alias '%s' collision: it means both '%s' and '%s' in '%s'",
				alias, d->library->id, library->id, c->id);
		if (d->level < level)
			d->level = level;
		return 0;
	}
	c->dependencies = xreallocarray(c->dependencies, c->ndependencies + 1, sizeof(*c->dependencies));
	d = &c->dependencies[c->ndependencies++];
	d->alias = xstrdup(alias);
	d->library = code_ref(library);
	d->level = level;
	return 0;
}

static void add_module(struct code *c, const struct module *m)
{
	for (size_t i = 0; i < c->nmodules; i++) {
		if (c->modules[i] == m)
			return;
	}
	c->modules = xreallocarray(c->modules, c->nmodules + 1, sizeof(*c->modules));
	c->modules[c->nmodules++] = m;
}

static int add_closure(struct code *c, const struct code_spec *spec, struct err *e)
{
	for (size_t i = 0; i < spec->nmodules; i++)
		add_module(c, spec->modules[i]);
	for (size_t i = 0; i < spec->nimports; i++) {
		struct code *library = spec->imports[i].library;

		if (add_dependency(c, spec->imports[i].alias, library, 1, e) < 0)
			return -1;
		for (size_t k = 0; k < library->ndependencies; k++) {
			const struct code_dependency *d = &library->dependencies[k];

			if (add_dependency(c, d->alias, d->library, d->level + 1, e) < 0)
				return -1;
		}
		for (size_t k = 0; k < library->nmodules; k++)
			add_module(c, library->modules[k]);
	}
	for (size_t i = 0; i < c->nmodules; i++) {
		const struct code_dependency *d = find_alias(c, c->modules[i]->name);

		if (d)
			return err_set(e, ERR_CONFLICT, "alias '%s' collision: it means both a module and '%s' in '%s'",
				d->alias, d->library->id, c->id);
	}
	return 0;
}

static int compare_dependencies(const void *a, const void *b)
{
	const struct code_dependency *x = a, *y = b;
	int order;

	if (x->level != y->level)
		return x->level > y->level ? -1 : 1;
	order = strcmp(x->library->id, y->library->id);
	return order != 0 ? order : strcmp(x->alias, y->alias);
}

/* -- constants ----------------------------------------------------------------------------------------- */

static void note_assigned(struct code *c, const struct front_output *out)
{
	c->assigned = xcalloc(out->nglobals, sizeof(*c->assigned));
	for (size_t i = 0; i < out->nglobals; i++) {
		if (out->globals[i].is_assigned)
			c->assigned[c->nassigned++] = xstrdup(out->globals[i].name);
	}
}

static bool assigns(const struct code *c, const char *name)
{
	for (size_t i = 0; i < c->nassigned; i++) {
		if (strcmp(c->assigned[i], name) == 0)
			return true;
	}
	return false;
}

/* May a program that begins with this code ever see another value under that name than the first one? */
static bool may_change(const struct code *c, const char *name)
{
	if (assigns(c, name) || find_alias(c, name))
		return true;
	for (size_t i = 0; i < c->ndependencies; i++) {
		if (assigns(c->dependencies[i].library, name))
			return true;
	}
	return false;
}

/* Who will assign to the globals of a library is known to the entries that import it, not here: so it has no constants. */
static void note_constants(struct code *c, const struct front_output *out)
{
	if (!c->method || c->names_globals || c->opens_globals)
		return;
	c->constants = xcalloc(out->nglobals, sizeof(*c->constants));
	for (size_t i = 0; i < out->nglobals; i++) {
		const struct front_global *g = &out->globals[i];

		/* No library and no function can be calculated with, and the error is to name a global variable. */
		if (g->is_operand || may_change(c, g->name))
			continue;
		c->constants[c->nconstants++] = (struct code_constant){
			.name = xstrdup(g->name),
			.is_only_indexed = g->is_only_indexed,
			.is_indexed = g->is_indexed,
			.is_called = g->is_called,
		};
	}
}

int code_new(const struct code_spec *spec, struct code **ret_code, struct err *e)
{
	struct code *c = xcalloc(1, sizeof(*c));
	struct front_output out = {0};

	refcount_init(&c->refs);
	c->id = xstrdup(spec->id);
	c->method = spec->method ? xstrdup(spec->method) : NULL;
	if (add_closure(c, spec, e) < 0 || front_translate(spec->id, spec->source, spec->source_len, &out, e) < 0) {
		code_unref(c);
		return -1;
	}
	c->text = out.lua;
	c->text_len = out.len;
	out.lua = NULL; /* ours now */
	c->names_globals = strstr(c->text, "_G") != NULL;
	c->opens_globals = out.opens_globals;
	for (size_t i = 0; i < c->ndependencies; i++) {
		c->names_globals |= c->dependencies[i].library->names_globals;
		c->opens_globals |= c->dependencies[i].library->opens_globals;
	}
	note_assigned(c, &out);
	note_constants(c, &out);
	front_output_done(&out);
	if (c->ndependencies > 0)
		qsort(c->dependencies, c->ndependencies, sizeof(*c->dependencies), compare_dependencies);
	c->serial = atomic_fetch_add_explicit(&next_serial, 1, memory_order_relaxed);
	*ret_code = c;
	return 0;
}

struct code *code_ref(struct code *c)
{
	refcount_inc(&c->refs);
	return c;
}

void code_unref(struct code *c)
{
	if (!c || !refcount_dec(&c->refs))
		return;
	for (size_t i = 0; i < c->ndependencies; i++) {
		free(c->dependencies[i].alias);
		code_unref(c->dependencies[i].library);
	}
	free(c->dependencies);
	for (size_t i = 0; i < c->nassigned; i++)
		free(c->assigned[i]);
	free(c->assigned);
	for (size_t i = 0; i < c->nconstants; i++)
		free(c->constants[i].name);
	free(c->constants);
	free(c->modules);
	free(c->text);
	free(c->method);
	free(c->id);
	free(c);
}

const char *code_id(const struct code *c)
{
	return c->id;
}

const char *code_method(const struct code *c)
{
	return c->method;
}

uint64_t code_serial(const struct code *c)
{
	return c->serial;
}
