/*
 * collect.c - garbage collection while a worker has nothing else to do.
 *
 * Lua collects by itself when a heap has doubled. A worker that rests does it earlier, in slices of half a millisecond between which it looks at its
 * mailboxes and descriptors, so that the memory of what ended comes back and the next burst finds less to collect. One step cannot be divided:
 * the end of a cycle looks at every thread of a heap, which is why a heap has a bounded number of processes.
 */
#include "actor/worker.h"
#include "base/block_cache.h"

enum {
	PAUSE_MS = 5,      /* between slices while there is some work */
	SLICE_NS = 500000, /* of collecting between two looks at I/O */
};

/* The heap to go on with: one whose cycle has begun, else one that has grown. */
static struct heap *next_heap(struct worker *w)
{
	for (unsigned i = 0; i < w->nheaps; i++)
		if (heap_wants_collecting(w->heaps[i]))
			return w->heaps[i];
	return NULL;
}

static void on_rest(struct loop_timer *t)
{
	struct worker *w = container_of(t, struct worker, rest);
	uint64_t until = loop_clock_ns() + SLICE_NS;
	bool worked = w->worked;
	struct heap *h;

	w->worked = false;
	if (w->queued > 0) {
		loop_timer_start_ms(t, PAUSE_MS);
		return;
	}
	do {
		h = next_heap(w);
		if (!h) {
			for (unsigned i = 0; i < w->nheaps; i++)
				heap_give_back(w->heaps[i]);
			block_give_back();
			return; /* armed again by the next work */
		}
		heap_collect_step(h);
	} while (loop_clock_ns() < until);
	loop_timer_start_ms(t, worked ? PAUSE_MS : 0);
}

void worker_collect_init(struct worker *w)
{
	loop_timer_init(&w->rest, w->loop, on_rest);
}

void worker_collect_soon(struct worker *w)
{
	w->worked = true;
	if (!loop_timer_is_armed(&w->rest))
		loop_timer_start_ms(&w->rest, PAUSE_MS);
}
