#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "http/internal.h"

/*
 * libcurl tells which descriptors and which moment it waits for; the loop tells libcurl when they come. Results are
 * read after each such step and reported to the callers at the end of a loop callback, so `done` never runs inside
 * http_client_start().
 */

enum { KICKS_MAX = 16 }; /* steps in a row before the loop gets its turn */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_start(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort();
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
	struct http_conn *conn = http_conn_find(arg, fd);
	struct http_handle *h = NULL;

	(void)unused;
	if (!conn)
		return 0;
	if (what == CURL_POLL_REMOVE) {
		http_conn_unwatch(conn);
		return 0;
	}
	http_conn_watch(conn, (what & CURL_POLL_IN ? LOOP_READ : 0) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0));
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&h);
	if (h && h->call && !h->call->conn)
		http_conn_attach(conn, h->call);
	return 0;
}

static int on_timer(CURLM *multi, long ms, void *arg)
{
	struct http_client *c = arg;

	(void)multi;
	c->curl_due_ns = 0;
	c->kick = ms == 0;
	if (ms <= 0)
		return 0;
	c->curl_due_ns = loop_clock_ns() + (uint64_t)ms * 1000000;
	/* An earlier alarm may stay: it finds nothing due and goes on to this moment. That spares a change for each
	 * request. */
	if (!loop_timer_is_armed(&c->curl_timer) || c->curl_timer.due_ns > c->curl_due_ns)
		loop_timer_start_at(&c->curl_timer, c->curl_due_ns);
	return 0;
}

static void curl_timer_fired(struct loop_timer *t)
{
	struct http_client *c = container_of(t, struct http_client, curl_timer);

	if (!c->kick && c->curl_due_ns == 0)
		return;
	if (!c->kick && c->curl_due_ns > loop_clock_ns()) {
		loop_timer_start_at(t, c->curl_due_ns);
		return;
	}
	http_client_act(c, CURL_SOCKET_TIMEOUT, 0);
	http_client_report(c);
}

static void report_timer_fired(struct loop_timer *t)
{
	http_client_report(container_of(t, struct http_client, report_timer));
}

static void read_results(struct http_client *c)
{
	struct http_handle *h;
	CURLMsg *m;
	CURL *easy;
	CURLcode rc;
	int left;

	while ((m = curl_multi_info_read(c->multi, &left))) {
		if (m->msg != CURLMSG_DONE)
			continue;
		/* The message is gone once the handle leaves. */
		easy = m->easy_handle;
		rc = m->data.result;
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&h);
		if (h->call) {
			http_call_transfer_done(h->call, rc);
		} else {
			curl_multi_remove_handle(c->multi, easy);
			h->in_multi = false;
		}
	}
}

void http_client_act(struct http_client *c, curl_socket_t fd, int bits)
{
	int running;

	/* From within: the step under way goes on with what was added. */
	if (c->acting)
		return;
	c->acting = true;
	for (int i = 0; i < KICKS_MAX; i++) {
		c->kick = c->kick && fd != CURL_SOCKET_TIMEOUT;
		curl_multi_socket_action(c->multi, fd, bits, &running);
		read_results(c);
		if (!c->kick)
			break;
		fd = CURL_SOCKET_TIMEOUT;
		bits = 0;
	}
	if (c->kick)
		loop_timer_start_ns(&c->curl_timer, 0);
	c->acting = false;
}

void http_client_report(struct http_client *c)
{
	struct list now;
	struct list *l;

	if (list_is_empty(&c->ready))
		return;
	/* Only what is there: a caller that starts a call which fails at once, again and again, must not hold the
	 * loop. */
	list_init(&now);
	list_insert_(&now, c->ready.prev, c->ready.next);
	list_init(&c->ready);
	while ((l = list_pop_front(&now)))
		http_call_report(list_entry(l, struct http_call, ready_link));
	http_client_report_later(c);
}

void http_client_report_later(struct http_client *c)
{
	if (!list_is_empty(&c->ready) && !loop_timer_is_armed(&c->report_timer))
		loop_timer_start_ns(&c->report_timer, 0);
}

static void client_open(struct http_client *c)
{
	if (c->multi)
		return;
	pthread_once(&curl_once, curl_start);
	c->multi = curl_multi_init();
	if (!c->multi)
		abort();
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	/* libcurl counts all connections, we limit the idle ones. */
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, 1000000L);
	curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
}

struct http_client *http_client_new(struct loop *l, const struct http_client_config *cfg)
{
	struct http_client *c = xcalloc(1, sizeof(*c));

	c->loop = l;
	c->cfg = *cfg;
	if (c->cfg.timeout_ms == 0)
		c->cfg.timeout_ms = 30000;
	if (c->cfg.idle_ms == 0)
		c->cfg.idle_ms = 90000;
	if (c->cfg.idle_max == 0)
		c->cfg.idle_max = 100;
	if (c->cfg.idle_per_host_max == 0)
		c->cfg.idle_per_host_max = 10;
	list_init(&c->calls);
	list_init(&c->ready);
	list_init(&c->handles);
	list_init(&c->idle);
	c->routes = map_new();
	loop_timer_init(&c->curl_timer, l, curl_timer_fired);
	loop_timer_init(&c->report_timer, l, report_timer_fired);
	loop_timer_init(&c->idle_timer, l, http_pool_idle_fired);
	loop_timer_init(&c->sweep_timer, l, http_pool_sweep_fired);
	return c;
}

void http_client_free(struct http_client *c)
{
	struct list *l;

	if (!c)
		return;
	assert(list_is_empty(&c->calls));
	if (c->sweeper) {
		if (c->sweeper->in_multi)
			curl_multi_remove_handle(c->multi, c->sweeper->easy);
		c->sweeper->in_multi = false;
		http_handle_free(c->sweeper);
	}
	while ((l = list_pop_front(&c->handles)))
		http_handle_free(list_entry(l, struct http_handle, link));
	if (c->multi)
		curl_multi_cleanup(c->multi); /* closes the connections, and with the last of each its route goes */
	assert(map_count(c->routes) == 0);
	loop_timer_stop(&c->curl_timer);
	loop_timer_stop(&c->report_timer);
	loop_timer_stop(&c->idle_timer);
	loop_timer_stop(&c->sweep_timer);
	map_free(c->routes, NULL);
	free(c->conns);
	free(c);
}

struct http_call *http_client_start(
	struct http_client *c, const struct http_request *req, http_done_fn *done, void *arg)
{
	struct http_call *call;

	assert(loop_is_mine(c->loop));
	client_open(c);
	call = http_call_new(c, req, done, arg);
	http_call_begin(call, req);
	http_client_report_later(c);
	return call;
}
