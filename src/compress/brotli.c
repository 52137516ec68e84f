#include "compress/compress.h"

#ifdef WIPPY_BROTLI

#include <brotli/decode.h>
#include <brotli/encode.h>

enum { PIECE_BYTES = 64 * 1024 };

int compress_brotli_encode(int level, const char *data, size_t len, struct buf *out, struct err *e)
{
	size_t n = BrotliEncoderMaxCompressedSize(len);

	if (n == 0 || !BrotliEncoderCompress(level, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_GENERIC, len,
			      (const uint8_t *)data, &n, (uint8_t *)buf_reserve(out, n)))
		return err_set(e, ERR_INTERNAL, "brotli failed");
	buf_commit(out, n);
	return 0;
}

int compress_brotli_decode(size_t max, const char *data, size_t len, struct buf *out, struct err *e)
{
	BrotliDecoderState *state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
	const uint8_t *in = (const uint8_t *)data;
	BrotliDecoderResult r = BROTLI_DECODER_RESULT_ERROR;

	while (state) {
		uint8_t *to = (uint8_t *)buf_reserve(out, PIECE_BYTES);
		size_t room = PIECE_BYTES;

		r = BrotliDecoderDecompressStream(state, &len, &in, &room, &to, NULL);
		buf_commit(out, PIECE_BYTES - room);
		if (r != BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT || buf_len(out) > max)
			break;
	}
	BrotliDecoderDestroyInstance(state);
	if (r != BROTLI_DECODER_RESULT_SUCCESS || len > 0 || buf_len(out) > max)
		return err_set(e, ERR_INVALID, "invalid brotli data");
	return 0;
}

#else

static int lacking(struct err *e)
{
	return err_set(e, ERR_UNAVAILABLE, "this wippy was built without brotli");
}

int compress_brotli_encode(int level, const char *data, size_t len, struct buf *out, struct err *e)
{
	(void)level;
	(void)data;
	(void)len;
	(void)out;
	return lacking(e);
}

int compress_brotli_decode(size_t max, const char *data, size_t len, struct buf *out, struct err *e)
{
	(void)max;
	(void)data;
	(void)len;
	(void)out;
	return lacking(e);
}

#endif
