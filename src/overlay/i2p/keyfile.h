/*
 * keyfile.h - where a listener's private key is kept: "<dir>/destination.key", base64 on one line, readable by its owner only.
 *
 * Both calls block for a moment: control thread, when a listener comes up.
 */
#ifndef OVERLAY_I2P_KEYFILE_H
#define OVERLAY_I2P_KEYFILE_H

#include "base/err.h"
#include "base/secret.h"

/* No file gives *ret NULL and 0. INTERNAL when it cannot be read; INVALID when it is no key, or others could read it. */
int keyfile_read(const char *dir, struct secret **ret, struct err *e);
/* In one step: a crash leaves the old file or the new one. */
int keyfile_write(const char *dir, const struct secret *key, struct err *e);

#endif
