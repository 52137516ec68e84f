/*
 * stream.h - the stream object: bytes from wherever they come, or to wherever they go, for Lua programs.
 *
 * One Lua type for all sources (bodies of responses, files, output of programs). What differs is a struct stream_source
 * with its table of operations. An operation suspends the calling coroutine only; one at a time on a stream. The stream
 * belongs to the process or call that made it and is closed with it, at the latest when it is collected.
 *
 * A source's operation begins with op->… as arguments and ends with stream_op_done(), in the call itself or later on
 * the same worker. After `cancel` the source never touches the op again.
 */
#ifndef BIND_STREAM_H
#define BIND_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "actor/resource.h"
#include "base/buf.h"
#include "base/err.h"
#include "engine/wait.h"

struct lua_State;
struct stream_op;
struct stream_source;

enum {
	STREAM_READ_DEFAULT = 32 * 1024,
	STREAM_READ_MAX = 1024 * 1024,
	STREAM_TOKEN_MAX = 64 * 1024,
	STREAM_WRITE_MAX = 64 * 1024 * 1024,
	STREAM_DRAIN_MAX = 120 * 1024 * 1024,
};

struct stream_ops {
	/* NULL where the stream cannot do it. */
	void (*read)(struct stream_source *s, struct stream_op *op);  /* op->max; op->data, empty at the end */
	void (*write)(struct stream_source *s, struct stream_op *op); /* op->data; op->n: how many bytes went */
	void (*seek)(struct stream_source *s, struct stream_op *op);  /* op->whence, op->n; op->n: the position */
	void (*flush)(struct stream_source *s, struct stream_op *op); /* NULL: nothing to do */
	void (*stat)(
		struct stream_source *s, struct stream_op *op); /* op->n, op->position; -1 unknown. NULL: both are */
	/* Finish what should be finished before `free`, and report failures. NULL: nothing to do. */
	void (*close)(struct stream_source *s, struct stream_op *op);
	/* Withdraw the operation that runs. */
	void (*cancel)(struct stream_source *s, struct stream_op *op);
	/* Close at once; nothing runs. Owner's worker. */
	void (*free)(struct stream_source *s);
};

struct stream_source {
	const struct stream_ops *ops;
	bool readable, writable, seekable;
};

/* The one operation of a stream. */
struct stream_op {
	struct pending pending;
	size_t max;
	struct buf data;
	int whence; /* as of lseek(2) */
	int64_t n;
	int64_t position;
	void *user;    /* of whoever waits */
	bool may_wait; /* false: finish in the call, on the worker, or let the caller raise */
	bool failed;   /* then `err` counts; its kind is replaced */
	struct err err;
};

/* Of a source: the operation is over. */
void stream_op_done(struct stream_op *op);
/* It failed: "connection reset by peer". */
void stream_op_fail(struct stream_op *op, const struct err *e);

/* Begins a userdata; types of their own (an open file) embed it first. */
struct stream {
	struct stream_source *source; /* NULL when closed */
	struct resource resource;
	struct stream_op op;
	bool busy;
	bool closing;
};

/* Once a heap, before anything else here. */
void stream_register(struct lua_State *L);
/* Push a stream object; takes the source. */
void stream_push(struct lua_State *L, struct stream_source *source);
/* Let a type of its own (registered with stream_gc as its finalizer) be taken as a stream wherever one is wanted.
 * `s` is zeroed; takes the source. */
void stream_init(struct lua_State *L, struct stream *s, struct stream_source *source);
int stream_gc(struct lua_State *L);
/* The stream at idx, an open file of `fs` included; NULL when the value is none. Borrowed from the value. */
struct stream *stream_at(struct lua_State *L, int idx);
extern const char stream_type[];      /* "stream" */
extern const char stream_file_type[]; /* an open file: "fs.File" */

/* -- for bindings ----------------------------------------------------------------------------------- */

/* Begin; then `stream_wait(L, s, finish)`, whose `finish` finds the outcome in s->op and begins with stream_over().
 * The userdata must stay on the stack. -1 with `e` (INTERNAL) when it cannot begin: closed, busy, not readable, ... */
int stream_begin_read(struct lua_State *L, struct stream *s, size_t max, struct err *e);
/* The bytes are those in s->op.data, which the caller fills after stream_check_write(). */
int stream_check_write(struct lua_State *L, struct stream *s, struct err *e);
void stream_begin_write(struct stream *s);
int stream_begin_seek(struct lua_State *L, struct stream *s, int whence, int64_t offset, struct err *e);
int stream_begin_flush(struct lua_State *L, struct stream *s, struct err *e);
int stream_begin_stat(struct lua_State *L, struct stream *s, struct err *e);
int stream_begin_close(struct lua_State *L, struct stream *s, struct err *e);
bool stream_is_over(const struct stream *s); /* the operation ended already: no need to wait */
int stream_wait(struct lua_State *L, struct stream *s, pending_finish_fn *finish);
struct stream *stream_of(struct pending *p);
/* The operation's result is being taken: 0, or -1 with `e` "<what>: <cause>" (INTERNAL). */
int stream_over(struct stream *s, const char *what, struct err *e);
/* Close without ceremony; a waiting operation fails. */
void stream_shut(struct stream *s);

/* Read the stream at idx (it must stay on the stack) to its end, then run `drained` in the same coroutine with the
 * bytes on top of the stack; on failure the results are nil and the error instead. Use as `return
 * stream_drain(...)`. */
int stream_drain(struct lua_State *L, int idx, int (*drained)(struct lua_State *L));

/* Push a scanner over the stream at idx. `split`: "lines", "words", "bytes", "runes" (stream_split_is_known()). With
 * `err_objects` its err() gives error objects, else texts. */
bool stream_split_is_known(const char *split);
void stream_push_scanner(struct lua_State *L, int idx, const char *split, bool err_objects);
void stream_scanner_register(struct lua_State *L);

#endif
