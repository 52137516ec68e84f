/*
 * server_worker.c - one server on one worker: accepting, stopping, what its connections share.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "http/server_private.h"
#include "net/addr.h"

enum {
	ACCEPTS_A_TURN = 64,
	ACCEPT_PAUSE_MS = 100,
	FULL_AGAIN_MS = 60000,
	CONNECTIONS_MAX_DEFAULT = 65536,
};

/* -- connections ------------------------------------------------------------------------------------- */

void server_worker_add(struct server_worker *w, int fd, struct peer *peer)
{
	struct tls_server *tls = w->server->config.tls;
	unsigned max = w->server->config.connections_max;

	if (w->stopping || w->done || w->nconns >= (max ? max : CONNECTIONS_MAX_DEFAULT)) {
		close(fd);
		peer_unref(peer);
		return;
	}
	conn_open(w, tls && !peer->is_tls ? transport_tls_accept(fd, tls) : transport_plain(fd), peer);
	if (tls)
		peer->is_tls = true;
}

static void on_pause_over(struct loop_timer *t)
{
	struct server_worker *w = container_of(t, struct server_worker, pause);

	if (w->listen)
		loop_poll_set(w->listen, LOOP_READ);
}

/* A shortage may last: once a minute is enough, whichever worker says it. */
static void tell_full(struct server_worker *w)
{
	struct http_server *s = w->server;
	uint64_t now = loop_now_ms(w->loop), told = atomic_load(&s->told_full_ms);

	if (told && now < told + FULL_AGAIN_MS)
		return;
	if (atomic_compare_exchange_strong(&s->told_full_ms, &told, now))
		log_warn("http", "connections wait: no descriptor is free", LOG_STR("address", s->bound));
}

static void on_listen(void *arg, int events)
{
	struct server_worker *w = arg;
	char text[ADDR_TEXT_MAX];

	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		struct addr peer;
		socklen_t len = sizeof(peer);
		int fd = accept4(w->listen_fd, &peer.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			server_worker_add(w, fd, peer_new(addr_format(&peer, text), false, NULL));
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			loop_poll_set(w->listen, 0);
			loop_timer_start_ms(&w->pause, ACCEPT_PAUSE_MS);
			tell_full(w);
		}
		if (errno != ECONNABORTED && errno != EINTR)
			break;
	}
}

const char *server_worker_date(struct server_worker *w, size_t *ret_len)
{
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (now.tv_sec != w->date_second || w->date_len == 0) {
		w->date_second = now.tv_sec;
		gmtime_r(&now.tv_sec, &tm);
		w->date_len = strftime(w->date, sizeof(w->date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
	}
	*ret_len = w->date_len;
	return w->date;
}

/* -- start and stop ---------------------------------------------------------------------------------- */

void server_worker_init(struct server_worker *w)
{
	list_init(&w->conns);
	loop_timer_init(&w->pause, w->loop, on_pause_over);
	w->read_buffer = xmalloc(CONN_READ_BYTES);
}

void server_worker_done(struct server_worker *w)
{
	http_site_unref(w->site);
	free(w->read_buffer);
	buf_done(&w->text);
	while (w->nparsers > 0) {
		request_parse_done(w->parsers[--w->nparsers]);
		free(w->parsers[w->nparsers]);
	}
}

void server_worker_open(struct server_worker *w)
{
	if (w->listen_fd >= 0)
		w->listen = loop_poll_new(w->loop, w->listen_fd, LOOP_READ, on_listen, w);
}

static void finish_stop(struct loop_post *p)
{
	struct server_worker *w = container_of(p, struct server_worker, control);

	w->done = true;
	loop_timer_stop(&w->pause);
	loop_timer_stop(&w->deadline);
	http_site_unref(w->site);
	w->site = NULL;
	server_worker_is_done(w);
}

void server_worker_lost_one(struct server_worker *w)
{
	if (w->stopping && w->nconns == 0 && w->control.run != finish_stop) {
		w->control.run = finish_stop;
		loop_post(w->loop, &w->control);
	}
}

static void on_deadline(struct loop_timer *t)
{
	struct server_worker *w = container_of(t, struct server_worker, deadline);

	list_for_each_safe(l, tmp, &w->conns) {
		struct conn *c = list_entry(l, struct conn, link);

		w->cut += c->x != NULL;
		conn_cut(c);
	}
}

void server_worker_stop(struct server_worker *w)
{
	w->stopping = true;
	loop_poll_free(w->listen);
	w->listen = NULL;
	if (w->listen_fd >= 0)
		close(w->listen_fd);
	w->listen_fd = -1;
	loop_timer_init(&w->deadline, w->loop, on_deadline);
	loop_timer_start_ms(&w->deadline, w->stop_timeout_ms);
	list_for_each_safe(l, tmp, &w->conns)
		conn_stop(list_entry(l, struct conn, link));
	server_worker_lost_one(w);
}
