/*
 * front_edit.h - changes to a source text, noted by offset and applied in one pass.
 *
 * Notes may come in any order. Blanking keeps line ends, and swallows every other note that begins inside it.
 * Internal to the front end; one thread.
 */
#ifndef ENGINE_FRONT_EDIT_H
#define ENGINE_FRONT_EDIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Where several insertions meet at one offset: what closes the text before, first noted first; then separators;
 * then what opens the text behind, last noted first; last what belongs to the very next word. So insertions around
 * nested ranges nest like these. */
enum edit_place { EDIT_CLOSE, EDIT_SEPARATE, EDIT_OPEN, EDIT_PREFIX };

struct edit;

struct edits {
	struct edit *v;
	size_t n;
	size_t cap;
	struct buf text;
};

void edits_init(struct edits *ed);
void edits_done(struct edits *ed);

void edits_insert(struct edits *ed, enum edit_place place, uint32_t off, const char *text);
/* The bytes from `off` up to `end` hold no line end, nor does `text`. */
void edits_replace(struct edits *ed, uint32_t off, uint32_t end, const char *text, size_t len);
void edits_blank(struct edits *ed, uint32_t off, uint32_t end);

/* Append the changed source to `out`. */
void edits_apply(struct edits *ed, const char *src, uint32_t len, struct buf *out);

#endif
