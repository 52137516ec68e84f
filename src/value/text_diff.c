#include "value/text_diff.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "value/text_blocks.h"

void text_diff_add(struct text_diff *d, enum text_operation op, const char *text, size_t len)
{
	if ((d->n & (d->n - 1)) == 0)
		d->changes = xreallocarray(d->changes, d->n ? d->n * 2 : 1, sizeof(*d->changes));
	d->changes[d->n++] = (struct text_change){op, xmemdupz(text, len), len};
}

void text_diff_done(struct text_diff *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->changes[i].text);
	free(d->changes);
	*d = (struct text_diff){0};
}

static void add_points(struct text_diff *d, enum text_operation op, const uint32_t *c, size_t n)
{
	struct buf b = BUF_INIT;

	if (n == 0)
		return;
	text_points_add(&b, c, n);
	text_diff_add(d, op, buf_data(&b), buf_len(&b));
	buf_done(&b);
}

static int check_size(size_t a_len, size_t b_len, struct err *e)
{
	return a_len > TEXT_DIFF_BYTES_MAX || b_len > TEXT_DIFF_BYTES_MAX
		       ? err_set(e, ERR_INVALID, "a text is longer than %d bytes", TEXT_DIFF_BYTES_MAX)
		       : 0;
}

int text_diff(const char *a, size_t a_len, const char *b, size_t b_len, const struct text_diff_options *opt,
	struct text_diff *ret_diff, struct err *e)
{
	struct text_points x, y;
	struct text_blocks blocks;
	size_t ai = 0, bi = 0;

	if (check_size(a_len, b_len, e) < 0)
		return -1;
	*ret_diff = (struct text_diff){0};
	text_points_init(&x, a, a_len);
	text_points_init(&y, b, b_len);
	text_blocks_find(&blocks, &x, &y, opt->timeout_s);
	for (size_t i = 0; i < blocks.n; i++) {
		const struct text_block *k = &blocks.items[i];

		add_points(ret_diff, TEXT_DELETE, x.c + ai, k->a - ai);
		add_points(ret_diff, TEXT_INSERT, y.c + bi, k->b - bi);
		add_points(ret_diff, TEXT_EQUAL, x.c + k->a, k->n);
		ai = k->a + k->n;
		bi = k->b + k->n;
	}
	add_points(ret_diff, TEXT_DELETE, x.c + ai, x.n - ai);
	add_points(ret_diff, TEXT_INSERT, y.c + bi, y.n - bi);
	text_blocks_done(&blocks);
	text_points_done(&x);
	text_points_done(&y);
	return 0;
}

/* -- making patches ----------------------------------------------------------------------------------- */

struct maker {
	struct text_points a, b;
	struct text_blocks blocks;
	size_t margin;
	struct text_patches *patches;
};

/* The end of what is equal before block `i`, in both texts; block n stands for the end. */
static void gap_begin(const struct maker *m, size_t i, size_t *ret_a, size_t *ret_b)
{
	const struct text_block *before = i > 0 ? &m->blocks.items[i - 1] : NULL;

	*ret_a = before ? before->a + before->n : 0;
	*ret_b = before ? before->b + before->n : 0;
}

static struct text_block block_at(const struct maker *m, size_t i)
{
	return i < m->blocks.n ? m->blocks.items[i] : (struct text_block){m->a.n, m->b.n, 0};
}

/* One patch for the gaps before the blocks first .. last. */
static void add_patch(struct maker *m, size_t first, size_t last)
{
	struct text_block end = block_at(m, last);
	struct text_patch *p;
	size_t a, b, before, after;

	if ((m->patches->n & (m->patches->n - 1)) == 0)
		m->patches->patches = xreallocarray(
			m->patches->patches, m->patches->n ? m->patches->n * 2 : 1, sizeof(struct text_patch));
	p = &m->patches->patches[m->patches->n++];
	*p = (struct text_patch){0};
	gap_begin(m, first, &a, &b);
	before = first > 0 ? m->blocks.items[first - 1].n : 0;
	before = before < m->margin ? before : m->margin;
	after = end.n < m->margin ? end.n : m->margin;
	p->start_a = a - before;
	p->start_b = b - before;
	p->len_a = end.a + after - p->start_a;
	p->len_b = end.b + after - p->start_b;
	add_points(&p->diff, TEXT_EQUAL, m->a.c + p->start_a, before);
	for (size_t i = first; i <= last; i++) {
		struct text_block k = block_at(m, i);

		gap_begin(m, i, &a, &b);
		add_points(&p->diff, TEXT_DELETE, m->a.c + a, k.a - a);
		add_points(&p->diff, TEXT_INSERT, m->b.c + b, k.b - b);
		add_points(&p->diff, TEXT_EQUAL, m->a.c + k.a, i < last ? k.n : after);
	}
}

static bool gap_is_empty(const struct maker *m, size_t i)
{
	struct text_block k = block_at(m, i);
	size_t a, b;

	gap_begin(m, i, &a, &b);
	return a == k.a && b == k.b;
}

int text_patch_make(const char *a, size_t a_len, const char *b, size_t b_len, const struct text_diff_options *opt,
	struct text_patches *ret_patches, struct err *e)
{
	struct maker m = {.patches = ret_patches};

	if (check_size(a_len, b_len, e) < 0)
		return -1;
	if (opt->patch_margin > TEXT_PATCH_MARGIN_MAX)
		return err_set(e, ERR_INVALID, "patch_margin is larger than %d", TEXT_PATCH_MARGIN_MAX);
	m.margin = opt->patch_margin;
	*ret_patches = (struct text_patches){0};
	text_points_init(&m.a, a, a_len);
	text_points_init(&m.b, b, b_len);
	text_blocks_find(&m.blocks, &m.a, &m.b, opt->timeout_s);
	for (size_t i = 0; i <= m.blocks.n; i++) {
		size_t last = i;

		if (gap_is_empty(&m, i))
			continue;
		/* What is nearer than two margins goes into one patch. */
		while (last < m.blocks.n && m.blocks.items[last].n <= 2 * m.margin && !gap_is_empty(&m, last + 1))
			last++;
		add_patch(&m, i, last);
		i = last;
	}
	text_blocks_done(&m.blocks);
	text_points_done(&m.a);
	text_points_done(&m.b);
	return 0;
}

void text_patches_done(struct text_patches *p)
{
	for (size_t i = 0; i < p->n; i++)
		text_diff_done(&p->patches[i].diff);
	free(p->patches);
	*p = (struct text_patches){0};
}
