/*
 * http_server_response.c - http.Response: status, headers, body, server-sent events.
 *
 * A method gives nil, or the error. Writing waits while the client is slow: never more than EXCHANGE_PENDING_HIGH and one portion lie between a handler and its client.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/http_server.h"
#include "bind/lua_data.h"
#include "engine/lua_api.h"
#include "http/canonical.h"

enum { PORTION = 64 * 1024, HEADER_NAME_MAX = 256, HEADER_VALUE_MAX = 64 * 1024 };

static struct exchange *http_check_response(lua_State *L)
{
	struct http_response_object *o = handle_self(L, HANDLE_HTTP_RESPONSE);

	return http_exchange_of_call(L, o->number);
}

void http_response_push(lua_State *L)
{
	struct http_response_object *o = handle_new_plain(L, HANDLE_HTTP_RESPONSE, sizeof(*o), 0);

	o->number = current_number(L);
}

/* The error alone, as methods of a response give it. */
static int http_push_response_err(lua_State *L, enum err_kind kind, const char *text)
{
	struct err e;

	err_set(&e, kind, "%s", text);
	push_err(L, &e);
	return 1;
}

static int push_over(lua_State *L)
{
	return http_push_response_err(L, ERR_INTERNAL, "no HTTP request context found");
}

static int push_done(lua_State *L)
{
	lua_pushnil(L);
	return 1;
}

/* -- the head ---------------------------------------------------------------------------------------------- */

static int l_set_status(lua_State *L)
{
	struct exchange *x = http_check_response(L);
	lua_Integer code = luaL_checkinteger(L, 2);
	char text[128];

	if (!x)
		return push_over(L);
	if (exchange_is_committed(x))
		return http_push_response_err(L, ERR_INVALID, "cannot set status after headers are sent");
	/* 100 and 101 are the server's own business. */
	if (code < 102 || code > 999) {
		snprintf(text, sizeof(text),
			"invalid status code %lld: an interim status has a number from 102 to 199, a final one from "
			"200 to 999",
			(long long)code);
		return http_push_response_err(L, ERR_INVALID, text);
	}
	/* Either fails only when nobody is there to be told: the client left, or is too old for interim responses. */
	if (code < 200)
		exchange_interim(x, (unsigned)code);
	else
		exchange_commit(x, (unsigned)code);
	exchange_mark_handled(x);
	return push_done(L);
}

static int l_set_header(lua_State *L)
{
	struct exchange *x = http_check_response(L);
	size_t name_len, len;
	const char *given = luaL_checklstring(L, 2, &name_len);
	const char *value = luaL_checklstring(L, 3, &len);
	char name[HEADER_NAME_MAX + 1];

	if (!x)
		return push_over(L);
	if (exchange_is_committed(x))
		return http_push_response_err(L, ERR_INVALID, "cannot set headers after they are sent");
	if (name_len > HEADER_NAME_MAX || len > HEADER_VALUE_MAX)
		return http_push_response_err(
			L, ERR_INVALID, "the header is too long: a name has at most 256 bytes, a value 64 KiB");
	memcpy(name, given, name_len + 1);
	http_canonical_name(name);
	/* A name that is none is dropped. */
	if (strlen(name) == name_len)
		exchange_set_header(x, name, value, len);
	exchange_mark_handled(x);
	return push_done(L);
}

static int l_set_content_type(lua_State *L)
{
	struct exchange *x = http_check_response(L);
	size_t len;
	const char *type = luaL_checklstring(L, 2, &len);

	if (!x)
		return push_over(L);
	if (exchange_is_committed(x))
		return http_push_response_err(L, ERR_INVALID, "cannot set content type after headers are sent");
	if (len > HEADER_VALUE_MAX)
		return http_push_response_err(L, ERR_INVALID, "the content type is too long: at most 64 KiB");
	exchange_set_header(x, "Content-Type", type, len);
	return push_done(L);
}

static void begin_events(struct exchange *x)
{
	exchange_set_header(x, "Content-Type", "text/event-stream", SIZE_MAX);
	exchange_set_header(x, "Cache-Control", "no-cache", SIZE_MAX);
	exchange_set_header(x, "Connection", "keep-alive", SIZE_MAX);
	http_handler_of(x)->sse = true;
}

static int l_set_transfer(lua_State *L)
{
	struct exchange *x = http_check_response(L);
	const char *mode = luaL_checkstring(L, 2);
	bool sse = strcmp(mode, "sse") == 0;

	if (!sse && strcmp(mode, "chunked") != 0)
		return raise_argument(L, 2, "invalid transfer type");
	if (!x)
		return push_over(L);
	if (exchange_is_committed(x))
		return http_push_response_err(L, ERR_INVALID, "cannot set transfer mode after headers are sent");
	if (sse) {
		begin_events(x);
	} else {
		exchange_set_header(x, "Transfer-Encoding", "chunked", SIZE_MAX);
		exchange_set_header(x, "Cache-Control", "no-cache", SIZE_MAX);
	}
	return push_done(L);
}

/* -- the body ---------------------------------------------------------------------------------------------- */

/* A userdata on the stack of the coroutine that waits, and so is the string. */
struct response_write {
	struct pending pending;
	struct exchange *exchange; /* a reference, until it is over */
	const char *data;
	size_t left;
	const char *failure; /* words of the error; NULL: none is told */
	bool flush;          /* at the end */
};

static const char response_write_type[] = "http.response_write";

static int write_finish(lua_State *L, struct pending *p);

static void leave(struct response_write *w)
{
	if (!w->exchange)
		return;
	exchange_on_drain(w->exchange, NULL, NULL);
	exchange_unref(w->exchange);
	w->exchange = NULL;
}

static int response_write_gc(lua_State *L)
{
	leave(lua_touserdata(L, 1));
	return 0;
}

static void write_cancel(struct pending *p)
{
	leave(container_of(p, struct response_write, pending));
}

static void on_drain(void *arg)
{
	struct response_write *w = arg;

	pending_ready(&w->pending);
}

enum step { WRITE_DONE, WRITE_FAILED, WRITE_WAIT };

/* Write until it is done or the client is behind. */
static enum step advance(struct exchange *x, const char **data, size_t *left, bool flush)
{
	for (;;) {
		size_t n = *left < PORTION ? *left : PORTION;

		if (n > 0 && !exchange_write(x, *data, n))
			return WRITE_FAILED;
		*data += n;
		*left -= n;
		if (*left == 0 && flush)
			exchange_flush(x);
		if (exchange_pending(x) > EXCHANGE_PENDING_HIGH)
			return WRITE_WAIT;
		if (*left == 0)
			return WRITE_DONE;
	}
}

static int push_step(lua_State *L, enum step step, const char *failure)
{
	return step == WRITE_FAILED && failure ? http_push_response_err(L, ERR_INTERNAL, failure) : push_done(L);
}

/* `data` is part of a value on the stack. */
static int write_out(lua_State *L, struct exchange *x, const char *data, size_t len, bool flush, const char *failure)
{
	struct response_write *w;
	enum step step;

	/* Where nobody can wait, a client that is behind is one that cannot be written to. */
	if (!wait_is_possible(L)) {
		bool full = exchange_pending(x) + len > 4 * EXCHANGE_PENDING_HIGH;

		if (full || (len > 0 && !exchange_write(x, data, len)))
			return push_step(L, WRITE_FAILED, failure);
		if (flush)
			exchange_flush(x);
		exchange_mark_handled(x);
		return push_done(L);
	}
	/* An empty write commits too. */
	if (len == 0 && !exchange_is_committed(x))
		exchange_commit(x, 200);
	step = advance(x, &data, &len, flush);
	if (step != WRITE_FAILED)
		exchange_mark_handled(x);
	if (step != WRITE_WAIT)
		return push_step(L, step, failure);
	handle_register(L, response_write_type, NULL, response_write_gc);
	w = handle_new(L, response_write_type, sizeof(*w));
	w->pending.cancel = write_cancel;
	w->data = data;
	w->left = len;
	w->flush = flush;
	w->failure = failure;
	w->exchange = exchange_ref(x);
	exchange_on_drain(x, on_drain, w);
	return wait_for(L, &w->pending, write_finish);
}

static int write_finish(lua_State *L, struct pending *p)
{
	struct response_write *w = container_of(p, struct response_write, pending);
	enum step step = WRITE_DONE;

	if (exchange_is_gone(w->exchange))
		step = WRITE_FAILED;
	else if (w->left > 0)
		step = advance(w->exchange, &w->data, &w->left, w->flush);
	if (step == WRITE_WAIT) {
		w->pending = (struct pending){.cancel = write_cancel};
		exchange_on_drain(w->exchange, on_drain, w);
		return wait_for(L, &w->pending, write_finish);
	}
	leave(w);
	return push_step(L, step, w->failure);
}

static int l_write(lua_State *L)
{
	struct exchange *x = http_check_response(L);
	size_t len;
	const char *data = luaL_checklstring(L, 2, &len);

	return x ? write_out(L, x, data, len, false, "write failed") : push_over(L);
}

static int push_unencoded(lua_State *L, const char *text, const char *cause)
{
	http_push_err_cause(L, ERR_INVALID, text, cause);
	return 1; /* without the nil before it */
}

static int l_write_json(lua_State *L)
{
	struct exchange *x = http_check_response(L);
	const char *data;
	struct err e;
	size_t len;

	luaL_checkany(L, 2);
	if (!x)
		return push_over(L);
	if (json_push_encoded(L, 2, &e) < 0)
		return push_unencoded(L, "failed to encode JSON", e.text);
	if (!exchange_is_committed(x))
		exchange_set_header(x, "Content-Type", "application/json", SIZE_MAX);
	data = lua_tolstring(L, -1, &len);
	return write_out(L, x, data, len, false, "write failed");
}

static int l_flush(lua_State *L)
{
	struct exchange *x = http_check_response(L);

	if (!x)
		return push_over(L);
	return write_out(L, x, "", 0, true, NULL);
}

/* -- events -------------------------------------------------------------------------------------------------- */

static int l_write_event(lua_State *L)
{
	struct exchange *x = http_check_response(L);
	const char *data;
	size_t len, name_len;
	luaL_Buffer b;
	struct err e;

	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	if (lua_getfield(L, 2, "name") != LUA_TSTRING || (lua_tolstring(L, -1, &name_len), name_len == 0))
		return raise_argument(L, 2, "missing event name");
	if (lua_getfield(L, 2, "data") == LUA_TNIL)
		return raise_argument(L, 2, "missing event data");
	if (!x)
		return push_over(L);
	if (json_push_encoded(L, 4, &e) < 0)
		return push_unencoded(L, "failed to marshal event data", e.text);
	if (!http_handler_of(x)->sse) {
		if (exchange_is_committed(x))
			return http_push_response_err(
				L, ERR_INVALID, "cannot switch to SSE mode after headers are sent");
		begin_events(x);
	}
	luaL_buffinit(L, &b);
	luaL_addstring(&b, "event: ");
	lua_pushvalue(L, 3);
	luaL_addvalue(&b);
	luaL_addstring(&b, "\ndata: ");
	lua_pushvalue(L, 5);
	luaL_addvalue(&b);
	luaL_addstring(&b, "\n\n");
	luaL_pushresult(&b);
	data = lua_tolstring(L, -1, &len);
	return write_out(L, x, data, len, true, "write event failed");
}

static int l_tostring(lua_State *L)
{
	handle_self(L, HANDLE_HTTP_RESPONSE);
	lua_pushliteral(L, "http.Response{}");
	return 1;
}

/* Never made: these objects own nothing. */
static int no_gc(lua_State *L)
{
	(void)L;
	return 0;
}

void http_response_register(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"flush", l_flush},
		{"set_content_type", l_set_content_type},
		{"set_header", l_set_header},
		{"set_status", l_set_status},
		{"set_transfer", l_set_transfer},
		{"write", l_write},
		{"write_event", l_write_event},
		{"write_json", l_write_json},
		{NULL, NULL},
	};

	lua_pushnil(L);
	handle_register_kind(L, HANDLE_HTTP_RESPONSE, "http.Response", methods, l_tostring, no_gc);
}
