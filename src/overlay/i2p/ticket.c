/*
 * ticket.c - see ticket.h
 */
#include "overlay/i2p/ticket.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "overlay/i2p/pool.h"

/* -- streams ---------------------------------------------------------------------------------------- */

/* statx() because the descriptor is not ours any more: to ask what it is now, whoever made it, is the point, but fstat()
 * lets the thread sanitizer think that we use it. */
static bool inode_of(int fd, uint64_t *ret)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_INO, &st) < 0)
		return false;
	*ret = st.stx_ino;
	return true;
}

bool stream_is_open(const struct stream *s)
{
	uint64_t ino;

	return inode_of(s->fd, &ino) && ino == s->ino;
}

/* -- control thread --------------------------------------------------------------------------------- */

static void run_answer(struct loop_post *post);

/* Under the lock, so that a worker that has dropped its ticket knows whether a post will still reach its loop. */
void ticket_answer(struct ticket *t, const char *id, const struct err *e)
{
	bool dropped;

	loop_timer_stop(&t->timer);
	pthread_mutex_lock(&t->lock);
	dropped = t->dropped;
	if (!dropped) {
		t->granted = id;
		if (id)
			snprintf(t->id, sizeof(t->id), "%s", id);
		else if (e)
			t->err = *e;
		t->answered = true;
		t->post.run = run_answer;
		loop_post(t->worker, &t->post);
	}
	pthread_mutex_unlock(&t->lock);
}

static void ticket_free(struct ticket *t)
{
	struct i2p *o = t->owner;

	loop_timer_stop(&t->timer);
	pthread_mutex_destroy(&t->lock);
	free(t->key);
	free(t);
	overlay_unref(&o->base);
}

/* Whoever posted the ticket under its lock has left the lock after this. */
static void lock_pass(struct ticket *t)
{
	pthread_mutex_lock(&t->lock);
	pthread_mutex_unlock(&t->lock);
}

static void on_deadline(struct loop_timer *timer)
{
	pool_expire(container_of(timer, struct ticket, timer));
}

static void run_ask(struct loop_post *post)
{
	pool_ask(container_of(post, struct ticket, post));
}

/* Its answer has not left and never will. */
static void run_cancel(struct loop_post *post)
{
	struct ticket *t = container_of(post, struct ticket, cancel);

	lock_pass(t);
	pool_forget(t);
	ticket_free(t);
}

static void run_end(struct loop_post *post)
{
	struct ticket *t = container_of(post, struct ticket, post);

	pool_end(t);
	ticket_free(t);
}

/* -- worker ----------------------------------------------------------------------------------------- */

struct ticket *ticket_ask(
	struct i2p *o, struct loop *worker, const char *key, uint64_t deadline_ns, ticket_fn *answered, void *arg)
{
	struct ticket *t = xcalloc(1, sizeof(*t));

	t->owner = o;
	overlay_ref(&o->base);
	t->worker = worker;
	t->key = xstrdup(key);
	t->deadline_ns = deadline_ns;
	pthread_mutex_init(&t->lock, NULL);
	t->fn = answered;
	t->arg = arg;
	t->stream.fd = -1;
	list_init(&t->link);
	loop_timer_init(&t->timer, o->base.env->control, on_deadline);
	t->post.run = run_ask;
	loop_post(o->base.env->control, &t->post);
	return t;
}

const char *ticket_session(const struct ticket *t)
{
	return t->id;
}

static void end(struct ticket *t)
{
	t->post.run = run_end;
	loop_post(t->owner->base.env->control, &t->post);
}

static void run_answer(struct loop_post *post)
{
	struct ticket *t = container_of(post, struct ticket, post);
	ticket_fn *fn = t->fn;

	lock_pass(t);
	if (!fn) {
		end(t);
		return;
	}
	t->fn = NULL;
	fn(t->arg, t->granted ? NULL : &t->err);
}

void ticket_drop(struct ticket *t)
{
	bool on_its_way;

	/* After its answer it is all ours. */
	if (!t->fn) {
		end(t);
		return;
	}
	t->fn = NULL;
	pthread_mutex_lock(&t->lock);
	on_its_way = t->answered;
	if (!on_its_way) {
		t->dropped = true;
		t->cancel.run = run_cancel;
		loop_post(t->owner->base.env->control, &t->cancel);
	}
	pthread_mutex_unlock(&t->lock);
}

void ticket_keep(struct ticket *t, int fd)
{
	if (inode_of(fd, &t->stream.ino))
		t->stream.fd = fd;
	end(t);
}

void ticket_unknown(struct ticket *t, const struct err *e)
{
	t->unknown = true;
	t->err = *e;
	end(t);
}
