/*
 * exec_process.c - the Process object of `exec`: a program, from before it is started until somebody has waited for it.
 *
 * It belongs to the process or call that made it: what still runs when that ends is told to end.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "bind/current.h"
#include "bind/exec.h"
#include "bind/pool_job.h"
#include "engine/lua_api.h"
#include "exec/child.h"

static const char process_type[] = "exec.Process";

enum proc_state { PROC_NEW, PROC_STARTING, PROC_RUNNING, PROC_WAITED, PROC_CLOSED };

struct proc {
	struct resource resource;
	enum proc_state state;
	struct exec_words argv, env;
	char *work_dir;
	struct exec_child *child;
	struct exec_pipe *pipes[3];
	struct stream in; /* writes to the program; not an object of its own */
	struct wait *wait;
	bool with_stdin;
};

struct wait {
	struct pending pending;
	struct proc *proc; /* on the stack of the coroutine that waits */
	int exit_code;
};

static const char children_slot;

static void *make_children(struct worker *w)
{
	return exec_children_new(worker_loop(w));
}

static void free_children(void *c)
{
	exec_children_free(c);
}

/* -- the end ---------------------------------------------------------------------------------------------- */

/* Whatever state it is in: no program, no pipe of ours is left; streams that were taken go on to their end. */
static void proc_close(struct proc *p, bool force)
{
	struct exec_child *child = p->child;

	resource_drop(&p->resource);
	p->child = NULL;
	p->state = PROC_CLOSED;
	stream_shut(&p->in);
	for (int i = 1; i < 3; i++) {
		if (p->pipes[i])
			exec_pipe_let_go(p->pipes[i]);
		p->pipes[i] = NULL;
	}
	exec_child_drop(child, force);
}

static void proc_release(struct resource *r)
{
	proc_close(container_of(r, struct proc, resource), false);
}

static int proc_gc(lua_State *L)
{
	struct proc *p = lua_touserdata(L, 1);

	proc_close(p, false);
	buf_done(&p->in.op.data);
	exec_words_done(&p->argv);
	exec_words_done(&p->env);
	free(p->work_dir);
	p->work_dir = NULL;
	return 0;
}

/* -- results ---------------------------------------------------------------------------------------------- */

static int push_state_error(lua_State *L, const char *text)
{
	struct err e = {0};

	err_set(&e, ERR_INVALID, "%s", text);
	return push_nil_and_err(L, &e);
}

static int push_internal(lua_State *L, struct err *e, const char *what)
{
	err_prefix(e, "%s", what);
	e->kind = ERR_INTERNAL;
	return push_nil_and_err(L, e);
}

static int push_true(lua_State *L)
{
	lua_pushboolean(L, true);
	lua_pushnil(L);
	return 2;
}

static struct proc *check_process(lua_State *L)
{
	return handle_check(L, 1, process_type);
}

static bool is_closed(const struct proc *p)
{
	return p->state == PROC_CLOSED || p->state == PROC_WAITED;
}

/* -- streams ---------------------------------------------------------------------------------------------- */

/* The streams live in the user value, so that every call gives the same one. */
static int push_stream(lua_State *L, int i)
{
	struct proc *p = check_process(L);

	lua_settop(L, 1);
	lua_getiuservalue(L, 1, 1);
	if (lua_istable(L, -1) && lua_rawgeti(L, -1, i) != LUA_TNIL) {
		lua_pushnil(L);
		return 2;
	}
	if (is_closed(p))
		return push_state_error(L, "process is closed");
	if (p->state != PROC_NEW)
		return push_state_error(L, "process already started: take its streams before start()");
	if (!lua_istable(L, 2)) {
		lua_settop(L, 1);
		lua_createtable(L, 2, 0);
		lua_pushvalue(L, -1);
		lua_setiuservalue(L, 1, 1);
	}
	lua_settop(L, 2);
	stream_push(L, exec_pipe_source(exec_pipe_new(current_loop(L), false, &p->pipes[i])));
	lua_pushvalue(L, -1);
	lua_rawseti(L, 2, i);
	lua_pushnil(L);
	return 2;
}

static int l_stdout_stream(lua_State *L)
{
	return push_stream(L, 1);
}

static int l_stderr_stream(lua_State *L)
{
	return push_stream(L, 2);
}

/* -- starting --------------------------------------------------------------------------------------------- */

struct start_job {
	struct pool_job job;
	struct exec_spawn spawn;
	struct proc *proc; /* on the stack of the coroutine that waits */
	char *work_dir;
	bool started; /* and not handed over */
	struct err err;
};

static void start_work(struct pool_job *j)
{
	struct start_job *s = container_of(j, struct start_job, job);

	s->started = exec_spawn(&s->spawn, &s->err) == 0;
}

static void start_free(struct pool_job *j)
{
	struct start_job *s = container_of(j, struct start_job, job);

	if (s->started)
		exec_spawn_undo(&s->spawn);
	exec_words_done(&s->spawn.argv);
	exec_words_done(&s->spawn.env);
	free(s->work_dir);
	free(s);
}

static int start_finish(lua_State *L, struct pool_job *j)
{
	struct start_job *s = container_of(j, struct start_job, job);
	struct proc *p = s->proc;

	if (!s->started) {
		struct err e = s->err;

		if (p->state == PROC_STARTING)
			proc_close(p, false);
		return push_internal(L, &e, "start process");
	}
	if (p->state != PROC_STARTING) /* closed meanwhile; the job ends the program */
		return push_state_error(L, "process is closed");
	p->child =
		exec_child_new(worker_slot(current_worker(L), &children_slot, make_children, free_children), &s->spawn);
	s->started = false;
	p->state = PROC_RUNNING;
	for (int i = 0; i < 3; i++) {
		if (s->spawn.fds[i] < 0)
			continue;
		/* A stream that was closed meanwhile leaves nobody to read. */
		if (p->pipes[i])
			exec_pipe_open(p->pipes[i], s->spawn.fds[i]);
		else
			close(s->spawn.fds[i]);
	}
	return push_true(L);
}

static int l_start(lua_State *L)
{
	struct proc *p = check_process(L);
	struct start_job *s;

	if (is_closed(p))
		return push_state_error(L, "process is closed");
	if (p->state != PROC_NEW)
		return push_state_error(L, "process already started");
	lua_settop(L, 1);
	s = xcalloc(1, sizeof(*s));
	s->job.work = start_work;
	s->job.finish = start_finish;
	s->job.free = start_free;
	s->proc = p;
	/* The job's own: the object may be collected while the pool works. */
	s->spawn.argv = p->argv;
	s->spawn.env = p->env;
	p->argv = p->env = (struct exec_words){0};
	s->work_dir = p->work_dir;
	p->work_dir = NULL;
	s->spawn.work_dir = s->work_dir;
	s->spawn.with_stdin = p->with_stdin;
	s->spawn.with_stdout = p->pipes[1] != NULL;
	s->spawn.with_stderr = p->pipes[2] != NULL;
	if (p->with_stdin)
		p->in.source = exec_pipe_source(exec_pipe_new(current_loop(L), true, &p->pipes[0]));
	p->state = PROC_STARTING;
	return pool_job_run(L, &s->job);
}

/* -- while it runs ---------------------------------------------------------------------------------------- */

static int write_finish(lua_State *L, struct pending *pending)
{
	struct stream *s = stream_of(pending);
	struct err e;
	int rc = stream_over(s, NULL, &e);

	buf_done(&s->op.data);
	return rc < 0 ? push_internal(L, &e, "write stdin") : push_true(L);
}

static int l_write_stdin(lua_State *L)
{
	struct proc *p = check_process(L);
	size_t len;
	const char *data = luaL_checklstring(L, 2, &len);
	struct err e;

	if (is_closed(p))
		return push_state_error(L, "process is closed");
	if (p->state != PROC_RUNNING)
		return push_state_error(L, "process not started: call start() first");
	if (!p->in.source)
		return push_state_error(L, "standard input of the process is closed");
	if (len == 0) {
		stream_shut(&p->in);
		return push_true(L);
	}
	if (len > STREAM_WRITE_MAX)
		return push_state_error(L, "at most 64 MiB can be written at a time");
	if (stream_check_write(L, &p->in, &e) < 0)
		return push_internal(L, &e, "write stdin");
	buf_add(&p->in.op.data, data, len);
	stream_begin_write(&p->in);
	return stream_wait(L, &p->in, write_finish);
}

static void wait_over(void *arg, int exit_code)
{
	struct wait *w = arg;

	w->exit_code = exit_code;
	pending_ready(&w->pending);
}

static void wait_cancel(struct pending *pending)
{
	struct wait *w = container_of(pending, struct wait, pending);

	if (w->proc->wait == w && w->proc->child)
		exec_child_on_end(w->proc->child, NULL, NULL);
	w->proc->wait = NULL;
	free(w);
}

static int wait_finish(lua_State *L, struct pending *pending)
{
	struct wait *w = container_of(pending, struct wait, pending);
	int exit_code = w->exit_code;

	w->proc->wait = NULL;
	proc_close(w->proc, false);
	free(w);
	lua_pushinteger(L, exit_code);
	lua_pushnil(L);
	return 2;
}

static int l_wait(lua_State *L)
{
	struct proc *p = check_process(L);

	if (is_closed(p))
		return push_state_error(L, "process is closed");
	if (p->state != PROC_RUNNING)
		return push_state_error(L, "process not started: call start() first");
	if (!wait_is_possible(L))
		return raise_text(L, "cannot wait for a process here: call this from a function");
	/* Nothing more will come: a program that reads to the end goes on. */
	stream_shut(&p->in);
	p->state = PROC_WAITED;
	p->wait = xcalloc(1, sizeof(*p->wait));
	p->wait->pending.cancel = wait_cancel;
	p->wait->proc = p;
	exec_child_on_end(p->child, wait_over, p->wait);
	return wait_for(L, &p->wait->pending, wait_finish);
}

static int l_signal(lua_State *L)
{
	struct proc *p = check_process(L);
	lua_Integer n = luaL_checkinteger(L, 2);
	struct err e = {0};

	if (is_closed(p))
		return push_state_error(L, "process is closed");
	if (p->state != PROC_RUNNING)
		return push_state_error(L, "process not started: call start() first");
	if (n < 1 || n > SIGRTMAX)
		return push_state_error(L, "there is no signal of that number");
	if (!exec_child_signal(p->child, (int)n)) {
		err_set(&e, ERR_INTERNAL, "signal process: it has ended");
		return push_nil_and_err(L, &e);
	}
	return push_true(L);
}

static int l_close(lua_State *L)
{
	struct proc *p = check_process(L);
	bool force = lua_toboolean(L, 2);

	/* Who waits for it hears of its end as ever. */
	if (p->state == PROC_WAITED && p->child)
		exec_child_signal(p->child, force ? SIGKILL : SIGTERM);
	else if (p->state != PROC_CLOSED)
		proc_close(p, force);
	return push_true(L);
}

void exec_process_register(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"stdout_stream", l_stdout_stream},
		{"stderr_stream", l_stderr_stream},
		{"start", l_start},
		{"write_stdin", l_write_stdin},
		{"wait", l_wait},
		{"signal", l_signal},
		{"close", l_close},
		{NULL, NULL},
	};

	handle_register(L, process_type, methods, proc_gc);
}

void exec_process_push(lua_State *L, struct exec_words *argv, struct exec_words *env, char *work_dir, bool with_stdin)
{
	struct process *owner = current_process(L);
	struct proc *p = handle_new(L, process_type, sizeof(*p));

	p->argv = *argv;
	p->env = *env;
	*argv = *env = (struct exec_words){0};
	p->work_dir = work_dir;
	p->with_stdin = with_stdin;
	if (owner)
		resource_own(&owner->resources, &p->resource, proc_release);
}
