/* Patterns over dotted names, both dialects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "registry/pattern.h"

struct match {
	const char *pattern;
	const char *text;
	bool want;
};

static void check_all(const struct match *rows, size_t n, bool (*matches)(const char *pattern, const char *text))
{
	for (size_t i = 0; i < n; i++) {
		if (matches(rows[i].pattern, rows[i].text) != rows[i].want)
			fail_msg("'%s' on '%s' should %smatch", rows[i].pattern, rows[i].text,
				rows[i].want ? "" : "not ");
	}
}

static void segments(void **state)
{
	static const struct match rows[] = {
		{"app", "app", true},
		{"app", "app2", false},
		{"app", "app.x", false},
		{"app.x", "app", false},
		{"*", "app", true},
		{"*", "", true},
		{"*", "app.x", false},
		{"app.*", "app.x", true},
		{"app.*", "app", false},
		{"app.*", "app.x.y", false},
		{"*.x", "app.x", true},
		{"a*", "app", false}, /* not a segment of its own: itself */
		{"a*", "a*", true},
		{"**", "", true},
		{"**", "app.x.y", true},
		{"app.**", "app", true},
		{"app.**", "app.x.y", true},
		{"app.**", "application", false},
		{"**.test", "test", true},
		{"**.test", "a.b.test", true},
		{"**.test", "a.b.testing", false},
		{"a.**.z", "a.z", true},
		{"a.**.z", "a.b.z.y.z", true},
		{"a.**.z", "a.b", false},
		{"**.b.**", "a.b.c", true},
		{"**.b.**", "a.c", false},
		{"(a|b)", "a", true},
		{"(a|b)", "b", true},
		{"(a|b)", "c", false},
		{"(a|b)", "a|b", false},
		{"entry.(create|update)", "entry.update", true},
		{"entry.(create|update)", "entry.delete", false},
		{"entry.(create|)", "entry.", true},
		{"()", "", true},
		{"(a", "(a", true},
		{"a.", "a.", true},
		{"a.", "a", false},
	};

	(void)state;
	check_all(rows, ARRAY_LEN(rows), dotted_matches);
}

static void prefixes(void **state)
{
	static const struct match rows[] = {
		{"orders", "orders", true},
		{"orders", "orders.a", false},
		{"*", "", true},
		{"*", "anything.at all", true},
		{"orders.*", "orders.created", true},
		{"orders.*", "orders.a.b", true},
		{"orders.*", "orders.", true},
		{"orders.*", "orders", false},
		{"ord*", "orders", true},
		{"ord*", "or", false},
		/* Nothing else is special. */
		{"**", "orders", false},
		{"**", "**", true},
		{"orders.**", "orders.a", false},
		{"orders.**", "orders.**", true},
		{"*.created", "orders.created", false},
		{"*.created", "*.created", true},
		{"a*b*", "axbx", false},
		{"a*b*", "a*bx", true},
		{"(a|b)", "a", false},
		{"(a|b)", "(a|b)", true},
		{"", "", true},
		{"", "a", false},
	};

	(void)state;
	check_all(rows, ARRAY_LEN(rows), prefix_matches);
}

static void bounds(void **state)
{
	char text[DOTTED_BYTES_MAX + 2];

	(void)state;
	memset(text, 'a', sizeof(text));
	text[DOTTED_BYTES_MAX] = '\0';
	assert_true(dotted_is_bounded(text));
	text[DOTTED_BYTES_MAX] = 'a';
	text[DOTTED_BYTES_MAX + 1] = '\0';
	assert_false(dotted_is_bounded(text));
	assert_true(dotted_is_bounded("**.a.**.b.**.c.**"));
	assert_false(dotted_is_bounded("**.a.**.b.**.c.**.d.**"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
