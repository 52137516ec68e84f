/*
 * text_patch.c - applying patches, exactly or nearly.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "value/text_blocks.h"

/* The old and the new text of a patch. */
static void sides(const struct text_patch *p, struct text_points *ret_old, struct text_points *ret_new)
{
	struct buf old = BUF_INIT, new = BUF_INIT;

	for (size_t i = 0; i < p->diff.n; i++) {
		const struct text_change *c = &p->diff.changes[i];

		if (c->operation != TEXT_INSERT)
			buf_add(&old, c->text, c->len);
		if (c->operation != TEXT_DELETE)
			buf_add(&new, c->text, c->len);
	}
	text_points_init(ret_old, buf_data(&old), buf_len(&old));
	text_points_init(ret_new, buf_data(&new), buf_len(&new));
	buf_done(&old);
	buf_done(&new);
}

static bool stands_at(const struct text_points *text, size_t at, const struct text_points *part)
{
	return at <= text->n && part->n <= text->n - at &&
	       memcmp(text->c + at, part->c, part->n * sizeof(*part->c)) == 0;
}

/*
 * Where does `part` stand with the lowest score, errors / length + distance / match_distance? Sellers' algorithm: one column for each character of
 * the text, the start of the best match carried along.
 */
static bool find_near(const struct text_points *text, const struct text_points *part, size_t expected,
	const struct text_diff_options *opt, size_t *ret_start, size_t *ret_end)
{
	double reach = opt->match_distance * opt->match_threshold, best = opt->match_threshold, score;
	size_t m = part->n, from, to, *errors, *start;
	bool found = false;

	if (!(reach >= 0))
		reach = 0;
	if (reach > (double)text->n)
		reach = (double)text->n;
	from = expected > (size_t)reach ? expected - (size_t)reach : 0;
	to = text->n - expected > m + (size_t)reach ? expected + m + (size_t)reach : text->n;
	if (m == 0 || to - from > TEXT_PATCH_WORK_MAX / m)
		return false;
	errors = xreallocarray(NULL, m + 1, sizeof(*errors));
	start = xreallocarray(NULL, m + 1, sizeof(*start));
	for (size_t i = 0; i <= m; i++) {
		errors[i] = i;
		start[i] = from;
	}
	for (size_t j = from; j < to; j++) {
		size_t corner = errors[0], corner_start = start[0];

		errors[0] = 0;
		start[0] = j + 1;
		for (size_t i = 1; i <= m; i++) {
			size_t fewest = corner + (part->c[i - 1] != text->c[j]), begin = corner_start;

			corner = errors[i];
			corner_start = start[i];
			if (errors[i] + 1 < fewest) {
				fewest = errors[i] + 1;
				begin = start[i];
			}
			if (errors[i - 1] + 1 < fewest) {
				fewest = errors[i - 1] + 1;
				begin = start[i - 1];
			}
			errors[i] = fewest;
			start[i] = begin;
		}
		score = (double)errors[m] / (double)m;
		if (start[m] != expected)
			score += opt->match_distance > 0
					 ? fabs((double)start[m] - (double)expected) / opt->match_distance
					 : 1;
		if (score <= best && (!found || score < best)) {
			found = true;
			best = score;
			*ret_start = start[m];
			*ret_end = j + 1;
		}
	}
	free(errors);
	free(start);
	return found;
}

/* -- a match with errors ------------------------------------------------------------------------------ */

/* The place in the second text that a place of the first became. */
static size_t place_in_b(const struct text_blocks *blocks, size_t n, size_t m, size_t place)
{
	size_t b = 0;

	for (size_t i = 0; i < blocks->n; i++) {
		const struct text_block *k = &blocks->items[i];

		if (place < k->a)
			return b;
		if (place < k->a + k->n)
			return k->b + (place - k->a);
		b = k->b + k->n;
	}
	return place >= n ? m : b;
}

/* How many characters changed: of each gap the longer side. */
static size_t changed(const struct text_blocks *blocks, size_t n, size_t m)
{
	size_t a = 0, b = 0, sum = 0;

	for (size_t i = 0; i <= blocks->n; i++) {
		struct text_block k = i < blocks->n ? blocks->items[i] : (struct text_block){n, m, 0};

		sum += k.a - a > k.b - b ? k.a - a : k.b - b;
		a = k.a + k.n;
		b = k.b + k.n;
	}
	return sum;
}

/* The patch's changes at the places they have in what is there; false when that is too different. */
static bool apply_nearly(const struct text_patch *p, const struct text_points *old, const uint32_t *there, size_t n,
	const struct text_diff_options *opt, struct buf *out)
{
	struct text_points actual = {(uint32_t *)there, n};
	struct text_blocks blocks;
	size_t place = 0, copied = 0;
	bool ok;

	text_blocks_find(&blocks, old, &actual, opt->timeout_s);
	ok = old->n > 0 && (double)changed(&blocks, old->n, n) / (double)old->n <= opt->patch_delete_threshold;
	for (size_t i = 0; ok && i < p->diff.n; i++) {
		const struct text_change *c = &p->diff.changes[i];
		struct text_points part;
		size_t at = place_in_b(&blocks, old->n, n, place), to;

		text_points_init(&part, c->text, c->len);
		if (c->operation != TEXT_EQUAL && at > copied) {
			text_points_add(out, there + copied, at - copied);
			copied = at;
		}
		if (c->operation == TEXT_INSERT)
			buf_add(out, c->text, c->len);
		else
			place += part.n;
		if (c->operation == TEXT_DELETE) {
			to = place_in_b(&blocks, old->n, n, place);
			copied = to > copied ? to : copied;
		}
		text_points_done(&part);
	}
	if (ok)
		text_points_add(out, there + copied, n - copied);
	text_blocks_done(&blocks);
	return ok;
}

static void replace(struct text_points *text, size_t start, size_t end, const char *s, size_t len)
{
	struct text_points by, whole;

	text_points_init(&by, s, len);
	whole.n = text->n - (end - start) + by.n;
	whole.c = xreallocarray(NULL, whole.n + 1, sizeof(*whole.c));
	memcpy(whole.c, text->c, start * sizeof(*whole.c));
	memcpy(whole.c + start, by.c, by.n * sizeof(*whole.c));
	memcpy(whole.c + start + by.n, text->c + end, (text->n - end) * sizeof(*whole.c));
	text_points_done(&by);
	text_points_done(text);
	*text = whole;
}

/* *shift: how far the patches so far stood from where they were expected. */
static bool apply_one(
	const struct text_patch *p, struct text_points *text, const struct text_diff_options *opt, ptrdiff_t *shift)
{
	struct text_points old, new;
	struct buf by = BUF_INIT;
	ptrdiff_t wanted = (ptrdiff_t)p->start_b + *shift;
	size_t expected = wanted < 0 ? 0 : (size_t)wanted > text->n ? text->n : (size_t)wanted, start, end;
	bool ok;

	sides(p, &old, &new);
	start = expected;
	end = expected + old.n;
	ok = stands_at(text, expected, &old) || find_near(text, &old, expected, opt, &start, &end);
	if (ok && end - start == old.n && stands_at(text, start, &old))
		text_points_add(&by, new.c, new.n);
	else if (ok)
		ok = apply_nearly(p, &old, text->c + start, end - start, opt, &by);
	if (ok) {
		replace(text, start, end, buf_data(&by), buf_len(&by));
		*shift += (ptrdiff_t)start - (ptrdiff_t)expected;
	} else {
		*shift -= (ptrdiff_t) new.n - (ptrdiff_t)old.n;
	}
	text_points_done(&old);
	text_points_done(&new);
	buf_done(&by);
	return ok;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int text_patch_apply(const struct text_patches *p, const char *s, size_t len, const struct text_diff_options *opt,
	struct buf *out, bool *ret_all_ok, struct err *e)
{
	struct text_points text;
	ptrdiff_t shift = 0;
	int64_t began = now_ms();
	bool all = true;
	int rc = 0;

	if (len > TEXT_DIFF_BYTES_MAX)
		return err_set(e, ERR_INVALID, "the text is longer than %d bytes", TEXT_DIFF_BYTES_MAX);
	text_points_init(&text, s, len);
	for (size_t i = 0; i < p->n && rc == 0; i++) {
		all &= apply_one(&p->patches[i], &text, opt, &shift);
		if (text.n > 2 * TEXT_DIFF_BYTES_MAX)
			rc = err_set(e, ERR_INVALID, "the patched text becomes too long");
		else if (now_ms() - began > TEXT_DIFF_MS_MAX)
			rc = err_set(e, ERR_INTERNAL, "the patches take too long to apply: apply fewer at a time");
	}
	if (rc == 0) {
		text_points_add(out, text.c, text.n);
		*ret_all_ok = all;
	}
	text_points_done(&text);
	return rc;
}
