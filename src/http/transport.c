/*
 * transport.c - reading and writing a connected descriptor; what is plain about it.
 */
#include "http/transport.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "http/transport_private.h"
#include "loop/loop.h"

struct transport *transport_new(int fd)
{
	struct transport *t = xcalloc(1, sizeof(*t));

	t->fd = fd;
	t->read_events = LOOP_READ;
	t->write_events = LOOP_WRITE;
	return t;
}

/* Its calls never wait whatever the descriptor's flags say (MSG_DONTWAIT). */
struct transport *transport_plain(int fd)
{
	return transport_new(fd);
}

int transport_fd(const struct transport *t)
{
	return t->fd;
}

bool transport_is_tls(const struct transport *t)
{
	return t->tls != NULL;
}

int transport_read_events(const struct transport *t)
{
	return t->read_events;
}

int transport_write_events(const struct transport *t)
{
	return t->write_events;
}

/* -- failures ---------------------------------------------------------------------------------------- */

const struct err *transport_error(const struct transport *t)
{
	static const struct err none;

	return t->err ? t->err : &none;
}

struct err *transport_fail(struct transport *t)
{
	if (!t->err)
		t->err = xcalloc(1, sizeof(*t->err));
	return t->err;
}

ssize_t transport_fail_errno(struct transport *t, int errnum)
{
	struct err *e = transport_fail(t);

	if (errnum == ECONNRESET) {
		err_set(e, ERR_UNAVAILABLE, "connection reset by peer");
		err_code(e, "connection_reset");
	} else if (errnum == EPIPE) {
		err_set(e, ERR_UNAVAILABLE, "broken pipe");
		err_code(e, "connection_reset");
	} else {
		err_set(e, ERR_UNAVAILABLE, "%s", strerror(errnum));
		err_code(e, "connection_failed");
	}
	return TRANSPORT_FAILED;
}

static ssize_t plain_result(struct transport *t, ssize_t n)
{
	if (n >= 0)
		return n;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		return TRANSPORT_AGAIN;
	return transport_fail_errno(t, errno);
}

/* -- reading and writing ----------------------------------------------------------------------------- */

ssize_t transport_read(struct transport *t, void *into, size_t n)
{
	assert(n > 0);
	if (t->err)
		return TRANSPORT_FAILED;
	if (t->tls)
		return transport_tls_read(t, into, n);
	return plain_result(t, recv(t->fd, into, n, MSG_DONTWAIT));
}

ssize_t transport_write(struct transport *t, const void *data, size_t n)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = n};

	return transport_writev(t, &iov, 1);
}

static ssize_t write_with(struct transport *t, const struct iovec *iov, int niov, int flags)
{
	struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)niov};

	if (t->err)
		return TRANSPORT_FAILED;
	if (t->tls)
		return transport_tls_writev(t, iov, niov);
	flags |= MSG_DONTWAIT | MSG_NOSIGNAL;
	if (niov == 1)
		return plain_result(t, send(t->fd, iov->iov_base, iov->iov_len, flags));
	return plain_result(t, sendmsg(t->fd, &m, flags));
}

ssize_t transport_writev(struct transport *t, const struct iovec *iov, int niov)
{
	return write_with(t, iov, niov, 0);
}

ssize_t transport_writev_more(struct transport *t, const struct iovec *iov, int niov)
{
	return write_with(t, iov, niov, MSG_MORE);
}

/* -- the end ----------------------------------------------------------------------------------------- */

void transport_shutdown(struct transport *t)
{
	if (t->tls)
		transport_tls_shutdown(t);
	shutdown(t->fd, SHUT_WR);
}

void transport_close(struct transport *t)
{
	if (!t)
		return;
	if (t->tls)
		transport_tls_free(t);
	close(t->fd);
	free(t->err);
	free(t);
}
