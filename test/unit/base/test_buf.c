/* Buffers: growth, consuming from the front, giving away, escaping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"

static void empty(void **state)
{
	struct buf b = BUF_INIT;
	size_t len = 1;
	char *text;

	(void)state;
	assert_int_equal(buf_len(&b), 0);
	assert_string_equal(buf_str(&b), "");
	assert_non_null(buf_data(&b));
	buf_add(&b, NULL, 0);
	buf_consume(&b, 0);
	buf_truncate(&b, 0);
	buf_clear(&b);
	buf_commit(&b, 0);
	text = buf_detach(&b, &len);
	assert_string_equal(text, "");
	assert_int_equal(len, 0);
	free(text);
	buf_done(&b);
}

static void builds_text(void **state)
{
	struct buf b = BUF_INIT;
	char *text;
	size_t len;

	(void)state;
	buf_adds(&b, "ab");
	buf_addc(&b, 'c');
	buf_addf(&b, "-%0100d-%s", 7, "end");
	assert_int_equal(buf_len(&b), 3 + 1 + 100 + 1 + 3);
	assert_int_equal(strncmp(buf_str(&b), "abc-000", 7), 0);
	assert_string_equal(buf_str(&b) + 103, "7-end");
	buf_consume(&b, 2);
	buf_truncate(&b, 3);
	assert_string_equal(buf_str(&b), "c-0");
	text = buf_detach(&b, &len);
	assert_string_equal(text, "c-0");
	assert_int_equal(len, 3);
	free(text);
	assert_int_equal(buf_len(&b), 0);
	buf_adds(&b, "again");
	assert_string_equal(buf_str(&b), "again");
	buf_done(&b);
	assert_string_equal(buf_str(&b), "");
}

static void reserve_without_commit(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_adds(&b, "x");
	memset(buf_reserve(&b, 32), 'y', 32);
	assert_string_equal(buf_str(&b), "x");
	memset(buf_reserve(&b, 32), 'z', 32);
	buf_commit(&b, 2);
	assert_string_equal(buf_str(&b), "xzz");
	buf_done(&b);
}

/* A stream passing through stays in a small allocation, and in order. */
static void streams(void **state)
{
	struct buf b = BUF_INIT;
	unsigned in = 0, out = 0;

	(void)state;
	srand(2);
	while (out < 1000000) {
		unsigned n = (unsigned)rand() % 300;

		for (unsigned i = 0; i < n; i++)
			buf_addc(&b, (char)(in++ % 251));
		n = (unsigned)rand() % 300;
		if (n > buf_len(&b) || buf_len(&b) > 4000)
			n = (unsigned)buf_len(&b);
		for (unsigned i = 0; i < n; i++)
			assert_int_equal((unsigned char)buf_data(&b)[i], (out + i) % 251);
		buf_consume(&b, n);
		out += n;
		assert_int_equal(buf_len(&b), in - out);
	}
	assert_true(b.cap <= 32768);
	buf_done(&b);
}

static void escapes(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_add_escaped(&b, "a\0\n\"'\\\x7f\xc3\xa9\xc2\x85\xff\xc3", 13, 100);
	assert_string_equal(buf_str(&b), "a\\x00\\x0a\\x22\\x27\\x5c\\x7f\xc3\xa9\\xc2\\x85\\xff\\xc3");
	buf_clear(&b);
	buf_add_line(&b, "a\0\n\"'\\\x7f\xff", 8, 100);
	assert_string_equal(buf_str(&b), "a\\x00\\x0a\"'\\x5c\\x7f\\xff");
	buf_clear(&b);
	buf_add_escaped(&b, "abcd", 4, 4);
	assert_string_equal(buf_str(&b), "abcd");
	buf_clear(&b);
	buf_add_escaped(&b, "abcde", 5, 4);
	assert_string_equal(buf_str(&b), "abcd...");
	buf_clear(&b);
	/* No character is cut in two. */
	buf_add_escaped(&b, "abc\xc3\xa9", 5, 4);
	assert_string_equal(buf_str(&b), "abc...");
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty),
		cmocka_unit_test(builds_text),
		cmocka_unit_test(reserve_without_commit),
		cmocka_unit_test(streams),
		cmocka_unit_test(escapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
