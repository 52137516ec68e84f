/*
 * connection.c - reading, writing and the life of one connection.
 *
 * Whatever enters (an event, a timer, a post, a handler that writes) ends with settle(), the only place where a connection is freed; between them it may be marked
 * `broken` or `closed`.
 */
#include "http/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/alloc.h"
#include "http/server_private.h"

enum { READS_A_RUN = 4, FILE_BYTES_A_RUN = 1024 * 1024, FILE_BLOCK_BYTES = 64 * 1024, SUBJECT_MAX = 2048 };

static const char CONTINUE[] = "HTTP/1.1 100 Continue\r\n\r\n";

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

static void learn_subject(struct conn *c)
{
	char text[SUBJECT_MAX];

	c->peer->has_subject = true;
	c->peer->is_verified = transport_peer_subject(c->transport, text, sizeof(text));
	if (*text)
		c->peer->subject = xstrdup(text);
}

/* -- time limits ------------------------------------------------------------------------------------- */

static uint64_t due_in(const struct conn *c, uint64_t ns)
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

static void wait_for_request(struct conn *c)
{
	const struct http_server_config *cfg = &c->worker->server->config;

	c->read_due = due_in(c, cfg->idle_ns ? cfg->idle_ns : cfg->read_ns);
}

/* -- the parser's state, lent by the worker to connections that are inside a request ------------------- */

static void parse_begin(struct conn *c)
{
	struct server_worker *w = c->worker;

	if (w->nparsers > 0)
		c->parse = w->parsers[--w->nparsers];
	else
		c->parse = xcalloc(1, sizeof(*c->parse));
	request_parse_begin(c->parse);
	c->read_due = due_in(c, w->server->config.read_ns);
}

static void parse_end(struct conn *c)
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

static struct exchange *detach(struct conn *c)
{
	struct exchange *x = c->x;

	c->x = NULL;
	if (x)
		x->conn = NULL;
	return x;
}

static void leave(struct exchange *x)
{
	exchange_maybe_over(x);
	exchange_unref(x); /* the connection's */
}

static void drop(struct conn *c)
{
	struct exchange *x = detach(c);

	if (c->closed)
		return;
	c->closed = true;
	loop_timer_stop(&c->timer);
	loop_poll_free(c->poll);
	c->poll = NULL;
	transport_close(c->transport);
	c->transport = NULL;
	parse_end(c);
	buf_done(&c->in);
	buf_done(&c->out);
	list_remove(&c->link);
	if (x) {
		exchange_lost(x);
		leave(x);
	}
}

static void linger(struct conn *c)
{
	c->lingering = true;
	c->blocked = false;
	c->discarded = 0;
	c->write_due = 0;
	c->probe_due = 0;
	c->read_due = due_in(c, (uint64_t)CONN_LINGER_MS * 1000000);
	parse_end(c);
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

static size_t room(const struct conn *c)
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

static bool has_file(const struct conn *c)
{
	return c->x && c->x->head_left && c->x->file_fd >= 0;
}

static void watch(struct conn *c)
{
	int events = 0;

	if (room(c) > 0)
		events |= transport_read_events(c->transport);
	else
		c->blocked = true;
	if (buf_len(&c->out) > 0 || has_file(c))
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
		drop(c);
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
static void post(struct conn *c)
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
	post(c);
}

/* -- writing ----------------------------------------------------------------------------------------- */

void conn_put(struct conn *c, struct iovec *iov, int niov, struct buf *body)
{
	ssize_t n = 0;

	if (c->broken || c->closed)
		return;
	if (buf_len(&c->out) == 0 && !c->ahead) {
		n = transport_writev(c->transport, iov, niov);
		if (n == TRANSPORT_FAILED) {
			c->broken = true;
			return;
		}
		if (n < 0)
			n = 0;
	}
	for (int i = 0; i < niov; i++) {
		size_t len = iov[i].iov_len, sent = (size_t)n < len ? (size_t)n : len;

		n -= (ssize_t)sent;
		if (sent == len)
			continue;
		/* A large body goes over whole. */
		if (i == 1 && body && len == buf_len(body) && buf_len(&c->out) == 0 && len - sent >= CONN_READ_BYTES) {
			struct buf empty = c->out;

			buf_consume(body, sent);
			c->out = *body;
			*body = empty;
			continue;
		}
		buf_add(&c->out, (const char *)iov[i].iov_base + sent, len - sent);
	}
}

/* A response is on its way whole. */
static void response_over(struct conn *c)
{
	struct exchange *x = detach(c);

	c->write_due = 0;
	c->probe_due = 0;
	if (x->upgrade_fn) {
		x->upgraded = c->transport;
		c->transport = NULL;
		x->upgraded_early = c->in;
		c->in = BUF_INIT;
		exchange_notify(x, EVENT_UPGRADED);
		drop(c);
	} else if (!c->in_body) {
		parse_end(c);
		wait_for_request(c);
	}
	leave(x);
	if (!c->closed && !c->finishing && (c->blocked || buf_len(&c->in) > 0)) {
		c->blocked = false;
		post(c);
	}
}

static void send_file(struct conn *c)
{
	struct exchange *x = c->x;

	for (size_t sent = 0; x->file_size > 0 && sent < FILE_BYTES_A_RUN;) {
		off_t at = (off_t)x->file_offset;
		size_t max = x->file_size < FILE_BYTES_A_RUN ? (size_t)x->file_size : FILE_BYTES_A_RUN;
		ssize_t n = sendfile(transport_fd(c->transport), x->file_fd, &at, max);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) { /* a failure, or it is shorter than it was */
			c->broken = true;
			return;
		}
		sent += (size_t)n;
		x->file_offset += (uint64_t)n;
		x->file_size -= (uint64_t)n;
	}
}

/* A block of it into `out`: TLS cannot take it from the file. */
static void read_file(struct conn *c)
{
	struct exchange *x = c->x;
	size_t max = x->file_size < FILE_BLOCK_BYTES ? (size_t)x->file_size : FILE_BLOCK_BYTES;
	ssize_t n = pread(x->file_fd, buf_reserve(&c->out, max), max, (off_t)x->file_offset);

	if (n <= 0) {
		c->broken = true;
		return;
	}
	buf_commit(&c->out, (size_t)n);
	x->file_offset += (uint64_t)n;
	x->file_size -= (uint64_t)n;
}

static void write_out(struct conn *c)
{
	while (buf_len(&c->out) > 0) {
		ssize_t n = transport_write(c->transport, buf_data(&c->out), buf_len(&c->out));

		if (n == TRANSPORT_FAILED)
			c->broken = true;
		if (n < 0)
			return;
		buf_consume(&c->out, (size_t)n);
	}
	buf_done(&c->out);
}

static void write_some(struct conn *c)
{
	struct exchange *x = c->x;

	write_out(c);
	if (has_file(c) && !c->broken) {
		for (int i = 0; i < READS_A_RUN && transport_is_tls(c->transport) && !c->broken &&
				buf_len(&c->out) == 0 && x->file_size > 0;
			i++) {
			read_file(c);
			write_out(c);
		}
		if (!transport_is_tls(c->transport) && buf_len(&c->out) == 0)
			send_file(c);
		if (x->file_size == 0) {
			close(x->file_fd);
			x->file_fd = -1;
		}
	}
	if (!x || c->broken)
		return;
	if (x->drain_fn && exchange_pending(x) <= EXCHANGE_PENDING_LOW)
		exchange_notify(x, EVENT_DRAIN);
	if (x->is_emitted && !has_file(c) && buf_len(&c->out) == 0)
		response_over(c);
}

void conn_push(struct conn *c, bool later)
{
	struct exchange *x = c->x;

	if (later) {
		post(c);
		return;
	}
	if (x->dead)
		c->broken = true;
	else
		response_emit(x);
	/* With more requests at hand small responses leave together. */
	if (c->ahead && x->is_emitted && !has_file(c) && !x->upgrade_fn && buf_len(&c->out) < CONN_BATCH_BYTES)
		response_over(c);
	else if (!c->broken)
		write_some(c);
	conn_check(c);
}

/* -- reading ----------------------------------------------------------------------------------------- */

static void put_text(struct conn *c, const char *text)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};

	conn_put(c, &iov, 1, NULL);
}

void conn_continue(struct conn *c)
{
	put_text(c, CONTINUE);
	conn_check(c);
}

/* What came cannot be a request: whoever waits for it hears that the client is gone. */
static void refuse(struct conn *c, unsigned status)
{
	struct buf *text = &c->worker->text;
	struct exchange *x = detach(c);
	bool silent = x && x->head_left;

	c->finishing = true;
	if (x) {
		exchange_lost(x);
		leave(x);
	}
	if (silent) {
		c->broken = true;
		return;
	}
	response_refusal(c->worker, status, text);
	put_text(c, buf_str(text));
	c->in_body = true; /* there is something we do not read */
}

static void body_over(struct conn *c)
{
	c->in_body = false;
	c->read_due = 0;
	if (!c->x) {
		parse_end(c);
		wait_for_request(c);
		return;
	}
	c->x->body_complete = true;
}

/* Bytes used; fewer than `n`: it is over. */
static size_t take_body(struct conn *c, const char *data, size_t n)
{
	struct exchange *x = c->x;
	bool wanted = x && !x->discarding;
	enum request_parsed rc;
	size_t used;

	rc = request_parse_body(c->parse, data, n, wanted ? &x->body : NULL, &used);
	if (rc == REQUEST_REFUSED) {
		refuse(c, c->parse->status);
		return n;
	}
	if (!wanted)
		c->discarded += used;
	if (rc == REQUEST_DONE)
		body_over(c);
	else if (c->discarded > EXCHANGE_DISCARD_MAX)
		c->finishing = true;
	if (wanted && x->body_fn)
		exchange_notify(x, EVENT_BODY);
	return used;
}

static size_t begin(struct conn *c, const char *head, const char *data, size_t n)
{
	struct server_worker *w = c->worker;
	size_t used = 0;

	if (w->server->config.tls && !c->peer->has_subject)
		learn_subject(c);
	c->x = exchange_new(w, c, head);
	c->discarded = 0;
	c->in_body = true;
	c->write_due = due_in(c, w->server->config.write_ns);
	used = take_body(c, data, n);
	buf_clear(&c->in); /* the head */
	if (!c->x)
		return n; /* refused */
	c->ahead = used < n;
	/* What comes with the request to change protocols belongs to the new one, perhaps. */
	if (c->ahead && c->parse->upgrades) {
		buf_add(&c->in, data + used, n - used);
		used = n;
		c->ahead = false;
	}
	exchange_ref(c->x); /* the handler's */
	exchange_dispatch(c->x);
	return used;
}

/* Bytes used. `data` is the end of the head so far. */
static size_t take_head(struct conn *c, const char *data, size_t n)
{
	const char *head = data;
	size_t len = n, before = buf_len(&c->in);

	if (!c->parse) {
		/* Empty lines between requests are skipped (RFC 9112 section 2.2), and are no request's beginning. */
		size_t blank = 0;

		while (blank < n && (data[blank] == '\r' || data[blank] == '\n'))
			blank++;
		if (blank > 0)
			return blank;
		parse_begin(c);
	}
	if (before > 0) {
		buf_add(&c->in, data, n);
		head = buf_data(&c->in);
		len = before + n;
	}
	switch (request_parse_head(c->parse, head, len)) {
	case REQUEST_MORE:
		if (before == 0)
			buf_add(&c->in, data, n);
		if (len > HTTP_HEAD_BYTES_MAX)
			refuse(c, 431);
		return n;
	case REQUEST_REFUSED:
		refuse(c, c->parse->status);
		return n;
	case REQUEST_DONE:
		break;
	}
	if (c->parse->head_len > HTTP_HEAD_BYTES_MAX) {
		refuse(c, 431);
		return n;
	}
	n -= len - c->parse->head_len;
	return n + begin(c, head, data + n, len - c->parse->head_len);
}

static void take(struct conn *c, const char *data, size_t n)
{
	while (n > 0 && !c->closed && !c->broken) {
		size_t used;

		if (c->lingering || (c->finishing && !c->x)) {
			c->discarded += n;
			break;
		}
		if (c->in_body) {
			used = take_body(c, data, n);
		} else if (c->x) {
			buf_add(&c->in, data, n);
			break;
		} else {
			used = take_head(c, data, n);
		}
		data += used;
		n -= used;
	}
	c->ahead = false;
}

static void take_early(struct conn *c)
{
	struct buf early = c->in;

	if (c->x || c->parse || c->finishing || buf_len(&early) == 0)
		return;
	c->in = BUF_INIT;
	take(c, buf_data(&early), buf_len(&early));
	buf_done(&early);
}

static void on_eof(struct conn *c)
{
	c->eof = true;
	if (c->lingering || (c->x && (c->in_body || c->x->leaves_at_eof)))
		c->broken = true;
	else if (c->x)
		c->probe_due = due_in(c, (uint64_t)CONN_PROBE_FIRST_MS * 1000000);
}

static void read_some(struct conn *c)
{
	struct server_worker *w = c->worker;
	bool more = true;

	for (int i = 0; more && i < READS_A_RUN && !c->closed && !c->broken; i++) {
		size_t max = room(c);
		ssize_t n;

		if (max == 0)
			return;
		n = transport_read(c->transport, w->read_buffer, max);
		if (n == TRANSPORT_AGAIN)
			return;
		more = n == (ssize_t)max;
		if (n == TRANSPORT_FAILED)
			c->broken = true;
		else if (n == 0)
			on_eof(c);
		else
			take(c, w->read_buffer, (size_t)n);
		if (c->lingering && c->discarded > CONN_LINGER_BYTES_MAX)
			c->broken = true;
	}
	/* TLS may hold more, which the descriptor will not say. */
	if (more && !c->closed && !c->broken)
		post(c);
}

static void run(struct conn *c)
{
	c->running = true;
	if (c->x && c->x->leave)
		conn_push(c, false);
	else
		write_some(c);
	if (!c->closed && !c->broken)
		take_early(c);
	if (!c->closed && !c->broken)
		read_some(c);
	if (!c->closed && !c->broken && buf_len(&c->out) > 0)
		write_some(c);
	c->running = false;
	settle(c);
}

static void on_ready(void *arg, int events)
{
	struct conn *c = arg;

	(void)events;
	/* Nothing was asked for: an error, or both sides are shut. */
	if (room(c) == 0 && buf_len(&c->out) == 0 && !has_file(c)) {
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
			put_text(c, CONTINUE);
			c->probe_due = due_in(c, (uint64_t)CONN_PROBE_NEXT_MS * 1000000);
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
	wait_for_request(c);
	arm(c);
}
