/*
 * client.c - the SAM machine on a socket.
 *
 * What follows the machine's last line belongs to whoever gets the descriptor. Where that line ends is only known once it
 * was seen: so bytes are looked at first (MSG_PEEK), and exactly those that the machine took are then read.
 */
#include "overlay/i2p/client.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/connect.h"
#include "net/socket.h"

enum { PEEK_BYTES = 2048, KEEPALIVE_IDLE_S = 60, KEEPALIVE_INTERVAL_S = 20, KEEPALIVE_COUNT = 3 };

struct sam_client {
	struct loop *loop;
	const struct sam_client_events *events;
	void *arg;
	uint64_t deadline_ns;
	uint64_t connected_ns;
	struct net_connect *connect; /* while the bridge is being reached */
	int fd;                      /* from then on; else -1 */
	struct loop_poll *poll;
	struct loop_timer timer;
	enum sam_state seen; /* the state for which the timer was set */
	struct sam machine;
};

static void client_free(struct sam_client *c)
{
	net_connect_cancel(c->connect);
	loop_poll_free(c->poll);
	loop_timer_stop(&c->timer);
	if (c->fd >= 0)
		close(c->fd);
	sam_done(&c->machine);
	free(c);
}

/* The poll ends before the descriptor changes hands: the callee may watch or close it at once. */
static void stop_watching(struct sam_client *c)
{
	loop_poll_free(c->poll);
	c->poll = NULL;
	loop_timer_stop(&c->timer);
}

static void succeed(struct sam_client *c)
{
	int fd = c->fd;

	stop_watching(c);
	c->fd = -1;
	c->events->done(c->arg, fd, c->connected_ns, &c->machine, NULL);
	client_free(c);
}

static void fail(struct sam_client *c, const struct err *why)
{
	struct err e = *why;

	/* Close first: a session whose connection is closed is over for the bridge, too, before we ask for the next. */
	stop_watching(c);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	err_prefix(&e, "i2p");
	c->events->done(c->arg, -1, c->connected_ns, &c->machine, &e);
	client_free(c);
}

static void fail_io(struct sam_client *c, int errnum, bool is_reply)
{
	struct err e;

	err_set_errno(&e, ERR_UNAVAILABLE, errnum, "%s failed", sam_phase(&c->machine, is_reply));
	err_retryable(&e);
	err_code(&e, "i2p_closed");
	fail(c, &e);
}

static void on_deadline(struct loop_timer *t)
{
	struct sam_client *c = container_of(t, struct sam_client, timer);
	struct err e;

	err_set(&e, ERR_TIMEOUT, "%s failed: i/o timeout", sam_phase(&c->machine, true));
	err_retryable(&e);
	err_code(&e, "i2p_timeout");
	fail(c, &e);
}

static bool is_standing(const struct sam_client *c)
{
	return c->machine.state == SAM_STANDING || c->machine.state == SAM_PEER;
}

/* What a change of state means for the clock and the owner. */
static void after_step(struct sam_client *c)
{
	enum sam_state now = c->machine.state;

	if (now == c->seen)
		return;
	c->seen = now;
	if (c->deadline_ns == 0) {
		loop_timer_stop(&c->timer);
		if (!is_standing(c))
			loop_timer_start_ms(
				&c->timer, now == SAM_CREATE ? SAM_CREATE_TIMEOUT_MS : SAM_REPLY_TIMEOUT_MS);
	}
	if (!is_standing(c))
		return;
	/* A bridge that is gone without a word (its machine died) is noticed in two minutes. */
	socket_keep_alive(c->fd, KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT);
	if (c->events->standing)
		c->events->standing(c->arg, &c->machine);
}

enum io { IO_OK, IO_LATER, IO_OVER /* reported, `c` is gone */ };

static enum io flush(struct sam_client *c)
{
	int errnum = socket_send(c->fd, &c->machine.out);

	if (errnum == 0)
		return IO_OK;
	if (errnum == EAGAIN) {
		loop_poll_set(c->poll, LOOP_WRITE);
		return IO_LATER;
	}
	fail_io(c, errnum, false);
	return IO_OVER;
}

/* Take off the socket what the machine took. It is there: it was just seen. */
static bool drop(int fd, char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = recv(fd, bytes, len, 0);

		if (n > 0)
			len -= (size_t)n;
		else if (n == 0 || errno != EINTR)
			return false;
	}
	return true;
}

static enum io fill(struct sam_client *c)
{
	char bytes[PEEK_BYTES];
	size_t taken;
	ssize_t n;

	do
		n = recv(c->fd, bytes, sizeof(bytes), MSG_PEEK);
	while (n < 0 && errno == EINTR);
	if (n == 0) {
		sam_eof(&c->machine);
		return IO_OK;
	}
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		loop_poll_set(c->poll, LOOP_READ);
		return IO_LATER;
	}
	if (n < 0) {
		fail_io(c, errno, true);
		return IO_OVER;
	}
	taken = sam_feed(&c->machine, bytes, (size_t)n);
	if (taken > 0 && !drop(c->fd, bytes, taken)) {
		fail_io(c, errno, true);
		return IO_OVER;
	}
	/* Keys come this way. */
	explicit_bzero(bytes, sizeof(bytes));
	return IO_OK;
}

/* Move bytes until the machine ends or the socket has to be waited for. A bridge that never stops talking to a standing
 * session gets one turn of this after the other, not the loop for itself. */
static void pump(struct sam_client *c)
{
	for (unsigned turns = 0; turns < 64; turns++) {
		enum sam_step step = sam_step(&c->machine);

		if (step == SAM_STEP_FAILED) {
			fail(c, &c->machine.err);
			return;
		}
		if (step == SAM_STEP_DONE) {
			succeed(c);
			return;
		}
		after_step(c);
		/* Nothing is read before all is sent, so a bridge that answers too early gains nothing. */
		if (flush(c) != IO_OK || fill(c) != IO_OK)
			return;
	}
	loop_poll_set(c->poll, LOOP_READ);
}

static void on_ready(void *arg, int events)
{
	(void)events; /* an error shows in the next send() or recv() */
	pump(arg);
}

static void on_connected(void *arg, int fd, const struct addr *peer, const struct err *e)
{
	struct sam_client *c = arg;
	struct err why;

	(void)peer;
	c->connect = NULL;
	if (fd < 0) {
		why = *e;
		err_prefix(&why, "%s failed", sam_phase(&c->machine, false));
		fail(c, &why);
		return;
	}
	c->fd = fd;
	c->connected_ns = loop_clock_ns();
	c->poll = loop_poll_new(c->loop, fd, 0, on_ready, c);
	if (c->deadline_ns)
		loop_timer_start_at(&c->timer, c->deadline_ns);
	pump(c);
}

struct sam_client *sam_client_start(
	const struct sam_client_options *opt, const struct sam_client_events *events, void *arg)
{
	struct net_connect_options how = {
		.host = opt->host,
		.port = opt->port,
		.deadline_ns = opt->deadline_ns,
	};
	struct sam_client *c = xcalloc(1, sizeof(*c));

	if (how.deadline_ns == 0)
		how.deadline_ns = loop_clock_ns() + SAM_REPLY_TIMEOUT_MS * UINT64_C(1000000);
	c->loop = opt->loop;
	c->events = events;
	c->arg = arg;
	c->deadline_ns = opt->deadline_ns;
	c->fd = -1;
	c->seen = SAM_START;
	loop_timer_init(&c->timer, opt->loop, on_deadline);
	sam_init(&c->machine, &opt->request);
	c->connect = net_connect_start(opt->loop, &how, on_connected, c);
	return c;
}

void sam_client_cancel(struct sam_client *c)
{
	if (c)
		client_free(c);
}
