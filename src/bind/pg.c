/*
 * pg.c - the `pg` module: process groups of a scope.
 */
#include <stdlib.h>
#include <string.h>

#include "actor/group.h"
#include "base/alloc.h"
#include "bind/feed.h"
#include "bind/modules.h"
#include "bind/process.h"
#include "bind/sending.h"
#include "registry/registry.h"

static const char instance_type[] = "pg.Instance";

struct pg_instance {
	struct group_scope *scope; /* NULL: released */
};

/* Takes a process out of the scope's groups when it ends; one for each scope it joined something in. */
struct membership {
	struct resource resource;
	struct group_scope *scope;
	struct pid pid;
};

struct monitor_feed {
	struct feed feed; /* first */
	struct group_scope *scope;
	uint64_t number;
};

/* -- arguments --------------------------------------------------------------------------------------- */

/* The scope and the running process, or -1. */
static int instance_at(lua_State *L, struct group_scope **ret_scope, struct process **ret_process, struct err *e)
{
	const struct pg_instance *in = handle_check(L, 1, instance_type);
	struct process *p = current_process(L);

	if (!in->scope)
		return err_set(e, ERR_INVALID, "pg instance is released");
	if (!p)
		return err_set(e, ERR_INTERNAL, "no process PID");
	*ret_scope = in->scope;
	*ret_process = p;
	return 0;
}

static int check_group(const char *name, size_t len, struct err *e)
{
	if (len == 0)
		return err_set(e, ERR_INVALID, "group name is required");
	if (len > GROUP_NAME_MAX)
		return err_set(e, ERR_INVALID, "group name is longer than %d bytes", GROUP_NAME_MAX);
	if (memchr(name, '\0', len))
		return err_set(e, ERR_INVALID, "group name holds a NUL byte");
	return 0;
}

/* The group named by argument 2. Raises when that is no string. */
static int group_at(lua_State *L, const char **ret_name, struct err *e)
{
	size_t len;

	*ret_name = luaL_checklstring(L, 2, &len);
	return check_group(*ret_name, len, e);
}

/* Argument 2, a name or an array of names: pushes a block of pointers to them, which stay valid while the argument does. Each must be allowed. */
static int groups_at(lua_State *L, const char *action, const char *words, const char *const **ret_names, size_t *ret_n,
	struct err *e)
{
	size_t n = 1, len;
	const char **names;

	if (lua_type(L, 2) != LUA_TTABLE)
		luaL_checkstring(L, 2);
	else
		n = lua_rawlen(L, 2);
	if (n == 0)
		return err_set(e, ERR_INVALID, "groups table must not be empty");
	names = lua_newuserdatauv(L, n * sizeof(*names), 0);
	for (size_t i = 0; i < n; i++) {
		if (lua_type(L, 2) == LUA_TTABLE)
			lua_rawgeti(L, 2, (lua_Integer)i + 1);
		else
			lua_pushvalue(L, 2);
		if (lua_type(L, -1) != LUA_TSTRING)
			return raise_argument(L, 2, "group names must be strings");
		names[i] = lua_tolstring(L, -1, &len);
		lua_pop(L, 1); /* the table keeps it */
		if (check_group(names[i], len, e) < 0 || action_allowed(L, action, names[i], words, e) < 0)
			return -1;
	}
	*ret_names = names;
	*ret_n = n;
	return 0;
}

/* -- membership -------------------------------------------------------------------------------------- */

static void on_member_end(struct resource *r)
{
	struct membership *m = container_of(r, struct membership, resource);

	group_leave_all(m->scope, m->pid);
	group_scope_unref(m->scope);
	free(m);
}

static void own_membership(struct process *p, struct group_scope *s)
{
	struct membership *m;

	for (struct resource *r = p->resources; r; r = r->next) {
		if (r->release == on_member_end && container_of(r, struct membership, resource)->scope == s)
			return;
	}
	m = xcalloc(1, sizeof(*m));
	m->scope = group_scope_ref(s);
	m->pid = process_pid(p);
	m->resource.lasting = true;
	resource_own(&p->resources, &m->resource, on_member_end);
}

static int push_done(lua_State *L, int rc, const struct err *e)
{
	if (rc < 0)
		return push_nil_and_err(L, e);
	lua_pushboolean(L, true);
	lua_pushnil(L);
	return 2;
}

static int l_join(lua_State *L)
{
	const char *const *names = NULL;
	struct group_scope *s;
	struct process *p;
	struct err e;
	size_t n;

	if (instance_at(L, &s, &p, &e) < 0 ||
		groups_at(L, "pg.join", "not allowed to join group: ", &names, &n, &e) < 0)
		return push_nil_and_err(L, &e);
	own_membership(p, s);
	return push_done(L, group_join(s, names, n, process_pid(p), &e), &e);
}

static int l_leave(lua_State *L)
{
	const char *const *names = NULL;
	struct group_scope *s;
	struct process *p;
	struct err e;
	size_t n = 0;

	if (instance_at(L, &s, &p, &e) < 0 ||
		groups_at(L, "pg.leave", "not allowed to leave group: ", &names, &n, &e) < 0)
		return push_nil_and_err(L, &e);
	return push_done(L, group_leave(s, names, n, process_pid(p), &e), &e);
}

/* Takes `v`. */
static int push_list(lua_State *L, struct value *v)
{
	value_push(L, v);
	value_unref(v);
	lua_pushnil(L);
	return 2;
}

static int members(lua_State *L, const char *action)
{
	struct group_scope *s;
	struct process *p;
	const char *name;
	struct err e;

	if (instance_at(L, &s, &p, &e) < 0 || group_at(L, &name, &e) < 0 ||
		action_allowed(L, action, name, "not allowed to get members of group: ", &e) < 0)
		return push_nil_and_err(L, &e);
	return push_list(L, group_member_texts(s, name));
}

static int l_get_members(lua_State *L)
{
	return members(L, "pg.get_members");
}

static int l_get_local_members(lua_State *L)
{
	return members(L, "pg.get_local_members");
}

static int names(lua_State *L, const char *action)
{
	struct group_scope *s;
	struct process *p;
	struct err e;

	if (instance_at(L, &s, &p, &e) < 0 || action_allowed(L, action, "", "not allowed to list groups", &e) < 0)
		return push_nil_and_err(L, &e);
	return push_list(L, group_names(s));
}

static int l_which_groups(lua_State *L)
{
	return names(L, "pg.which_groups");
}

static int l_which_local_groups(lua_State *L)
{
	return names(L, "pg.which_local_groups");
}

/* -- messages ---------------------------------------------------------------------------------------- */

static int check_topic(const char *topic, size_t len, struct err *e)
{
	if (len == 0)
		return err_set(e, ERR_INVALID, "topic is required");
	if (topic[0] == '@')
		return err_set(e, ERR_INVALID, "cannot send to @ topics");
	if (len > MESSAGE_TOPIC_MAX)
		return err_set(e, ERR_INVALID, "topic is longer than %d bytes", MESSAGE_TOPIC_MAX);
	return 0;
}

static int broadcast(lua_State *L, const char *action)
{
	size_t len, n, nargs = (size_t)lua_gettop(L);
	struct packed *payload = NULL;
	struct sending *sending = NULL;
	const char *name, *topic;
	int rc = 0;
	struct group_scope *s;
	struct process *p;
	struct pid *to;
	struct err e;

	if (instance_at(L, &s, &p, &e) < 0 || group_at(L, &name, &e) < 0)
		return push_nil_and_err(L, &e);
	topic = luaL_checklstring(L, 3, &len);
	if (check_topic(topic, len, &e) < 0 ||
		action_allowed(L, action, name, "not allowed to broadcast to group: ", &e) < 0)
		return push_nil_and_err(L, &e);
	if (nargs > 3 && packed_from_lua(L, 4, (int)nargs - 3, &payload, &e) < 0)
		return push_nil_and_err(L, &e);
	to = group_members(s, name, &n);
	/* A member that has ended is none of the sender's business, one without room is. */
	for (size_t i = 0; i < n && rc == 0; i++)
		if (sending_add(L, &sending, to[i], message_new(topic, len, process_pid(p), packed_ref(payload)), &e) <
				0 &&
			e.kind == ERR_RATE_LIMITED)
			rc = -1;
	free(to);
	packed_unref(payload);
	if (rc < 0) {
		sending_forget(sending);
		return push_nil_and_err(L, &e);
	}
	return sending_wait(L, sending);
}

static int l_broadcast(lua_State *L)
{
	return broadcast(L, "pg.broadcast");
}

static int l_broadcast_local(lua_State *L)
{
	return broadcast(L, "pg.broadcast_local");
}

/* -- monitors ---------------------------------------------------------------------------------------- */

static void on_feed_over(struct feed *f)
{
	struct monitor_feed *m = container_of(f, struct monitor_feed, feed);

	group_unmonitor(m->scope, m->number);
	group_scope_unref(m->scope);
}

/* The subscription, the snapshot it continues, nil. */
static int push_monitor(lua_State *L, struct group_scope *s, struct process *p, const char *name)
{
	char topic[BUS_TOPIC_MAX];
	struct value *snapshot;
	struct monitor_feed *m = (struct monitor_feed *)feed_push(L, p, sizeof(*m), on_feed_over);

	m->scope = group_scope_ref(s);
	m->number = group_monitor(s, process_pid(p), name, &snapshot);
	feed_start(L, &m->feed, topic, group_topic(m->number, topic));
	return 1 + push_list(L, snapshot);
}

static int push_two_nils_and_err(lua_State *L, const struct err *e)
{
	lua_pushnil(L);
	return 1 + push_nil_and_err(L, e);
}

static int l_monitor(lua_State *L)
{
	struct group_scope *s;
	struct process *p;
	const char *name;
	struct err e;

	if (instance_at(L, &s, &p, &e) < 0 || group_at(L, &name, &e) < 0 ||
		action_allowed(L, "pg.monitor", name, "not allowed to monitor group: ", &e) < 0)
		return push_two_nils_and_err(L, &e);
	return push_monitor(L, s, p, name);
}

static int l_events(lua_State *L)
{
	struct group_scope *s;
	struct process *p;
	struct err e;

	if (instance_at(L, &s, &p, &e) < 0 ||
		action_allowed(L, "pg.events", "", "not allowed to subscribe to group events", &e) < 0)
		return push_two_nils_and_err(L, &e);
	return push_monitor(L, s, p, NULL);
}

/* -- instances --------------------------------------------------------------------------------------- */

static int instance_gc(lua_State *L)
{
	struct pg_instance *in = lua_touserdata(L, 1);

	group_scope_unref(in->scope);
	in->scope = NULL;
	return 0;
}

static int l_release(lua_State *L)
{
	struct pg_instance *in = handle_check(L, 1, instance_type);

	group_scope_unref(in->scope);
	in->scope = NULL;
	lua_pushboolean(L, true);
	return 1;
}

static int find_scope(lua_State *L, const char *id, struct group_scope **ret, struct err *e)
{
	struct node *node = current_node(L);
	struct entry *entry = registry_get(node->registry, id);
	bool other = entry && strcmp(entry->kind, "pg.scope") != 0;

	entry_unref(entry);
	if (other)
		return err_set(e, ERR_INVALID, "resource is not a pg scope");
	*ret = groups_get(node->groups, id);
	return *ret ? 0 : err_set(e, ERR_INTERNAL, "failed to acquire pg scope");
}

static int l_open(lua_State *L)
{
	const char *id = luaL_checkstring(L, 1);
	struct pg_instance *in;
	struct err e;

	if (action_allowed(L, "pg.open", id, "not allowed to open pg scope: ", &e) < 0)
		return push_nil_and_err(L, &e);
	in = handle_new(L, instance_type, sizeof(*in));
	if (find_scope(L, id, &in->scope, &e) < 0)
		return push_nil_and_err(L, &e);
	return 1;
}

int bind_pg_open(struct lua_State *L)
{
	static const luaL_Reg functions[] = {{"open", l_open}, {NULL, NULL}};
	static const luaL_Reg methods[] = {
		{"broadcast", l_broadcast},
		{"broadcast_local", l_broadcast_local},
		{"events", l_events},
		{"get_local_members", l_get_local_members},
		{"get_members", l_get_members},
		{"join", l_join},
		{"leave", l_leave},
		{"monitor", l_monitor},
		{"release", l_release},
		{"which_groups", l_which_groups},
		{"which_local_groups", l_which_local_groups},
		{NULL, NULL},
	};

	feed_register(L);
	handle_register(L, instance_type, methods, instance_gc);
	luaL_newlib(L, functions);
	return 1;
}
