/*
 * lua_run.h - run the body of a method in a fresh instance and show what came out.
 *
 * run_body() gives "json of the result", "failed: message" (kind Internal), "failed <kind>: message" or "waiting" when the task rests.
 * The text lives until the next call.
 */
#ifndef TEST_ENGINE_LUA_RUN_H
#define TEST_ENGINE_LUA_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "engine/channel.h"
#include "engine/code.h"
#include "engine/heap.h"
#include "engine/lua_api.h"
#include "engine/packed.h"
#include "engine/task.h"
#include "value/json.h"

enum { RUNS_MAX = 100000 };

static unsigned wakes; /* how often a resting task was woken */

static inline void count_wake(struct task *t)
{
	(void)t;
	wakes++;
}

static const struct task_ops plain_ops = {.wake = count_wake};

static inline struct heap *make_heap(size_t memory_max, const struct module_list *modules)
{
	struct heap_config cfg = {.memory_max = memory_max, .modules = modules};
	struct err e = {0};
	struct heap *h;

	if (heap_new(&cfg, &h, &e) < 0)
		fail_msg("heap_new: %s", e.text);
	return h;
}

static inline struct code *make_code(const char *id, const char *source, const char *method)
{
	struct code_spec spec = {.id = id, .source = source, .source_len = strlen(source), .method = method};
	struct err e = {0};
	struct code *c;

	if (code_new(&spec, &c, &e) < 0)
		fail_msg("code_new: %s", e.text);
	return c;
}

static inline struct instance *make_instance(struct heap *h, const char *source)
{
	struct code *c = make_code("app:test", source, "main");
	struct err e = {0};
	struct instance *in;

	if (instance_new(h, c, 0, &in, &e) < 0)
		fail_msg("instance_new: %s\nin: %s", e.text, source);
	code_unref(c);
	return in;
}

static inline void start_task(
	struct task *t, const struct task_ops *ops, struct instance *in, const struct packed *args)
{
	struct err e = {0};

	memset(t, 0, sizeof(*t));
	if (task_init(t, ops, in, NULL, args, &e) < 0)
		fail_msg("task_init: %s", e.text);
}

static inline enum task_status run_task(struct task *t)
{
	enum task_status st = TASK_READY;

	for (unsigned n = 0; st == TASK_READY && n < RUNS_MAX; n++)
		st = task_run(t, 100);
	return st;
}

static inline const char *show_task(struct task *t, enum task_status st)
{
	static struct buf text;
	struct value *v;
	const struct failure *f;

	buf_done(&text);
	switch (st) {
	case TASK_DONE:
		if (packed_count(task_result(t)) == 0)
			return "nothing";
		v = packed_to_value(task_result(t), 0);
		if (v && value_type(v) == VALUE_STRING)
			buf_adds(&text, value_get_string(v, NULL));
		else
			json_write(v, &text);
		value_unref(v);
		return buf_str(&text);
	case TASK_FAILED:
		f = task_failure(t);
		buf_addf(&text, strcmp(f->kind, "Internal") == 0 ? "failed%s: %s" : "failed %s: %s",
			strcmp(f->kind, "Internal") == 0 ? "" : f->kind, f->message);
		return buf_str(&text);
	case TASK_WAITING:
		return "waiting";
	case TASK_READY:
		return "endless";
	}
	return "?";
}

static inline const char *run_source_in(struct heap *h, const char *source, const struct packed *args)
{
	struct instance *in = make_instance(h, source);
	const char *text;
	struct task t;

	start_task(&t, &plain_ops, in, args);
	text = show_task(&t, run_task(&t));
	task_done(&t);
	instance_free(in);
	return text;
}

static inline const char *run_body(struct heap *h, const char *body)
{
	char *source = xasprintf("local function main(...) %s\nend return { main = main }", body);
	const char *text = run_source_in(h, source, NULL);

	free(source);
	return text;
}

struct lua_case {
	const char *body;
	const char *want; /* the text; with a leading "~" a part of it */
};

static inline void check_cases(const struct lua_case *cases, size_t n)
{
	struct heap *h = make_heap(256 << 20, NULL);
	size_t wrong = 0;

	for (size_t i = 0; i < n; i++) {
		const char *got = run_body(h, cases[i].body);
		const char *want = cases[i].want;

		if (want[0] == '~' ? strstr(got, want + 1) != NULL : strcmp(got, want) == 0)
			continue;
		print_error("%s\n  want: %s\n  got:  %s\n", cases[i].body, want, got);
		wrong++;
	}
	assert_int_equal(heap_instances(h), 0);
	heap_free(h);
	assert_int_equal(wrong, 0);
}

#endif
