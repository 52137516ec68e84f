/*
 * process_spawn.c - process.spawn and its variants, process.exec.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/process.h"

const struct spawn_ask spawn_asks[4] = {
	{"spawn", false, false},
	{"spawn_monitored", true, false},
	{"spawn_linked", false, true},
	{"spawn_linked_monitored", true, true},
};

/* -- preparing --------------------------------------------------------------------------------------- */

static int find_host(lua_State *L, const char *id, struct host **ret_host, struct err *e)
{
	struct node *n = current_node(L);
	struct host *h = worker_host(current_worker(L), id);
	struct entry *en;

	if (h) {
		*ret_host = h;
		return 0;
	}
	en = registry_get(n->registry, id);
	if (!en)
		return err_set(e, ERR_NOT_FOUND, "host not found");
	entry_unref(en);
	return err_set(e, ERR_INTERNAL, "host does not implement");
}

int spawn_prepare(lua_State *L, struct spawn *s, const char *id, const char *host, const struct frame_edge *edge,
	int first, struct err *e)
{
	struct frame_edge full = *edge;
	struct program *program;
	int n = lua_gettop(L) - first + 1;

	if (find_host(L, host, &s->host, e) < 0)
		return -1;
	program = worker_program(current_worker(L), id);
	if (!program || program->type != PROGRAM_PROCESS)
		return err_set(e, ERR_NOT_FOUND, "factory not found");
	s->program = program_ref(program);
	full.entry_network = program->network;
	if (edge_frame(current_node(L), current_frame(L), &full, &s->frame, e) < 0)
		return -1;
	if (n > 0 && packed_from_lua(L, first, n, &s->args, e) < 0)
		return -1;
	if (s->host->type == HOST_TERMINAL)
		s->terminal = terminal_new(NULL, 0);
	return 0;
}

/* -- here or elsewhere ------------------------------------------------------------------------------- */

/* A coroutine waits for a process to be made by another worker. */
struct spawn_wait {
	struct pending pending;
	struct spawn *spawn;
	bool dropped;
	bool over;
};

static int push_pid(lua_State *L, struct pid pid)
{
	char text[PID_TEXT_MAX];

	lua_pushstring(L, pid_format(pid, text));
	return 1;
}

static int push_spawned(lua_State *L, const struct spawn *s)
{
	return s->failed ? push_nil_and_err(L, &s->err) : push_pid(L, s->pid);
}

static void spawn_wait_free(struct spawn_wait *w)
{
	spawn_free(w->spawn);
	free(w);
}

static void on_spawned(struct spawn *s)
{
	struct spawn_wait *w = s->done_arg;

	w->over = true;
	if (w->dropped)
		spawn_wait_free(w);
	else
		pending_ready(&w->pending);
}

static void spawn_cancel(struct pending *pending)
{
	struct spawn_wait *w = container_of(pending, struct spawn_wait, pending);

	/* The child comes to life all the same: nobody hears of it. */
	if (w->over)
		spawn_wait_free(w);
	else
		w->dropped = true;
}

static int spawn_finish(lua_State *L, struct pending *pending)
{
	struct spawn_wait *w = container_of(pending, struct spawn_wait, pending);
	int n = push_spawned(L, w->spawn);

	spawn_wait_free(w);
	return n;
}

int spawn_go(lua_State *L, struct spawn *s)
{
	struct worker *here = current_worker(L);
	struct worker *there = wait_is_possible(L) ? spawn_place(worker_scheduler(here), here, s) : here;
	struct spawn_wait *w;
	struct pid pid;
	int n;

	if (there == here) {
		spawn_run(here, s);
		n = push_spawned(L, s);
		spawn_free(s);
		return end_turn(L, n);
	}
	if (spawn_ahead(there, s, &pid))
		return push_pid(L, pid);
	w = xcalloc(1, sizeof(*w));
	w->spawn = s;
	w->pending.cancel = spawn_cancel;
	s->reply_loop = worker_loop(here);
	s->done = on_spawned;
	s->done_arg = w;
	spawn_start(there, s);
	return wait_for(L, &w->pending, spawn_finish);
}

/* -- the plain functions ----------------------------------------------------------------------------- */

int spawn_check(lua_State *L, const struct spawn_ask *ask, const char *id, struct err *e)
{
	if (frame_is_free(current_node(L), current_frame(L)))
		return 0;
	if (process_action_check(L, "process.spawn", id, "not allowed to spawn process: ", e) < 0)
		return -1;
	if (ask->monitor && process_action_check(L, "process.spawn.monitored", id,
				    "not allowed to spawn monitored process: ", e) < 0)
		return -1;
	if (ask->link &&
		process_action_check(L, "process.spawn.linked", id, "not allowed to spawn linked process: ", e) < 0)
		return -1;
	return 0;
}

static int spawn_plain(lua_State *L, const struct spawn_ask *ask)
{
	static const struct frame_edge edge;
	struct process *self = current_process(L);
	const char *id, *host;
	struct spawn *s;
	struct err e;

	if (!self) {
		err_set(&e, ERR_INTERNAL, "no process PID");
		return push_nil_and_err(L, &e);
	}
	if (lua_gettop(L) < 2) {
		err_set(&e, ERR_INVALID, "%s requires at least id and host arguments", ask->name);
		return push_nil_and_err(L, &e);
	}
	id = luaL_checkstring(L, 1);
	host = luaL_checkstring(L, 2);
	if (spawn_check(L, ask, id, &e) < 0)
		return push_nil_and_err(L, &e);
	/* Of all forms only the plain one (and exec) asks whether the host may be used. */
	if (!ask->monitor && !ask->link &&
		process_action_check(L, "process.host", host, "not allowed to spawn on host: ", &e) < 0)
		return push_nil_and_err(L, &e);
	s = spawn_new();
	s->parent = process_pid(self);
	s->parent_entry = self->program->id;
	s->monitor = ask->monitor;
	s->link = ask->link;
	if (spawn_prepare(L, s, id, host, &edge, 3, &e) < 0) {
		spawn_free(s);
		return push_nil_and_err(L, &e);
	}
	return spawn_go(L, s);
}

int l_process_spawn(lua_State *L)
{
	return spawn_plain(L, &spawn_asks[0]);
}

int l_process_spawn_monitored(lua_State *L)
{
	return spawn_plain(L, &spawn_asks[1]);
}

int l_process_spawn_linked(lua_State *L)
{
	return spawn_plain(L, &spawn_asks[2]);
}

int l_process_spawn_linked_monitored(lua_State *L)
{
	return spawn_plain(L, &spawn_asks[3]);
}

/* -- exec -------------------------------------------------------------------------------------------- */

/* A coroutine waits for a process to end. It is held by the coroutine, by the spawn until it replied, and by the child until it ended. */
struct exec_wait {
	struct pending pending;
	struct loop *loop;
	struct loop_post post;
	struct packed *value;
	struct failure *failure;
	unsigned holders;
	bool dropped;
	bool finished;
};

static void exec_release(struct exec_wait *x)
{
	if (--x->holders > 0)
		return;
	packed_unref(x->value);
	failure_unref(x->failure);
	free(x);
}

static void exec_over(struct exec_wait *x)
{
	if (!x->dropped && !x->finished) {
		x->finished = true;
		pending_ready(&x->pending);
	}
}

/* On the caller's worker: the child's end is here. */
static void on_exec_post(struct loop_post *post)
{
	struct exec_wait *x = container_of(post, struct exec_wait, post);

	exec_over(x);
	exec_release(x);
}

/* On the child's worker. Nobody looks at the result before the post arrives. */
static void on_exec_ended(void *arg, const struct process_end *end)
{
	struct exec_wait *x = arg;

	x->value = packed_ref(end->value);
	x->failure = failure_keep(end->failure);
	loop_post(x->loop, &x->post);
}

static void exec_failed(struct exec_wait *x, const struct spawn *s)
{
	struct err e = s->err;

	e.kind = ERR_INTERNAL;
	x->failure = failure_from_err(&e);
	exec_over(x);
	x->holders--; /* for the child there will not be; the spawn still holds it */
}

static void on_exec_spawned(struct spawn *s)
{
	struct exec_wait *x = s->done_arg;

	if (s->failed)
		exec_failed(x, s);
	spawn_free(s);
	exec_release(x);
}

static void exec_cancel(struct pending *pending)
{
	struct exec_wait *x = container_of(pending, struct exec_wait, pending);

	/* The child goes on. */
	x->dropped = true;
	exec_release(x);
}

static int exec_finish(lua_State *L, struct pending *pending)
{
	struct exec_wait *x = container_of(pending, struct exec_wait, pending);
	struct failure *f = failure_keep(x->failure);
	struct packed *value = packed_ref(x->value);
	int n = 1;

	exec_release(x);
	if (f)
		n = push_nil_and_failure(L, f);
	else
		packed_push_at(L, value, 0);
	failure_unref(f);
	packed_unref(value);
	return n;
}

static int exec_error(lua_State *L, enum err_kind kind, const char *text)
{
	struct err e;

	err_set(&e, kind, "%s", text);
	return push_nil_and_err(L, &e);
}

int l_process_exec(lua_State *L)
{
	static const struct frame_edge edge;
	struct worker *here = current_worker(L), *there;
	const char *id, *host;
	struct exec_wait *x;
	struct spawn *s;
	struct err e;

	process_check(L, "process.exec");
	if (lua_gettop(L) < 2)
		return exec_error(L, ERR_INVALID, "exec requires id and host arguments");
	id = luaL_checkstring(L, 1);
	host = luaL_checkstring(L, 2);
	if (!*id)
		return exec_error(L, ERR_INVALID, "process ID required");
	if (!strchr(id, ':') || *id == ':' || id[strlen(id) - 1] == ':')
		return exec_error(L, ERR_INVALID, "invalid process ID format (namespace:name required)");
	if (!*host)
		return exec_error(L, ERR_INVALID, "host ID required");
	if (process_action_check(L, "process.exec", id, "not allowed to exec process: ", &e) < 0 ||
		process_action_check(L, "process.host", host, "not allowed to exec on host: ", &e) < 0)
		return push_nil_and_err(L, &e);
	if (!wait_is_possible(L))
		return raise_text(L, "process.exec: cannot wait here");
	s = spawn_new();
	if (spawn_prepare(L, s, id, host, &edge, 3, &e) < 0) {
		spawn_free(s);
		e.kind = ERR_INTERNAL;
		return push_nil_and_err(L, &e);
	}
	x = xcalloc(1, sizeof(*x));
	x->loop = worker_loop(here);
	x->post.run = on_exec_post;
	x->pending.cancel = exec_cancel;
	x->holders = 3;
	s->ended = on_exec_ended;
	s->ended_arg = x;
	s->reply_loop = x->loop;
	s->done = on_exec_spawned;
	s->done_arg = x;
	there = spawn_place(worker_scheduler(here), here, s);
	if (there == here) {
		spawn_run(here, s);
		on_exec_spawned(s);
	} else {
		spawn_start(there, s);
	}
	return wait_for(L, &x->pending, exec_finish);
}
