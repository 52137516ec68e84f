#include "bind/fs_job.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/fs.h"
#include "engine/lua_api.h"

static int op_readfile(struct fs_job *f)
{
	struct files_file *file;
	int rc;

	f->failed = "failed to open file";
	f->kind = ERR_NOT_FOUND;
	if (files_open(f->root, f->path, FILES_READ, &file, &f->err) < 0)
		return -1;
	f->failed = "failed to read file";
	f->kind = ERR_INTERNAL;
	rc = files_file_read_all(file, FILES_WHOLE_BYTES_MAX, &f->data, &f->err);
	files_file_unref(file);
	return rc;
}

static int op_writefile(struct fs_job *f)
{
	struct files_file *file;
	int rc;

	f->failed = "failed to open destination";
	f->kind = ERR_NOT_FOUND;
	if (files_open(f->root, f->path, f->how, &file, &f->err) < 0)
		return -1;
	f->failed = "failed to write file";
	f->kind = ERR_INTERNAL;
	rc = files_file_write(file, buf_data(&f->data), buf_len(&f->data), &f->err);
	files_file_unref(file);
	return rc;
}

static int op_open(struct fs_job *f, const char *failed)
{
	f->failed = failed;
	f->kind = ERR_NOT_FOUND;
	return files_open(f->root, f->path, f->how, &f->file, &f->err);
}

static int op_readdir(struct fs_job *f)
{
	f->failed = "readdir failed";
	if (files_list_open(f->root, f->path, &f->list, &f->err) < 0) {
		f->kind = f->err.kind;
		return -1;
	}
	f->kind = ERR_INTERNAL;
	f->rc = files_list_next(f->list, FS_LIST_BATCH, &f->data, &f->err);
	return f->rc;
}

static int op_change(struct fs_job *f)
{
	bool makes = f->op == FS_MKDIR;
	int rc = makes ? files_mkdir(f->root, f->path, &f->err) : files_remove(f->root, f->path, &f->err);

	f->failed = makes ? "mkdir failed" : "remove failed";
	f->kind = ERR_INTERNAL;
	return rc;
}

static void job_work(struct pool_job *j)
{
	struct fs_job *f = container_of(j, struct fs_job, job);

	switch (f->op) {
	case FS_READFILE:
		f->rc = op_readfile(f);
		break;
	case FS_WRITEFILE:
		f->rc = f->streams ? op_open(f, "failed to open destination") : op_writefile(f);
		break;
	case FS_OPEN:
		f->rc = op_open(f, "failed to open file");
		break;
	case FS_READDIR:
		f->rc = op_readdir(f);
		break;
	case FS_MKDIR:
	case FS_REMOVE:
		f->rc = op_change(f);
		break;
	case FS_EXISTS:
	case FS_STAT:
	case FS_ISDIR:
	case FS_CHDIR:
		f->failed = f->op == FS_CHDIR ? "chdir failed" : "stat failed";
		f->kind = ERR_NOT_FOUND;
		f->rc = files_stat(f->root, f->path, &f->st, &f->err);
		break;
	}
}

static void job_free(struct pool_job *j)
{
	struct fs_job *f = container_of(j, struct fs_job, job);

	files_root_unref(f->root);
	files_file_unref(f->file);
	files_list_free(f->list);
	buf_done(&f->data);
	free(f->path);
	free(f->shown);
	free(f);
}

/* -- results ------------------------------------------------------------------------------------------ */

/* Does the operation answer false, not nil, with its error? */
static bool fails_with_false(enum fs_op op)
{
	return op == FS_WRITEFILE || op == FS_EXISTS || op == FS_ISDIR || op == FS_MKDIR || op == FS_REMOVE ||
	       op == FS_CHDIR;
}

int fs_push_error(lua_State *L, enum fs_op op, const struct err *e)
{
	if (fails_with_false(op))
		lua_pushboolean(L, false);
	else
		lua_pushnil(L);
	push_err(L, e);
	return 2;
}

/* What some failures are called. */
static int push_failure_of(lua_State *L, struct fs_job *f)
{
	struct err e = f->err;
	enum err_kind cause = e.kind;

	if (f->op == FS_MKDIR && cause == ERR_ALREADY_EXISTS) {
		err_set(&e, ERR_ALREADY_EXISTS, "path already exists: %.256s", f->shown);
	} else if (f->op == FS_REMOVE && cause == ERR_CONFLICT) {
		err_set(&e, ERR_INVALID, "directory not empty: %.256s", f->shown);
	} else if (f->op == FS_READDIR && f->kind == ERR_INVALID) {
		err_set(&e, ERR_INVALID, "not a directory: %.256s", f->shown);
	} else {
		err_prefix(&e, "%s", f->failed);
		e.kind = f->kind;
	}
	e.retry = ERR_RETRY_NO;
	return fs_push_error(L, f->op, &e);
}

static int not_a_directory(lua_State *L, struct fs_job *f)
{
	struct err e = {0};

	err_set(&e, ERR_INVALID, "not a directory: %.256s", f->shown);
	return fs_push_error(L, f->op, &e);
}

static int job_finish(lua_State *L, struct pool_job *j)
{
	struct fs_job *f = container_of(j, struct fs_job, job);

	if (f->op == FS_EXISTS) {
		lua_pushboolean(L, f->rc == 0);
		lua_pushnil(L);
		return 2;
	}
	if (f->rc < 0)
		return push_failure_of(L, f);
	switch (f->op) {
	case FS_READFILE:
		lua_pushlstring(L, buf_data(&f->data), buf_len(&f->data));
		break;
	case FS_STAT:
		fs_push_stat(L, &f->st);
		break;
	case FS_ISDIR:
		lua_pushboolean(L, f->st.is_dir);
		break;
	case FS_OPEN:
		fs_file_push(L, files_file_ref(f->file));
		break;
	case FS_WRITEFILE:
		if (f->streams) {
			fs_file_push(L, files_file_ref(f->file));
			return fs_copy(L, 3);
		}
		lua_pushboolean(L, true);
		break;
	case FS_READDIR: {
		struct files_list *list = f->list;

		f->list = NULL;
		return fs_list_push(L, list, &f->data, f->rc > 0);
	}
	case FS_CHDIR:
		if (!f->st.is_dir)
			return not_a_directory(L, f);
		free(f->fs->place);
		f->fs->place = f->path;
		f->path = NULL;
		lua_pushboolean(L, true);
		break;
	default:
		lua_pushboolean(L, true);
		break;
	}
	lua_pushnil(L);
	return 2;
}

struct fs_job *fs_job_new(enum fs_op op)
{
	struct fs_job *f = xcalloc(1, sizeof(*f));

	f->job.work = job_work;
	f->job.finish = job_finish;
	f->job.free = job_free;
	f->op = op;
	return f;
}
