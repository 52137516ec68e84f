/*
 * pool.c - see pool.h
 */
#include "overlay/i2p/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "overlay/i2p/session.h"
#include "overlay/i2p/ticket.h"

enum { SWEEP_MS = 500 };

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

/* -- members ---------------------------------------------------------------------------------------- */

static void refuse(struct ticket *t, const struct err *e)
{
	list_remove(&t->link);
	t->member = NULL;
	ticket_answer(t, NULL, e);
}

static void grant(struct member *m, struct ticket *t)
{
	list_remove(&t->link);
	list_push_back(&m->granted, &t->link);
	ticket_answer(t, session_id(m->session), NULL);
}

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

static void sweep_member(struct member *m, uint64_t now)
{
	bool was_busy = is_busy(m);
	size_t kept = 0;

	for (size_t i = 0; i < m->nstreams; i++) {
		if (stream_is_open(&m->streams[i]))
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

void pool_expire(struct ticket *t)
{
	struct member *m = t->member;
	struct err e;

	err_set(&e, ERR_TIMEOUT,
		"i2p: SESSION CREATE response failed: i/o timeout: the session's tunnels were not built in time; the "
		"first one "
		"takes tens of seconds");
	err_retryable(&e);
	err_code(&e, "i2p_timeout");
	refuse(t, &e);
	/* Nobody else would ever use it. */
	if (!m->key)
		member_free(m, &e);
}

void pool_ask(struct ticket *t)
{
	struct session_pool *p = t->owner->pool;
	struct member *m;
	struct err e;

	if (!p) {
		set_stopped(&e);
		ticket_answer(t, NULL, &e);
		return;
	}
	m = t->key ? find(p, t->key) : NULL;
	if (!m && p->nmembers >= POOL_SESSIONS_MAX && !evict(p)) {
		err_set(&e, ERR_UNAVAILABLE,
			"i2p: %d sessions are in use: let fewer identities dial at a time, or share one with isolation",
			POOL_SESSIONS_MAX);
		err_retryable(&e);
		err_code(&e, "i2p_too_many_sessions");
		ticket_answer(t, NULL, &e);
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

void pool_forget(struct ticket *t)
{
	list_remove(&t->link);
	drop_single(t->member);
}

static void keep_stream(struct member *m, struct stream s)
{
	if (m->nstreams == m->streams_cap) {
		m->streams_cap = m->streams_cap ? 2 * m->streams_cap : 4;
		m->streams = xreallocarray(m->streams, m->streams_cap, sizeof(m->streams[0]));
	}
	m->streams[m->nstreams++] = s;
}

void pool_end(struct ticket *t)
{
	struct member *m = t->member;

	list_remove(&t->link);
	if (m && t->stream.fd >= 0 && !is_shared(m))
		keep_stream(m, t->stream);
	if (m)
		m->idle_since_ns = loop_clock_ns();
	if (m && t->unknown)
		session_lost(m->session, t->id, &t->err); /* frees an isolated one */
	else
		drop_single(m);
}
