#include "value/text_blocks.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "value/letter_case.h"

void text_points_init(struct text_points *p, const char *s, size_t len)
{
	p->c = xreallocarray(NULL, len + 1, sizeof(*p->c));
	p->n = 0;
	for (size_t i = 0; i < len;) {
		uint32_t code = 0;
		size_t n = utf8_sequence(s + i, len - i, &code);

		p->c[p->n++] = n > 0 ? code : (uint32_t)TEXT_BYTE + (unsigned char)s[i];
		i += n > 0 ? n : 1;
	}
}

void text_points_done(struct text_points *p)
{
	free(p->c);
	*p = (struct text_points){0};
}

void text_points_add(struct buf *out, const uint32_t *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (c[i] >= TEXT_BYTE)
			buf_addc(out, (char)(c[i] - TEXT_BYTE));
		else
			letter_put(out, c[i]);
	}
}

struct finder {
	const uint32_t *a, *b;
	struct text_blocks *blocks;
	int64_t deadline_ns;
	ptrdiff_t *forward, *backward; /* how far each diagonal got */
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void add_block(struct text_blocks *blocks, size_t a, size_t b, size_t n)
{
	struct text_block *last = blocks->n > 0 ? &blocks->items[blocks->n - 1] : NULL;

	if (n == 0)
		return;
	if (last && last->a + last->n == a && last->b + last->n == b) {
		last->n += n;
		return;
	}
	if (blocks->n == blocks->cap) {
		blocks->cap = blocks->cap ? blocks->cap * 2 : 16;
		blocks->items = xreallocarray(blocks->items, blocks->cap, sizeof(*blocks->items));
	}
	blocks->items[blocks->n++] = (struct text_block){a, b, n};
}

/* Where the shortest paths from both ends meet; false when time is out or nothing is in common. */
static bool find_middle(struct finder *f, size_t a0, size_t a1, size_t b0, size_t b1, size_t *ret_a, size_t *ret_b)
{
	const uint32_t *a = f->a + a0, *b = f->b + b0;
	ptrdiff_t n = (ptrdiff_t)(a1 - a0), m = (ptrdiff_t)(b1 - b0), most = (n + m + 1) / 2, delta = n - m;
	ptrdiff_t *v1 = f->forward, *v2 = f->backward, size = 2 * most + 2;
	ptrdiff_t k1_start = 0, k1_end = 0, k2_start = 0, k2_end = 0;
	bool front = delta % 2 != 0;

	for (ptrdiff_t i = 0; i < size; i++)
		v1[i] = v2[i] = -1;
	v1[most + 1] = v2[most + 1] = 0;
	for (ptrdiff_t d = 0; d < most; d++) {
		if (d % 16 == 15 && now_ns() > f->deadline_ns)
			return false;
		for (ptrdiff_t k = -d + k1_start; k <= d - k1_end; k += 2) {
			ptrdiff_t at = most + k, x, y, other;

			x = k == -d || (k != d && v1[at - 1] < v1[at + 1]) ? v1[at + 1] : v1[at - 1] + 1;
			y = x - k;
			while (x < n && y < m && a[x] == b[y]) {
				x++;
				y++;
			}
			v1[at] = x;
			if (x > n) {
				k1_end += 2;
			} else if (y > m) {
				k1_start += 2;
			} else if (front) {
				other = most + delta - k;
				if (other >= 0 && other < size && v2[other] != -1 && x >= n - v2[other]) {
					*ret_a = a0 + (size_t)x;
					*ret_b = b0 + (size_t)y;
					return true;
				}
			}
		}
		for (ptrdiff_t k = -d + k2_start; k <= d - k2_end; k += 2) {
			ptrdiff_t at = most + k, x, y, other;

			x = k == -d || (k != d && v2[at - 1] < v2[at + 1]) ? v2[at + 1] : v2[at - 1] + 1;
			y = x - k;
			while (x < n && y < m && a[n - x - 1] == b[m - y - 1]) {
				x++;
				y++;
			}
			v2[at] = x;
			if (x > n) {
				k2_end += 2;
			} else if (y > m) {
				k2_start += 2;
			} else if (!front) {
				other = most + delta - k;
				if (other >= 0 && other < size && v1[other] != -1 && v1[other] >= n - x) {
					ptrdiff_t x1 = v1[other];

					*ret_a = a0 + (size_t)x1;
					*ret_b = b0 + (size_t)(most + x1 - other);
					return true;
				}
			}
		}
	}
	return false;
}

/* Each call halves the number of changes, so it nests as deep as their logarithm. */
static void find(struct finder *f, size_t a0, size_t a1, size_t b0, size_t b1)
{
	size_t head = 0, tail = 0, a = 0, b = 0;

	while (a0 + head < a1 && b0 + head < b1 && f->a[a0 + head] == f->b[b0 + head])
		head++;
	add_block(f->blocks, a0, b0, head);
	a0 += head;
	b0 += head;
	while (a0 + tail < a1 && b0 + tail < b1 && f->a[a1 - tail - 1] == f->b[b1 - tail - 1])
		tail++;
	a1 -= tail;
	b1 -= tail;
	if (a0 < a1 && b0 < b1 && find_middle(f, a0, a1, b0, b1, &a, &b) && (a > a0 || b > b0) && (a < a1 || b < b1)) {
		find(f, a0, a, b0, b);
		find(f, a, a1, b, b1);
	}
	add_block(f->blocks, a1, b1, tail);
}

void text_blocks_find(
	struct text_blocks *ret_blocks, const struct text_points *a, const struct text_points *b, double timeout_s)
{
	struct finder f = {.a = a->c, .b = b->c, .blocks = ret_blocks};
	size_t size = a->n + b->n + 4;

	if (!(timeout_s > 0 && timeout_s < TEXT_DIFF_MS_MAX / 1000.0))
		timeout_s = TEXT_DIFF_MS_MAX / 1000.0;
	*ret_blocks = (struct text_blocks){0};
	f.deadline_ns = now_ns() + (int64_t)(timeout_s * 1e9);
	f.forward = xreallocarray(NULL, size, sizeof(ptrdiff_t));
	f.backward = xreallocarray(NULL, size, sizeof(ptrdiff_t));
	find(&f, 0, a->n, 0, b->n);
	free(f.forward);
	free(f.backward);
}

void text_blocks_done(struct text_blocks *blocks)
{
	free(blocks->items);
	*blocks = (struct text_blocks){0};
}
