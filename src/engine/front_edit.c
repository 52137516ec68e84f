#include "engine/front_edit.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* A key is the offset in 32 bits, the place in 3 and the order in the rest; a source within FRONT_SOURCE_MAX has fewer
 * notes than that. */
enum { EDIT_RANGE = EDIT_PREFIX + 1, EDIT_ORDER_BITS = 29 };

struct edit {
	uint64_t key; /* offset, place, order among equals; unique */
	uint32_t end; /* what is taken out ends here; the offset itself for an insertion */
	uint32_t text;
	uint32_t len;
	bool blank;
};

void edits_init(struct edits *ed)
{
	*ed = (struct edits){0};
}

void edits_done(struct edits *ed)
{
	free(ed->v);
	buf_done(&ed->text);
	*ed = (struct edits){0};
}

static struct edit *add(struct edits *ed, unsigned place, uint32_t off, uint32_t end)
{
	const uint64_t mask = ((uint64_t)1 << EDIT_ORDER_BITS) - 1;
	uint64_t order = ed->n;
	struct edit *d;

	if (ed->n == ed->cap) {
		ed->cap = ed->cap ? ed->cap * 2 : 64;
		ed->v = xreallocarray(ed->v, ed->cap, sizeof(*ed->v));
	}
	if (place == EDIT_OPEN)
		order = ~order & mask;
	d = &ed->v[ed->n++];
	*d = (struct edit){.key = (uint64_t)off << 32 | (uint64_t)place << EDIT_ORDER_BITS | order, .end = end};
	return d;
}

static void set_text(struct edits *ed, struct edit *d, const char *text, size_t len)
{
	d->text = (uint32_t)buf_len(&ed->text);
	d->len = (uint32_t)len;
	buf_add(&ed->text, text, len);
}

void edits_insert(struct edits *ed, enum edit_place place, uint32_t off, const char *text)
{
	set_text(ed, add(ed, place, off, off), text, strlen(text));
}

void edits_replace(struct edits *ed, uint32_t off, uint32_t end, const char *text, size_t len)
{
	set_text(ed, add(ed, EDIT_RANGE, off, end), text, len);
}

void edits_blank(struct edits *ed, uint32_t off, uint32_t end)
{
	add(ed, EDIT_RANGE, off, end)->blank = true;
}

static int by_key(const void *a, const void *b)
{
	const struct edit *x = a;
	const struct edit *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static void add_blanks(struct buf *out, const char *src, size_t len)
{
	char *p = buf_reserve(out, len);

	for (size_t i = 0; i < len; i++)
		p[i] = src[i] == '\n' || src[i] == '\r' ? src[i] : ' ';
	buf_commit(out, len);
}

void edits_apply(struct edits *ed, const char *src, uint32_t len, struct buf *out)
{
	const char *text = buf_data(&ed->text);
	bool sorted = true;
	uint32_t pos = 0;

	for (size_t i = 1; i < ed->n && sorted; i++)
		sorted = ed->v[i - 1].key < ed->v[i].key;
	if (!sorted)
		qsort(ed->v, ed->n, sizeof(*ed->v), by_key);
	for (size_t i = 0; i < ed->n; i++) {
		const struct edit *d = &ed->v[i];
		uint32_t off = (uint32_t)(d->key >> 32);

		if (off < pos)
			continue; /* inside something blanked */
		buf_add(out, src + pos, off - pos);
		buf_add(out, text + d->text, d->len);
		if (d->blank)
			add_blanks(out, src + off, d->end - off);
		pos = d->end;
	}
	buf_add(out, src + pos, len - pos);
}
