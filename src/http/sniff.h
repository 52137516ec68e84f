/*
 * sniff.h - what type of content some bytes are, guessed from the first of them (WHATWG "MIME Sniffing", sections 6 and 7, with the font, archive and
 * PostScript signatures servers commonly know).
 *
 * Pure; any thread.
 */
#ifndef HTTP_SNIFF_H
#define HTTP_SNIFF_H

#include <stddef.h>

enum { HTTP_SNIFF_BYTES = 512 }; /* more are not looked at */

/* Static text for Content-Type; never NULL: "application/octet-stream" when nothing fits, "text/plain; charset=utf-8" also for no bytes. */
const char *http_sniff(const void *data, size_t len);

#endif
