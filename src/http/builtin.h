/*
 * builtin.h - middlewares that need nothing but the request, and how all of them read their options.
 */
#ifndef HTTP_BUILTIN_H
#define HTTP_BUILTIN_H

#include <stdint.h>

#include "http/middleware.h"

extern const struct middleware_type http_cors_middleware;       /* builtin_cors.c */
extern const struct middleware_type http_ratelimit_middleware;  /* builtin_ratelimit.c */
extern const struct middleware_type http_real_ip_middleware;    /* builtin_real_ip.c */
extern const struct middleware_type http_request_id_middleware; /* builtin_request_id.c */

/* What request_id gave this request; NULL: it is in none of the chains so far. */
const char *http_request_id(const struct exchange *x);

/* Of an exchange that is over, for whoever counts: 499, as other servers have it, when the client left before anything was sent. */
unsigned http_status_seen(const struct exchange *x);

/* The text of option `name`; where it is absent, of `old` (NULL: no older name); where that is absent or it is
 * empty, `otherwise`. Borrowed. */
const char *http_option(const struct value *options, const char *name, const char *old, const char *otherwise);
/* A whole number above 0, or the default. */
int64_t http_option_number(const struct value *options, const char *name, int64_t otherwise);
/* A duration above 0 in nanoseconds, or the default. */
int64_t http_option_duration(const struct value *options, const char *name, int64_t otherwise_ns);
/* Is it the text "true"? */
bool http_option_is_true(const struct value *options, const char *name, const char *old);

/* The value of a parameter of the query, decoded, the first of that name; false: there is none. */
bool http_query_value(const char *query, const char *name, struct buf *out);
/* The value of a cookie (RFC 6265 section 5.4), without quotes around it. */
bool http_cookie_value(const struct exchange *x, const char *name, struct buf *out);
/* The address of a remote text such as "192.0.2.1:80", "[::1]:80" or "192.0.2.1", appended; what is no address is
 * appended as it is. */
void http_remote_ip(const char *remote, struct buf *out);

#endif
