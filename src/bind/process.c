/*
 * process.c - the `process` module: messages, monitors, links. Inbox, names and spawning are in files of their own.
 */
#include "bind/process.h"

#include <string.h>

#include "actor/names.h"
#include "bind/modules.h"
#include "bind/payload.h"
#include "bind/sending.h"

struct process *process_check(lua_State *L, const char *fn)
{
	struct process *p = current_process(L);

	if (!p)
		raise_text(L, "%s: no process PID", fn);
	return p;
}

int push_no_process(lua_State *L)
{
	struct err e;

	err_set(&e, ERR_INTERNAL, "no process PID");
	return push_nil_and_err(L, &e);
}

int push_true_or_err(lua_State *L, int rc, const struct err *e)
{
	if (rc < 0)
		return push_nil_and_err(L, e);
	lua_pushboolean(L, true);
	return 1;
}

/* -- destinations ------------------------------------------------------------------------------------ */

static int destination_by_name(lua_State *L, const char *s, size_t len, struct pid *ret_pid, struct err *e)
{
	if (names_lookup(scheduler_names(current_scheduler(L)), s, ret_pid))
		return 0;
	if (pid_is_text(s, len))
		return -1;
	return err_set(e, ERR_NOT_FOUND, "could not resolve '%.200s' as PID or registered name", s);
}

/* Argument `arg` as a live or dead process: a pid's text, or a registered name. INVALID, NOT_FOUND `could not resolve 'x' as PID or registered name`. */
static int destination_at(lua_State *L, int arg, struct pid *ret_pid, struct err *e)
{
	size_t len;
	const char *s = lua_tolstring(L, arg, &len);

	if (pid_is_text(s, len) && pid_parse(s, len, ret_pid, e) == 0)
		return 0;
	return destination_by_name(L, s, len, ret_pid, e);
}

int action_allowed(lua_State *L, const char *action, const char *resource, const char *words, struct err *e)
{
	if (current_allows(L, action, resource))
		return 0;
	return err_set(e, ERR_PERMISSION_DENIED, "%s%.256s", words, resource);
}

bool process_action_allowed(lua_State *L, const char *action, const char *resource)
{
	struct process *self = current_process(L);
	char text[PID_TEXT_MAX];

	if (!self)
		return current_allows(L, action, resource);
	if (frame_is_free(current_node(L), self->frame))
		return true;
	return current_allows_with(L, action, resource, "pid", pid_format(process_pid(self), text));
}

int process_action_check(lua_State *L, const char *action, const char *resource, const char *words, struct err *e)
{
	if (process_action_allowed(L, action, resource))
		return 0;
	return err_set(e, ERR_PERMISSION_DENIED, "%s%.256s", words, resource);
}

static int check_destination(lua_State *L, int arg, struct pid pid, const char *action, const char *verb, struct err *e)
{
	char text[PID_TEXT_MAX];

	if (process_action_allowed(L, action, pid_format(pid, text)))
		return 0;
	return err_set(e, ERR_PERMISSION_DENIED, "not allowed to %s: %.256s", verb, lua_tostring(L, arg));
}

/* May the running code do `action` to that process? PERMISSION_DENIED "not allowed to <verb>: <dest as given>". */
static int destination_allowed(
	lua_State *L, int arg, struct pid pid, const char *action, const char *verb, struct err *e)
{
	return frame_is_free(current_node(L), current_frame(L)) ? 0 : check_destination(L, arg, pid, action, verb, e);
}

/* The process argument of monitor, link, ... */
static int target(lua_State *L, const char *action, const char *verb, struct pid *ret_pid, struct err *e)
{
	luaL_checktype(L, 1, LUA_TSTRING);
	if (destination_at(L, 1, ret_pid, e) < 0)
		return -1;
	return destination_allowed(L, 1, *ret_pid, action, verb, e);
}

/* -- who am I ---------------------------------------------------------------------------------------- */

static void push_pid(lua_State *L, struct pid pid)
{
	char text[PID_TEXT_MAX];

	lua_pushstring(L, pid_format(pid, text));
}

static int l_pid(lua_State *L)
{
	struct process *p = current_process(L);

	if (!p)
		return push_no_process(L);
	push_pid(L, process_pid(p));
	return 1;
}

/* Never returns: the code that called ends here. */
static int l_upgrade(lua_State *L)
{
	struct process *self = process_check(L, "process.upgrade");
	const char *id = luaL_optstring(L, 1, running_entry(L));
	struct packed *args = NULL;
	struct program *program;
	struct err e;
	int n = lua_gettop(L) - 1;

	if (n > 0 && packed_from_lua(L, 2, n, &args, &e) < 0)
		return raise_text(L, "process.upgrade: %s", e.text);
	program = worker_program(current_worker(L), id);
	process_upgrade(self, program && program->type == PROGRAM_PROCESS ? program : NULL, args);
	return 0;
}

static int l_id(lua_State *L)
{
	lua_pushstring(L, running_entry(L));
	return 1;
}

/* -- messages ---------------------------------------------------------------------------------------- */

/* luaL_checktype() for the usual case, that it is one. */
static void check_string(lua_State *L, int arg)
{
	if (lua_type(L, arg) != LUA_TSTRING)
		luaL_checktype(L, arg, LUA_TSTRING);
}

static int l_send(lua_State *L)
{
	struct process *self = current_process(L);
	int n = lua_gettop(L);
	struct packed *payload = NULL;
	struct sending *sending = NULL;
	struct message *m;
	const char *topic;
	struct pid to;
	struct err e;
	size_t len;

	if (!self)
		return push_no_process(L);
	if (n < 2) {
		err_set(&e, ERR_INVALID, "send requires at least destination and topic arguments");
		return push_nil_and_err(L, &e);
	}
	check_string(L, 1);
	check_string(L, 2);
	topic = lua_tolstring(L, 2, &len);
	if (topic[0] == '@') {
		err_set(&e, ERR_INVALID, "cannot send to @ topics");
		return push_nil_and_err(L, &e);
	}
	if (len > MESSAGE_TOPIC_MAX) {
		err_set(&e, ERR_INVALID, "topic is longer than %d bytes", MESSAGE_TOPIC_MAX);
		return push_nil_and_err(L, &e);
	}
	if (destination_at(L, 1, &to, &e) < 0 || destination_allowed(L, 1, to, "process.send", "send to", &e) < 0)
		return push_nil_and_err(L, &e);
	if (n > 2 && packed_from_lua(L, 3, n - 2, &payload, &e) < 0)
		return push_nil_and_err(L, &e);
	m = message_new(topic, len, process_pid(self), payload);
	if (process_send_here(self, to, m)) {
		lua_pushboolean(L, true);
		return end_turn(L, 1);
	}
	if (sending_add(L, &sending, to, m, &e) < 0)
		return push_nil_and_err(L, &e);
	return sending_wait(L, sending);
}

/* The deadline of process.cancel(): a duration, or {deadline = duration}; nothing leaves it to the host. */
static int deadline_at(lua_State *L, int arg, uint64_t *ret_ns, struct err *e)
{
	int64_t ns;

	*ret_ns = CANCEL_DEADLINE_OF_HOST;
	lua_settop(L, arg);
	if (lua_istable(L, arg)) {
		lua_getfield(L, arg, "deadline");
		lua_replace(L, arg);
	}
	if (lua_isnil(L, arg))
		return 0;
	if (duration_from_lua(L, arg, &ns, e) < 0)
		return -1;
	if (ns < 0)
		return err_set(e, ERR_INVALID, "deadline must not be negative");
	*ret_ns = (uint64_t)ns;
	return 0;
}

static int l_cancel(lua_State *L)
{
	struct process *self = current_process(L);
	uint64_t deadline_ns;
	const char *reason;
	struct pid pid;
	struct err e;
	size_t len;

	if (!self)
		return push_no_process(L);
	reason = luaL_optlstring(L, 2, "", &len);
	if (deadline_at(L, 3, &deadline_ns, &e) < 0)
		return push_nil_and_err(L, &e);
	if (target(L, "process.cancel", "cancel", &pid, &e) < 0)
		return push_nil_and_err(L, &e);
	return push_true_or_err(L,
		process_cancel_within(current_scheduler(L), process_pid(self), pid, reason, len, deadline_ns, &e), &e);
}

static int l_terminate(lua_State *L)
{
	struct pid pid;
	struct err e;

	if (!current_process(L))
		return push_no_process(L);
	if (target(L, "process.terminate", "terminate", &pid, &e) < 0)
		return push_nil_and_err(L, &e);
	return push_true_or_err(L, process_terminate(current_scheduler(L), pid, &e), &e);
}

/* -- relations --------------------------------------------------------------------------------------- */

static int l_monitor(lua_State *L)
{
	struct process *self = current_process(L);
	struct pid pid;
	struct err e;

	if (!self)
		return push_no_process(L);
	if (target(L, "process.monitor", "monitor", &pid, &e) < 0)
		return push_nil_and_err(L, &e);
	return push_true_or_err(L, process_monitor(self, pid, &e), &e);
}

static int l_unmonitor(lua_State *L)
{
	struct process *self = current_process(L);
	struct pid pid;
	struct err e;

	if (!self)
		return push_no_process(L);
	if (target(L, "process.unmonitor", "unmonitor", &pid, &e) < 0)
		return push_nil_and_err(L, &e);
	process_unmonitor(self, pid);
	return push_true_or_err(L, 0, NULL);
}

static int l_link(lua_State *L)
{
	struct process *self = current_process(L);
	struct pid pid;
	struct err e;

	if (!self)
		return push_no_process(L);
	if (target(L, "process.link", "link", &pid, &e) < 0)
		return push_nil_and_err(L, &e);
	return push_true_or_err(L, process_link(self, pid, &e), &e);
}

static int l_unlink(lua_State *L)
{
	struct process *self = current_process(L);
	struct pid pid;
	struct err e;

	if (!self)
		return push_no_process(L);
	if (target(L, "process.unlink", "unlink", &pid, &e) < 0)
		return push_nil_and_err(L, &e);
	process_unlink(self, pid);
	return push_true_or_err(L, 0, NULL);
}

/* -- options ----------------------------------------------------------------------------------------- */

static int l_get_options(lua_State *L)
{
	struct process *p = process_check(L, "process.get_options");

	lua_createtable(L, 0, 1);
	lua_pushboolean(L, p->trap_links);
	lua_setfield(L, -2, "trap_links");
	return 1;
}

static int l_set_options(lua_State *L)
{
	struct process *p = process_check(L, "process.set_options");
	struct err e;
	int rc = 0;

	if (!lua_istable(L, 1)) {
		rc = err_set(&e, ERR_INVALID, "options parameter must be a table");
		goto out;
	}
	for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
		const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";

		if (strcmp(key, "trap_links") != 0)
			rc = err_set(&e, ERR_INVALID, "option %.100s is not supported", key);
		else if (!lua_isboolean(L, -1))
			rc = err_set(&e, ERR_INVALID, "trap_links must be a boolean");
		else
			p->trap_links = lua_toboolean(L, -1);
	}
out:
	lua_pushboolean(L, rc == 0);
	if (rc == 0)
		return 1;
	push_err(L, &e);
	return 2;
}

/* -- the table ---------------------------------------------------------------------------------------- */

static void push_events(lua_State *L)
{
	lua_createtable(L, 0, 3);
	lua_pushliteral(L, "pid.cancel");
	lua_setfield(L, -2, "CANCEL");
	lua_pushliteral(L, "pid.exit");
	lua_setfield(L, -2, "EXIT");
	lua_pushliteral(L, "pid.link.down");
	lua_setfield(L, -2, "LINK_DOWN");
}

int bind_process_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"cancel", l_cancel},
		{"events", l_process_events},
		{"exec", l_process_exec},
		{"get_options", l_get_options},
		{"id", l_id},
		{"inbox", l_process_inbox},
		{"link", l_link},
		{"listen", l_process_listen},
		{"monitor", l_monitor},
		{"pid", l_pid},
		{"send", l_send},
		{"set_options", l_set_options},
		{"spawn", l_process_spawn},
		{"spawn_linked", l_process_spawn_linked},
		{"spawn_linked_monitored", l_process_spawn_linked_monitored},
		{"spawn_monitored", l_process_spawn_monitored},
		{"terminate", l_terminate},
		{"unlink", l_unlink},
		{"unlisten", l_process_unlisten},
		{"unmonitor", l_unmonitor},
		{"upgrade", l_upgrade},
		{"with_context", l_process_with_context},
		{"with_options", l_process_with_options},
		{NULL, NULL},
	};

	payload_register(L);
	process_message_register(L);
	process_spawner_register(L);
	luaL_newlib(L, functions);
	process_push_registry(L);
	lua_setfield(L, -2, "registry");
	push_events(L);
	lua_setfield(L, -2, "event");
	return 1;
}
