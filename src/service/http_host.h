/*
 * http_host.h - a server as a message host: the connections of its relays are processes on the host that has the server's id.
 *
 *     host:
 *       buffer_size: 1024     # messages that wait for one connection; with more waiting, process.send() waits
 *       worker_count: 4       # only checked: a connection lives on the worker that accepted it
 *
 * A message to a connection that has gone is dropped without a word; while the server does not run, sending fails: "server host not initialized". Main thread.
 */
#ifndef SERVICE_HTTP_HOST_H
#define SERVICE_HTTP_HOST_H

#include "service/http_app.h"

/* The block `host` of an http.service. INVALID. */
int http_host_read(const struct value *block, unsigned *ret_buffer_size, struct err *e);
/* Known by its id, not running. */
void http_host_announce(struct app_server *as);
void http_host_forget(struct app_server *as);
/* For this run of the server: what is left of an earlier one goes its own way. */
void http_host_start(struct app_server *as);
/* Ask the connections to end (WebSockets close with 1001), end those that do not; then `done(as, ...)`, later. */
void http_host_stop(struct app_server *as, uint64_t timeout_ms, host_stopped_fn *done);

#endif
