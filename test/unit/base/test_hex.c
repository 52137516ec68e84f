/* Digits and bytes, and what HTML cannot hold as it is: every character. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "base/html.h"

static void every_character_is_a_digit_or_none(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		const char text[2] = {(char)c, '\0'};
		int expected = isxdigit(c) ? (int)strtol(text, NULL, 16) : -1;

		assert_int_equal(hex_digit((char)c), expected);
	}
}

static void a_byte_is_two_digits(void **state)
{
	(void)state;
	assert_int_equal(hex_byte("00"), 0);
	assert_int_equal(hex_byte("aF"), 0xaf);
	assert_int_equal(hex_byte("ff0"), 0xff);
	assert_int_equal(hex_byte(""), -1);
	assert_int_equal(hex_byte("f"), -1);
	assert_int_equal(hex_byte("fg"), -1);
	assert_int_equal(hex_byte("gf"), -1);
	assert_int_equal(hex_byte("-1"), -1);
}

static void five_characters_have_entities(void **state)
{
	static const struct {
		char c;
		const char *entity;
	} cases[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&#34;"}, {'\'', "&#39;"}};
	unsigned found = 0;

	(void)state;
	for (int c = 0; c < 256; c++)
		found += html_entity((char)c) != NULL;
	assert_int_equal(found, 5);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(html_entity(cases[i].c), cases[i].entity);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_character_is_a_digit_or_none),
		cmocka_unit_test(a_byte_is_two_digits),
		cmocka_unit_test(five_characters_have_entities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
