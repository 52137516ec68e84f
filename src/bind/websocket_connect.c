/*
 * websocket_connect.c - websocket.connect(): its options, permissions, and the wait for the connection.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/duration.h"
#include "base/secret.h"
#include "bind/current.h"
#include "bind/denial.h"
#include "bind/route.h"
#include "bind/websocket.h"
#include "engine/lua_api.h"
#include "http/url.h"

enum {
	HEADERS_MAX = 1000,
	PROTOCOLS_MAX = 100,
	THRESHOLD_MAX = 104857600,
	READ_LIMIT_MAX = 134217728,
	READ_LIMIT_DEFAULT = 16 * 1024 * 1024,
	CAPACITY_MAX = 10000,
	CAPACITY_DEFAULT = 16,
	THRESHOLD_TAKEOVER = 128,
	THRESHOLD_NO_TAKEOVER = 512,
};

/* -- options ------------------------------------------------------------------------------------------ */

struct options {
	struct websocket_dial_options dial;
	struct conn_settings settings;
};

/* Milliseconds or a duration; anything else leaves `ret_ns` alone. */
static void read_time(lua_State *L, int idx, const char *name, uint64_t *ret_ns)
{
	const char *text;
	size_t len;
	double ms;
	int64_t ns;

	if (field_number(L, idx, name, &ms)) {
		if (ms > 0 && ms < 9e12)
			*ret_ns = (uint64_t)(ms * 1e6);
	} else if (field_string(L, idx, name, &text, &len) && duration_parse(text, len, &ns, NULL) == 0 && ns > 0) {
		*ret_ns = (uint64_t)ns;
	}
}

/* A whole number within the bounds. */
static bool read_count(lua_State *L, int idx, const char *name, double min, double max, size_t *ret)
{
	double n;

	if (!field_number(L, idx, name, &n) || !(n >= min && n <= max))
		return false;
	*ret = (size_t)n;
	return true;
}

static void read_compression(lua_State *L, int idx, struct websocket_deflate *d)
{
	const char *word = "";
	size_t mode = 0;

	if (!read_count(L, idx, "compression", 0, 2, &mode) && field_string(L, idx, "compression", &word, NULL))
		mode = strcmp(word, "context_takeover") == 0 ? 1 : strcmp(word, "no_context_takeover") == 0 ? 2 : 0;
	d->on = mode != 0;
	d->client_no_context_takeover = d->server_no_context_takeover = mode == 2;
	read_count(L, idx, "compression_threshold", 0, THRESHOLD_MAX, &d->threshold);
	if (d->threshold == 0)
		d->threshold = mode == 1 ? THRESHOLD_TAKEOVER : THRESHOLD_NO_TAKEOVER;
}

/* A string whose bytes go out as they are: one with a NUL would lose its end on the way to the checks below, so it becomes one that they refuse. Pushed. */
static const char *push_whole(lua_State *L, int idx)
{
	size_t len;
	const char *s = lua_tolstring(L, idx, &len);

	if (strlen(s) != len)
		return lua_pushliteral(L, "\n");
	lua_pushvalue(L, idx);
	return s;
}

/* The strings stay in a table that is pushed, the array in a userdata. */
static void read_headers(lua_State *L, int options, struct options *o)
{
	struct http_header *h;
	size_t n = 0;
	int table, anchors;

	if (lua_getfield(L, options, "headers") != LUA_TTABLE)
		return;
	table = lua_gettop(L);
	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
		n++;
	n = n < HEADERS_MAX ? n : HEADERS_MAX;
	h = lua_newuserdatauv(L, (n + 1) * sizeof(*h), 0);
	lua_createtable(L, (int)n * 2, 0);
	anchors = lua_gettop(L);
	o->dial.headers = h;
	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING || o->dial.nheaders >= n)
			continue;
		h = (struct http_header *)o->dial.headers + o->dial.nheaders++;
		h->value = (char *)push_whole(L, -1);
		lua_rawseti(L, anchors, (lua_Integer)o->dial.nheaders * 2);
		h->name = (char *)push_whole(L, -2);
		lua_rawseti(L, anchors, (lua_Integer)o->dial.nheaders * 2 - 1);
	}
}

static void read_protocols(lua_State *L, int options, struct options *o)
{
	const char **names;
	size_t n;
	int table;

	if (lua_getfield(L, options, "protocols") != LUA_TTABLE)
		return;
	table = lua_gettop(L);
	n = lua_rawlen(L, table);
	n = n < PROTOCOLS_MAX ? n : PROTOCOLS_MAX;
	names = lua_newuserdatauv(L, (n + 1) * sizeof(*names), 1);
	lua_createtable(L, (int)n, 0);
	o->dial.protocols = names;
	for (size_t i = 1; i <= n; i++) {
		if (lua_rawgeti(L, table, (lua_Integer)i) == LUA_TSTRING) {
			names[o->dial.nprotocols++] = push_whole(L, -1);
			lua_rawseti(L, -3, (lua_Integer)i);
		}
		lua_pop(L, 1);
	}
}

/* Leaves what the options borrow on the stack. */
static void read_options(lua_State *L, int idx, struct options *o)
{
	size_t n;

	o->settings = (struct conn_settings){.message_max = READ_LIMIT_DEFAULT, .capacity = CAPACITY_DEFAULT};
	if (!idx)
		return;
	luaL_checkstack(L, 20, "websocket");
	read_headers(L, idx, o);
	read_protocols(L, idx, o);
	read_time(L, idx, "dial_timeout", &o->dial.timeout_ns);
	read_time(L, idx, "read_timeout", &o->settings.read_timeout_ns);
	read_time(L, idx, "write_timeout", &o->settings.write_timeout_ns);
	read_compression(L, idx, &o->dial.deflate);
	if (read_count(L, idx, "read_limit", 1, READ_LIMIT_MAX, &n))
		o->settings.message_max = n;
	if (read_count(L, idx, "channel_capacity", 1, CAPACITY_MAX, &n))
		o->settings.capacity = (unsigned)n;
}

/* -- connecting --------------------------------------------------------------------------------------- */

struct connect {
	struct pending pending;
	struct websocket_dial *dial;     /* NULL: done */
	struct websocket_client *client; /* on the stack of the coroutine that waits */
	struct process *process;
	struct frame *frame;
	const struct node *node;
	struct conn_settings settings;
	char *overlay_id; /* NULL: the clear network */
	const char *chosen_by;
	const char *isolation;
	struct http_trace way; /* when there is no conn */
	struct conn *conn;
	struct err err; /* when there is no conn */
};

static void connect_free(struct connect *c)
{
	websocket_dial_cancel(c->dial);
	conn_unref(c->conn);
	frame_unref(c->frame);
	free(c->overlay_id);
	free(c);
}

static void connect_cancel(struct pending *p)
{
	connect_free(container_of(p, struct connect, pending));
}

/* `c` NULL: nothing was dialled. */
static int fail_to_dial(lua_State *L, const struct err *e, const struct connect *c)
{
	struct value *details;
	struct failure *f;
	struct err why = *e;
	int n;

	err_prefix(&why, "failed to dial websocket");
	details = value_map();
	if (why.code)
		value_map_set(details, "code", value_cstring(why.code));
	if (c)
		route_describe(&(struct route){c->overlay_id, c->chosen_by, c->isolation}, &c->way, details);
	f = failure_new(err_kind_name(ERR_INTERNAL), ERR_RETRY_YES, why.text, strlen(why.text), details, NULL, NULL);
	n = push_nil_and_failure(L, f);
	failure_unref(f);
	return n;
}

static int connect_finish(lua_State *L, struct pending *p)
{
	struct connect *c = container_of(p, struct connect, pending);
	int n = 2;

	if (c->conn) {
		c->client->conn = c->conn;
		c->conn = NULL;
		lua_pushvalue(L, 1);
		lua_pushnil(L);
	} else if (c->err.kind == ERR_PERMISSION_DENIED) {
		n = push_nil_and_err(L, &c->err);
	} else {
		n = fail_to_dial(L, &c->err, c);
	}
	connect_free(c);
	return n;
}

static void on_dialled(void *arg, const struct websocket_dialled *w, const struct err *e)
{
	struct connect *c = arg;

	c->dial = NULL;
	if (w)
		c->conn = conn_new(c->process, w, &c->settings);
	else
		c->err = *e;
	pending_ready(&c->pending);
}

/* "not allowed: <URL>", as people may see it. */
static int refuse_url(const char *url, struct err *e)
{
	struct buf shown = BUF_INIT;

	http_url_add_masked(url, &shown);
	err_set(e, ERR_PERMISSION_DENIED, "not allowed: %s", buf_str(&shown));
	buf_done(&shown);
	return -1;
}

static int judge_redirect(void *arg, const char *url, struct err *e)
{
	const struct connect *c = arg;

	if (frame_allows(c->node, c->frame, "websocket.connect.url", url))
		return 0;
	return refuse_url(url, e);
}

/* What is logged while the permission is checked does not show a password in the URL. */
static bool is_url_allowed(lua_State *L, const char *url)
{
	const char *begin = strstr(url, "//"), *at = begin ? strrchr(begin, '@') : NULL;
	const char *colon = at ? memchr(begin, ':', (size_t)(at - begin)) : NULL;
	struct secret *password = colon ? secret_new(colon + 1, (size_t)(at - colon - 1)) : NULL;
	bool allowed = current_allows(L, "websocket.connect.url", url);

	secret_free(password);
	return allowed;
}

int websocket_connect(lua_State *L)
{
	struct process *p = current_process(L);
	struct overlay *overlay = NULL;
	struct options o = {0};
	struct connect *c;
	const char *url;
	size_t url_len;
	struct err e;

	if (!p) {
		err_set(&e, ERR_INTERNAL, "no context");
		return push_nil_and_err(L, &e);
	}
	if (!current_allows(L, "websocket.connect", "")) {
		err_set(&e, ERR_PERMISSION_DENIED, "websocket connections not allowed");
		return push_nil_and_denial(L, &e, "websocket.connect", "");
	}
	url = luaL_checklstring(L, 1, &url_len);
	if (url_len == 0)
		return raise_argument(L, 1, "URL required");
	if (strlen(url) != url_len)
		return raise_argument(L, 1, "URL holds a NUL byte");
	if (!is_url_allowed(L, url)) {
		refuse_url(url, &e);
		return push_nil_and_err(L, &e);
	}
	if (!lua_isnoneornil(L, 2))
		luaL_checktype(L, 2, LUA_TTABLE);
	if (!wait_is_possible(L))
		return raise_text(L, "websocket: connect waits, which is not possible here (chunk level, metamethod, "
				     "sort or gsub callback)");
	lua_settop(L, 2);
	read_options(L, lua_istable(L, 2) ? 2 : 0, &o);
	o.dial.loop = current_loop(L);
	o.dial.url = url;
	o.dial.owner = current_number(L);
	o.dial.tls = conn_tls(current_worker(L), &e);
	if (!o.dial.tls)
		return fail_to_dial(L, &e, NULL);
	handle_new(L, websocket_client_type, sizeof(struct websocket_client));
	if (frame_overlay(current_node(L), current_frame(L), &overlay, &e) < 0)
		return fail_to_dial(L, &e, NULL);
	c = xcalloc(1, sizeof(*c));
	c->pending.cancel = connect_cancel;
	c->client = lua_touserdata(L, -1);
	c->process = p;
	c->frame = frame_ref(current_frame(L));
	c->node = current_node(L);
	c->settings = o.settings;
	c->overlay_id = overlay ? xstrdup(overlay_id(overlay)) : NULL;
	c->chosen_by = route_chooser(c->frame, false);
	c->isolation = overlay_isolation_name(overlay);
	o.dial.overlay = overlay;
	o.dial.ret_way = &c->way;
	o.dial.judge_url = judge_redirect;
	o.dial.judge_arg = c;
	c->dial = websocket_dial_start(&o.dial, on_dialled, c);
	overlay_unref(overlay);
	lua_replace(L, 1);
	lua_settop(L, 1);
	return wait_for(L, &c->pending, connect_finish);
}
