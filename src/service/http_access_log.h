/*
 * http_access_log.h - one line in the log for each request of an http.service that has `access_log: true`.
 *
 *     INFO http request {"server": "app:web", "method": "GET", "path": "/a b", "status": 200, "bytes": 12, "duration_ms": 0.4, "remote": "192.0.2.1:50000",
 *          "request_id": "..."}
 *
 * The path without its query (which may hold what nobody should read) and not longer than ACCESS_LOG_PATH_MAX bytes; the bytes of the body as sent; the remote as
 * the middleware real_ip left it; status 499 when the client left before there was one. What was refused before it was a request (400, 431)
 * is in no line. A running server goes on as it was when it started.
 */
#ifndef SERVICE_HTTP_ACCESS_LOG_H
#define SERVICE_HTTP_ACCESS_LOG_H

#include "http/exchange.h"

enum { ACCESS_LOG_PATH_MAX = 1024 };

/* For http_server_config.on_over: `owner` is that of a struct app_server. On the exchange's worker. */
void http_access_log(void *owner, const struct exchange *x);

#endif
