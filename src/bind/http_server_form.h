/*
 * http_server_form.h - a multipart form being taken in, and afterwards: its fields and files.
 *
 * Fields and small files are kept in memory; once files need more than allowed, the one that arrives goes to a temporary file that has no name (one for the whole form), which
 * is gone when the form is. No Lua here. Owner thread, except that http_form_feed() may run on another while nobody touches the form.
 */
#ifndef BIND_HTTP_SERVER_FORM_H
#define BIND_HTTP_SERVER_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { HTTP_FORM_VALUES_EXTRA = 10 * 1024 * 1024 };

struct http_form;

struct http_form_part {
	const char *name;
	const char *filename; /* NULL: a field, `data` is its value */
	const char *fields;   /* header: name NUL value NUL ..., canonical names */
	size_t fields_len;
	const char *data; /* NULL: in the file */
	int64_t size;
};

/* `boundary` as of multipart_boundary(). Files together may use `max_memory` bytes, fields (names and headers included) that and HTTP_FORM_VALUES_EXTRA. */
struct http_form *http_form_new(const char *boundary, uint64_t max_memory);
struct http_form *http_form_ref(struct http_form *f);
void http_form_unref(struct http_form *f); /* NULL is fine */

/* Would feeding `len` more bytes write to disk? Then do it on another thread. */
bool http_form_may_block(const struct http_form *f, size_t len);
int http_form_feed(struct http_form *f, const char *data, size_t len, struct err *e);
/* The body is over. */
int http_form_end(struct http_form *f, struct err *e);

/* After the end; parts do not change any more. */
size_t http_form_count(const struct http_form *f);
void http_form_part(const struct http_form *f, size_t i, struct http_form_part *ret);
/* Read from part i at `offset`; fewer bytes only at its end. May block when its data is NULL; any thread that holds a reference. */
int http_form_read(
	const struct http_form *f, size_t i, int64_t offset, void *to, size_t max, size_t *ret_n, struct err *e);

#endif
