/*
 * canonical.h - the one spelling of a header name.
 */
#ifndef HTTP_CANONICAL_H
#define HTTP_CANONICAL_H

/* In place: "x-request-ID" becomes "X-Request-Id"; a name that is no token (RFC 9110 section 5.6.2) stays. */
void http_canonical_name(char *name);

#endif
