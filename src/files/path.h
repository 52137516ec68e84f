/*
 * path.h - paths inside a folder, as programs write them. Pure.
 *
 * "/" is the folder itself; a path without a leading slash starts at the caller's own place in it. A clean path has
 * neither ".", ".." nor empty parts, and no slash at its ends: "a/b"; the folder itself is ".".
 */
#ifndef FILES_PATH_H
#define FILES_PATH_H

#include <stddef.h>

#include "base/err.h"

enum { FILES_PATH_BYTES_MAX = 4095, FILES_NAME_BYTES_MAX = 255 };

/* `place` is clean. The result is the caller's, to be freed with free(). INVALID: "path required", "invalid path:
 * path contains null byte", "invalid path: path traversal not allowed" (more ".." than there is to leave), or longer
 * than the limits above. */
int files_path_clean(const char *place, const char *path, size_t len, char **ret_path, struct err *e);
/* The last part of a clean path; "." is its own. Borrowed. */
const char *files_path_name(const char *path);

#endif
