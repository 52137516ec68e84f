/*
 * media_type.h - parameters of fields such as Content-Type and Content-Disposition: `form-data; name="a"; filename*=UTF-8''%e2%82%ac.txt`.
 *
 * Tokens and quoted strings (RFC 9110 section 5.6.6); a parameter in the extended form of RFC 8187 wins over the plain one. Pure; any thread.
 */
#ifndef HTTP_MEDIA_TYPE_H
#define HTTP_MEDIA_TYPE_H

#include <stdbool.h>

#include "base/buf.h"

/* Is `field` of that type ("form-data"), whatever its parameters? Letters of either case. */
bool media_type_is(const char *field, const char *type);
/* Append the value of parameter `name` to `out`. False: there is none, or the field is malformed before it (then nothing was appended). */
bool media_type_param(const char *field, const char *name, struct buf *out);

#endif
