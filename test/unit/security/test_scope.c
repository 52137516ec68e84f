/* Scopes: what a set of policies says, and the sets of an application. */
#include "policies.h"

#include <pthread.h>
#include <stdatomic.h>

#include "security/policy_set.h"
#include "security/scope.h"

static struct policy *rule(const char *id, const char *actions, const char *resources, const char *effect)
{
	char *text = xasprintf("policy: {actions: %s, resources: %s, effect: %s}", actions, resources, effect);
	struct policy *p = make_policy(id, text);

	free(text);
	return p;
}

static void test_evaluation(void **state)
{
	/* Which of the policies are in the scope, by letter; what the scope says. */
	static const struct {
		const char *id, *actions, *resources, *effect;
	} policies[] = {
		{"t:a", "'*'", "'*'", "allow"},
		{"t:b", "db.get", "'app:*'", "allow"},
		{"t:c", "network.select", "'*'", "deny"},
		{"t:d", "'db.*'", "'app:secret'", "deny"},
		{"t:e", "['db.get', 'fs.*', 'db.put']", "['app:x', 'vpn:*']", "allow"},
		{"t:f", "'*'", "'*'", "deny"},
	};
	static const struct {
		const char *scope, *action, *resource;
		enum verdict verdict;
	} cases[] = {
		{"", "db.get", "app:x", VERDICT_UNDEFINED},
		{"a", "db.get", "app:x", VERDICT_ALLOW},
		{"a", "", "", VERDICT_ALLOW},
		{"b", "db.get", "app:x", VERDICT_ALLOW},
		{"b", "db.get", "vpn:x", VERDICT_UNDEFINED},
		{"b", "db.put", "app:x", VERDICT_UNDEFINED},
		{"b", "db.get", "", VERDICT_UNDEFINED},
		{"ac", "network.select", "app:tor", VERDICT_DENY},
		{"ca", "network.select", "", VERDICT_DENY},
		{"ac", "network.bind", "app:tor", VERDICT_ALLOW},
		{"c", "network.bind", "app:tor", VERDICT_UNDEFINED},
		{"abd", "db.get", "app:secret", VERDICT_DENY},
		{"abd", "db", "app:secret", VERDICT_DENY},
		{"abd", "dbx", "app:secret", VERDICT_DENY},
		{"abd", "db.get", "app:other", VERDICT_ALLOW},
		{"bd", "db.put", "app:other", VERDICT_UNDEFINED},
		{"e", "db.put", "vpn:", VERDICT_ALLOW},
		{"e", "fs", "app:x", VERDICT_ALLOW},
		{"e", "fs.get", "app:xy", VERDICT_UNDEFINED},
		{"e", "db.putx", "app:x", VERDICT_UNDEFINED},
		{"abcdef", "anything", "at all", VERDICT_DENY},
		{"f", "", "", VERDICT_DENY},
	};
	struct policy *made[ARRAY_LEN(policies)];
	struct identity *who = identity_new("", NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(policies); i++)
		made[i] = rule(policies[i].id, policies[i].actions, policies[i].resources, policies[i].effect);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct policy *in[8];
		struct scope *s, *grown = scope_new(), *next;
		struct check c = check_of(who, cases[i].action, cases[i].resource, NULL);
		struct policy *deciding;
		size_t n = 0;

		for (const char *p = cases[i].scope; *p; p++) {
			in[n++] = made[*p - 'a'];
			next = scope_with(grown, made[*p - 'a']);
			scope_unref(grown);
			grown = next;
		}
		s = scope_new_of(in, n);
		assert_int_equal(scope_count(s), n);
		assert_int_equal(scope_count(grown), n);
		if (scope_judge(s, who, cases[i].action, cases[i].resource, NULL) != cases[i].verdict ||
			scope_judge_check(grown, &c) != cases[i].verdict)
			fail_msg("scope %s: %s on %s", cases[i].scope, cases[i].action, cases[i].resource);
		deciding = scope_deciding(s, &c);
		assert_int_equal(deciding == NULL, cases[i].verdict == VERDICT_UNDEFINED);
		if (deciding)
			assert_int_equal(policy_effect(deciding), cases[i].verdict);
		/* The gates' rule. */
		assert_int_equal(security_allows(s, who, false, cases[i].action, cases[i].resource, NULL),
			cases[i].verdict == VERDICT_ALLOW);
		scope_unref(s);
		scope_unref(grown);
	}
	for (size_t i = 0; i < ARRAY_LEN(policies); i++)
		policy_unref(made[i]);
	identity_unref(who);
}

static void test_something_missing(void **state)
{
	struct scope *empty = scope_new();
	struct identity *who = identity_new("", NULL);

	(void)state;
	assert_true(security_allows(NULL, NULL, false, "a", "b", NULL));
	assert_true(security_allows(empty, NULL, false, "a", "b", NULL));
	assert_true(security_allows(NULL, who, false, "a", "b", NULL));
	assert_false(security_allows(NULL, NULL, true, "a", "b", NULL));
	assert_false(security_allows(empty, NULL, true, "a", "b", NULL));
	assert_false(security_allows(NULL, who, true, "a", "b", NULL));
	/* An actor with an empty id is there. */
	assert_false(security_allows(empty, who, false, "a", "b", NULL));
	assert_false(security_allows(empty, who, true, "a", "b", NULL));
	scope_unref(empty);
	identity_unref(who);
}

static void test_sets(void **state)
{
	struct policy *one = rule("t:one", "a", "'*'", "allow"), *two = rule("t:two", "b", "'*'", "allow");
	struct policy *other_one = rule("t:one", "a", "'*'", "deny");
	struct scope *empty = scope_new(), *s, *t, *u;
	struct policy *both[] = {one, two, other_one};
	struct identity *who = identity_new("", NULL);

	(void)state;
	s = scope_with(empty, one);
	assert_int_equal(scope_count(empty), 0);
	assert_true(scope_contains(s, "t:one"));
	assert_false(scope_contains(empty, "t:one"));
	assert_false(scope_contains(s, "t:on"));
	t = scope_with(s, two);
	assert_string_equal(policy_id(scope_policy(t, 0)), "t:one");
	assert_string_equal(policy_id(scope_policy(t, 1)), "t:two");
	/* The same id replaces. */
	u = scope_with(t, other_one);
	assert_int_equal(scope_count(u), 2);
	assert_int_equal(scope_judge(t, who, "a", "x", NULL), VERDICT_ALLOW);
	assert_int_equal(scope_judge(u, who, "a", "x", NULL), VERDICT_DENY);
	assert_int_equal(scope_judge(u, who, "b", "x", NULL), VERDICT_ALLOW);
	scope_unref(u);
	u = scope_with(t, two);
	assert_ptr_equal(u, t);
	scope_unref(u);
	u = scope_without(t, "t:one");
	assert_int_equal(scope_count(u), 1);
	assert_int_equal(scope_judge(u, who, "a", "x", NULL), VERDICT_UNDEFINED);
	scope_unref(u);
	u = scope_without(t, "t:three");
	assert_ptr_equal(u, t);
	scope_unref(u);
	u = scope_new_of(both, 3);
	assert_int_equal(scope_count(u), 2);
	assert_int_equal(scope_judge(u, who, "a", "x", NULL), VERDICT_DENY);
	scope_unref(u);
	scope_unref(t);
	scope_unref(s);
	scope_unref(empty);
	policy_unref(one);
	policy_unref(two);
	policy_unref(other_one);
	identity_unref(who);
}

/* Many policies: the index says what a walk over all says. */
static void test_the_index_agrees(void **state)
{
	static const char *const effects[] = {"allow", "deny"};
	static const char *const texts[] = {"", "a", "ab", "abc", "abcd", "b", "bc", "x.y", "x", "x.yz", "*"};
	static const char *const patterns[] = {"a", "ab", "abc", "a*", "ab*", "abc*", "b.*", "x.*", "x.y", "*", "**"};
	struct identity *who = identity_new("u", NULL);
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct policy *list[12];
		size_t n = (size_t)(rand_r(&seed) % 12);
		struct scope *s;

		for (size_t i = 0; i < n; i++) {
			char *id = xasprintf("t:%zu", i);
			char *actions =
				xasprintf("['%s', '%s']", patterns[(unsigned)rand_r(&seed) % ARRAY_LEN(patterns)],
					patterns[(unsigned)rand_r(&seed) % ARRAY_LEN(patterns)]);
			char *resources = xasprintf("'%s'", patterns[(unsigned)rand_r(&seed) % ARRAY_LEN(patterns)]);

			list[i] = rule(id, actions, resources, effects[rand_r(&seed) % 2]);
			free(id);
			free(actions);
			free(resources);
		}
		s = scope_new_of(list, n);
		for (size_t a = 0; a < ARRAY_LEN(texts); a++) {
			for (size_t r = 0; r < ARRAY_LEN(texts); r++) {
				struct check c = check_of(who, texts[a], texts[r], NULL);
				bool allow = false, deny = false;

				for (size_t i = 0; i < n; i++) {
					allow |= policy_judge(list[i], &c) == VERDICT_ALLOW;
					deny |= policy_judge(list[i], &c) == VERDICT_DENY;
				}
				assert_int_equal(scope_judge_check(s, &c), deny    ? VERDICT_DENY
									   : allow ? VERDICT_ALLOW
										   : VERDICT_UNDEFINED);
			}
		}
		scope_unref(s);
		for (size_t i = 0; i < n; i++)
			policy_unref(list[i]);
	}
	identity_unref(who);
}

/* -- the policies of an application ----------------------------------------------------------------------------- */

static struct policy *grouped(const char *id, const char *effect, const char *groups)
{
	char *text = xasprintf("{policy: {actions: '*', resources: '*', effect: %s}, groups: %s}", effect, groups);
	struct policy *p = make_policy(id, text);

	free(text);
	return p;
}

static void test_groups_come_and_go(void **state)
{
	struct policy_set *set = policy_set_new();
	struct identity *who = identity_new("", NULL);
	struct scope *s, *later;
	struct policy *p;

	(void)state;
	assert_null(policy_set_get(set, "app:p"));
	assert_null(policy_set_group(set, "app:g"));
	policy_set_put(set, grouped("app:p", "allow", "[g]"));
	policy_set_put(set, grouped("app:q", "allow", "[g, 'other:h']"));
	p = policy_set_get(set, "app:p");
	assert_string_equal(policy_id(p), "app:p");
	policy_unref(p);
	s = policy_set_group(set, "app:g");
	assert_int_equal(scope_count(s), 2);
	assert_null(policy_set_group(set, "g"));
	later = policy_set_group(set, "other:h");
	assert_int_equal(scope_count(later), 1);
	scope_unref(later);
	/* A changed policy: new look-ups see it, the scope made before does not. */
	policy_set_put(set, grouped("app:p", "deny", "[g]"));
	later = policy_set_group(set, "app:g");
	assert_int_equal(scope_count(later), 2);
	assert_int_equal(scope_judge(s, who, "a", "b", NULL), VERDICT_ALLOW);
	assert_int_equal(scope_judge(later, who, "a", "b", NULL), VERDICT_DENY);
	scope_unref(later);
	/* It leaves the group. */
	policy_set_put(set, grouped("app:p", "deny", "['other:h']"));
	later = policy_set_group(set, "app:g");
	assert_int_equal(scope_count(later), 1);
	scope_unref(later);
	policy_set_remove(set, "app:q");
	assert_null(policy_set_group(set, "app:g"));
	later = policy_set_group(set, "other:h");
	assert_int_equal(scope_count(later), 1);
	assert_true(scope_contains(later, "app:p"));
	scope_unref(later);
	policy_set_remove(set, "app:p");
	policy_set_remove(set, "app:p");
	assert_null(policy_set_group(set, "other:h"));
	assert_int_equal(scope_judge(s, who, "a", "b", NULL), VERDICT_ALLOW);
	policy_set_free(set);
	assert_int_equal(scope_judge(s, who, "a", "b", NULL), VERDICT_ALLOW);
	scope_unref(s);
	identity_unref(who);
}

static void note_missing(void *arg, const char *what, const char *id)
{
	buf_addf(arg, "%s %s;", what, id);
}

static void test_unions(void **state)
{
	struct policy_set *set = policy_set_new();
	struct value *groups = from_yaml("['app:g', g, 5, 'app:none', '']"),
		     *policies = from_yaml("['app:q', 'app:r', q]");
	struct buf missing = BUF_INIT;
	struct scope *s;

	(void)state;
	policy_set_put(set, grouped("app:p", "allow", "[g]"));
	policy_set_put(set, grouped("app:q", "allow", "[g]"));
	policy_set_put(set, grouped("app:r", "allow", "[]"));
	s = policy_set_union(set, groups, policies, note_missing, &missing);
	assert_int_equal(scope_count(s), 3);
	assert_string_equal(buf_str(&missing), "group g;group app:none;group ;policy q;");
	scope_unref(s);
	assert_null(policy_set_union(set, NULL, NULL, note_missing, NULL));
	value_unref(groups);
	groups = from_yaml("[x, y]");
	assert_null(policy_set_union(set, groups, NULL, NULL, NULL));
	buf_done(&missing);
	value_unref(groups);
	value_unref(policies);
	policy_set_free(set);
}

static atomic_bool over;

static void *look_up(void *arg)
{
	struct policy_set *set = arg;
	struct identity *who = identity_new("u", NULL);
	size_t *n = xcalloc(1, sizeof(*n));

	while (!atomic_load(&over)) {
		struct scope *s = policy_set_group(set, "app:g");
		struct policy *p = policy_set_get(set, "app:p1");
		struct scope *more = s && p ? scope_with(s, p) : NULL;

		if (more)
			*n += scope_judge(more, who, "x", "y", NULL) != VERDICT_UNDEFINED;
		scope_unref(more);
		scope_unref(s);
		policy_unref(p);
	}
	identity_unref(who);
	return n;
}

static void test_many_threads(void **state)
{
	struct policy_set *set = policy_set_new();
	pthread_t threads[3];
	size_t seen = 0;

	(void)state;
	policy_set_put(set, grouped("app:p1", "allow", "[g]"));
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, look_up, set), 0);
	for (int i = 0; i < 300; i++) {
		policy_set_put(set, grouped("app:p1", i % 2 ? "allow" : "deny", "[g]"));
		policy_set_put(set, grouped("app:p2", "allow", "[g]"));
		policy_set_remove(set, "app:p2");
	}
	atomic_store(&over, true);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *n;

		pthread_join(threads[i], &n);
		seen += *(size_t *)n;
		free(n);
	}
	(void)seen; /* how far they got is the machine's business */
	policy_set_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_evaluation),
		cmocka_unit_test(test_something_missing),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_the_index_agrees),
		cmocka_unit_test(test_groups_come_and_go),
		cmocka_unit_test(test_unions),
		cmocka_unit_test(test_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
