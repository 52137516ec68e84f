/*
 * http_client.c - the `http_client` module: requests that suspend only the calling coroutine.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/http_batch.h"
#include "bind/http_call.h"
#include "bind/http_files.h"
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

static int start_request(lua_State *L, const char *method, const char *url, int options)
{
	struct http_build *b = http_build_push(L);
	struct http_exchange *x;
	struct err e = {0};

	http_build_read(L, b, method, url, options);
	if (http_build_authorize(L, b, &e) < 0 || http_build_choose_overlay(L, b, &e) < 0)
		return http_build_push_refusal(L, b, &e);
	if (!wait_is_possible(L)) {
		http_build_done(b);
		return http_raise_cannot_wait(L);
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

/* Stack of a request: these, and nothing else. */
enum { AT_URL = 1, AT_OPTIONS = 2, AT_METHOD = 3, AT_FILE = 4 };

static int read_next_file(lua_State *L);

static int file_is_read(lua_State *L)
{
	http_files_store(L, AT_FILE);
	lua_settop(L, AT_METHOD);
	return read_next_file(L);
}

static int read_next_file(lua_State *L)
{
	int options = lua_istable(L, AT_OPTIONS) ? AT_OPTIONS : 0;

	if (options && http_files_push_unread(L, options))
		return http_files_read(L, file_is_read);
	return start_request(L, lua_tostring(L, AT_METHOD), lua_tostring(L, AT_URL), options);
}

/* URL, options or nil, method lie on the stack. */
static int send_request(lua_State *L)
{
	luaL_checkstack(L, 10, "http_client");
	if (lua_istable(L, AT_OPTIONS) && http_files_push_unread(L, AT_OPTIONS)) {
		lua_settop(L, AT_METHOD);
		http_files_push_copy(L, AT_OPTIONS);
		lua_replace(L, AT_OPTIONS);
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

static int l_request(lua_State *L)
{
	size_t len;
	const char *method = luaL_checklstring(L, 1, &len);

	if (len == 0)
		raise_argument(L, 1, "method required");
	check_url(L, 2);
	check_options(L, 3);
	lua_settop(L, 3);
	http_push_method(L, method, len);
	lua_remove(L, 1);
	return send_request(L);
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
		{"request_batch", http_request_batch},
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
