/*
 * scripted_peer.h - the other side of an overlay (a proxy, a bridge, a control port, a sidecar) on the test's own loop.
 *
 * A peer has ports, a port has connections (scripted_conn.h). A peer that died keeps its port numbers and comes back after a while. One thread: the loop's.
 */
#ifndef SCRIPTED_PEER_H
#define SCRIPTED_PEER_H

#include "scripted_conn.h"

/* -- ports ------------------------------------------------------------------------------------------- */

static void port_on_readable(void *arg, int events)
{
	struct port *p = arg;
	int fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), on = 1;

	(void)events;
	if (fd < 0)
		return;
	/* What the kernel holds back comes in real time, which does not pass here. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	conn_new(p->peer, p->script, fd, fd);
}

static int port_bind(uint16_t *number)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_port = htons(*number), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
	socklen_t len = sizeof(in);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0 || getsockname(fd, (struct sockaddr *)&in, &len) < 0) {
		fprintf(stderr, "no port on the loopback: %s\n", strerror(errno));
		abort();
	}
	*number = ntohs(in.sin_port);
	return fd;
}

static void port_close(struct port *p)
{
	loop_poll_free(p->poll);
	p->poll = NULL;
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

static void port_open(struct port *p)
{
	p->fd = port_bind(&p->number);
	if (listen(p->fd, 128) < 0) {
		fprintf(stderr, "cannot listen: %s\n", strerror(errno));
		abort();
	}
	p->poll = loop_poll_new(p->peer->loop, p->fd, LOOP_READ, port_on_readable, p);
}

/* -- peers ------------------------------------------------------------------------------------------- */

static void peer_revive(struct peer *p)
{
	loop_timer_stop(&p->revive);
	if (p->alive)
		return;
	p->alive = true;
	for (unsigned i = 0; i < p->nports; i++)
		port_open(&p->ports[i]);
}

static void peer_on_revive(struct loop_timer *t)
{
	peer_revive(container_of(t, struct peer, revive));
}

/* End every connection of which `is` says so; each end may take others along. */
static void __attribute__((unused))
peer_end_where(struct peer *p, bool (*is)(const struct conn *c, const void *arg), const void *arg)
{
	bool again = true;

	while (again) {
		again = false;
		list_for_each(link, &p->conns) {
			struct conn *c = list_entry(link, struct conn, link);

			if (is(c, arg)) {
				conn_end(c, false);
				again = true;
				break;
			}
		}
	}
}

static void peer_end_all(struct peer *p, bool well)
{
	while (!list_is_empty(&p->conns))
		conn_end(list_entry(p->conns.next, struct conn, link), !well && below(p->chance, 2));
}

static void peer_die(struct peer *p)
{
	if (!p->alive)
		return;
	p->alive = false;
	p->deaths++;
	for (unsigned i = 0; i < p->nports; i++)
		port_close(&p->ports[i]);
	peer_end_all(p, p->well);
	loop_timer_start_ms(&p->revive, some_ms(p->chance, 20000));
}

static void peer_init(struct peer *p, struct loop *loop, struct chance *chance, unsigned index, unsigned trouble)
{
	*p = (struct peer){.loop = loop, .chance = chance, .index = index, .trouble = trouble, .alive = true};
	list_init(&p->conns);
	loop_timer_init(&p->revive, loop, peer_on_revive);
}

static void __attribute__((unused)) peer_add_port(struct peer *p, const struct script *script)
{
	struct port *port = &p->ports[p->nports++];

	*port = (struct port){.peer = p, .script = script};
	port->holder = port_bind(&port->number);
	port_open(port);
}

/* From now on all goes right; what is broken already stays so. */
static void peer_heal(struct peer *p)
{
	p->well = true;
	list_for_each(link, &p->conns) {
		struct conn *c = list_entry(link, struct conn, link);

		if (c->said <= c->at && c->fault != FAULT_DRIP)
			c->fault = FAULT_NONE;
	}
	peer_revive(p);
}

static void peer_done(struct peer *p)
{
	loop_timer_stop(&p->revive);
	for (unsigned i = 0; i < p->nports; i++) {
		port_close(&p->ports[i]);
		close(p->ports[i].holder);
	}
	peer_end_all(p, true);
}

/* One connection of chance, or NULL. */
static struct conn *peer_any(struct peer *p)
{
	unsigned n = 0, which;

	list_for_each(link, &p->conns)
		n++;
	if (n == 0)
		return NULL;
	which = below(p->chance, n);
	list_for_each(link, &p->conns) {
		if (which-- == 0)
			return list_entry(link, struct conn, link);
	}
	return NULL;
}

#endif
