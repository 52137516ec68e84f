/*
 * destination.h - I2P's names for a peer, and where a listener's private key is kept.
 *
 * A destination is public keys and a certificate; it travels as base64 with I2P's alphabet ('-' and '~' in place of '+' and
 * '/'). Its short name is "<base32 of its SHA-256>.b32.i2p" (https://geti2p.net/en/docs/naming).
 */
#ifndef OVERLAY_I2P_DESTINATION_H
#define OVERLAY_I2P_DESTINATION_H

#include <stdbool.h>

#include "base/err.h"
#include "base/secret.h"

enum {
	B32_NAME_MAX = 61,           /* 52 characters, ".b32.i2p" and a NUL */
	DESTINATION_BYTES_MIN = 387, /* keys and an empty certificate */
	DESTINATION_TEXT_MAX = 6144,
};

/* False when the text is no destination. Pure. */
bool destination_b32(const char *base64, char out[static B32_NAME_MAX]);

/* A listener's private key in "<dir>/destination.key", base64 on one line, readable by its owner only. They block for a
 * moment: control thread, when a listener comes up.
 * No file gives *ret NULL and 0. INTERNAL when it cannot be read; INVALID when it is no key, or others could read it. */
int keyfile_read(const char *dir, struct secret **ret, struct err *e);
/* In one step: a crash leaves the old file or the new one. */
int keyfile_write(const char *dir, const struct secret *key, struct err *e);

#endif
