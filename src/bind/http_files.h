/*
 * http_files.h - files of a request that come from streams: each stream is read to its end before anything is sent.
 *
 * The program's tables stay as they are; the bytes go into copies. Everything works on the Lua stack and may raise.
 */
#ifndef BIND_HTTP_FILES_H
#define BIND_HTTP_FILES_H

#include <stdbool.h>

struct lua_State;

/* Push the first file of the options table at `options` whose stream has not been read; false, and nothing is pushed,
 * when there is none. */
bool http_files_push_unread(struct lua_State *L, int options);
/* Push a copy of the options table at `options`, with copies of its files. */
void http_files_push_copy(struct lua_State *L, int options);
/* Push a copy of the table at `idx`, as deep as itself. */
void http_files_push_shallow(struct lua_State *L, int idx);
/* Read the stream of the copied file on top of the stack, as stream_drain() does; `drained` finds the bytes on top and
 * gives them to http_files_store(). */
int http_files_read(struct lua_State *L, int (*drained)(struct lua_State *L));
/* Pop the bytes: they take the place of the stream of the file at `file`. */
void http_files_store(struct lua_State *L, int file);

#endif
