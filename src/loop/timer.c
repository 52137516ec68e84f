/*
 * timer.c - the timers of one loop: a 4-ary heap of embedded nodes.
 *
 * Slots carry the due time, so comparing never follows a pointer to a timer. Four children a node make the heap half as
 * deep as a binary one for the same number of cache lines a level.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "loop/private.h"

enum { HEAP_ARITY = 4, HEAP_CAP_MIN = 64 };

static bool slot_before(const struct timer_slot *a, const struct timer_slot *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->seq < b->seq;
}

static void slot_put(struct timer_heap *h, size_t i, struct timer_slot s)
{
	h->slots[i] = s;
	s.timer->heap_index = i;
}

static size_t parent_of(size_t i)
{
	return (i - 2) / HEAP_ARITY + 1;
}

static size_t first_child_of(size_t i)
{
	return (i - 1) * HEAP_ARITY + 2;
}

/* Put `s` into the hole at `i` or above it. */
static void sift_up(struct timer_heap *h, size_t i, struct timer_slot s)
{
	while (i > 1 && slot_before(&s, &h->slots[parent_of(i)])) {
		slot_put(h, i, h->slots[parent_of(i)]);
		i = parent_of(i);
	}
	slot_put(h, i, s);
}

/* Put `s` into the hole at `i` or below it. */
static void sift_down(struct timer_heap *h, size_t i, struct timer_slot s)
{
	for (;;) {
		size_t child = first_child_of(i), end = child + HEAP_ARITY, least = child;

		if (child > h->len)
			break;
		if (end > h->len + 1)
			end = h->len + 1;
		while (++child < end) {
			if (slot_before(&h->slots[child], &h->slots[least]))
				least = child;
		}
		if (!slot_before(&h->slots[least], &s))
			break;
		slot_put(h, i, h->slots[least]);
		i = least;
	}
	slot_put(h, i, s);
}

/* Put `s` into the hole at `i`, in whichever direction it belongs. */
static void sift(struct timer_heap *h, size_t i, struct timer_slot s)
{
	if (i > 1 && slot_before(&s, &h->slots[parent_of(i)]))
		sift_up(h, i, s);
	else
		sift_down(h, i, s);
}

static void heap_remove(struct timer_heap *h, size_t i)
{
	struct timer_slot last = h->slots[h->len--];

	if (i <= h->len)
		sift(h, i, last);
}

uint64_t timer_heap_due(const struct timer_heap *h)
{
	return h->len ? h->slots[1].due_ns : UINT64_MAX;
}

void timer_heap_fire(struct timer_heap *h, uint64_t now_ns)
{
	h->firing_ns = now_ns;
	while (h->len && h->slots[1].due_ns <= now_ns) {
		struct loop_timer *t = h->slots[1].timer;

		heap_remove(h, 1);
		t->heap_index = 0;
		t->fire(t); /* may free t */
	}
	h->firing_ns = 0;
}

void timer_heap_done(struct timer_heap *h)
{
	assert(h->len == 0);
	free(h->slots);
	*h = (struct timer_heap){0};
}

void loop_timer_init(struct loop_timer *t, struct loop *l, void (*fire)(struct loop_timer *t))
{
	*t = (struct loop_timer){.loop = l, .fire = fire};
}

void loop_timer_start_at(struct loop_timer *t, uint64_t due_ns)
{
	struct timer_heap *h = &t->loop->timers;
	struct timer_slot s;

	loop_assert_mine(t->loop);
	if (h->firing_ns && due_ns <= h->firing_ns)
		due_ns = h->firing_ns + 1;
	t->due_ns = due_ns;
	s = (struct timer_slot){.due_ns = due_ns, .seq = h->seq++, .timer = t};
	if (t->heap_index) {
		sift(h, t->heap_index, s);
		return;
	}
	if (h->len + 1 >= h->cap) {
		h->cap = h->cap ? h->cap * 2 : HEAP_CAP_MIN;
		h->slots = xreallocarray(h->slots, h->cap, sizeof(h->slots[0]));
	}
	sift_up(h, ++h->len, s);
}

void loop_timer_start_ns(struct loop_timer *t, uint64_t delay_ns)
{
	/* The clock now, not this turn's: a callback that computed for a while would make the timer early. */
	uint64_t now = loop_clock_ns();

	loop_timer_start_at(t, delay_ns > UINT64_MAX - now ? UINT64_MAX : now + delay_ns);
}

void loop_timer_start_ms(struct loop_timer *t, uint64_t delay_ms)
{
	loop_timer_start_ns(t, delay_ms > UINT64_MAX / 1000000 ? UINT64_MAX : delay_ms * 1000000);
}

void loop_timer_stop(struct loop_timer *t)
{
	if (!t->heap_index)
		return;
	loop_assert_mine(t->loop);
	heap_remove(&t->loop->timers, t->heap_index);
	t->heap_index = 0;
}

bool loop_timer_is_armed(const struct loop_timer *t)
{
	return t->heap_index != 0;
}
