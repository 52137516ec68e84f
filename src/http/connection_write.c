/*
 * connection_write.c - what a connection sends: at once what the system takes, the rest as it takes it; files.
 */
#include <errno.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "http/connection_private.h"

enum { TLS_BLOCKS_A_RUN = 4, FILE_BYTES_A_RUN = 1024 * 1024, FILE_BLOCK_BYTES = 64 * 1024 };

const char CONN_CONTINUE[] = "HTTP/1.1 100 Continue\r\n\r\n";

static bool is_before_file(const struct conn *c)
{
	return conn_has_file(c) && c->x->file_size > 0;
}

void conn_put(struct conn *c, struct iovec *iov, int niov, struct buf *body)
{
	ssize_t n = 0;

	if (c->broken || c->closed)
		return;
	if (buf_len(&c->out) == 0 && !c->ahead) {
		/* A file that follows, follows in this turn. */
		n = (is_before_file(c) ? transport_writev_more : transport_writev)(c->transport, iov, niov);
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
	struct exchange *x = conn_detach(c);

	c->write_due = 0;
	c->probe_due = 0;
	if (x->upgrade_fn) {
		x->upgraded = c->transport;
		c->transport = NULL;
		x->upgraded_early = c->in;
		c->in = BUF_INIT;
		exchange_notify(x, EVENT_UPGRADED);
		conn_drop(c);
	} else if (!c->in_body) {
		conn_parse_end(c);
		conn_wait_for_request(c);
	}
	conn_leave(x);
	if (!c->closed && !c->finishing && (c->blocked || buf_len(&c->in) > 0)) {
		c->blocked = false;
		conn_post(c);
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

static void write_file(struct conn *c)
{
	struct exchange *x = c->x;

	if (!transport_is_tls(c->transport) && buf_len(&c->out) == 0)
		send_file(c);
	for (int i = 0; i < TLS_BLOCKS_A_RUN && transport_is_tls(c->transport); i++) {
		if (c->broken || buf_len(&c->out) > 0 || x->file_size == 0)
			break;
		read_file(c);
		write_out(c);
	}
	if (x->file_size > 0)
		return;
	close(x->file_fd);
	x->file_fd = -1;
}

void conn_write_some(struct conn *c)
{
	struct exchange *x = c->x;

	write_out(c);
	if (x && !c->broken && conn_has_file(c))
		write_file(c);
	if (!x || c->broken)
		return;
	if (x->drain_fn && exchange_pending(x) <= EXCHANGE_PENDING_LOW)
		exchange_notify(x, EVENT_DRAIN);
	if (x->is_emitted && !conn_has_file(c) && buf_len(&c->out) == 0)
		response_over(c);
}

void conn_push(struct conn *c, bool later)
{
	struct exchange *x = c->x;

	if (later) {
		conn_post(c);
		return;
	}
	if (x->dead)
		c->broken = true;
	else
		response_emit(x);
	/* With more requests at hand small responses leave together. */
	if (c->ahead && x->is_emitted && !conn_has_file(c) && !x->upgrade_fn && buf_len(&c->out) < CONN_BATCH_BYTES)
		response_over(c);
	else if (!c->broken)
		conn_write_some(c);
	conn_check(c);
}

void conn_put_text(struct conn *c, const char *text)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};

	conn_put(c, &iov, 1, NULL);
}

void conn_continue(struct conn *c)
{
	conn_put_text(c, CONN_CONTINUE);
	conn_check(c);
}
