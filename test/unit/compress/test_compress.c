/*
 * Packing and unpacking: there and back, known bytes, damage, limits, dictionaries.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compress/compress.h"

static const struct compress_options usual = {.level = 6, .max = 1 << 24};

static bool is_missing(enum compress_format f)
{
	struct buf b = BUF_INIT;
	struct err e;
	bool missing = compress_encode(f, &usual, "x", 1, &b, &e) < 0 && e.kind == ERR_UNAVAILABLE;

	buf_done(&b);
	return missing;
}

static void there_and_back(void **state)
{
	size_t len = 300000;
	char *data = malloc(len);
	struct err e;

	(void)state;
	for (size_t i = 0; i < len; i++)
		data[i] = (char)(i * i >> 7);
	for (enum compress_format f = COMPRESS_GZIP; f <= COMPRESS_ZSTD; f++) {
		if (is_missing(f))
			continue;
		for (int level = f == COMPRESS_BROTLI ? 0 : 1; level <= 9; level += 4) {
			struct compress_options opt = {.level = level, .max = len};
			struct buf packed = BUF_INIT, out = BUF_INIT;

			assert_int_equal(compress_encode(f, &opt, data, len, &packed, &e), 0);
			assert_int_equal(compress_decode(f, &opt, buf_data(&packed), buf_len(&packed), &out, &e), 0);
			assert_int_equal(buf_len(&out), len);
			assert_memory_equal(buf_data(&out), data, len);
			/* One byte less may come out than is in it. */
			buf_clear(&out);
			opt.max = len - 1;
			assert_int_equal(compress_decode(f, &opt, buf_data(&packed), buf_len(&packed), &out, &e), -1);
			assert_int_equal(e.kind, f == COMPRESS_BROTLI ? ERR_INVALID : ERR_INTERNAL);
			buf_done(&packed);
			buf_done(&out);
		}
	}
	free(data);
}

static void damage_is_found(void **state)
{
	struct err e;

	(void)state;
	for (enum compress_format f = COMPRESS_GZIP; f <= COMPRESS_ZSTD; f++) {
		struct buf packed = BUF_INIT, out = BUF_INIT;
		char want[64];

		if (is_missing(f))
			continue;
		strcpy(want, "invalid ");
		strcat(want, compress_format_name(f));
		strcat(want, " data");
		compress_encode(f, &usual, "some text, some text, some text", 31, &packed, &e);
		for (size_t n = 0; n < buf_len(&packed); n++) {
			buf_clear(&out);
			assert_int_equal(compress_decode(f, &usual, buf_data(&packed), n, &out, &e), -1);
			assert_int_equal(e.kind, ERR_INVALID);
			assert_string_equal(e.text, want);
		}
		assert_int_equal(compress_decode(f, &usual, "\xff\xff\xff\xff not packed", 15, &out, &e), -1);
		buf_done(&packed);
		buf_done(&out);
	}
}

static void members_of_gzip(void **state)
{
	struct buf packed = BUF_INIT, out = BUF_INIT;
	struct err e;

	(void)state;
	if (is_missing(COMPRESS_GZIP))
		skip();
	compress_encode(COMPRESS_GZIP, &usual, "one ", 4, &packed, &e);
	compress_encode(COMPRESS_GZIP, &usual, "two", 3, &packed, &e);
	assert_int_equal(compress_decode(COMPRESS_GZIP, &usual, buf_data(&packed), buf_len(&packed), &out, &e), 0);
	assert_string_equal(buf_str(&out), "one two");
	buf_adds(&packed, "garbage");
	assert_int_equal(compress_decode(COMPRESS_GZIP, &usual, buf_data(&packed), buf_len(&packed), &out, &e), -1);
	buf_done(&packed);
	buf_done(&out);
}

static void a_bomb_is_stopped(void **state)
{
	size_t len = 64 << 20;
	char *zeros = calloc(1, len);
	struct compress_options opt = {.level = 9, .max = 1 << 20};
	struct buf packed = BUF_INIT, out = BUF_INIT;
	struct err e;

	(void)state;
	if (is_missing(COMPRESS_ZLIB))
		skip();
	assert_int_equal(compress_encode(COMPRESS_ZLIB, &opt, zeros, len, &packed, &e), 0);
	assert_int_equal(compress_decode(COMPRESS_ZLIB, &opt, buf_data(&packed), buf_len(&packed), &out, &e), -1);
	assert_string_equal(e.text, "decompressed size exceeds limit");
	assert_true(buf_len(&out) <= opt.max + 64 * 1024);
	buf_done(&packed);
	buf_done(&out);
	free(zeros);
}

static void dictionaries(void **state)
{
	struct compress_options with = usual;
	struct err e;

	(void)state;
	with.dict = "a text that both sides know";
	with.dict_len = strlen(with.dict);
	for (enum compress_format f = COMPRESS_DEFLATE; f <= COMPRESS_ZLIB; f++) {
		struct buf packed = BUF_INIT, out = BUF_INIT;

		if (is_missing(f))
			continue;
		assert_int_equal(compress_encode(f, &with, with.dict, with.dict_len, &packed, &e), 0);
		assert_true(buf_len(&packed) < with.dict_len);
		assert_int_equal(compress_decode(f, &usual, buf_data(&packed), buf_len(&packed), &out, &e), -1);
		buf_clear(&out);
		assert_int_equal(compress_decode(f, &with, buf_data(&packed), buf_len(&packed), &out, &e), 0);
		assert_string_equal(buf_str(&out), with.dict);
		buf_done(&packed);
		buf_done(&out);
	}
}

static void levels(void **state)
{
	struct compress_options opt = usual;
	struct buf out = BUF_INIT;
	struct err e;

	(void)state;
	opt.level = 0;
	assert_int_equal(compress_encode(COMPRESS_GZIP, &opt, "x", 1, &out, &e), -1);
	assert_string_equal(e.text, "compression level must be between 1 and 9");
	opt.level = 12;
	assert_int_equal(compress_encode(COMPRESS_BROTLI, &opt, "x", 1, &out, &e), -1);
	assert_string_equal(e.text, "compression level must be between 0 and 11");
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(damage_is_found),
		cmocka_unit_test(members_of_gzip),
		cmocka_unit_test(a_bomb_is_stopped),
		cmocka_unit_test(dictionaries),
		cmocka_unit_test(levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
