/* Definition files: what they give, and one clear error for whatever is wrong with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "registry/project.h"
#include "scratch.h"

static int load(struct project_entries *ret, struct err *e)
{
	struct project_lock lock = {.src = "./src", .modules = ".wippy"};

	*ret = (struct project_entries){0};
	return project_load(&lock, scratch_dir, NULL, NULL, ret, e);
}

static const struct entry *find(const struct project_entries *p, const char *id)
{
	for (size_t i = 0; i < p->count; i++) {
		if (strcmp(p->items[i]->id, id) == 0)
			return p->items[i];
	}
	return NULL;
}

static const char *text_at(const struct value *v, const char *path)
{
	const struct value *at = value_path(v, path);

	return value_type(at) == VALUE_STRING ? value_get_string(at, NULL) : "(none)";
}

static void batch_form(void **state)
{
	struct project_entries p;
	struct err e = {0};
	const struct entry *x;

	(void)state;
	scratch_write("src/_index.yaml", "version: \"1.0\"\n"
					 "namespace: app.jobs\n"
					 "meta: {team: infra, comment: shared}\n"
					 "entries:\n"
					 "  - name: worker\n"
					 "    kind: process.lua\n"
					 "    meta: {comment: own, doc: file://notes.md}\n"
					 "    source: file://worker.lua\n"
					 "    modules: [io, json]\n"
					 "  - name: boxed.name\n"
					 "    kind: registry.entry\n"
					 "    ignored: 1\n"
					 "    data: {a: 1}\n");
	scratch_write("src/worker.lua", "return file://untouched\n");
	scratch_write("src/notes.md", "notes");
	assert_int_equal(load(&p, &e), 0);
	assert_int_equal(p.count, 2);
	x = find(&p, "app.jobs:worker");
	assert_non_null(x);
	assert_string_equal(x->ns, "app.jobs");
	assert_string_equal(x->name, "worker");
	assert_string_equal(x->file, "src/_index.yaml");
	assert_int_equal(x->line, 5);
	assert_string_equal(text_at(x->meta, "team"), "infra");
	assert_string_equal(text_at(x->meta, "comment"), "own");
	assert_string_equal(text_at(x->meta, "doc"), "notes");
	assert_string_equal(text_at(x->data, "source"), "return file://untouched\n");
	assert_null(value_get(x->data, "kind"));
	assert_int_equal(value_count(value_get(x->data, "modules")), 2);
	x = find(&p, "app.jobs:boxed.name");
	assert_non_null(x);
	assert_int_equal(value_get_int(value_get(x->data, "a")), 1);
	assert_null(value_get(x->data, "ignored"));
	project_entries_done(&p);
}

static void single_form_json_and_strangers(void **state)
{
	struct project_entries p;
	struct err e = {0};
	const struct entry *x;

	(void)state;
	scratch_write("src/one.json", "{\"namespace\": \"app\", \"name\": \"one\", \"kind\": \"registry.entry\", "
				      "\"meta\": {\"m\": \"v\"}, \"port\": 80}");
	scratch_write("src/none.yml", "namespace: app\nentries: []\n");
	scratch_write("src/other.yaml", "just: somebody else's file\n");
	scratch_write("src/blank.yaml", "namespace: \"  \"\nentries: 5\n");
	scratch_write("src/node_modules/x.yaml", "namespace: [broken\n");
	scratch_write("src/readme.txt", "namespace: app\n");
	assert_int_equal(load(&p, &e), 0);
	assert_int_equal(p.count, 1);
	x = find(&p, "app:one");
	assert_non_null(x);
	assert_int_equal(value_get_int(value_get(x->data, "port")), 80);
	assert_string_equal(text_at(x->meta, "m"), "v");
	assert_null(value_get(x->data, "name"));
	project_entries_done(&p);
}

static void references_stay_inside(void **state)
{
	struct project_entries p;
	struct err e = {0};

	(void)state;
	scratch_write("src/a/_index.yaml", "namespace: app\n"
					   "entries:\n"
					   "  - {name: up, kind: k, source: \"file://../top.lua\"}\n"
					   "  - {name: root, kind: k, source: \"file:///top.lua\"}\n"
					   "  - {name: deep, kind: k, list: [{x: \"file://./b/../here.lua\"}]}\n");
	scratch_write("src/top.lua", "top");
	scratch_write("src/a/here.lua", "here");
	assert_int_equal(load(&p, &e), 0);
	assert_string_equal(text_at(find(&p, "app:up")->data, "source"), "top");
	assert_string_equal(text_at(find(&p, "app:root")->data, "source"), "top");
	assert_string_equal(text_at(value_at(value_get(find(&p, "app:deep")->data, "list"), 0), "x"), "here");
	project_entries_done(&p);
}

/* Every fault is one sentence with file, line, entry and field. */
static void faults(void **state)
{
	static const struct {
		const char *yaml;
		const char *wanted;
	} cases[] = {
		{"namespace: app\nentries:\n  - {name: x, kind: k, source: \"file://gone.lua\"}\n",
			"src/_index.yaml: entry app:x: line 3: field 'source': failed to read file gone.lua: no such "
			"file or directory"},
		{"namespace: app\nentries:\n  - name: x\n    kind: k\n    deep:\n      - source: "
		 "file://../../etc/passwd\n",
			"src/_index.yaml: entry app:x: line 6: field 'deep[0].source': path traversal detected in file "
			"path: ../../etc/passwd"},
		{"namespace: app\nentries:\n  - {name: x, kind: k, source: \"file://\"}\n",
			"src/_index.yaml: entry app:x: line 3: field 'source': empty file path in file:// URL"},
		{"namespace: app\nentries:\n  - {name: x, kind: k, source: \"file://a/..\"}\n",
			"src/_index.yaml: entry app:x: line 3: field 'source': invalid file path: a/.."},
		{"namespace: app\nentries:\n  - {name: x, kind: k, source: \"file://link.lua\"}\n",
			"src/_index.yaml: entry app:x: line 3: field 'source': path traversal detected in file path: "
			"link.lua is a link out of the source "
			"root"},
		{"namespace: app\nentries:\n  - {name: x, kind: k}\n  - {kind: k}\n",
			"src/_index.yaml: line 4: entry[1].name: name is required and must be a non-empty string"},
		{"namespace: app\nentries:\n  - {name: x, kind: 5}\n",
			"src/_index.yaml: line 3: entry[0].kind: kind is required and must be a non-empty string"},
		{"namespace: app\nentries:\n  - {name: \"a:b\", kind: k}\n",
			"src/_index.yaml: line 3: entry[0].name: 'a:b' must not contain ':'; the namespace is added by "
			"the file"},
		{"namespace: app\nentries:\n  - {name: x, kind: k, meta: 7}\n",
			"src/_index.yaml: line 3: entry[0].meta: expected a map, got integer"},
		{"namespace: app\nentries:\n  - text\n",
			"src/_index.yaml: line 3: entry[0]: expected a map, got string"},
		{"namespace: app\nentries: {a: 1}\n", "src/_index.yaml: line 2: entries: expected a list, got map"},
		{"namespace: app\nversion: \"1.0\"\n",
			"src/_index.yaml: entries: either entries array or single entry (name/kind) must be provided"},
		{"namespace: app\nentries:\n  - {name: x, kind: k}\n  - {name: y, kind: k}\n  - {name: x, kind: k}\n",
			"src/_index.yaml:5: entry app:x: already defined at src/_index.yaml:3; rename one of them"},
	};

	(void)state;
	scratch_write("src/_index.yaml", "");
	assert_int_equal(symlink("/etc/hostname", scratch_path("src/link.lua")), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct project_entries p;
		struct err e = {0};

		scratch_write("src/_index.yaml", cases[i].yaml);
		assert_int_equal(load(&p, &e), -1);
		assert_string_equal(e.text, cases[i].wanted);
		assert_int_equal(p.count, 0);
	}
}

static void syntax_error_has_a_position(void **state)
{
	struct project_entries p;
	struct err e = {0};

	(void)state;
	scratch_write("src/_index.yaml", "namespace: app\nentries:\n  - name: [unclosed\n");
	assert_int_equal(load(&p, &e), -1);
	assert_int_equal(strncmp(e.text, "src/_index.yaml:", strlen("src/_index.yaml:")), 0);
	assert_int_equal(e.kind, ERR_INVALID);
}

static void modules_and_replacements(void **state)
{
	struct project_lock lock = {0};
	struct project_entries p = {0};
	struct err e = {0};

	(void)state;
	scratch_write("src/a.yaml", "namespace: app\nname: x\nkind: k\n");
	scratch_write(".wippy/vendor/acme/jobs/a.yaml", "namespace: acme.jobs\nname: x\nkind: k\n");
	scratch_write(".wippy/vendor/acme/mail/a.yaml", "namespace: acme.mail\nname: old\nkind: k\n");
	scratch_write("local/src/a.yaml", "namespace: acme.mail\nname: new\nkind: k\nsource: file://t.txt\n");
	scratch_write("local/src/t.txt", "text");
	scratch_write("wippy.lock", "directories: {src: ./src}\n"
				    "modules:\n"
				    "  - {name: acme/jobs, version: \"1.2.3\"}\n"
				    "  - {name: acme/mail, version: \"2\"}\n"
				    "replacements:\n"
				    "  - {from: acme/mail, to: ./local}\n");
	assert_int_equal(project_lock_read(scratch_path("wippy.lock"), &lock, &e), 0);
	assert_int_equal(project_load(&lock, scratch_dir, NULL, NULL, &p, &e), 0);
	assert_int_equal(p.count, 3);
	assert_string_equal(text_at(find(&p, "app:x")->meta, "module"), "(none)");
	assert_string_equal(text_at(find(&p, "acme.jobs:x")->meta, "module"), "acme/jobs");
	assert_string_equal(text_at(find(&p, "acme.jobs:x")->meta, "module_version"), "1.2.3");
	assert_string_equal(text_at(find(&p, "acme.mail:new")->data, "source"), "text");
	assert_string_equal(text_at(find(&p, "acme.mail:new")->meta, "module"), "acme/mail");
	project_entries_done(&p);
	project_lock_done(&lock);
}

static void count_problem(void *arg, const struct err *e)
{
	(void)e;
	++*(int *)arg;
}

static void all_problems_are_told(void **state)
{
	struct project_lock lock = {.src = "src", .modules = ".wippy"};
	struct project_entries p = {0};
	struct err e = {0};
	int n = 0;

	(void)state;
	scratch_write("src/a.yaml", "namespace: app\nentries:\n  - {name: x}\n  - {kind: y}\n");
	scratch_write("src/b.yaml", "namespace: app\nentries: 7\n");
	assert_int_equal(project_load(&lock, scratch_dir, count_problem, &n, &p, &e), -1);
	assert_int_equal(n, 3);
	assert_string_equal(
		e.text, "src/a.yaml: line 3: entry[0].kind: kind is required and must be a non-empty string");
}

static void overrides(void **state)
{
	struct project_entries p;
	struct err e = {0};
	struct value *port = value_int(9), *kind = value_cstring("other");

	(void)state;
	scratch_write("src/_index.yaml", "namespace: app\nentries:\n  - {name: x, kind: k, port: 1, tls: plain}\n");
	assert_int_equal(load(&p, &e), 0);
	assert_int_equal(project_override(&p, "app:x:port", port, &e), 0);
	assert_int_equal(project_override(&p, "app:x:tls.deep", port, &e), 0);
	assert_int_equal(project_override(&p, "app:x:meta.note", kind, &e), 0);
	assert_int_equal(project_override(&p, "app:x:.kind", kind, &e), 0);
	assert_int_equal(value_get_int(value_path(p.items[0]->data, "port")), 9);
	assert_int_equal(value_get_int(value_path(p.items[0]->data, "tls.deep")), 9);
	assert_string_equal(text_at(p.items[0]->meta, "note"), "other");
	assert_string_equal(p.items[0]->kind, "other");
	assert_int_equal(project_override(&p, "app:x:kind", port, &e), -1);
	assert_non_null(strstr(e.text, "kind override must be a string"));
	assert_int_equal(project_override(&p, "app:gone:port", port, &e), -1);
	assert_string_equal(e.text, "override errors: no entry found for app:gone");
	assert_int_equal(project_override(&p, "app:x", port, &e), -1);
	assert_non_null(strstr(e.text, "invalid override: app:x"));
	value_unref(port);
	value_unref(kind);
	project_entries_done(&p);
}

static struct value *one_text(const char *text)
{
	struct value *l = value_list();

	value_list_append(l, value_cstring(text));
	return l;
}

static void disabling(void **state)
{
	static const struct {
		const char *ns, *entry;
		size_t left;
	} cases[] = {
		{"app", NULL, 3},
		{"app.*", NULL, 2},
		{"**", NULL, 0},
		{"app.**", NULL, 1},
		{"**.b", NULL, 3},
		{"(app|lib)", NULL, 2},
		{NULL, "app:x", 3},
		{NULL, "**:x", 1},
		{NULL, "app.*:*", 2},
		{"none", NULL, 4},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct value *ns = cases[i].ns ? one_text(cases[i].ns) : NULL,
			     *entry = cases[i].entry ? one_text(cases[i].entry) : NULL;
		struct project_entries p;
		struct err e = {0};

		scratch_write("src/a.yaml", "namespace: app\nname: x\nkind: k\n");
		scratch_write("src/b.yaml", "namespace: app.a\nname: x\nkind: k\n");
		scratch_write("src/c.yaml", "namespace: app.b\nname: x\nkind: k\n");
		scratch_write("src/d.yaml", "namespace: lib\nname: y\nkind: k\n");
		assert_int_equal(load(&p, &e), 0);
		assert_int_equal(project_disable(&p, ns, entry, &e), 0);
		/* The path without dots below is the namespace itself: `app.**` takes app too. */
		assert_int_equal(p.count, cases[i].left);
		project_entries_done(&p);
		value_unref(ns);
		value_unref(entry);
	}
}

static void disabling_refuses_bad_patterns(void **state)
{
	struct value *bad = one_text("nocolon");
	struct project_entries p = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(project_disable(&p, NULL, bad, &e), -1);
	assert_string_equal(e.text, "invalid entry pattern 'nocolon': missing ':' separator (expected namespace:name)");
	value_unref(bad);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(batch_form),
		TEST(single_form_json_and_strangers),
		TEST(references_stay_inside),
		TEST(faults),
		TEST(syntax_error_has_a_position),
		TEST(all_problems_are_told),
		TEST(modules_and_replacements),
		TEST(overrides),
		TEST(disabling),
		TEST(disabling_refuses_bad_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
