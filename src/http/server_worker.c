/*
 * server_worker.c - one server on one worker: accept, the daemon inside the loop, and the states of a connection.
 *
 * A connection whose handler works is suspended: libmicrohttpd then does not look at it. So that a client that leaves is noticed all the same, a connection
 * that has been suspended for WATCH_MS is watched here; quick handlers never pay for it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "http/server_private.h"
#include "net/addr.h"

enum {
	WATCH_MS = 20,
	ACCEPTS_A_TURN = 64,
	ACCEPT_PAUSE_MS = 100,
	RUNS_A_TURN = 16,
	CONNECTIONS_MAX_DEFAULT = 65536,
	QUERY_PIECES_MAX = 750,
};

/* -- the daemon in the loop -------------------------------------------------------------------------- */

static void run_daemon(struct server_worker *w)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (w->running_daemon || !w->daemon)
		return;
	w->running_daemon = true;
	for (int i = 0; i < RUNS_A_TURN; i++) {
		MHD_run(w->daemon);
		/* It reads what it may read and then wants to be run again: otherwise connections stall. */
		if (MHD_get_timeout(w->daemon, &ms) != MHD_YES || ms > 0) {
			w->running_daemon = false;
			return;
		}
	}
	w->running_daemon = false;
	if (!w->rerun_posted) {
		w->rerun_posted = true;
		loop_post(w->loop, &w->rerun);
	}
}

static void on_rerun(struct loop_post *p)
{
	struct server_worker *w = container_of(p, struct server_worker, rerun);

	w->rerun_posted = false;
	run_daemon(w);
}

static void on_epoll(void *arg, int events)
{
	(void)events;
	run_daemon(arg);
}

/* -- suspending -------------------------------------------------------------------------------------- */

void exchange_suspend(struct exchange *x)
{
	struct server_worker *w = x->worker;

	if (x->suspended || !x->conn)
		return;
	MHD_suspend_connection(x->conn->mhd);
	x->suspended = true;
	x->suspended_ns = loop_now_ns(w->loop);
	list_push_back(&w->waiting, &x->wait_link);
	if (!loop_timer_is_armed(&w->watch))
		loop_timer_start_ms(&w->watch, WATCH_MS);
}

static void stop_watching(struct exchange *x)
{
	list_remove(&x->wait_link);
	loop_poll_free(x->poll);
	x->poll = NULL;
}

void exchange_suspend_unwatched(struct exchange *x)
{
	if (x->suspended) {
		stop_watching(x);
		return;
	}
	MHD_suspend_connection(x->conn->mhd);
	x->suspended = true;
}

void exchange_resume(struct exchange *x)
{
	struct server_worker *w = x->worker;

	if (!x->suspended || x->in_handler)
		return;
	x->suspended = false;
	stop_watching(x);
	MHD_resume_connection(x->conn->mhd);
	if (!w->rerun_posted) {
		w->rerun_posted = true;
		loop_post(w->loop, &w->rerun);
	}
}

/* The connection ends without (the rest of) a response. */
static void cut(struct exchange *x)
{
	exchange_ref(x);
	x->dead = true;
	raw_stop(x);
	exchange_lost(x);
	exchange_resume(x);
	exchange_unref(x);
}

/* The client says something while its request is being worked on: the end, or the next request. */
static void on_client(void *arg, int events)
{
	struct exchange *x = arg;
	char c;
	ssize_t n = recv(x->conn->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);

	(void)events;
	if (n > 0) {
		/* Whether it stays after that is seen when its request's turn comes. */
		loop_poll_set(x->poll, 0);
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	cut(x);
}

static void on_watch(struct loop_timer *t)
{
	struct server_worker *w = container_of(t, struct server_worker, watch);
	uint64_t now = loop_now_ns(w->loop), age = (uint64_t)WATCH_MS * 1000000;

	list_for_each_safe(l, tmp, &w->waiting) {
		struct exchange *x = list_entry(l, struct exchange, wait_link);

		if (now - x->suspended_ns < age) {
			loop_timer_start_ns(t, age - (now - x->suspended_ns));
			return;
		}
		/* From here on its poll looks after it, so it need not stay in the list. */
		list_remove(&x->wait_link);
		x->poll = loop_poll_new(w->loop, x->conn->fd, LOOP_READ, on_client, x);
	}
}

/* -- time limits ------------------------------------------------------------------------------------- */

static void arm(struct loop_timer *t, uint64_t ns)
{
	loop_timer_stop(t);
	if (ns > 0)
		loop_timer_start_ns(t, ns);
}

static void arm_idle(struct conn *c)
{
	const struct http_server_config *cfg = &c->worker->server->config;

	arm(&c->read_timer, cfg->idle_ns ? cfg->idle_ns : cfg->read_ns);
}

/* libmicrohttpd sees the end of the connection and cleans up. */
static void close_conn(struct conn *c)
{
	c->closing = true;
	if (c->x)
		cut(c->x);
	shutdown(c->fd, SHUT_RDWR);
}

static void on_read_timeout(struct loop_timer *t)
{
	close_conn(container_of(t, struct conn, read_timer));
}

static void on_write_timeout(struct loop_timer *t)
{
	close_conn(container_of(t, struct conn, write_timer));
}

/* -- callbacks of libmicrohttpd ---------------------------------------------------------------------- */

static void *on_uri(void *arg, const char *uri, struct MHD_Connection *mhd)
{
	struct server_worker *w = arg;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct conn *c = info ? info->socket_context : NULL;
	unsigned pieces = 0;

	if (!c)
		return NULL;
	c->x = exchange_new(w, c, uri);
	/* libmicrohttpd also keeps every piece of the query in the connection's memory, and hangs when that is full: better an end than that. */
	for (const char *p = uri; (p = strchr(p, '&')); p++)
		pieces++;
	if (pieces >= QUERY_PIECES_MAX)
		shutdown(c->fd, SHUT_RDWR);
	arm(&c->read_timer, w->server->config.read_ns);
	return c->x;
}

static size_t keep_escaped(void *arg, struct MHD_Connection *mhd, char *s)
{
	(void)arg, (void)mhd;
	return strlen(s);
}

/* libmicrohttpd takes a response here, and then closes the connection, or when it has the whole body: so a body that may be too much to throw away stays outside until somebody
 * wants it. */
static enum MHD_Result at_head(struct exchange *x, struct MHD_Connection *mhd)
{
	if (x->leave) {
		x->close_after = true;
		return response_queue(x, mhd);
	}
	if (x->body_wanted)
		x->at_head = false;
	else
		exchange_suspend(x);
	return MHD_YES;
}

static enum MHD_Result begin_request(
	struct exchange *x, struct MHD_Connection *mhd, const char *method, const char *url, const char *version)
{
	struct conn *c = x->conn;
	const char *why = request_read(x, mhd, method, url, version);

	x->body_complete = x->length == 0;
	x->begun_ns = loop_now_ns(x->worker->loop);
	arm(&c->write_timer, x->worker->server->config.write_ns);
	if (x->body_complete)
		loop_timer_stop(&c->read_timer);
	exchange_ref(x); /* the handler's */
	if (why) {
		x->close_after = true;
		exchange_answer_text(x, 400, "400 Bad Request");
		return response_queue(x, mhd);
	}
	exchange_dispatch(x);
	if (x->dead)
		return MHD_NO;
	x->at_head = !x->body_complete && (x->expects_continue || x->length < 0 || x->length > EXCHANGE_DISCARD_MAX);
	return x->at_head ? at_head(x, mhd) : MHD_YES;
}

static enum MHD_Result take_body(struct exchange *x, const char *data, size_t *len)
{
	size_t room = EXCHANGE_BODY_BUFFER_BYTES - buf_len(&x->body), n = *len < room ? *len : room;

	if (x->discarding) {
		x->body_received += *len;
		x->body_discarded += *len;
		*len = 0;
		if (x->body_discarded > EXCHANGE_DISCARD_MAX && !x->raw)
			raw_begin(x);
		return MHD_YES;
	}
	buf_add(&x->body, data, n);
	x->body_received += n;
	*len -= n;
	exchange_notify(x, EVENT_BODY);
	if (*len > 0 || n == room)
		exchange_suspend(x);
	return MHD_YES;
}

static enum MHD_Result go_on(struct exchange *x, struct MHD_Connection *mhd, const char *data, size_t *len)
{
	if (x->dead)
		return MHD_NO;
	if (x->at_head)
		return at_head(x, mhd);
	if (*len > 0)
		return take_body(x, data, len);
	if (!x->body_complete) {
		x->body_complete = true;
		loop_timer_stop(&x->conn->read_timer);
		exchange_notify(x, EVENT_BODY);
	}
	if (x->leave)
		return response_queue(x, mhd);
	exchange_suspend(x);
	return MHD_YES;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *mhd, const char *url, const char *method,
	const char *version, const char *data, size_t *len, void **req)
{
	struct exchange *x = *req;
	enum MHD_Result rc;

	(void)arg;
	if (!x)
		return MHD_NO;
	x->in_handler = true;
	rc = x->text ? go_on(x, mhd, data, len) : begin_request(x, mhd, method, url, version);
	x->in_handler = false;
	return rc;
}

static void on_completed(void *arg, struct MHD_Connection *mhd, void **req, enum MHD_RequestTerminationCode how)
{
	struct exchange *x = *req;
	struct conn *c;

	(void)arg, (void)mhd;
	if (!x)
		return;
	*req = NULL;
	c = x->conn;
	stop_watching(x);
	x->suspended = false;
	x->conn = NULL;
	c->x = NULL;
	loop_timer_stop(&c->write_timer);
	/* One whose head never became whole had no handler. */
	if (x->text && (how != MHD_REQUEST_TERMINATED_COMPLETED_OK || !x->ended))
		exchange_lost(x);
	exchange_maybe_over(x);
	exchange_unref(x);
	if (c->worker->stopping)
		shutdown(c->fd, SHUT_RDWR);
	else if (!c->closing)
		arm_idle(c);
}

static void conn_free(struct conn *c)
{
	loop_timer_stop(&c->read_timer);
	loop_timer_stop(&c->write_timer);
	list_remove(&c->link);
	free(c->remote);
	free(c);
}

static void finish_stop(struct loop_post *p);

static void check_stopped(struct server_worker *w)
{
	if (w->stopping && w->nconns == 0 && w->control.run != finish_stop) {
		w->control.run = finish_stop;
		loop_post(w->loop, &w->control);
	}
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **ctx, enum MHD_ConnectionNotificationCode what)
{
	struct server_worker *w = arg;
	struct conn *c = *ctx;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		*ctx = w->adopting;
		w->adopting->mhd = mhd;
		w->adopting = NULL;
		return;
	}
	if (!c)
		return;
	*ctx = NULL;
	conn_free(c);
	w->nconns--;
	check_stopped(w);
}

static void on_log(void *arg, const char *fmt, va_list ap)
{
	(void)arg, (void)fmt, (void)ap; /* about peers; every connection that ends badly would be a line */
}

/* -- connections ------------------------------------------------------------------------------------- */

bool server_worker_add(
	struct server_worker *w, int fd, const struct sockaddr *sa, socklen_t len, const char *remote, bool is_tls)
{
	struct sockaddr_in nobody = {.sin_family = AF_INET};
	unsigned max = w->server->config.connections_max;
	struct conn *c;

	if (w->stopping || !w->daemon || w->nconns >= (max ? max : CONNECTIONS_MAX_DEFAULT)) {
		close(fd);
		return false;
	}
	c = xcalloc(1, sizeof(*c));
	c->worker = w;
	c->fd = fd;
	c->is_tls = is_tls;
	c->remote = xstrdup(remote);
	loop_timer_init(&c->read_timer, w->loop, on_read_timeout);
	loop_timer_init(&c->write_timer, w->loop, on_write_timeout);
	list_push_back(&w->conns, &c->link);
	w->nconns++;
	arm_idle(c);
	w->adopting = c;
	if (MHD_add_connection(w->daemon, fd, sa ? sa : (const struct sockaddr *)&nobody,
		    sa ? len : (socklen_t)sizeof(nobody)) != MHD_YES) {
		/* It closed the descriptor; whether it had said "started" shows in who frees `c`. */
		if (w->adopting) {
			w->adopting = NULL;
			conn_free(c);
			w->nconns--;
		}
		return false;
	}
	return true;
}

static void on_pause_over(struct loop_timer *t)
{
	struct server_worker *w = container_of(t, struct server_worker, pause);

	if (w->listen)
		loop_poll_set(w->listen, LOOP_READ);
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

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
				loop_poll_set(w->listen, 0);
				loop_timer_start_ms(&w->pause, ACCEPT_PAUSE_MS);
				log_warn("http", "connections wait: no descriptor is free",
					LOG_STR("address", w->server->bound));
			}
			break;
		}
		server_worker_add(w, fd, &peer.sa, len, addr_format(&peer, text), false);
	}
	run_daemon(w);
}

/* -- start and stop ---------------------------------------------------------------------------------- */

int server_worker_init(struct server_worker *w, struct err *e)
{
	w->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET |
					     MHD_ALLOW_UPGRADE | MHD_USE_ERROR_LOG,
		0, NULL, NULL, on_request, w, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, w, MHD_OPTION_NOTIFY_CONNECTION, on_connection, w, MHD_OPTION_URI_LOG_CALLBACK, on_uri, w,
		MHD_OPTION_UNESCAPE_CALLBACK, keep_escaped, NULL, MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_CONNECTION_LIMIT, 1u << 20, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_HEAD_BYTES_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_END);
	if (!w->daemon)
		return err_set(e, ERR_INTERNAL, "the HTTP daemon does not start");
	list_init(&w->conns);
	list_init(&w->waiting);
	loop_timer_init(&w->watch, w->loop, on_watch);
	loop_timer_init(&w->pause, w->loop, on_pause_over);
	w->rerun.run = on_rerun;
	return 0;
}

void server_worker_open(struct server_worker *w)
{
	w->opened = true;
	w->epoll = loop_poll_new(
		w->loop, MHD_get_daemon_info(w->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, LOOP_READ, on_epoll, w);
	if (w->listen_fd >= 0)
		w->listen = loop_poll_new(w->loop, w->listen_fd, LOOP_READ, on_listen, w);
}

static void on_deadline(struct loop_timer *t)
{
	struct server_worker *w = container_of(t, struct server_worker, deadline);

	list_for_each_safe(l, tmp, &w->conns) {
		w->cut++;
		close_conn(list_entry(l, struct conn, link));
	}
	run_daemon(w);
	check_stopped(w);
}

static void finish_stop(struct loop_post *p)
{
	struct server_worker *w = container_of(p, struct server_worker, control);

	if (w->rerun_posted) {
		loop_post(w->loop, &w->control); /* after that one */
		return;
	}
	loop_timer_stop(&w->watch);
	loop_timer_stop(&w->pause);
	loop_timer_stop(&w->deadline);
	loop_poll_free(w->epoll);
	w->epoll = NULL;
	MHD_stop_daemon(w->daemon);
	w->daemon = NULL;
	http_site_unref(w->site);
	w->site = NULL;
	server_worker_is_done(w);
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
	list_for_each_safe(l, tmp, &w->conns) {
		struct conn *c = list_entry(l, struct conn, link);

		if (!c->x)
			shutdown(c->fd, SHUT_RDWR);
	}
	run_daemon(w);
	check_stopped(w);
}
