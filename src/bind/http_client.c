/*
 * http_client.c - the `http_client` module: requests that suspend only the calling coroutine.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/denial.h"
#include "bind/http_call.h"
#include "bind/http_request.h"
#include "bind/http_text.h"
#include "bind/modules.h"
#include "bind/stream.h"
#include "engine/lua_api.h"

/* -- one request -- */

static int request_finish(lua_State *L, struct pending *p)
{
	struct http_exchange *x = container_of(p, struct http_exchange, pending);
	int n;

	if (x->failed) {
		n = push_nil_and_failure(L, x->failure);
	} else {
		http_exchange_push(L, x);
		lua_pushnil(L);
		n = 2;
	}
	http_exchange_free(x);
	return n;
}

static void request_cancel(struct pending *p)
{
	http_exchange_free(container_of(p, struct http_exchange, pending));
}

static void request_done(struct http_exchange *x, void *arg)
{
	(void)arg;
	pending_ready(&x->pending);
}

/* What http_build_authorize() said; the build is not needed any more. */
static int push_refusal(lua_State *L, struct http_build *b, const struct err *e)
{
	int n = b->select_denied ? push_nil_and_denial(L, e, "network.select", b->overlay_id) : push_nil_and_err(L, e);

	http_build_done(b);
	return n;
}

static int start_request(lua_State *L, const char *method, const char *url, int options)
{
	struct http_build *b = http_build_push(L);
	struct http_exchange *x;
	struct err e = {0};

	http_build_read(L, b, method, url, options);
	if (http_build_authorize(L, b, &e) < 0)
		return push_refusal(L, b, &e);
	if (!wait_is_possible(L)) {
		http_build_done(b);
		return raise_text(L, "http_client: a request waits, which is not possible here (chunk level, "
				     "metamethod, sort or gsub callback)");
	}
	x = http_exchange_start(L, b, request_done, NULL);
	http_build_done(b);
	x->pending.cancel = request_cancel;
	return wait_for(L, &x->pending, request_finish);
}

static const char *check_url(lua_State *L, int arg)
{
	const char *url = luaL_checkstring(L, arg);

	if (!url[0])
		raise_argument(L, arg, "URL required");
	return url;
}

static int check_options(lua_State *L, int arg)
{
	if (lua_isnoneornil(L, arg))
		return 0;
	luaL_checktype(L, arg, LUA_TTABLE);
	return arg;
}

/* -- files that come from streams ------------------------------------------------------------------- */

/* Stack of a request: these, and nothing else. */
enum { AT_URL = 1, AT_OPTIONS = 2, AT_METHOD = 3, AT_ITEM = 4 };

static void push_copy(lua_State *L, int idx)
{
	idx = lua_absindex(L, idx);
	lua_newtable(L);
	for (lua_pushnil(L); lua_next(L, idx);) {
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, -4);
	}
}

/* Push the first file of the options whose `reader` has not been read, false when there is none. */
static bool push_unread_file(lua_State *L)
{
	lua_Integer n;

	if (!lua_istable(L, AT_OPTIONS) || lua_getfield(L, AT_OPTIONS, "files") != LUA_TTABLE) {
		lua_settop(L, AT_METHOD);
		return false;
	}
	n = (lua_Integer)lua_rawlen(L, -1);
	for (lua_Integer i = 1; i <= n; i++) {
		const char *content;
		size_t len = 0;

		if (lua_rawgeti(L, -1, i) == LUA_TTABLE) {
			field_string(L, lua_gettop(L), "content", &content, &len);
			lua_getfield(L, -1, "reader");
			if (len == 0 && stream_at(L, -1)) {
				lua_pop(L, 1);
				lua_replace(L, AT_ITEM);
				lua_settop(L, AT_ITEM);
				return true;
			}
			lua_pop(L, 1);
		}
		lua_pop(L, 1);
	}
	lua_settop(L, AT_METHOD);
	return false;
}

/* The program's tables stay as they are: the files are read into copies. */
static void copy_files(lua_State *L)
{
	push_copy(L, AT_OPTIONS);
	lua_replace(L, AT_OPTIONS);
	lua_getfield(L, AT_OPTIONS, "files");
	push_copy(L, -1);
	for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, -1); i++) {
		if (lua_rawgeti(L, -1, i) == LUA_TTABLE) {
			push_copy(L, -1);
			lua_rawseti(L, -3, i);
		}
		lua_pop(L, 1);
	}
	lua_setfield(L, AT_OPTIONS, "files");
	lua_settop(L, AT_METHOD);
}

static int read_next_file(lua_State *L);

static int file_is_read(lua_State *L)
{
	lua_setfield(L, AT_ITEM, "content");
	lua_pushnil(L);
	lua_setfield(L, AT_ITEM, "reader");
	lua_settop(L, AT_METHOD);
	return read_next_file(L);
}

static int read_next_file(lua_State *L)
{
	if (push_unread_file(L)) {
		lua_getfield(L, AT_ITEM, "reader");
		return stream_drain(L, -1, file_is_read);
	}
	return start_request(
		L, lua_tostring(L, AT_METHOD), lua_tostring(L, AT_URL), lua_istable(L, AT_OPTIONS) ? AT_OPTIONS : 0);
}

/* URL, options or nil, method lie on the stack. */
static int send_request(lua_State *L)
{
	luaL_checkstack(L, 10, "http_client");
	if (push_unread_file(L)) {
		lua_settop(L, AT_METHOD);
		copy_files(L);
	}
	return read_next_file(L);
}

static int with_method(lua_State *L, const char *method)
{
	check_url(L, 1);
	check_options(L, 2);
	lua_settop(L, 2);
	lua_pushstring(L, method);
	return send_request(L);
}

static int l_get(lua_State *L)
{
	return with_method(L, "GET");
}

static int l_post(lua_State *L)
{
	return with_method(L, "POST");
}

static int l_put(lua_State *L)
{
	return with_method(L, "PUT");
}

static int l_patch(lua_State *L)
{
	return with_method(L, "PATCH");
}

static int l_delete(lua_State *L)
{
	return with_method(L, "DELETE");
}

static int l_head(lua_State *L)
{
	return with_method(L, "HEAD");
}

/* Push the method in upper case and return it; it lives on the stack. */
static const char *push_upper(lua_State *L, const char *method, size_t len)
{
	luaL_Buffer buf;

	luaL_buffinit(L, &buf);
	for (size_t i = 0; i < len; i++)
		luaL_addchar(&buf, (char)toupper((unsigned char)method[i]));
	luaL_pushresult(&buf);
	return lua_tostring(L, -1);
}

static int l_request(lua_State *L)
{
	size_t len;
	const char *method = luaL_checklstring(L, 1, &len);

	if (len == 0)
		raise_argument(L, 1, "method required");
	check_url(L, 2);
	check_options(L, 3);
	lua_settop(L, 3);
	push_upper(L, method, len);
	lua_remove(L, 1);
	return send_request(L);
}

/* -- batches -- */

enum { BATCH_MAX = 10000 };

struct batch {
	struct pending pending;
	struct http_exchange **exchanges;
	size_t count;
	size_t open; /* not yet over */
};

static void batch_free(struct batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		http_exchange_free(b->exchanges[i]);
	free(b->exchanges);
	free(b);
}

static void batch_cancel(struct pending *p)
{
	batch_free(container_of(p, struct batch, pending));
}

static int batch_finish(lua_State *L, struct pending *p)
{
	struct batch *b = container_of(p, struct batch, pending);
	bool any_failed = false;

	lua_createtable(L, (int)b->count, 0);
	lua_newtable(L);
	for (size_t i = 0; i < b->count; i++) {
		if (b->exchanges[i]->failed) {
			push_failure(L, b->exchanges[i]->failure);
			lua_rawseti(L, -2, (lua_Integer)i + 1);
			any_failed = true;
		} else {
			http_exchange_push(L, b->exchanges[i]);
			lua_rawseti(L, -3, (lua_Integer)i + 1);
		}
	}
	if (!any_failed) {
		lua_pop(L, 1);
		lua_pushnil(L);
	}
	batch_free(b);
	return 2;
}

static void batch_one_done(struct http_exchange *x, void *arg)
{
	struct batch *b = arg;

	(void)x;
	if (--b->open == 0)
		pending_ready(&b->pending);
}

/* Read element i (on top of the stack) into a build pushed over it; the method string stays on the stack too. */
static struct http_build *read_element(lua_State *L, struct err *e)
{
	int item = lua_gettop(L), options = 0;
	struct http_build *b;
	const char *url, *method;
	size_t len;

	if (!lua_istable(L, item)) {
		err_set(e, ERR_INVALID, "each request must be a table");
		return NULL;
	}
	lua_rawgeti(L, item, 1);
	lua_rawgeti(L, item, 2);
	lua_rawgeti(L, item, 3);
	if (lua_type(L, item + 1) != LUA_TSTRING) {
		err_set(e, ERR_INVALID, "method must be a string");
		return NULL;
	}
	if (lua_type(L, item + 2) != LUA_TSTRING) {
		err_set(e, ERR_INVALID, "URL must be a string");
		return NULL;
	}
	if (lua_istable(L, item + 3))
		options = item + 3;
	url = lua_tostring(L, item + 2);
	method = lua_tolstring(L, item + 1, &len);
	method = push_upper(L, method, len);
	b = http_build_push(L);
	http_build_read(L, b, method, url, options);
	if (b->req.stream) {
		err_set(e, ERR_INVALID, "streaming not supported in batch requests");
		return NULL;
	}
	return b;
}

static int l_request_batch(lua_State *L)
{
	size_t n = lua_istable(L, 1) ? lua_rawlen(L, 1) : 0;
	struct http_build **builds;
	struct err e = {0};
	struct batch *b;
	int anchors;

	if (n == 0)
		return raise_argument(L, 1, "requests table cannot be empty");
	if (n > BATCH_MAX)
		return raise_argument(L, 1, "too many requests");
	if (!wait_is_possible(L))
		return raise_text(L, "http_client: a request waits, which is not possible here (chunk level, "
				     "metamethod, sort or gsub callback)");
	lua_settop(L, 1);
	builds = lua_newuserdatauv(L, n * sizeof(struct http_build *), 0);
	/* Builds and upper-cased methods are anchored in a table: thousands would not fit on the stack. */
	lua_createtable(L, (int)n * 2, 0);
	anchors = 3;
	for (size_t i = 0; i < n; i++) {
		lua_rawgeti(L, 1, (lua_Integer)i + 1);
		builds[i] = read_element(L, &e);
		if (!builds[i])
			return push_nil_and_err(L, &e);
		lua_rawseti(L, anchors, (lua_Integer)(2 * i + 1));
		lua_rawseti(L, anchors, (lua_Integer)(2 * i + 2));
		lua_settop(L, anchors);
	}
	for (size_t i = 0; i < n; i++) {
		if (http_build_authorize_url(L, builds[i], &e) < 0)
			return push_nil_and_err(L, &e);
	}
	for (size_t i = 0; i < n; i++) {
		if (http_build_authorize(L, builds[i], &e) < 0)
			return push_refusal(L, builds[i], &e);
	}
	b = xcalloc(1, sizeof(*b));
	b->exchanges = xcalloc(n, sizeof(struct http_exchange *));
	b->pending.cancel = batch_cancel;
	b->open = b->count = n;
	for (size_t i = 0; i < n; i++) {
		b->exchanges[i] = http_exchange_start(L, builds[i], batch_one_done, b);
		http_build_done(builds[i]);
	}
	return wait_for(L, &b->pending, batch_finish);
}

/* -- text -- */

static int buf_gc(lua_State *L)
{
	buf_done(lua_touserdata(L, 1));
	return 0;
}

static int l_encode_uri(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	struct buf *out = handle_new(L, "http.text", sizeof(*out));

	http_escape(out, text, len);
	lua_pushlstring(L, buf_data(out), buf_len(out));
	buf_done(out);
	return 1;
}

static int l_decode_uri(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	struct buf *out = handle_new(L, "http.text", sizeof(*out));
	struct err e = {0};

	if (http_unescape(out, text, len, &e) < 0) {
		buf_done(out);
		return push_nil_and_err(L, &e);
	}
	lua_pushlstring(L, buf_data(out), buf_len(out));
	buf_done(out);
	return 1;
}

int bind_http_client_open(struct lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"get", l_get},
		{"post", l_post},
		{"put", l_put},
		{"patch", l_patch},
		{"delete", l_delete},
		{"head", l_head},
		{"request", l_request},
		{"request_batch", l_request_batch},
		{"encode_uri", l_encode_uri},
		{"decode_uri", l_decode_uri},
		{NULL, NULL},
	};
	static const luaL_Reg none[] = {{NULL, NULL}};

	handle_register(L, "http.text", none, buf_gc);
	http_build_register(L);
	stream_register(L);
	luaL_newlib(L, functions);
	return 1;
}
