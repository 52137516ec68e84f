/* Process groups without processes: who is listed, limits, many threads at once. Monitors are tested with programs (lua/pg). */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "actor/group.h"
#include "base/alloc.h"

static const struct pid one = {"h", 1}, two = {"h", 2};

static size_t count_members(struct group_scope *s, const char *name)
{
	size_t n;

	free(group_members(s, name, &n));
	return n;
}

static size_t count_groups(struct group_scope *s)
{
	struct value *names = group_names(s);
	size_t n = value_count(names);

	value_unref(names);
	return n;
}

static void members_are_listed_as_often_as_they_joined(void **state)
{
	static const char *const names[] = {"a", "b", "a"};
	struct group_scope *s = group_scope_new(NULL, &(struct group_limits){0});
	struct pid *members;
	struct err e;
	size_t n;

	(void)state;
	assert_int_equal(group_join(s, names, 1, two, &e), 0);
	assert_int_equal(group_join(s, names, 3, one, &e), 0);
	members = group_members(s, "a", &n);
	assert_int_equal(n, 3);
	assert_true(pid_equal(members[0], two));
	assert_true(pid_equal(members[1], one));
	assert_true(pid_equal(members[2], one));
	free(members);
	assert_int_equal(group_leave(s, names, 1, one, &e), 0);
	assert_int_equal(count_members(s, "a"), 2);
	assert_int_equal(group_leave(s, names + 1, 1, two, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_string_equal(e.text, "pg: process not joined in group");
	group_leave_all(s, one);
	group_leave_all(s, one);
	assert_int_equal(count_members(s, "a"), 1);
	assert_int_equal(count_groups(s), 1);
	assert_int_equal(group_leave(s, names, 1, one, &e), -1);
	assert_int_equal(group_join(s, names, 3, one, &e), 0); /* freed with the scope */
	group_scope_unref(s);
}

/* A script may join as many groups at once as it likes: nobody else can use the scope meanwhile. */
static void long_lists_are_quick(void **state)
{
	enum { NAMES = 60000 };
	struct group_scope *s = group_scope_new(NULL, &(struct group_limits){.groups_max = NAMES, .members_max = 1});
	char(*texts)[16] = xcalloc(NAMES, sizeof(*texts));
	const char **names = xcalloc(NAMES + 1, sizeof(*names));
	clock_t began = clock();
	struct err e;

	(void)state;
	for (size_t i = 0; i < NAMES; i++) {
		snprintf(texts[i], sizeof(texts[i]), "group %zu", i);
		names[i] = texts[i];
	}
	names[NAMES] = texts[7];
	assert_int_equal(group_join(s, names, NAMES + 1, one, &e), -1);
	assert_string_equal(e.text, "pg: group has max_members_per_group members: group 7");
	assert_int_equal(group_join(s, names, NAMES, one, &e), 0);
	assert_int_equal(count_groups(s), NAMES);
	group_leave_all(s, one);
	assert_int_equal(count_groups(s), 0);
	/* Comparing each with each takes much longer. */
	assert_true((double)(clock() - began) / CLOCKS_PER_SEC < 5.0);
	free(names);
	free(texts);
	group_scope_unref(s);
}

static void limits_hold_for_all_or_nothing(void **state)
{
	static const char *const names[] = {"a", "b", "c", "a", "a"};
	struct group_scope *s = group_scope_new(NULL, &(struct group_limits){.groups_max = 2, .members_max = 2});
	struct err e;

	(void)state;
	assert_int_equal(group_join(s, names, 3, one, &e), -1);
	assert_int_equal(e.kind, ERR_UNAVAILABLE);
	assert_int_equal(count_groups(s), 0);
	assert_int_equal(group_join(s, names, 2, one, &e), 0);
	assert_int_equal(group_join(s, names + 3, 2, one, &e), -1);
	assert_int_equal(count_members(s, "a"), 1);
	assert_int_equal(group_join(s, names + 3, 1, two, &e), 0);
	group_leave_all(s, one);
	assert_int_equal(count_groups(s), 1);
	group_scope_unref(s);
}

static void only_running_scopes_are_found(void **state)
{
	struct groups *g = groups_new();
	struct group_scope *s = group_scope_new(NULL, &(struct group_limits){0}), *found;

	(void)state;
	groups_put(g, "app:scope", group_scope_ref(s));
	assert_null(groups_get(g, "app:scope"));
	group_scope_run(s, true);
	assert_null(groups_get(g, "app:other"));
	found = groups_get(g, "app:scope");
	assert_ptr_equal(found, s);
	group_scope_unref(found);
	groups_remove(g, "app:scope");
	assert_null(groups_get(g, "app:scope"));
	group_scope_unref(s);
	groups_free(g);
}

enum { THREADS = 4, ROUNDS = 3000 };

static struct group_scope *shared;

static void *come_and_go(void *arg)
{
	static const char *const names[] = {"a", "b", "c", "a"};
	struct pid pid = {"h", 10 + (uint64_t)(uintptr_t)arg};
	struct err e;

	for (unsigned i = 0; i < ROUNDS; i++) {
		assert_int_equal(group_join(shared, names, 4, pid, &e), 0);
		assert_true(count_members(shared, "a") >= 2);
		assert_int_equal(group_leave(shared, names, 2, pid, &e), 0);
		group_leave_all(shared, pid);
	}
	assert_int_equal(group_join(shared, names, 1, pid, &e), 0);
	return NULL;
}

static void threads_share_a_scope(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	shared = group_scope_new(NULL, &(struct group_limits){0});
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, (void *)i), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(count_groups(shared), 1);
	assert_int_equal(count_members(shared, "a"), THREADS);
	group_scope_unref(shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_listed_as_often_as_they_joined),
		cmocka_unit_test(long_lists_are_quick),
		cmocka_unit_test(limits_hold_for_all_or_nothing),
		cmocka_unit_test(only_running_scopes_are_found),
		cmocka_unit_test(threads_share_a_scope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
