/*
 * events.c - the `events` module: subscribing to the event bus and publishing on it.
 */
#include <string.h>

#include "actor/bus.h"
#include "bind/current.h"
#include "bind/events_data.h"
#include "bind/feed.h"
#include "bind/modules.h"
#include "engine/lua_api.h"

struct bus_feed {
	struct feed feed; /* first */
	struct bus *bus;
	uint64_t number;
};

static void on_feed_over(struct feed *f)
{
	struct bus_feed *b = container_of(f, struct bus_feed, feed);

	bus_unsubscribe(b->bus, b->number);
}

/* `text` may not be longer than the bus takes, nor hold a NUL, which would hide its end from a policy. */
static int check_text(const char *what, const char *text, size_t len, size_t max, struct err *e)
{
	if (len > max)
		return err_set(e, ERR_INVALID, "%s is longer than %zu bytes", what, max);
	if (memchr(text, '\0', len))
		return err_set(e, ERR_INVALID, "%s holds a NUL byte", what);
	return 0;
}

static int check_name(const char *what, const char *text, size_t len, size_t max, struct err *e)
{
	if (len == 0)
		return err_set(e, ERR_INVALID, "%s is required", what);
	return check_text(what, text, len, max, e);
}

static int l_subscribe(lua_State *L)
{
	size_t nsystem, nkind;
	const char *system = luaL_checklstring(L, 1, &nsystem);
	const char *kind = luaL_optlstring(L, 2, "", &nkind);
	struct process *p = current_process(L);
	struct bus *bus = current_node(L)->bus;
	char topic[BUS_TOPIC_MAX];
	struct bus_feed *f;
	struct err e;

	if (check_name("system pattern", system, nsystem, BUS_NAME_MAX, &e) < 0 ||
		check_text("kind pattern", kind, nkind, BUS_NAME_MAX, &e) < 0)
		return push_nil_and_err(L, &e);
	if (!p) {
		err_set(&e, ERR_INTERNAL, "no process PID");
		return push_nil_and_err(L, &e);
	}
	if (!current_allows(L, "events.subscribe", system)) {
		err_set(&e, ERR_INVALID, "not allowed to subscribe to events from system: %s", system);
		return push_nil_and_err(L, &e);
	}
	f = (struct bus_feed *)feed_push(L, p, sizeof(*f), on_feed_over);
	f->bus = bus;
	f->number = bus_subscribe(bus, process_pid(p), system, kind);
	/* Nothing is taken out of the mailbox before this function returns: no event comes too early. */
	feed_start(L, &f->feed, topic, bus_topic(f->number, topic));
	return 1;
}

static void set_text(lua_State *L, const char *key, const char *text, size_t len)
{
	lua_pushlstring(L, text, len);
	lua_setfield(L, -2, key);
}

static int l_send(lua_State *L)
{
	size_t nsystem, nkind, npath;
	const char *system = luaL_checklstring(L, 1, &nsystem);
	const char *kind = luaL_checklstring(L, 2, &nkind);
	const char *path = luaL_checklstring(L, 3, &npath);
	struct packed *event;
	struct err e;

	if (check_name("system", system, nsystem, BUS_NAME_MAX, &e) < 0 ||
		check_name("kind", kind, nkind, BUS_NAME_MAX, &e) < 0 ||
		check_name("path", path, npath, BUS_PATH_MAX, &e) < 0)
		return push_nil_and_err(L, &e);
	if (!current_process(L)) {
		err_set(&e, ERR_INTERNAL, "no context");
		return push_nil_and_err(L, &e);
	}
	if (!current_allows(L, "events.send", system)) {
		err_set(&e, ERR_INVALID, "not allowed to send events to system: %s", system);
		return push_nil_and_err(L, &e);
	}
	lua_settop(L, 4);
	lua_createtable(L, 0, 4);
	set_text(L, "system", system, nsystem);
	set_text(L, "kind", kind, nkind);
	set_text(L, "path", path, npath);
	if (!lua_isnil(L, 4)) {
		if (events_data_push(L, 4, &e) < 0)
			return push_nil_and_err(L, &e);
		lua_setfield(L, 5, "data");
	}
	if (packed_from_lua(L, 5, 1, &event, &e) < 0)
		return push_nil_and_err(L, &e);
	bus_publish(current_node(L)->bus, system, kind, path, event);
	lua_pushboolean(L, true);
	lua_pushnil(L);
	return 2;
}

int bind_events_open(struct lua_State *L)
{
	static const luaL_Reg functions[] = {{"subscribe", l_subscribe}, {"send", l_send}, {NULL, NULL}};

	feed_register(L);
	luaL_newlib(L, functions);
	return 1;
}
