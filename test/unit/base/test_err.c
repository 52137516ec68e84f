/* Errors: what reaches the text, how it is kept printable and bounded, and the names of the kinds. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/utf8.h"

static void sets_and_prefixes(void **state)
{
	struct err e = {.retry = ERR_RETRY_YES, .code = "old"};

	(void)state;
	assert_int_equal(err_set(&e, ERR_NOT_FOUND, "no entry '%s'", "app:x"), -1);
	assert_string_equal(e.text, "no entry 'app:x'");
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_int_equal(e.retry, ERR_RETRY_NO);
	assert_null(e.code);
	err_retryable(&e);
	err_code(&e, "gone");
	assert_int_equal(err_prefix(&e, "load %d", 7), -1);
	assert_string_equal(e.text, "load 7: no entry 'app:x'");
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_int_equal(e.retry, ERR_RETRY_YES);
	assert_string_equal(e.code, "gone");
	/* The old text may be an argument of the new one. */
	err_set(&e, ERR_INTERNAL, "again: %s", e.text);
	assert_string_equal(e.text, "again: load 7: no entry 'app:x'");
}

static void appends_errno(void **state)
{
	struct err e = {0};

	(void)state;
	err_set_errno(&e, ERR_UNAVAILABLE, ENOENT, "open %s", "f");
	assert_string_equal(e.text, "open f: no such file or directory");
}

static void accepts_no_err(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, ERR_INVALID, "x"), -1);
	assert_int_equal(err_set_errno(NULL, ERR_INVALID, ENOENT, "x"), -1);
	assert_int_equal(err_prefix(NULL, "x"), -1);
	assert_int_equal(err_retryable(NULL), -1);
	assert_int_equal(err_code(NULL, "x"), -1);
}

static void escapes_control_bytes(void **state)
{
	struct err e = {0};

	(void)state;
	err_set(&e, ERR_INVALID, "a%sb", "\x1b[31m\n\x7f\xc2\x9b\xff caf\xc3\xa9 \\");
	assert_string_equal(e.text, "a\\x1b[31m\\x0a\\x7f\\xc2\\x9b\\xff caf\xc3\xa9 \\b");
	/* A prefix does not escape a second time. */
	err_prefix(&e, "p");
	assert_string_equal(e.text, "p: a\\x1b[31m\\x0a\\x7f\\xc2\\x9b\\xff caf\xc3\xa9 \\b");
}

static void cuts_long_text(void **state)
{
	struct err e = {0};
	char text[3 * ERR_TEXT_MAX];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[ERR_TEXT_MAX - 1] = '\0';
	err_set(&e, ERR_INVALID, "%s", text);
	assert_string_equal(e.text, text);
	text[ERR_TEXT_MAX - 1] = 'x';
	text[ERR_TEXT_MAX] = '\0';
	err_set(&e, ERR_INVALID, "%s", text);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
	assert_string_equal(e.text + ERR_TEXT_MAX - 5, "x...");
	/* Neither a character nor an escape is cut in two, wherever the end falls. */
	for (size_t shift = 0; shift < 4; shift++) {
		memset(text, 'x', shift);
		for (size_t i = shift; i + 3 < sizeof(text); i += 3)
			memcpy(text + i, "\xe2\x82\xac", 4);
		err_set(&e, ERR_INVALID, "%s", text);
		assert_true(utf8_is_valid(e.text, strlen(e.text)));
		assert_string_equal(e.text + strlen(e.text) - 6, "\xe2\x82\xac...");
		memset(text + shift, '\n', sizeof(text) - shift);
		text[sizeof(text) - 1] = '\0';
		err_set(&e, ERR_INVALID, "%s", text);
		assert_string_equal(e.text + strlen(e.text) - 7, "\\x0a...");
		err_prefix(&e, "%s", text);
		assert_string_equal(e.text + strlen(e.text) - 7, "\\x0a...");
	}
}

static void names_kinds(void **state)
{
	(void)state;
	for (int k = ERR_UNKNOWN; k <= ERR_RATE_LIMITED; k++)
		assert_int_equal(err_kind_from_name(err_kind_name((enum err_kind)k)), k);
	assert_string_equal(err_kind_name(ERR_UNKNOWN), "");
	assert_string_equal(err_kind_name(ERR_RATE_LIMITED), "RateLimited");
	assert_string_equal(err_kind_name((enum err_kind)999), "");
	assert_int_equal(err_kind_from_name("Nonsense"), ERR_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_and_prefixes),
		cmocka_unit_test(appends_errno),
		cmocka_unit_test(accepts_no_err),
		cmocka_unit_test(escapes_control_bytes),
		cmocka_unit_test(cuts_long_text),
		cmocka_unit_test(names_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
