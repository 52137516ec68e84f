/* Secrets: kept, found in whatever form, forgotten. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/secret.h"

static struct secret *make(const char *text)
{
	return secret_new(text, strlen(text));
}

static void check(const char *text, const char *expected)
{
	char *hidden = secret_hide(text);

	if (!expected)
		assert_null(hidden);
	else
		assert_string_equal(hidden ? hidden : "(nothing found)", expected);
	free(hidden);
}

static void reveals(void **state)
{
	struct secret *s = make("right horse");

	(void)state;
	assert_string_equal(secret_reveal(s), "right horse");
	assert_int_equal(secret_len(s), 11);
	assert_true(secret_equals(s, "right horse"));
	assert_false(secret_equals(s, "right"));
	assert_null(secret_reveal(NULL));
	assert_int_equal(secret_len(NULL), 0);
	secret_free(s);
	secret_free(NULL);
}

static void hides_while_alive(void **state)
{
	struct secret *s, *again;

	(void)state;
	assert_false(secret_any());
	check("right horse", NULL);
	s = make("right horse");
	again = make("right horse");
	assert_true(secret_any());
	check("right horse", "[redacted]");
	check("a right horse, right horses", "a [redacted], [redacted]s");
	check("right hors", NULL);
	check("", NULL);
	assert_null(secret_hide(NULL));
	secret_free(s);
	check("right horse", "[redacted]");
	secret_free(again);
	check("right horse", NULL);
	assert_false(secret_any());
}

static void hides_other_forms(void **state)
{
	struct secret *s = make("say \"a\\b\"\nagain");

	(void)state;
	check("{\"k\":\"say \\\"a\\\\b\\\"\\nagain\"}", "{\"k\":\"[redacted]\"}");
	check("<say \\x22a\\x5cb\\x22\\x0aagain>", "<[redacted]>");
	secret_free(s);
	assert_false(secret_any());
}

static void takes_the_longest(void **state)
{
	struct secret *a = make("secret"), *b = make("secret-long"), *c = make("long-tail");

	(void)state;
	check("secret-long-tail", "[redacted]-tail");
	secret_free(b);
	check("secret-long-tail", "[redacted]-[redacted]");
	secret_free(a);
	secret_free(c);
}

static void short_ones_are_not_sought(void **state)
{
	struct secret *s = make("abcde"), *empty = make("");

	(void)state;
	assert_false(secret_any());
	check("abcde", NULL);
	assert_string_equal(secret_reveal(s), "abcde");
	secret_free(s);
	secret_free(empty);
}

static void is_bounded(void **state)
{
	struct secret *all[SECRET_SOUGHT_COUNT + 1];
	char text[32];

	(void)state;
	for (size_t i = 0; i <= SECRET_SOUGHT_COUNT; i++) {
		snprintf(text, sizeof(text), "<number %zu>", i);
		all[i] = make(text);
	}
	check("<number 0>", "[redacted]");
	check("<number 1023>", "[redacted]");
	check("<number 1024>", NULL);
	assert_string_equal(secret_reveal(all[1024]), "<number 1024>");
	/* One that was not sought does not take another's place away. */
	secret_free(all[1024]);
	for (size_t i = 0; i < SECRET_SOUGHT_COUNT; i++)
		secret_free(all[i]);
	assert_false(secret_any());
}

static void *come_and_go(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		struct secret *s = make(i % 2 ? "right horse" : arg);
		char *hidden = secret_hide("the right horse of the other");

		free(hidden);
		secret_free(s);
	}
	return NULL;
}

static void works_from_any_thread(void **state)
{
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, i % 2 ? "the other" : "battery"), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_false(secret_any());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reveals),
		cmocka_unit_test(hides_while_alive),
		cmocka_unit_test(hides_other_forms),
		cmocka_unit_test(takes_the_longest),
		cmocka_unit_test(short_ones_are_not_sought),
		cmocka_unit_test(is_bounded),
		cmocka_unit_test(works_from_any_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
