/*
 * http_app_private.h - what http_app.c (the parts, as entries describe them) and http_app_site.c (sites made of them) share. Main thread.
 */
#ifndef SERVICE_HTTP_APP_PRIVATE_H
#define SERVICE_HTTP_APP_PRIVATE_H

#include "base/map.h"
#include "service/http_app.h"

struct app_router {
	char *server;
	char *prefix;   /* as the entry has it */
	char *host;     /* what it begins with when that is no path; NULL: any host */
	size_t path_at; /* where its path begins */
	struct middleware_chain *outer;
	struct middleware_chain *inner;
};

struct app_endpoint {
	char *router;
	char *method;
	char *path;
	char *func;
};

struct http_app {
	struct map *servers;
	struct map *routers;
	struct map *endpoints;
	struct map *mounts; /* struct http_mount */
};

#endif
