#include "compress/encoder.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"

#ifdef WIPPY_ZLIB
#include <zlib.h>
#endif
#ifdef WIPPY_BROTLI
#include <brotli/encode.h>
#endif
#ifdef WIPPY_ZSTD
#include <zstd.h>
#endif

enum { PIECE_BYTES = 16 * 1024, BROTLI_WINDOW_BITS = 18, ZSTD_WINDOW_BITS = 18 };

struct encoder {
	enum compress_format format;
#ifdef WIPPY_ZLIB
	z_stream z;
#endif
#ifdef WIPPY_BROTLI
	BrotliEncoderState *b;
#endif
#ifdef WIPPY_ZSTD
	ZSTD_CCtx *s;
#endif
};

bool encoder_has(enum compress_format f)
{
#ifdef WIPPY_ZLIB
	if (f == COMPRESS_GZIP)
		return true;
#endif
#ifdef WIPPY_BROTLI
	if (f == COMPRESS_BROTLI)
		return true;
#endif
#ifdef WIPPY_ZSTD
	if (f == COMPRESS_ZSTD)
		return true;
#endif
	(void)f;
	return false;
}

struct encoder *encoder_new(enum compress_format f, int level)
{
	struct encoder *e;

	if (!encoder_has(f))
		return NULL;
	e = xcalloc(1, sizeof(*e));
	e->format = f;
	(void)level;
#ifdef WIPPY_ZLIB
	if (f == COMPRESS_GZIP && deflateInit2(&e->z, level, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK)
		return e;
#endif
#ifdef WIPPY_BROTLI
	if (f == COMPRESS_BROTLI) {
		e->b = BrotliEncoderCreateInstance(NULL, NULL, NULL);
		/* A small window: a server has many of these at once. */
		if (e->b && BrotliEncoderSetParameter(e->b, BROTLI_PARAM_QUALITY, (uint32_t)level) &&
			BrotliEncoderSetParameter(e->b, BROTLI_PARAM_LGWIN, BROTLI_WINDOW_BITS))
			return e;
		if (e->b)
			BrotliEncoderDestroyInstance(e->b);
	}
#endif
#ifdef WIPPY_ZSTD
	if (f == COMPRESS_ZSTD) {
		e->s = ZSTD_createCCtx();
		if (e->s && !ZSTD_isError(ZSTD_CCtx_setParameter(e->s, ZSTD_c_compressionLevel, level)) &&
			!ZSTD_isError(ZSTD_CCtx_setParameter(e->s, ZSTD_c_windowLog, ZSTD_WINDOW_BITS)))
			return e;
		ZSTD_freeCCtx(e->s);
	}
#endif
	free(e);
	return NULL;
}

void encoder_free(struct encoder *z)
{
	if (!z)
		return;
#ifdef WIPPY_ZLIB
	if (z->format == COMPRESS_GZIP)
		deflateEnd(&z->z);
#endif
#ifdef WIPPY_BROTLI
	if (z->format == COMPRESS_BROTLI)
		BrotliEncoderDestroyInstance(z->b);
#endif
#ifdef WIPPY_ZSTD
	if (z->format == COMPRESS_ZSTD)
		ZSTD_freeCCtx(z->s);
#endif
	free(z);
}

#ifdef WIPPY_ZLIB
static void zlib_step(struct encoder *e, const void *data, size_t len, enum encoder_step step, struct buf *out)
{
	static const int how[] = {
		[ENCODER_MORE] = Z_NO_FLUSH, [ENCODER_FLUSH] = Z_SYNC_FLUSH, [ENCODER_END] = Z_FINISH};
	const unsigned char *in = data;
	int rc = Z_OK;

	do {
		/* zlib counts in 32 bits. */
		uInt part = len > 1024 * 1024 * 1024 ? 1024 * 1024 * 1024 : (uInt)len;
		int flush = part == len ? how[step] : Z_NO_FLUSH;

		e->z.next_in = (z_const Bytef *)in;
		e->z.avail_in = part;
		do {
			e->z.next_out = (Bytef *)buf_reserve(out, PIECE_BYTES);
			e->z.avail_out = PIECE_BYTES;
			rc = deflate(&e->z, flush);
			assert(rc != Z_STREAM_ERROR);
			buf_commit(out, PIECE_BYTES - e->z.avail_out);
		} while (e->z.avail_out == 0 && rc != Z_STREAM_END);
		in += part;
		len -= part;
	} while (len > 0);
}
#endif

#ifdef WIPPY_BROTLI
static void brotli_step(struct encoder *e, const void *data, size_t len, enum encoder_step step, struct buf *out)
{
	static const BrotliEncoderOperation how[] = {[ENCODER_MORE] = BROTLI_OPERATION_PROCESS,
		[ENCODER_FLUSH] = BROTLI_OPERATION_FLUSH,
		[ENCODER_END] = BROTLI_OPERATION_FINISH};
	const uint8_t *in = data;
	bool more;

	do {
		uint8_t *at = (uint8_t *)buf_reserve(out, PIECE_BYTES);
		size_t room = PIECE_BYTES;

		/* It fails when memory is out; there is no way on from there. */
		if (!BrotliEncoderCompressStream(e->b, how[step], &len, &in, &room, &at, NULL))
			abort();
		buf_commit(out, PIECE_BYTES - room);
		more = len > 0 || BrotliEncoderHasMoreOutput(e->b);
	} while (more || (step == ENCODER_END && !BrotliEncoderIsFinished(e->b)));
}
#endif

#ifdef WIPPY_ZSTD
static void zstd_step(struct encoder *e, const void *data, size_t len, enum encoder_step step, struct buf *out)
{
	static const ZSTD_EndDirective how[] = {
		[ENCODER_MORE] = ZSTD_e_continue, [ENCODER_FLUSH] = ZSTD_e_flush, [ENCODER_END] = ZSTD_e_end};
	ZSTD_inBuffer in = {.src = data, .size = len};
	size_t left;

	do {
		ZSTD_outBuffer to = {.dst = buf_reserve(out, PIECE_BYTES), .size = PIECE_BYTES};

		left = ZSTD_compressStream2(e->s, &to, &in, how[step]);
		/* It fails when memory is out; there is no way on from there. */
		if (ZSTD_isError(left))
			abort();
		buf_commit(out, to.pos);
	} while (in.pos < in.size || (step != ENCODER_MORE && left > 0));
}
#endif

void encoder_step(struct encoder *z, const void *data, size_t len, enum encoder_step step, struct buf *out)
{
#ifdef WIPPY_ZLIB
	if (z->format == COMPRESS_GZIP)
		zlib_step(z, data, len, step, out);
#endif
#ifdef WIPPY_BROTLI
	if (z->format == COMPRESS_BROTLI)
		brotli_step(z, data, len, step, out);
#endif
#ifdef WIPPY_ZSTD
	if (z->format == COMPRESS_ZSTD)
		zstd_step(z, data, len, step, out);
#endif
	(void)z, (void)data, (void)len, (void)step, (void)out;
}
