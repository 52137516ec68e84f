/*
 * duration.h - lengths of time as text, in nanoseconds.
 *
 * Grammar: optional sign, then one or more <decimal><unit> with units ns, us,
 * µs (both code points), ms, s, m, h; "0" needs no unit; no blanks. Pure.
 */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { DURATION_TEXT_MAX = 40 };

/* ERR_INVALID: `time: invalid duration "x"`, `time: missing unit in duration "x"`,
 * `time: unknown unit "d" in duration "1d"`. */
int duration_parse(const char *text, size_t len, int64_t *ret_ns, struct err *e);

/* "1h30m45.5s", "1m0s", "500ms", "1.5µs", "20ns", "0s". Writes a NUL; returns `out`. */
char *duration_format(int64_t ns, char out[static DURATION_TEXT_MAX]);

#endif
