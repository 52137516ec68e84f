/*
 * route_private.h - what the files of the route table share.
 */
#ifndef HTTP_ROUTE_PRIVATE_H
#define HTTP_ROUTE_PRIVATE_H

#include "http/route.h"

enum route_segment_kind {
	ROUTE_TEXT, /* also {$}: the empty text after a trailing slash */
	ROUTE_ONE,
	ROUTE_REST,
};

struct route_segment {
	enum route_segment_kind kind;
	char *text; /* decoded text, or the name; NULL: unnamed */
	size_t len;
	bool captured;
	bool is_end; /* {$} */
};

struct route_pattern {
	char *method; /* NULL: any */
	char *host;   /* NULL: any */
	char *text;   /* as written, for people: prefix and path */
	struct route_segment *segments;
	size_t nsegments;
	bool automatic;
	void *data;
};

/* INVALID names the pattern and what is wrong with it. */
int route_pattern_parse(struct route_pattern *p, const struct route_spec *s, struct err *e);
void route_pattern_done(struct route_pattern *p);
/* Do both lead to the same paths? */
bool route_patterns_equivalent(const struct route_pattern *a, const struct route_pattern *b);
bool route_patterns_conflict(const struct route_pattern *a, const struct route_pattern *b);

#endif
