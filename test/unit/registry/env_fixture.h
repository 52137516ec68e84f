/*
 * env_fixture.h - an environment made of entries written as YAML, and checks that print what went wrong.
 */
#ifndef TEST_ENV_FIXTURE_H
#define TEST_ENV_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "registry/env.h"
#include "value/yaml.h"

static struct value *parse(const char *yaml)
{
	struct value *doc;
	struct err e = {0};

	if (yaml_parse("test", yaml, strlen(yaml), &doc, &e) < 0)
		fail_msg("%s: %s", yaml, e.text);
	return doc;
}

static struct entry *entry_make(const char *id, const char *yaml)
{
	struct entry *x = xcalloc(1, sizeof(*x));

	refcount_init(&x->refs);
	x->id = xstrdup(id);
	entry_id_split(id, &x->ns, &x->name);
	x->kind = xstrdup("test");
	x->meta = value_map();
	x->data = parse(yaml);
	x->file = xstrdup("");
	return x;
}

static int put_storage(struct env *env, enum env_storage_type type, const char *id, const char *yaml, struct err *e)
{
	struct entry *x = entry_make(id, yaml);
	int rc = env_storage_put(env, type, x, e);

	entry_unref(x);
	return rc;
}

static int put_variable(struct env *env, const char *id, const char *yaml, struct err *e)
{
	struct entry *x = entry_make(id, yaml);
	int rc = env_variable_put(env, x, e);

	entry_unref(x);
	return rc;
}

static void storage(struct env *env, enum env_storage_type type, const char *id, const char *yaml)
{
	struct err e = {0};

	if (put_storage(env, type, id, yaml, &e) < 0)
		fail_msg("%s: %s", id, e.text);
}

static void variable(struct env *env, const char *id, const char *yaml)
{
	struct err e = {0};

	if (put_variable(env, id, yaml, &e) < 0)
		fail_msg("%s: %s", id, e.text);
}

static int set(struct env *env, const char *name, const char *text, struct err *e)
{
	struct env_variable *v;
	int rc;

	if (env_variable_find(env, "app", name, &v, e) < 0)
		return -1;
	rc = env_variable_set(env, v, text, e);
	env_variable_unref(v);
	return rc;
}

static inline void set_well(struct env *env, const char *name, const char *text)
{
	struct err e = {0};

	if (set(env, name, text, &e) < 0)
		fail_msg("set %s: %s", name, e.text);
}

static inline void assert_value(struct env *env, const char *ns, const char *name, const char *want)
{
	struct err e = {0};
	char *text;

	if (env_lookup(env, ns, name, &text, &e) < 0)
		fail_msg("%s: %s", name, e.text);
	assert_string_equal(text, want);
	env_text_free(text);
}

static inline void assert_error(int rc, const struct err *e, enum err_kind kind, const char *text)
{
	assert_int_equal(rc, -1);
	assert_string_equal(e->text, text);
	assert_string_equal(err_kind_name(e->kind), err_kind_name(kind));
}

static inline void assert_no_value(
	struct env *env, const char *ns, const char *name, enum err_kind kind, const char *want)
{
	struct err e = {0};
	char *text = NULL;

	assert_error(env_lookup(env, ns, name, &text, &e), &e, kind, want);
	assert_null(text);
}

#endif
