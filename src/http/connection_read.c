/*
 * connection_read.c - what comes on a connection, as heads, bodies, and what is to wait.
 */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "http/connection_private.h"

enum { READS_A_RUN = 4, SUBJECT_MAX = 2048 };

static void learn_subject(struct conn *c)
{
	char text[SUBJECT_MAX];

	c->peer->has_subject = true;
	c->peer->is_verified = transport_peer_subject(c->transport, text, sizeof(text));
	if (*text)
		c->peer->subject = xstrdup(text);
}

/* What came cannot be a request: whoever waits for it hears that the client is gone. */
static void refuse(struct conn *c, unsigned status)
{
	struct buf *text = &c->worker->text;
	struct exchange *x = conn_detach(c);
	bool silent = x && x->head_left;

	c->finishing = true;
	if (x) {
		exchange_lost(x);
		conn_leave(x);
	}
	if (silent) {
		c->broken = true;
		return;
	}
	response_refusal(c->worker, status, text);
	conn_put_text(c, buf_str(text));
	c->in_body = true; /* there is something we do not read */
}

static void body_over(struct conn *c)
{
	c->in_body = false;
	c->read_due = 0;
	if (!c->x) {
		conn_parse_end(c);
		conn_wait_for_request(c);
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

	assert(c->parse); /* lent while in_body */
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
	c->write_due = conn_due_in(c, w->server->config.write_ns);
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
		conn_parse_begin(c);
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

void conn_take_early(struct conn *c)
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
		c->probe_due = conn_due_in(c, (uint64_t)CONN_PROBE_FIRST_MS * 1000000);
}

void conn_read_some(struct conn *c)
{
	struct server_worker *w = c->worker;
	bool more = true;

	for (int i = 0; more && i < READS_A_RUN && !c->closed && !c->broken; i++) {
		size_t max = conn_room(c);
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
		conn_post(c);
}
