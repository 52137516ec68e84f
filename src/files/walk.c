#include "files/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "files/path.h"

enum { TRIES_MAX = 16 };

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20 /* Linux 5.12 */
#endif

/* Never wait for the other end of a FIFO, never become somebody's terminal. With O_PATH nothing is opened, and these
 * bits are refused. */
static int flags_of(int flags)
{
	return flags | O_CLOEXEC | (flags & O_PATH ? 0 : O_NONBLOCK | O_NOCTTY);
}

int files_walk_beneath(int root, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)flags_of(flags),
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;

	/* The kernel gives up when something is renamed while it looks. */
	for (int i = 0; i < TRIES_MAX; i++) {
		fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return (int)fd;
}

static int open_part(int dir, const char *name, int flags, mode_t mode)
{
	struct stat st;
	int fd = openat(dir, name, flags | O_NOFOLLOW, mode);
	int errnum;

	/* O_PATH with O_NOFOLLOW gives the link itself. */
	if (fd < 0 || !(flags & O_PATH))
		return fd;
	errnum = fstat(fd, &st) < 0 ? errno : S_ISLNK(st.st_mode) ? ELOOP : 0;
	if (errnum == 0)
		return fd;
	close(fd);
	errno = errnum;
	return -1;
}

int files_walk_parts(int root, const char *path, int flags, mode_t mode)
{
	char name[FILES_NAME_BYTES_MAX + 1];
	int dir = root;

	for (const char *p = path;;) {
		size_t n = strcspn(p, "/");
		int fd, errnum;

		if (n > FILES_NAME_BYTES_MAX || n == 0) {
			fd = -1;
			errno = n ? ENAMETOOLONG : EINVAL;
		} else {
			memcpy(name, p, n);
			name[n] = '\0';
			fd = p[n] ? open_part(dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC, 0)
				  : open_part(dir, name, flags_of(flags), mode);
		}
		errnum = errno;
		if (dir != root)
			close(dir);
		errno = errnum;
		if (fd < 0 || !p[n])
			return fd;
		dir = fd;
		p += n + 1;
	}
}

int files_walk_cached(int root, const char *path, int flags)
{
	static atomic_bool lacking;
	struct open_how how = {
		.flags = (uint64_t)(unsigned)flags_of(flags),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV | RESOLVE_CACHED,
	};
	long fd = -1;

	if (atomic_load_explicit(&lacking, memory_order_relaxed)) {
		errno = EAGAIN;
		return -1;
	}
	fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
	/* Linux before 5.12 does not know the flag. */
	if (fd < 0 && (errno == EINVAL || errno == ENOSYS)) {
		atomic_store_explicit(&lacking, true, memory_order_relaxed);
		errno = EAGAIN;
	}
	return (int)fd;
}

int files_walk(int root, const char *path, int flags, mode_t mode)
{
	static atomic_bool lacking;
	int fd;

	if (!atomic_load_explicit(&lacking, memory_order_relaxed)) {
		fd = files_walk_beneath(root, path, flags, mode);
		if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
			return fd;
		/* A sandbox answers EPERM to calls it does not know; so does a file that may not be opened. */
		if (errno == ENOSYS)
			atomic_store_explicit(&lacking, true, memory_order_relaxed);
	}
	return files_walk_parts(root, path, flags, mode);
}
