/*
 * fs_job.h - one operation on a folder, done on the thread pool.
 */
#ifndef BIND_FS_JOB_H
#define BIND_FS_JOB_H

#include "base/buf.h"
#include "bind/pool_job.h"
#include "files/root.h"

/* A handle of a program. */
struct fs {
	struct files_root *root;
	char *place; /* clean; the working directory of this handle */
};

enum fs_op {
	FS_READFILE,
	FS_WRITEFILE,
	FS_EXISTS,
	FS_STAT,
	FS_ISDIR,
	FS_MKDIR,
	FS_REMOVE,
	FS_READDIR,
	FS_OPEN,
	FS_CHDIR
};

struct fs_job {
	struct pool_job job;
	enum fs_op op;
	struct files_root *root;
	char *path;
	char *shown; /* as the program wrote it */
	enum files_how how;
	struct buf data; /* to write, or what was read; names of a folder */
	struct files_file *file;
	struct files_list *list;
	struct files_stat st;
	bool streams;       /* writefile: the data come from a stream */
	struct fs *fs;      /* chdir: on the stack of the coroutine that waits */
	const char *failed; /* "failed to read file": the step that went wrong */
	enum err_kind kind;
	int rc;
	struct err err;
};

/* Zeroed, with what pool_job_run() needs. */
struct fs_job *fs_job_new(enum fs_op op);
/* nil or false, as the operation fails, and the error. */
int fs_push_error(struct lua_State *L, enum fs_op op, const struct err *e);

#endif
