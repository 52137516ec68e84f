/*
 * raw.c - the answer to a request whose body is too long to wait for.
 *
 * libmicrohttpd takes a response either with the head of the request or when it has the whole body. A handler that answers in between, while more than
 * EXCHANGE_DISCARD_MAX bytes are still to come, is served here: its connection stays suspended, the response is written by us, ends with the connection,
 * and what the client still sends is read for a moment, so that it gets to see the answer (RFC 9112 section 9.6).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/alloc.h"
#include "http/server_private.h"

enum { LINGER_MS = 1000, LINGER_BYTES_MAX = 4 * 1024 * 1024 };

struct raw_answer {
	struct exchange *x;
	struct buf head;
	struct loop_poll *poll;
	struct loop_timer linger;
	size_t drained;
	bool shut; /* all is written */
};

static void finish(struct exchange *x)
{
	int fd = x->conn->fd;

	/* libmicrohttpd reads the end and cleans up. */
	shutdown(fd, SHUT_RDWR);
	x->dead = true;
	raw_stop(x);
	exchange_resume(x);
}

static void on_linger_over(struct loop_timer *t)
{
	finish(container_of(t, struct raw_answer, linger)->x);
}

static void drain(struct raw_answer *r)
{
	char tmp[16384];
	ssize_t n = recv(r->x->conn->fd, tmp, sizeof(tmp), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		r->drained += (size_t)n;
	if (n <= 0 || r->drained > LINGER_BYTES_MAX)
		finish(r->x);
}

/* -1: the client is gone. */
static int send_some(int fd, struct buf *b)
{
	while (buf_len(b) > 0) {
		ssize_t n = send(fd, buf_data(b), buf_len(b), MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		buf_consume(b, (size_t)n);
	}
	return 0;
}

static void on_ready(void *arg, int events)
{
	struct raw_answer *r = arg;
	struct exchange *x = r->x;
	size_t before = buf_len(&x->out);

	(void)events;
	if (r->shut) {
		drain(r);
		return;
	}
	if (send_some(x->conn->fd, &r->head) < 0 || (buf_len(&r->head) == 0 && send_some(x->conn->fd, &x->out) < 0)) {
		exchange_ref(x);
		exchange_lost(x);
		finish(x);
		exchange_unref(x);
		return;
	}
	x->sent += before - buf_len(&x->out);
	if (x->drain_fn && buf_len(&x->out) <= EXCHANGE_PENDING_LOW)
		exchange_notify(x, EVENT_DRAIN);
	if (buf_len(&r->head) > 0 || buf_len(&x->out) > 0)
		return;
	if (!x->ended) {
		loop_poll_set(r->poll, 0);
		return;
	}
	r->shut = true;
	shutdown(x->conn->fd, SHUT_WR);
	loop_timer_start_ms(&r->linger, LINGER_MS);
	loop_poll_set(r->poll, LOOP_READ);
}

static void put_head(struct exchange *x, struct buf *b)
{
	char date[64];
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	buf_addf(b, "HTTP/1.1 %u %s\r\nDate: %s\r\nConnection: close\r\n", x->status,
		MHD_get_reason_phrase_for(x->status), date);
	for (size_t i = 0; i < x->nout_fields; i++)
		if (!response_is_framing(x->out_fields[i].name))
			buf_addf(b, "%s: %s\r\n", x->out_fields[i].name, x->out_fields[i].value);
	if (x->ended && x->status != 204 && x->status != 304)
		buf_addf(b, "Content-Length: %zu\r\n", buf_len(&x->out));
	buf_adds(b, "\r\n");
}

void raw_begin(struct exchange *x)
{
	struct raw_answer *r = xcalloc(1, sizeof(*r));

	exchange_suspend_unwatched(x);
	x->raw = r;
	r->x = x;
	response_finish_head(x);
	put_head(x, &r->head);
	if (x->is_head)
		buf_clear(&x->out);
	x->head_left = true;
	loop_timer_init(&r->linger, x->worker->loop, on_linger_over);
	r->poll = loop_poll_new(x->worker->loop, x->conn->fd, LOOP_WRITE, on_ready, r);
}

void raw_push(struct exchange *x)
{
	if (!x->raw->shut)
		loop_poll_set(x->raw->poll, LOOP_WRITE);
}

void raw_stop(struct exchange *x)
{
	struct raw_answer *r = x->raw;

	if (!r)
		return;
	x->raw = NULL;
	loop_timer_stop(&r->linger);
	loop_poll_free(r->poll);
	buf_done(&r->head);
	free(r);
}
