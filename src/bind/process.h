/*
 * process.h - what the files of the `process` module share.
 */
#ifndef BIND_PROCESS_H
#define BIND_PROCESS_H

#include <stdbool.h>

#include "actor/process.h"
#include "bind/current.h"
#include "engine/lua_api.h"

/* The running process, or raise "<fn>: no process PID" (chunk level). */
struct process *process_check(lua_State *L, const char *fn);

/* `resource` allowed, or PERMISSION_DENIED "<words><resource>". */
int action_allowed(lua_State *L, const char *action, const char *resource, const char *words, struct err *e);
/* The same for actions of the `process` module: policies may ask who calls (meta.pid). */
bool process_action_allowed(lua_State *L, const char *action, const char *resource);
int process_action_check(lua_State *L, const char *action, const char *resource, const char *words, struct err *e);

/* The inbox of `p`, opened for delivery to channels. */
struct inbox *process_inbox_open(lua_State *L, struct process *p);

/* Push true and return 1, or nil and the error. */
int push_true_or_err(lua_State *L, int rc, const struct err *e);
/* Push nil and INTERNAL "no process PID", return 2. */
int push_no_process(lua_State *L);

static inline struct scheduler *current_scheduler(lua_State *L)
{
	return worker_scheduler(current_worker(L));
}

/* message.c: what channels hand over. */
void process_push_message(lua_State *L, struct message *m); /* a Message; takes `m` */
/* What listen() gives: nil, the value, or an array of values. */
void process_push_values(lua_State *L, const struct message *m);
void process_push_event(lua_State *L, const struct message *m);
void process_message_register(lua_State *L);

/* names.c: push the table process.registry. */
void process_push_registry(lua_State *L);

/* inbox.c, spawn.c, spawner.c: functions of the module table. */
int l_process_inbox(lua_State *L);
int l_process_events(lua_State *L);
int l_process_listen(lua_State *L);
int l_process_unlisten(lua_State *L);
int l_process_spawn(lua_State *L);
int l_process_spawn_monitored(lua_State *L);
int l_process_spawn_linked(lua_State *L);
int l_process_spawn_linked_monitored(lua_State *L);
int l_process_exec(lua_State *L);
int l_process_with_context(lua_State *L);
int l_process_with_options(lua_State *L);
void process_spawner_register(lua_State *L);

/* -- spawning, shared by the plain functions and the Spawner ------------------------------------------ */

struct spawn_ask {
	const char *name; /* "spawn_monitored", for errors */
	bool monitor;
	bool link;
};

extern const struct spawn_ask spawn_asks[4]; /* plain, monitored, linked, both */

/* May the running code spawn that process in that way? PERMISSION_DENIED "not allowed to spawn process: <id>", ... */
int spawn_check(lua_State *L, const struct spawn_ask *ask, const char *id, struct err *e);

/* Fill program, host and frame of `s`, and its arguments from stack index `first` on. Permissions are the caller's business. */
int spawn_prepare(lua_State *L, struct spawn *s, const char *id, const char *host, const struct frame_edge *edge,
	int first, struct err *e);
/* Run it here or elsewhere; takes `s`; pushes the results. Used as `return spawn_go(...)`. */
int spawn_go(lua_State *L, struct spawn *s);

/* -- options and context, shared with funcs ------------------------------------------------------------ */

/* The table at idx laid over `base` (borrowed, may be NULL) as context values; keys that are no strings are skipped. */
int context_from_lua(lua_State *L, int idx, const struct value *base, struct value **ret, struct err *e);
/* The options table at idx as a map. */
int options_from_lua(lua_State *L, int idx, struct value **ret, struct err *e);
/* options.network, NULL when there is none of type string. */
const char *options_network(const struct value *options);
/* May the running code choose that network ("" = drop the inherited one)? PERMISSION_DENIED "not allowed: network <id>". */
int network_select_allowed(lua_State *L, const char *network, struct err *e);
/* The network that such a choice is about: `network`, or the inherited one when it is "". "" when there is none. */
const char *network_selected(lua_State *L, const char *network);

#endif
