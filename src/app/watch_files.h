/*
 * watch_files.h - hear when files of a project change (inotify).
 *
 * Whole trees and single files are watched through their directories, so it makes no difference whether an editor writes in place, renames a new
 * file over the old one or removes it first. Changes are told together once nothing has happened for WATCH_QUIET_MS and no file is being written, but
 * at the latest WATCH_WAIT_MS after the first. What the kernel drops when too much happens at once counts as a change of everything.
 *
 * In a tree only definition files count, directories, and files named with watch_files_file(); temporary and lock files of editors do not. Links to
 * directories are not followed and node_modules is left out, as when a project is loaded.
 *
 * Everything on the loop's thread. Adding a tree reads its directories and so may block for a moment; at most WATCH_DIRS_MAX are watched.
 */
#ifndef APP_WATCH_FILES_H
#define APP_WATCH_FILES_H

#include <stdbool.h>

#include "base/err.h"
#include "loop/loop.h"

enum { WATCH_QUIET_MS = 100, WATCH_WAIT_MS = 1000, WATCH_WRITING_MS = 2000, WATCH_DIRS_MAX = 16384 };

struct watch_files;

typedef void watch_files_fn(void *arg);

/* UNAVAILABLE when the system gives no inotify instance. */
int watch_files_new(struct loop *l, watch_files_fn *changed, void *arg, struct watch_files **ret, struct err *e);
void watch_files_free(struct watch_files *w); /* NULL is fine */

/* Say anew what to watch: what is not named before the end is no longer watched. Paths may be relative and need not exist. */
void watch_files_begin(struct watch_files *w);
void watch_files_tree(struct watch_files *w, const char *dir);
/* And the file it links to. */
void watch_files_file(struct watch_files *w, const char *path);
void watch_files_end(struct watch_files *w);
size_t watch_files_count(const struct watch_files *w); /* directories */

/* Let every file in a tree count, whatever its name: one that is missing may be what comes next. */
void watch_files_any(struct watch_files *w, bool any);
/* Has this file changed since watch_files_forget()? */
bool watch_files_touched(const struct watch_files *w, const char *path);
void watch_files_forget(struct watch_files *w);
/* Call `changed` again after that time, whatever happens. */
void watch_files_again(struct watch_files *w, uint64_t delay_ms);

#endif
