#include "compress/compress.h"

#include <stdbool.h>
#include <string.h>

#ifdef WIPPY_ZLIB
#include <zlib.h>
#endif

enum { PIECE_BYTES = 64 * 1024 };

const char *compress_format_name(enum compress_format f)
{
	static const char *const names[] = {"gzip", "deflate", "zlib", "brotli", "zstd"};

	return names[f];
}

#ifdef WIPPY_ZLIB

static int window_of(enum compress_format f)
{
	return f == COMPRESS_GZIP ? MAX_WBITS + 16 : f == COMPRESS_DEFLATE ? -MAX_WBITS : MAX_WBITS;
}

static int zlib_encode(enum compress_format f, const struct compress_options *opt, const char *data, size_t len,
	struct buf *out, struct err *e)
{
	z_stream z = {0};
	int rc;

	if (deflateInit2(&z, opt->level, Z_DEFLATED, window_of(f), 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return err_set(e, ERR_INTERNAL, "%s cannot be set up", compress_format_name(f));
	if (opt->dict && f != COMPRESS_GZIP &&
		deflateSetDictionary(&z, (const Bytef *)opt->dict, (uInt)opt->dict_len) != Z_OK) {
		deflateEnd(&z);
		return err_set(e, ERR_INVALID, "the dictionary is not usable");
	}
	z.next_in = (z_const Bytef *)data;
	z.avail_in = (uInt)len;
	do {
		z.next_out = (Bytef *)buf_reserve(out, PIECE_BYTES);
		z.avail_out = PIECE_BYTES;
		rc = deflate(&z, Z_FINISH);
		buf_commit(out, PIECE_BYTES - z.avail_out);
	} while (rc == Z_OK || rc == Z_BUF_ERROR);
	deflateEnd(&z);
	return rc == Z_STREAM_END ? 0 : err_set(e, ERR_INTERNAL, "%s failed", compress_format_name(f));
}

/* One step of inflating; 1 at the end, 0 when there is more, -1. */
static int inflate_step(
	z_stream *z, enum compress_format f, const struct compress_options *opt, struct buf *out, struct err *e)
{
	int rc;

	z->next_out = (Bytef *)buf_reserve(out, PIECE_BYTES);
	z->avail_out = PIECE_BYTES;
	rc = inflate(z, Z_NO_FLUSH);
	buf_commit(out, PIECE_BYTES - z->avail_out);
	if (buf_len(out) > opt->max)
		return err_set(e, ERR_INTERNAL, "decompressed size exceeds limit");
	if (rc == Z_NEED_DICT && opt->dict && f == COMPRESS_ZLIB &&
		inflateSetDictionary(z, (const Bytef *)opt->dict, (uInt)opt->dict_len) == Z_OK)
		return 0;
	if (rc == Z_STREAM_END) {
		if (f != COMPRESS_GZIP || z->avail_in == 0)
			return 1;
		if (inflateReset(z) == Z_OK)
			return 0;
	} else if (rc == Z_OK && (z->avail_in > 0 || z->avail_out == 0)) {
		return 0;
	}
	return err_set(e, ERR_INVALID, "invalid %s data", compress_format_name(f));
}

static int zlib_decode(enum compress_format f, const struct compress_options *opt, const char *data, size_t len,
	struct buf *out, struct err *e)
{
	z_stream z = {0};
	int rc = 0;

	if (inflateInit2(&z, window_of(f)) != Z_OK)
		return err_set(e, ERR_INTERNAL, "%s cannot be set up", compress_format_name(f));
	if (opt->dict && f == COMPRESS_DEFLATE &&
		inflateSetDictionary(&z, (const Bytef *)opt->dict, (uInt)opt->dict_len) != Z_OK)
		rc = err_set(e, ERR_INVALID, "the dictionary is not usable");
	z.next_in = (z_const Bytef *)data;
	z.avail_in = (uInt)len;
	while (rc == 0)
		rc = inflate_step(&z, f, opt, out, e);
	inflateEnd(&z);
	return rc < 0 ? -1 : 0;
}

#else

static int lacking(enum compress_format f, struct err *e)
{
	return err_set(
		e, ERR_UNAVAILABLE, "this wippy was built without zlib: %s is not to be had", compress_format_name(f));
}

#define zlib_encode(f, opt, data, len, out, e) ((void)(opt), (void)(data), (void)(len), (void)(out), lacking(f, e))
#define zlib_decode zlib_encode

#endif

int compress_encode(enum compress_format f, const struct compress_options *opt, const char *data, size_t len,
	struct buf *out, struct err *e)
{
	int least = f == COMPRESS_BROTLI ? 0 : 1, most = f == COMPRESS_BROTLI ? 11 : f == COMPRESS_ZSTD ? 22 : 9;

	if (opt->level < least || opt->level > most)
		return err_set(e, ERR_INVALID, "compression level must be between %d and %d", least, most);
	if (len > COMPRESS_INPUT_MAX)
		return err_set(e, ERR_INVALID, "input data is longer than %d MiB", COMPRESS_INPUT_MAX >> 20);
	if (f == COMPRESS_BROTLI)
		return compress_brotli_encode(opt->level, data, len, out, e);
	if (f == COMPRESS_ZSTD)
		return compress_zstd_encode(opt, data, len, out, e);
	return zlib_encode(f, opt, data, len, out, e);
}

int compress_decode(enum compress_format f, const struct compress_options *opt, const char *data, size_t len,
	struct buf *out, struct err *e)
{
	if (len > COMPRESS_INPUT_MAX)
		return err_set(e, ERR_INVALID, "input data is longer than %d MiB", COMPRESS_INPUT_MAX >> 20);
	if (f == COMPRESS_BROTLI)
		return compress_brotli_decode(opt->max, data, len, out, e);
	if (f == COMPRESS_ZSTD)
		return compress_zstd_decode(opt, data, len, out, e);
	return zlib_decode(f, opt, data, len, out, e);
}
