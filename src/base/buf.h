/*
 * buf.h - a growing run of bytes that can be consumed from the front.
 *
 * Used for text being built and for bytes between a socket and a protocol
 * machine. The data is always followed by a NUL that does not count, so
 * buf_str() is a C string. Not for sharing between threads.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *mem;    /* NULL when nothing was ever added */
	size_t start; /* first unconsumed byte */
	size_t end;   /* one past the last byte */
	size_t cap;
};

#define BUF_INIT ((struct buf){0})

void buf_init(struct buf *b);
/* Free the bytes; the buf is empty and reusable afterwards. */
void buf_done(struct buf *b);

static inline size_t buf_len(const struct buf *b)
{
	return b->end - b->start;
}

/* The first unconsumed byte; valid until the next change. Never NULL. */
const char *buf_data(const struct buf *b);
/* The same, as a NUL-terminated string. */
const char *buf_str(const struct buf *b);

void buf_add(struct buf *b, const void *data, size_t len);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vaddf(struct buf *b, const char *fmt, va_list ap);

/* Room for at least `len` more bytes; returns where to write. Then buf_commit() what was written. */
char *buf_reserve(struct buf *b, size_t len);
void buf_commit(struct buf *b, size_t len);

/* Drop `len` bytes from the front; asserts len <= buf_len. Amortised O(1). */
void buf_consume(struct buf *b, size_t len);
/* Shorten to `len` bytes. */
void buf_truncate(struct buf *b, size_t len);
void buf_clear(struct buf *b);

/* Give the bytes away as a malloc'd NUL-terminated string; the buf is empty afterwards. */
char *buf_detach(struct buf *b, size_t *ret_len);

/* Append `data` with control bytes, quotes, backslashes and invalid UTF-8 escaped as \xHH, for logs and errors.
 * At most `max` source bytes, then "...". */
void buf_add_escaped(struct buf *b, const void *data, size_t len, size_t max);
/* The same but for quotes: for what is not between any. */
void buf_add_line(struct buf *b, const void *data, size_t len, size_t max);

#endif
