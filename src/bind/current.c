#include "bind/current.h"

#include <string.h>

#include "base/log.h"
#include "engine/lua_api.h"

struct worker *current_worker(lua_State *L)
{
	return heap_owner(heap_of(L));
}

struct node *current_node(lua_State *L)
{
	return scheduler_owner(worker_scheduler(current_worker(L)));
}

struct loop *current_loop(lua_State *L)
{
	return worker_loop(current_worker(L));
}

struct process *current_process(lua_State *L)
{
	struct task *t = task_current(L);

	return t ? process_of_task(t) : NULL;
}

struct frame *current_frame(lua_State *L)
{
	struct process *p = current_process(L);

	return p ? p->frame : worker_loading_frame(current_worker(L));
}

uint64_t current_number(lua_State *L)
{
	struct process *p = current_process(L);

	return p ? p->number : 0;
}

struct terminal *current_terminal(lua_State *L)
{
	struct process *p = current_process(L);

	return p ? p->terminal : NULL;
}

/* -- security ---------------------------------------------------------------------------------------- */

bool frame_is_free(const struct node *n, const struct frame *f)
{
	return !n->strict_mode && (!f->actor || !f->scope);
}

/* `attributes` of this check that conditions may ask for: a map, NULL: none. Borrowed. */
static bool frame_allows_with(const struct node *n, const struct frame *f, const char *action, const char *resource,
	const struct value *attributes)
{
	if (!f->scope || !f->actor)
		log_debug("security", "no actor or no scope: the mode decides", LOG_STR("action", action),
			LOG_STR("resource", resource), LOG_BOOL("strict", n->strict_mode));
	return security_allows(f->scope, f->actor, n->strict_mode, action, resource, attributes);
}

bool frame_allows(const struct node *n, const struct frame *f, const char *action, const char *resource)
{
	return frame_allows_with(n, f, action, resource, NULL);
}

bool current_allows(lua_State *L, const char *action, const char *resource)
{
	return frame_allows(current_node(L), current_frame(L), action, resource);
}

bool current_allows_with(lua_State *L, const char *action, const char *resource, const char *key, const char *text)
{
	const struct node *n = current_node(L);
	const struct frame *f = current_frame(L);
	struct value *attributes;
	bool allowed;

	if (frame_is_free(n, f))
		return true;
	attributes = value_map();
	value_map_set(attributes, key, value_cstring(text));
	allowed = frame_allows_with(n, f, action, resource, attributes);
	value_unref(attributes);
	return allowed;
}

/* -- networks ---------------------------------------------------------------------------------------- */

int node_overlay(const struct node *n, const char *id, struct overlay **ret_overlay, struct err *e)
{
	struct overlay *o;

	if (strcmp(id, FRAME_DIRECT) == 0) {
		*ret_overlay = NULL;
		return 0;
	}
	o = overlay_set_get(n->overlays, id);
	if (!o) {
		err_set(e, ERR_INTERNAL, "overlay network \"%.256s\": network: service not found", id);
		err_code(e, "overlay_not_found");
		return err_retryable(e);
	}
	*ret_overlay = o;
	return 0;
}

int frame_overlay(const struct node *n, const struct frame *f, struct overlay **ret_overlay, struct err *e)
{
	if (frame_is_direct(f)) {
		*ret_overlay = NULL;
		return 0;
	}
	return node_overlay(n, f->overlay, ret_overlay, e);
}

int edge_frame(const struct node *n, struct frame *caller, const struct frame_edge *edge, struct frame **ret_frame,
	struct err *e)
{
	struct frame_network net =
		frame_choose_network(caller, edge->call_network, edge->entry_network, n->default_network);
	struct overlay *o;

	if (net.must_exist && strcmp(net.overlay, FRAME_DIRECT) != 0) {
		o = overlay_set_get(n->overlays, net.overlay);
		if (!o) {
			err_set(e, ERR_UNKNOWN, "network: service not found");
			if (net.chosen_by == FRAME_DEFAULT)
				err_prefix(e, "network_service.default_network is \"%.256s\"", net.overlay);
			err_code(e, "overlay_not_found");
			if (e)
				e->retry = ERR_RETRY_UNKNOWN;
			return -1;
		}
		overlay_unref(o);
	}
	*ret_frame = frame_derive(caller, edge, &net);
	return 0;
}
