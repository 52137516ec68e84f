/*
 * poll.c - watching descriptors.
 *
 * libuv frees a handle in a later turn, the owner of a descriptor wants to close it now. So the handle lives on the
 * heap and outlives loop_poll_free(): that takes the descriptor out of epoll and out of the events already fetched, at
 * once.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "loop/private.h"

/* libuv takes a descriptor it is asked nothing about out of epoll; "urgent data" is the least one can ask for. */
_Static_assert((int)LOOP_READ == (int)UV_READABLE && (int)LOOP_WRITE == (int)UV_WRITABLE &&
		       (int)LOOP_HANGUP == (int)UV_PRIORITIZED,
	"event bits are passed on as they are");

enum { EVENTS = LOOP_READ | LOOP_WRITE | LOOP_HANGUP };

struct loop_poll {
	uv_poll_t uv;
	struct loop *loop;
	loop_poll_fn *fn;
	void *arg;
	int events;
};

static void on_events(uv_poll_t *uv, int status, int events);

static void poll_start(struct loop_poll *p)
{
	int rc = p->events ? uv_poll_start(&p->uv, p->events, on_events) : uv_poll_stop(&p->uv);

	if (rc < 0)
		loop_die("watch a descriptor", rc);
}

static void on_events(uv_poll_t *uv, int status, int events)
{
	struct loop_poll *p = container_of(uv, struct loop_poll, uv);

	loop_begin_turn(p->loop);
	events &= LOOP_READ | LOOP_WRITE;
	if (status < 0) {
		/* libuv stops a handle that reports an error. Ours goes on: whoever reads only a part of an error
		 * queue, or does not care, must still hear of what comes next. Before fn(), which may free p. */
		poll_start(p);
		events = 0;
	}
	p->fn(p->arg, events ? events : LOOP_READ | LOOP_WRITE);
}

static void on_closed(uv_handle_t *uv)
{
	free(container_of(uv, struct loop_poll, uv));
}

struct loop_poll *loop_poll_new(struct loop *l, int fd, int events, loop_poll_fn *fn, void *arg)
{
	struct loop_poll *p = xcalloc(1, sizeof(*p));
	int rc;

	loop_assert_mine(l);
	assert(fd >= 0 && fn && !(events & ~EVENTS));
	rc = uv_poll_init(&l->uv, &p->uv, fd);
	if (rc < 0)
		loop_die("watch a descriptor", rc);
	p->loop = l;
	p->fn = fn;
	p->arg = arg;
	p->events = events;
	l->npolls++;
	if (events)
		poll_start(p);
	return p;
}

void loop_poll_set(struct loop_poll *p, int events)
{
	loop_assert_mine(p->loop);
	assert(!(events & ~EVENTS));
	if (events == p->events)
		return;
	p->events = events;
	poll_start(p);
}

void loop_poll_free(struct loop_poll *p)
{
	if (!p)
		return;
	loop_assert_mine(p->loop);
	p->loop->npolls--;
	uv_close((uv_handle_t *)&p->uv, on_closed);
}
