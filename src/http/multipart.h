/*
 * multipart.h - bodies of several parts (RFC 2046 section 5.1, RFC 7578), read as they arrive.
 *
 * Pure: bytes in by multipart_feed(), in any portions; parts out through callbacks, which run inside it. What a part holds is never kept here; of its header
 * fields at most MULTIPART_HEADER_BYTES_MAX.
 */
#ifndef HTTP_MULTIPART_H
#define HTTP_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum {
	MULTIPART_BOUNDARY_MAX = 70, /* RFC 2046 section 5.1.1 */
	MULTIPART_HEADER_BYTES_MAX = 32 * 1024,
	MULTIPART_PARTS_MAX = 1000,
};

/* The header fields of one part; valid inside multipart_ops.part. */
struct multipart_head {
	const char *fields; /* name NUL value NUL ..., names in canonical spelling */
	size_t fields_len;
	const char *name;     /* of the form's field; "" when the part has none */
	const char *filename; /* base name only; NULL or never empty */
};

/* Each returns -1 with `e` to stop; multipart_feed() then returns -1 too. */
struct multipart_ops {
	int (*part)(void *arg, const struct multipart_head *head, struct err *e);
	int (*data)(void *arg, const char *data, size_t len, struct err *e); /* never empty */
	int (*end)(void *arg, struct err *e);                                /* of the part */
};

struct multipart {
	const struct multipart_ops *ops;
	void *arg;
	char delimiter[4 + MULTIPART_BOUNDARY_MAX + 1]; /* CR LF -- boundary */
	size_t delimiter_len;
	size_t match; /* how much of the delimiter was seen */
	size_t given; /* its first bytes that were assumed, at the beginning of a line */
	int state;
	bool in_part;
	unsigned nparts;
	struct buf line;
	struct buf fields;
};

/* The boundary of a Content-Type. False: it is missing, too long or has bytes no boundary has. */
bool multipart_boundary(const char *content_type, char ret_boundary[MULTIPART_BOUNDARY_MAX + 1]);
/* `boundary` as returned above. */
void multipart_init(struct multipart *m, const char *boundary, const struct multipart_ops *ops, void *arg);
/* INVALID: malformed or over a limit. After a failure only multipart_done() is allowed. What follows the last part is ignored. */
int multipart_feed(struct multipart *m, const char *data, size_t len, struct err *e);
/* The body is over: INVALID when the last boundary is missing. */
int multipart_end(struct multipart *m, struct err *e);
void multipart_done(struct multipart *m);

#endif
