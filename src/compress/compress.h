/*
 * compress.h - gzip (RFC 1952), raw deflate (RFC 1951), zlib (RFC 1950), brotli (RFC 7932) and zstd (RFC 8878) over whole
 * byte strings.
 *
 * Pure, any thread; large inputs take long. A library that was not there at build time makes its formats UNAVAILABLE.
 */
#ifndef COMPRESS_COMPRESS_H
#define COMPRESS_COMPRESS_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum compress_format { COMPRESS_GZIP, COMPRESS_DEFLATE, COMPRESS_ZLIB, COMPRESS_BROTLI, COMPRESS_ZSTD };

enum {
	COMPRESS_INPUT_MAX = 1024 * 1024 * 1024,
	COMPRESS_ZSTD_WINDOW_BITS = 27, /* 128 MiB: what the format's tools take, too */
};

struct compress_options {
	int level;  /* 1-9; brotli 0-11, zstd 1-22 */
	size_t max; /* decoding: bytes that may come out */
	/* Bytes both sides know beforehand; deflate, zlib and zstd only. NULL: none. */
	const char *dict;
	size_t dict_len;
};

const char *compress_format_name(enum compress_format f);

/* Append to `out`. INVALID: the level; INTERNAL: anything else. */
int compress_encode(enum compress_format f, const struct compress_options *opt, const char *data, size_t len,
	struct buf *out, struct err *e);
/* INVALID "invalid gzip data"; INTERNAL "decompressed size exceeds limit" (brotli: INVALID "invalid brotli data").
 * Members of gzip and frames of zstd may follow one another; a frame whose window is above COMPRESS_ZSTD_WINDOW_BITS is INVALID. */
int compress_decode(enum compress_format f, const struct compress_options *opt, const char *data, size_t len,
	struct buf *out, struct err *e);

/* For compress.c. */
int compress_brotli_encode(int level, const char *data, size_t len, struct buf *out, struct err *e);
int compress_brotli_decode(size_t max, const char *data, size_t len, struct buf *out, struct err *e);
int compress_zstd_encode(
	const struct compress_options *opt, const char *data, size_t len, struct buf *out, struct err *e);
int compress_zstd_decode(
	const struct compress_options *opt, const char *data, size_t len, struct buf *out, struct err *e);

#endif
