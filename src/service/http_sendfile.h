/*
 * http_sendfile.h - the middleware sendfile: a handler names a file by a header, and the file is the answer.
 *
 *     res:set_header("X-Sendfile", "reports/may.pdf")    -- or X-File-Path
 *     res:set_header("X-File-Name", "May.pdf")           -- Content-Disposition: attachment
 *
 * Option `sendfile.fs` [fs]: the filesystem's full id. The handler sets headers only: once it has set a status or
 * written, they go out as they are.
 */
#ifndef SERVICE_HTTP_SENDFILE_H
#define SERVICE_HTTP_SENDFILE_H

#include <stdbool.h>

#include "http/exchange.h"

/* The handler has returned and nothing is committed: was a file named, and is the middleware in the chain? True: it
 * sees to exchange_end(). */
bool http_sendfile_serve(struct exchange *x);

#endif
