/* UTF-8 (RFC 3629): what is well formed, and every way not to be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/utf8.h"

static void sequences(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		uint32_t code;
	} good[] = {
		{"a", 1, 'a'},
		{"\xc2\x80", 2, 0x80},
		{"\xdf\xbf", 2, 0x7ff},
		{"\xe0\xa0\x80", 3, 0x800},
		{"\xed\x9f\xbf", 3, 0xd7ff},
		{"\xee\x80\x80", 3, 0xe000},
		{"\xf0\x90\x80\x80", 4, 0x10000},
		{"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
	};
	static const char *const bad[] = {
		"\x80",
		"\xc0\x80",
		"\xc1\xbf",
		"\xc2",
		"\xc2z",
		"\xe0\x9f\xbf",
		"\xe2\x82",
		"\xed\xa0\x80",
		"\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xfe",
		"\xff",
		"\xf0\x90\x80",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		uint32_t code = 0;

		assert_int_equal(utf8_sequence(good[i].bytes, good[i].len, &code), good[i].len);
		assert_int_equal(code, good[i].code);
		if (good[i].len > 1)
			assert_int_equal(utf8_sequence(good[i].bytes, good[i].len - 1, NULL), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(utf8_sequence(bad[i], strlen(bad[i]), NULL), 0);
		assert_false(utf8_is_valid(bad[i], strlen(bad[i])));
	}
	assert_int_equal(utf8_sequence("", 0, NULL), 0);
	assert_true(utf8_is_valid("", 0));
	assert_true(utf8_is_valid("a\0\xe2\x82\xac", 5));
}

/* Bytes are looked at several at a time: each must count wherever it stands. */
static void every_byte_everywhere(void **state)
{
	char text[20];

	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		for (size_t at = 0; at < sizeof(text); at++) {
			memset(text, 'x', sizeof(text));
			text[at] = (char)byte;
			assert_int_equal(utf8_is_valid(text, sizeof(text)), byte < 0x80);
			assert_true(utf8_is_valid(text, at));
		}
	}
	for (size_t at = 0; at + 3 <= sizeof(text); at++) {
		memset(text, 'x', sizeof(text));
		memcpy(text + at, "\xe2\x82\xac", 3);
		assert_true(utf8_is_valid(text, sizeof(text)));
		assert_false(utf8_is_valid(text, at + 2));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sequences),
		cmocka_unit_test(every_byte_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
