/*
 * file.h - writing a file's bytes, for those that replace files: the lock file, environment files, keys.
 *
 * Everything here blocks.
 */
#ifndef REGISTRY_FILE_H
#define REGISTRY_FILE_H

#include <stddef.h>

/* Write all `len` bytes; -1 with errno otherwise. */
int file_write_all(int fd, const char *bytes, size_t len);

/* After a file was put into its place by rename(): have the name on disk, too. Some file systems can't, which is no error: the new name is in place all the same. */
void file_sync_dir_of(const char *path);

#endif
