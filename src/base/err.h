/*
 * err.h - what went wrong: a kind for code, one sentence for people.
 *
 * The caller lends a `struct err`; a function that fails fills it and returns
 * -1. err_set() and err_prefix() return -1 themselves, so failing is one line.
 * An err is only meaningful after a failure. It owns nothing: copy it freely.
 *
 * Secrets never go into `text`: it reaches logs and scripts. Bytes that came
 * from outside are escaped on the way in (control bytes as \xHH).
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>

enum { ERR_TEXT_MAX = 1024 };

/* The kinds a Lua program sees; err_kind_name() gives their text. */
enum err_kind {
	ERR_UNKNOWN, /* "" */
	ERR_NOT_FOUND,
	ERR_ALREADY_EXISTS,
	ERR_INVALID,
	ERR_PERMISSION_DENIED,
	ERR_UNAVAILABLE,
	ERR_INTERNAL,
	ERR_CANCELED,
	ERR_CONFLICT,
	ERR_TIMEOUT,
	ERR_RATE_LIMITED,
};

enum err_retry { ERR_RETRY_UNKNOWN, ERR_RETRY_NO, ERR_RETRY_YES };

struct err {
	enum err_kind kind;
	enum err_retry retry;
	/* A fixed word for programs ("proxy_auth_failed"), static storage; NULL when there is none. */
	const char *code;
	char text[ERR_TEXT_MAX];
};

/* Fill `e` (which may be NULL) and return -1. retry becomes ERR_RETRY_NO, code NULL. */
int err_set(struct err *e, enum err_kind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_vset(struct err *e, enum err_kind kind, const char *fmt, va_list ap);

/* err_set() with " : <strerror(errnum)>" appended, beginning with a small letter. */
int err_set_errno(struct err *e, enum err_kind kind, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Put "<prefix>: " before the text, keep the rest; returns -1. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Mark the failure (chain after err_set); return -1. */
int err_retryable(struct err *e);
int err_code(struct err *e, const char *static_code);

/* "NotFound", "Internal", ..., "" for ERR_UNKNOWN. */
const char *err_kind_name(enum err_kind kind);
/* The kind of that name; ERR_UNKNOWN when there is none. */
enum err_kind err_kind_from_name(const char *name);

#endif
