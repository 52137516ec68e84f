#include "bind/feed.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "bind/process.h"
#include "engine/channel.h"
#include "engine/lua_api.h"

static const char feed_type[] = "events.Subscription";

/* The channel is the object's user value. */
struct feed_handle {
	struct feed *feed;
};

static void feed_unref(struct feed *f)
{
	if (f && --f->refs == 0)
		free(f);
}

/* Let go of channel and source; twice is fine. */
static void end(struct feed *f)
{
	struct channel *ch;

	if (!f->subscription)
		return;
	ch = f->subscription->channel;
	inbox_drop(f->subscription);
	f->subscription = NULL;
	f->over(f);
	channel_close(ch);
	channel_release(ch);
	resource_drop(&f->resource);
	feed_unref(f); /* the process's */
}

static void on_channel_closed(struct subscription *s)
{
	end(s->owner);
}

static void on_process_end(struct resource *r)
{
	struct feed *f = container_of(r, struct feed, resource);

	/* Inbox and channel go with the process. */
	f->subscription = NULL;
	f->over(f);
	feed_unref(f);
}

static int l_channel(lua_State *L)
{
	handle_check(L, 1, feed_type);
	lua_getiuservalue(L, 1, 1);
	return 1;
}

static int l_close(lua_State *L)
{
	const struct feed_handle *h = handle_check(L, 1, feed_type);
	bool flushes = false;

	if (lua_istable(L, 2))
		field_bool(L, 2, "flush", &flushes);
	if (h->feed && h->feed->subscription) {
		if (flushes)
			channel_clear(L, h->feed->subscription->channel);
		end(h->feed);
	}
	lua_pushboolean(L, true);
	return 1;
}

static int handle_gc(lua_State *L)
{
	struct feed_handle *h = lua_touserdata(L, 1);

	feed_unref(h->feed);
	h->feed = NULL;
	return 0;
}

void feed_register(lua_State *L)
{
	static const luaL_Reg methods[] = {{"channel", l_channel}, {"close", l_close}, {NULL, NULL}};

	handle_register(L, feed_type, methods, handle_gc);
}

struct feed *feed_push(lua_State *L, struct process *p, size_t bytes, void (*over)(struct feed *f))
{
	struct feed_handle *h = handle_new(L, feed_type, sizeof(*h));
	struct feed *f;

	channel_push_new(L, FEED_CAPACITY);
	lua_setiuservalue(L, -2, 1);
	luaL_checkstack(L, 4, "subscription");
	f = xcalloc(1, bytes);
	f->process = p;
	f->over = over;
	f->refs = 1;
	h->feed = f;
	return f;
}

void feed_start(lua_State *L, struct feed *f, const char *topic, size_t len)
{
	struct inbox *box = process_inbox_open(L, f->process);
	struct channel *ch;

	lua_getiuservalue(L, -1, 1);
	ch = channel_at(L, -1);
	channel_hold(ch, &f->process->task);
	lua_pop(L, 1);
	f->subscription = inbox_subscribe(box, topic, len, ch);
	f->subscription->closed = on_channel_closed;
	f->subscription->owner = f;
	resource_own(&f->process->resources, &f->resource, on_process_end);
	f->refs++;
}
