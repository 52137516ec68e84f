/*
 * fs.c - the `fs` module: folders that the application declares, and the files in them.
 *
 * All work on a folder runs on the thread pool while the coroutine waits. Looking and reading are possible where it
 * cannot wait (a chunk that is being loaded, a metamethod): there a local folder is read on the worker; a change
 * raises.
 */
#include "bind/fs.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/current.h"
#include "bind/fs_job.h"
#include "bind/modules.h"
#include "bind/stream.h"
#include "engine/lua_api.h"
#include "files/path.h"

static const char fs_type[] = "fs.FS";

static void *root_ref(void *r)
{
	return files_root_ref(r);
}

static void root_unref(void *r)
{
	files_root_unref(r);
}

const struct instance_type fs_instance_type = {"filesystem", root_ref, root_unref};

/* -- arguments ---------------------------------------------------------------------------------------- */

static struct fs *check_fs(lua_State *L)
{
	return handle_check(L, 1, fs_type);
}

/* A job on the path that argument 2 names, or NULL with `e`. With `default_here` an empty or missing one is the
 * place itself. */
static struct fs_job *new_job(lua_State *L, enum fs_op op, bool default_here, struct err *e)
{
	struct fs *fs = check_fs(L);
	size_t len;
	const char *path = default_here ? luaL_optlstring(L, 2, ".", &len) : luaL_checklstring(L, 2, &len);
	struct fs_job *f;
	char *clean;

	if (default_here && len == 0) {
		path = ".";
		len = 1;
	}
	if (files_path_clean(fs->place, path, len, &clean, e) < 0)
		return NULL;
	f = fs_job_new(op);
	f->fs = fs;
	f->root = files_root_ref(fs->root);
	f->path = clean;
	f->shown = xmemdupz(path, len);
	return f;
}

static int simple(lua_State *L, enum fs_op op, bool default_here, bool anywhere)
{
	struct err e;
	struct fs_job *f = new_job(L, op, default_here, &e);

	if (!f)
		return fs_push_error(L, op, &e);
	return anywhere ? pool_job_run_here(L, &f->job) : pool_job_run(L, &f->job);
}

static int l_readfile(lua_State *L)
{
	return simple(L, FS_READFILE, false, true);
}

static int l_exists(lua_State *L)
{
	return simple(L, FS_EXISTS, true, true);
}

static int l_stat(lua_State *L)
{
	return simple(L, FS_STAT, false, true);
}

static int l_isdir(lua_State *L)
{
	return simple(L, FS_ISDIR, true, true);
}

static int l_mkdir(lua_State *L)
{
	return simple(L, FS_MKDIR, false, false);
}

static int l_remove(lua_State *L)
{
	return simple(L, FS_REMOVE, false, false);
}

static int l_readdir(lua_State *L)
{
	return simple(L, FS_READDIR, true, true);
}

static int l_chdir(lua_State *L)
{
	return simple(L, FS_CHDIR, false, true);
}

static int l_pwd(lua_State *L)
{
	struct fs *fs = check_fs(L);

	lua_pushfstring(L, "/%s", strcmp(fs->place, ".") == 0 ? "" : fs->place);
	return 1;
}

static bool how_of(const char *mode, bool may_read, enum files_how *ret)
{
	static const struct {
		const char *mode;
		enum files_how how;
	} known[] = {{"w", FILES_WRITE}, {"wx", FILES_WRITE_NEW}, {"a", FILES_APPEND}, {"r", FILES_READ}};

	for (size_t i = 0; i < ARRAY_LEN(known) - !may_read; i++) {
		if (strcmp(mode, known[i].mode) == 0) {
			*ret = known[i].how;
			return true;
		}
	}
	return false;
}

static int l_open(lua_State *L)
{
	const char *mode = luaL_checkstring(L, 3);
	enum files_how how = FILES_READ;
	struct err e = {0};
	struct fs_job *f;

	luaL_checkstring(L, 2);
	if (!how_of(mode, true, &how)) {
		err_set(&e, ERR_INVALID, "invalid mode: %.32s (expected 'r', 'w', 'wx' or 'a')", mode);
		return push_nil_and_err(L, &e);
	}
	f = new_job(L, FS_OPEN, false, &e);
	if (!f)
		return push_nil_and_err(L, &e);
	f->how = how;
	return how == FILES_READ ? pool_job_run_here(L, &f->job) : pool_job_run(L, &f->job);
}

static int l_writefile(lua_State *L)
{
	const char *mode = luaL_optstring(L, 4, "w");
	enum files_how how = FILES_WRITE;
	struct err e = {0};
	struct fs_job *f;
	size_t len = 0;
	const char *data;

	check_fs(L);
	luaL_checkstring(L, 2);
	data = lua_type(L, 3) == LUA_TSTRING ? lua_tolstring(L, 3, &len) : NULL;
	if (lua_isnoneornil(L, 3))
		err_set(&e, ERR_INVALID, "data argument required");
	else if (!data && !stream_at(L, 3))
		err_set(&e, ERR_INVALID, "data must be a string, a file or a stream");
	else if (!how_of(mode, false, &how))
		err_set(&e, ERR_INVALID, "invalid mode; must be 'w', 'wx' or 'a'");
	else if (len > FILES_WHOLE_BYTES_MAX)
		err_set(&e, ERR_INVALID, "data is longer than %d MiB; open the file and write it in pieces",
			FILES_WHOLE_BYTES_MAX >> 20);
	else if (!data && !stream_at(L, 3)->source)
		err_set(&e, ERR_INTERNAL, "failed to read source: it is closed");
	if (e.text[0])
		return fs_push_error(L, FS_WRITEFILE, &e);
	f = new_job(L, FS_WRITEFILE, false, &e);
	if (!f)
		return fs_push_error(L, FS_WRITEFILE, &e);
	f->how = how;
	if (data)
		buf_add(&f->data, data, len);
	f->streams = !data;
	return pool_job_run(L, &f->job);
}

/* -- the module --------------------------------------------------------------------------------------- */

static int l_tostring(lua_State *L)
{
	lua_pushfstring(L, "fs.FS{cwd=%s}", check_fs(L)->place);
	return 1;
}

static int fs_gc(lua_State *L)
{
	struct fs *fs = lua_touserdata(L, 1);

	files_root_unref(fs->root);
	free(fs->place);
	*fs = (struct fs){0};
	return 0;
}

static int l_get(lua_State *L)
{
	size_t len;
	const char *id = luaL_checklstring(L, 1, &len);
	struct files_root *root = NULL;
	struct err e = {0};
	struct fs *fs;

	if (len == 0)
		err_set(&e, ERR_INVALID, "filesystem name required");
	else if (strlen(id) != len)
		err_set(&e, ERR_NOT_FOUND, "filesystem not found: the name contains a NUL byte");
	else if (!current_allows(L, "fs.get", id))
		err_set(&e, ERR_PERMISSION_DENIED, "not allowed to access filesystem: %.256s", id);
	else
		root = instances_get(current_node(L)->instances, id, &fs_instance_type, &e);
	if (!root) {
		if (e.kind == ERR_NOT_FOUND && strncmp(e.text, "resource not found", 18) == 0)
			err_set(&e, ERR_NOT_FOUND, "filesystem not found: %.256s", id);
		return push_nil_and_err(L, &e);
	}
	fs = handle_new(L, fs_type, sizeof(*fs));
	fs->root = root;
	fs->place = xstrdup(".");
	lua_pushnil(L);
	return 2;
}

static void set_words(lua_State *L, const char *name, const char *const (*words)[2], size_t n)
{
	lua_createtable(L, 0, (int)n);
	for (size_t i = 0; i < n; i++) {
		lua_pushstring(L, words[i][1]);
		lua_setfield(L, -2, words[i][0]);
	}
	lua_setfield(L, -2, name);
}

int bind_fs_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"get", l_get}, {NULL, NULL}};
	static const luaL_Reg methods[] = {
		{"readfile", l_readfile},
		{"read_file", l_readfile},
		{"writefile", l_writefile},
		{"write_file", l_writefile},
		{"exists", l_exists},
		{"stat", l_stat},
		{"isdir", l_isdir},
		{"mkdir", l_mkdir},
		{"remove", l_remove},
		{"readdir", l_readdir},
		{"open", l_open},
		{"chdir", l_chdir},
		{"pwd", l_pwd},
		{NULL, NULL},
	};
	static const char *const types[][2] = {{"FILE", "file"}, {"DIR", "directory"}};
	static const char *const whences[][2] = {{"SET", "set"}, {"CUR", "cur"}, {"END", "end"}};

	stream_register(L);
	fs_file_register(L);
	fs_list_register(L);
	handle_register(L, fs_type, methods, fs_gc);
	luaL_getmetatable(L, fs_type);
	lua_pushcfunction(L, l_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	set_words(L, "type", types, ARRAY_LEN(types));
	set_words(L, "seek", whences, ARRAY_LEN(whences));
	return 1;
}
