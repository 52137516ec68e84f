#include "compress/compress.h"

#ifdef WIPPY_ZSTD

#include <zstd.h>

enum { PIECE_BYTES = 64 * 1024 };

int compress_zstd_encode(
	const struct compress_options *opt, const char *data, size_t len, struct buf *out, struct err *e)
{
	size_t room = ZSTD_compressBound(len), n;
	char *to = buf_reserve(out, room);
	ZSTD_CCtx *z = ZSTD_createCCtx();

	if (!z)
		return err_set(e, ERR_INTERNAL, "zstd cannot be set up");
	n = ZSTD_compress_usingDict(z, to, room, data, len, opt->dict, opt->dict_len, opt->level);
	ZSTD_freeCCtx(z);
	if (ZSTD_isError(n))
		return err_set(e, ERR_INTERNAL, "zstd failed");
	buf_commit(out, n);
	return 0;
}

int compress_zstd_decode(
	const struct compress_options *opt, const char *data, size_t len, struct buf *out, struct err *e)
{
	ZSTD_DCtx *z = ZSTD_createDCtx();
	ZSTD_inBuffer in = {.src = data, .size = len};
	size_t left = 1; /* 0: a frame ended here */

	if (!z || ZSTD_isError(ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, COMPRESS_ZSTD_WINDOW_BITS)) ||
		ZSTD_isError(ZSTD_DCtx_loadDictionary(z, opt->dict, opt->dict_len))) {
		ZSTD_freeDCtx(z);
		return err_set(e, ERR_INTERNAL, "zstd cannot be set up");
	}
	while (buf_len(out) <= opt->max) {
		ZSTD_outBuffer to = {.dst = buf_reserve(out, PIECE_BYTES), .size = PIECE_BYTES};

		left = ZSTD_decompressStream(z, &to, &in);
		buf_commit(out, to.pos);
		/* All is read, and with room to spare all is written. */
		if (ZSTD_isError(left) || (in.pos == in.size && to.pos < to.size))
			break;
	}
	ZSTD_freeDCtx(z);
	if (buf_len(out) > opt->max)
		return err_set(e, ERR_INTERNAL, "decompressed size exceeds limit");
	return left == 0 ? 0 : err_set(e, ERR_INVALID, "invalid zstd data");
}

#else

static int lacking(struct err *e)
{
	return err_set(e, ERR_UNAVAILABLE, "this wippy was built without zstd");
}

int compress_zstd_encode(
	const struct compress_options *opt, const char *data, size_t len, struct buf *out, struct err *e)
{
	(void)opt;
	(void)data;
	(void)len;
	(void)out;
	return lacking(e);
}

int compress_zstd_decode(
	const struct compress_options *opt, const char *data, size_t len, struct buf *out, struct err *e)
{
	(void)opt;
	(void)data;
	(void)len;
	(void)out;
	return lacking(e);
}

#endif
