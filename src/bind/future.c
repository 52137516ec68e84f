#include "bind/future.h"

#include <stdlib.h>

#include "actor/resource.h"
#include "base/alloc.h"
#include "bind/payload.h"
#include "bind/process.h"
#include "engine/channel.h"

static const char future_type[] = "funcs.Future";

/* Held by its Lua value until that is collected, and by the call until it is over. */
struct future {
	struct process *owner; /* while the call runs */
	struct invocation under_way;
	struct packed *value;
	struct failure *failure;
	struct channel *channel; /* held while the call runs */
	lua_State *L;            /* main thread of the heap */
	struct resource resource;
	unsigned holders;
	bool complete;
	bool canceled;
};

static void release(struct future *f)
{
	if (--f->holders > 0)
		return;
	packed_unref(f->value);
	failure_unref(f->failure);
	free(f);
}

/* One value, then closed. A program that closed the channel itself wants nothing. */
static void deliver(struct future *f)
{
	lua_State *L = f->L;

	if (f->failure)
		push_failure(L, f->failure);
	else
		payload_push(L, f->value, 0);
	channel_offer(L, f->channel);
	channel_close(f->channel);
}

static void on_done(void *arg, struct packed *value, struct failure *failure)
{
	struct future *f = arg;

	f->under_way = (struct invocation){0};
	f->complete = true;
	/* After a cancel nobody asks. */
	if (!f->canceled) {
		f->value = packed_ref(value);
		f->failure = failure_keep(failure);
	}
	resource_drop(&f->resource);
	/* A task that has ended let go of the channel already. */
	if (!f->owner->dead) {
		if (!f->canceled)
			deliver(f);
		channel_release(f->channel);
	}
	release(f);
}

/* The process ends: its task lets go of the channel. */
static void on_release(struct resource *r)
{
	struct future *f = container_of(r, struct future, resource);

	invoke_cancel(&f->under_way);
	release(f);
}

int future_start(lua_State *L, const struct invoke_ask *ask)
{
	struct process *self = process_check(L, "funcs.async");
	struct future **handle = handle_new(L, future_type, sizeof(*handle));
	struct future *f;
	struct err e;

	f = xcalloc(1, sizeof(*f));
	f->holders = 1;
	*handle = f;
	f->channel = channel_push_new(L, 1);
	lua_setiuservalue(L, -2, 1);
	lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
	f->L = lua_tothread(L, -1);
	lua_pop(L, 1);
	if (invoke_start(current_worker(L), ask, on_done, f, &f->under_way, &e) < 0)
		return push_nil_and_err(L, &e);
	f->holders++;
	f->owner = self;
	channel_hold(f->channel, &self->task);
	resource_own(&self->resources, &f->resource, on_release);
	return 1;
}

/* -- methods ----------------------------------------------------------------------------------------- */

static struct future *check(lua_State *L)
{
	struct future **handle = handle_check(L, 1, future_type);

	return *handle;
}

static int l_channel(lua_State *L)
{
	check(L);
	lua_getiuservalue(L, 1, 1);
	return 1;
}

static int l_is_complete(lua_State *L)
{
	lua_pushboolean(L, check(L)->complete);
	return 1;
}

static int l_is_canceled(lua_State *L)
{
	lua_pushboolean(L, check(L)->canceled);
	return 1;
}

static int l_result(lua_State *L)
{
	struct future *f = check(L);
	struct err e;

	if (f->canceled) {
		err_set(&e, ERR_CANCELED, "canceled");
		return push_nil_and_err(L, &e);
	}
	if (!f->complete) {
		lua_pushnil(L);
		return 1;
	}
	if (f->failure)
		return push_nil_and_failure(L, f->failure);
	payload_push(L, f->value, 0);
	return 1;
}

static int l_error(lua_State *L)
{
	struct future *f = check(L);

	if (f->failure)
		push_failure(L, f->failure);
	else
		lua_pushnil(L);
	lua_pushboolean(L, f->failure != NULL);
	return 2;
}

/* The callee goes on, but nobody hears of it. */
static int l_cancel(lua_State *L)
{
	struct future *f = check(L);

	if (!f->canceled) {
		f->canceled = true;
		channel_close(f->channel);
	}
	lua_pushboolean(L, true);
	return 1;
}

static int future_gc(lua_State *L)
{
	struct future **handle = lua_touserdata(L, 1);

	if (*handle)
		release(*handle);
	*handle = NULL;
	return 0;
}

void future_register(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"cancel", l_cancel},
		{"channel", l_channel},
		{"error", l_error},
		{"is_canceled", l_is_canceled},
		{"is_complete", l_is_complete},
		{"response", l_channel},
		{"result", l_result},
		{NULL, NULL},
	};

	payload_register(L);
	handle_register(L, future_type, methods, future_gc);
}
