/*
 * pool.c - see pool.h
 *
 * A ticket goes back and forth between its worker and the control thread, and belongs to one of them at a time: what one
 * wrote before posting it, the other reads. Only a ticket that is dropped unanswered is touched by both; a lock decides
 * whether its answer is on its way (then it ends when it arrives) or never leaves (then it ends on the control thread).
 */
#include "overlay/i2p/pool.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/log.h"
#include "overlay/i2p/session.h"

enum { SWEEP_MS = 500 };

struct ticket {
	struct loop_post post;   /* asking, the answer, the end: one after the other */
	struct loop_post cancel; /* dropped before the answer */
	struct i2p *owner;       /* a reference */
	struct loop *worker;
	char *key; /* NULL: for this dial alone */
	uint64_t deadline_ns;

	pthread_mutex_t lock;
	bool answered, dropped; /* under the lock; never both */

	/* -- the answer ------------------------------------------------------------------------------ */
	bool granted;
	char id[SAM_ID_MAX + 1];
	struct err err;

	/* -- the worker ------------------------------------------------------------------------------ */
	ticket_fn *fn; /* NULL: dropped */
	void *arg;

	/* -- the end --------------------------------------------------------------------------------- */
	int fd; /* of the stream; -1 = none */
	uint64_t ino;
	bool unknown;

	/* -- control thread -------------------------------------------------------------------------- */
	struct member *member; /* NULL: it has none, or that has gone */
	struct list link;      /* in member->waiting or ->granted */
	struct loop_timer timer;
};

/* A stream we gave away. A socket's inode number is its alone: what has another number under the same descriptor is another
 * file. */
struct stream {
	int fd;
	uint64_t ino;
};

struct member {
	struct session_pool *pool;
	struct list link;
	struct session *session;
	char *key; /* NULL: of a single dial */
	struct list waiting;
	struct list granted; /* no end heard of yet */
	struct stream *streams;
	size_t nstreams, streams_cap;
	uint64_t idle_since_ns;
};

struct session_pool {
	struct i2p *owner;
	struct list members;
	unsigned nmembers;
	struct loop_timer sweep; /* armed while there are isolated sessions */
};

/* -- tickets, control thread ------------------------------------------------------------------------ */

static void ticket_free(struct ticket *t)
{
	struct i2p *o = t->owner;

	loop_timer_stop(&t->timer);
	list_remove(&t->link);
	pthread_mutex_destroy(&t->lock);
	free(t->key);
	free(t);
	overlay_unref(&o->base);
}

static void run_answer(struct loop_post *post);

/* Whoever posted the ticket under its lock has left the lock after this. */
static void lock_pass(struct ticket *t)
{
	pthread_mutex_lock(&t->lock);
	pthread_mutex_unlock(&t->lock);
}

/* Under the lock, so that a worker that has dropped its ticket knows whether a post will still reach its loop. */
static void answer(struct ticket *t, const char *id, const struct err *e)
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

static void refuse(struct ticket *t, const struct err *e)
{
	list_remove(&t->link);
	t->member = NULL;
	answer(t, NULL, e);
}

static void grant(struct member *m, struct ticket *t)
{
	list_remove(&t->link);
	list_push_back(&m->granted, &t->link);
	answer(t, session_id(m->session), NULL);
}

/* -- members ---------------------------------------------------------------------------------------- */

static bool is_busy(const struct member *m)
{
	return !list_is_empty(&m->waiting) || !list_is_empty(&m->granted) || m->nstreams > 0;
}

static bool is_shared(const struct member *m)
{
	return m->key && m->key[0] == '\0';
}

static void member_free(struct member *m, const struct err *why)
{
	struct list *link;

	while ((link = list_pop_front(&m->waiting)))
		refuse(list_entry(link, struct ticket, link), why);
	while ((link = list_pop_front(&m->granted)))
		list_entry(link, struct ticket, link)->member = NULL;
	session_free(m->session);
	list_remove(&m->link);
	m->pool->nmembers--;
	free(m->streams);
	free(m->key);
	free(m);
}

static void member_up(void *arg, struct session *s, struct sam *sam)
{
	struct member *m = arg;

	(void)s;
	(void)sam;
	while (!list_is_empty(&m->waiting))
		grant(m, list_entry(m->waiting.next, struct ticket, link));
	m->idle_since_ns = loop_clock_ns();
}

static void member_down(void *arg, struct session *s, const struct err *e)
{
	struct member *m = arg;
	struct list *link;

	(void)s;
	/* Streams of a lost session are dead: there is nothing left to stand for. */
	m->nstreams = 0;
	/* Who waited hears why at once, like everybody whose proxy is dead; who asks from now on waits for the next attempt. */
	while ((link = list_pop_front(&m->waiting)))
		refuse(list_entry(link, struct ticket, link), e);
	if (!is_shared(m))
		member_free(m, e);
}

static const struct session_events member_events = {.up = member_up, .down = member_down};

static struct member *member_new(struct session_pool *p, const char *key)
{
	struct member *m = xcalloc(1, sizeof(*m));

	m->pool = p;
	m->key = xstrdup(key);
	list_init(&m->waiting);
	list_init(&m->granted);
	list_push_back(&p->members, &m->link);
	p->nmembers++;
	m->idle_since_ns = loop_clock_ns();
	m->session = session_new(p->owner, p->owner->session_name, is_shared(m), false, NULL, &member_events, m);
	if (!is_shared(m) && !loop_timer_is_armed(&p->sweep))
		loop_timer_start_ms(&p->sweep, SWEEP_MS);
	return m;
}

static struct member *find(struct session_pool *p, const char *key)
{
	list_for_each(link, &p->members) {
		struct member *m = list_entry(link, struct member, link);

		if (m->key && strcmp(m->key, key) == 0)
			return m;
	}
	return NULL;
}

/* Make room by ending the isolated session that was idle for longest. */
static bool evict(struct session_pool *p)
{
	struct member *oldest = NULL;

	list_for_each(link, &p->members) {
		struct member *m = list_entry(link, struct member, link);

		if (!is_shared(m) && !is_busy(m) && (!oldest || m->idle_since_ns < oldest->idle_since_ns))
			oldest = m;
	}
	if (oldest)
		member_free(oldest, NULL);
	return oldest;
}

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

static bool is_still_open(const struct stream *s)
{
	uint64_t ino;

	return inode_of(s->fd, &ino) && ino == s->ino;
}

static void sweep_member(struct member *m, uint64_t now)
{
	bool was_busy = is_busy(m);
	size_t kept = 0;

	for (size_t i = 0; i < m->nstreams; i++) {
		if (is_still_open(&m->streams[i]))
			m->streams[kept++] = m->streams[i];
	}
	m->nstreams = kept;
	if (is_busy(m))
		return;
	if (was_busy)
		m->idle_since_ns = now;
	if (!m->key || now - m->idle_since_ns >= m->pool->owner->idle_ns) {
		log_debug("overlay", "i2p session is ended: nothing goes through it",
			LOG_STR("overlay", overlay_id(&m->pool->owner->base)),
			LOG_STR("session", session_id(m->session)));
		member_free(m, NULL);
	}
}

static void on_sweep(struct loop_timer *t)
{
	struct session_pool *p = container_of(t, struct session_pool, sweep);
	bool isolated = false;

	list_for_each_safe(link, tmp, &p->members) {
		struct member *m = list_entry(link, struct member, link);

		if (!is_shared(m))
			sweep_member(m, loop_clock_ns());
	}
	list_for_each(link, &p->members)
		isolated |= !is_shared(list_entry(link, struct member, link));
	if (isolated)
		loop_timer_start_ms(&p->sweep, SWEEP_MS);
}

struct session_pool *pool_new(struct i2p *o)
{
	struct session_pool *p = xcalloc(1, sizeof(*p));

	p->owner = o;
	list_init(&p->members);
	loop_timer_init(&p->sweep, o->base.env->control, on_sweep);
	return p;
}

static void set_stopped(struct err *e)
{
	err_set(e, ERR_UNAVAILABLE, "i2p: the overlay was stopped");
	err_retryable(e);
	err_code(e, "overlay_stopped");
}

void pool_free(struct session_pool *p)
{
	struct err e;

	if (!p)
		return;
	set_stopped(&e);
	while (!list_is_empty(&p->members))
		member_free(list_entry(p->members.next, struct member, link), &e);
	loop_timer_stop(&p->sweep);
	free(p);
}

/* -- asking, control thread ------------------------------------------------------------------------- */

static void on_deadline(struct loop_timer *timer)
{
	struct ticket *t = container_of(timer, struct ticket, timer);
	struct member *m = t->member;
	struct err e;

	err_set(&e, ERR_TIMEOUT,
		"i2p: SESSION CREATE response failed: i/o timeout: the session's tunnels were not built in time; the "
		"first "
		"one takes tens of seconds");
	err_retryable(&e);
	err_code(&e, "i2p_timeout");
	refuse(t, &e);
	/* Nobody else would ever use it. */
	if (!m->key)
		member_free(m, &e);
}

static void run_ask(struct loop_post *post)
{
	struct ticket *t = container_of(post, struct ticket, post);
	struct session_pool *p = t->owner->pool;
	struct member *m;
	struct err e;

	if (!p) {
		set_stopped(&e);
		answer(t, NULL, &e);
		return;
	}
	m = t->key ? find(p, t->key) : NULL;
	if (!m && p->nmembers >= POOL_SESSIONS_MAX && !evict(p)) {
		err_set(&e, ERR_UNAVAILABLE,
			"i2p: %d sessions are in use: let fewer identities dial at a time, or share one with isolation",
			POOL_SESSIONS_MAX);
		err_retryable(&e);
		err_code(&e, "i2p_too_many_sessions");
		answer(t, NULL, &e);
		return;
	}
	if (!m)
		m = member_new(p, t->key);
	t->member = m;
	list_push_back(&m->waiting, &t->link);
	if (session_is_up(m->session)) {
		grant(m, t);
		return;
	}
	loop_timer_start_at(&t->timer, t->deadline_ns);
	session_want(m->session);
}

/* A session for one dial that came to nothing: nobody else would ever use it. */
static void drop_single(struct member *m)
{
	if (m && !m->key && !is_busy(m))
		member_free(m, NULL);
}

/* Its answer has not left and never will. */
static void run_cancel(struct loop_post *post)
{
	struct ticket *t = container_of(post, struct ticket, cancel);
	struct member *m = t->member;

	lock_pass(t);
	ticket_free(t);
	drop_single(m);
}

static void keep_stream(struct member *m, const struct ticket *t)
{
	if (m->nstreams == m->streams_cap) {
		m->streams_cap = m->streams_cap ? 2 * m->streams_cap : 4;
		m->streams = xreallocarray(m->streams, m->streams_cap, sizeof(m->streams[0]));
	}
	m->streams[m->nstreams++] = (struct stream){t->fd, t->ino};
}

static void run_end(struct loop_post *post)
{
	struct ticket *t = container_of(post, struct ticket, post);
	struct member *m = t->member;

	list_remove(&t->link);
	if (m && t->fd >= 0 && !is_shared(m))
		keep_stream(m, t);
	if (m)
		m->idle_since_ns = loop_clock_ns();
	if (m && t->unknown)
		session_lost(m->session, t->id, &t->err); /* frees an isolated one */
	else
		drop_single(m);
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
	t->fd = -1;
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
	if (inode_of(fd, &t->ino))
		t->fd = fd;
	end(t);
}

void ticket_unknown(struct ticket *t, const struct err *e)
{
	t->unknown = true;
	t->err = *e;
	end(t);
}
