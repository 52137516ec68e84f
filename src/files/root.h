/*
 * root.h - a folder that programs may use, and nothing outside of it.
 *
 * The folder is opened once; every path is resolved beneath that descriptor (walk.h), so neither "..", nor a symbolic
 * link, nor a rename at the right moment leads out, and moving the folder away does not redirect it. Only plain files
 * and folders are opened: a FIFO, a socket, a device or a file of the proc file system in it is refused.
 *
 * The owner's bits of `mode` gate what may be done: read 0400, change 0200, list and make folders 0100. What is created
 * has its mode ANDed with it.
 *
 * Paths are clean (path.h). Everything but files_open_fd_now() blocks: call it on a pool thread. Any thread; immutable but for its reference
 * count.
 */
#ifndef FILES_ROOT_H
#define FILES_ROOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "files/file.h"

enum { FILES_MODE_DEFAULT = 0755, FILES_WHOLE_BYTES_MAX = 256 * 1024 * 1024 };

struct files_root;

struct files_root_config {
	const char *path; /* relative to the working directory, or absolute; borrowed */
	bool auto_init;   /* make it, and what leads to it, when it is missing */
	unsigned mode;
};

/* "0755", "755", "0o755". With all three read bits and no execute bit, the execute bits are added. INVALID
 * otherwise. */
int files_mode_parse(const char *text, unsigned *ret_mode, struct err *e);

/* NOT_FOUND when it is missing, INVALID when it is no folder, PERMISSION_DENIED, INTERNAL. */
int files_root_open(const struct files_root_config *cfg, struct files_root **ret_root, struct err *e);
struct files_root *files_root_ref(struct files_root *r);
void files_root_unref(struct files_root *r); /* NULL is fine */

/* Failures: NOT_FOUND missing, ALREADY_EXISTS, PERMISSION_DENIED (mode, file system, or a way out), INVALID (no
 * plain file or folder; wrong type; not empty), INTERNAL. Their text is the cause: "no such file or directory". */
int files_open(struct files_root *r, const char *path, enum files_how how, struct files_file **ret_file, struct err *e);
int files_stat(struct files_root *r, const char *path, struct files_stat *ret, struct err *e);
/* Open for reading and look at it in one step: a descriptor of the caller's, close-on-exec. A folder is opened too; ret->is_dir says so. */
int files_open_fd(struct files_root *r, const char *path, struct files_stat *ret, struct err *e);
/* The same on a thread that must not wait, for what the kernel has in its memory. NOT_FOUND and the mode's PERMISSION_DENIED are final; UNAVAILABLE is all else, such
 * as a file system that may ask a network or another program: files_open_fd() then tells. */
int files_open_fd_now(struct files_root *r, const char *path, struct files_stat *ret, struct err *e);
/* One level. */
int files_mkdir(struct files_root *r, const char *path, struct err *e);
/* A file, a link (not what it points to) or an empty folder. */
int files_remove(struct files_root *r, const char *path, struct err *e);

/* -- listing --------------------------------------------------------------------------------------- */

struct files_list;

/* INVALID when it is no folder. */
int files_list_open(struct files_root *r, const char *path, struct files_list **ret_list, struct err *e);
/* Append up to `max` entries to `out`: 'd' (folder) or 'f' (anything else), the name, NUL. 1: there may be more; 0:
 * that was the end. */
int files_list_next(struct files_list *l, unsigned max, struct buf *out, struct err *e);
void files_list_free(struct files_list *l); /* NULL is fine */

#endif
