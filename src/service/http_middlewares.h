/*
 * http_middlewares.h - every middleware there is, for the chains of routers and mounts (middleware_chain_new() with
 * a struct node as `env`).
 *
 * Options are texts; unless said otherwise one that is empty or cannot be read means the default. Names in brackets
 * are older ones, used when the new one is absent.
 *
 *   cors          cors.allow.origins [allow_origins] and its kind: answers preflights, names the origin that may read
 *   compress      compress.level, compress.min.length: gzip, and brotli where the library was there
 *   ratelimit     ratelimit.requests, .window, .burst, .key (ip | header:Name | query:name), .cleanup_interval,
 *                 .entry_ttl, .max_entries
 *   real_ip       real_ip.trusted.subnets [trusted_subnets], real_ip.trust_all: the address a trusted proxy tells
 *   request_id    request_id.header: the client's X-Request-Id, when it is one, or a new one, is sent back
 *   token_auth    token_auth.store [token_store] ...: the request acts as its token says; never refuses
 *   network_identity
 *                 network_identity.required, .prefix ("peer:"), .groups, .policies (full ids, separated by commas): the
 *                 request acts as the peer the overlay vouches for: its login, node or destination; with `required`
 *                 403 when it vouches for nobody
 *   endpoint_firewall, resource_firewall
 *                 401 and 403 unless the scope allows (after token_auth; the first in post_middleware only)
 *   sendfile      sendfile.fs [fs]: a file that the handler names is the answer (http_sendfile.h)
 *   websocket_relay, sse_relay
 *                 the response becomes a connection bound to a process (http_relay.h)
 *   metrics       requests counted and timed
 *   prometheus    answers every request with what was counted
 */
#ifndef SERVICE_HTTP_MIDDLEWARES_H
#define SERVICE_HTTP_MIDDLEWARES_H

#include "http/middleware.h"

/* Ends with NULL. */
extern const struct middleware_type *const http_middlewares[];

/* Answer {"details", "error", "success": false}, texts that need no escaping; for refusals. */
enum middleware_next http_refuse(struct exchange *x, unsigned status, const char *error, const char *details);

/* For that list. */
extern const struct middleware_type http_compress_middleware;          /* http_compress.c */
extern const struct middleware_type http_endpoint_firewall_middleware; /* http_firewall.c */
extern const struct middleware_type http_resource_firewall_middleware;
extern const struct middleware_type http_network_identity_middleware; /* http_network_identity.c */
extern const struct middleware_type http_sendfile_middleware;         /* http_sendfile.c */
extern const struct middleware_type http_sse_relay_middleware;        /* sse_relay.c */
extern const struct middleware_type http_websocket_relay_middleware;  /* websocket_relay.c */
extern const struct middleware_type http_token_auth_middleware;       /* http_token_auth.c */
extern const struct middleware_type http_metrics_middleware;          /* http_metrics.c */
extern const struct middleware_type http_prometheus_middleware;

#endif
