/*
 * key_file.h - for drivers: a private key kept in the state directory, as one line of text that only its owner can read.
 *
 * They block for a moment: control thread, when a listener comes up.
 */
#ifndef OVERLAY_KEY_FILE_H
#define OVERLAY_KEY_FILE_H

#include <stddef.h>

#include "base/err.h"
#include "base/secret.h"

enum { KEY_FILE_MAX = 8192 };

/* The text without its line end, at most KEY_FILE_MAX bytes; whether it is a key is the caller's to judge. No file gives *ret NULL and 0. INTERNAL when it cannot be
 * read; INVALID when it is too long or no text, or when others could read it. */
int key_file_read(const char *path, struct secret **ret, struct err *e);
/* In one step: a crash leaves the old file or the new one. */
int key_file_write(const char *path, const struct secret *key, struct err *e);

#endif
