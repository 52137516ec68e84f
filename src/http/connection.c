/*
 * connection.c - the life of one connection: time limits, what is watched, its end.
 *
 * Whatever enters (an event, a timer, a post, a handler that writes) ends with settle(), the only place where a connection is freed; before that it may be marked
 * `broken` or `closed`.
 */
#include "http/connection.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "http/connection_private.h"

static void run(struct conn *c);

/* -- peers ------------------------------------------------------------------------------------------- */

struct peer *peer_new(const char *address, bool is_tls, const struct value *identity)
{
	size_t len = strlen(address) + 1;
	struct peer *p = xcalloc(1, sizeof(*p) + len);

	p->refs = 1;
	p->is_tls = is_tls;
	p->identity = value_ref((struct value *)(uintptr_t)identity); /* immutable from here on */
	memcpy(p->address, address, len);
	return p;
}

struct peer *peer_ref(struct peer *p)
{
	p->refs++;
	return p;
}

void peer_unref(struct peer *p)
{
	if (!p || --p->refs > 0)
		return;
	value_unref(p->identity);
	free(p->subject);
	free(p);
}

/* -- time limits ------------------------------------------------------------------------------------- */

uint64_t conn_due_in(const struct conn *c, uint64_t ns)
{
	return ns ? loop_now_ns(c->worker->loop) + ns : 0;
}

static void sooner(uint64_t *min, uint64_t due)
{
	if (due && (!*min || due < *min))
		*min = due;
}

static void arm(struct conn *c)
{
	uint64_t due = 0;

	sooner(&due, c->read_due);
	sooner(&due, c->write_due);
	sooner(&due, c->probe_due);
	if (due && (!loop_timer_is_armed(&c->timer) || c->timer.due_ns > due))
		loop_timer_start_at(&c->timer, due);
}

void conn_wait_for_request(struct conn *c)
{
	const struct http_server_config *cfg = &c->worker->server->config;

	c->read_due = conn_due_in(c, cfg->idle_ns ? cfg->idle_ns : cfg->read_ns);
}

/* -- the parser's state, lent by the worker to connections that are inside a request ------------------- */

void conn_parse_begin(struct conn *c)
{
	struct server_worker *w = c->worker;

	if (w->nparsers > 0)
		c->parse = w->parsers[--w->nparsers];
	else
		c->parse = xcalloc(1, sizeof(*c->parse));
	request_parse_begin(c->parse);
	c->read_due = conn_due_in(c, w->server->config.read_ns);
}

void conn_parse_end(struct conn *c)
{
	struct server_worker *w = c->worker;

	if (!c->parse)
		return;
	if (w->nparsers < WORKER_PARSERS_KEPT) {
		w->parsers[w->nparsers++] = c->parse;
	} else {
		request_parse_done(c->parse);
		free(c->parse);
	}
	c->parse = NULL;
}

/* -- the end ----------------------------------------------------------------------------------------- */

struct exchange *conn_detach(struct conn *c)
{
	struct exchange *x = c->x;

	c->x = NULL;
	if (x)
		x->conn = NULL;
	return x;
}

void conn_leave(struct exchange *x)
{
	exchange_maybe_over(x);
	exchange_unref(x); /* the connection's */
}

void conn_drop(struct conn *c)
{
	struct exchange *x = conn_detach(c);

	if (c->closed)
		return;
	c->closed = true;
	loop_timer_stop(&c->timer);
	loop_poll_free(c->poll);
	c->poll = NULL;
	transport_close(c->transport);
	c->transport = NULL;
	conn_parse_end(c);
	buf_done(&c->in);
	buf_done(&c->out);
	list_remove(&c->link);
	if (x) {
		exchange_lost(x);
		conn_leave(x);
	}
}

static void linger(struct conn *c)
{
	c->lingering = true;
	c->blocked = false;
	c->discarded = 0;
	c->write_due = 0;
	c->probe_due = 0;
	c->read_due = conn_due_in(c, (uint64_t)CONN_LINGER_MS * 1000000);
	conn_parse_end(c);
	buf_done(&c->in);
	transport_shutdown(c->transport);
}

/* In good order: all was said, which TLS must be told. */
static void end(struct conn *c)
{
	transport_shutdown(c->transport);
	c->broken = true;
}

static bool is_through(const struct conn *c)
{
	return !c->x && !c->posted && !c->lingering && buf_len(&c->out) == 0 && (c->eof || c->finishing);
}

size_t conn_room(const struct conn *c)
{
	size_t used;

	if (c->eof)
		return 0;
	if (c->lingering || (!c->x && !c->in_body))
		return CONN_READ_BYTES;
	if (!c->in_body) {
		used = buf_len(&c->in);
		return used < CONN_AHEAD_MAX ? CONN_AHEAD_MAX - used : 0;
	}
	if (!c->x || c->x->discarding)
		return c->discarded <= EXCHANGE_DISCARD_MAX ? CONN_READ_BYTES : 0;
	used = buf_len(&c->x->body);
	return used < EXCHANGE_BODY_BUFFER_BYTES ? EXCHANGE_BODY_BUFFER_BYTES - used : 0;
}

bool conn_has_file(const struct conn *c)
{
	return c->x && c->x->head_left && c->x->file_fd >= 0;
}

static void watch(struct conn *c)
{
	int events = 0;

	if (conn_room(c) > 0)
		events |= transport_read_events(c->transport);
	else
		c->blocked = true;
	if (buf_len(&c->out) > 0 || conn_has_file(c))
		events |= transport_write_events(c->transport);
	loop_poll_set(c->poll, events ? events : LOOP_HANGUP);
}

static void settle(struct conn *c)
{
	struct server_worker *w = c->worker;

	if (!c->closed && is_through(c) && !c->broken) {
		if (!c->eof && (c->in_body || buf_len(&c->in) > 0))
			linger(c);
		else
			end(c);
	}
	if (c->broken)
		conn_drop(c);
	if (!c->closed) {
		watch(c);
		arm(c);
		return;
	}
	if (c->posted)
		return;
	peer_unref(c->peer);
	free(c);
	w->nconns--;
	server_worker_lost_one(w);
}

void conn_check(struct conn *c)
{
	if (!c->running)
		settle(c);
}

void conn_cut(struct conn *c)
{
	c->broken = true;
	conn_check(c);
}

void conn_stop(struct conn *c)
{
	c->finishing = true;
	if (!c->x && buf_len(&c->out) == 0 && !c->broken) {
		end(c);
		conn_check(c);
	}
}

/* Run in a later turn. */
void conn_post(struct conn *c)
{
	if (c->posted)
		return;
	c->posted = true;
	loop_post(c->worker->loop, &c->post);
}

static void on_post(struct loop_post *p)
{
	struct conn *c = container_of(p, struct conn, post);

	c->posted = false;
	if (c->closed)
		settle(c);
	else
		run(c);
}

void conn_read_on(struct conn *c)
{
	if (!c->blocked)
		return;
	c->blocked = false;
	conn_post(c);
}

/* -- events ------------------------------------------------------------------------------------------ */

static void run(struct conn *c)
{
	c->running = true;
	if (c->x && c->x->leave)
		conn_push(c, false);
	else
		conn_write_some(c);
	if (!c->closed && !c->broken)
		conn_take_early(c);
	if (!c->closed && !c->broken)
		conn_read_some(c);
	if (!c->closed && !c->broken && buf_len(&c->out) > 0)
		conn_write_some(c);
	c->running = false;
	settle(c);
}

static void on_ready(void *arg, int events)
{
	struct conn *c = arg;

	(void)events;
	/* Nothing was asked for: an error, or both sides are shut. */
	if (conn_room(c) == 0 && buf_len(&c->out) == 0 && !conn_has_file(c)) {
		conn_cut(c);
		return;
	}
	run(c);
}

static void on_timer(struct loop_timer *t)
{
	struct conn *c = container_of(t, struct conn, timer);
	uint64_t now = loop_now_ns(c->worker->loop);

	if ((c->read_due && c->read_due <= now) || (c->write_due && c->write_due <= now))
		c->broken = true;
	if (!c->broken && c->probe_due && c->probe_due <= now) {
		c->probe_due = 0;
		if (c->x && !c->x->is_1_0 && !c->x->head_left) {
			conn_put_text(c, CONN_CONTINUE);
			c->probe_due = conn_due_in(c, (uint64_t)CONN_PROBE_NEXT_MS * 1000000);
		}
	}
	settle(c);
}

void conn_open(struct server_worker *w, struct transport *t, struct peer *peer)
{
	struct conn *c = xcalloc(1, sizeof(*c));

	c->worker = w;
	c->transport = t;
	c->peer = peer;
	c->post.run = on_post;
	loop_timer_init(&c->timer, w->loop, on_timer);
	list_push_back(&w->conns, &c->link);
	w->nconns++;
	c->poll = loop_poll_new(w->loop, transport_fd(t), LOOP_READ, on_ready, c);
	conn_wait_for_request(c);
	arm(c);
}
