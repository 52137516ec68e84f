/*
 * kind_http.c - http.service, http.router, http.endpoint, http.static.
 *
 * A server listens while its service runs; its routes are known from its entry on. The rest is http_app.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "registry/fields.h"
#include "service/http_access_log.h"
#include "service/http_app.h"
#include "service/http_host.h"
#include "service/http_network.h"
#include "service/kinds.h"
#include "service/supervisor.h"

/* -- the service ------------------------------------------------------------------------------------- */

/* Anew with each start: variables may have other values now. */
static int load_tls(struct app_server *as, struct err *e)
{
	tls_server_unref(as->tls_server);
	as->tls_server = NULL;
	if (as->tls_mode != SERVER_TLS_MANUAL)
		return 0;
	return server_tls_load(as->rt->node.env, as->ns, as->tls, &as->tls_server, e);
}

int app_server_open(struct app_server *as, const char *addr, struct err *e)
{
	struct runtime *rt = as->rt;
	struct scheduler *sched = rt->node.scheduler;
	unsigned n = scheduler_nworkers(sched);
	struct loop **loops;
	struct http_server_config cfg = {
		.addr = addr,
		.read_ns = (uint64_t)as->read_ns,
		.write_ns = (uint64_t)as->write_ns,
		.idle_ns = (uint64_t)as->idle_ns,
		.nloops = n,
		.control = rt->loop,
		.owner = &as->owner,
	};
	int rc;

	if (load_tls(as, e) < 0)
		return -1;
	cfg.tls = as->tls_server;
	cfg.on_over = as->access_log ? http_access_log : NULL;
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

static int check_clear(const struct app_server *as, struct err *e)
{
	if (as->tls_auto)
		return err_set(e, ERR_INVALID, "tls.mode=auto requires an overlay network driver");
	return 0;
}

static void service_start(struct service *s)
{
	struct app_server *as = service_self(s);
	char *details;
	struct err e;

	identity_unref(as->owner.actor);
	scope_unref(as->owner.scope);
	as->owner.node = &service_runtime(s)->node;
	http_host_start(as);
	as->owner.actor = service_actor(s) ? identity_ref(service_actor(s)) : NULL;
	as->owner.scope = service_scope(s) ? scope_ref(service_scope(s)) : NULL;
	if (as->network) {
		http_network_start(s, as);
		return;
	}
	if (check_clear(as, &e) < 0 || app_server_open(as, as->addr, &e) < 0) {
		http_server_free(as->server);
		as->server = NULL;
		service_failed(s, &e);
		return;
	}
	log_info("http", "service listening", LOG_STR("server", as->id),
		LOG_STR("address", http_server_bound(as->server)));
	/* It is ready: the kernel answers whoever connects from here on, which is all that a connection of our own would show. */
	details = xasprintf("service listening on %s", http_server_bound(as->server));
	service_started_as(s, details);
	free(details);
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

static void stop_listening(struct service *s)
{
	struct app_server *as = service_self(s);
	struct stopping *st;

	if (as->behind) {
		http_network_stop(s, as);
		return;
	}
	if (!as->server) {
		service_stopped(s);
		return;
	}
	st = xmalloc(sizeof(*st));
	*st = (struct stopping){s, as};
	http_server_stop(as->server, service_stop_timeout_ms(s), on_stopped, st);
}

static void on_host_stopped(void *arg, struct host *h)
{
	struct app_server *as = arg;
	struct service *s = supervisor_find_self(as->rt->supervisor, as->id, as);

	(void)h;
	if (s)
		stop_listening(s);
}

/* Connections first: a stream of events is a request in progress that would not end by itself. */
static void service_stop(struct service *s)
{
	http_host_stop(service_self(s), service_stop_timeout_ms(s), on_host_stopped);
}

static void service_abandon(struct service *s)
{
	http_network_abandon(s, service_self(s));
}

void app_server_free(struct app_server *as)
{
	if (!http_network_free(as))
		return;
	http_server_free(as->server);
	http_site_unref(as->site);
	identity_unref(as->owner.actor);
	scope_unref(as->owner.scope);
	host_unref(as->owner.host);
	program_unref(as->owner.connections);
	value_unref(as->network_options);
	value_unref(as->tls);
	tls_server_unref(as->tls_server);
	free(as->id);
	free(as->ns);
	free(as->addr);
	free(as->network);
	free(as);
}

static void free_self(void *self)
{
	app_server_free(self);
}

static const struct service_ops ops = {
	.start = service_start, .stop = service_stop, .free = free_self, .abandon = service_abandon};

/* -- http.service ------------------------------------------------------------------------------------ */

static int read_timeout(const struct value *map, const char *name, int64_t *ret_ns, struct err *e)
{
	if (value_read_duration(map, name, ret_ns, e) < 0)
		return err_prefix(e, "failed to unmarshal config: invalid %s timeout", name);
	if (*ret_ns < 0)
		return err_set(e, ERR_INVALID, "invalid timeout configuration: %s timeout must be non-negative", name);
	return 0;
}

static int read_server(struct app_server *as, const struct value *data, struct err *e)
{
	const struct value *timeouts = value_get(data, "timeouts"), *options = value_get(data, "network_options");
	const char *addr = "", *network = "";

	if (value_read_string(data, "addr", &addr, e) < 0 || value_read_string(data, "network", &network, e) < 0 ||
		value_read_bool(data, "access_log", &as->access_log, e) < 0)
		return err_prefix(e, "failed to unmarshal config");
	if (!*addr)
		return err_set(e, ERR_INVALID, "address is required");
	/* An empty map is a list to some formats. */
	if (value_type(options) != VALUE_NIL && value_type(options) != VALUE_MAP && value_count(options) > 0)
		return err_set(e, ERR_INVALID, "failed to unmarshal config: field 'network_options' must be a map");
	if (read_timeout(timeouts, "read", &as->read_ns, e) < 0 ||
		read_timeout(timeouts, "write", &as->write_ns, e) < 0 ||
		read_timeout(timeouts, "idle", &as->idle_ns, e) < 0 ||
		http_host_read(value_get(data, "host"), &as->buffer_size, e) < 0 ||
		server_tls_check(as->rt->node.env, as->ns, as->tls, &as->tls_mode, e) < 0)
		return -1;
	as->tls_auto = as->tls_mode == SERVER_TLS_AUTO;
	as->addr = xstrdup(addr);
	as->network = *network ? xstrdup(network) : NULL;
	as->network_options = value_type(options) == VALUE_MAP ? value_ref((struct value *)options) : NULL;
	return 0;
}

static const char *const fields[] = {
	"access_log", "addr", "host", "network", "network_options", "timeouts", "tls", NULL};

static int make_server(struct runtime *rt, const struct entry *e, struct app_server **ret, struct err *err)
{
	struct app_server *as = xcalloc(1, sizeof(*as));

	entry_warn_unknown_fields(e, fields, NULL, rt->config.warn);
	as->rt = rt;
	as->id = xstrdup(e->id);
	as->ns = xstrdup(e->ns);
	as->tls = value_ref((struct value *)(uintptr_t)value_get(e->data, "tls"));
	if (read_server(as, e->data, err) < 0) {
		app_server_free(as);
		return err_prefix(err, "invalid configuration");
	}
	*ret = as;
	return 0;
}

static int server_add(struct runtime *rt, struct entry *e, struct err *err)
{
	struct app_server *as;

	if (make_server(rt, e, &as, err) < 0)
		return -1;
	if (supervisor_add_needing(rt->supervisor, e, as->network, &ops, as, NULL, err) < 0) {
		app_server_free(as);
		return -1;
	}
	http_host_announce(as);
	http_app_put_server(http_app(rt), as);
	return 0;
}

static void swap_text(char **a, char **b)
{
	char *t = *a;

	*a = *b;
	*b = t;
}

/* A running server with certificates uses the new ones at once; on failure the old ones. Whether there is TLS at all changes with the next start. */
static int change_certificates(struct app_server *as, const struct app_server *fresh, struct err *err)
{
	if (!as->server || !as->tls_server || fresh->tls_mode != SERVER_TLS_MANUAL)
		return 0;
	return server_tls_load(as->rt->node.env, fresh->ns, fresh->tls, &as->tls_server, err);
}

/* A running server goes on as it is but for its certificates; what the entry says now counts from its next start on. */
static int server_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	struct app_server *as = http_app_server(http_app(rt), e->id), *fresh;

	(void)old;
	if (!as)
		return err_set(err, ERR_NOT_FOUND, "server not found");
	if (make_server(rt, e, &fresh, err) < 0)
		return -1;
	if (as->server && strcmp(as->addr, fresh->addr) != 0) {
		app_server_free(fresh);
		return err_set(err, ERR_INTERNAL,
			"failed to update server config: cannot change server address while running");
	}
	if (change_certificates(as, fresh, err) < 0 || supervisor_update_security(rt->supervisor, e, err) < 0 ||
		supervisor_update_lifecycle(rt->supervisor, e, fresh->network, err) < 0) {
		app_server_free(fresh);
		return -1;
	}
	swap_text(&as->addr, &fresh->addr);
	swap_text(&as->network, &fresh->network);
	value_unref(as->network_options);
	as->network_options = value_ref(fresh->network_options);
	as->tls_auto = fresh->tls_auto;
	as->tls_mode = fresh->tls_mode;
	as->access_log = fresh->access_log;
	value_unref(as->tls);
	as->tls = value_ref(fresh->tls);
	as->read_ns = fresh->read_ns;
	as->write_ns = fresh->write_ns;
	as->idle_ns = fresh->idle_ns;
	as->buffer_size = fresh->buffer_size;
	app_server_free(fresh);
	return 0;
}

static void server_remove(struct runtime *rt, struct entry *e)
{
	struct app_server *as = http_app_server(http_app(rt), e->id);

	if (as) {
		http_app_drop_server(http_app(rt), as);
		http_host_forget(as);
	}
	supervisor_remove(rt->supervisor, e->id);
}

const struct kind http_service_kind = {
	.name = "http.service",
	.summary = "an HTTP server",
	.verbatim = "tls", /* the keys in it are wiped after use */
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
	.summary = "a prefix and middleware for endpoints",
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
	.summary = "a method and path of a router, answered by a function",
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
	.summary = "files of a filesystem under a path of a server",
	.add = static_add,
	.update = static_update,
	.remove = static_remove,
	.prepare = http_app_prepare,
	.commit = http_app_commit,
	.discard = http_app_discard,
};
