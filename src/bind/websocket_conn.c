/*
 * websocket_conn.c - see websocket.h
 */
#include "bind/websocket.h"

#include <stdlib.h>
#include <string.h>

#include "actor/worker.h"
#include "base/alloc.h"
#include "base/log.h"
#include "bind/process.h"
#include "engine/channel.h"
#include "engine/lua_api.h"

struct conn_message {
	struct conn_message *next;
	size_t len;
	bool is_binary;
	char data[];
};

/* -- the worker's connections ------------------------------------------------------------------------- */

/* Those whose process has ended are still saying good-bye. */
struct conns {
	struct list all;
	struct tls_client *tls; /* made by the first that needs it: reading the trust store takes a moment */
	uint64_t last_number;
};

static const char conns_slot;

static void *make_conns(struct worker *w)
{
	struct conns *all = xcalloc(1, sizeof(*all));

	(void)w;
	list_init(&all->all);
	return all;
}

static void drop(struct conn *c);

static void free_conns(void *arg)
{
	struct conns *all = arg;

	while (!list_is_empty(&all->all))
		drop(list_entry(all->all.next, struct conn, link));
	tls_client_unref(all->tls);
	free(all);
}

static struct conns *conns_of(struct worker *w)
{
	return worker_slot(w, &conns_slot, make_conns, free_conns);
}

struct tls_client *conn_tls(struct worker *w, struct err *e)
{
	struct conns *all = conns_of(w);

	if (!all->tls && tls_client_new(NULL, &all->tls, e) < 0)
		return NULL;
	return all->tls;
}

/* -- messages that wait ------------------------------------------------------------------------------- */

static void clear_messages(struct conn *c)
{
	while (c->head) {
		struct conn_message *m = c->head;

		c->head = m->next;
		free(m);
	}
	c->tail = &c->head;
	c->nwaiting = 0;
	c->bytes_waiting = 0;
}

static size_t waiting_max(const struct conn *c)
{
	return c->subscribed && c->capacity < CONN_WAITING_MAX ? CONN_WAITING_MAX : c->capacity;
}

/* Stop or go on reading, with a gap between the two so that it is not done for every message. */
static void push_back(struct conn *c)
{
	size_t max = waiting_max(c);

	if (!c->ws)
		return;
	if (!c->paused && (c->nwaiting >= max || c->bytes_waiting >= CONN_WAITING_BYTES_MAX)) {
		c->paused = true;
		websocket_pause(c->ws);
	} else if (c->paused && c->nwaiting <= max / 2 && c->bytes_waiting <= CONN_WAITING_BYTES_MAX / 2) {
		c->paused = false;
		websocket_resume(c->ws);
	}
}

static void discard_messages(struct conn *c)
{
	c->unwanted = true;
	clear_messages(c);
	push_back(c);
}

static void on_message(void *arg, bool is_binary, const void *data, size_t len)
{
	struct conn *c = arg;
	struct conn_message *m;

	if (c->unwanted)
		return;
	m = xmalloc(sizeof(*m) + len); /* at most read_limit */
	m->next = NULL;
	m->len = len;
	m->is_binary = is_binary;
	memcpy(m->data, data, len);
	*c->tail = m;
	c->tail = &m->next;
	c->nwaiting++;
	c->bytes_waiting += len;
	push_back(c);
	if (c->subscription)
		worker_enqueue(c->process->worker, c->process);
}

static void push_message(lua_State *L, struct conn *c)
{
	struct conn_message *m = c->head;

	lua_createtable(L, 0, 2);
	lua_pushstring(L, m->is_binary ? "binary" : "text");
	lua_setfield(L, -2, "type");
	lua_pushlstring(L, m->data, m->len);
	lua_setfield(L, -2, "data");
	c->head = m->next;
	if (!c->head)
		c->tail = &c->head;
	c->nwaiting--;
	c->bytes_waiting -= m->len;
	free(m);
	push_back(c);
}

/* -- the channel -------------------------------------------------------------------------------------- */

static void end_channel(struct conn *c)
{
	struct channel *ch;

	if (!c->subscription)
		return;
	ch = c->subscription->channel;
	inbox_drop(c->subscription);
	c->subscription = NULL;
	channel_close(ch);
	channel_release(ch);
}

static bool on_pull(struct subscription *s, struct lua_State *L, bool may_end)
{
	struct conn *c = s->owner;

	if (c->head) {
		push_message(L, c);
		return true;
	}
	if (c->ws)
		return false;
	if (may_end)
		end_channel(c);
	else
		worker_enqueue(c->process->worker, c->process);
	return false;
}

/* By the program. */
static void on_channel_closed(struct subscription *s)
{
	struct conn *c = s->owner;

	end_channel(c);
	discard_messages(c);
}

void conn_push_channel(lua_State *L, struct conn *c)
{
	struct process *p = c->process;
	char topic[40];
	struct channel *ch;
	int len;

	/* Programs cannot send to topics of the runtime. */
	len = snprintf(topic, sizeof(topic), "@websocket/%llu", (unsigned long long)++conns_of(p->worker)->last_number);
	ch = channel_push_held(L, CONN_CHANNEL_CAPACITY, &p->task);
	c->subscription = inbox_subscribe(process_inbox_open(L, p), topic, (size_t)len, ch);
	c->subscription->closed = on_channel_closed;
	c->subscription->pull = on_pull;
	c->subscription->owner = c;
	c->subscribed = true;
	push_back(c);
	/* There may be something for it. */
	worker_enqueue(p->worker, p);
}

/* -- operations --------------------------------------------------------------------------------------- */

static void decide(struct conn_wait *w, bool ok)
{
	list_remove(&w->link);
	w->ok = ok;
	if (w->abandoned)
		free(w);
	else
		pending_ready(&w->pending);
}

static void on_sent(void *arg, int rc)
{
	decide(arg, rc == 0);
}

static void on_cancel(struct pending *p)
{
	struct conn_wait *w = container_of(p, struct conn_wait, pending);

	w->abandoned = true;
	/* Else the connection still knows it. */
	if (!list_is_linked(&w->link))
		free(w);
}

void conn_wait_free(struct conn_wait *w)
{
	free(w);
}

static struct conn_wait *wait_new(struct conn *c)
{
	struct conn_wait *w = xcalloc(1, sizeof(*w));

	w->pending.cancel = on_cancel;
	list_push_back(&c->waits, &w->link);
	return w;
}

static struct conn_wait *give_up(struct conn_wait *w)
{
	list_remove(&w->link);
	free(w);
	return NULL;
}

struct conn_wait *conn_send(struct conn *c, bool is_binary, const char *data, size_t len)
{
	struct conn_wait *w;

	if (!c->ws)
		return NULL;
	w = wait_new(c);
	return websocket_send(c->ws, is_binary, data, len, on_sent, w) ? w : give_up(w);
}

struct conn_wait *conn_ping(struct conn *c)
{
	struct conn_wait *w;

	if (!c->ws || !websocket_ping(c->ws, "", 0))
		return NULL;
	w = wait_new(c);
	return websocket_flush(c->ws, on_sent, w) ? w : give_up(w);
}

struct conn_wait *conn_close(struct conn *c, unsigned code, const char *reason)
{
	struct conn_wait *w;

	c->closed = true;
	discard_messages(c);
	end_channel(c);
	if (!c->ws)
		return NULL;
	w = wait_new(c);
	w->is_close = true;
	websocket_close(c->ws, code, reason);
	return w;
}

/* -- the life ----------------------------------------------------------------------------------------- */

void conn_unref(struct conn *c)
{
	if (!c || --c->refs > 0)
		return;
	clear_messages(c);
	free(c);
}

/* The connection is over; whoever waits is told. */
static void drop(struct conn *c)
{
	websocket_free(c->ws);
	c->ws = NULL;
	list_remove(&c->link);
	list_for_each_safe(l, tmp, &c->waits) {
		struct conn_wait *w = list_entry(l, struct conn_wait, link);

		decide(w, w->is_close);
	}
	/* What waits is delivered before the channel closes. */
	if (c->subscription)
		worker_enqueue(c->process->worker, c->process);
	conn_unref(c);
}

static void on_closed(void *arg, unsigned code, const char *reason, const struct err *e)
{
	(void)reason;
	log_debug("websocket", "connection is over", LOG_INT("code", code), LOG_STR("error", e ? e->text : ""));
	drop(arg);
}

static void on_process_end(struct resource *r)
{
	struct conn *c = container_of(r, struct conn, resource);

	/* Inbox and channel go with the process. */
	c->subscription = NULL;
	c->process = NULL;
	discard_messages(c);
	if (c->ws)
		websocket_close(c->ws, 1001, "");
	conn_unref(c);
}

struct conn *conn_new(struct process *p, const struct websocket_dialled *d, const struct conn_settings *s)
{
	static const struct websocket_callbacks callbacks = {.message = on_message, .closed = on_closed};
	struct conn *c = xcalloc(1, sizeof(*c));
	struct websocket_config cfg = {
		.loop = worker_loop(p->worker),
		.transport = d->transport,
		.early = d->early,
		.nearly = d->nearly,
		.is_client = true,
		.message_max = s->message_max,
		.read_timeout_ns = s->read_timeout_ns,
		.write_timeout_ns = s->write_timeout_ns,
		.deflate = d->deflate,
	};

	c->process = p;
	c->capacity = s->capacity;
	c->tail = &c->head;
	c->refs = 3;
	list_init(&c->waits);
	list_push_back(&conns_of(p->worker)->all, &c->link);
	resource_own(&p->resources, &c->resource, on_process_end);
	c->ws = websocket_new(&cfg, &callbacks, c);
	return c;
}
