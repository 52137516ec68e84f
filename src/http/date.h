/*
 * date.h - dates of HTTP fields (RFC 9110 section 5.6.7). Pure, whatever the locale; any thread.
 */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include <stdbool.h>
#include <stdint.h>

enum { HTTP_DATE_BYTES = 32 };

/* "Sun, 06 Nov 1994 08:49:37 GMT" of Unix seconds, for the years 0 to 9999; returns `out`. */
char *http_date_format(int64_t seconds, char out[static HTTP_DATE_BYTES]);
/* That form and the two old ones: "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994". */
bool http_date_parse(const char *text, int64_t *ret_seconds);

#endif
