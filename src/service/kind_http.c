/*
 * kind_http.c - http.service, http.router, http.endpoint, http.static.
 *
 * A server listens while its service runs; its routes are known from its entry on. The rest is http_app.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "bind/current.h"
#include "service/http_app.h"
#include "service/kinds.h"
#include "service/supervisor.h"

/* -- the service ------------------------------------------------------------------------------------- */

/* Who asks for a listener is the server itself, as its lifecycle.security says. */
static int check_network(struct service *s, const struct app_server *as, struct err *e)
{
	struct runtime *rt = service_runtime(s);
	struct frame who = {.overlay = "", .actor = service_actor(s), .scope = service_scope(s)};
	struct overlay *o = overlay_set_get(rt->node.overlays, as->network);

	if (!o)
		return err_set(e, ERR_NOT_FOUND, "overlay network not found: %.256s", as->network);
	overlay_unref(o);
	if (!frame_allows(&rt->node, &who, "network.bind", as->network))
		return err_set(e, ERR_PERMISSION_DENIED, "not allowed: bind on network %.256s", as->network);
	/* The only kind of overlay there is so far. Never the host's network instead. */
	return err_set(e, ERR_UNAVAILABLE,
		"overlay listen failed: %.256s: socks5: operation not supported (inbound listeners are not exposed "
		"over SOCKS5)",
		as->network);
}

static int open_server(struct service *s, struct app_server *as, struct err *e)
{
	struct runtime *rt = service_runtime(s);
	struct scheduler *sched = rt->node.scheduler;
	unsigned n = scheduler_nworkers(sched);
	struct loop **loops;
	struct http_server_config cfg = {
		.addr = as->addr,
		.read_ns = (uint64_t)as->read_ns,
		.write_ns = (uint64_t)as->write_ns,
		.idle_ns = (uint64_t)as->idle_ns,
		.nloops = n,
		.control = rt->loop,
		.owner = &as->owner,
	};
	int rc;

	if (as->network)
		return check_network(s, as, e);
	loops = xcalloc(n, sizeof(struct loop *));
	for (unsigned i = 0; i < n; i++)
		loops[i] = worker_loop(scheduler_worker(sched, i));
	cfg.loops = loops;
	rc = http_server_new(&cfg, &as->server, e);
	free(loops);
	if (rc < 0)
		return -1;
	http_server_set_site(as->server, as->site);
	return http_server_start(as->server, e);
}

static void service_start(struct service *s)
{
	struct app_server *as = service_self(s);
	struct err e;

	identity_unref(as->owner.actor);
	scope_unref(as->owner.scope);
	as->owner.node = &service_runtime(s)->node;
	as->owner.actor = service_actor(s) ? identity_ref(service_actor(s)) : NULL;
	as->owner.scope = service_scope(s) ? scope_ref(service_scope(s)) : NULL;
	if (open_server(s, as, &e) < 0) {
		http_server_free(as->server);
		as->server = NULL;
		service_failed(s, &e);
		return;
	}
	log_info("http", "service listening", LOG_STR("server", as->id),
		LOG_STR("address", http_server_bound(as->server)));
	service_started(s);
}

struct stopping {
	struct service *service;
	struct app_server *server;
};

static void on_stopped(void *arg, unsigned cut)
{
	struct stopping *st = arg;

	if (cut > 0)
		log_warn("http", "graceful shutdown failed: requests were cut", LOG_STR("server", st->server->id),
			LOG_INT("connections", cut));
	http_server_free(st->server->server);
	st->server->server = NULL;
	service_stopped(st->service);
	free(st);
}

static void service_stop(struct service *s)
{
	struct app_server *as = service_self(s);
	struct stopping *st;

	if (!as->server) {
		service_stopped(s);
		return;
	}
	st = xmalloc(sizeof(*st));
	*st = (struct stopping){s, as};
	http_server_stop(as->server, service_stop_timeout_ms(s), on_stopped, st);
}

static void server_free(void *self)
{
	struct app_server *as = self;

	http_server_free(as->server);
	http_site_unref(as->site);
	identity_unref(as->owner.actor);
	scope_unref(as->owner.scope);
	free(as->id);
	free(as->addr);
	free(as->network);
	free(as);
}

static const struct service_ops ops = {.start = service_start, .stop = service_stop, .free = server_free};

/* -- http.service ------------------------------------------------------------------------------------ */

static int read_timeout(const struct value *map, const char *name, int64_t *ret_ns, struct err *e)
{
	if (value_read_duration(map, name, ret_ns, e) < 0)
		return err_prefix(e, "failed to unmarshal config: invalid %s timeout", name);
	if (*ret_ns < 0)
		return err_set(e, ERR_INVALID, "invalid timeout configuration: %s timeout must be non-negative", name);
	return 0;
}

static int read_host(const struct value *host, struct err *e)
{
	int64_t buffer = 0, workers = 0;

	if (value_read_int(host, "buffer_size", &buffer, e) < 0 ||
		value_read_int(host, "worker_count", &workers, e) < 0)
		return err_prefix(e, "failed to unmarshal config");
	if (buffer < 0)
		return err_set(e, ERR_INVALID, "buffer size must be non-negative");
	if (workers < 0)
		return err_set(e, ERR_INVALID, "worker count must be non-negative");
	if (buffer > 0 || workers > 0)
		return err_set(
			e, ERR_INVALID, "fields 'host.buffer_size' and 'host.worker_count' are not supported yet");
	return 0;
}

static int read_tls(const struct value *tls, struct err *e)
{
	static const char *const fields[] = {
		"cert", "key", "cert_env", "key_env", "client_auth", "client_ca", "client_ca_env"};
	const char *mode = "", *text;

	if (value_read_string(tls, "mode", &mode, e) < 0)
		return err_prefix(e, "failed to unmarshal config");
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		text = "";
		if (value_read_string(tls, fields[i], &text, e) < 0)
			return err_prefix(e, "failed to unmarshal config");
		if (*text && !*mode)
			return err_set(e, ERR_INVALID, "tls.mode=off must not set cert/key or mTLS fields");
	}
	if (*mode && strcmp(mode, "manual") != 0 && strcmp(mode, "auto") != 0)
		return err_set(e, ERR_INVALID, "invalid tls.mode: %.100s", mode);
	return *mode ? err_set(e, ERR_INVALID, "tls.mode=%s is not supported yet", mode) : 0;
}

static int read_server(struct app_server *as, const struct value *data, struct err *e)
{
	const struct value *timeouts = value_get(data, "timeouts");
	const char *addr = "", *network = "";

	if (!data)
		return err_set(e, ERR_INVALID, "configuration data is required");
	if (value_read_string(data, "addr", &addr, e) < 0 || value_read_string(data, "network", &network, e) < 0)
		return err_prefix(e, "failed to unmarshal config");
	if (!*addr)
		return err_set(e, ERR_INVALID, "address is required");
	if (read_timeout(timeouts, "read", &as->read_ns, e) < 0 ||
		read_timeout(timeouts, "write", &as->write_ns, e) < 0 ||
		read_timeout(timeouts, "idle", &as->idle_ns, e) < 0 || read_host(value_get(data, "host"), e) < 0 ||
		read_tls(value_get(data, "tls"), e) < 0)
		return -1;
	as->addr = xstrdup(addr);
	as->network = *network ? xstrdup(network) : NULL;
	return 0;
}

static int make_server(struct runtime *rt, const struct entry *e, struct app_server **ret, struct err *err)
{
	struct app_server *as = xcalloc(1, sizeof(*as));
	struct value *data = NULL;
	int rc = -1;

	as->rt = rt;
	as->id = xstrdup(e->id);
	if (e->data && env_expand(rt->node.env, e->ns, e->data, &data, err) < 0)
		goto out;
	rc = read_server(as, data, err);
	if (rc < 0 && data)
		err_prefix(err, "invalid configuration");
out:
	value_unref(data);
	if (rc < 0)
		server_free(as);
	else
		*ret = as;
	return rc;
}

static int server_add(struct runtime *rt, struct entry *e, struct err *err)
{
	struct app_server *as;

	if (make_server(rt, e, &as, err) < 0)
		return -1;
	if (supervisor_add_needing(rt->supervisor, e, as->network, &ops, as, NULL, err) < 0) {
		server_free(as);
		return -1;
	}
	http_app_put_server(http_app(rt), as);
	return 0;
}

static void swap_text(char **a, char **b)
{
	char *t = *a;

	*a = *b;
	*b = t;
}

/* A running server goes on as it is; what the entry says now counts from its next start on. */
static int server_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	struct app_server *as = http_app_server(http_app(rt), e->id), *fresh;

	(void)old;
	if (!as)
		return err_set(err, ERR_NOT_FOUND, "server not found");
	if (make_server(rt, e, &fresh, err) < 0)
		return -1;
	if (as->server && strcmp(as->addr, fresh->addr) != 0) {
		server_free(fresh);
		return err_set(err, ERR_INTERNAL,
			"failed to update server config: cannot change server address while running");
	}
	if (supervisor_update_security(rt->supervisor, e, err) < 0 ||
		supervisor_update_lifecycle(rt->supervisor, e, fresh->network, err) < 0) {
		server_free(fresh);
		return -1;
	}
	swap_text(&as->addr, &fresh->addr);
	swap_text(&as->network, &fresh->network);
	as->read_ns = fresh->read_ns;
	as->write_ns = fresh->write_ns;
	as->idle_ns = fresh->idle_ns;
	server_free(fresh);
	return 0;
}

static void server_remove(struct runtime *rt, struct entry *e)
{
	struct app_server *as = http_app_server(http_app(rt), e->id);

	if (as)
		http_app_drop_server(http_app(rt), as);
	supervisor_remove(rt->supervisor, e->id);
}

const struct kind http_service_kind = {
	.name = "http.service",
	.add = server_add,
	.update = server_update,
	.remove = server_remove,
	.prepare = http_app_prepare,
	.commit = http_app_commit,
	.discard = http_app_discard,
};

/* -- http.router, http.endpoint, http.static --------------------------------------------------------- */

static int router_add(struct runtime *rt, struct entry *e, struct err *err)
{
	return http_app_put_router(http_app(rt), rt, e, err);
}

static int router_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	(void)old;
	return router_add(rt, e, err);
}

static void router_remove(struct runtime *rt, struct entry *e)
{
	http_app_drop_router(http_app(rt), e->id);
}

const struct kind http_router_kind = {
	.name = "http.router",
	.add = router_add,
	.update = router_update,
	.remove = router_remove,
	.prepare = http_app_prepare,
	.commit = http_app_commit,
	.discard = http_app_discard,
};

static int endpoint_add(struct runtime *rt, struct entry *e, struct err *err)
{
	return http_app_put_endpoint(http_app(rt), rt, e, err);
}

static int endpoint_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	(void)old;
	return endpoint_add(rt, e, err);
}

static void endpoint_remove(struct runtime *rt, struct entry *e)
{
	http_app_drop_endpoint(http_app(rt), e->id);
}

const struct kind http_endpoint_kind = {
	.name = "http.endpoint",
	.add = endpoint_add,
	.update = endpoint_update,
	.remove = endpoint_remove,
	.prepare = http_app_prepare,
	.commit = http_app_commit,
	.discard = http_app_discard,
};

static int static_add(struct runtime *rt, struct entry *e, struct err *err)
{
	return http_app_put_mount(http_app(rt), rt, e, err);
}

static int static_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	(void)old;
	return static_add(rt, e, err);
}

static void static_remove(struct runtime *rt, struct entry *e)
{
	http_app_drop_mount(http_app(rt), e->id);
}

const struct kind http_static_kind = {
	.name = "http.static",
	.add = static_add,
	.update = static_update,
	.remove = static_remove,
	.prepare = http_app_prepare,
	.commit = http_app_commit,
	.discard = http_app_discard,
};
