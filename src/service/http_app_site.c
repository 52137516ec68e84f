/*
 * http_app_site.c - the site of each server, made anew when its parts have changed.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "service/http_app_private.h"
#include "service/http_endpoint.h"

struct served {
	struct http_target target;
	struct http_function function;
	struct http_mount *mount;
};

struct site_parts {
	struct served **items;
	size_t n;
};

static void parts_free(void *arg)
{
	struct site_parts *parts = arg;

	for (size_t i = 0; i < parts->n; i++) {
		struct served *v = parts->items[i];

		if (v->mount) {
			http_mount_unref(v->mount);
		} else {
			middleware_chain_unref(v->target.outer);
			middleware_chain_unref(v->target.inner);
			free(v->function.id);
			free((char *)(uintptr_t)v->target.id);
		}
		free(v);
	}
	free(parts->items);
	free(parts);
}

static struct served *add_part(struct site_parts *parts)
{
	struct served *v = xcalloc(1, sizeof(*v));

	parts->items = xreallocarray(parts->items, parts->n + 1, sizeof(struct served *));
	parts->items[parts->n++] = v;
	return v;
}

/* `automatic`: the OPTIONS route that comes with it. */
static int add_endpoint(struct site_parts *parts, struct route_table *t, struct runtime *rt, const char *id,
	const struct app_endpoint *p, const struct app_router *r, bool automatic, struct err *err)
{
	struct served *v = add_part(parts);
	struct route_spec spec = {.method = automatic ? "OPTIONS" : p->method,
		.host = r->host,
		.prefix = r->prefix + r->path_at,
		.path = p->path,
		.colons = true,
		.automatic = automatic,
		.data = &v->target};

	v->target.outer = middleware_chain_ref(r->outer);
	if (automatic) {
		v->target.serve = http_options_serve;
	} else {
		v->target.id = xstrdup(id);
		v->target.inner = middleware_chain_ref(r->inner);
		v->target.is_endpoint = true;
		v->function.node = &rt->node;
		v->function.id = xstrdup(p->func);
		v->target.serve = http_function_serve;
		v->target.arg = &v->function;
	}
	return route_add(t, &spec, err);
}

/* What the change under way removes does not count, although it is still there. */
static bool stays(struct runtime *rt, const char *id)
{
	return !registry_is_leaving(rt->node.registry, id);
}

static int add_endpoints(struct http_app *a, struct site_parts *parts, struct route_table *t, struct app_server *s,
	bool automatic, struct err *err)
{
	const char *id;
	void *value;

	for (size_t i = 0; map_next(a->endpoints, &i, &id, &value);) {
		const struct app_endpoint *p = value;
		const struct app_router *r = map_get(a->routers, p->router);

		if (!r || strcmp(r->server, s->id) != 0 || !stays(s->rt, id) || !stays(s->rt, p->router) ||
			(automatic && strcmp(p->method, "OPTIONS") == 0))
			continue;
		if (add_endpoint(parts, t, s->rt, id, p, r, automatic, err) < 0)
			return err_prefix(err, "endpoint '%.200s'", id);
	}
	return 0;
}

static int add_mounts(
	struct http_app *a, struct site_parts *parts, struct route_table *t, struct app_server *s, struct err *err)
{
	const char *id;
	void *value;

	for (size_t i = 0; map_next(a->mounts, &i, &id, &value);) {
		struct http_mount *m = value;
		struct route_spec spec = {.path = http_mount_pattern(m), .data = http_mount_target(m)};

		if (strcmp(http_mount_server(m), s->id) != 0 || !stays(s->rt, id))
			continue;
		add_part(parts)->mount = http_mount_ref(m);
		if (route_add(t, &spec, err) < 0)
			return err_prefix(err, "static '%.200s'", id);
	}
	return 0;
}

static int build(struct http_app *a, struct app_server *s, struct http_site **ret_site, struct err *err)
{
	struct site_parts *parts = xcalloc(1, sizeof(*parts));
	struct route_table *t = route_table_new();

	if (add_endpoints(a, parts, t, s, false, err) < 0 || add_mounts(a, parts, t, s, err) < 0 ||
		add_endpoints(a, parts, t, s, true, err) < 0 || route_table_build(t, err) < 0) {
		route_table_free(t);
		parts_free(parts);
		return -1;
	}
	*ret_site = http_site_new(t, parts_free, parts);
	return 0;
}

int http_app_prepare(struct runtime *rt, struct err *err)
{
	struct http_app *a = http_app(rt);
	const char *id;
	void *value;

	for (size_t i = 0; map_next(a->servers, &i, &id, &value);) {
		struct app_server *s = value;
		struct http_site *site;

		if (!s->dirty || !stays(rt, id))
			continue;
		if (build(a, s, &site, err) < 0)
			return -1;
		http_site_unref(site);
	}
	return 0;
}

void http_app_commit(struct runtime *rt)
{
	struct http_app *a = http_app(rt);
	struct http_site *site;
	const char *id;
	void *value;
	struct err e;

	for (size_t i = 0; map_next(a->servers, &i, &id, &value);) {
		struct app_server *s = value;

		if (!s->dirty)
			continue;
		s->dirty = false;
		if (build(a, s, &site, &e) < 0) {
			/* The old table goes on. */
			log_error("http", "routes of a server could not be rebuilt", LOG_STR("server", id),
				LOG_STR("error", e.text));
			continue;
		}
		http_site_unref(s->site);
		s->site = site;
		if (s->server)
			http_server_set_site(s->server, site);
	}
}

void http_app_discard(struct runtime *rt)
{
	struct http_app *a = http_app(rt);
	const char *id;
	void *value;

	for (size_t i = 0; map_next(a->servers, &i, &id, &value);)
		((struct app_server *)value)->dirty = false;
}
