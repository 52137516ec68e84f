/*
 * headers.h - header fields: checked and put in libcurl's form on the way out, collected with limits on the way in.
 *
 * One thread. Sizes a peer chooses are bounded by HTTP_HEADER_BYTES_MAX and HTTP_HEADERS_MAX (http/client.h).
 */
#ifndef HTTP_HEADERS_H
#define HTTP_HEADERS_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "http/canonical.h"
#include "http/client.h"

/* RFC 9110 section 5.6.2. */
bool http_is_token(const char *s);

/* -- request ---------------------------------------------------------------------------------------- */

/* The program's headers, copied. Those that describe the message framing (Host, Content-Length, Transfer-Encoding,
 * Trailer) are left out. */
struct http_header_set {
	struct http_header *items;
	size_t n;
};

/* ERR_INVALID `net/http: invalid header field name "a b"`; the value itself is never shown. */
int http_header_set_init(struct http_header_set *s, const struct http_header *headers, size_t n, struct err *e);
void http_header_set_done(struct http_header_set *s);
const char *http_header_set_get(const struct http_header_set *s, const char *name);
void http_header_set_put(struct http_header_set *s, const char *name, const char *value);
/* Drop every field for which `drop` is true. */
void http_header_set_drop(struct http_header_set *s, bool (*drop)(const char *name));

/* The list libcurl sends, in one block. */
struct http_header_list {
	struct curl_slist *nodes; /* NULL: nothing built */
	char *text;
};

struct http_header_extra {
	const char *host;          /* Host to send; NULL = libcurl's own from the URL */
	const char *authorization; /* NULL = none; the program's own wins */
	const char *referer;       /* NULL = none */
	bool empty_length;         /* Content-Length: 0 */
	bool has_body;
};

/* Valid until http_header_list_done() or the next build; `l` is zeroed at first. libcurl's own additions (Accept, and
 * with a body Content-Type and Expect) are switched off in the list. */
struct curl_slist *http_header_list_build(
	struct http_header_list *l, const struct http_header_set *s, const struct http_header_extra *x);
void http_header_list_done(struct http_header_list *l);

/* -- response --------------------------------------------------------------------------------------- */

struct http_head {
	struct buf text; /* name NUL value NUL ... */
	struct http_head_line *lines;
	size_t n;
	size_t cap;
	size_t bytes;
	int status;
	bool is_http2;
	bool started;              /* a status line was seen */
	bool complete;             /* the blank line of the final response was seen */
	struct http_header *items; /* made by http_head_items() */
};

void http_head_init(struct http_head *h);
void http_head_done(struct http_head *h);
void http_head_reset(struct http_head *h);
/* One line with its line end, as libcurl hands it over. Interim (1xx) responses are forgotten, trailers ignored.
 * Returns 1 when this line completed the head, 0 otherwise, -1 over a limit (ERR_INTERNAL, code
 * "headers_too_large"). */
int http_head_line(struct http_head *h, const char *line, size_t len, struct err *e);
/* The first value of a canonical name, NULL when absent. Valid until the next line. */
const char *http_head_get(const struct http_head *h, const char *name);
void http_head_drop(struct http_head *h, const char *name);
/* The fields in wire order; valid as long as `h`. */
const struct http_header *http_head_items(struct http_head *h, size_t *ret_n);

#endif
