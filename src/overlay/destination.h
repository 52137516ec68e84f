/*
 * destination.h - I2P's names for a peer. Pure.
 *
 * A destination is public keys and a certificate; it travels as base64 with I2P's alphabet ('-' and '~' in place of '+' and
 * '/'). Its short name is "<base32 of its SHA-256>.b32.i2p" (https://geti2p.net/en/docs/naming): the same peer in a form that
 * fits wherever the name of a host does.
 */
#ifndef OVERLAY_DESTINATION_H
#define OVERLAY_DESTINATION_H

#include <stdbool.h>

enum {
	B32_NAME_MAX = 61,           /* 52 characters, ".b32.i2p" and a NUL */
	DESTINATION_BYTES_MIN = 387, /* keys and an empty certificate */
	DESTINATION_TEXT_MIN = 516,  /* the base64 of so many */
	DESTINATION_TEXT_MAX = 6144,
};

/* The short name of a destination; false when the text is none: not base64, cut off, or with something behind it. */
bool destination_b32(const char *base64, char out[static B32_NAME_MAX]);

#endif
