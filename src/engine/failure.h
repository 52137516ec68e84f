/*
 * failure.h - why a process or call failed: an error object that can cross threads.
 *
 * Immutable and reference counted. This is what a Lua error object wraps, what EXIT events carry and what funcs.call returns.
 */
#ifndef ENGINE_FAILURE_H
#define ENGINE_FAILURE_H

#include <stddef.h>

#include "base/err.h"
#include "base/refcount.h"
#include "value/value.h"

struct failure {
	struct refcount refs;
	char *kind; /* "Internal", ...; "" when unknown; any text a program chose */
	enum err_retry retry;
	char *message;
	size_t message_len;
	struct value *details; /* a map, or NULL */
	char *stack;           /* text, one frame a line, innermost first; or NULL */
	struct failure *cause; /* of errors.wrap(), or NULL; `message` already contains its text */
};

/* All strings are copied; details and cause are taken; NULL where absent. */
struct failure *failure_new(const char *kind, enum err_retry retry, const char *message, size_t message_len,
	struct value *details, const char *stack, struct failure *cause);
/* code becomes details.code when set. */
struct failure *failure_from_err(const struct err *e);
/* Fills kind, retry and text. Returns -1, so that `return failure_to_err(f, e)` fails. */
int failure_to_err(const struct failure *f, struct err *e);
struct failure *failure_ref(struct failure *f);
void failure_unref(struct failure *f);

#endif
