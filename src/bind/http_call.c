#include "bind/http_call.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/http_text.h"
#include "bind/route.h"
#include "engine/lua_api.h"
#include "http/url.h"

/* -- the worker's client -- */

static const char client_slot;

static void *make_client(struct worker *w)
{
	const struct node *n = scheduler_owner(worker_scheduler(w));

	return http_client_new(worker_loop(w), &n->http);
}

static void free_client(void *client)
{
	http_client_free(client);
}

static struct http_client *client_of(struct worker *w)
{
	return worker_slot(w, &client_slot, make_client, free_client);
}

void http_exchange_drop_generation(struct worker *w, uint64_t generation, bool all)
{
	if (all)
		http_client_end_generation(client_of(w), generation);
	else
		http_client_drop_generation(client_of(w), generation);
}

/* -- judging where a request goes -- */

static int judge_address(void *arg, const struct addr *a, struct err *e)
{
	const struct http_exchange *x = arg;
	char ip[ADDR_TEXT_MAX];

	if (!addr_is_private(a))
		return 0;
	addr_format_ip(a, ip);
	if (frame_allows(x->node, x->frame, "http_client.private_ip", ip))
		return 0;
	return err_set(e, ERR_PERMISSION_DENIED, "not allowed: private IP %s%s", ip,
		x->overlay_id ? " via overlay network" : "");
}

static int judge_redirect(void *arg, const char *url, struct err *e)
{
	const struct http_exchange *x = arg;
	struct buf shown = BUF_INIT;

	if (frame_allows(x->node, x->frame, "http_client.request", url))
		return 0;
	http_url_add_masked(url, &shown);
	err_set(e, ERR_PERMISSION_DENIED, "not allowed: %s", buf_str(&shown));
	buf_done(&shown);
	return -1;
}

/* -- the exchange -- */

/* What programs can tell errors apart by, besides the text. */
static struct failure *describe_failure(const struct http_exchange *x, const struct err *e)
{
	struct route way = {x->overlay_id, x->chosen_by, x->isolation};
	struct value *details = value_map();
	struct http_trace t;

	http_call_trace(x->call, &t);
	if (e->code)
		value_map_set(details, "code", value_cstring(e->code));
	route_describe(&way, &t, details);
	return failure_new(err_kind_name(e->kind), e->retry, e->text, strlen(e->text), details, NULL, NULL);
}

static struct value *describe_route(const struct http_exchange *x)
{
	struct route way = {x->overlay_id ? x->overlay_id : FRAME_DIRECT, x->chosen_by, x->isolation};
	struct value *route = value_map();
	struct http_trace t;

	http_call_trace(x->call, &t);
	route_describe(&way, &t, route);
	return route;
}

static void keep_response(struct http_exchange *x, const struct http_response *r)
{
	x->status = r->status;
	x->url = xstrdup(r->url);
	for (size_t i = 0; i < r->nheaders; i++) {
		buf_add(&x->headers, r->headers[i].name, strlen(r->headers[i].name) + 1);
		buf_add(&x->headers, r->headers[i].value, strlen(r->headers[i].value) + 1);
	}
	if (r->body && !x->streams) {
		x->body = *r->body; /* moved */
		*r->body = BUF_INIT;
	}
}

static void exchange_done(void *arg, const struct http_response *r, const struct err *e)
{
	struct http_exchange *x = arg;

	x->over = true;
	if (e) {
		x->failed = true;
		x->failure = describe_failure(x, e);
	} else {
		keep_response(x, r);
		if (x->wants_route)
			x->route = describe_route(x);
	}
	/* Only a stream outlives its answer. */
	if (x->failed || !x->streams)
		x->call = NULL;
	x->done(x, x->arg);
}

struct http_exchange *http_exchange_start(lua_State *L, const struct http_build *b, http_exchange_fn *done, void *arg)
{
	struct http_exchange *x = xcalloc(1, sizeof(*x));
	struct http_client *client = client_of(current_worker(L));
	struct http_request req = b->req;

	x->done = done;
	x->arg = arg;
	x->frame = frame_ref(current_frame(L));
	x->node = current_node(L);
	x->streams = req.stream;
	x->overlay_id = b->overlay ? xstrdup(overlay_id(b->overlay)) : NULL;
	x->chosen_by = route_chooser(x->frame, b->overlay_id != NULL);
	x->isolation = overlay_isolation_name(b->overlay);
	x->wants_route = b->wants_route;
	req.owner = current_number(L);
	/* Code without an identity may go everywhere unless strict mode says otherwise: then there is nothing to judge. */
	if ((x->frame->actor && x->frame->scope) || x->node->strict_mode) {
		req.judge = judge_address;
		req.judge_url = judge_redirect;
		req.judge_arg = x;
	}
	x->call = http_client_start(client, &req, exchange_done, x);
	return x;
}

struct http_exchange *http_exchange_failed(const struct err *e)
{
	struct http_exchange *x = xcalloc(1, sizeof(*x));

	x->over = x->failed = true;
	x->failure = failure_from_err(e);
	return x;
}

int http_raise_cannot_wait(lua_State *L)
{
	return raise_text(L,
		"http_client: a request waits, which is not possible here (chunk level, metamethod, sort or "
		"gsub callback)");
}

void http_exchange_free(struct http_exchange *x)
{
	if (!x)
		return;
	if (x->call)
		http_call_cancel(x->call);
	failure_unref(x->failure);
	frame_unref(x->frame);
	free(x->overlay_id);
	value_unref(x->route);
	free(x->url);
	buf_done(&x->headers);
	buf_done(&x->body);
	free(x);
}

/* -- the response table -- */

static void push_header_tables(lua_State *L, struct http_exchange *x, int response)
{
	const char *p = buf_data(&x->headers), *end = p + buf_len(&x->headers);
	bool any_cookie = false;

	if (p == end)
		return;
	lua_createtable(L, 0, 16);
	lua_newtable(L);
	while (p < end) {
		const char *name = p, *value = p + strlen(p) + 1;
		const char *cookie, *cookie_value;
		size_t cookie_len, value_len;

		p = value + strlen(value) + 1;
		if (lua_getfield(L, -2, name) == LUA_TNIL) {
			lua_pushstring(L, value);
			lua_setfield(L, -4, name);
		}
		lua_pop(L, 1);
		if (strcmp(name, "Set-Cookie") != 0 ||
			!http_cookie_read(value, &cookie, &cookie_len, &cookie_value, &value_len))
			continue;
		lua_pushlstring(L, cookie, cookie_len);
		lua_pushlstring(L, cookie_value, value_len);
		lua_rawset(L, -3);
		any_cookie = true;
	}
	if (any_cookie)
		lua_setfield(L, response, "cookies");
	else
		lua_pop(L, 1);
	lua_setfield(L, response, "headers");
}

void http_exchange_push(lua_State *L, struct http_exchange *x)
{
	int response;

	luaL_checkstack(L, 12, "http response");
	lua_createtable(L, 0, 6);
	response = lua_gettop(L);
	lua_pushinteger(L, x->status);
	lua_setfield(L, response, "status_code");
	lua_pushstring(L, x->url);
	lua_setfield(L, response, "url");
	push_header_tables(L, x, response);
	if (x->route) {
		value_push(L, x->route);
		lua_setfield(L, response, "route");
	}
	if (x->streams) {
		lua_pushinteger(L, -1);
		lua_setfield(L, response, "body_size");
		http_stream_push(L, x->call);
		x->call = NULL;
		lua_setfield(L, response, "stream");
		return;
	}
	lua_pushinteger(L, (lua_Integer)buf_len(&x->body));
	lua_setfield(L, response, "body_size");
	if (buf_len(&x->body) > 0) {
		lua_pushlstring(L, buf_data(&x->body), buf_len(&x->body));
		lua_setfield(L, response, "body");
	}
}
