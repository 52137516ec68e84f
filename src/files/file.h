/*
 * file.h - an open file of a folder (root.h).
 *
 * Operations block and share the file's position: one at a time. References may be held and dropped by any thread; the
 * last one closes.
 */
#ifndef FILES_FILE_H
#define FILES_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"

enum files_how {
	FILES_READ,
	FILES_WRITE,     /* emptied, or made */
	FILES_WRITE_NEW, /* must not exist */
	FILES_APPEND,    /* made when missing */
};

struct files_stat {
	char name[256]; /* the last part of the path it was asked for or opened by */
	int64_t size;
	unsigned mode;    /* permission bits */
	int64_t modified; /* Unix seconds */
	bool is_dir;
};

struct files_file;

struct files_file *files_file_ref(struct files_file *f);
void files_file_unref(struct files_file *f); /* NULL is fine */
bool files_file_reads(const struct files_file *f);
bool files_file_writes(const struct files_file *f);

/* Up to `max` bytes; 0 in *ret_n at the end. All fail with INTERNAL and the cause as text. */
int files_file_read(struct files_file *f, void *out, size_t max, size_t *ret_n, struct err *e);
/* Everything from the position to the end, appended; fails beyond `max` bytes. */
int files_file_read_all(struct files_file *f, size_t max, struct buf *out, struct err *e);
/* All of it, or an error. */
int files_file_write(struct files_file *f, const void *data, size_t len, struct err *e);
/* `whence` as of lseek(2). */
int files_file_seek(struct files_file *f, int whence, int64_t offset, int64_t *ret_position, struct err *e);
int files_file_stat(struct files_file *f, struct files_stat *ret, struct err *e);
/* To the disk. */
int files_file_sync(struct files_file *f, struct err *e);

/* For root.c: takes the descriptor. */
struct files_file *files_file_new(int fd, enum files_how how, const char *name);
void files_stat_fill(struct files_stat *ret, const struct stat *st, const char *name);

#endif
