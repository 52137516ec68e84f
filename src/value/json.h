/*
 * json.h - JSON text from and to value trees, parsing over libjansson.
 *
 * The first value of the text counts; what follows is ignored. Integers beyond 64 bits are clamped. Duplicate
 * names are errors (RFC 8259 section 4 leaves them open), and so are names that hold U+0000 and floats beyond the range
 * of a double; nesting is limited. Numbers without '.' or exponent are ints. Values do not know their position.
 * The caller bounds `len`. Any thread.
 */
#ifndef VALUE_JSON_H
#define VALUE_JSON_H

#include "value/value.h"

enum { JSON_DEPTH_MAX = 128 };

/* ERR_INTERNAL "<line>:<column>: ...", or "maximum nesting depth exceeded" alone. */
int json_parse(const char *text, size_t len, struct value **ret_value, struct err *e);

/* Writers append to `out`; invalid UTF-8 becomes U+FFFD, byte for byte; NaN and infinities become null. Floats have
 * no exponent, and no fraction if it is zero. */
void json_write(const struct value *v, struct buf *out);
void json_write_string(const char *s, size_t len, struct buf *out);
void json_write_float(double v, struct buf *out);
/* With newlines and two-space indents. */
void json_write_pretty(const struct value *v, struct buf *out);

#endif
