/*
 * Query strings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "http/form.h"

/* Written back as name=value| with NUL as 0. */
static void check(const char *query, const char *want)
{
	struct buf got = BUF_INIT;
	struct form_reader r;
	struct form_pair p;
	char *scratch;

	scratch = xmalloc(strlen(query) ? strlen(query) : 1);
	form_open(&r, query, strlen(query), scratch);
	while (form_next(&r, &p)) {
		buf_add(&got, p.name, p.name_len);
		buf_addc(&got, '=');
		buf_add(&got, p.value, p.value_len);
		buf_addc(&got, '|');
	}
	free(scratch);
	for (size_t i = 0; i < buf_len(&got); i++) {
		if (got.mem[got.start + i] == '\0')
			got.mem[got.start + i] = '0';
	}
	assert_string_equal(buf_str(&got), want);
	buf_done(&got);
}

static void pairs(void **state)
{
	static const char *const rows[][2] = {
		{"", ""},
		{"a=1&b=2", "a=1|b=2|"},
		{"a", "a=|"},
		{"a=", "a=|"},
		{"=x", "=x|"},
		{"a=b=c", "a=b=c|"},
		{"&&a=1&", "a=1|"},
		{"a+b=c+d", "a b=c d|"},
		{"a%20b=%c3%A9", "a b=\xc3\xa9|"},
		{"a=%00", "a=0|"},
		{"a=%zz&b=1", "b=1|"},
		{"%=1&b=%1&c=%41", "c=A|"},
		{"a=1;b=2&c=3", "c=3|"},
		{"a=%3B", "a=;|"},
		{"a=1&a=2", "a=1|a=2|"},
		{"%26=%3d", "&==|"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(rows[i][0], rows[i][1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(pairs)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
