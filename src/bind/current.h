/*
 * current.h - from a Lua state to what runs on it: process, frame, worker, node. The one place where ambient things are looked up.
 *
 * For bindings. Everything returned is borrowed and lives at least as long as the call of the binding.
 */
#ifndef BIND_CURRENT_H
#define BIND_CURRENT_H

#include <stdbool.h>

#include "actor/frame.h"
#include "actor/process.h"
#include "bind/node.h"

struct lua_State;

/* Never NULL. */
struct worker *current_worker(struct lua_State *L);
struct node *current_node(struct lua_State *L);
struct loop *current_loop(struct lua_State *L);

/* The running process or call; NULL while an entry's chunk runs (it has no pid yet). */
struct process *current_process(struct lua_State *L);
/* The frame of the running process, or of the one whose chunk is being run. Never NULL. */
struct frame *current_frame(struct lua_State *L);
/* A number that no other process or call has: the owner for overlay_isolation_key(); 0 at chunk level. */
uint64_t current_number(struct lua_State *L);
/* The terminal of a process on a terminal host; NULL elsewhere (also in functions and processes it starts). */
struct terminal *current_terminal(struct lua_State *L);

/* Is nothing forbidden to this frame (no actor or no scope, not strict)? Saves making up a resource's name. */
bool frame_is_free(const struct node *n, const struct frame *f);
/* May this frame do that? With both actor and scope the scope must allow it; otherwise yes, unless strict mode. */
bool frame_allows(const struct node *n, const struct frame *f, const char *action, const char *resource);
/* The same for the running code. */
bool current_allows(struct lua_State *L, const char *action, const char *resource);
/* The same with one attribute, a text: {key: "user:1"}. */
bool current_allows_with(
	struct lua_State *L, const char *action, const char *resource, const char *key, const char *text);

/* The overlay a dial of this frame goes through: 0 and a reference (NULL for the clear network), or -1 when the frame names one that is not live:
 * INTERNAL, retryable, `overlay network "<id>": network: service not found`. */
int frame_overlay(const struct node *n, const struct frame *f, struct overlay **ret_overlay, struct err *e);
/* The same for an id that a call chose itself (FRAME_DIRECT is the clear network). */
int node_overlay(const struct node *n, const char *id, struct overlay **ret_overlay, struct err *e);

/* The frame of an edge from `caller` (NULL: nobody): network chosen and, where named here and now, checked: UNKNOWN "network: service not found". */
int edge_frame(const struct node *n, struct frame *caller, const struct frame_edge *edge, struct frame **ret_frame,
	struct err *e);

/* Hooks for scheduler_config: deliver messages to channels. */
extern const struct process_hooks bind_process_hooks;

#endif
