/* Applying entries: order, all or nothing, deferral, snapshots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "registry/change.h"
#include "registry/registry.h"
#include "value/yaml.h"

/* What the test's kinds did, as text: "+a +b -b -a". */
static char journal[1024];

static void note(char sign, const char *name)
{
	size_t len = strlen(journal);

	snprintf(journal + len, sizeof(journal) - len, "%s%c%s", len ? " " : "", sign, name);
}

static bool was_added(const char *name)
{
	char wanted[64];

	snprintf(wanted, sizeof(wanted), "+%s", name);
	return strstr(journal, wanted) != NULL;
}

static int good_add(struct runtime *rt, struct entry *e, struct err *err)
{
	const char *needs = NULL;

	(void)rt;
	if (value_read_string(e->data, "needs", &needs, err) < 0)
		return -1;
	if (needs && !was_added(needs))
		return err_set(err, ERR_NOT_FOUND, "%s is not there", needs);
	note('+', e->name);
	return 0;
}

static void good_remove(struct runtime *rt, struct entry *e)
{
	(void)rt;
	note('-', e->name);
}

static int bad_add(struct runtime *rt, struct entry *e, struct err *err)
{
	(void)rt;
	(void)e;
	return err_set(err, ERR_INVALID, "invalid configuration: never works");
}

static const struct kind good = {.name = "test.good", .add = good_add, .remove = good_remove};
static const struct kind bad = {.name = "test.bad", .add = bad_add};
static const struct kind inert = {.name = "registry.entry"};
static const struct kind *const kind_array[] = {&good, &bad, &inert};
static const struct kind_list kinds = {kind_array, 3};

static size_t make(const char *yaml, struct entry **out)
{
	struct value *doc;
	struct err e = {0};
	size_t n;

	if (yaml_parse("test", yaml, strlen(yaml), &doc, &e) < 0)
		fail_msg("%s", e.text);
	n = value_count(doc);
	for (size_t i = 0; i < n; i++) {
		const struct value *def = value_at(doc, i);
		struct entry *x = xcalloc(1, sizeof(*x));

		refcount_init(&x->refs);
		x->id = xstrdup(value_get_string(value_get(def, "id"), NULL));
		entry_id_split(x->id, &x->ns, &x->name);
		x->kind =
			xstrdup(value_get(def, "kind") ? value_get_string(value_get(def, "kind"), NULL) : "test.good");
		x->meta = value_get(def, "meta") ? value_ref((struct value *)value_get(def, "meta")) : value_map();
		x->data = value_ref((struct value *)def);
		x->file = xstrdup("f.yaml");
		x->line = value_line(def);
		out[i] = x;
	}
	value_unref(doc);
	return n;
}

static void drop(struct entry **items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		entry_unref(items[i]);
}

static void dependencies_first_then_ids(void **state)
{
	static const struct {
		const char *yaml, *order;
	} cases[] = {
		{"[{id: 'n:c'}, {id: 'n:a'}, {id: 'n:b'}]", "a b c"},
		{"[{id: 'n:a', host: 'n:c'}, {id: 'n:b'}, {id: 'n:c'}]", "c a b"},
		{"[{id: 'n:a', host: c}, {id: 'n:b'}, {id: 'n:c', lifecycle: {requires: [d]}}, {id: 'n:d'}]",
			"d c a b"},
		{"[{id: 'n:a', imports: {x: 'm:z'}}, {id: 'm:z'}]", "z a"},
		{"[{id: 'n:a', middleware: [cors, n:b]}, {id: 'n:b'}]", "b a"},
		{"[{id: 'n:a', auth_key_env: b}, {id: 'n:b'}]", "b a"},
		{"[{id: 'n:a', meta: {depends_on: ['ns:m']}}, {id: 'm:x'}, {id: 'm:y'}]", "x y a"},
		{"[{id: 'n:a', groups: ['group:g']}, {id: 'n:b', meta: {groups: [g]}}]", "b a"},
		{"[{id: 'n:b', host: a}, {id: 'n:a', host: b}, {id: 'n:c'}]", "a b c"}, /* a circle */
		{"[{id: 'n:a', host: a}]", "a"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct entry *items[8];
		size_t n = make(cases[i].yaml, items);
		struct changes c = {0};
		char got[64] = "";

		for (size_t j = 0; j < n; j++)
			changes_add(&c, CHANGE_CREATE, items[j], NULL);
		assert_int_equal(changes_sort(&c, NULL), !strstr(cases[i].yaml, "{id: 'n:b', host: a}"));
		for (size_t j = 0; j < n; j++)
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", j ? " " : "",
				c.items[j].entry->name);
		assert_string_equal(got, cases[i].order);
		changes_done(&c);
		drop(items, n);
	}
}

static void loads_and_unloads_in_reverse(void **state)
{
	struct registry *r = registry_new(&kinds, NULL);
	struct entry *items[8], *one;
	struct snapshot *s;
	struct err e = {0};
	size_t n = make("[{id: 'n:a', host: b}, {id: 'n:b'}, {id: 'n:data', kind: registry.entry}]", items);

	(void)state;
	journal[0] = '\0';
	assert_int_equal(registry_load(r, items, n, &e), 0);
	assert_string_equal(journal, "+b +a");
	one = registry_get(r, "n:data");
	assert_ptr_equal(one, items[2]);
	entry_unref(one);
	assert_null(registry_get(r, "n:none"));
	s = registry_snapshot(r);
	assert_int_equal(snapshot_count(s), 3);
	assert_string_equal(snapshot_at(s, 2)->id, "n:data");
	assert_ptr_equal(snapshot_get(s, "n:b"), items[1]);
	registry_free(r);
	assert_string_equal(journal, "+b +a -a -b");
	/* A snapshot outlives what it shows. */
	assert_string_equal(snapshot_get(s, "n:b")->name, "b");
	snapshot_unref(s);
	drop(items, n);
}

static void what_is_not_there_yet_is_tried_again(void **state)
{
	struct registry *r = registry_new(&kinds, NULL);
	struct entry *items[8];
	struct err e = {0};
	size_t n = make("[{id: 'n:a', needs: b}, {id: 'n:b', needs: c}, {id: 'n:c'}]", items);

	(void)state;
	journal[0] = '\0';
	assert_int_equal(registry_load(r, items, n, &e), 0);
	assert_string_equal(journal, "+c +b +a");
	registry_free(r);
	drop(items, n);
}

static void failures_leave_nothing(void **state)
{
	static const struct {
		const char *yaml, *wanted;
	} cases[] = {
		{"- {id: 'n:a'}\n- {id: 'n:z', kind: test.bad}\n",
			"failed to load state: f.yaml:2: entry n:z: invalid configuration: never works"},
		{"- {id: 'n:a'}\n- {id: 'n:z', kind: test.godo}\n",
			"failed to load state: f.yaml:2: entry n:z: field 'kind': no listener for kind 'test.godo'; "
			"did you mean 'test.good'?"},
		{"- {id: 'n:a'}\n- {id: 'n:z', needs: gone}\n", "failed to load state: unresolved dependencies after "
								"retry: n:z: f.yaml:2: entry n:z: gone is not "
								"there"},
		{"- {id: 'n:a'}\n- {id: 'n:y', needs: gone}\n- {id: 'n:z', needs: y}\n",
			"failed to load state: unresolved dependencies after retry: n:y,n:z: f.yaml:2: entry n:y: "
			"gone is not there"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct registry *r = registry_new(&kinds, NULL);
		struct entry *items[8];
		struct snapshot *s;
		struct err e = {0};
		size_t n = make(cases[i].yaml, items);

		journal[0] = '\0';
		assert_int_equal(registry_load(r, items, n, &e), -1);
		assert_string_equal(e.text, cases[i].wanted);
		assert_string_equal(journal, "+a -a");
		s = registry_snapshot(r);
		assert_int_equal(snapshot_count(s), 0);
		snapshot_unref(s);
		registry_free(r);
		drop(items, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dependencies_first_then_ids),
		cmocka_unit_test(loads_and_unloads_in_reverse),
		cmocka_unit_test(what_is_not_there_yet_is_tried_again),
		cmocka_unit_test(failures_leave_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
