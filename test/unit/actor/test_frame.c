/* Frames: which network an edge gives, and what is inherited. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "actor/frame.h"
#include "base/alloc.h"

static struct frame *frame_with(const char *overlay, enum frame_chooser by)
{
	static const struct frame_edge nothing;
	struct frame_network net = {overlay, by, false};

	return frame_derive(NULL, &nothing, &net);
}

static void test_choice(void **state)
{
	static const struct {
		const char *caller; /* NULL: nobody calls */
		enum frame_chooser caller_by;
		const char *call, *entry, *fallback;
		const char *overlay;
		enum frame_chooser by;
		bool must_exist;
	} cases[] = {
		/* nothing anywhere */
		{NULL, 0, NULL, NULL, NULL, "", FRAME_NOBODY, false},
		{"", FRAME_NOBODY, NULL, NULL, NULL, "", FRAME_NOBODY, false},
		{"", FRAME_NOBODY, NULL, NULL, "", "", FRAME_NOBODY, false},
		/* the default applies where nothing else is chosen, and must exist where it is applied */
		{NULL, 0, NULL, NULL, "a:def", "a:def", FRAME_DEFAULT, true},
		{"", FRAME_NOBODY, NULL, NULL, "a:def", "a:def", FRAME_DEFAULT, true},
		{"a:def", FRAME_DEFAULT, NULL, NULL, "a:def", "a:def", FRAME_DEFAULT, false},
		/* inherited wins over the default and is not checked again */
		{"a:tor", FRAME_CALL, NULL, NULL, "a:def", "a:tor", FRAME_INHERITED, false},
		{"a:tor", FRAME_INHERITED, NULL, NULL, NULL, "a:tor", FRAME_INHERITED, false},
		{"a:tor", FRAME_ENTRY, NULL, NULL, NULL, "a:tor", FRAME_INHERITED, false},
		/* explicit wins over all; the call over the entry */
		{"a:tor", FRAME_CALL, "a:i2p", NULL, "a:def", "a:i2p", FRAME_CALL, true},
		{"a:tor", FRAME_CALL, NULL, "a:ent", "a:def", "a:ent", FRAME_ENTRY, true},
		{"a:tor", FRAME_CALL, "a:i2p", "a:ent", "a:def", "a:i2p", FRAME_CALL, true},
		{NULL, 0, NULL, "a:ent", NULL, "a:ent", FRAME_ENTRY, true},
		/* an explicit "" drops explicit and inherited, and falls to the default */
		{"a:tor", FRAME_CALL, "", NULL, NULL, "", FRAME_NOBODY, false},
		{"a:tor", FRAME_CALL, "", NULL, "a:def", "a:def", FRAME_DEFAULT, true},
		{"a:tor", FRAME_CALL, "", "a:ent", NULL, "", FRAME_NOBODY, false},
		{"a:tor", FRAME_CALL, NULL, "", NULL, "", FRAME_NOBODY, false},
		{"a:tor", FRAME_CALL, "a:i2p", "", NULL, "a:i2p", FRAME_CALL, true},
		/* the clear network, chosen, is inherited like any overlay */
		{"a:tor", FRAME_CALL, FRAME_DIRECT, NULL, "a:def", FRAME_DIRECT, FRAME_CALL, true},
		{FRAME_DIRECT, FRAME_CALL, NULL, NULL, "a:def", FRAME_DIRECT, FRAME_INHERITED, false},
		{FRAME_DIRECT, FRAME_CALL, "", NULL, "a:def", "a:def", FRAME_DEFAULT, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct frame *caller = cases[i].caller ? frame_with(cases[i].caller, cases[i].caller_by) : NULL;
		struct frame_network net =
			frame_choose_network(caller, cases[i].call, cases[i].entry, cases[i].fallback);

		if (strcmp(net.overlay, cases[i].overlay) != 0 || net.chosen_by != cases[i].by ||
			net.must_exist != cases[i].must_exist)
			fail_msg("case %zu: got '%s' by %s (%d), want '%s' by %s (%d)", i, net.overlay,
				frame_chooser_name(net.chosen_by), net.must_exist, cases[i].overlay,
				frame_chooser_name(cases[i].by), cases[i].must_exist);
		frame_unref(caller);
	}
}

static void test_direct(void **state)
{
	static const struct {
		const char *overlay;
		bool direct;
	} cases[] = {{"", true}, {FRAME_DIRECT, true}, {"a:tor", false}, {"directx", false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct frame *f = frame_with(cases[i].overlay, FRAME_CALL);

		assert_int_equal(frame_is_direct(f), cases[i].direct);
		frame_unref(f);
	}
}

static struct value *map_of(const char *key, const char *text)
{
	struct value *map = value_map();

	value_map_set(map, key, value_cstring(text));
	return map;
}

static void test_values_are_laid_over(void **state)
{
	struct frame_network net = {"", FRAME_NOBODY, false};
	struct frame_edge edge = {.values = map_of("a", "parent")};
	struct frame *parent, *child, *same;

	(void)state;
	value_map_set(edge.values, "b", value_cstring("kept"));
	parent = frame_derive(NULL, &edge, &net);
	value_unref(edge.values);
	edge.values = map_of("a", "child");
	child = frame_derive(parent, &edge, &net);
	value_unref(edge.values);
	assert_string_equal(value_get_string(value_get(child->values, "a"), NULL), "child");
	assert_string_equal(value_get_string(value_get(child->values, "b"), NULL), "kept");
	/* The child cannot change its parent. */
	assert_string_equal(value_get_string(value_get(parent->values, "a"), NULL), "parent");
	/* An edge that changes nothing costs nothing. */
	edge.values = NULL;
	same = frame_derive(child, &edge, &net);
	assert_ptr_equal(same, child);
	frame_unref(same);
	frame_unref(child);
	frame_unref(parent);
}

static void test_identity(void **state)
{
	struct frame_network net = {"", FRAME_NOBODY, false};
	struct identity *anna = identity_new("anna", NULL), *bob = identity_new("bob", NULL);
	struct scope *scope = scope_new();
	struct frame_edge edge = {.actor = anna, .scope = scope};
	struct frame *parent = frame_derive(NULL, &edge, &net);
	struct frame *child;

	(void)state;
	edge = (struct frame_edge){.actor = bob};
	child = frame_derive(parent, &edge, &net);
	/* Replaced alone: the other one stays. */
	assert_ptr_equal(child->actor, bob);
	assert_ptr_equal(child->scope, scope);
	assert_string_equal(identity_id(parent->actor), "anna");
	frame_unref(child);
	frame_unref(parent);
	identity_unref(anna);
	identity_unref(bob);
	scope_unref(scope);
}

static void test_security_rule(void **state)
{
	struct identity *who = identity_new("", NULL);
	struct scope *scope = scope_new();

	(void)state;
	/* Something missing: allowed, unless strict. */
	assert_true(security_allows(NULL, NULL, false, "network.select", "a:tor", NULL));
	assert_true(security_allows(scope, NULL, false, "network.select", "a:tor", NULL));
	assert_true(security_allows(NULL, who, false, "network.select", "a:tor", NULL));
	assert_false(security_allows(NULL, NULL, true, "network.select", "a:tor", NULL));
	assert_false(security_allows(scope, NULL, true, "network.select", "a:tor", NULL));
	assert_false(security_allows(NULL, who, true, "network.select", "a:tor", NULL));
	/* Both there: a scope that says nothing denies. */
	assert_false(security_allows(scope, who, false, "network.select", "a:tor", NULL));
	identity_unref(who);
	scope_unref(scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_direct),
		cmocka_unit_test(test_values_are_laid_over),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_security_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
