/*
 * http_server_request.c - what a request says: the getters of http.Request.
 */
#include <string.h>
#include <strings.h>

#include "bind/http_server.h"
#include "bind/scratch.h"
#include "engine/lua_api.h"
#include "http/form.h"

enum { QUERY_ON_STACK = 1024 };

struct http_request_object *http_check_request(lua_State *L, struct exchange **ret_exchange)
{
	struct http_request_object *r = handle_self(L, HANDLE_HTTP_REQUEST);

	*ret_exchange = http_exchange_of_call(L, r->number);
	return r;
}

void http_request_push(lua_State *L, uint64_t max_body, uint32_t timeout_ms)
{
	struct http_request_object *r = handle_new_plain(L, HANDLE_HTTP_REQUEST, sizeof(*r), 0);

	*r = (struct http_request_object){current_number(L), max_body, timeout_ms};
}

/* Every getter begins so. */
#define REQUEST_OR_RETURN(x)                            \
	do {                                            \
		http_check_request(L, &(x));            \
		if (!(x))                               \
			return http_push_no_request(L); \
	} while (0)

/* Names are strings; a number is no name. */
static const char *check_name(lua_State *L, size_t *ret_len)
{
	luaL_checktype(L, 2, LUA_TSTRING);
	return lua_tolstring(L, 2, ret_len);
}

static int push_text_or_nil(lua_State *L, const char *text)
{
	lua_pushstring(L, text); /* NULL pushes nil */
	lua_pushnil(L);
	return 2;
}

static int push_bool(lua_State *L, bool b)
{
	lua_pushboolean(L, b);
	lua_pushnil(L);
	return 2;
}

static int l_method(lua_State *L)
{
	struct exchange *x;

	REQUEST_OR_RETURN(x);
	return push_text_or_nil(L, exchange_method(x));
}

static int l_path(lua_State *L)
{
	struct exchange *x;

	REQUEST_OR_RETURN(x);
	return push_text_or_nil(L, exchange_path(x));
}

/* -- query --------------------------------------------------------------------------------------------- */

/* Where pairs are decoded: `small`, or a userdata (pushed), so that nothing leaks when Lua raises. */
static void open_query(lua_State *L, const struct exchange *x, struct form_reader *r, char small[QUERY_ON_STACK])
{
	const char *query = exchange_query(x);
	size_t len = strlen(query);

	form_open(r, query, len, len <= QUERY_ON_STACK ? small : lua_newuserdatauv(L, len, 0));
}

static int l_query(lua_State *L)
{
	char small[QUERY_ON_STACK];
	struct exchange *x;
	struct form_reader r;
	struct form_pair pair;
	const char *name;
	size_t len;

	http_check_request(L, &x);
	name = check_name(L, &len);
	if (!x)
		return http_push_no_request(L);
	open_query(L, x, &r, small);
	while (form_next(&r, &pair)) {
		if (pair.name_len == len && memcmp(pair.name, name, len) == 0) {
			lua_pushlstring(L, pair.value, pair.value_len);
			lua_pushnil(L);
			return 2;
		}
	}
	lua_pushnil(L);
	lua_pushnil(L);
	return 2;
}

void http_gather(lua_State *L, int t)
{
	int value = lua_gettop(L), name = value - 1;

	lua_pushvalue(L, name);
	switch (lua_rawget(L, t)) {
	case LUA_TNIL:
		lua_pop(L, 1);
		lua_rawset(L, t);
		return;
	case LUA_TTABLE:
		lua_pushvalue(L, value);
		lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
		break;
	default:
		lua_createtable(L, 2, 0);
		lua_pushvalue(L, -2);
		lua_rawseti(L, -2, 1);
		lua_pushvalue(L, value);
		lua_rawseti(L, -2, 2);
		lua_pushvalue(L, name);
		lua_pushvalue(L, -2);
		lua_rawset(L, t);
		break;
	}
	lua_settop(L, name - 1);
}

/* Push the texts of the list at idx, joined. */
static void push_joined(lua_State *L, int idx)
{
	lua_Integer n = (lua_Integer)lua_rawlen(L, idx);
	luaL_Buffer b;

	luaL_buffinit(L, &b);
	for (lua_Integer i = 1; i <= n; i++) {
		if (i > 1)
			luaL_addchar(&b, ',');
		lua_rawgeti(L, idx, i);
		luaL_addvalue(&b);
	}
	luaL_pushresult(&b);
}

static int l_query_params(lua_State *L)
{
	char small[QUERY_ON_STACK];
	struct exchange *x;
	struct form_reader r;
	struct form_pair pair;
	int t;

	REQUEST_OR_RETURN(x);
	open_query(L, x, &r, small);
	lua_newtable(L);
	t = lua_gettop(L);
	while (form_next(&r, &pair)) {
		lua_pushlstring(L, pair.name, pair.name_len);
		lua_pushlstring(L, pair.value, pair.value_len);
		http_gather(L, t);
	}
	/* Joined once, in the end: a query of nothing but one name would otherwise cost the square of its length. */
	for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 1)) {
		if (!lua_istable(L, -1))
			continue;
		push_joined(L, lua_gettop(L));
		lua_pushvalue(L, -3);
		lua_insert(L, -2);
		lua_rawset(L, t);
	}
	lua_pushnil(L);
	return 2;
}

/* -- header fields -------------------------------------------------------------------------------------- */

static int l_header(lua_State *L)
{
	struct exchange *x;
	const char *name, *first;
	size_t len;

	http_check_request(L, &x);
	name = check_name(L, &len);
	if (!x)
		return http_push_no_request(L);
	first = strlen(name) == len && strcasecmp(name, "Host") != 0 ? exchange_header(x, name) : NULL;
	if (first) {
		struct buf *all = scratch_buf(L);

		exchange_header_joined(x, name, all);
		scratch_push(L, all);
		lua_pushnil(L);
		return 2;
	}
	lua_pushnil(L);
	lua_pushnil(L);
	return 2;
}

static int l_content_type(lua_State *L)
{
	struct exchange *x;
	const char *type;

	REQUEST_OR_RETURN(x);
	type = exchange_header(x, "Content-Type");
	return push_text_or_nil(L, type && *type ? type : NULL);
}

static int l_content_length(lua_State *L)
{
	struct exchange *x;

	REQUEST_OR_RETURN(x);
	lua_pushinteger(L, exchange_content_length(x));
	lua_pushnil(L);
	return 2;
}

static int l_host(lua_State *L)
{
	struct exchange *x;

	REQUEST_OR_RETURN(x);
	return push_text_or_nil(L, exchange_host(x));
}

static int l_remote_addr(lua_State *L)
{
	struct exchange *x;

	REQUEST_OR_RETURN(x);
	return push_text_or_nil(L, exchange_remote(x));
}

/* What the overlay vouches for about the peer; nil on the clear network, and where it vouches for nobody. */
static int l_peer_identity(lua_State *L)
{
	struct exchange *x;
	const struct value *identity;

	REQUEST_OR_RETURN(x);
	identity = exchange_identity(x);
	if (!identity)
		return push_text_or_nil(L, NULL);
	value_push(L, identity);
	lua_pushnil(L);
	return 2;
}

/* -- TLS ---------------------------------------------------------------------------------------------------- */

static int l_is_tls(lua_State *L)
{
	struct exchange *x;

	REQUEST_OR_RETURN(x);
	return push_bool(L, exchange_is_tls(x));
}

/* nil when the client has shown none. */
static int l_client_certificate(lua_State *L)
{
	struct exchange *x;
	const char *subject;
	bool verified = false;

	REQUEST_OR_RETURN(x);
	subject = exchange_client_subject(x, &verified);
	if (!*subject)
		return push_text_or_nil(L, NULL);
	lua_createtable(L, 0, 2);
	lua_pushstring(L, subject);
	lua_setfield(L, -2, "subject");
	lua_pushboolean(L, verified);
	lua_setfield(L, -2, "verified");
	lua_pushnil(L);
	return 2;
}

static int l_has_body(lua_State *L)
{
	struct exchange *x;

	REQUEST_OR_RETURN(x);
	return push_bool(L, exchange_content_length(x) > 0);
}

static bool accepts(const char *list, const char *type, size_t len)
{
	while (list && *list) {
		const char *item = list + strspn(list, " \t");
		size_t n = strcspn(item, ",");

		list = item[n] ? item + n + 1 : NULL;
		while (n > 0 && (item[n - 1] == ' ' || item[n - 1] == '\t'))
			n--;
		if ((n == len && memcmp(item, type, n) == 0) || (n == 3 && memcmp(item, "*/*", 3) == 0))
			return true;
	}
	return false;
}

static int l_accepts(lua_State *L)
{
	struct exchange *x;
	const char *type;
	size_t len;

	http_check_request(L, &x);
	type = check_name(L, &len);
	if (!x)
		return http_push_no_request(L);
	for (size_t i = 0; i < exchange_nheaders(x); i++) {
		const struct exchange_field *f = exchange_header_at(x, i);

		if (strcasecmp(f->name, "Accept") == 0 && accepts(f->value, type, len))
			return push_bool(L, true);
	}
	return push_bool(L, false);
}

static int l_is_content_type(lua_State *L)
{
	struct exchange *x;
	const char *type, *sent;
	size_t len;

	http_check_request(L, &x);
	type = check_name(L, &len);
	if (!x)
		return http_push_no_request(L);
	sent = exchange_header(x, "Content-Type");
	return push_bool(L, sent && strncmp(sent, type, len) == 0);
}

/* -- captured by the route -------------------------------------------------------------------------------- */

static int push_no_params(lua_State *L)
{
	struct err e;

	err_set(&e, ERR_INTERNAL, "no route parameters found");
	return push_nil_and_err(L, &e);
}

static int l_param(lua_State *L)
{
	struct exchange *x;
	const char *name;

	http_check_request(L, &x);
	name = check_name(L, NULL);
	if (!x)
		return http_push_no_request(L);
	if (exchange_nparams(x) < 0)
		return push_no_params(L);
	return push_text_or_nil(L, exchange_param(x, name));
}

static int l_params(lua_State *L)
{
	struct exchange *x;
	int n;

	REQUEST_OR_RETURN(x);
	n = exchange_nparams(x);
	if (n < 0)
		return push_no_params(L);
	lua_createtable(L, 0, n);
	for (int i = 0; i < n; i++) {
		const char *name;

		lua_pushstring(L, exchange_param_at(x, i, &name));
		lua_setfield(L, -2, name);
	}
	lua_pushnil(L);
	return 2;
}

static int l_tostring(lua_State *L)
{
	struct exchange *x;

	http_check_request(L, &x);
	if (x)
		lua_pushfstring(L, "http.Request{method=%s, path=%s}", exchange_method(x), exchange_path(x));
	else
		lua_pushliteral(L, "http.Request{over}");
	return 1;
}

/* Never made: these objects own nothing. */
static int no_gc(lua_State *L)
{
	(void)L;
	return 0;
}

void http_request_register(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"accepts", l_accepts},
		{"body", http_request_body},
		{"body_json", http_request_body_json},
		{"client_certificate", l_client_certificate},
		{"content_length", l_content_length},
		{"content_type", l_content_type},
		{"has_body", l_has_body},
		{"header", l_header},
		{"host", l_host},
		{"is_content_type", l_is_content_type},
		{"is_tls", l_is_tls},
		{"method", l_method},
		{"param", l_param},
		{"params", l_params},
		{"parse_multipart", http_request_parse_multipart},
		{"path", l_path},
		{"peer_identity", l_peer_identity},
		{"query", l_query},
		{"query_params", l_query_params},
		{"remote_addr", l_remote_addr},
		{"stream", http_request_stream},
		{NULL, NULL},
	};

	lua_pushnil(L);
	handle_register_kind(L, HANDLE_HTTP_REQUEST, "http.Request", methods, l_tostring, no_gc);
}
