#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "bind/exec.h"
#include "loop/loop.h"

struct exec_pipe {
	struct stream_source source;
	struct loop *loop;
	struct exec_pipe **holder; /* what points here; NULL when it is gone */
	int fd;                    /* -1: not yet */
	bool abandoned;
	struct loop_poll *poll;
	struct stream_op *op; /* that waits */
	bool writing;         /* the one that waits writes */
};

static struct exec_pipe *pipe_of(struct stream_source *s)
{
	return container_of(s, struct exec_pipe, source);
}

static void fail_op(struct stream_op *op, int errnum)
{
	struct err e;

	if (errnum)
		err_set_errno(&e, ERR_INTERNAL, errnum, "pipe");
	else
		err_set(&e, ERR_INTERNAL, "the process was closed before it was started");
	stream_op_fail(op, &e);
}

/* True when the operation is over. */
static bool try_read(struct exec_pipe *p, struct stream_op *op)
{
	size_t max = op->max < STREAM_READ_DEFAULT * 2 ? op->max : STREAM_READ_DEFAULT * 2;
	ssize_t n;

	do
		n = read(p->fd, buf_reserve(&op->data, max), max);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0) {
		fail_op(op, errno);
		return true;
	}
	buf_commit(&op->data, (size_t)n);
	stream_op_done(op);
	return true;
}

static bool try_write(struct exec_pipe *p, struct stream_op *op)
{
	while (buf_len(&op->data) > 0) {
		ssize_t n = write(p->fd, buf_data(&op->data), buf_len(&op->data));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n < 0) {
			fail_op(op, errno);
			return true;
		}
		buf_consume(&op->data, (size_t)n);
		op->n += n;
	}
	stream_op_done(op);
	return true;
}

static void on_events(void *arg, int events)
{
	struct exec_pipe *p = arg;
	struct stream_op *op = p->op;

	(void)events;
	/* What is done may close this pipe: nothing of it is touched behind that. */
	p->op = NULL;
	loop_poll_set(p->poll, 0);
	if (!op || (p->writing ? try_write(p, op) : try_read(p, op)))
		return;
	p->op = op;
	loop_poll_set(p->poll, p->writing ? LOOP_WRITE : LOOP_READ);
}

static void go(struct exec_pipe *p, struct stream_op *op, bool writing)
{
	p->writing = writing;
	if (p->abandoned) {
		fail_op(op, 0);
		return;
	}
	if (p->fd >= 0) {
		if (writing ? try_write(p, op) : try_read(p, op))
			return;
		loop_poll_set(p->poll, writing ? LOOP_WRITE : LOOP_READ);
	}
	p->op = op;
}

static void pipe_read(struct stream_source *s, struct stream_op *op)
{
	go(pipe_of(s), op, false);
}

static void pipe_write(struct stream_source *s, struct stream_op *op)
{
	go(pipe_of(s), op, true);
}

static void pipe_cancel(struct stream_source *s, struct stream_op *op)
{
	struct exec_pipe *p = pipe_of(s);

	(void)op;
	p->op = NULL;
	if (p->poll)
		loop_poll_set(p->poll, 0);
}

static void pipe_free(struct stream_source *s)
{
	struct exec_pipe *p = pipe_of(s);

	if (p->holder)
		*p->holder = NULL;
	loop_poll_free(p->poll);
	if (p->fd >= 0)
		close(p->fd);
	free(p);
}

static const struct stream_ops pipe_ops = {
	.read = pipe_read, .write = pipe_write, .cancel = pipe_cancel, .free = pipe_free};

struct exec_pipe *exec_pipe_new(struct loop *l, bool writes, struct exec_pipe **holder)
{
	struct exec_pipe *p = xcalloc(1, sizeof(*p));

	p->source.ops = &pipe_ops;
	p->source.readable = !writes;
	p->source.writable = writes;
	p->loop = l;
	p->holder = holder;
	p->fd = -1;
	*holder = p;
	return p;
}

struct stream_source *exec_pipe_source(struct exec_pipe *p)
{
	return &p->source;
}

void exec_pipe_open(struct exec_pipe *p, int fd)
{
	p->fd = fd;
	p->poll = loop_poll_new(p->loop, fd, 0, on_events, p);
	if (p->op)
		loop_poll_set(p->poll, p->writing ? LOOP_WRITE : LOOP_READ);
}

/* There will be no program: whoever waits learns it. */
static void exec_pipe_abandon(struct exec_pipe *p)
{
	struct stream_op *op = p->op;

	p->abandoned = true;
	p->op = NULL;
	if (op)
		fail_op(op, 0);
}

void exec_pipe_let_go(struct exec_pipe *p)
{
	p->holder = NULL;
	if (p->fd < 0 && !p->abandoned)
		exec_pipe_abandon(p);
}
