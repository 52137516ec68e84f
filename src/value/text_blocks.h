/*
 * text_blocks.h - texts as characters, and the blocks two of them have in common. Inside of text_diff.h.
 */
#ifndef VALUE_TEXT_BLOCKS_H
#define VALUE_TEXT_BLOCKS_H

#include "value/text_diff.h"

/* Code points; a byte that is no UTF-8 is TEXT_BYTE + itself. */
enum { TEXT_BYTE = 0x200000 };

struct text_points {
	uint32_t *c;
	size_t n;
};

/* a[a .. a+n) is b[b .. b+n) */
struct text_block {
	size_t a, b, n;
};

/* Ascending in both texts, none touches the next; what lies between them changed. */
struct text_blocks {
	struct text_block *items;
	size_t n, cap;
};

void text_points_init(struct text_points *p, const char *s, size_t len);
void text_points_done(struct text_points *p);
void text_points_add(struct buf *out, const uint32_t *c, size_t n);

void text_blocks_find(
	struct text_blocks *ret_blocks, const struct text_points *a, const struct text_points *b, double timeout_s);
void text_blocks_done(struct text_blocks *blocks);

#endif
