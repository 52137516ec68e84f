/*
 * buf.c - see buf.h
 */
#include "base/buf.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"

enum { BUF_CAP_MIN = 64 };

void buf_init(struct buf *b)
{
	*b = BUF_INIT;
}

void buf_done(struct buf *b)
{
	free(b->mem);
	*b = BUF_INIT;
}

const char *buf_data(const struct buf *b)
{
	return b->mem ? b->mem + b->start : "";
}

const char *buf_str(const struct buf *b)
{
	/* The NUL may be gone if space was reserved, written to and never committed. */
	if (b->mem && b->mem[b->end] != '\0')
		b->mem[b->end] = '\0';
	return buf_data(b);
}

char *buf_reserve(struct buf *b, size_t len)
{
	size_t used = buf_len(b);
	size_t need, cap;
	char *mem;

	if (__builtin_add_overflow(used, len, &need) || __builtin_add_overflow(need, 1, &need))
		need = SIZE_MAX; /* the allocator refuses it with a message */
	if (b->mem && b->cap - b->end > len)
		return b->mem + b->end;
	/* Sliding down pays for itself: at least as many bytes were consumed as are moved. */
	if (b->mem && need <= b->cap && b->start >= used) {
		memmove(b->mem, b->mem + b->start, used);
	} else {
		cap = b->cap < BUF_CAP_MIN ? BUF_CAP_MIN : b->cap;
		while (cap < need)
			cap = cap > SIZE_MAX / 2 ? need : cap * 2;
		mem = xmalloc(cap);
		if (b->mem && used)
			memcpy(mem, b->mem + b->start, used);
		free(b->mem);
		b->mem = mem;
		b->cap = cap;
	}
	b->start = 0;
	b->end = used;
	b->mem[b->end] = '\0';
	return b->mem + b->end;
}

void buf_commit(struct buf *b, size_t len)
{
	if (!b->mem) {
		assert(len == 0);
		return;
	}
	assert(len < b->cap - b->end);
	b->end += len;
	b->mem[b->end] = '\0';
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	if (len == 0)
		return;
	memcpy(buf_reserve(b, len), data, len);
	buf_commit(b, len);
}

void buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_addc(struct buf *b, char c)
{
	*buf_reserve(b, 1) = c;
	buf_commit(b, 1);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(b, fmt, ap);
	va_end(ap);
}

void buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
	char *at = buf_reserve(b, 63);
	size_t room = b->cap - b->end;
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(at, room, fmt, ap);
	assert(n >= 0);
	if ((size_t)n >= room) {
		at = buf_reserve(b, (size_t)n);
		vsnprintf(at, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	buf_commit(b, (size_t)n);
}

void buf_consume(struct buf *b, size_t len)
{
	assert(len <= buf_len(b));
	b->start += len;
	if (b->start == b->end)
		buf_clear(b);
}

void buf_truncate(struct buf *b, size_t len)
{
	assert(len <= buf_len(b));
	if (!b->mem)
		return;
	b->end = b->start + len;
	b->mem[b->end] = '\0';
}

void buf_clear(struct buf *b)
{
	b->start = b->end = 0;
	if (b->mem)
		b->mem[0] = '\0';
}

char *buf_detach(struct buf *b, size_t *ret_len)
{
	size_t len = buf_len(b);
	char *text;

	if (b->mem && b->start > 0)
		memmove(b->mem, b->mem + b->start, len);
	text = b->mem ? b->mem : xmalloc(1);
	text[len] = '\0';
	if (ret_len)
		*ret_len = len;
	*b = BUF_INIT;
	return text;
}

static void add_escaped(struct buf *b, const void *data, size_t len, size_t max, const char *also)
{
	const char *s = data;
	size_t i = 0;

	while (i < len) {
		uint32_t code;
		size_t n = utf8_sequence(s + i, len - i, &code);
		/* C1 controls act on some terminals as the C0 ones do. */
		bool plain = n > 0 && code >= 0x20 && (code < 0x7f || code > 0x9f) && !(n == 1 && strchr(also, s[i]));

		if (n == 0)
			n = 1;
		if (i + n > max) {
			buf_adds(b, "...");
			return;
		}
		if (plain) {
			buf_add(b, s + i, n);
		} else {
			for (size_t k = 0; k < n; k++)
				buf_addf(b, "\\x%02x", (unsigned char)s[i + k]);
		}
		i += n;
	}
}

void buf_add_escaped(struct buf *b, const void *data, size_t len, size_t max)
{
	add_escaped(b, data, len, max, "\"'\\");
}

void buf_add_line(struct buf *b, const void *data, size_t len, size_t max)
{
	add_escaped(b, data, len, max, "\\");
}
