/*
 * app_run.h - run a small application in this program: entries as YAML text, app:main on a terminal host.
 */
#ifndef TEST_SERVICE_APP_RUN_H
#define TEST_SERVICE_APP_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "bind/modules.h"
#include "engine/channel.h"
#include "service/kinds.h"
#include "service/runtime.h"
#include "value/yaml.h"

enum { APP_ENTRIES_MAX = 64 };

static const struct kind *const app_kind_array[] = {
	&function_lua_kind,
	&library_lua_kind,
	&process_host_kind,
	&process_lua_kind,
	&process_service_kind,
	&terminal_host_kind,
};
static const struct kind_list app_run_kinds = {app_kind_array, ARRAY_LEN(app_kind_array)};

static const struct module app_module_array[] = {
	{"channel", channel_open, true},
	{"ctx", bind_ctx_open, false},
	{"funcs", bind_funcs_open, false},
	{"process", bind_process_open, true},
	{"subscribe", bind_subscribe_open, true},
	{"unsubscribe", bind_unsubscribe_open, true},
};
static const struct module_list app_run_modules = {app_module_array, ARRAY_LEN(app_module_array)};

struct app_result {
	int exit_code;
	char text[2048]; /* what goes to stderr, or why it did not start */
};

static inline struct entry *app_entry(const struct value *v)
{
	struct entry *e = xcalloc(1, sizeof(*e));

	refcount_init(&e->refs);
	e->ns = xstrdup("app");
	e->name = xstrdup(value_get_string(value_get(v, "name"), NULL));
	e->id = xasprintf("app:%s", e->name);
	e->kind = xstrdup(value_get_string(value_get(v, "kind"), NULL));
	e->meta = value_get(v, "meta") ? value_ref((struct value *)(uintptr_t)value_get(v, "meta")) : value_map();
	e->data = value_ref((struct value *)(uintptr_t)v);
	e->file = xstrdup("test.yaml");
	e->line = value_line(v);
	return e;
}

static inline void app_over(void *arg, int exit_code, const char *text, const struct failure *failure)
{
	struct app_result *r = arg;

	(void)failure;
	r->exit_code = exit_code;
	if (text)
		snprintf(r->text, sizeof(r->text), "%s", text);
}

/* Append the entries of a YAML list. */
static inline void app_entries(const char *yaml, struct entry **entries, size_t *n)
{
	struct value *list;
	struct err e;

	if (yaml_parse("test.yaml", yaml, strlen(yaml), &list, &e) < 0)
		fail_msg("%s", e.text);
	for (size_t i = 0; i < value_count(list); i++)
		entries[(*n)++] = app_entry(value_at(list, i));
	value_unref(list);
}

/* `yaml` and `more` (may be NULL) are lists of entries; runs app:main. exit_code -1: it did not start. */
static inline struct app_result app_run(const char *yaml, const char *more, const struct runtime_config *base)
{
	struct app_result r = {.exit_code = -1};
	struct entry *entries[APP_ENTRIES_MAX];
	struct runtime_config cfg = *base;
	const char *const args[] = {"one", "two"};
	struct runtime *rt;
	struct err e;
	size_t n = 0;
	int code;

	app_entries(yaml, entries, &n);
	if (more)
		app_entries(more, entries, &n);
	cfg.kinds = &app_run_kinds;
	cfg.modules = &app_run_modules;
	assert_int_equal(runtime_new(&cfg, &rt, &e), 0);
	if (runtime_load(rt, entries, n, &e) < 0)
		goto failed;
	runtime_start(rt);
	if (runtime_exec(rt, "app:main", NULL, args, 2, app_over, &r, &e) < 0)
		goto failed;
	code = runtime_run(rt);
	assert_int_equal(code, r.exit_code);
	goto out;
failed:
	snprintf(r.text, sizeof(r.text), "%s", e.text);
out:
	runtime_free(rt);
	for (size_t i = 0; i < n; i++)
		entry_unref(entries[i]);
	return r;
}

/* The entry app:main around the body of a method that gets (...). */
static inline char *app_main(const char *body)
{
	struct value *list = value_list(), *main = value_map(), *modules = value_list();
	struct buf out = BUF_INIT;
	char *source = xasprintf("return { main = function(...) %s end }", body);

	value_map_set(main, "name", value_cstring("main"));
	value_map_set(main, "kind", value_cstring("process.lua"));
	value_map_set(main, "source", value_cstring(source));
	value_list_append(modules, value_cstring("funcs"));
	value_list_append(modules, value_cstring("ctx"));
	value_map_set(main, "modules", modules);
	value_list_append(list, main);
	yaml_write(list, &out);
	value_unref(list);
	free(source);
	return buf_detach(&out, NULL);
}

#endif
