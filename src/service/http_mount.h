/*
 * http_mount.h - an entry of kind http.static, read and ready to be served: where it hangs, its middlewares, its
 * files.
 *
 *     meta: {server: app:web}
 *     path: /assets                      # answers /assets/... for every method
 *     fs: app:files
 *     static_options: {spa: false, index: index.html, cache: "max-age=3600", precompressed: false}
 *     middleware: [compress]             # one chain; there is no route in it
 *     options: {compress.level: best}    # what is no text is made one
 *
 * The older form has spa, index and cache among the options. Main thread, but for http_mount_unref(); a mount is
 * immutable.
 */
#ifndef SERVICE_HTTP_MOUNT_H
#define SERVICE_HTTP_MOUNT_H

#include "base/err.h"
#include "http/server.h"
#include "registry/entry.h"
#include "service/runtime.h"

struct http_mount;

/* INVALID "invalid configuration: ..." names the field; NOT_FOUND "filesystem not found: <id>"; INTERNAL "failed to
 * create middleware: ...". The server is not looked for. */
int http_mount_new(struct runtime *rt, const struct entry *e, struct http_mount **ret_mount, struct err *err);
struct http_mount *http_mount_ref(struct http_mount *m);
void http_mount_unref(struct http_mount *m); /* any thread; NULL is fine */

const char *http_mount_server(const struct http_mount *m); /* full id */
/* The pattern for the route table, for any method: the path with one slash at its end. */
const char *http_mount_pattern(const struct http_mount *m);
/* What route_spec.data points at; lives as long as the mount. */
struct http_target *http_mount_target(struct http_mount *m);

#endif
