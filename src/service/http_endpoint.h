/*
 * http_endpoint.h - a route's handler that is a function: call it, and answer for it what it did not answer itself.
 *
 * The call runs on the worker of the request, in a frame of its own: actor and scope of the request (http_identity.h), network as the function's entry says. A
 * client that leaves cancels the call. Worker threads; what `serve` gets as `arg` lives as long as the site.
 */
#ifndef SERVICE_HTTP_ENDPOINT_H
#define SERVICE_HTTP_ENDPOINT_H

#include "bind/node.h"
#include "http/exchange.h"

struct http_function {
	struct node *node;
	char *id; /* entry id of the function; looked up with each request */
};

/* `arg` is a struct http_function. Sees to exchange_end(). */
void http_function_serve(void *arg, struct exchange *x);
/* OPTIONS for a path that has other methods: 204. */
void http_options_serve(void *arg, struct exchange *x);

#endif
