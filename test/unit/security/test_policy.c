/* Policies: reading, patterns, conditions. */
#include "policies.h"

#include "security/condition.h"
#include "security/pattern_list.h"

static void test_patterns(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} cases[] = {
		{"*", "", true},
		{"*", "anything", true},
		{"a", "a", true},
		{"a", "A", false},
		{"a", "ab", false},
		{"a", "", false},
		{"app:*", "app:tor", true},
		{"app:*", "app:", true},
		{"app:*", "app", false},
		{"app:*", "App:tor", false},
		{"db.*", "db", true},
		{"db.*", "db.get", true},
		{"db.*", "dbx", true},
		{"db.*", "d", false},
		{"*.read", "db.read", false},
		{"*.read", "*.read", true},
		{"a*b", "axb", false},
		{"a*b", "a*b", true},
		{"a**", "a*", true},
		{"a**", "a*x", true},
		{"a**", "ax", false},
		{".*", "", true},
		{".*", "x", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct value *v = value_cstring(cases[i].pattern);
		struct pattern_list l;

		assert_int_equal(pattern_list_read(&l, v, "actions", NULL), 0);
		if (pattern_list_matches(&l, cases[i].text, strlen(cases[i].text)) != cases[i].matches)
			fail_msg("pattern '%s', text '%s'", cases[i].pattern, cases[i].text);
		pattern_list_done(&l);
		value_unref(v);
	}
}

static void test_lists_of_patterns(void **state)
{
	struct value *v = from_yaml("[1, x, 'ab*', 'abc', 'a*', true, 'y.*', {}, 'x', 'y']");
	struct pattern_list l;

	(void)state;
	assert_int_equal(pattern_list_read(&l, v, "actions", NULL), 0);
	/* What another one covers is dropped: x, a*, y*. */
	assert_int_equal(l.count, 3);
	assert_true(pattern_list_matches(&l, "x", 1));
	assert_true(pattern_list_matches(&l, "abc", 3));
	assert_true(pattern_list_matches(&l, "yellow", 6));
	assert_false(pattern_list_matches(&l, "1", 1));
	assert_false(pattern_list_matches(&l, "", 0));
	assert_false(pattern_list_is_any(&l));
	pattern_list_done(&l);
	value_unref(v);

	v = from_yaml("[a, 'b*', '*', 'c.*']");
	assert_int_equal(pattern_list_read(&l, v, "actions", NULL), 0);
	assert_true(pattern_list_is_any(&l));
	pattern_list_done(&l);
	value_unref(v);

	/* Only items that are no text: nothing matches. */
	v = from_yaml("[1, 2]");
	assert_int_equal(pattern_list_read(&l, v, "actions", NULL), 0);
	assert_false(pattern_list_matches(&l, "1", 1));
	assert_false(pattern_list_matches(&l, "", 0));
	pattern_list_done(&l);
	value_unref(v);
}

static void test_refused_entries(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"{}", "actions must be a string or list"},
		{"policy: 5", "actions must be a string or list"},
		{"policy: {actions: ''}", "actions string cannot be empty"},
		{"policy: {actions: []}", "actions list cannot be empty"},
		{"policy: {actions: 5}", "actions must be a string or list"},
		{"policy: {actions: {a: b}}", "actions must be a string or list"},
		{"policy: {actions: a}", "resources must be a string or list"},
		{"policy: {actions: a, resources: ''}", "resources string cannot be empty"},
		{"policy: {actions: a, resources: []}", "resources list cannot be empty"},
		{"policy: {actions: a, resources: true}", "resources must be a string or list"},
		{"policy: {actions: a, resources: b}", "invalid policy effect: (allow or deny)"},
		{"policy: {actions: a, resources: b, effect: Allow}", "invalid policy effect: Allow (allow or deny)"},
		{"policy: {actions: a, resources: b, effect: permit}", "invalid policy effect: permit (allow or deny)"},
		{"policy: {actions: a, resources: b, effect: 1}", "invalid policy effect: (allow or deny)"},
		{"policy: {actions: a, resources: b, effect: allow, conditions: {}}", "conditions must be a list"},
		{"policy: {actions: a, resources: b, effect: allow, conditions: [5]}",
			"condition 0: field is required"},
		{"policy: {actions: a, resources: b, effect: allow, conditions: [{operator: eq, value: 1}]}",
			"condition 0: field is required"},
		{"policy: {actions: a, resources: b, effect: allow, conditions: [{field: x, value: 1}]}",
			"condition 0: operator is required"},
		{"policy: {actions: a, resources: b, effect: allow, conditions: [{field: x, operator: eq}]}",
			"condition 0: value or value_from is required"},
		{"policy: {actions: a, resources: b, effect: allow, conditions: [{field: x, operator: exists}]}",
			"condition 0: value or value_from is required"},
		{"policy: {actions: a, resources: b, effect: allow, conditions: [{field: x, operator: eq, value: "
		 "null}]}",
			"condition 0: value or value_from is required"},
		{"policy: {actions: a, resources: b, effect: allow, conditions: [{field: x, operator: eq, value: 1}, "
		 "{field: x, operator: like, value: 1}]}",
			"condition 1: invalid operator: like"},
		{"policy: {actions: a, resources: b, effect: allow, conditions: [{field: x, operator: matches, value: "
		 "'('}]}",
			"~condition 0: invalid regex pattern"},
		{"policy: {actions: a, resources: b, effect: allow, conditions: [{field: x, operator: matches, value: "
		 "5}]}",
			"~condition 0: invalid regex pattern"},
		{"{policy: {actions: a, resources: b, effect: allow}, groups: g}", "groups must be a list"},
		{"{policy: {actions: a, resources: b, effect: allow}, groups: [1]}", "groups must be a list of names"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct policy *p;
		struct err e;

		if (try_policy("app:p", "security.policy", cases[i].text, &p, &e) == 0)
			fail_msg("accepted: %s", cases[i].text);
		assert_int_equal(e.kind, ERR_INVALID);
		if (cases[i].error[0] == '~' ? !strstr(e.text, cases[i].error + 1)
					     : strcmp(e.text, cases[i].error) != 0)
			fail_msg("%s: got '%s', expected '%s'", cases[i].text, e.text, cases[i].error);
	}
}

static void test_groups(void **state)
{
	struct policy *p = make_policy("app.sec:p",
		"{policy: {actions: a, resources: b, effect: deny}, groups: [own, 'x:y', own, 'app.sec:own']}");

	(void)state;
	assert_string_equal(policy_id(p), "app.sec:p");
	assert_int_equal(policy_effect(p), VERDICT_DENY);
	assert_int_equal(policy_ngroups(p), 2);
	assert_string_equal(policy_group(p, 0), "app.sec:own");
	assert_string_equal(policy_group(p, 1), "x:y");
	policy_unref(p);
}

/* -- conditions ---------------------------------------------------------------------------------------------- */

/* Everything is asked of: actor user:7 {role: admin, level: 5, tags: [a, b], team: {name: red}, nothing: null}; action doc.read, resource doc:42,
 * meta {owner: user:7, size: 10, price: "12.5", deep: {x: y}, list: [1, "2"], flag: true}. */
static bool holds(const char *condition, bool with_actor)
{
	struct value *list = from_yaml(condition);
	struct value *attributes =
		from_yaml("{owner: 'user:7', size: 10, price: '12.5', deep: {x: y}, list: [1, '2'], flag: true, "
			  "'odd.key': 1, big: 9007199254740993, empty: ''}");
	struct identity *who = with_actor
				       ? identity_new("user:7", from_yaml("{role: admin, level: 5, tags: [a, b], team: "
									  "{name: red}, nothing: null, 'a.b': 1}"))
				       : identity_new("", NULL);
	struct check c = check_of(who, "doc.read", "doc:42", attributes);
	struct condition_list l;
	struct buf why = BUF_INIT;
	struct err e;
	bool ok;

	if (condition_list_read(&l, list, &e) < 0)
		fail_msg("%s: %s", condition, e.text);
	ok = condition_list_holds(&l, &c);
	assert_int_equal(condition_list_explain(&l, &c, &why) < 0, ok);
	assert_int_equal(buf_len(&why) == 0, ok);
	buf_done(&why);
	condition_list_done(&l);
	identity_unref(who);
	value_unref(attributes);
	value_unref(list);
	return ok;
}

static void test_conditions(void **state)
{
	static const struct {
		const char *condition;
		bool holds;
	} cases[] = {
		/* paths */
		{"[{field: actor.id, operator: eq, value: 'user:7'}]", true},
		{"[{field: actor.meta.role, operator: eq, value: admin}]", true},
		{"[{field: actor.meta.team.name, operator: eq, value: red}]", true},
		{"[{field: actor.meta, operator: exists, value: true}]", true},
		{"[{field: action, operator: eq, value: doc.read}]", true},
		{"[{field: resource, operator: eq, value: 'doc:42'}]", true},
		{"[{field: meta.owner, operator: eq, value: 'user:7'}]", true},
		{"[{field: owner, operator: eq, value: 'user:7'}]", true},
		{"[{field: meta.deep.x, operator: eq, value: y}]", true},
		{"[{field: deep.x, operator: eq, value: y}]", false}, /* one key of that name */
		{"[{field: odd.key, operator: eq, value: 1}]", true},
		{"[{field: meta.odd.key, operator: eq, value: 1}]", false},
		{"[{field: owner, operator: eq, value_from: actor.id}]", true},
		{"[{field: owner, operator: ne, value_from: actor.id}]", false},
		{"[{field: owner, operator: eq, value_from: nowhere}]", false},
		{"[{field: owner, operator: ne, value_from: nowhere}]", false},
		/* nothing to ask for: false, whatever the operator */
		{"[{field: actor, operator: exists, value: true}]", false},
		{"[{field: actor, operator: nexists, value: true}]", false},
		{"[{field: meta, operator: exists, value: true}]", false},
		{"[{field: meta, operator: nexists, value: true}]", false},
		{"[{field: actor.name, operator: exists, value: true}]", false},
		{"[{field: actor.name, operator: nexists, value: true}]", false},
		{"[{field: actor.idx, operator: nexists, value: true}]", false},
		/* eq, ne */
		{"[{field: meta.size, operator: eq, value: 10}]", true},
		{"[{field: meta.size, operator: eq, value: 10.0}]", true},
		{"[{field: meta.size, operator: eq, value: '10'}]", true},
		{"[{field: meta.size, operator: eq, value: '1e1'}]", true},
		{"[{field: meta.size, operator: eq, value: '10 '}]", false},
		{"[{field: meta.price, operator: eq, value: 12.5}]", true},
		{"[{field: meta.flag, operator: eq, value: true}]", true},
		{"[{field: meta.flag, operator: eq, value: 'true'}]", true},
		{"[{field: meta.flag, operator: eq, value: 1}]", false},
		{"[{field: meta.flag, operator: ne, value: 1}]", true},
		{"[{field: meta.deep, operator: eq, value: {x: y}}]", true},
		{"[{field: meta.deep, operator: ne, value: {x: z}}]", true},
		{"[{field: meta.list, operator: eq, value: [1, '2']}]", true},
		{"[{field: meta.big, operator: eq, value: 9007199254740992}]", false},
		{"[{field: meta.big, operator: gt, value: 9007199254740992}]", true},
		{"[{field: owner, operator: ne, value: 'user:8'}]", true},
		{"[{field: empty, operator: eq, value: ''}]", true},
		/* order */
		{"[{field: meta.size, operator: lt, value: 11}]", true},
		{"[{field: meta.size, operator: lt, value: 10}]", false},
		{"[{field: meta.size, operator: lte, value: 10}]", true},
		{"[{field: meta.size, operator: gt, value: 9.5}]", true},
		{"[{field: meta.size, operator: gte, value: '10'}]", true},
		{"[{field: meta.price, operator: gt, value: 12}]", true},
		{"[{field: owner, operator: gt, value: 1}]", false},
		{"[{field: owner, operator: lte, value: 1}]", false},
		/* in, nin */
		{"[{field: actor.meta.role, operator: in, value: [user, admin]}]", true},
		{"[{field: actor.meta.role, operator: nin, value: [user, admin]}]", false},
		{"[{field: actor.meta.role, operator: nin, value: [user]}]", true},
		{"[{field: actor.meta.role, operator: in, value: []}]", false},
		{"[{field: actor.meta.role, operator: in, value: admin}]", true},
		{"[{field: actor.meta.role, operator: nin, value: user}]", true},
		{"[{field: actor.meta.level, operator: in, value: ['5']}]", true},
		{"[{field: actor.meta.role, operator: in, value: 5}]", false},
		{"[{field: actor.meta.role, operator: nin, value: 5}]", false},
		{"[{field: actor.meta.role, operator: nin, value: {a: b}}]", false},
		/* contains */
		{"[{field: owner, operator: contains, value: 'er:'}]", true},
		{"[{field: owner, operator: ncontains, value: 'er:'}]", false},
		{"[{field: owner, operator: ncontains, value: xyz}]", true},
		{"[{field: owner, operator: contains, value: ''}]", true},
		{"[{field: actor.meta.tags, operator: contains, value: b}]", true},
		{"[{field: actor.meta.tags, operator: ncontains, value: c}]", true},
		{"[{field: meta.list, operator: contains, value: 2}]", true},
		{"[{field: meta.deep, operator: contains, value: x}]", false},
		{"[{field: meta.deep, operator: ncontains, value: x}]", false},
		/* matches */
		{"[{field: resource, operator: matches, value: '^doc:[0-9]+$'}]", true},
		{"[{field: resource, operator: matches, value: '4'}]", true},
		{"[{field: resource, operator: matches, value: '^user'}]", false},
		{"[{field: resource, operator: nmatches, value: '^user'}]", true},
		{"[{field: meta.size, operator: matches, value: '^1'}]", true},
		{"[{field: meta.list, operator: matches, value: '1'}]", false},
		{"[{field: meta.list, operator: nmatches, value: 'x'}]", false},
		{"[{field: resource, operator: matches, value_from: owner}]", false},
		{"[{field: resource, operator: nmatches, value_from: owner}]", false},
		/* exists */
		{"[{field: owner, operator: exists, value: true}]", true},
		{"[{field: owner, operator: exists, value: false}]", false},
		{"[{field: owner, operator: nexists, value: true}]", false},
		{"[{field: owner, operator: nexists, value: false}]", true},
		{"[{field: none, operator: exists, value: true}]", false},
		{"[{field: none, operator: exists, value: false}]", true},
		{"[{field: none, operator: nexists, value: true}]", true},
		{"[{field: none, operator: nexists, value: false}]", false},
		{"[{field: actor.meta.nothing, operator: exists, value: true}]", false},
		{"[{field: actor.meta.nothing, operator: nexists, value: true}]", true},
		{"[{field: owner, operator: exists, value: 'true'}]", false},
		{"[{field: none, operator: nexists, value: 1}]", false},
		{"[{field: owner, operator: exists, value_from: flag}]", true},
		/* absent: every other operator is false */
		{"[{field: none, operator: eq, value: x}]", false},
		{"[{field: none, operator: ne, value: x}]", false},
		{"[{field: none, operator: lt, value: 1}]", false},
		{"[{field: none, operator: in, value: [x]}]", false},
		{"[{field: none, operator: nin, value: [x]}]", false},
		{"[{field: none, operator: contains, value: x}]", false},
		{"[{field: none, operator: ncontains, value: x}]", false},
		{"[{field: none, operator: matches, value: x}]", false},
		{"[{field: none, operator: nmatches, value: x}]", false},
		{"[{field: actor.meta.nothing, operator: ne, value: x}]", false},
		{"[{field: actor.meta.role.deeper, operator: ne, value: x}]", false},
		/* all must hold */
		{"[]", true},
		{"[{field: action, operator: eq, value: doc.read}, {field: meta.size, operator: gt, value: 5}]", true},
		{"[{field: action, operator: eq, value: doc.read}, {field: meta.size, operator: gt, value: 50}]",
			false},
		{"[{field: meta.size, operator: gt, value: 50}, {field: action, operator: eq, value: doc.read}]",
			false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (holds(cases[i].condition, true) != cases[i].holds)
			fail_msg("%s: expected %d", cases[i].condition, cases[i].holds);
	}
}

static void test_an_actor_without_anything(void **state)
{
	(void)state;
	assert_false(holds("[{field: actor.id, operator: exists, value: true}]", false));
	assert_false(holds("[{field: actor.id, operator: nexists, value: true}]", false));
	assert_false(holds("[{field: actor.meta.role, operator: nexists, value: true}]", false));
	assert_false(holds("[{field: actor.id, operator: eq, value: ''}]", false));
	assert_true(holds("[{field: action, operator: eq, value: doc.read}]", false));
}

/* -- policies ------------------------------------------------------------------------------------------------- */

static void test_parts(void **state)
{
	struct identity *who = identity_new("u", from_yaml("{role: guest}"));
	struct policy *p =
		make_policy("app:p", "policy: {actions: ['db.*', x], resources: 'app:*', effect: deny, conditions: "
				     "[{field: actor.meta.role, operator: eq, value: guest}]}");
	static const struct {
		const char *action, *resource, *role;
		enum policy_part part;
		const char *why;
	} cases[] = {
		{"db.get", "app:main", "guest", POLICY_APPLIES, ""},
		{"file.get", "app:main", "guest", POLICY_ACTION, "it is about other actions: db*, x"},
		{"x", "other:main", "guest", POLICY_RESOURCE, "it is about other resources: app:*"},
		{"x", "app:main", "admin", POLICY_CONDITION,
			"condition 0: actor.meta.role eq \"guest\": actor.meta.role is \"admin\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct value *meta = value_map();
		struct identity *asking;
		struct buf why = BUF_INIT;
		struct check c;

		value_map_set(meta, "role", value_cstring(cases[i].role));
		asking = identity_new("u", meta);
		c = check_of(asking, cases[i].action, cases[i].resource, NULL);
		assert_int_equal(policy_failing_part(p, &c), cases[i].part);
		assert_int_equal(
			policy_judge(p, &c), cases[i].part == POLICY_APPLIES ? VERDICT_DENY : VERDICT_UNDEFINED);
		policy_explain(p, &c, &why);
		assert_string_equal(buf_str(&why), cases[i].why);
		buf_done(&why);
		identity_unref(asking);
	}
	policy_unref(p);
	identity_unref(who);
}

static void test_expressions(void **state)
{
	static const struct {
		const char *expression;
		enum verdict verdict;
	} cases[] = {
		{"true", VERDICT_ALLOW},
		{"false", VERDICT_UNDEFINED},
		{"actor.id == \"user:7\"", VERDICT_ALLOW},
		{"actor.meta.role == \"admin\" && action startsWith \"doc.\"", VERDICT_ALLOW},
		{"actor.meta.role in [\"user\", \"guest\"]", VERDICT_UNDEFINED},
		{"resource matches \"^doc:[0-9]+$\"", VERDICT_ALLOW},
		{"meta.owner == actor.id", VERDICT_ALLOW},
		{"meta.none == nil", VERDICT_ALLOW},
		{"unknown == nil", VERDICT_ALLOW},
		{"1 + 1", VERDICT_UNDEFINED},
		{"actor.meta.role", VERDICT_UNDEFINED},
		{"meta.owner > 5", VERDICT_UNDEFINED},
		{"any(actor.meta.tags, # == \"b\")", VERDICT_ALLOW},
		{"not (action contains \"write\") or false", VERDICT_ALLOW},
	};
	struct identity *who = identity_new("user:7", from_yaml("{role: admin, tags: [a, b]}"));
	struct value *meta = from_yaml("{owner: 'user:7'}");
	struct check c = check_of(who, "doc.read", "doc:42", meta);
	struct policy *p;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *text = xasprintf(
			"policy: {actions: '*', resources: '*', effect: allow, expression: '%s'}", cases[i].expression);

		if (try_policy("app:p", "security.policy.expr", text, &p, &e) < 0)
			fail_msg("%s: %s", cases[i].expression, e.text);
		if (policy_judge(p, &c) != cases[i].verdict)
			fail_msg("%s", cases[i].expression);
		policy_unref(p);
		free(text);
	}
	assert_int_equal(try_policy("app:p", "security.policy.expr",
				 "policy: {actions: '*', resources: '*', effect: allow}", &p, &e),
		-1);
	assert_string_equal(e.text, "expression is required");
	assert_int_equal(try_policy("app:p", "security.policy.expr",
				 "policy: {actions: '*', resources: '*', effect: allow, expression: ''}", &p, &e),
		-1);
	assert_string_equal(e.text, "expression is required");
	assert_int_equal(try_policy("app:p", "security.policy.expr",
				 "policy: {actions: '*', resources: '*', effect: allow, expression: '1 +'}", &p, &e),
		-1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_int_equal(strncmp(e.text, "failed to compile expression: ", 30), 0);
	value_unref(meta);
	identity_unref(who);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_lists_of_patterns),
		cmocka_unit_test(test_refused_entries),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_an_actor_without_anything),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_expressions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
