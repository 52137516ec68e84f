/*
 * connect.c - see connect.h
 *
 * One net_connect makes an attempt per address, staggered by a timer (RFC 8305, section 5); an attempt that fails
 * starts the next one at once. Whatever ends it stops everything first, then reports.
 */
#include "net/connect.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/resolve.h"

enum { ATTEMPT_DELAY_MS = 250, UNIX_DELAY_MS = 20, REASON_MAX = 128 };

struct attempt {
	struct net_connect *owner;
	struct addr addr;
	struct loop_poll *poll; /* NULL: not begun, or over */
	int fd;
};

struct net_connect {
	struct loop *loop;
	char *target; /* host:port, for errors; the path of a Unix socket */
	bool is_unix;
	int (*judge)(void *arg, const struct addr *a, struct err *e);
	void *judge_arg;
	net_connect_fn *done;
	void *arg;
	struct resolve *resolve; /* NULL: none running */
	struct loop_timer deadline;
	struct loop_timer delay;  /* until the next attempt */
	struct loop_timer report; /* for what is known before net_connect_start() returns */
	struct attempt *attempts;
	size_t nattempts;
	size_t next;     /* the first attempt not begun */
	size_t nrunning; /* attempts with a descriptor */
	int fd;          /* the result, and its address */
	struct addr peer;
	struct err err;    /* why not */
	bool err_is_local; /* err says that this machine has no way there */
};

/* -- reporting ------------------------------------------------------------------------------------- */

static void attempt_close(struct attempt *a)
{
	if (!a->poll)
		return;
	loop_poll_free(a->poll);
	a->poll = NULL;
	close(a->fd);
	a->owner->nrunning--;
}

static void stop_all(struct net_connect *c)
{
	resolve_cancel(c->resolve);
	c->resolve = NULL;
	loop_timer_stop(&c->deadline);
	loop_timer_stop(&c->delay);
	loop_timer_stop(&c->report);
	for (size_t i = 0; i < c->next; i++)
		attempt_close(&c->attempts[i]);
}

static void connect_free(struct net_connect *c)
{
	free(c->attempts);
	free(c->target);
	free(c);
}

static void report(struct net_connect *c)
{
	c->done(c->arg, c->fd, c->fd < 0 ? NULL : &c->peer, c->fd < 0 ? &c->err : NULL);
	connect_free(c);
}

/* c->fd or c->err says how it went; c is gone afterwards. */
static void finish(struct net_connect *c)
{
	stop_all(c);
	report(c);
}

static void on_report(struct loop_timer *t)
{
	report(container_of(t, struct net_connect, report));
}

/* -- errors ---------------------------------------------------------------------------------------- */

/* `a` NULL: a Unix socket. */
static void note_failure(struct net_connect *c, const struct addr *a, const char *call, int errnum)
{
	bool is_local = errnum == ENETUNREACH || errnum == EADDRNOTAVAIL || errnum == EAFNOSUPPORT;
	char where[ADDR_TEXT_MAX], buf[REASON_MAX], reason[REASON_MAX];
	enum err_kind kind = ERR_UNAVAILABLE;
	const char *code = "connect_failed";

	/* The first error counts, but "network is unreachable" for the family that this machine lacks says nothing when
	 * the other family got further. */
	if (c->err.code && (!c->err_is_local || is_local))
		return;
	switch (errnum) {
	case ENOENT: /* only of Unix sockets: as good as nobody there */
	case ECONNREFUSED:
		code = "connect_refused";
		break;
	case ETIMEDOUT:
		kind = ERR_TIMEOUT;
		code = "connect_timeout";
		break;
	case ENETUNREACH:
	case EHOSTUNREACH:
		code = "connect_unreachable";
		break;
	}
	strncpy(reason, strerror_r(errnum, buf, sizeof(buf)), sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	reason[0] = (char)tolower((unsigned char)reason[0]);
	err_set(&c->err, kind, "dial %s %s: %s: %s", c->is_unix ? "unix" : "tcp", a ? addr_format(a, where) : c->target,
		call, reason);
	err_code(&c->err, code);
	err_retryable(&c->err);
	c->err_is_local = is_local;
}

static void on_deadline(struct loop_timer *t)
{
	struct net_connect *c = container_of(t, struct net_connect, deadline);

	if (c->resolve)
		err_set(&c->err, ERR_TIMEOUT, "dial tcp: lookup %.*s: i/o timeout",
			(int)(strrchr(c->target, ':') - c->target), c->target);
	else
		err_set(&c->err, ERR_TIMEOUT, "dial %s %s: i/o timeout", c->is_unix ? "unix" : "tcp", c->target);
	err_code(&c->err, "connect_timeout");
	err_retryable(&c->err);
	finish(c);
}

/* -- attempts -------------------------------------------------------------------------------------- */

static int begin_next(struct net_connect *c);

/* Linux lets a socket connect to itself when the kernel happens to pick the wanted loopback port as the local one.
 * Nobody listens there. */
static bool is_self_connected(int fd, const struct addr *peer)
{
	struct addr local = {0};
	socklen_t len = sizeof(local);

	return getsockname(fd, &local.sa, &len) == 0 && addr_is_same_ip(&local, peer) &&
	       addr_port(&local) == addr_port(peer);
}

static void on_writable(void *arg, int events)
{
	struct attempt *a = arg;
	struct net_connect *c = a->owner;
	int errnum = 0;
	socklen_t len = sizeof(errnum);

	(void)events;
	/* SO_ERROR, and not a second connect(), which would spoil the descriptor for libcurl. */
	if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &errnum, &len) < 0)
		errnum = errno;
	if (errnum == 0 && is_self_connected(a->fd, &a->addr))
		errnum = ECONNREFUSED;
	if (errnum == 0) {
		c->fd = a->fd;
		c->peer = a->addr;
		loop_poll_free(a->poll); /* before the descriptor changes hands */
		a->poll = NULL;
		c->nrunning--;
		finish(c);
		return;
	}
	note_failure(c, &a->addr, "connect", errnum);
	attempt_close(a);
	if (begin_next(c) < 0)
		finish(c);
}

/* -1 when it failed at once (noted). */
static int attempt_begin(struct net_connect *c, struct attempt *a)
{
	const int on = 1;
	int fd = socket(a->addr.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

	if (fd < 0) {
		note_failure(c, &a->addr, "socket", errno);
		return -1;
	}
	/* Fails on no TCP socket; if it did, the connection would only be slower. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/* Should connect() succeed at once, the poll says "writable" at once. */
	if (connect(fd, &a->addr.sa, addr_len(&a->addr)) < 0 && errno != EINPROGRESS && errno != EINTR) {
		note_failure(c, &a->addr, "connect", errno);
		close(fd);
		return -1;
	}
	a->fd = fd;
	a->poll = loop_poll_new(c->loop, fd, LOOP_WRITE, on_writable, a);
	c->nrunning++;
	return 0;
}

/* Begin attempts until one is under way; -1 when none is left or running. */
static int begin_next(struct net_connect *c)
{
	loop_timer_stop(&c->delay);
	while (c->next < c->nattempts) {
		if (attempt_begin(c, &c->attempts[c->next++]) < 0)
			continue;
		if (c->next < c->nattempts)
			loop_timer_start_ms(&c->delay, ATTEMPT_DELAY_MS);
		return 0;
	}
	return c->nrunning ? 0 : -1;
}

/* Connects at once, or fails, or the listener has no room for it now. */
static void connect_unix(struct net_connect *c)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	size_t len = strlen(c->target);
	int fd = -1, errnum = ENAMETOOLONG;

	if (len < sizeof(un.sun_path)) {
		memcpy(un.sun_path, c->target, len);
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		errnum = fd >= 0 && connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0 ? 0 : errno;
	}
	if (errnum && fd >= 0)
		close(fd);
	if (errnum == EAGAIN) {
		loop_timer_start_ms(&c->delay, UNIX_DELAY_MS);
		return;
	}
	if (errnum)
		note_failure(c, NULL, "connect", errnum);
	else
		c->fd = fd;
	/* Never inside net_connect_start(). */
	stop_all(c);
	loop_timer_start_ns(&c->report, 0);
}

static void on_delay(struct loop_timer *t)
{
	struct net_connect *c = container_of(t, struct net_connect, delay);

	if (c->is_unix)
		connect_unix(c);
	else if (begin_next(c) < 0)
		finish(c);
}

/* The next address of a family, or of any other than it. */
static const struct addr *take_family(const struct addr *addrs, size_t naddrs, size_t *pos, bool want_ipv6)
{
	while (*pos < naddrs) {
		const struct addr *a = &addrs[(*pos)++];

		if ((a->sa.sa_family == AF_INET6) == want_ipv6)
			return a;
	}
	return NULL;
}

/* Judge all, put them in the order of RFC 8305, section 4 (the families take turns, IPv6 first), begin; -1 with c->err
 * set. */
static int race(struct net_connect *c, const struct addr *addrs, size_t naddrs)
{
	size_t pos[2] = {0};
	bool want_ipv6 = true;

	for (size_t i = 0; c->judge && i < naddrs; i++) {
		if (c->judge(c->judge_arg, &addrs[i], &c->err) < 0)
			return -1;
	}
	c->attempts = xcalloc(naddrs, sizeof(c->attempts[0]));
	while (c->nattempts < naddrs) {
		const struct addr *a = take_family(addrs, naddrs, &pos[want_ipv6], want_ipv6);

		if (a)
			c->attempts[c->nattempts++] = (struct attempt){.owner = c, .addr = *a, .fd = -1};
		want_ipv6 = !want_ipv6;
	}
	return begin_next(c);
}

static void on_resolved(void *arg, const struct addr *addrs, size_t naddrs, const struct err *e)
{
	struct net_connect *c = arg;

	c->resolve = NULL;
	if (naddrs == 0) {
		c->err = *e;
		err_prefix(&c->err, "dial tcp");
	}
	if (naddrs == 0 || race(c, addrs, naddrs) < 0)
		finish(c);
}

/* -- life ------------------------------------------------------------------------------------------ */

static int begin_tcp(struct net_connect *c, const char *host, uint16_t port)
{
	char text[ADDR_TEXT_MAX];
	struct addr literal;

	if (addr_from_literal(host, port, &literal)) {
		c->target = xstrdup(addr_format(&literal, text));
		return race(c, &literal, 1);
	}
	c->target = xasprintf("%.*s:%u", (int)HOST_TEXT_MAX, host, (unsigned)port);
	return resolve_start(c->loop, host, port, on_resolved, c, &c->resolve, &c->err);
}

struct net_connect *net_connect_start(
	struct loop *l, const struct net_connect_options *opt, net_connect_fn *done, void *arg)
{
	struct net_connect *c = xcalloc(1, sizeof(*c));

	c->loop = l;
	c->is_unix = opt->unix_path != NULL;
	c->judge = opt->judge;
	c->judge_arg = opt->judge_arg;
	c->done = done;
	c->arg = arg;
	c->fd = -1;
	loop_timer_init(&c->deadline, l, on_deadline);
	loop_timer_init(&c->delay, l, on_delay);
	loop_timer_init(&c->report, l, on_report);
	if (opt->deadline_ns)
		loop_timer_start_at(&c->deadline, opt->deadline_ns);
	if (c->is_unix) {
		c->target = xstrdup(opt->unix_path);
		connect_unix(c);
	} else if (begin_tcp(c, opt->host, opt->port) < 0) {
		stop_all(c);
		loop_timer_start_ns(&c->report, 0);
	}
	return c;
}

void net_connect_cancel(struct net_connect *c)
{
	if (!c)
		return;
	stop_all(c);
	if (c->fd >= 0)
		close(c->fd);
	connect_free(c);
}
