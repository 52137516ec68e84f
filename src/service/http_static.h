/*
 * http_static.h - the files of a folder, served under a path of a server.
 *
 * A request is answered with the file, its directory's index.html, a listing, or a redirect to the path that means
 * it; paths cannot lead out of the folder (files/root.h). Files are looked up on the thread pool, unless the kernel
 * has what is needed in its memory. In
 * single-page mode the whole path counts, the mount path included, and what does not exist is answered with one
 * index file. `precompressed` lets "app.js.br" or "app.js.gz", when it is there, be sent for "app.js" to clients
 * that take it.
 *
 * Immutable; any worker serves.
 */
#ifndef SERVICE_HTTP_STATIC_H
#define SERVICE_HTTP_STATIC_H

#include <stdbool.h>

#include "bind/node.h"
#include "http/exchange.h"

struct http_static;

/* All copied. */
struct http_static_config {
	struct node *node;
	const char *fs;    /* full id; looked up with each request */
	const char *path;  /* where it is mounted: "/assets", "/" */
	const char *index; /* single-page mode's file */
	const char *cache; /* Cache-Control of all answers but errors; NULL or "": none */
	bool spa;
	bool precompressed;
};

struct http_static *http_static_new(const struct http_static_config *cfg);
void http_static_free(struct http_static *s); /* NULL is fine; no request uses it any more */

/* `arg` is the struct http_static. Sees to exchange_end(). */
void http_static_serve(void *arg, struct exchange *x);

#endif
