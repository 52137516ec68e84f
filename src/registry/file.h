/*
 * file.h - writing a file's bytes, for those that replace files: the lock file, environment files.
 */
#ifndef REGISTRY_FILE_H
#define REGISTRY_FILE_H

#include "base/buf.h"

/* Write all of `text`; -1 with errno otherwise. Blocks. */
int file_write_all(int fd, const struct buf *text);

#endif
