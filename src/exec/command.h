/*
 * command.h - a command line cut into words, and what a program may be started with. Pure.
 *
 * Words are separated by blanks (space, tab, newline). '…' and "…" keep blanks together and may stand inside a word;
 * nothing is expanded, a backslash is an ordinary byte. There is no shell.
 */
#ifndef EXEC_COMMAND_H
#define EXEC_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/refcount.h"
#include "value/value.h"

enum {
	EXEC_COMMAND_BYTES_MAX = 64 * 1024,
	EXEC_WORDS_MAX = 4096,
	EXEC_ENV_BYTES_MAX = 256 * 1024,
	EXEC_ENV_MAX = 1024
};

/* A NULL-terminated array of strings. */
struct exec_words {
	char **items;
	size_t count;
};

/* INVALID: empty, too long, a NUL byte, a quote that is not closed. */
int exec_split(const char *line, size_t len, struct exec_words *ret, struct err *e);
void exec_words_done(struct exec_words *w);

/* "NAME=value" for every pair of `base`, those of `over` winning; either may be NULL. Values are texts, numbers or
 * booleans. INVALID otherwise, for a name that is empty or has a '=', for NUL bytes, or beyond the limits; values
 * are never part of the message. */
int exec_environment(const struct value *base, const struct value *over, struct exec_words *ret, struct err *e);

/* -- what an executor may do: immutable, shared ------------------------------------------------------ */

struct exec_native {
	struct refcount refs;
	char *work_dir;          /* NULL: the program's own */
	struct value *env;       /* a map or NULL */
	struct value *whitelist; /* a list of texts; NULL: anything */
};

/* Takes the values. */
struct exec_native *exec_native_new(const char *work_dir, struct value *env, struct value *whitelist);
struct exec_native *exec_native_ref(struct exec_native *n);
void exec_native_unref(struct exec_native *n); /* NULL is fine */
/* Is exactly this text on the list? */
bool exec_native_allows(const struct exec_native *n, const char *command, size_t len);

#endif
