/*
 * cookie.h - reading the file in which Tor keeps the cookie for its controllers.
 */
#ifndef OVERLAY_TOR_COOKIE_H
#define OVERLAY_TOR_COOKIE_H

#include "base/err.h"
#include "overlay/tor/auth.h"

/* Exactly COOKIE_BYTES of a plain file. PERMISSION_DENIED says what to do when it is not ours to read. Blocks for a moment: control thread. */
int cookie_read(const char *path, unsigned char out[static COOKIE_BYTES], struct err *e);

#endif
