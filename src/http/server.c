#include "http/server.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "http/server_private.h"
#include "net/addr.h"
#include "net/socket.h"

enum { BACKLOG = 4096, KEEPALIVE_S = 15, KEEPALIVE_COUNT = 9 };

/* -- making ------------------------------------------------------------------------------------------ */

int http_server_new(const struct http_server_config *cfg, struct http_server **ret_server, struct err *e)
{
	struct http_server *s;

	(void)e;
	s = xcalloc(1, sizeof(*s));
	s->config = *cfg;
	s->addr = cfg->addr ? xstrdup(cfg->addr) : NULL;
	s->config.addr = s->addr;
	s->loops = xcalloc(cfg->nloops, sizeof(struct loop *));
	memcpy(s->loops, cfg->loops, cfg->nloops * sizeof(struct loop *));
	s->config.loops = s->loops;
	s->bound = xstrdup("");
	s->config.tls = cfg->tls ? tls_server_ref(cfg->tls) : NULL;
	s->workers = xcalloc(cfg->nloops, sizeof(*s->workers));
	for (unsigned i = 0; i < cfg->nloops; i++) {
		s->workers[i].server = s;
		s->workers[i].index = i;
		s->workers[i].loop = s->loops[i];
		s->workers[i].listen_fd = -1;
		server_worker_init(&s->workers[i]);
	}
	*ret_server = s;
	return 0;
}

static void drop_workers(struct http_server *s)
{
	for (unsigned i = 0; i < s->config.nloops; i++) {
		struct server_worker *w = &s->workers[i];

		if (w->listen_fd >= 0)
			close(w->listen_fd);
		w->listen_fd = -1;
	}
}

void http_server_free(struct http_server *s)
{
	if (!s)
		return;
	drop_workers(s);
	for (unsigned i = 0; i < s->config.nloops; i++)
		server_worker_done(&s->workers[i]);
	tls_server_unref(s->config.tls);
	free(s->workers);
	free(s->loops);
	free(s->addr);
	free(s->bound);
	free(s);
}

const char *http_server_bound(const struct http_server *s)
{
	return s->bound;
}

/* -- listening --------------------------------------------------------------------------------------- */

static int parse_port(const char *s, uint16_t *ret_port)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (!*s || *end || n > 65535)
		return -1;
	*ret_port = (uint16_t)n;
	return 0;
}

/* ":8080", "127.0.0.1:8080", "[::1]:8080", "localhost:8080". An empty host is all interfaces. */
static int read_addr(const char *text, struct addr *ret_addr, bool *ret_any, struct err *e)
{
	const char *colon = strrchr(text, ':');
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
	char *host;
	uint16_t port;
	int rc;

	if (!colon || parse_port(colon + 1, &port) < 0)
		return err_set(e, ERR_INVALID, "invalid address '%.200s': expected host:port", text);
	*ret_any = colon == text;
	if (*ret_any) {
		*ret_addr = (struct addr){.in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)}};
		return 0;
	}
	host = xmemdupz(text, (size_t)(colon - text));
	if (addr_from_literal(host, port, ret_addr)) {
		free(host);
		return 0;
	}
	rc = host_is_overlay_only(host) ? EAI_NONAME : getaddrinfo(host, colon + 1, &hints, &found);
	free(host);
	if (rc != 0)
		return err_set(e, ERR_UNAVAILABLE, "listen %.200s: %s", text, gai_strerror(rc));
	memset(ret_addr, 0, sizeof(*ret_addr));
	memcpy(ret_addr, found->ai_addr, found->ai_addrlen < sizeof(*ret_addr) ? found->ai_addrlen : sizeof(*ret_addr));
	freeaddrinfo(found);
	return 0;
}

static int listen_at(const struct addr *a, bool any, bool shared)
{
	int on = 1, off = 0, fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), saved;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (shared)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (any && a->sa.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	/* Accepted ones inherit these. Who vanished without a word is found out, also where nothing is written: 15 s of silence, then nine probes. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	socket_keep_alive(fd, KEEPALIVE_S, KEEPALIVE_S, KEEPALIVE_COUNT);
	if (bind(fd, &a->sa, addr_len(a)) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int listen_all(struct http_server *s, struct err *e)
{
	struct addr a, bound;
	socklen_t len = sizeof(bound);
	char text[ADDR_TEXT_MAX];
	bool any;
	int probe;

	if (read_addr(s->addr, &a, &any, e) < 0)
		return -1;
	/* Sockets that share a port would also share it with a server that is there already: ask for it alone first. */
	probe = listen_at(&a, any, false);
	if (probe < 0 && any && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
		a = (struct addr){.in4 = {.sin_family = AF_INET, .sin_port = a.in6.sin6_port}};
		probe = listen_at(&a, any, false);
	}
	if (probe < 0)
		goto fail;
	close(probe);
	for (unsigned i = 0; i < s->config.nloops; i++) {
		struct server_worker *w = &s->workers[i];

		w->listen_fd = listen_at(&a, any, true);
		if (w->listen_fd < 0)
			goto fail;
		if (i > 0)
			continue;
		/* Port 0: the others take the one the first was given. */
		if (getsockname(w->listen_fd, &bound.sa, &len) == 0)
			a = bound;
		free(s->bound);
		s->bound = xstrdup(addr_format(&a, text));
	}
	return 0;
fail:
	return err_set_errno(e, ERR_UNAVAILABLE, errno, "listen %.200s", s->addr);
}

/* -- start, stop ------------------------------------------------------------------------------------- */

static void open_here(struct loop_post *p)
{
	struct server_worker *w = container_of(p, struct server_worker, control);

	server_worker_open(w);
}

int http_server_start(struct http_server *s, struct err *e)
{
	if (s->addr && listen_all(s, e) < 0) {
		drop_workers(s);
		return -1;
	}
	s->started = true;
	for (unsigned i = 0; i < s->config.nloops; i++) {
		s->workers[i].control.run = open_here;
		loop_post(s->loops[i], &s->workers[i].control);
	}
	return 0;
}

struct site_post {
	struct loop_post post;
	struct server_worker *worker;
	struct http_site *site;
};

static void take_site(struct loop_post *p)
{
	struct site_post *sp = container_of(p, struct site_post, post);

	http_site_unref(sp->worker->site);
	sp->worker->site = sp->site;
	free(sp);
}

void http_server_set_site(struct http_server *s, struct http_site *site)
{
	/* What is posted now could come after the server is gone; and nobody is served any more. */
	if (s->stopping)
		return;
	for (unsigned i = 0; i < s->config.nloops; i++) {
		struct server_worker *w = &s->workers[i];
		struct site_post *sp;

		/* No worker looks yet, and one that fails to start leaves nothing under way. */
		if (!s->started) {
			http_site_unref(w->site);
			w->site = http_site_ref(site);
			continue;
		}
		sp = xmalloc(sizeof(*sp));
		*sp = (struct site_post){{.run = take_site}, w, http_site_ref(site)};
		loop_post(s->loops[i], &sp->post);
	}
}

static void stop_here(struct loop_post *p)
{
	server_worker_stop(container_of(p, struct server_worker, control_stop));
}

static void all_stopped(struct loop_post *p)
{
	struct http_server *s = container_of(p, struct http_server, stop_post);

	s->started = false;
	s->stop_done(s->stop_arg, atomic_load(&s->total_cut));
}

void server_worker_is_done(struct server_worker *w)
{
	struct http_server *s = w->server;

	atomic_fetch_add(&s->total_cut, w->cut);
	if (atomic_fetch_sub(&s->remaining, 1) == 1)
		loop_post(s->config.control, &s->stop_post);
}

void http_server_stop(struct http_server *s, uint64_t timeout_ms, void (*done)(void *arg, unsigned cut), void *arg)
{
	s->stopping = true;
	s->stop_done = done;
	s->stop_arg = arg;
	s->stop_post.run = all_stopped;
	atomic_store(&s->total_cut, 0);
	atomic_store(&s->remaining, s->config.nloops);
	if (!s->started) {
		loop_post(s->config.control, &s->stop_post);
		return;
	}
	for (unsigned i = 0; i < s->config.nloops; i++) {
		struct server_worker *w = &s->workers[i];

		w->stop_timeout_ms = timeout_ms;
		w->control_stop.run = stop_here;
		loop_post(s->loops[i], &w->control_stop);
	}
}

/* -- connections from elsewhere ---------------------------------------------------------------------- */

struct gift {
	struct loop_post post;
	struct server_worker *worker;
	int fd;
	struct peer *peer;
};

static void take_gift(struct loop_post *p)
{
	struct gift *g = container_of(p, struct gift, post);

	server_worker_add(g->worker, g->fd, g->peer);
	free(g);
}

void http_server_give(struct http_server *s, int fd, const struct http_peer *peer)
{
	struct server_worker *w = &s->workers[s->next++ % s->config.nloops];
	struct gift *g;
	int on = 1;

	if (!s->started || s->stopping) {
		close(fd);
		return;
	}
	/* Not every network is TCP. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	g = xmalloc(sizeof(*g));
	*g = (struct gift){{.run = take_gift}, w, fd, peer_new(peer->address, peer->is_tls, peer->identity)};
	loop_post(w->loop, &g->post);
}
