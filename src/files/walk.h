/*
 * walk.h - opening what lies beneath a folder, and never anything else.
 *
 * The kernel resolves the path in one step (openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS), so nothing that
 * is renamed or linked meanwhile can lead out. Where that call is not to be had, the path is walked part by part and no
 * symbolic link is followed at all. Blocking, but for files_walk_cached(); any thread.
 */
#ifndef FILES_WALK_H
#define FILES_WALK_H

#include <sys/types.h>

/* `path` is clean (path.h). A descriptor with O_CLOEXEC, or -1 with errno: ELOOP or EXDEV when it would lead out.
 * `flags` as of open(2); opening never blocks on a FIFO. */
int files_walk(int root, const char *path, int flags, mode_t mode);

/* As far as the kernel has the path in memory, without waiting: EAGAIN when it has not, when it lacks this way of opening, or something was renamed meanwhile. Never
 * creates, and never enters what is mounted below: that may be a file system which waits for somebody when it opens. */
int files_walk_cached(int root, const char *path, int flags);

/* The two ways, for tests. The first fails with ENOSYS where the kernel lacks it. */
int files_walk_beneath(int root, const char *path, int flags, mode_t mode);
int files_walk_parts(int root, const char *path, int flags, mode_t mode);

#endif
