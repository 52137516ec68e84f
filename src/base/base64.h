/*
 * base64.h - RFC 4648 base64: the standard alphabet with padding (section 4), and the URL-safe one without (section 5). Pure.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"
#include "base/err.h"

void base64_encode(struct buf *out, const void *data, size_t len);
/* Line ends are skipped. ERR_INVALID "illegal base64 data at input byte N". */
int base64_decode(struct buf *out, const char *text, size_t len, struct err *e);

void base64url_encode(struct buf *out, const void *data, size_t len);
/* Strict: no padding, no line ends, no bits left over; so each text has one spelling. ERR_INVALID as above. */
int base64url_decode(struct buf *out, const char *text, size_t len, struct err *e);

#endif
