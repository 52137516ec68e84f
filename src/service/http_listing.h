/*
 * http_listing.h - a folder as a page of links.
 */
#ifndef SERVICE_HTTP_LISTING_H
#define SERVICE_HTTP_LISTING_H

#include "base/buf.h"
#include "files/root.h"

enum { HTTP_LISTING_MAX = 50000 }; /* names; the page says when there are more */

/* Append the page: sorted by name, folders with a slash. `path` is clean. Blocks: for a pool thread. Errors of
 * files_list_open(). */
int http_listing_write(struct files_root *root, const char *path, struct buf *out, struct err *e);

/* A name as one segment of a relative URL: percent-encoded, and "./" before it when it would be read as a scheme
 * (RFC 3986 section 4.2). */
void http_add_encoded_name(struct buf *out, const char *name);

#endif
