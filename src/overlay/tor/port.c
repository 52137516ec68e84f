#include "overlay/tor/port.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "net/socket_owner.h"

enum {
	BACKLOG = 128,
	ACCEPTS_A_TURN = 32,
	ACCEPT_PAUSE_MS = 100,
};

static bool may_come(const struct tor_port *p, int fd, const struct addr *peer)
{
	socklen_t len = sizeof(struct sockaddr_in6);
	char text[ADDR_TEXT_MAX];
	struct addr local;
	struct err e;
	uid_t user;

	if (!p->by_user) {
		if (addr_is_same_ip(peer, &p->source))
			return true;
		log_warn("overlay", "tor: somebody else than Tor came to the port of an onion service, and was refused",
			LOG_STR("overlay", overlay_id(p->listener->overlay)), LOG_STR("peer", addr_format(peer, text)));
		return false;
	}
	if (getsockname(fd, &local.sa, &len) < 0)
		return false; /* it is gone */
	if (socket_owner(peer, &local, &user, &e) < 0) {
		if (e.kind != ERR_NOT_FOUND) {
			log_warn("overlay", "tor: a connection is refused: who made it is not known",
				LOG_STR("overlay", overlay_id(p->listener->overlay)), LOG_STR("error", e.text));
			p->events->trouble(p->arg, e.text);
		}
		return false;
	}
	if (user == p->user)
		return true;
	log_warn("overlay",
		"tor: a local user who does not run Tor came to the port of an onion service, and was refused",
		LOG_STR("overlay", overlay_id(p->listener->overlay)), LOG_STR("name", p->listener->name),
		LOG_INT("user", user));
	return false;
}

static void accept_again(struct loop_timer *t)
{
	struct tor_port *p = container_of(t, struct tor_port, accept_again);

	loop_poll_set(p->poll, LOOP_READ);
}

static void on_connection(void *arg, int events)
{
	struct tor_port *p = arg;

	(void)events;
	/* A callback may close it. */
	for (unsigned i = 0; i < ACCEPTS_A_TURN && p->fd >= 0; i++) {
		struct addr peer;
		socklen_t len = sizeof(peer.in6);
		int fd = accept4(p->fd, &peer.sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK), on = 1;

		if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
			loop_poll_set(p->poll, 0);
			loop_timer_start_ms(&p->accept_again, ACCEPT_PAUSE_MS);
			return;
		}
		if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (fd < 0)
			continue; /* that one was gone before it was taken */
		if (!may_come(p, fd, &peer)) {
			close(fd);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		p->events->accept(p->arg, fd);
	}
}

void tor_port_init(struct tor_port *p, struct loop *loop, const struct listener *listener,
	const struct tor_port_events *events, void *arg)
{
	*p = (struct tor_port){.loop = loop, .listener = listener, .events = events, .arg = arg, .fd = -1};
	loop_timer_init(&p->accept_again, loop, accept_again);
}

int tor_port_open(struct tor_port *p, const struct addr *local, const struct addr *peer, struct err *e)
{
	socklen_t len = sizeof(p->bound.in6);

	p->by_user = addr_is_same_ip(local, peer);
	p->source = *peer;
	if (p->fd >= 0 && addr_is_same_ip(&p->bound, local))
		return 0;
	tor_port_close(p);
	p->bound = *local;
	if (p->bound.sa.sa_family == AF_INET)
		p->bound.in4.sin_port = 0;
	else
		p->bound.in6.sin6_port = 0;
	p->fd = socket(p->bound.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd < 0 || bind(p->fd, &p->bound.sa, addr_len(&p->bound)) < 0 || listen(p->fd, BACKLOG) < 0 ||
		getsockname(p->fd, &p->bound.sa, &len) < 0) {
		err_set_errno(e, ERR_UNAVAILABLE, errno, "no port for Tor to come to");
		tor_port_close(p);
		return err_retryable(e);
	}
	p->poll = loop_poll_new(p->loop, p->fd, LOOP_READ, on_connection, p);
	return 0;
}

void tor_port_close(struct tor_port *p)
{
	loop_timer_stop(&p->accept_again);
	loop_poll_free(p->poll);
	p->poll = NULL;
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}
