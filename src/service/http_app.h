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
#include "service/http_server_tls.h"
#include "service/runtime.h"

struct http_app;

struct http_network;

struct app_server {
	struct runtime *rt;
	char *id;
	char *ns; /* of its entry */
	char *addr;
	char *network;                 /* NULL: none */
	struct value *network_options; /* for its driver, a map, or NULL */
	bool tls_auto;                 /* tls.mode: auto, the overlay's driver ends TLS */
	enum server_tls_mode tls_mode;
	struct value *tls;             /* the entry's block, placeholders and all, or NULL */
	struct tls_server *tls_server; /* of mode manual, while it runs */
	struct http_network *behind;   /* while it runs on a network (http_network.c) */
	int64_t read_ns, write_ns, idle_ns;
	unsigned buffer_size; /* host.buffer_size */
	bool access_log;
	struct http_owner owner;
	struct http_server *server; /* while it runs */
	struct http_site *site;
	bool dirty;
};

/* Make as->server as the entry says, with its site, and start it: at `addr`, or with NULL for connections that are given to it only. On failure as->server may be set, to be
 * freed. In kind_http.c, as the next. */
int app_server_open(struct app_server *as, const char *addr, struct err *e);
void app_server_free(struct app_server *as);

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

#endif
