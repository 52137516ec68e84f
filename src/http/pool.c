#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "http/internal.h"

enum { SWEEP_MS = 1100 }; /* libcurl looks for dead connections at most once a second */

/* -- routes ------------------------------------------------------------------------------------------- */

/* Lengths go before the texts, so that no two identities give one key. Made for every hop: no formatting. */
static void add_number(struct buf *b, uint64_t n)
{
	char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	buf_add(b, digits + i, sizeof(digits) - i);
	buf_addc(b, '|');
}

static void add_text(struct buf *b, const char *s)
{
	size_t len = s ? strlen(s) : 0;

	add_number(b, len);
	buf_add(b, s ? s : "", len);
}

static char *make_key(const struct http_route_id *id)
{
	struct buf b = BUF_INIT;

	buf_reserve(&b, 256);
	buf_addc(&b, id->url->is_tls ? 's' : 'p');
	add_number(&b, id->generation);
	add_number(&b, id->url->port);
	add_text(&b, id->url->host);
	add_text(&b, id->isolation_key);
	add_text(&b, id->tls_fingerprint);
	add_text(&b, id->unix_socket);
	return buf_detach(&b, NULL);
}

struct http_route *http_route_get(struct http_client *c, const struct http_route_id *id)
{
	char *key = make_key(id);
	struct http_route *r = map_get(c->routes, key);
	uint64_t n;

	if (r) {
		free(key);
		r->refs++;
		return r;
	}
	r = xcalloc(1, sizeof(*r));
	r->client = c;
	r->key = key;
	r->generation = id->generation;
	r->is_unix = id->unix_socket != NULL;
	r->refs = 1;
	list_init(&r->conns);
	/* An address, so that there is no name to look up; from the block whose packets are thrown away (RFC 6666),
	 * with a port nobody can listen on, so that nothing would be reached if the hand-over of a descriptor ever
	 * failed. Never used twice: libcurl keeps TLS sessions under it, and those of one isolation key must not
	 * serve another. */
	n = ++c->last_route;
	snprintf(r->connect_to_text, sizeof(r->connect_to_text), "::[100::%x:%x:%x:%x]:0", (unsigned)(n >> 48) & 0xffff,
		(unsigned)(n >> 32) & 0xffff, (unsigned)(n >> 16) & 0xffff, (unsigned)n & 0xffff);
	r->connect_to.data = r->connect_to_text;
	map_set(c->routes, r->key, r);
	return r;
}

static void route_free_unused(struct http_route *r)
{
	if (r->refs > 0 || !list_is_empty(&r->conns))
		return;
	if (!r->dropped)
		map_remove(r->client->routes, r->key);
	free(r->key);
	free(r);
}

void http_route_put(struct http_route *r)
{
	if (!r)
		return;
	assert(r->refs > 0);
	r->refs--;
	route_free_unused(r);
}

bool http_route_may_reuse(const struct http_route *r)
{
	return r->is_unix || r->live > r->running || (r->is_http2 && r->live > 0);
}

bool http_route_is_full(const struct http_route *r)
{
	if (r->dropped)
		return true;
	return !r->is_http2 && r->live >= r->running + r->client->cfg.idle_per_host_max;
}

/* -- connections -------------------------------------------------------------------------------------- */

static void set_busy(struct http_conn *conn)
{
	if (!list_is_linked(&conn->in_idle))
		return;
	list_remove(&conn->in_idle);
	conn->route->idle--;
	conn->client->nidle--;
}

/* An idle connection that must not be used again. The peer sees the end at once; libcurl, which owns the descriptor,
 * when it next looks, and a sweep makes it look. */
static void conn_doom(struct http_conn *conn)
{
	struct http_client *c = conn->client;

	if (conn->doomed)
		return;
	conn->doomed = true;
	conn->route->live--;
	c->doomed++;
	set_busy(conn);
	http_conn_watch(conn, 0);
	shutdown(conn->fd, SHUT_RDWR);
	if (!loop_timer_is_armed(&c->sweep_timer))
		loop_timer_start_ms(&c->sweep_timer, SWEEP_MS);
}

static bool is_silent(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EINTR);
}

static void on_events(void *arg, int events)
{
	struct http_conn *conn = arg;
	struct http_client *c = conn->client;
	int bits = 0;

	if (list_is_linked(&conn->in_idle)) {
		/* Nobody asked anything: the end, or bytes that could only be taken for the answer to the next
		 * request. */
		if (!conn->route->is_http2 && !is_silent(conn->fd))
			conn_doom(conn);
		else
			http_conn_watch(conn, 0);
		return;
	}
	if (events & LOOP_READ)
		bits |= CURL_CSELECT_IN;
	if (events & LOOP_WRITE)
		bits |= CURL_CSELECT_OUT;
	http_client_act(c, conn->fd, bits);
	http_client_report(c);
}

static uint16_t port_of(const struct sockaddr_storage *ss)
{
	struct addr a;

	if (ss->ss_family != AF_INET && ss->ss_family != AF_INET6)
		return 0;
	memcpy(&a, ss, sizeof(a));
	return addr_port(&a);
}

struct http_conn *http_conn_new(struct http_route *r, int fd, int real_fd)
{
	struct http_client *c = r->client;
	struct http_conn *conn = xcalloc(1, sizeof(*conn));
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);

	conn->client = c;
	conn->route = r;
	conn->fd = fd;
	conn->real_fd = real_fd;
	list_init(&conn->in_idle);
	list_init(&conn->calls);
	list_push_back(&r->conns, &conn->in_route);
	r->live++;
	conn->is_unix = real_fd >= 0;
	r->is_portless |= conn->is_unix;
	if (!conn->is_unix && getpeername(fd, (struct sockaddr *)&ss, &len) == 0 && port_of(&ss) != 0)
		memcpy(&conn->peer, &ss, sizeof(conn->peer));
	len = sizeof(ss);
	if (!conn->is_unix && getsockname(fd, (struct sockaddr *)&ss, &len) == 0)
		conn->local_port = port_of(&ss);
	if ((size_t)fd >= c->nconns) {
		size_t n = (size_t)fd + 64;

		c->conns = xreallocarray(c->conns, n, sizeof(struct http_conn *));
		memset(c->conns + c->nconns, 0, (n - c->nconns) * sizeof(struct http_conn *));
		c->nconns = n;
	}
	assert(!c->conns[fd]);
	c->conns[fd] = conn;
	return conn;
}

struct http_conn *http_conn_find(struct http_client *c, int fd)
{
	return fd >= 0 && (size_t)fd < c->nconns ? c->conns[fd] : NULL;
}

void http_conn_watch(struct http_conn *conn, int events)
{
	if (conn->events == events)
		return;
	conn->events = events;
	if (conn->poll)
		loop_poll_set(conn->poll, events);
	else
		conn->poll = loop_poll_new(conn->client->loop, conn->fd, events, on_events, conn);
}

void http_conn_unwatch(struct http_conn *conn)
{
	bool wanted = !conn->route->is_http2 && !conn->doomed;

	list_for_each(l, &conn->calls)
		wanted = wanted && !list_entry(l, struct http_call, in_conn)->paused;
	http_conn_watch(conn, wanted ? LOOP_READ : 0);
}

void http_conn_attach(struct http_conn *conn, struct http_call *call)
{
	if (call->conn == conn)
		return;
	if (call->conn)
		http_conn_detach(call);
	set_busy(conn);
	call->conn = conn;
	list_push_back(&conn->calls, &call->in_conn);
}

void http_conn_detach(struct http_call *call)
{
	struct http_conn *conn = call->conn;
	struct http_client *c;

	if (!conn)
		return;
	c = conn->client;
	list_remove(&call->in_conn);
	call->conn = NULL;
	if (conn->doomed || !list_is_empty(&conn->calls))
		return;
	conn->idle_since_ns = loop_now_ns(c->loop);
	list_push_back(&c->idle, &conn->in_idle);
	conn->route->idle++;
	c->nidle++;
	if (c->nidle > c->cfg.idle_max)
		conn_doom(list_entry(c->idle.next, struct http_conn, in_idle));
	/* http_route_is_full() only guessed who would be idle by now. */
	if (conn->route->dropped || conn->route->idle > c->cfg.idle_per_host_max)
		conn_doom(conn);
	/* Keep reading: the end of an idle connection shows, and the next request finds it watched already. */
	http_conn_unwatch(conn);
	if (!loop_timer_is_armed(&c->idle_timer))
		loop_timer_start_ms(&c->idle_timer, c->cfg.idle_ms);
}

void http_conn_free(struct http_conn *conn)
{
	struct http_client *c = conn->client;
	struct http_route *r = conn->route;
	struct list *l;

	loop_poll_free(conn->poll);
	c->conns[conn->fd] = NULL;
	close(conn->fd);
	if (conn->real_fd >= 0)
		close(conn->real_fd);
	set_busy(conn);
	while ((l = list_pop_front(&conn->calls)))
		list_entry(l, struct http_call, in_conn)->conn = NULL;
	list_remove(&conn->in_route);
	if (conn->doomed)
		c->doomed--;
	else
		r->live--;
	free(conn);
	route_free_unused(r);
}

int http_route_inspect(struct http_call *call, int local_port,
	int (*judge)(void *call, const struct addr *, struct err *), struct err *e)
{
	struct http_route *r = call->route;

	list_for_each(l, &r->conns) {
		struct http_conn *conn = list_entry(l, struct http_conn, in_route);

		/* A Unix socket has no port: it is one of those that nobody uses. */
		if (conn->is_unix ? !list_is_linked(&conn->in_idle)
				  : conn->local_port == 0 || conn->local_port != local_port)
			continue;
		/* Whoever opened it was allowed to; this caller may not be. */
		if (judge && judge(call, &conn->peer, e) < 0)
			return -1;
		if (!r->is_http2 && !is_silent(conn->fd))
			return 1;
		if (!conn->is_unix)
			http_conn_attach(conn, call);
	}
	return 0;
}

/* -- idle life ---------------------------------------------------------------------------------------- */

void http_pool_idle_fired(struct loop_timer *t)
{
	struct http_client *c = container_of(t, struct http_client, idle_timer);
	uint64_t now = loop_now_ns(c->loop), life = c->cfg.idle_ms * 1000000;

	while (!list_is_empty(&c->idle)) {
		struct http_conn *conn = list_entry(c->idle.next, struct http_conn, in_idle);

		if (conn->idle_since_ns + life > now) {
			loop_timer_start_ns(t, conn->idle_since_ns + life - now);
			return;
		}
		conn_doom(conn);
	}
}

/* A transfer to nowhere, refused when it asks for a socket: on its way there libcurl closes the connections that it
 * finds dead. */
void http_pool_sweep_fired(struct loop_timer *t)
{
	struct http_client *c = container_of(t, struct http_client, sweep_timer);

	if (c->doomed == 0)
		return;
	if (!c->sweeper)
		c->sweeper = http_handle_new(c);
	if (!c->sweeper->in_multi) {
		curl_easy_setopt(c->sweeper->easy, CURLOPT_URL, "http://[100::]:1/");
		c->sweeper->in_multi = true;
		curl_multi_add_handle(c->multi, c->sweeper->easy);
		http_client_act(c, CURL_SOCKET_TIMEOUT, 0);
	}
	if (c->doomed > 0)
		loop_timer_start_ms(t, SWEEP_MS);
	http_client_report(c);
}

void http_client_drop_generation(struct http_client *c, uint64_t gen)
{
	const char *key;
	void *value;
	struct http_route **gone = xcalloc(map_count(c->routes) + 1, sizeof(struct http_route *));
	size_t n = 0;

	for (size_t i = 0; map_next(c->routes, &i, &key, &value);) {
		if (((struct http_route *)value)->generation == gen)
			gone[n++] = value;
	}
	for (size_t i = 0; i < n; i++) {
		map_remove(c->routes, gone[i]->key);
		gone[i]->dropped = true;
		list_for_each_safe(l, tmp, &gone[i]->conns) {
			struct http_conn *conn = list_entry(l, struct http_conn, in_route);

			if (list_is_linked(&conn->in_idle))
				conn_doom(conn);
		}
	}
	free(gone);
}
