#include "service/http_network.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "bind/current.h"
#include "net/addr.h"
#include "service/announce.h"

/* As long as its service is neither stopped nor failed. */
struct http_network {
	struct service *service;
	struct app_server *server;
	char *id; /* of the overlay, as it was at the start */
	struct listener *listener;
	bool is_ready;
	bool is_closing;  /* requests finish, then `end` */
	bool start_again; /* meanwhile the service was started anew */
	bool is_orphan;   /* meanwhile the service has gone: the server goes with it */
	enum { END_STOPPED, END_FAILED, END_ABANDONED } end;
	struct err why; /* of END_FAILED */
};

static void network_free(struct http_network *n)
{
	overlay_unlisten(n->listener);
	free(n->id);
	free(n);
}

/* -- the end of it ----------------------------------------------------------------------------------- */

static void on_closed(void *arg, unsigned cut)
{
	struct http_network *n = arg;
	struct app_server *as = n->server;
	struct service *s = n->service;
	struct http_network ended = *n;

	if (cut > 0)
		log_warn("http", "graceful shutdown failed: requests were cut", LOG_STR("server", as->id),
			LOG_INT("connections", cut));
	http_server_free(as->server);
	as->server = NULL;
	as->behind = NULL;
	network_free(n);
	if (ended.is_orphan)
		app_server_free(as);
	else if (ended.start_again)
		http_network_start(s, as);
	else if (ended.end == END_STOPPED)
		service_stopped(s);
	else if (ended.end == END_FAILED && service_state(s) != SERVICE_STOPPING) /* else its stop is on the way here */
		service_failed(s, &ended.why);
}

/* No new connections; `timeout_ms` for the requests in progress. */
static void close_network(struct http_network *n, uint64_t timeout_ms)
{
	overlay_unlisten(n->listener);
	n->listener = NULL;
	if (n->is_closing)
		return;
	n->is_closing = true;
	http_server_stop(n->server->server, timeout_ms, on_closed, n);
}

/* -- what the listener says -------------------------------------------------------------------------- */

static void on_ready(void *arg, const char *address)
{
	struct http_network *n = arg;
	struct app_server *as = n->server;

	/* Nothing else publishes it. */
	log_info("http", n->is_ready ? "service moved to another address" : "service listening",
		LOG_STR("server", as->id), LOG_STR("network", n->id), LOG_STR("address", address));
	announce_listening(as->rt->node.bus, n->id, as->id, address);
	if (n->is_ready)
		return;
	n->is_ready = true;
	service_started(n->service);
}

static void on_accept(void *arg, int fd, const struct listen_peer *peer)
{
	struct http_network *n = arg;
	struct http_peer who = {.address = peer->address, .identity = peer->identity, .is_tls = peer->is_tls};

	http_server_give(n->server->server, fd, &who);
}

static void fail_listen(struct http_network *n, const struct err *e)
{
	n->why = *e;
	/* The configuration is wrong, not the listener. */
	if (e->code && strcmp(e->code, "no_auto_tls") == 0)
		return;
	n->why.kind = ERR_INTERNAL;
	err_prefix(&n->why, "overlay listen failed: %.256s", n->id);
}

static void on_failed(void *arg, const struct err *e)
{
	struct http_network *n = arg;

	fail_listen(n, e);
	n->end = END_FAILED;
	/* Its connections went through what is gone. */
	close_network(n, 0);
}

static const struct listen_callbacks callbacks = {.ready = on_ready, .accept = on_accept, .failed = on_failed};

/* -- start ------------------------------------------------------------------------------------------- */

/* Who asks for a listener is the server itself, as its lifecycle.security says. */
static int find_network(struct service *s, const struct app_server *as, struct overlay **ret, struct err *e)
{
	struct node *node = &as->rt->node;
	struct frame who = {.overlay = "", .actor = service_actor(s), .scope = service_scope(s)};
	struct overlay *o = overlay_set_get(node->overlays, as->network);

	if (!o)
		return err_set(
			e, ERR_NOT_FOUND, "overlay network not found: %.256s: network: service not found", as->network);
	if (!frame_allows(node, &who, "network.bind", as->network)) {
		overlay_unref(o);
		return err_set(e, ERR_PERMISSION_DENIED, "not allowed: bind on network %.256s", as->network);
	}
	*ret = o;
	return 0;
}

/* ":8080", "100.64.0.3:80". The network has addresses of its own: a name of this host means nothing there. */
static int read_port(const char *addr, uint16_t *ret_port, struct err *e)
{
	const char *colon = strrchr(addr, ':');
	struct addr a;
	char *end, *host;
	unsigned long port;
	bool ok;

	port = colon && colon[1] >= '0' && colon[1] <= '9' ? strtoul(colon + 1, &end, 10) : 65536;
	if (port > 65535 || *end)
		return err_set(e, ERR_INVALID, "invalid address '%.200s': expected host:port", addr);
	host = xmemdupz(addr, (size_t)(colon - addr));
	ok = !*host || addr_from_literal(host, (uint16_t)port, &a);
	free(host);
	if (!ok)
		return err_set(e, ERR_INVALID, "listen %.200s: host part must be empty or IP literal", addr);
	*ret_port = (uint16_t)port;
	return 0;
}

static int begin(struct service *s, struct app_server *as, struct err *e)
{
	struct listen_options opt = {.name = as->id, .tls = as->tls_auto, .options = as->network_options};
	struct http_network *n;
	struct overlay *o = NULL;

	if (find_network(s, as, &o, e) < 0)
		return -1;
	if (read_port(as->addr, &opt.port, e) < 0 || app_server_open(as, NULL, e) < 0) {
		overlay_unref(o);
		return -1;
	}
	n = xcalloc(1, sizeof(*n));
	n->service = s;
	n->server = as;
	n->id = xstrdup(as->network);
	as->behind = n;
	opt.overlay = o;
	n->listener = overlay_listen(&opt, &callbacks, n);
	overlay_unref(o);
	return 0;
}

void http_network_start(struct service *s, struct app_server *as)
{
	struct err e;

	/* An abandoned start is still closing. */
	if (as->behind) {
		as->behind->start_again = true;
		return;
	}
	if (begin(s, as, &e) < 0) {
		http_server_free(as->server);
		as->server = NULL;
		service_failed(s, &e);
	}
}

void http_network_stop(struct service *s, struct app_server *as)
{
	if (!as->behind) {
		service_stopped(s);
		return;
	}
	as->behind->start_again = false;
	as->behind->end = END_STOPPED;
	close_network(as->behind, service_stop_timeout_ms(s));
}

/* The start took too long: what it waited for is the overlay's to say. */
static void log_waited_for(const struct app_server *as)
{
	struct overlay *o = overlay_set_get(as->rt->node.overlays, as->behind->id);
	struct overlay_status st;

	if (!o)
		return;
	overlay_get_status(o, &st);
	overlay_unref(o);
	log_warn("http", "the server waits for its network", LOG_STR("server", as->id),
		LOG_STR("network", as->behind->id), LOG_STR("state", overlay_state_name(st.state)),
		LOG_STR("reason", st.reason));
}

void http_network_abandon(struct service *s, struct app_server *as)
{
	(void)s;
	if (!as->behind)
		return;
	log_waited_for(as);
	as->behind->end = END_ABANDONED;
	close_network(as->behind, 0);
}

bool http_network_free(struct app_server *as)
{
	if (!as->behind)
		return true;
	/* Unless the workers are gone, and nothing ends any more. */
	if (as->behind->is_closing && !as->rt->stopped) {
		as->behind->is_orphan = true;
		return false;
	}
	network_free(as->behind);
	as->behind = NULL;
	return true;
}
