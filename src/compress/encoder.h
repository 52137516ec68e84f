/*
 * encoder.h - gzip (RFC 1952), brotli (RFC 7932) and zstd (RFC 8878) bit by bit, for what is sent while it is being made.
 *
 * One thread at a time. Memory: about 260 KiB for gzip, 1 MiB for brotli and for zstd.
 */
#ifndef COMPRESS_ENCODER_H
#define COMPRESS_ENCODER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "compress/compress.h"

struct encoder;

/* Can it be made: was the library there at build time? False for anything but gzip, brotli and zstd. */
bool encoder_has(enum compress_format f);
/* `level` as of compress_options. NULL: not to be had, or out of memory. */
struct encoder *encoder_new(enum compress_format f, int level);
void encoder_free(struct encoder *z); /* NULL is fine */

enum encoder_step {
	ENCODER_MORE,
	ENCODER_FLUSH, /* everything given so far can be decoded from what came out */
	ENCODER_END,   /* once, last */
};

/* Append what comes out. */
void encoder_step(struct encoder *z, const void *data, size_t len, enum encoder_step step, struct buf *out);

#endif
