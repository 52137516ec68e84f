/*
 * http_text.h - URL text, forms and multipart bodies. Pure.
 */
#ifndef BIND_HTTP_TEXT_H
#define BIND_HTTP_TEXT_H

#include "base/buf.h"
#include "base/err.h"

struct http_pair {
	const char *key;
	size_t key_len;
	const char *value;
	size_t value_len;
};

/* Query escaping: letters, digits and -_.~ stay, a blank becomes '+', other bytes %XX. */
void http_escape(struct buf *out, const char *text, size_t len);
/* The reverse; ERR_INVALID `invalid URL escape "%zz"`. */
int http_unescape(struct buf *out, const char *text, size_t len, struct err *e);

/* "k=v&k=v", sorted by key (the array is permuted). */
void http_write_form(struct buf *out, struct http_pair *pairs, size_t n);

/* `url` with each pair's key replaced in (or added to) its query, the whole query sorted by key and encoded anew. */
void http_merge_query(struct buf *out, const char *url, struct http_pair *pairs, size_t n);

/* One part of multipart/form-data (RFC 7578). `filename` NULL: a plain field. */
void http_write_part(struct buf *out, const char *boundary, const char *name, size_t name_len, const char *filename,
	size_t filename_len, const char *content, size_t content_len);

/* "name=value" of a Cookie header (RFC 6265 section 4.2.1); bytes that are not allowed there are dropped. */
void http_cookie_write(struct buf *out, const char *name, size_t name_len, const char *value, size_t value_len);
/* Name and value of a Set-Cookie line, borrowed from it, without the attributes; false when there is no name. */
bool http_cookie_read(
	const char *line, const char **ret_name, size_t *ret_name_len, const char **ret_value, size_t *ret_value_len);

#endif
