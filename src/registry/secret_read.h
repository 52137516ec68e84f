/*
 * secret_read.h - the secret fields of entries: where a kind reads a password or a key from.
 *
 * For a field `password` an entry gives one of
 *
 *     password: ...        the text itself, or a placeholder ${env:NAME}
 *     password_env: NAME   a variable, see env_field()
 *     password_file: PATH  a regular file's content, relative to the project's folder
 *     password_fd: N       what an inherited descriptor (3 and above) gives up to its end; read and closed once, known for the program's life after that
 *
 * Of files and descriptors at most SECRET_BYTES_MAX bytes, without NUL; one newline at the end does not count. A file that others may read is warned of in
 * the log. Main thread; a descriptor may hold it up for SECRET_FD_WAIT_MS. Errors name the field and its line, never a content or a path.
 */
#ifndef REGISTRY_SECRET_READ_H
#define REGISTRY_SECRET_READ_H

#include "base/secret.h"
#include "registry/entry.h"
#include "registry/env.h"

enum { SECRET_FD_MIN = 3, SECRET_FD_MAX = 255, SECRET_FD_WAIT_MS = 5000 };

/* Remember which descriptors the program was started with: no others are read. First thing in main(). */
void secret_fds_note(void);

/* `data` is the entry's, expanded. *ret is NULL when no way is given. INVALID when there are several or what is given cannot be had; as env_field(). */
int secret_read(struct env *env, const struct entry *entry, const struct value *data, const char *field,
	enum env_field_rule rule, struct secret **ret, struct err *e);

/* For who reads from a tree: replaces *data by one that has the field's text itself, wherever it came from. Afterwards secret_unfill() instead of value_unref(). */
int secret_fill(struct env *env, const struct entry *entry, struct value **data, const char *field, struct err *e);
/* Wipes that text and drops the tree, which nobody else holds. */
void secret_unfill(struct value *data, const char *field);

#endif
