/*
 * http_request.h - a Lua options table read into what the HTTP client sends.
 *
 * Everything lives in one userdata, so nothing leaks when Lua raises; strings that are not changed are borrowed from the Lua values,
 * which must stay on the stack until the request is started.
 */
#ifndef BIND_HTTP_REQUEST_H
#define BIND_HTTP_REQUEST_H

#include "bind/current.h"
#include "http/client.h"

struct lua_State;

struct http_build {
	struct http_request req;
	struct http_tls_options tls;
	struct http_header *headers; /* owned, strings too */
	size_t headers_cap;
	struct buf url; /* with the query options merged in */
	struct buf body;
	struct secret *userinfo; /* of the URL; what is logged while permissions are checked does not show it */
	struct secret *password;
	const char *raw_url;     /* as the program gave it: what permissions judge */
	const char *overlay_id;  /* overlay_network, NULL when not given */
	struct overlay *overlay; /* a reference */
	bool wants_route;        /* option `route`: the response tells its way */
	bool select_denied;      /* http_build_authorize() failed on overlay_id */
};

/* Once per heap. */
void http_build_register(struct lua_State *L);
/* Push a new, empty one. */
struct http_build *http_build_push(struct lua_State *L);

/* Read method, URL and the options table at `options` (0: none). Fields of the wrong type count as absent. No permission is checked yet. */
void http_build_read(struct lua_State *L, struct http_build *b, const char *method, const char *url, int options);

/* The permission checks of one request, in order. PERMISSION_DENIED "not allowed: …". */
int http_build_authorize(struct lua_State *L, struct http_build *b, struct err *e);
/* The one check a batch makes before all others. */
int http_build_authorize_url(struct lua_State *L, const struct http_build *b, struct err *e);
/* The overlay the request takes, into req.overlay. INTERNAL: it does not exist; INVALID: it cannot lead to a Unix socket. */
int http_build_choose_overlay(struct lua_State *L, struct http_build *b, struct err *e);
/* Push nil and what http_build_authorize() or http_build_choose_overlay() said; the build is done. */
int http_build_push_refusal(struct lua_State *L, struct http_build *b, const struct err *e);
/* Push a method in upper case and return it; it lives on the stack. */
const char *http_push_method(struct lua_State *L, const char *method, size_t len);

void http_build_done(struct http_build *b);

#endif
