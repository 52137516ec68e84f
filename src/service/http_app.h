/*
 * http_app.h - servers, routers, endpoints and mounts of the registry, and the sites made of them.
 *
 * The handlers of the kinds only note what there is; a server whose parts changed gets a new site once, when the change is committed, and running servers exchange
 * it at once. A change whose routes conflict is refused as a whole, and the old sites go on. Main thread.
 */
#ifndef SERVICE_HTTP_APP_H
#define SERVICE_HTTP_APP_H

#include "http/server.h"
#include "registry/entry.h"
#include "service/http_identity.h"
#include "service/http_mount.h"
#include "service/runtime.h"

struct http_app;

struct app_server {
	struct runtime *rt;
	char *id;
	char *addr;
	char *network; /* NULL: none */
	int64_t read_ns, write_ns, idle_ns;
	struct http_owner owner;
	struct http_server *server; /* while it runs */
	struct http_site *site;
	bool dirty;
};

/* The runtime's; made on first use. */
struct http_app *http_app(struct runtime *rt);
void http_app_free(struct http_app *a); /* NULL is fine */

struct app_server *http_app_server(struct http_app *a, const char *id);
/* The service owns `s` and takes it out before it goes. */
void http_app_put_server(struct http_app *a, struct app_server *s);
void http_app_drop_server(struct http_app *a, struct app_server *s);
/* Each replaces what its entry's id stood for. `e` is read whole first; errors as the kinds report them. */
int http_app_put_router(struct http_app *a, struct runtime *rt, const struct entry *e, struct err *err);
int http_app_put_endpoint(struct http_app *a, struct runtime *rt, const struct entry *e, struct err *err);
int http_app_put_mount(struct http_app *a, struct runtime *rt, const struct entry *e, struct err *err);
void http_app_drop_router(struct http_app *a, const char *id);
void http_app_drop_endpoint(struct http_app *a, const char *id);
void http_app_drop_mount(struct http_app *a, const char *id);

/* Hooks of the kinds. */
int http_app_prepare(struct runtime *rt, struct err *err);
void http_app_commit(struct runtime *rt);
void http_app_discard(struct runtime *rt);

/* A link: a text of `meta` ("server", "router"), as a full id. INVALID "metadata is required", "server metadata is required". */
int http_app_link(const struct entry *e, const char *field, char **ret_id, struct err *err);

#endif
