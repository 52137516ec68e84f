/*
 * io.c - the `io` module: the standard streams of a process on a terminal host.
 *
 * A worker never waits for a terminal or a pipe: what cannot be written or read at once is waited for on the thread pool (poll(2)), and only the calling
 * coroutine stops. The descriptors themselves stay blocking, since other programs share them. Output keeps its order: one writer at a time per stream, and nothing is buffered.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actor/terminal.h"
#include "base/alloc.h"
#include "bind/current.h"
#include "bind/modules.h"
#include "bind/terminal_mode.h"
#include "engine/lua_api.h"

enum {
	WRITE_CHUNK = 4096, /* what a pipe or terminal that polls writable takes without blocking (PIPE_BUF) */
	READ_CHUNK = 4096,
	READ_DEFAULT = 1024,
	LINE_MAX_BYTES = 16 * 1024 * 1024,
	POLL_SLICE_MS = 100, /* how long a pool thread may miss that nobody waits any more */
};

static bool fd_is_ready(int fd, short events, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = events};

	return poll(&p, 1, timeout_ms) != 0;
}

/* A wait for a descriptor on the thread pool; `done` runs on the worker unless the wait was dropped. */
struct fd_wait {
	int fd;
	short events;
	atomic_bool dropped;
	void (*done)(struct fd_wait *w);
	void *owner;
};

static void fd_wait_work(void *arg)
{
	struct fd_wait *w = arg;

	while (!atomic_load(&w->dropped) && !fd_is_ready(w->fd, w->events, POLL_SLICE_MS))
		;
}

static void fd_wait_over(void *arg)
{
	struct fd_wait *w = arg;

	if (!atomic_load(&w->dropped))
		w->done(w);
	free(w);
}

static struct fd_wait *fd_wait_start(struct loop *l, int fd, short events, void (*done)(struct fd_wait *w), void *owner)
{
	struct fd_wait *w = xcalloc(1, sizeof(*w));

	w->fd = fd;
	w->events = events;
	w->done = done;
	w->owner = owner;
	loop_work(l, fd_wait_work, fd_wait_over, w);
	return w;
}

static bool has_terminal(lua_State *L)
{
	return current_terminal(L) != NULL;
}

static int no_terminal(lua_State *L)
{
	struct err e = {0};

	err_set(&e, ERR_UNAVAILABLE, "no terminal context");
	return push_nil_and_err(L, &e);
}

/* -- writing ------------------------------------------------------------------------------------------ */

struct output {
	struct pending pending;
	struct loop *loop;
	struct fd_wait *wait;
	int fd;
	bool report; /* io.write tells of failures, io.print does not */
	struct buf data;
	int errnum;
};

/* Write what can be written without blocking; true when nothing is left (or it failed). */
static bool output_step(struct output *o)
{
	while (buf_len(&o->data) > 0) {
		size_t len = buf_len(&o->data) < WRITE_CHUNK ? buf_len(&o->data) : WRITE_CHUNK;
		ssize_t n;

		if (!fd_is_ready(o->fd, POLLOUT, 0))
			return false;
		n = write(o->fd, buf_data(&o->data), len);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0) {
			o->errnum = errno;
			return true;
		}
		buf_consume(&o->data, (size_t)n);
	}
	return true;
}

static void output_free(struct output *o)
{
	if (o->wait)
		atomic_store(&o->wait->dropped, true);
	buf_done(&o->data);
	free(o);
}

static void output_cancel(struct pending *p)
{
	output_free(container_of(p, struct output, pending));
}

static void output_ready(struct fd_wait *w)
{
	struct output *o = w->owner;

	o->wait = NULL;
	if (output_step(o))
		pending_ready(&o->pending);
	else
		o->wait = fd_wait_start(o->loop, o->fd, POLLOUT, output_ready, o);
}

static int push_written(lua_State *L, bool report, int errnum)
{
	struct err e = {0};

	if (report && errnum) {
		err_set_errno(&e, ERR_INTERNAL, errnum, "write stdout");
		return push_nil_and_err(L, &e);
	}
	lua_pushboolean(L, true);
	lua_pushnil(L);
	return report ? 2 : 1;
}

static int output_finish(lua_State *L, struct pending *p)
{
	struct output *o = container_of(p, struct output, pending);
	bool report = o->report;
	int errnum = o->errnum;

	output_free(o);
	return push_written(L, report, errnum);
}

/* Write the string on top of the stack. */
static int put(lua_State *L, int fd, bool report)
{
	size_t len;
	const char *text = lua_tolstring(L, -1, &len);
	struct output *o;

	/* The common case costs no allocation. */
	if (len <= WRITE_CHUNK && fd_is_ready(fd, POLLOUT, 0)) {
		ssize_t n;

		do {
			n = write(fd, text, len);
		} while (n < 0 && errno == EINTR);
		if (n == (ssize_t)len || (n < 0 && errno != EAGAIN))
			return push_written(L, report, n < 0 ? errno : 0);
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	o = xcalloc(1, sizeof(*o));
	o->pending.cancel = output_cancel;
	o->loop = current_loop(L);
	o->fd = fd;
	o->report = report;
	buf_add(&o->data, text, len);
	if (output_step(o))
		return output_finish(L, &o->pending);
	o->wait = fd_wait_start(o->loop, fd, POLLOUT, output_ready, o);
	return wait_for(L, &o->pending, output_finish);
}

/* All arguments as text on top of the stack, with `separator` between and `end` behind. */
static void push_joined(lua_State *L, const char *separator, const char *end)
{
	int n = lua_gettop(L);
	luaL_Buffer b;

	luaL_checkstack(L, 4, "too many arguments");
	luaL_buffinit(L, &b);
	for (int i = 1; i <= n; i++) {
		if (i > 1)
			luaL_addstring(&b, separator);
		push_text(L, i, true, NULL);
		luaL_addvalue(&b);
	}
	luaL_addstring(&b, end);
	luaL_pushresult(&b);
}

static int l_print(lua_State *L)
{
	if (!has_terminal(L))
		return no_terminal(L);
	push_joined(L, "\t", "\n");
	return put(L, STDOUT_FILENO, false);
}

static int l_eprint(lua_State *L)
{
	if (!has_terminal(L))
		return no_terminal(L);
	push_joined(L, "\t", "\n");
	return put(L, STDERR_FILENO, false);
}

static int l_write(lua_State *L)
{
	if (!has_terminal(L))
		return no_terminal(L);
	push_joined(L, "", "");
	return put(L, STDOUT_FILENO, true);
}

static int l_flush(lua_State *L)
{
	if (!has_terminal(L))
		return no_terminal(L);
	lua_pushboolean(L, true);
	lua_pushnil(L);
	return 2;
}

/* -- reading ------------------------------------------------------------------------------------------ */

/* Read ahead of what programs took; one for the program, since there is one standard input. */
static struct {
	pthread_mutex_t lock; /* held for copies only */
	struct buf data;
	bool eof;
} input = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct reading {
	struct pending pending;
	struct loop *loop;
	struct fd_wait *wait;
	size_t want; /* 0: a line */
	struct buf text;
	bool eof;
	int errnum;
};

/* Read what is there without blocking. Lock held. */
static int input_fill(void)
{
	ssize_t n;

	if (input.eof || !fd_is_ready(STDIN_FILENO, POLLIN, 0))
		return 0;
	do {
		n = read(STDIN_FILENO, buf_reserve(&input.data, READ_CHUNK), READ_CHUNK);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : errno;
	if (n == 0)
		input.eof = true;
	buf_commit(&input.data, (size_t)n);
	return 0;
}

static bool take_line(struct reading *r)
{
	const char *data = buf_data(&input.data);
	size_t len = buf_len(&input.data);
	const char *newline = memchr(data, '\n', len);
	size_t line = newline ? (size_t)(newline - data) : len;

	if (!newline && !(input.eof && len > 0) && len < LINE_MAX_BYTES)
		return false;
	buf_add(&r->text, data, newline && line > 0 && data[line - 1] == '\r' ? line - 1 : line);
	buf_consume(&input.data, line + (newline ? 1 : 0));
	return true;
}

/* True when the reading is over. */
static bool reading_step(struct reading *r)
{
	bool over = true;

	pthread_mutex_lock(&input.lock);
	for (;;) {
		size_t before = buf_len(&input.data);
		bool was_eof = input.eof;

		if (r->want > 0 && before > 0) {
			size_t n = before < r->want ? before : r->want;

			buf_add(&r->text, buf_data(&input.data), n);
			buf_consume(&input.data, n);
			break;
		}
		if (r->want == 0 && take_line(r))
			break;
		if (input.eof) {
			r->eof = true;
			break;
		}
		r->errnum = input_fill();
		if (r->errnum)
			break;
		if (buf_len(&input.data) == before && input.eof == was_eof) {
			over = false;
			break;
		}
	}
	pthread_mutex_unlock(&input.lock);
	return over;
}

static void reading_free(struct reading *r)
{
	if (r->wait)
		atomic_store(&r->wait->dropped, true);
	buf_done(&r->text);
	free(r);
}

static void reading_cancel(struct pending *p)
{
	reading_free(container_of(p, struct reading, pending));
}

static void reading_ready(struct fd_wait *w)
{
	struct reading *r = w->owner;

	r->wait = NULL;
	if (reading_step(r))
		pending_ready(&r->pending);
	else
		r->wait = fd_wait_start(r->loop, STDIN_FILENO, POLLIN, reading_ready, r);
}

static int reading_finish(lua_State *L, struct pending *p)
{
	struct reading *r = container_of(p, struct reading, pending);
	struct err e = {0};

	if (r->errnum || r->eof) {
		if (r->errnum)
			err_set_errno(&e, ERR_INTERNAL, r->errnum, "read stdin");
		else
			err_set(&e, ERR_UNKNOWN, "EOF");
		reading_free(r);
		return push_nil_and_err(L, &e);
	}
	lua_pushlstring(L, buf_data(&r->text), buf_len(&r->text));
	reading_free(r);
	lua_pushnil(L);
	return 2;
}

static int start_reading(lua_State *L, size_t want)
{
	struct reading *r = xcalloc(1, sizeof(*r));

	r->pending.cancel = reading_cancel;
	r->loop = current_loop(L);
	r->want = want;
	if (reading_step(r))
		return reading_finish(L, &r->pending);
	r->wait = fd_wait_start(r->loop, STDIN_FILENO, POLLIN, reading_ready, r);
	return wait_for(L, &r->pending, reading_finish);
}

static int l_read(lua_State *L)
{
	lua_Number n = luaL_optnumber(L, 1, READ_DEFAULT);

	if (!has_terminal(L))
		return no_terminal(L);
	if (!(n > 0))
		n = READ_DEFAULT;
	return start_reading(L, n < LINE_MAX_BYTES ? (size_t)n : LINE_MAX_BYTES);
}

static int l_readline(lua_State *L)
{
	if (!has_terminal(L))
		return no_terminal(L);
	return start_reading(L, 0);
}

/* -- the rest ----------------------------------------------------------------------------------------- */

struct raw_hold {
	struct resource resource;
};

static void raw_release(struct resource *r)
{
	terminal_raw_leave();
	free(container_of(r, struct raw_hold, resource));
}

static int l_raw(lua_State *L)
{
	bool enable = lua_isnoneornil(L, 1) || lua_toboolean(L, 1);
	struct process *p = current_process(L);
	struct err e = {0};

	if (!has_terminal(L) || !p)
		return no_terminal(L);
	if (enable) {
		struct raw_hold *h;

		if (terminal_raw_enter(&e) < 0)
			return push_nil_and_err(L, &e);
		h = xcalloc(1, sizeof(*h));
		resource_own(&p->resources, &h->resource, raw_release);
	} else {
		/* One level back: the newest hold of this process. */
		for (struct resource *r = p->resources; r; r = r->next) {
			if (r->release == raw_release) {
				resource_drop(r);
				raw_release(r);
				break;
			}
		}
	}
	lua_pushboolean(L, true);
	lua_pushnil(L);
	return 2;
}

static int l_args(lua_State *L)
{
	const struct terminal *t = current_terminal(L);

	lua_newtable(L);
	for (unsigned i = 0; t && i < t->nargs; i++) {
		lua_pushstring(L, t->args[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

int bind_io_open(struct lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"print", l_print},
		{"eprint", l_eprint},
		{"write", l_write},
		{"flush", l_flush},
		{"read", l_read},
		{"readline", l_readline},
		{"raw", l_raw},
		{"args", l_args},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	return 1;
}
