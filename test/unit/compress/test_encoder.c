/*
 * Encoders: what comes out in pieces decodes to what went in, and a flush keeps nothing back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "compress/encoder.h"

static const struct {
	enum compress_format format;
	int level;
} kinds[] = {{COMPRESS_GZIP, 1}, {COMPRESS_GZIP, 6}, {COMPRESS_GZIP, 9}, {COMPRESS_BROTLI, 1}, {COMPRESS_BROTLI, 5},
	{COMPRESS_BROTLI, 9}, {COMPRESS_ZSTD, 1}, {COMPRESS_ZSTD, 3}, {COMPRESS_ZSTD, 9}};

static void fill(struct buf *in, size_t len)
{
	uint32_t x = 1;

	while (buf_len(in) < len) {
		x = x * 1664525 + 1013904223;
		buf_addf(in, "%u,", x >> 20);
	}
}

static void check_decodes(enum compress_format f, const struct buf *coded, const struct buf *plain)
{
	struct compress_options opt = {.max = 1 << 30};
	struct buf out = BUF_INIT;
	struct err e;

	assert_int_equal(compress_decode(f, &opt, buf_data(coded), buf_len(coded), &out, &e), 0);
	assert_int_equal(buf_len(&out), buf_len(plain));
	assert_memory_equal(buf_data(&out), buf_data(plain), buf_len(plain));
	buf_done(&out);
}

static void pieces(void **state)
{
	static const size_t sizes[] = {0, 1, 100, 70000, 3000000};
	static const size_t steps[] = {1000000000, 4096, 777};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		if (!encoder_has(kinds[k].format))
			continue;
		for (size_t i = 0; i < ARRAY_LEN(sizes) * ARRAY_LEN(steps); i++) {
			size_t step = steps[i % ARRAY_LEN(steps)];
			struct encoder *z = encoder_new(kinds[k].format, kinds[k].level);
			struct buf in = BUF_INIT, out = BUF_INIT;

			fill(&in, sizes[i / ARRAY_LEN(steps)]);
			for (size_t at = 0; at < buf_len(&in); at += step) {
				size_t left = buf_len(&in) - at;

				encoder_step(z, buf_data(&in) + at, left < step ? left : step, ENCODER_MORE, &out);
			}
			encoder_step(z, NULL, 0, ENCODER_END, &out);
			check_decodes(kinds[k].format, &out, &in);
			encoder_free(z);
			buf_done(&in);
			buf_done(&out);
		}
	}
}

/* Bytes after a flush change nothing of what came before it, and what came before ends in a decodable state: the
 * same input flushed at the same place and ended there gives a stream that begins alike. */
static void flushes(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		struct buf in = BUF_INIT, out = BUF_INIT;
		struct encoder *z;
		size_t flushed;

		if (!encoder_has(kinds[k].format))
			continue;
		z = encoder_new(kinds[k].format, kinds[k].level);
		fill(&in, 5000);
		encoder_step(z, buf_data(&in), 2000, ENCODER_MORE, &out);
		encoder_step(z, NULL, 0, ENCODER_FLUSH, &out);
		flushed = buf_len(&out);
		assert_true(flushed > 100);
		encoder_step(z, NULL, 0, ENCODER_FLUSH, &out);
		encoder_step(z, buf_data(&in) + 2000, buf_len(&in) - 2000, ENCODER_FLUSH, &out);
		assert_true(buf_len(&out) > flushed);
		encoder_step(z, NULL, 0, ENCODER_END, &out);
		check_decodes(kinds[k].format, &out, &in);
		encoder_free(z);
		buf_done(&in);
		buf_done(&out);
	}
}

static void others_are_not_made(void **state)
{
	(void)state;
	assert_false(encoder_has(COMPRESS_DEFLATE));
	assert_null(encoder_new(COMPRESS_ZLIB, 6));
	encoder_free(NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces),
		cmocka_unit_test(flushes),
		cmocka_unit_test(others_are_not_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
