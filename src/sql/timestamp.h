/*
 * timestamp.h - points in time as SQLite columns hold them, as one text: RFC 3339 in UTC, to the second. Pure.
 */
#ifndef SQL_TIMESTAMP_H
#define SQL_TIMESTAMP_H

#include <stddef.h>
#include <stdint.h>

enum { SQL_TIMESTAMP_MAX = 40 };

/* Unix seconds, or milliseconds when |v| > 10^12, as "2024-06-15T14:30:45Z". Writes a NUL and returns the length. */
size_t sql_timestamp_from_int(int64_t v, char out[static SQL_TIMESTAMP_MAX]);

/* From "YYYY-MM-DD[( |T)HH:MM[:SS[.fraction]]][±HH:MM]", a trailing Z dropped. What cannot be read becomes
 * "0001-01-01T00:00:00Z". */
size_t sql_timestamp_from_text(const char *text, size_t len, char out[static SQL_TIMESTAMP_MAX]);

/* As a parameter: "2024-06-15 14:30:45.123456789+00:00", without trailing zeros of the fraction. Texts of this form
 * compare as their times. */
size_t sql_timestamp_format(int64_t unix_ns, char out[static SQL_TIMESTAMP_MAX]);

#endif
