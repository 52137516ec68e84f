/* Regular expressions: RE2's syntax, what it refuses, spans, bytes that are no UTF-8, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "value/regex.h"

static struct regex *compile(const char *pattern)
{
	struct regex *r = NULL;
	struct err e = {0};

	if (regex_compile(pattern, strlen(pattern), &r, &e) < 0)
		fail_msg("%s: %s", pattern, e.text);
	return r;
}

static void matches_as_re2(void **state)
{
	static const struct {
		const char *pattern, *text, *want; /* NULL: no match */
	} cases[] = {
		{"", "abc", ""},
		{"b+", "abbbc", "bbb"},
		{"a|ab", "ab", "a"}, /* leftmost first */
		{"(?i)HÄ", "xhä", "hä"},
		{"a$", "a\n", NULL},
		{"(?m)a$", "a\nb", "a"},
		{"(?m)^", "", ""},
		{"^*a", "a", "a"},
		{"(?m)^b", "a\nb", "b"},
		{"a.c", "a\nc", NULL},
		{"a.c", "a\rc", "a\rc"},
		{"(?s)a.c", "a\nc", "a\nc"},
		{"^.$", "é", "é"},
		{"\\s+", "\v \t", " \t"}, /* not U+000B */
		{"\\S", "\v", "\v"},
		{"[\\S]", "\v", "\v"},
		{"[^\\s]", "\v", "\v"},
		{"[^\\S]", "a\v b", " "},
		{"\\d", "\xd9\xa3", NULL}, /* an Arabic digit */
		{"\\w+", "éab_1", "ab_1"},
		{"\\bb\\b", "éb c", "b"},
		{"[[:alpha:]]+", "12ab", "ab"},
		{"[[:^digit:]]+", "12ab", "ab"},
		{"[]a]+", "x]a", "]a"},
		{"[^]a]", "]ax", "x"},
		{"[a-]+", "-a", "-a"},
		{"[\\d-x]+", "a-1x", "-1x"},
		{"[[a]+", "[a", "[a"},
		{"\\pL+", "1é2", "é"},
		{"\\p{Greek}+", "aβγ", "βγ"},
		{"\\p{^Greek}", "βa", "a"},
		{"\\P{Lu}", "Aa", "a"},
		{"\\x41\\x{e9}\\101", "AéA", "AéA"},
		{"\\Qa.b*\\E+", "a.b**", "a.b**"},
		{"\\Aa\\z", "a", "a"},
		{"a{,2}", "a{,2}", "a{,2}"},
		{"a{2}", "aaa", "aa"},
		{"a{2,}", "aaa", "aaa"},
		{"a+?", "aaa", "a"},
		{"(?U)a+", "aaa", "a"},
		{"(?:ab)+", "xabab", "abab"},
		{"x*", "b", ""},
		{"}", "}", "}"},
		{"#  a", "#  a", "#  a"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct regex *r = compile(cases[i].pattern);
		const char *text = cases[i].text;
		struct regex_span span;
		struct err e = {0};
		int rc = regex_search(r, text, strlen(text), 0, &span, 1, &e);

		if (rc < 0)
			fail_msg("%s: %s", cases[i].pattern, e.text);
		if (rc != (cases[i].want != NULL))
			fail_msg("%s in %s: %d", cases[i].pattern, text, rc);
		if (rc == 1 && (span.end - span.start != strlen(cases[i].want) ||
				       memcmp(text + span.start, cases[i].want, span.end - span.start) != 0))
			fail_msg("%s in %s: %zu-%zu", cases[i].pattern, text, span.start, span.end);
		assert_int_equal(regex_matches(r, text, strlen(text)), rc);
		regex_unref(r);
	}
}

static void refuses(void **state)
{
	static const struct {
		const char *pattern, *want;
	} cases[] = {
		{"(a)\\1", "back references are not supported at offset 3"},
		{"(?P<n>a)(?P=n)", "back references are not supported at offset 8"},
		{"(?<n>a)\\k<n>", "back references are not supported at offset 7"},
		{"(?=a)", "look-around is not supported at offset 0"},
		{"(?!a)", "look-around is not supported at offset 0"},
		{"(?<=a)b", "look-around is not supported at offset 0"},
		{"(?<!a)b", "look-around is not supported at offset 0"},
		{"(?R)", "recursion is not supported at offset 0"},
		{"(a(?1))", "recursion is not supported at offset 2"},
		{"(?P<n>(?P>n))", "recursion is not supported at offset 6"},
		{"(?&n)", "recursion is not supported at offset 0"},
		{"(?>a)", "atomic groups are not supported at offset 0"},
		{"(?(1)a)", "conditions are not supported at offset 0"},
		{"(?C1)a", "callouts are not supported at offset 0"},
		{"(?|a)", "invalid or unsupported Perl syntax at offset 0"},
		{"(?x)a", "invalid or unsupported Perl syntax at offset 0"},
		{"(?#a)", "invalid or unsupported Perl syntax at offset 0"},
		{"(?i", "missing closing ) at offset 0"},
		{"(*ACCEPT)", "missing argument to repetition operator at offset 1"},
		{"(*UTF)a", "missing argument to repetition operator at offset 1"},
		{"a\\C", "\\C is not supported at offset 1"},
		{"a\\R", "invalid escape sequence at offset 1"},
		{"a\\K", "invalid escape sequence at offset 1"},
		{"a\\Z", "invalid escape sequence at offset 1"},
		{"\\", "trailing backslash at offset 0"},
		{"\\x{110000}", "no such character at offset 0"},
		{"\\xg", "invalid escape sequence at offset 0"},
		{"a++", "invalid nested repetition operator at offset 2"},
		{"a**", "invalid nested repetition operator at offset 2"},
		{"a{2}{3}", "invalid nested repetition operator at offset 4"},
		{"*a", "missing argument to repetition operator at offset 0"},
		{"a|*", "missing argument to repetition operator at offset 2"},
		{"a{1001}", "invalid repeat count at offset 1"},
		{"a{2,1}", "invalid repeat count at offset 1"},
		{"(a", "missing closing ) at offset 2"},
		{"a)", "unexpected ) at offset 1"},
		{"[a", "missing closing ] at offset 0"},
		{"[]", "missing closing ] at offset 0"},
		{"[b-a]", "invalid character class range at offset 1"},
		{"[a-\\d]", "invalid escape sequence at offset 3"},
		{"[[:foo:]]", "invalid character class range at offset 1"},
		{"\\p{", "invalid character class range at offset 0"},
		{"(?P<n>a)(?P<n>b)", "duplicate group name at offset 12"},
		{"(?P<a-b>a)", "invalid group name at offset 4"},
		{"a\xff", "invalid UTF-8 at offset 1"},
	};
	struct regex *r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = {0};
		char want[200];

		snprintf(want, sizeof(want), "invalid regex pattern: %s", cases[i].want);
		if (regex_compile(cases[i].pattern, strlen(cases[i].pattern), &r, &e) == 0)
			fail_msg("%s compiles", cases[i].pattern);
		assert_int_equal(e.kind, ERR_INVALID);
		assert_string_equal(e.text, want);
	}
	struct err e = {0};

	assert_int_equal(regex_compile("\\p{Nonsense}", 12, &r, &e), -1);
	assert_memory_equal(e.text, "invalid regex pattern: ", 23);
}

static void groups_have_spans_and_names(void **state)
{
	struct regex *r = compile("(?P<year>\\d+)-(\\d+)(?<2x>x)?");
	struct regex_span s[5];
	struct err e = {0};

	(void)state;
	assert_int_equal(regex_group_count(r), 3);
	assert_string_equal(regex_group_name(r, 1), "year");
	assert_string_equal(regex_group_name(r, 2), "");
	assert_string_equal(regex_group_name(r, 3), "2x");
	assert_string_equal(regex_group_name(r, 4), "");
	assert_string_equal(regex_source(r), "(?P<year>\\d+)-(\\d+)(?<2x>x)?");
	assert_int_equal(regex_search(r, "on 2024-05", 10, 0, s, 5, &e), 1);
	assert_int_equal(s[0].start, 3);
	assert_int_equal(s[0].end, 10);
	assert_int_equal(s[1].start, 3);
	assert_int_equal(s[1].end, 7);
	assert_int_equal(s[2].start, 8);
	assert_true(s[3].start == SIZE_MAX);
	assert_true(s[4].start == SIZE_MAX);
	/* From the middle: what is before still counts for anchors. */
	assert_int_equal(regex_search(r, "on 2024-05", 10, 5, s, 1, &e), 1);
	assert_int_equal(s[0].start, 5);
	assert_int_equal(regex_search(r, "on 2024-05", 10, 11, s, 1, &e), 0);
	regex_unref(r);
	r = compile("^a");
	assert_int_equal(regex_search(r, "aa", 2, 1, s, 1, &e), 0);
	assert_ptr_equal(regex_ref(r), r);
	regex_unref(r);
	regex_unref(r);
	assert_null(regex_ref(NULL));
}

static void bytes_that_are_no_text(void **state)
{
	struct regex *r = compile("[^a-z]b");
	struct regex *dot = compile("^..\\x{fffd}(b)$");
	struct regex_span s[2];
	struct err e = {0};
	struct regex_text *t;

	(void)state;
	assert_int_equal(regex_search(r,
				 "\xff\xc3\xff"
				 "b",
				 4, 0, s, 1, &e),
		1);
	assert_int_equal(s[0].start, 2);
	assert_int_equal(s[0].end, 4);
	assert_int_equal(regex_text_new("\xff\xc3\xff"
					"b",
				 4, &t, &e),
		0);
	assert_int_equal(regex_search_text(dot, t, 0, s, 2, &e), 1);
	assert_int_equal(s[1].start, 3);
	assert_int_equal(s[1].end, 4);
	assert_int_equal(regex_search_text(r, t, 2, s, 2, &e), 1);
	assert_int_equal(s[0].start, 2);
	assert_int_equal(regex_search_text(r, t, 3, s, 2, &e), 0);
	regex_text_free(t);
	regex_text_free(NULL);
	/* A start inside of a character is the next character. */
	assert_int_equal(regex_search(dot, "é", 2, 1, s, 1, &e), 0);
	assert_int_equal(regex_search(r, NULL, 0, 0, s, 1, &e), 0);
	regex_unref(r);
	regex_unref(dot);
}

static void searches_end(void **state)
{
	static const char *const patterns[] = {"(a*)*(a*)*(a*)*b", "(x+x+)+y", "([a-z]+)+[0-9]", "a*a*a*a*a*a*[b]"};
	size_t len = 400000;
	char *text = xmalloc(len + 1);
	struct regex_span s;

	(void)state;
	memset(text, 'a', len);
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		struct regex *r = compile(patterns[i]);
		struct err e = {0};

		assert_int_not_equal(regex_search(r, text, len, 0, &s, 1, &e), 1);
		regex_unref(r);
	}
	memset(text, 'x', len);
	struct regex *r = compile("(?:(x+x+)+y|q)[^z]");
	struct err e = {0};

	text[len - 1] = 'q';
	assert_int_equal(regex_search(r, text, len, 0, &s, 1, &e), -1);
	assert_int_equal(e.kind, ERR_INTERNAL);
	assert_string_equal(e.text, "the regex search takes too many steps: simplify the pattern");
	assert_false(regex_matches(r, text, len));
	regex_unref(r);
	/* A long text as such is no problem. */
	r = compile("q$");
	assert_int_equal(regex_search(r, text, len, 0, &s, 1, &e), 1);
	assert_int_equal(s.start, len - 1);
	regex_unref(r);
	r = compile("x.*q");
	assert_int_equal(regex_search(r, text, len, 0, &s, 1, &e), 1);
	assert_int_equal(s.end, len);
	regex_unref(r);
	/* What unrolls without end is refused by the library. */
	assert_int_equal(regex_compile("((a{1000}){1000}){1000}", 23, &r, &e), -1);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_as_re2),
		cmocka_unit_test(refuses),
		cmocka_unit_test(groups_have_spans_and_names),
		cmocka_unit_test(bytes_that_are_no_text),
		cmocka_unit_test(searches_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
