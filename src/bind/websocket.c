/*
 * websocket.c - the `websocket` module and its Client object.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "bind/current.h"
#include "bind/modules.h"
#include "bind/websocket.h"
#include "engine/lua_api.h"

const char websocket_client_type[] = "websocket.Client";

enum { TEXT = 1, BINARY = 2, CODE_MIN = 1000, CODE_MAX = 4999 };

/* -- the Client object -------------------------------------------------------------------------------- */

static int push_no_connection(lua_State *L)
{
	struct err e;

	err_set(&e, ERR_NOT_FOUND, "websocket connection not found");
	return push_nil_and_err(L, &e);
}

static int push_over(lua_State *L)
{
	struct err e;

	err_set(&e, ERR_UNAVAILABLE, "websocket connection closed");
	return push_nil_and_err(L, &e);
}

/* NULL when the program has closed it. */
static struct conn *open_conn(lua_State *L)
{
	const struct websocket_client *client = handle_check(L, 1, websocket_client_type);

	return client->conn && !client->conn->closed ? client->conn : NULL;
}

static void check_wait(lua_State *L, const char *what)
{
	if (!wait_is_possible(L))
		raise_text(
			L, "websocket: %s waits, which is not possible here (metamethod, sort or gsub callback)", what);
}

static int push_sent(lua_State *L, struct pending *p, const char *what, enum err_retry retry)
{
	struct conn_wait *w = container_of(p, struct conn_wait, pending);
	bool ok = w->ok;
	struct err e;

	conn_wait_free(w);
	if (ok) {
		lua_pushboolean(L, true);
		lua_pushnil(L);
		return 2;
	}
	err_set(&e, ERR_INTERNAL, "%s: the connection was lost before all was written", what);
	e.retry = retry;
	return push_nil_and_err(L, &e);
}

static int send_finish(lua_State *L, struct pending *p)
{
	return push_sent(L, p, "failed to send message", ERR_RETRY_NO);
}

static int l_send(lua_State *L)
{
	struct conn *c = open_conn(L);
	struct conn_wait *w;
	const char *data;
	size_t len;

	luaL_checktype(L, 2, LUA_TSTRING);
	check_wait(L, "send");
	data = lua_tolstring(L, 2, &len);
	if (!c)
		return push_no_connection(L);
	w = conn_send(c, lua_type(L, 3) == LUA_TNUMBER && lua_tonumber(L, 3) == BINARY, data, len);
	return w ? wait_for(L, &w->pending, send_finish) : push_over(L);
}

static int ping_finish(lua_State *L, struct pending *p)
{
	return push_sent(L, p, "failed to ping", ERR_RETRY_YES);
}

static int l_ping(lua_State *L)
{
	struct conn *c = open_conn(L);
	struct conn_wait *w;

	check_wait(L, "ping");
	if (!c)
		return push_no_connection(L);
	w = conn_ping(c);
	return w ? wait_for(L, &w->pending, ping_finish) : push_over(L);
}

static int close_finish(lua_State *L, struct pending *p)
{
	(void)L;
	conn_wait_free(container_of(p, struct conn_wait, pending));
	return 0;
}

static int l_close(lua_State *L)
{
	struct conn *c = open_conn(L);
	unsigned code = CODE_MIN;
	const char *reason = "";
	struct conn_wait *w;
	size_t len = 0;

	check_wait(L, "close");
	if (!c)
		return push_no_connection(L);
	if (lua_type(L, 2) == LUA_TNUMBER && lua_tonumber(L, 2) >= CODE_MIN && lua_tonumber(L, 2) <= CODE_MAX)
		code = (unsigned)lua_tonumber(L, 2);
	if (lua_type(L, 3) == LUA_TSTRING)
		reason = lua_tolstring(L, 3, &len);
	/* A close frame must hold UTF-8 (RFC 6455 section 5.5.1). */
	if (!utf8_is_valid(reason, len))
		reason = "";
	w = conn_close(c, code, reason);
	return w ? wait_for(L, &w->pending, close_finish) : 0;
}

static int l_channel(lua_State *L)
{
	struct conn *c = open_conn(L);

	if (!current_process(L))
		return raise_text(L, "no process PID");
	if (!c)
		return push_no_connection(L);
	if (lua_getiuservalue(L, 1, 1) == LUA_TUSERDATA)
		return 1;
	/* Only to the process that opened it: its coroutines share one heap, but instances of functions do too. */
	if (c->process != current_process(L))
		return push_over(L);
	conn_push_channel(L, c);
	lua_pushvalue(L, -1);
	lua_setiuservalue(L, 1, 1);
	return 1;
}

static int client_gc(lua_State *L)
{
	struct websocket_client *client = lua_touserdata(L, 1);

	conn_unref(client->conn);
	client->conn = NULL;
	return 0;
}

/* -- the module --------------------------------------------------------------------------------------- */

struct constant {
	const char *name;
	lua_Integer value;
};

static void add_constants(lua_State *L, const char *field, const struct constant *list, size_t n)
{
	lua_createtable(L, 0, (int)n);
	for (size_t i = 0; i < n; i++) {
		lua_pushinteger(L, list[i].value);
		lua_setfield(L, -2, list[i].name);
	}
	lua_setfield(L, -2, field);
}

static void add_text(lua_State *L, const char *field, const char *text)
{
	lua_pushstring(L, text);
	lua_setfield(L, -2, field);
}

int bind_websocket_open(struct lua_State *L)
{
	static const luaL_Reg functions[] = {{"connect", websocket_connect}, {NULL, NULL}};
	static const luaL_Reg methods[] = {
		{"send", l_send},
		{"ping", l_ping},
		{"channel", l_channel},
		{"receive", l_channel},
		{"close", l_close},
		{NULL, NULL},
	};
	static const struct constant compression[] = {{"DISABLED", 0}, {"CONTEXT_TAKEOVER", 1}, {"NO_CONTEXT", 2}};
	static const struct constant codes[] = {
		{"NORMAL", 1000},
		{"GOING_AWAY", 1001},
		{"PROTOCOL_ERROR", 1002},
		{"UNSUPPORTED_DATA", 1003},
		{"RESERVED", 1004},
		{"NO_STATUS", 1005},
		{"ABNORMAL_CLOSURE", 1006},
		{"INVALID_PAYLOAD", 1007},
		{"POLICY_VIOLATION", 1008},
		{"MESSAGE_TOO_BIG", 1009},
		{"MANDATORY_EXTENSION", 1010},
		{"INTERNAL_ERROR", 1011},
		{"SERVICE_RESTART", 1012},
		{"TRY_AGAIN_LATER", 1013},
		{"BAD_GATEWAY", 1014},
		{"TLS_HANDSHAKE", 1015},
	};

	handle_register(L, websocket_client_type, methods, client_gc);
	luaL_newlib(L, functions);
	lua_pushinteger(L, TEXT);
	lua_setfield(L, -2, "TEXT");
	lua_pushinteger(L, BINARY);
	lua_setfield(L, -2, "BINARY");
	add_text(L, "TYPE_TEXT", "text");
	add_text(L, "TYPE_BINARY", "binary");
	add_text(L, "TYPE_PING", "ping");
	add_text(L, "TYPE_PONG", "pong");
	add_text(L, "TYPE_CLOSE", "close");
	add_constants(L, "COMPRESSION", compression, ARRAY_LEN(compression));
	add_constants(L, "CLOSE_CODES", codes, ARRAY_LEN(codes));
	return 1;
}
