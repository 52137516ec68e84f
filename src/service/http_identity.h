/*
 * http_identity.h - who a request acts as.
 *
 * It begins with the server's own actor and scope (its lifecycle.security); the middleware token_auth may put
 * others in their place. Firewalls look here, and so does the endpoint when it makes the frame of its call. On the
 * exchange's worker.
 */
#ifndef SERVICE_HTTP_IDENTITY_H
#define SERVICE_HTTP_IDENTITY_H

#include "bind/node.h"
#include "http/exchange.h"
#include "security/identity.h"
#include "security/scope.h"

/* What http_server_config.owner points at, or begins with. Immutable while the server runs. */
struct http_owner {
	struct node *node;
	struct identity *actor;      /* NULL: none */
	struct scope *scope;         /* NULL: none */
	struct host *host;           /* of the connections of its relays, see http_host.h */
	struct program *connections; /* what they are to the census */
};

/* For this request from here on. Takes both; each may be NULL. */
void http_identity_set(struct exchange *x, struct identity *actor, struct scope *scope);
/* Borrowed, until the next http_identity_set(); NULL: none. */
struct identity *http_identity_actor(const struct exchange *x);
struct scope *http_identity_scope(const struct exchange *x);

#endif
