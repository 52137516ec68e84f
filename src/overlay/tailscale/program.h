/*
 * program.h - where the sidecar's program is.
 */
#ifndef OVERLAY_TAILSCALE_PROGRAM_H
#define OVERLAY_TAILSCALE_PROGRAM_H

#include "base/err.h"

/* `configured` (network_service.sidecar) if given, else the environment variable WIPPY_TSNET if set, else `wippy-tsnet` beside our own program. malloc'd.
 * UNAVAILABLE when it is not there: what is missing, and how to get it. */
int sidecar_program_find(const char *configured, char **ret_path, struct err *e);

#endif
