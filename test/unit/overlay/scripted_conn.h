/*
 * scripted_conn.h - one connection of a scripted peer (scripted_peer.h): what is said on it comes from a script, what goes wrong meanwhile from chance.
 *
 * Each connection draws at most one fault when it comes, and the number of the answer at which it strikes: before it, inside of it, or in place of it. One thread: the loop's.
 */
#ifndef SCRIPTED_CONN_H
#define SCRIPTED_CONN_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/list.h"
#include "loop/loop.h"

/* -- chance ------------------------------------------------------------------------------------------ */

struct chance {
	uint64_t state;
};

static uint64_t chance_next(struct chance *c)
{
	/* splitmix64 */
	uint64_t z = (c->state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static unsigned below(struct chance *c, unsigned n)
{
	return (unsigned)(chance_next(c) % n);
}

/* Mostly soon, sometimes late: up to `max_ms`. */
static uint64_t some_ms(struct chance *c, unsigned max_ms)
{
	static const unsigned shares[] = {1000, 1000, 100, 100, 10, 1};
	unsigned most = max_ms / shares[below(c, ARRAY_LEN(shares))];

	return most ? below(c, most + 1) : 0;
}

/* -- faults ------------------------------------------------------------------------------------------ */

enum fault {
	FAULT_NONE,
	FAULT_DRIP,    /* all answers, byte by byte */
	FAULT_LATE,    /* right, but after a while */
	FAULT_STALL,   /* not a word more */
	FAULT_CUT,     /* part of the answer, then the end */
	FAULT_RESET,   /* the same with a reset */
	FAULT_GARBAGE, /* bytes of chance, then silence */
	FAULT_ENDLESS, /* a line that does not end */
	FAULT_REFUSE,  /* a refusal in the protocol's words */
	FAULT_ECHO,    /* a refusal that repeats what it was told, secrets too */
	FAULT_DIE,     /* the whole peer dies, here or in the middle of the answer */
	FAULTS
};

enum { PEER_PORTS_MAX = 2, DRIPS_MAX = 400, ENDLESS_BYTES = 150000, CONN_IN_MAX = 1 << 20 };

struct conn;
struct peer;
struct world;

/* Of the connections of one port. */
struct script {
	void (*begin)(struct conn *c); /* says nothing, ends nothing. May be NULL */
	void (*hear)(struct conn *c);  /* something has been added to c->in */
	void (*over)(struct conn *c);  /* it has ended. May be NULL */
	/* The words of a refusal of what was heard last. */
	void (*refuse)(struct conn *c, bool echo, struct buf *out);
};

struct port {
	struct peer *peer;
	const struct script *script;
	uint16_t number;
	int holder; /* bound, never listening: so that nobody else gets the number meanwhile */
	int fd;     /* -1: dead */
	struct loop_poll *poll;
};

struct peer {
	struct world *world;
	struct chance *chance;
	struct loop *loop;
	unsigned index;
	bool well; /* no faults any more */
	bool alive;
	unsigned trouble; /* of a hundred connections so many have a fault ... */
	enum fault fault; /* this one ... */
	unsigned at;      /* at this answer; FAULT_NONE: of chance, both */
	struct port ports[PEER_PORTS_MAX];
	unsigned nports;
	struct list conns;
	struct loop_timer revive;
	unsigned deaths, faults[FAULTS];
};

struct conn {
	struct list link;
	struct peer *peer;
	const struct script *script;
	int in_fd, out_fd; /* the same for a socket; -1: over */
	struct loop_poll *in_poll, *out_poll;
	struct loop_timer timer;
	struct buf in, out, last; /* `last`: what was heard last, for echoes */
	enum fault fault;
	unsigned at;     /* the answer at which it strikes */
	unsigned within; /* and after how many bytes of it */
	unsigned said, dripped;
	bool stalled, held;
	bool is_stream; /* what follows is the target's: it may end or come late, but is not changed */
	unsigned busy;  /* callbacks that run now: it is freed when they have ended */
	void *state;    /* of its script; malloc'd or NULL, freed with it */
};

static void peer_die(struct peer *p);

/* -- connections ------------------------------------------------------------------------------------- */

static void conn_free(struct conn *c)
{
	buf_done(&c->in);
	buf_done(&c->out);
	buf_done(&c->last);
	free(c->state);
	free(c);
}

static bool conn_is_over(const struct conn *c)
{
	return c->in_fd < 0;
}

/* c may be gone afterwards, unless it is busy. */
static void conn_end(struct conn *c, bool reset)
{
	struct linger linger = {.l_onoff = 1};

	if (conn_is_over(c))
		return;
	if (reset)
		setsockopt(c->in_fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	loop_poll_free(c->in_poll);
	if (c->out_poll != c->in_poll)
		loop_poll_free(c->out_poll);
	c->in_poll = c->out_poll = NULL;
	if (c->out_fd != c->in_fd)
		close(c->out_fd);
	close(c->in_fd);
	c->in_fd = c->out_fd = -1;
	loop_timer_stop(&c->timer);
	list_remove(&c->link);
	c->busy++;
	if (c->script->over)
		c->script->over(c);
	if (--c->busy == 0)
		conn_free(c);
}

static void conn_enter(struct conn *c)
{
	c->busy++;
}

static void conn_leave(struct conn *c)
{
	if (--c->busy == 0 && conn_is_over(c))
		conn_free(c);
}

static void conn_flush(struct conn *c)
{
	size_t len = buf_len(&c->out);

	if (conn_is_over(c) || c->held || loop_timer_is_armed(&c->timer))
		return;
	if (c->fault == FAULT_DRIP && c->dripped < DRIPS_MAX && len > 1)
		len = 1;
	while (len > 0) {
		ssize_t n = write(c->out_fd, buf_data(&c->out), len);

		if (n < 0) {
			/* Gone, or full: then it is told when it goes on. */
			if (errno == EAGAIN)
				loop_poll_set(c->out_poll, c->in_fd == c->out_fd ? LOOP_READ | LOOP_WRITE : LOOP_WRITE);
			return;
		}
		buf_consume(&c->out, (size_t)n);
		len -= (size_t)n;
		if (c->fault == FAULT_DRIP && c->dripped < DRIPS_MAX) {
			c->dripped++;
			if (buf_len(&c->out) > 0)
				loop_timer_start_ms(&c->timer, below(c->peer->chance, 3));
			return;
		}
	}
	if (buf_len(&c->out) == 0)
		loop_poll_set(c->out_poll, c->in_fd == c->out_fd ? LOOP_READ : 0);
}

static void conn_on_timer(struct loop_timer *t)
{
	struct conn *c = container_of(t, struct conn, timer);

	c->held = false;
	conn_flush(c);
}

/* In place of `bytes`. */
static void conn_misbehave(struct conn *c, const void *bytes, size_t len)
{
	struct chance *chance = c->peer->chance;
	size_t part = c->within < len ? c->within : len;

	if (c->is_stream && c->fault >= FAULT_GARBAGE && c->fault != FAULT_DIE)
		c->fault = FAULT_CUT;
	c->peer->faults[c->fault]++;
	switch (c->fault) {
	case FAULT_LATE:
		c->held = true;
		loop_timer_start_ms(&c->timer, some_ms(chance, 40000));
		buf_add(&c->out, bytes, len);
		return;
	case FAULT_CUT:
	case FAULT_RESET:
		buf_add(&c->out, bytes, part);
		conn_flush(c);
		conn_end(c, c->fault == FAULT_RESET);
		return;
	case FAULT_DIE:
		buf_add(&c->out, bytes, part);
		conn_flush(c);
		peer_die(c->peer);
		return;
	case FAULT_GARBAGE:
		for (unsigned n = 1 + below(chance, 600); n > 0; n--)
			buf_addc(&c->out, (char)(below(chance, 8) ? 32 + below(chance, 95) : below(chance, 256)));
		if (below(chance, 2))
			buf_adds(&c->out, "\r\n");
		break;
	case FAULT_ENDLESS:
		memset(buf_reserve(&c->out, ENDLESS_BYTES), 'x', ENDLESS_BYTES);
		buf_commit(&c->out, ENDLESS_BYTES);
		break;
	case FAULT_REFUSE:
	case FAULT_ECHO:
		c->script->refuse(c, c->fault == FAULT_ECHO, &c->out);
		conn_flush(c);
		return;
	case FAULT_NONE:
	case FAULT_DRIP:
	case FAULT_STALL:
	case FAULTS:
		break;
	}
	conn_flush(c);
	c->stalled = true;
}

/* Will the next answer be a refusal in place of what is said? */
static bool __attribute__((unused)) conn_will_refuse(const struct conn *c)
{
	return (c->fault == FAULT_REFUSE || c->fault == FAULT_ECHO) && c->said == c->at && !c->stalled;
}

/* c stays until conn_leave(), but may be over afterwards. */
static void conn_say(struct conn *c, const void *bytes, size_t len)
{
	bool now = c->fault != FAULT_NONE && c->fault != FAULT_DRIP && c->said == c->at;

	if (conn_is_over(c) || c->stalled)
		return;
	c->said++;
	if (now) {
		conn_misbehave(c, bytes, len);
		return;
	}
	buf_add(&c->out, bytes, len);
	conn_flush(c);
}

static void __attribute__((unused, format(printf, 2, 3))) conn_sayf(struct conn *c, const char *fmt, ...)
{
	struct buf b = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&b, fmt, ap);
	va_end(ap);
	conn_say(c, buf_data(&b), buf_len(&b));
	buf_done(&b);
}

static void conn_on_readable(void *arg, int events)
{
	struct conn *c = arg;
	char bytes[4096];
	ssize_t n;

	conn_enter(c);
	if (events & LOOP_WRITE && c->in_fd == c->out_fd)
		conn_flush(c);
	if (!conn_is_over(c)) {
		n = read(c->in_fd, bytes, sizeof(bytes));
		if (n > 0 && buf_len(&c->in) < CONN_IN_MAX) {
			buf_clear(&c->last);
			buf_add(&c->last, bytes, (size_t)n);
			buf_add(&c->in, bytes, (size_t)n);
			c->script->hear(c);
		} else if (n == 0 || (n < 0 && errno != EAGAIN)) {
			conn_end(c, false);
		}
	}
	conn_leave(c);
}

static void conn_on_writable(void *arg, int events)
{
	(void)events;
	conn_flush(arg);
}

/* Takes the descriptors. */
static struct conn *conn_new(struct peer *p, const struct script *script, int in_fd, int out_fd)
{
	struct conn *c = xcalloc(1, sizeof(*c));

	c->peer = p;
	c->script = script;
	c->in_fd = in_fd;
	c->out_fd = out_fd;
	list_push_back(&p->conns, &c->link);
	loop_timer_init(&c->timer, p->loop, conn_on_timer);
	c->in_poll = loop_poll_new(p->loop, in_fd, LOOP_READ, conn_on_readable, c);
	c->out_poll = in_fd == out_fd ? c->in_poll : loop_poll_new(p->loop, out_fd, 0, conn_on_writable, c);
	if (!p->well && below(p->chance, 100) < p->trouble) {
		c->fault = p->fault ? p->fault : (enum fault)(1 + below(p->chance, FAULTS - 1));
		c->at = p->fault ? p->at : below(p->chance, 6);
		c->within = below(p->chance, 2) ? below(p->chance, 12) : below(p->chance, 700);
	}
	if (script->begin)
		script->begin(c);
	return c;
}

/* The next line of c->in without its end, or NULL; valid until the next call. */
static const char *conn_line(struct conn *c, struct buf *line)
{
	const char *end = memchr(buf_data(&c->in), '\n', buf_len(&c->in));
	size_t len;

	if (!end || conn_is_over(c))
		return NULL;
	len = (size_t)(end - buf_data(&c->in));
	buf_clear(line);
	buf_add(line, buf_data(&c->in), len > 0 && end[-1] == '\r' ? len - 1 : len);
	buf_consume(&c->in, len + 1);
	return buf_str(line);
}

#endif
