/*
 * base64.h - RFC 4648 base64, standard alphabet with padding. Pure.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"
#include "base/err.h"

void base64_encode(struct buf *out, const void *data, size_t len);
/* Line ends are skipped. ERR_INVALID "illegal base64 data at input byte N". */
int base64_decode(struct buf *out, const char *text, size_t len, struct err *e);

#endif
