#include "files/root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/refcount.h"
#include "files/path.h"
#include "files/walk.h"

enum { NEW_FILE_MODE = 0644, NEW_DIR_MODE = 0755, MAY_READ = 0400, MAY_CHANGE = 0200, MAY_LIST = 0100 };

struct files_root {
	struct refcount refs;
	int fd;
	unsigned mode;
	dev_t dev;
	bool is_proc; /* the folder itself is one of the proc file system */
	bool is_near; /* what the kernel remembers of it, it answers without asking anybody */
};

static int fail(struct err *e, int errnum)
{
	enum err_kind kind = ERR_INTERNAL;
	const char *text = strerrordesc_np(errnum);

	switch (errnum) {
	case ENOENT:
		kind = ERR_NOT_FOUND;
		break;
	case EEXIST:
		kind = ERR_ALREADY_EXISTS;
		break;
	case EACCES:
	case EPERM:
	case EROFS:
		kind = ERR_PERMISSION_DENIED;
		break;
	case EXDEV:
	case ELOOP:
		return err_set(e, ERR_PERMISSION_DENIED, "a link in the path leads out of the folder");
	case ENOTDIR:
	case EISDIR:
	case ENOTEMPTY:
	case ENAMETOOLONG:
	case EINVAL:
		kind = ERR_INVALID;
		break;
	case ENXIO: /* a FIFO nobody reads, a socket */
		return err_set(e, ERR_INVALID, "it is neither a plain file nor a folder");
	default:
		break;
	}
	err_set(e, kind, "%s", text ? text : "unknown error");
	if (e && e->text[0] >= 'A' && e->text[0] <= 'Z')
		e->text[0] += 'a' - 'A';
	return -1;
}

static int need(const struct files_root *r, unsigned bits, struct err *e)
{
	if ((r->mode & bits) == bits)
		return 0;
	return err_set(e, ERR_PERMISSION_DENIED, "the mode of this filesystem does not allow it");
}

int files_mode_parse(const char *text, unsigned *ret_mode, struct err *e)
{
	const char *digits = text;
	unsigned mode = 0;
	size_t n;

	if (digits[0] == '0' && (digits[1] == 'o' || digits[1] == 'O'))
		digits += 2;
	n = strspn(digits, "01234567");
	if (n == 0 || n > 5 || digits[n])
		return err_set(e, ERR_INVALID, "the mode must be an octal number in quotes such as \"0755\"");
	for (size_t i = 0; i < n; i++)
		mode = mode * 8 + (unsigned)(digits[i] - '0');
	if (mode > 0777)
		return err_set(e, ERR_INVALID, "the mode must not be above \"0777\"");
	if ((mode & 0444) == 0444 && (mode & 0111) == 0)
		mode |= 0111;
	*ret_mode = mode;
	return 0;
}

/* -- the folder ------------------------------------------------------------------------------------- */

static int make_folders(const char *path)
{
	char *p = xstrdup(path);
	int rc = 0;

	for (char *slash = strchr(p + 1, '/'); rc == 0; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = '\0';
		if (mkdir(p, NEW_DIR_MODE) < 0 && errno != EEXIST)
			rc = -1;
		if (!slash)
			break;
		*slash = '/';
	}
	free(p);
	return rc;
}

static bool on_proc(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC;
}

/* File systems whose files are opened without a word to a server or to another program. */
static bool is_near(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	switch (fs.f_type) {
	case BTRFS_SUPER_MAGIC:
	case EXT4_SUPER_MAGIC: /* ext2 and ext3 too */
	case F2FS_SUPER_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
	case TMPFS_MAGIC:
	case XFS_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

int files_root_open(const struct files_root_config *cfg, struct files_root **ret_root, struct err *e)
{
	struct files_root *r;
	struct stat st;
	int fd;

	if (!cfg->path[0])
		return err_set(e, ERR_INVALID, "the path of the directory must not be empty");
	if (cfg->auto_init && make_folders(cfg->path) < 0) {
		fail(e, errno);
		return err_prefix(e, "directory '%.256s' cannot be made", cfg->path);
	}
	fd = open(cfg->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		fail(e, errno);
		if (fd >= 0)
			close(fd);
		return err_prefix(e, "directory '%.256s'", cfg->path);
	}
	r = xcalloc(1, sizeof(*r));
	refcount_init(&r->refs);
	r->fd = fd;
	r->mode = cfg->mode;
	r->dev = st.st_dev;
	r->is_proc = on_proc(fd);
	r->is_near = is_near(fd);
	*ret_root = r;
	return 0;
}

struct files_root *files_root_ref(struct files_root *r)
{
	refcount_inc(&r->refs);
	return r;
}

void files_root_unref(struct files_root *r)
{
	if (!r || !refcount_dec(&r->refs))
		return;
	close(r->fd);
	free(r);
}

/* -- what is in it ---------------------------------------------------------------------------------- */

/* Closes `fd` unless it is a plain file or a folder of a file system that holds files. */
static int check_plain(const struct files_root *r, int fd, struct stat *ret_st, struct err *e)
{
	if (fstat(fd, ret_st) < 0) {
		fail(e, errno);
	} else if (!S_ISREG(ret_st->st_mode) && !S_ISDIR(ret_st->st_mode)) {
		err_set(e, ERR_INVALID, "it is neither a plain file nor a folder");
	} else if (ret_st->st_dev != r->dev && !r->is_proc && on_proc(fd)) {
		/* What is mounted there shows the memory and the environment of programs. */
		err_set(e, ERR_PERMISSION_DENIED, "the proc file system is mounted there, which is refused");
	} else {
		return 0;
	}
	close(fd);
	return -1;
}

int files_open(struct files_root *r, const char *path, enum files_how how, struct files_file **ret_file, struct err *e)
{
	static const int flags[] = {
		[FILES_READ] = O_RDONLY,
		[FILES_WRITE] = O_WRONLY | O_CREAT | O_TRUNC,
		[FILES_WRITE_NEW] = O_WRONLY | O_CREAT | O_EXCL,
		[FILES_APPEND] = O_WRONLY | O_CREAT | O_APPEND,
	};
	struct stat st;
	int fd;

	if (need(r, how == FILES_READ ? MAY_READ : MAY_CHANGE, e) < 0)
		return -1;
	fd = files_walk(r->fd, path, flags[how], NEW_FILE_MODE & r->mode);
	if (fd < 0)
		return fail(e, errno);
	if (check_plain(r, fd, &st, e) < 0)
		return -1;
	if (S_ISDIR(st.st_mode)) {
		close(fd);
		return fail(e, EISDIR);
	}
	*ret_file = files_file_new(fd, how, files_path_name(path));
	return 0;
}

int files_open_fd(struct files_root *r, const char *path, struct files_stat *ret, struct err *e)
{
	struct stat st;
	int fd;

	if (need(r, MAY_READ, e) < 0)
		return -1;
	fd = files_walk(r->fd, path, O_RDONLY, 0);
	if (fd < 0)
		return fail(e, errno);
	if (check_plain(r, fd, &st, e) < 0)
		return -1;
	files_stat_fill(ret, &st, files_path_name(path));
	return fd;
}

int files_open_fd_now(struct files_root *r, const char *path, struct files_stat *ret, struct err *e)
{
	struct stat st;
	int fd;

	if (need(r, MAY_READ, e) < 0)
		return -1;
	fd = r->is_near ? files_walk_cached(r->fd, path, O_RDONLY) : -1;
	if (fd < 0 && r->is_near && errno == ENOENT)
		return fail(e, errno);
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == r->dev && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))) {
		files_stat_fill(ret, &st, files_path_name(path));
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return err_set(e, ERR_UNAVAILABLE, "it cannot be told without waiting");
}

int files_stat(struct files_root *r, const char *path, struct files_stat *ret, struct err *e)
{
	struct stat st;
	int fd, rc;

	if (need(r, MAY_READ, e) < 0)
		return -1;
	fd = files_walk(r->fd, path, O_PATH, 0);
	if (fd < 0)
		return fail(e, errno);
	rc = fstat(fd, &st);
	if (rc < 0)
		fail(e, errno);
	else
		files_stat_fill(ret, &st, files_path_name(path));
	close(fd);
	return rc;
}

/* The folder that holds the last part of `path`, and that part. */
static int open_parent(const struct files_root *r, const char *path, int *ret_fd, const char **ret_name, struct err *e)
{
	const char *name = files_path_name(path);
	char *parent = name == path ? xstrdup(".") : xmemdupz(path, (size_t)(name - path) - 1);
	int fd = files_walk(r->fd, parent, O_PATH | O_DIRECTORY, 0);
	struct stat st;

	free(parent);
	if (fd < 0)
		return fail(e, errno);
	if (check_plain(r, fd, &st, e) < 0)
		return -1;
	*ret_fd = fd;
	*ret_name = name;
	return 0;
}

int files_mkdir(struct files_root *r, const char *path, struct err *e)
{
	const char *name;
	int dir, rc;

	if (need(r, MAY_CHANGE | MAY_LIST, e) < 0)
		return -1;
	if (strcmp(path, ".") == 0)
		return fail(e, EEXIST);
	if (open_parent(r, path, &dir, &name, e) < 0)
		return -1;
	rc = mkdirat(dir, name, NEW_DIR_MODE & r->mode);
	if (rc < 0)
		fail(e, errno);
	close(dir);
	return rc;
}

int files_remove(struct files_root *r, const char *path, struct err *e)
{
	const char *name;
	int dir, rc;

	if (need(r, MAY_CHANGE, e) < 0)
		return -1;
	if (strcmp(path, ".") == 0)
		return err_set(e, ERR_PERMISSION_DENIED, "the root of a filesystem cannot be removed");
	if (open_parent(r, path, &dir, &name, e) < 0)
		return -1;
	rc = unlinkat(dir, name, 0);
	/* POSIX says EPERM for a folder, Linux EISDIR. */
	if (rc < 0 && (errno == EISDIR || errno == EPERM)) {
		rc = unlinkat(dir, name, AT_REMOVEDIR);
		if (rc < 0 && errno == EEXIST)
			errno = ENOTEMPTY;
	}
	if (rc < 0 && errno == ENOTEMPTY)
		err_set(e, ERR_CONFLICT, "directory not empty");
	else if (rc < 0)
		fail(e, errno);
	close(dir);
	return rc;
}

/* -- listing ---------------------------------------------------------------------------------------- */

struct files_list {
	DIR *dir;
};

int files_list_open(struct files_root *r, const char *path, struct files_list **ret_list, struct err *e)
{
	struct files_list *l;
	struct stat st;
	DIR *dir;
	int fd;

	if (need(r, MAY_READ | MAY_LIST, e) < 0)
		return -1;
	fd = files_walk(r->fd, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fail(e, errno);
	if (check_plain(r, fd, &st, e) < 0)
		return -1;
	dir = fdopendir(fd);
	if (!dir) {
		fail(e, errno);
		close(fd);
		return -1;
	}
	l = xcalloc(1, sizeof(*l));
	l->dir = dir;
	*ret_list = l;
	return 0;
}

static bool is_folder(DIR *dir, const struct dirent *d)
{
	struct stat st;

	if (d->d_type != DT_UNKNOWN)
		return d->d_type == DT_DIR;
	return fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

int files_list_next(struct files_list *l, unsigned max, struct buf *out, struct err *e)
{
	for (unsigned n = 0; n < max;) {
		struct dirent *d;

		errno = 0;
		d = readdir(l->dir);
		if (!d)
			return errno ? fail(e, errno) : 0;
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		buf_addc(out, is_folder(l->dir, d) ? 'd' : 'f');
		buf_add(out, d->d_name, strlen(d->d_name) + 1);
		n++;
	}
	return 1;
}

void files_list_free(struct files_list *l)
{
	if (!l)
		return;
	closedir(l->dir);
	free(l);
}
