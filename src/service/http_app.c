#include "service/http_app.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "service/http_app_private.h"
#include "service/http_middlewares.h"

struct http_app *http_app(struct runtime *rt)
{
	if (!rt->http) {
		rt->http = xcalloc(1, sizeof(*rt->http));
		rt->http->servers = map_new();
		rt->http->routers = map_new();
		rt->http->endpoints = map_new();
		rt->http->mounts = map_new();
	}
	return rt->http;
}

static void router_free(void *arg)
{
	struct app_router *r = arg;

	if (!r)
		return;
	middleware_chain_unref(r->outer);
	middleware_chain_unref(r->inner);
	free(r->server);
	free(r->prefix);
	free(r->host);
	free(r);
}

static void endpoint_free(void *arg)
{
	struct app_endpoint *p = arg;

	if (!p)
		return;
	free(p->router);
	free(p->method);
	free(p->path);
	free(p->func);
	free(p);
}

static void mount_free(void *arg)
{
	http_mount_unref(arg);
}

void http_app_free(struct http_app *a)
{
	if (!a)
		return;
	map_free(a->servers, NULL);
	map_free(a->routers, router_free);
	map_free(a->endpoints, endpoint_free);
	map_free(a->mounts, mount_free);
	free(a);
}

/* -- what changed ------------------------------------------------------------------------------------ */

static void touch_server(struct http_app *a, const char *id)
{
	struct app_server *s = id ? map_get(a->servers, id) : NULL;

	if (s)
		s->dirty = true;
}

static void touch_router(struct http_app *a, const char *id)
{
	const struct app_router *r = map_get(a->routers, id);

	if (r)
		touch_server(a, r->server);
}

struct app_server *http_app_server(struct http_app *a, const char *id)
{
	return map_get(a->servers, id);
}

void http_app_put_server(struct http_app *a, struct app_server *s)
{
	s->dirty = true;
	map_set(a->servers, s->id, s);
}

void http_app_drop_server(struct http_app *a, struct app_server *s)
{
	if (map_get(a->servers, s->id) == s)
		map_remove(a->servers, s->id);
}

/* -- reading entries --------------------------------------------------------------------------------- */

/* A link: a text of `meta` ("server", "router"), as a full id. INVALID "metadata is required", "server metadata is required". */
static int http_app_link(const struct entry *e, const char *field, char **ret_id, struct err *err)
{
	const char *id = "";

	if (value_count(e->meta) == 0)
		return err_set(err, ERR_INVALID, "metadata is required");
	if (value_read_string(e->meta, field, &id, err) < 0)
		return -1;
	if (!*id)
		return err_set(err, ERR_INVALID, "%s metadata is required", field);
	*ret_id = entry_id_resolve(id, e->ns);
	return 0;
}

static int check_options(const struct value *options, const char *field, struct err *err)
{
	for (size_t i = 0; i < value_count(options); i++) {
		const char *key;

		if (value_type(value_pair(options, i, &key, NULL)) != VALUE_STRING)
			return err_set(err, ERR_INVALID,
				"failed to unmarshal config: field '%s': option '%.200s' must be a string", field, key);
	}
	return 0;
}

static int make_chain(struct runtime *rt, const struct value *data, const char *list, const char *options,
	const char *what, struct middleware_chain **ret, struct err *err)
{
	const struct value *names = value_get(data, list), *map = value_get(data, options);

	if (names && value_type(names) != VALUE_NIL && value_type(names) != VALUE_LIST)
		return err_set(err, ERR_INVALID, "failed to unmarshal config: field '%s' must be a list", list);
	if (map && value_type(map) != VALUE_NIL && value_type(map) != VALUE_MAP && value_count(map) > 0)
		return err_set(err, ERR_INVALID, "failed to unmarshal config: field '%s' must be a map", options);
	if (check_options(map, options, err) < 0)
		return -1;
	if (middleware_chain_new(http_middlewares, &rt->node, names, map, ret, err) < 0)
		return err_prefix(err, "failed to create %s", what);
	return 0;
}

static int check_prefix(struct http_app *a, const struct entry *e, const struct app_router *r, struct err *err)
{
	const struct app_router *other;
	const char *id;
	void *value;

	for (size_t i = 0; map_next(a->routers, &i, &id, &value);) {
		other = value;
		if (strcmp(id, e->id) != 0 && strcmp(other->server, r->server) == 0 &&
			strcmp(other->prefix, r->prefix) == 0)
			return err_set(err, ERR_ALREADY_EXISTS, "router prefix already exists");
	}
	return 0;
}

/* "/v1" or "shop.example.com/v1": the latter only where the request's Host, without its port, is that. */
static void split_prefix(struct app_router *r)
{
	if (!*r->prefix || *r->prefix == '/')
		return;
	r->path_at = strcspn(r->prefix, "/");
	r->host = xmemdupz(r->prefix, r->path_at);
}

int http_app_put_router(struct http_app *a, struct runtime *rt, const struct entry *e, struct err *err)
{
	struct app_router *r = xcalloc(1, sizeof(*r)), *old;
	const char *prefix = "";

	if (value_read_string(e->data, "prefix", &prefix, err) < 0) {
		err_prefix(err, "invalid configuration: failed to unmarshal config");
		goto fail;
	}
	r->prefix = xstrdup(prefix);
	split_prefix(r);
	if (http_app_link(e, "server", &r->server, err) < 0)
		goto fail;
	if (!map_get(a->servers, r->server)) {
		err_set(err, ERR_NOT_FOUND, "server not found: %s", r->server);
		goto fail;
	}
	if (check_prefix(a, e, r, err) < 0 ||
		make_chain(rt, e->data, "middleware", "options", "middleware", &r->outer, err) < 0 ||
		make_chain(rt, e->data, "post_middleware", "post_options", "post-match middleware", &r->inner, err) < 0)
		goto fail;
	touch_router(a, e->id);
	old = map_set(a->routers, e->id, r);
	touch_router(a, e->id);
	router_free(old);
	return 0;
fail:
	router_free(r);
	return -1;
}

static bool is_method(const char *s)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"};

	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (strcmp(methods[i], s) == 0)
			return true;
	return false;
}

static int read_endpoint(const struct entry *e, struct app_endpoint *p, struct err *err)
{
	const char *func = "", *path = "", *method = "";

	if (value_read_string(e->data, "func", &func, err) < 0 || value_read_string(e->data, "path", &path, err) < 0 ||
		value_read_string(e->data, "method", &method, err) < 0)
		return err_prefix(err, "failed to unmarshal config");
	if (!*func)
		return err_set(err, ERR_INVALID, "function name is required");
	if (!*path)
		return err_set(err, ERR_INVALID, "path is required");
	if (*path != '/')
		return err_set(err, ERR_INVALID, "path must start with /");
	if (!*method)
		return err_set(err, ERR_INVALID, "method is required");
	if (!is_method(method))
		return err_set(err, ERR_INVALID, "invalid HTTP method: %.100s", method);
	p->func = entry_id_resolve(func, e->ns);
	p->path = xstrdup(path);
	p->method = xstrdup(method);
	return http_app_link(e, "router", &p->router, err);
}

int http_app_put_endpoint(struct http_app *a, struct runtime *rt, const struct entry *e, struct err *err)
{
	struct app_endpoint *p = xcalloc(1, sizeof(*p)), *old;
	const struct app_router *r;

	(void)rt;
	if (read_endpoint(e, p, err) < 0) {
		err_prefix(err, "invalid configuration");
		goto fail;
	}
	r = map_get(a->routers, p->router);
	if (!r || !map_get(a->servers, r->server)) {
		err_set(err, ERR_NOT_FOUND, r ? "server not found: %s" : "router not found: %s",
			r ? r->server : p->router);
		goto fail;
	}
	old = map_set(a->endpoints, e->id, p);
	if (old)
		touch_router(a, old->router);
	endpoint_free(old);
	touch_router(a, p->router);
	return 0;
fail:
	endpoint_free(p);
	return -1;
}

/* Does another entry have its place? */
static bool is_mounted(struct http_app *a, struct runtime *rt, const char *id, const struct http_mount *m)
{
	const char *other;
	void *value;

	for (size_t i = 0; map_next(a->mounts, &i, &other, &value);) {
		if (strcmp(other, id) != 0 && !registry_is_leaving(rt->node.registry, other) &&
			strcmp(http_mount_server(value), http_mount_server(m)) == 0 &&
			strcmp(http_mount_pattern(value), http_mount_pattern(m)) == 0)
			return true;
	}
	return false;
}

int http_app_put_mount(struct http_app *a, struct runtime *rt, const struct entry *e, struct err *err)
{
	struct http_mount *m, *old;

	if (http_mount_new(rt, e, &m, err) < 0)
		return -1;
	if (!map_get(a->servers, http_mount_server(m))) {
		err_set(err, ERR_NOT_FOUND, "server not found: %s", http_mount_server(m));
		http_mount_unref(m);
		return -1;
	}
	if (is_mounted(a, rt, e->id, m)) {
		http_mount_unref(m);
		return err_set(err, ERR_ALREADY_EXISTS, "mount path already exists");
	}
	old = map_set(a->mounts, e->id, m);
	if (old)
		touch_server(a, http_mount_server(old));
	http_mount_unref(old);
	touch_server(a, http_mount_server(m));
	return 0;
}

void http_app_drop_router(struct http_app *a, const char *id)
{
	touch_router(a, id);
	router_free(map_remove(a->routers, id));
}

void http_app_drop_endpoint(struct http_app *a, const char *id)
{
	struct app_endpoint *p = map_remove(a->endpoints, id);

	if (p)
		touch_router(a, p->router);
	endpoint_free(p);
}

void http_app_drop_mount(struct http_app *a, const char *id)
{
	struct http_mount *m = map_remove(a->mounts, id);

	if (m)
		touch_server(a, http_mount_server(m));
	http_mount_unref(m);
}
