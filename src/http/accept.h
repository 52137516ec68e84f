/*
 * accept.h - which coding of a body a client takes (RFC 9110 section 12.5.3). Pure; any thread.
 */
#ifndef HTTP_ACCEPT_H
#define HTTP_ACCEPT_H

#include <stddef.h>

/* The index of the coding in `offered` that Accept-Encoding rates highest, the first of equals; -1: none of them is
 * listed with a weight above 0. `*` lists nothing. `field` may be NULL. */
int http_accept_encoding(const char *field, const char *const *offered, size_t n);

#endif
