/* Ten thousand random changes against a model: the state, what the kinds made of it, versions, failures in the middle, readers all the while. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>

#include "base/alloc.h"
#include "base/log.h"
#include "registry/history.h"
#include "registry/registry.h"

enum {
	ROUNDS = 10000,
	IDS = 12, /* each with a twin that has the same value at any time */
	READERS = 2,
	KEPT = 512, /* versions whose state is remembered */
};

/* -- the world: what the kinds think there is ------------------------------------------------------- */

static long world[2 * IDS]; /* 0: nothing */
static int calls_until_failure;
static unsigned open_changes, commits, discards;

/* Going back never fails on demand. */
static bool is_forward;

static void on_event(void *arg, enum registry_event ev, const struct change *c, const struct err *e)
{
	(void)arg;
	(void)c;
	(void)e;
	is_forward = ev == REGISTRY_OPERATION;
}

static const struct registry_watcher watcher = {on_event};

static bool fails_now(void)
{
	return is_forward && calls_until_failure > 0 && --calls_until_failure == 0;
}

static size_t slot_of(const char *name)
{
	size_t i = (size_t)(name[0] - 'a');

	return name[1] ? IDS + i : i;
}

static long value_of(const struct entry *e)
{
	return (long)value_get_int(value_get(e->data, "value"));
}

/* An entry that needs another one waits until it is there. */
static int check_needs(const struct entry *e, struct err *err)
{
	const struct value *v = value_get(e->data, "host");

	if (v && world[slot_of(value_get_string(v, NULL))] == 0)
		return err_set(err, ERR_NOT_FOUND, "%s is not there", value_get_string(v, NULL));
	return 0;
}

static int add(struct runtime *rt, struct entry *e, struct err *err)
{
	(void)rt;
	if (fails_now())
		return err_set(err, ERR_INVALID, "failed on demand");
	if (check_needs(e, err) < 0)
		return -1;
	assert_int_equal(world[slot_of(e->name)], 0);
	world[slot_of(e->name)] = value_of(e);
	return 0;
}

static int update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	(void)rt;
	if (fails_now())
		return err_set(err, ERR_INVALID, "failed on demand");
	if (check_needs(e, err) < 0)
		return -1;
	assert_int_equal(world[slot_of(e->name)], value_of(old));
	world[slot_of(e->name)] = value_of(e);
	return 0;
}

static void drop(struct runtime *rt, struct entry *e)
{
	(void)rt;
	assert_int_equal(world[slot_of(e->name)], value_of(e));
	world[slot_of(e->name)] = 0;
}

static void on_begin(struct runtime *rt)
{
	(void)rt;
	assert_int_equal(open_changes++, 0);
}

static int on_prepare(struct runtime *rt, struct err *err)
{
	bool refused;

	(void)rt;
	is_forward = true;
	refused = fails_now();
	is_forward = false;
	return refused ? err_set(err, ERR_INVALID, "refused on demand") : 0;
}

static void on_commit(struct runtime *rt)
{
	(void)rt;
	assert_int_equal(--open_changes, 0);
	commits++;
}

static void on_discard(struct runtime *rt)
{
	(void)rt;
	assert_int_equal(--open_changes, 0);
	discards++;
}

#define HOOKS .begin = on_begin, .prepare = on_prepare, .commit = on_commit, .discard = on_discard

static const struct kind updated = {.name = "test.updated", .add = add, .update = update, .remove = drop, HOOKS};
static const struct kind replaced = {.name = "test.replaced", .add = add, .remove = drop, HOOKS};
static const struct kind inert = {.name = "test.inert"};
static const struct kind *const kind_array[] = {&updated, &replaced, &inert};
static const struct kind_list kinds = {kind_array, 3};

/* -- a store that keeps texts ----------------------------------------------------------------------- */

struct row {
	uint64_t id, parent;
	char *text;
	size_t len;
};

struct shelf {
	struct row *rows;
	size_t count;
	uint64_t head;
	bool refuses;
};

static int shelf_load(void *self, history_each_fn *each, void *arg, uint64_t *ret_head, struct err *e)
{
	struct shelf *s = self;

	for (size_t i = 0; i < s->count; i++) {
		if (each(arg, s->rows[i].id, s->rows[i].parent, s->rows[i].text, s->rows[i].len, e) < 0)
			return -1;
	}
	*ret_head = s->head;
	return 0;
}

static int shelf_append(void *self, uint64_t id, uint64_t parent, const char *text, size_t len, struct err *e)
{
	struct shelf *s = self;

	if (s->refuses)
		return err_set(e, ERR_UNAVAILABLE, "the shelf is full");
	s->rows = xreallocarray(s->rows, s->count + 1, sizeof(*s->rows));
	s->rows[s->count++] = (struct row){id, parent, xmemdupz(text, len), len};
	s->head = id;
	return 0;
}

static int shelf_set_head(void *self, uint64_t id, struct err *e)
{
	struct shelf *s = self;

	if (s->refuses)
		return err_set(e, ERR_UNAVAILABLE, "the shelf is full");
	s->head = id;
	return 0;
}

static void shelf_close(void *self)
{
	(void)self;
}

static const struct history_store shelf_ops = {shelf_load, shelf_append, shelf_set_head, shelf_close};

/* -- the model -------------------------------------------------------------------------------------- */

struct model {
	long value[IDS]; /* 0: nothing */
	const char *kind[IDS];
	int needs[IDS]; /* -1: nothing */
};

static struct model now, kept[KEPT];
static uint64_t kept_version[KEPT];

static char *name_of(size_t i, bool twin)
{
	return xasprintf("n:%c%s", (char)('a' + i), twin ? "2" : "");
}

static struct entry *make(size_t i, bool twin, const char *kind, long value, int needs)
{
	struct value *data = value_map();
	char *id = name_of(i, twin);
	struct entry *e;

	value_map_set(data, "value", value_int(value));
	if (needs >= 0) {
		char host[] = {(char)('a' + needs), '\0'};

		value_map_set(data, "host", value_cstring(host));
	}
	e = entry_new(id, kind, NULL, data);
	free(id);
	return e;
}

static void put(struct changes *c, enum change_type type, size_t i, const char *kind, long value, int needs)
{
	for (int twin = 0; twin < 2; twin++) {
		struct entry *e = make(i, twin, kind, value, needs);

		changes_add(c, type, e, NULL);
		entry_unref(e);
	}
}

static const char *const kind_names[] = {"test.updated", "test.replaced", "test.inert"};

/* A random list of changes, in random order. Tells what comes of it, and whether that is certain. */
struct plan {
	struct changes changes;
	struct model after;
	bool valid;
	bool certain;
};

static void shuffle(struct changes *c)
{
	for (size_t i = c->count; i > 1; i--) {
		size_t k = (size_t)rand() % i;
		struct change x = c->items[i - 1];

		c->items[i - 1] = c->items[k];
		c->items[k] = x;
	}
}

static struct plan try_plan(void)
{
	struct plan p = {.after = now, .valid = true, .certain = true};
	bool used[IDS] = {false};
	int n = 1 + rand() % 5;

	for (int k = 0; k < n; k++) {
		size_t i = (size_t)rand() % IDS;
		const char *kind = rand() % 8 && now.value[i] ? now.kind[i] : kind_names[rand() % 3];
		long value = 1 + rand();
		int needs = rand() % 4 == 0 ? rand() % IDS : -1;
		bool there = now.value[i] != 0;
		/* Mostly what is possible. */
		int what = rand() % 10 == 0 ? rand() % 4 : !there ? 0 : 1 + rand() % 3;

		/* It would be put back between two calls of its handler. */
		if (strcmp(kind, "test.replaced") == 0)
			needs = -1;
		if (used[i] || needs == (int)i)
			continue;
		used[i] = true;
		p.certain &= needs < 0;
		switch (what) {
		case 0:
			put(&p.changes, CHANGE_CREATE, i, kind, value, needs);
			p.valid &= !there;
			break;
		case 1:
			put(&p.changes, CHANGE_UPDATE, i, kind, value, needs);
			p.valid &= there && strcmp(kind, now.kind[i]) == 0;
			break;
		case 2:
			put(&p.changes, CHANGE_DELETE, i, "", 0, -1);
			p.valid &= there;
			p.after.value[i] = 0;
			continue;
		default:
			put(&p.changes, CHANGE_DELETE, i, "", 0, -1);
			put(&p.changes, CHANGE_CREATE, i, kind, value, needs);
			/* The deletion waits for the creation, and then has something to delete. */
			if (!there)
				continue;
			break;
		}
		p.after.value[i] = value;
		p.after.kind[i] = kind;
		p.after.needs[i] = needs;
	}
	shuffle(&p.changes);
	return p;
}

/* Handlers refuse to go back to an entry whose needs are gone, as real ones do: so nothing is left behind that needs what is deleted. */
static bool dangles(const struct model *m)
{
	for (size_t i = 0; i < IDS; i++) {
		int k = m->value[i] ? m->needs[i] : -1;

		if (k >= 0 && (m->value[k] == 0 || strcmp(m->kind[k], "test.inert") == 0))
			return true;
	}
	return false;
}

static struct plan make_plan(void)
{
	for (;;) {
		struct plan p = try_plan();

		if (!dangles(&p.after))
			return p;
		changes_done(&p.changes);
	}
}

/* The snapshot is the model, and so is the world as far as handlers know it. */
static void check_state(const struct snapshot *s, const struct model *m, bool with_world)
{
	size_t n = 0;

	for (size_t i = 0; i < IDS; i++) {
		for (int twin = 0; twin < 2; twin++) {
			char *id = name_of(i, twin);
			const struct entry *e = snapshot_get(s, id);
			bool handled = m->value[i] && strcmp(m->kind[i], "test.inert") != 0;

			free(id);
			assert_int_equal(e != NULL, m->value[i] != 0);
			if (e) {
				assert_int_equal(value_of(e), m->value[i]);
				assert_string_equal(e->kind, m->kind[i]);
				n++;
			}
			if (with_world)
				assert_int_equal(world[twin ? IDS + i : i], handled ? m->value[i] : 0);
		}
	}
	assert_int_equal(snapshot_count(s), n);
}

static void check_now(struct registry *r)
{
	struct snapshot *s = registry_snapshot(r);

	check_state(s, &now, true);
	snapshot_unref(s);
}

/* -- readers ---------------------------------------------------------------------------------------- */

static struct registry *shared;
static atomic_bool over;
static atomic_ulong looks, torn;

static void *read_on(void *arg)
{
	(void)arg;
	while (!atomic_load(&over)) {
		struct snapshot *s = registry_snapshot(shared);
		struct snapshot *past = NULL;
		struct err e;
		uint64_t version = snapshot_version(s);

		if (atomic_load(&looks) % 16 == 0)
			past = registry_snapshot_at(shared, version, &e);
		if (past && snapshot_count(past) != snapshot_count(s))
			atomic_fetch_add(&torn, 1);
		snapshot_unref(past);
		for (size_t i = 0; i < IDS; i++) {
			char *one = name_of(i, false), *other = name_of(i, true);
			const struct entry *a = snapshot_get(s, one), *b = snapshot_get(s, other);

			if (!a != !b || (a && value_of(a) != value_of(b)))
				atomic_fetch_add(&torn, 1);
			free(one);
			free(other);
		}
		snapshot_unref(s);
		atomic_fetch_add(&looks, 1);
	}
	return NULL;
}

/* Nothing may be left unrestored. */
static void on_log(void *arg, const struct log_record *r)
{
	(void)arg;
	if (r->level < LOG_ERROR)
		return;
	for (size_t i = 0; i < r->nfields; i++)
		print_message("%s=%s ", r->fields[i].key, r->fields[i].str);
	fail_msg("%s", r->message);
}

/* -- the test --------------------------------------------------------------------------------------- */

static void keep(uint64_t version)
{
	kept[version % KEPT] = now;
	kept_version[version % KEPT] = version;
}

static void change_once(struct registry *r, struct shelf *shelf, unsigned *applied, unsigned *failed)
{
	struct plan p = make_plan();
	bool injected = rand() % 4 == 0;
	uint64_t before = registry_version(r), version = 0;
	struct err e = {0};
	int rc;

	calls_until_failure = injected ? 1 + rand() % 8 : 0;
	shelf->refuses = rand() % 32 == 0;
	rc = registry_apply(r, &p.changes, &version, &e);
	if (calls_until_failure > 0)
		injected = false; /* it was not reached */
	calls_until_failure = 0;
	if (!p.valid || injected || shelf->refuses)
		assert_int_equal(rc, -1);
	else if (p.certain)
		assert_int_equal(rc, 0);
	if (rc == 0) {
		now = p.after;
		assert_int_equal(registry_version(r), version);
		assert_true(version > before);
		keep(version);
		++*applied;
	} else {
		assert_int_equal(strncmp(e.text, "failed to apply changes: ", 25), 0);
		assert_int_equal(registry_version(r), before);
		++*failed;
	}
	shelf->refuses = false;
	check_now(r);
	changes_done(&p.changes);
}

static void go_somewhere(struct registry *r)
{
	size_t at = (size_t)rand() % KEPT;
	uint64_t version = kept_version[at], before = registry_version(r);
	bool injected = rand() % 4 == 0;
	struct snapshot *s;
	struct err e;
	int rc;

	if (version == 0)
		return;
	s = registry_snapshot_at(r, version, &e);
	assert_non_null(s);
	check_state(s, &kept[at], false);
	snapshot_unref(s);
	calls_until_failure = injected ? 1 + rand() % 8 : 0;
	rc = registry_apply_version(r, version, &e);
	injected &= calls_until_failure == 0;
	calls_until_failure = 0;
	/* An entry that was made before what it needs was deleted cannot come back alone. */
	if (rc == 0) {
		assert_false(injected);
		now = kept[at];
		assert_int_equal(registry_version(r), version);
	} else {
		assert_int_equal(registry_version(r), before);
	}
	check_now(r);
}

static void random_changes_follow_the_model(void **state)
{
	struct shelf shelf = {0};
	pthread_t readers[READERS];
	unsigned applied = 0, failed = 0;
	struct history *h;
	struct err e = {0};
	const char *seed = getenv("SEED");

	(void)state;
	srand(seed ? (unsigned)atoi(seed) : 1);
	log_set_sink(on_log, NULL, LOG_ERROR);
	shared = registry_new(&kinds, NULL);
	assert_int_equal(history_open(&shelf_ops, &shelf, &h, &e), 0);
	registry_set_history(shared, h);
	registry_watch(shared, &watcher, NULL);
	assert_int_equal(registry_load(shared, NULL, 0, &e), 0);
	for (int i = 0; i < READERS; i++)
		pthread_create(&readers[i], NULL, read_on, NULL);
	for (int round = 0; round < ROUNDS; round++) {
		change_once(shared, &shelf, &applied, &failed);
		if (round % 20 == 19)
			go_somewhere(shared);
	}
	atomic_store(&over, true);
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	assert_int_equal(atomic_load(&torn), 0);
	assert_true(atomic_load(&looks) > 0);
	assert_true(applied > ROUNDS / 4 && failed > ROUNDS / 10);
	assert_true(commits > 0 && discards > 0);
	registry_free(shared);
	for (size_t i = 0; i < 2 * IDS; i++)
		assert_int_equal(world[i], 0);

	/* What was kept as text is the same state after a new start. */
	shared = registry_new(&kinds, NULL);
	assert_int_equal(history_open(&shelf_ops, &shelf, &h, &e), 0);
	registry_set_history(shared, h);
	if (registry_load(shared, NULL, 0, &e) < 0)
		fail_msg("%s", e.text);
	check_now(shared);
	registry_free(shared);
	for (size_t i = 0; i < shelf.count; i++)
		free(shelf.rows[i].text);
	free(shelf.rows);
}

/* -- by hand ---------------------------------------------------------------------------------------- */

struct bench {
	struct registry *r;
	struct err e;
	uint64_t version;
};

static void begin(struct bench *b)
{
	struct history *h;

	*b = (struct bench){.r = registry_new(&kinds, NULL)};
	assert_int_equal(history_open(NULL, NULL, &h, &b->e), 0);
	registry_set_history(b->r, h);
}

/* "+a" create, "=a" update, "-a" delete; "+a<b": it needs b. A digit at the end is the value. */
static int apply(struct bench *b, const char *words)
{
	struct changes c = {0};
	char *copy = xstrdup(words), *save = NULL;
	int rc;

	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		enum change_type type = w[0] == '+' ? CHANGE_CREATE : w[0] == '=' ? CHANGE_UPDATE : CHANGE_DELETE;
		const char *needs = strchr(w, '<');
		struct entry *e = make((size_t)(w[1] - 'a'), false, "test.updated", strchr(w, '2') ? 2 : 1,
			needs ? needs[1] - 'a' : -1);

		changes_add(&c, type, e, NULL);
		entry_unref(e);
	}
	free(copy);
	rc = registry_apply(b->r, &c, &b->version, &b->e);
	changes_done(&c);
	return rc;
}

static void words_of_failures(void **state)
{
	static const struct {
		const char *words;
		enum err_kind kind;
		const char *text;
	} cases[] = {
		{"+a", ERR_CONFLICT,
			"operation failed for entry n:a: invalid operation: entry already exists: {ns: n, name: a}"},
		{"=b", ERR_NOT_FOUND,
			"unresolved dependencies after retry: n:b: operation failed for entry n:b: invalid operation: "
			"entry "
			"does not exist: {ns: n, name: b}"},
		{"-b -c", ERR_NOT_FOUND,
			"unresolved dependencies after retry: n:b,n:c: operation failed for entry n:b: invalid "
			"operation: "
			"cannot delete non-existent entry: {ns: n, name: b}"},
		{"+b<c", ERR_NOT_FOUND,
			"unresolved dependencies after retry: n:b: operation failed for entry n:b: c is not there"},
	};
	struct bench b;

	(void)state;
	begin(&b);
	assert_int_equal(apply(&b, "+a"), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char wanted[512];

		snprintf(wanted, sizeof(wanted), "failed to apply changes: %s", cases[i].text);
		assert_int_equal(apply(&b, cases[i].words), -1);
		assert_string_equal(b.e.text, wanted);
		assert_int_equal(b.e.kind, cases[i].kind);
		assert_int_equal(registry_version(b.r), 1);
	}
	registry_free(b.r);
}

static void versions_branch(void **state)
{
	struct bench b;
	uint64_t parent;
	struct history *h;

	(void)state;
	begin(&b);
	h = registry_history(b.r);
	assert_int_equal(apply(&b, "+a"), 0);
	assert_int_equal(apply(&b, "=a2 +b"), 0);
	assert_int_equal(registry_apply_version(b.r, 1, &b.e), 0);
	assert_int_equal(world[0], 1);
	assert_int_equal(world[1], 0);
	/* The id goes on counting, the parent is where it was made. */
	assert_int_equal(apply(&b, "+c<a"), 0);
	assert_int_equal(b.version, 3);
	assert_int_equal(history_parent(h, 3, &parent, &b.e), 0);
	assert_int_equal(parent, 1);
	assert_int_equal(history_child(h, 1), 3);
	assert_int_equal(history_child(h, 3), 0);
	/* From one branch to the other. */
	assert_int_equal(registry_apply_version(b.r, 2, &b.e), 0);
	assert_int_equal(world[0], 2);
	assert_int_equal(world[1], 1);
	assert_int_equal(world[2], 0);
	assert_int_equal(registry_apply_version(b.r, 0, &b.e), 0);
	assert_int_equal(world[0] + world[1] + world[2], 0);
	assert_int_equal(registry_apply_version(b.r, 0, &b.e), 0);
	assert_int_equal(registry_apply_version(b.r, 9, &b.e), -1);
	assert_string_equal(b.e.text, "version not found");
	registry_free(b.r);
}

static void without_history_versions_are_counted(void **state)
{
	struct bench b = {.r = registry_new(&kinds, NULL)};

	(void)state;
	assert_int_equal(apply(&b, "+a"), 0);
	assert_int_equal(apply(&b, "-a"), 0);
	assert_int_equal(b.version, 2);
	assert_int_equal(registry_apply_version(b.r, 1, &b.e), -1);
	assert_non_null(strstr(b.e.text, "rollback not supported"));
	assert_null(registry_snapshot_at(b.r, 1, &b.e));
	assert_string_equal(b.e.text, "history not available");
	registry_free(b.r);
}

/* New files under what was changed while it ran. */
static void rebase_keeps_the_versions(void **state)
{
	struct entry *first[] = {make(0, false, "test.updated", 1, -1), make(1, false, "test.updated", 1, -1)};
	struct entry *second[] = {make(0, false, "test.updated", 2, -1), make(3, false, "test.inert", 4, -1)};
	struct entry *bad[] = {make(0, false, "test.updated", 3, -1), make(4, false, "test.unknown", 4, -1)};
	struct bench b;
	size_t n;

	(void)state;
	begin(&b);
	assert_int_equal(registry_load(b.r, first, 2, &b.e), 0);
	assert_int_equal(apply(&b, "+c"), 0);
	assert_int_equal(registry_rebase(b.r, second, 2, &n, &b.e), 0);
	assert_int_equal(n, 3);
	assert_int_equal(world[0], 2);
	assert_int_equal(world[1], 0);
	assert_int_equal(world[2], 1);
	assert_int_equal(registry_version(b.r), 1);
	assert_int_equal(registry_rebase(b.r, second, 2, &n, &b.e), 0);
	assert_int_equal(n, 0);
	assert_int_equal(registry_rebase(b.r, bad, 2, &n, &b.e), -1);
	assert_int_equal(world[0], 2);
	/* Back to the files as they are now. */
	assert_int_equal(registry_apply_version(b.r, 0, &b.e), 0);
	assert_int_equal(world[0], 2);
	assert_int_equal(world[2], 0);
	registry_free(b.r);
	for (size_t i = 0; i < 2; i++) {
		entry_unref(first[i]);
		entry_unref(second[i]);
		entry_unref(bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_of_failures),
		cmocka_unit_test(versions_branch),
		cmocka_unit_test(without_history_versions_are_counted),
		cmocka_unit_test(rebase_keeps_the_versions),
		cmocka_unit_test(random_changes_follow_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
