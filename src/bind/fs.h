/*
 * fs.h - what the files of the `fs` module share.
 */
#ifndef BIND_FS_H
#define BIND_FS_H

#include "files/root.h"
#include "registry/instances.h"

struct lua_State;
struct stream_source;

/* How the kind fs.directory puts its folder, a struct files_root, among the live objects. */
extern const struct instance_type fs_instance_type;

/* Open files (fs_file.c). */
void fs_file_register(struct lua_State *L);
/* Push an open file; takes the reference. */
void fs_file_push(struct lua_State *L, struct files_file *f);
/* Of a file's source (fs_source.c). */
int fs_source_stat(struct stream_source *s, struct files_stat *ret, struct err *e);
/* Push the table that stat() returns. */
void fs_push_stat(struct lua_State *L, const struct files_stat *st);

/* The iterator of readdir() (fs_list.c): push function and state for a generic `for`, return 2. Takes the list and
 * the first entries. */
void fs_list_register(struct lua_State *L);
int fs_list_push(struct lua_State *L, struct files_list *list, struct buf *first, bool more);
enum { FS_LIST_BATCH = 500 };

/* Everything that a stream holds goes into a file (fs_copy.c): the file on top of the stack, the stream at index
 * `from`. Returns true, nil or false, error. */
int fs_copy(struct lua_State *L, int from);

#endif
