/*
 * client.c - the step machine on a socket, under one deadline.
 */
#include "overlay/socks5/client.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/connect.h"
#include "net/socket.h"
#include "overlay/driver.h"

struct socks5_client {
	struct loop *loop;
	socks5_client_fn *done;
	void *arg;
	uint64_t deadline_ns;
	uint64_t connected_ns;

	struct net_connect *connect; /* while the proxy is being reached */
	int fd;                      /* from then on; else -1 */
	struct loop_poll *poll;
	struct loop_timer timer;
	struct socks5_machine machine;

	bool is_unix;
	char proxy[ENDPOINT_TEXT_MAX]; /* or its path */
	char target[ENDPOINT_TEXT_MAX];
};

static void client_free(struct socks5_client *c)
{
	net_connect_cancel(c->connect);
	loop_poll_free(c->poll);
	loop_timer_stop(&c->timer);
	if (c->fd >= 0)
		close(c->fd);
	socks5_machine_done(&c->machine);
	free(c);
}

static void succeed(struct socks5_client *c)
{
	bool is_probe = c->machine.is_probe;
	struct socks5_client_result result = {
		.fd = is_probe ? -1 : c->fd,
		.connected_ns = c->connected_ns,
		.authenticated = c->machine.authenticated,
		.phase = SOCKS5_READY,
	};

	/* The poll ends before the descriptor changes hands: the callee may watch or close it at once. */
	loop_poll_free(c->poll);
	c->poll = NULL;
	loop_timer_stop(&c->timer);
	if (!is_probe)
		c->fd = -1;
	c->done(c->arg, &result, NULL);
	client_free(c);
}

static void fail(struct socks5_client *c, const struct err *why)
{
	struct socks5_client_result result = {
		.fd = -1,
		.connected_ns = c->connected_ns,
		.phase = c->machine.state == SOCKS5_FAILED ? c->machine.failed_in : c->machine.state,
		.reply = c->machine.reply,
		.authenticated = c->machine.authenticated,
		.why = why->text,
	};
	struct err e = *why;

	/* Close first: the callee may dial again at once, and must find the descriptor free. */
	loop_poll_free(c->poll);
	c->poll = NULL;
	loop_timer_stop(&c->timer);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	if (c->machine.is_probe)
		err_prefix(&e, "socks probe %s %s", c->is_unix ? "unix" : "tcp", c->proxy);
	else
		err_prefix(&e, "socks connect %s %s->%s", c->is_unix ? "unix" : "tcp", c->proxy, c->target);
	c->done(c->arg, &result, &e);
	client_free(c);
}

static void fail_io(struct socks5_client *c, int errnum, const char *what)
{
	struct err e;

	err_set_errno(&e, ERR_UNAVAILABLE, errnum, "handshake: %s", what);
	err_retryable(&e);
	err_code(&e, "socks_closed");
	fail(c, &e);
}

static void on_deadline(struct loop_timer *t)
{
	struct socks5_client *c = container_of(t, struct socks5_client, timer);
	struct err e;

	err_set(&e, ERR_TIMEOUT, "handshake: i/o timeout while waiting for %s", socks5_machine_waits_for(&c->machine));
	err_retryable(&e);
	err_code(&e, "socks_handshake_timeout");
	fail(c, &e);
}

enum io { IO_OK, IO_LATER, IO_OVER /* reported, `c` is gone */ };

static enum io flush(struct socks5_client *c)
{
	int errnum = socket_send(c->fd, &c->machine.out);

	if (errnum == 0)
		return IO_OK;
	if (errnum == EAGAIN) {
		loop_poll_set(c->poll, LOOP_WRITE);
		return IO_LATER;
	}
	fail_io(c, errnum, "write");
	return IO_OVER;
}

/* At most what the machine wants: what follows belongs to whoever gets the descriptor. */
static enum io fill(struct socks5_client *c)
{
	struct buf *in = &c->machine.in;
	size_t want = socks5_machine_wants(&c->machine);

	assert(want > 0);
	for (;;) {
		ssize_t n = recv(c->fd, buf_reserve(in, want), want, 0);

		if (n > 0) {
			buf_commit(in, (size_t)n);
			return IO_OK;
		}
		if (n == 0) {
			socks5_machine_eof(&c->machine);
			return IO_OK;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK) {
			loop_poll_set(c->poll, LOOP_READ);
			return IO_LATER;
		}
		if (errno != EINTR) {
			fail_io(c, errno, "read");
			return IO_OVER;
		}
	}
}

/* Move bytes until the machine ends or the socket has to be waited for. Ends for certain: a proxy can make it read no
 * more than SOCKS5_IN_MAX bytes. */
static void pump(struct socks5_client *c)
{
	for (;;) {
		switch (socks5_machine_step(&c->machine)) {
		case SOCKS5_STEP_DONE:
			/* The proxy speaks last, and only after it has read all we sent. */
			assert(buf_len(&c->machine.in) == 0 && buf_len(&c->machine.out) == 0);
			succeed(c);
			return;
		case SOCKS5_STEP_FAILED:
			fail(c, &c->machine.err);
			return;
		case SOCKS5_STEP_NEED_INPUT:
			break;
		}
		/* Nothing is read before all is sent, so a proxy that answers too early gains nothing. */
		if (flush(c) != IO_OK || fill(c) != IO_OK)
			return;
	}
}

static void on_ready(void *arg, int events)
{
	(void)events; /* an error shows in the next send() or recv() */
	pump(arg);
}

static void on_connected(void *arg, int fd, const struct addr *peer, const struct err *e)
{
	struct socks5_client *c = arg;

	(void)peer;
	c->connect = NULL;
	if (fd < 0) {
		fail(c, e);
		return;
	}
	c->fd = fd;
	c->connected_ns = loop_clock_ns();
	c->poll = loop_poll_new(c->loop, fd, 0, on_ready, c);
	loop_timer_start_at(&c->timer, c->deadline_ns);
	pump(c);
}

struct socks5_client *socks5_client_start(const struct socks5_client_options *opt, socks5_client_fn *done, void *arg)
{
	struct net_connect_options how = {
		.host = opt->proxy_host,
		.port = opt->proxy_port,
		.unix_path = opt->proxy_path,
		.deadline_ns = opt->deadline_ns,
	};
	struct socks5_client *c = xcalloc(1, sizeof(*c));

	assert(opt->deadline_ns > 0);
	c->loop = opt->loop;
	c->done = done;
	c->arg = arg;
	c->deadline_ns = opt->deadline_ns;
	c->fd = -1;
	loop_timer_init(&c->timer, opt->loop, on_deadline);
	if (opt->host) {
		socks5_machine_init(&c->machine, opt->host, opt->port, opt->username, opt->password);
		endpoint_format(opt->host, opt->port, c->target);
	} else {
		socks5_machine_init_probe(&c->machine, opt->username, opt->password);
	}
	c->is_unix = opt->proxy_path != NULL;
	if (c->is_unix)
		snprintf(c->proxy, sizeof(c->proxy), "%s", opt->proxy_path);
	else
		endpoint_format(opt->proxy_host, opt->proxy_port, c->proxy);
	c->connect = net_connect_start(opt->loop, &how, on_connected, c);
	return c;
}

void socks5_client_cancel(struct socks5_client *c)
{
	if (c)
		client_free(c);
}
