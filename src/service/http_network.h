/*
 * http_network.h - a server behind an overlay (http.service with `network`): its listener, from the start of its service to its end.
 *
 * The service runs when the overlay says that peers can reach it; until then start_timeout counts. A listener that is lost for good fails the service, which its
 * supervisor restarts; what the driver mends by itself is only a state of the overlay. Never a listener on the host's own network instead. Main thread.
 *
 * Errors of a start: NOT_FOUND "overlay network not found: <id>: network: service not found", PERMISSION_DENIED "not allowed: bind on network <id>", INVALID "network
 * driver does not support auto TLS: <id>", INTERNAL "overlay listen failed: <id>: <why>". The last is retried unless the driver says that it is of no use.
 */
#ifndef SERVICE_HTTP_NETWORK_H
#define SERVICE_HTTP_NETWORK_H

#include "service/http_app.h"
#include "service/supervisor.h"

/* Operations of the service, for a server whose entry names a network. */
void http_network_start(struct service *s, struct app_server *as);
void http_network_stop(struct service *s, struct app_server *as);
void http_network_abandon(struct service *s, struct app_server *as);
/* The server is to be freed: let go of its listener. False: requests still finish; app_server_free() is called again afterwards. */
bool http_network_free(struct app_server *as);

#endif
