/*
 * route.h - which handler a method and a path lead to.
 *
 * Pure; no I/O. A table is filled, built once, and then immutable: any thread may match. Matching allocates nothing and takes time in the length of the path.
 *
 * A pattern is a path of segments:
 *
 *     text        that segment, compared after percent-decoding
 *     {name}      exactly one segment that is not empty; captured
 *     {name...}   last: the rest, also nothing
 *     trailing /  the whole subtree, like an unnamed {...}
 *     {$}         last: only the path that ends in / here
 *
 * Precedence does not depend on the order of adding: routes of the method, for HEAD then those of GET, then those of any method; among them, segment by segment, text before
 * {name} before rest, with backtracking. Two routes that match a common request, neither of them only part of what the other matches, conflict.
 */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum { ROUTE_SEGMENTS_MAX = 64, ROUTE_PARAMS_MAX = 32, ROUTE_PATTERN_MAX = 4096 };

struct route_table;

struct route_table *route_table_new(void);
void route_table_free(struct route_table *t); /* NULL is fine; `data` is not touched */

/* What a pattern is added as. */
struct route_spec {
	const char *method; /* NULL: any */
	const char *host;   /* NULL: any; else compared without port, whatever the case */
	const char *prefix; /* "" or NULL: none; one trailing / is dropped. {x} in it matches but is not captured */
	const char *path;   /* begins with / */
	bool colons;        /* :name in `path` means {name} */
	bool automatic;     /* gives way: added only when no route of its method is equivalent, and never a conflict */
	void *data;
};
/* INVALID "bad route pattern '/{id}.json': ..." . Automatic ones are added last. */
int route_add(struct route_table *t, const struct route_spec *s, struct err *e);
/* Look for conflicts and make it ready. CONFLICT "route pattern conflicts detected:\n  - GET /a conflicts with GET /a". */
int route_table_build(struct route_table *t, struct err *e);

enum route_result {
	ROUTE_FOUND,
	ROUTE_REDIRECT,  /* 307 to `location` */
	ROUTE_NO_METHOD, /* 405, `allow` */
	ROUTE_NOT_FOUND,
};

/* A captured segment, as sent: still percent-encoded. */
struct route_param {
	const char *name;
	const char *text;
	size_t len;
};

struct route_match {
	void *data;
	const char *pattern; /* whole, without method; lives as long as the table */
	struct route_param params[ROUTE_PARAMS_MAX];
	size_t nparams;
};

/* `path` as sent, without query; `host` as sent or "". `text` gets the path to redirect to (encoded, without query) or the Allow list; it is touched in those cases only. */
enum route_result route_match(const struct route_table *t, const char *method, const char *host, const char *path,
	struct route_match *ret, struct buf *text);

/* Append `len` bytes percent-decoded; a % that begins no pair of hex digits stays. False: it holds an encoded NUL. */
bool route_decode(struct buf *out, const char *s, size_t len);

#endif
