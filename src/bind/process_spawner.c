/*
 * process_spawner.c - process.with_context / with_options: an immutable description of how to spawn.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/identity.h"
#include "bind/process.h"

static const char spawner_type[] = "process.Spawner";

/* Immutable, so that copies of a spawner share what they have in common. */
struct first_message {
	struct first_message *older;
	unsigned holders;
	struct packed *payload;
	size_t topic_len;
	char topic[];
};

/* Identity and values that are not replaced are the running frame's: it never changes, and a Spawner cannot leave its process. */
struct spawner {
	struct value *values;  /* laid over the frame's; NULL = none */
	struct value *options; /* a map, or NULL */
	struct identity *actor;
	struct scope *scope;
	char *name;
	struct first_message *newest;
};

/* Behind `older`; takes both. */
static struct first_message *first_message_new(
	const char *topic, size_t len, struct packed *payload, struct first_message *older)
{
	struct first_message *m = xcalloc(1, sizeof(*m) + len + 1);

	memcpy(m->topic, topic, len);
	m->topic_len = len;
	m->payload = payload;
	m->older = older;
	m->holders = 1;
	return m;
}

static void first_message_drop(struct first_message *m)
{
	while (m && --m->holders == 0) {
		struct first_message *older = m->older;

		packed_unref(m->payload);
		free(m);
		m = older;
	}
}

static int spawner_gc(lua_State *L)
{
	struct spawner *s = lua_touserdata(L, 1);
	value_unref(s->values);
	value_unref(s->options);
	identity_unref(s->actor);
	scope_unref(s->scope);
	free(s->name);
	first_message_drop(s->newest);
	*s = (struct spawner){0};
	return 0;
}

/* Push a copy of `from` (NULL: empty), to be changed by the caller. */
static struct spawner *push_copy(lua_State *L, const struct spawner *from)
{
	struct spawner *s = handle_new(L, spawner_type, sizeof(*s));

	if (!from)
		return s;
	s->values = value_ref(from->values);
	s->options = value_ref(from->options);
	s->actor = identity_ref(from->actor);
	s->scope = scope_ref(from->scope);
	s->name = xstrdup(from->name);
	s->newest = from->newest;
	if (s->newest)
		s->newest->holders++;
	return s;
}

static struct spawner *check(lua_State *L)
{
	return handle_check(L, 1, spawner_type);
}

static void demand(lua_State *L, const char *action, const char *resource, const char *words)
{
	if (!process_action_allowed(L, action, resource))
		raise_text(L, "%s", words);
}

static void demand_custom_context(lua_State *L)
{
	demand(L, "process.context", "context", "not allowed to spawn processes with custom context");
}

static void demand_security(lua_State *L)
{
	demand(L, "process.security", "security", "not allowed to spawn processes with custom security context");
}

/* -- builders ---------------------------------------------------------------------------------------- */

/* The table at idx laid over the values of the Spawner on top of L. */
static int merge_values(lua_State *L, int idx, struct spawner *s)
{
	struct value *merged;
	struct err e;

	if (context_from_lua(L, idx, s->values, &merged, &e) < 0)
		return raise_text(L, "%s", e.text);
	value_unref(s->values);
	s->values = merged;
	return 1;
}

static int merge_options(lua_State *L, int idx, struct spawner *s)
{
	struct value *more, *merged;
	const char *network;
	struct err e;

	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1))
		if (lua_type(L, -2) != LUA_TSTRING)
			return raise_argument(L, idx, "option names must be strings");
	if (options_from_lua(L, idx, &more, &e) < 0)
		return raise_text(L, "%s", e.text);
	network = options_network(more);
	if (network && network_select_allowed(L, network, &e) < 0) {
		value_unref(more);
		return raise_text(L, "%s", e.text);
	}
	merged = value_map();
	for (int round = 0; round < 2; round++) {
		const struct value *from = round == 0 ? s->options : more;

		for (size_t i = 0; i < value_count(from); i++) {
			const char *key;
			const struct value *v = value_pair(from, i, &key, NULL);

			value_map_set(merged, key, value_ref((struct value *)(uintptr_t)v));
		}
	}
	value_unref(more);
	value_unref(s->options);
	s->options = merged;
	return 1;
}

int l_process_with_context(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	process_check(L, "process.with_context");
	for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1))
		if (lua_type(L, -2) != LUA_TSTRING)
			return raise_argument(L, 1, "context keys must be strings");
	demand_custom_context(L);
	return merge_values(L, 1, push_copy(L, NULL));
}

int l_process_with_options(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	process_check(L, "process.with_options");
	demand(L, "process.context", "context", "not allowed to spawn processes with custom options");
	return merge_options(L, 1, push_copy(L, NULL));
}

static int l_with_context(lua_State *L)
{
	const struct spawner *from = check(L);

	luaL_checktype(L, 2, LUA_TTABLE);
	demand_custom_context(L);
	if (from->actor || from->scope)
		demand_security(L);
	return merge_values(L, 2, push_copy(L, from));
}

static int l_with_options(lua_State *L)
{
	const struct spawner *from = check(L);

	luaL_checktype(L, 2, LUA_TTABLE);
	demand(L, "process.context", "context", "not allowed to spawn processes with custom options");
	return merge_options(L, 2, push_copy(L, from));
}

static int l_with_actor(lua_State *L)
{
	const struct spawner *from = check(L);
	struct identity *actor = actor_at(L, 2);
	struct spawner *s;

	if (!actor)
		return raise_argument(L, 2, "actor expected");
	demand_security(L);
	s = push_copy(L, from);
	identity_unref(s->actor);
	s->actor = identity_ref(actor);
	return 1;
}

static int l_with_scope(lua_State *L)
{
	const struct spawner *from = check(L);
	struct scope *scope = scope_at(L, 2);
	struct spawner *s;

	if (!scope)
		return raise_argument(L, 2, "scope expected");
	demand_security(L);
	s = push_copy(L, from);
	scope_unref(s->scope);
	s->scope = scope_ref(scope);
	return 1;
}

static int l_with_name(lua_State *L)
{
	const struct spawner *from = check(L);
	const char *name = luaL_checkstring(L, 2);
	struct spawner *s;

	if (!*name || strlen(name) > NAME_TEXT_MAX)
		return raise_argument(L, 2, "a name has 1 to 1024 bytes");
	s = push_copy(L, from);
	free(s->name);
	s->name = xstrdup(name);
	return 1;
}

static int l_with_message(lua_State *L)
{
	const struct spawner *from = check(L);
	struct packed *payload = NULL;
	struct spawner *s;
	const char *topic;
	struct err e;
	size_t len;
	int n = lua_gettop(L) - 2;

	topic = luaL_checklstring(L, 2, &len);
	if (topic[0] == '@')
		return raise_argument(L, 2, "cannot send to @ topics");
	if (len > MESSAGE_TOPIC_MAX)
		return raise_argument(L, 2, "topic is too long");
	if (n > 0 && packed_from_lua(L, 3, n, &payload, &e) < 0)
		return raise_text(L, "%s", e.text);
	s = push_copy(L, from);
	s->newest = first_message_new(topic, len, payload, s->newest);
	return 1;
}

/* -- spawning ---------------------------------------------------------------------------------------- */

static int spawn_as(lua_State *L, const struct spawn_ask *ask)
{
	const struct spawner *sp = check(L);
	struct process *self = process_check(L, ask->name);
	struct frame_edge edge = {
		.call_network = options_network(sp->options),
		.actor = sp->actor,
		.scope = sp->scope,
		.values = sp->values,
	};
	const char *id, *host;
	struct spawn *s;
	struct err e;

	if (lua_gettop(L) < 3) {
		err_set(&e, ERR_INVALID, "%s requires at least id and host arguments", ask->name);
		return push_nil_and_err(L, &e);
	}
	id = luaL_checkstring(L, 2);
	host = luaL_checkstring(L, 3);
	if (spawn_check(L, ask, id, &e) < 0)
		return raise_text(L, "%s", e.text);
	s = spawn_new();
	s->parent = process_pid(self);
	s->parent_entry = self->program->id;
	s->monitor = ask->monitor;
	s->link = ask->link;
	s->name = xstrdup(sp->name);
	for (const struct first_message *m = sp->newest; m; m = m->older)
		message_queue_push_front(
			&s->first, message_new(m->topic, m->topic_len, pid_system, packed_ref(m->payload)));
	if (spawn_prepare(L, s, id, host, &edge, 4, &e) < 0) {
		spawn_free(s);
		return push_nil_and_err(L, &e);
	}
	return spawn_go(L, s);
}

static int l_spawn(lua_State *L)
{
	return spawn_as(L, &spawn_asks[0]);
}

static int l_spawn_monitored(lua_State *L)
{
	return spawn_as(L, &spawn_asks[1]);
}

static int l_spawn_linked(lua_State *L)
{
	return spawn_as(L, &spawn_asks[2]);
}

static int l_spawn_linked_monitored(lua_State *L)
{
	return spawn_as(L, &spawn_asks[3]);
}

void process_spawner_register(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"spawn", l_spawn},
		{"spawn_linked", l_spawn_linked},
		{"spawn_linked_monitored", l_spawn_linked_monitored},
		{"spawn_monitored", l_spawn_monitored},
		{"with_actor", l_with_actor},
		{"with_context", l_with_context},
		{"with_message", l_with_message},
		{"with_name", l_with_name},
		{"with_options", l_with_options},
		{"with_scope", l_with_scope},
		{NULL, NULL},
	};

	handle_register(L, spawner_type, methods, spawner_gc);
}
