/*
 * http_server.c - the `http` module: the request that the running call answers, and its response.
 */
#include "bind/http_server.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/http_server_form.h"
#include "bind/modules.h"
#include "bind/stream.h"
#include "engine/lua_api.h"

enum { TIMEOUT_MS = 300000 };

/* 120 MiB; and what an option may ask for, since a body becomes one string. */
static const uint64_t max_body_default = 125829120;
static const uint64_t max_body_max = (uint64_t)1 << 31;

/* -- what the files share ------------------------------------------------------------------------------ */

static const char handler_key;

static void handler_free(void *object)
{
	struct http_handler *h = object;

	http_form_unref(h->form);
	free(h);
}

struct http_handler *http_handler_of(struct exchange *x)
{
	struct http_handler *h = exchange_attached(x, &handler_key);

	if (!h) {
		h = xcalloc(1, sizeof(*h));
		exchange_attach(x, &handler_key, h, handler_free);
	}
	return h;
}

enum exchange_body http_body_read(struct exchange *x, struct buf *into, size_t max)
{
	enum exchange_body got = exchange_body_read(x, into, max);
	int64_t length = exchange_content_length(x);

	if (got == EXCHANGE_BODY_END && length > 0 && exchange_body_taken(x) < (uint64_t)length)
		return EXCHANGE_BODY_GONE;
	return got;
}

struct exchange *http_exchange_of_call(lua_State *L, uint64_t number)
{
	struct process *p = current_process(L);

	return p && p->number == number ? p->exchange : NULL;
}

int http_push_no_request(lua_State *L)
{
	struct err e;

	err_set(&e, ERR_INTERNAL, "%s", current_process(L) ? "no HTTP request context found" : "no context available");
	return push_nil_and_err(L, &e);
}

int http_push_err_cause(lua_State *L, enum err_kind kind, const char *text, const char *cause)
{
	struct value *details = value_map();
	struct failure *f;
	int n;

	value_map_set(details, "cause", value_cstring(cause));
	f = failure_new(err_kind_name(kind), ERR_RETRY_NO, text, strlen(text), details, NULL, NULL);
	n = push_nil_and_failure(L, f);
	failure_unref(f);
	return n;
}

/* -- functions ----------------------------------------------------------------------------------------- */

static int l_request(lua_State *L)
{
	uint64_t max_body = max_body_default;
	uint32_t timeout_ms = TIMEOUT_MS;
	double n;

	if (lua_gettop(L) > 0) {
		luaL_checktype(L, 1, LUA_TTABLE);
		if (field_number(L, 1, "timeout", &n) && n >= 1)
			timeout_ms = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
		if (field_number(L, 1, "max_body", &n) && n >= 1)
			max_body = n < (double)max_body_max ? (uint64_t)n : max_body_max;
	}
	if (!current_exchange(L))
		return http_push_no_request(L);
	http_request_push(L, max_body, timeout_ms);
	lua_pushnil(L);
	return 2;
}

static int l_response(lua_State *L)
{
	if (!current_exchange(L))
		return http_push_no_request(L);
	http_response_push(L);
	lua_pushnil(L);
	return 2;
}

/* -- constants ----------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int code;
} statuses[] = {
	{"OK", 200},
	{"CREATED", 201},
	{"ACCEPTED", 202},
	{"NO_CONTENT", 204},
	{"PARTIAL_CONTENT", 206},
	{"MOVED_PERMANENTLY", 301},
	{"FOUND", 302},
	{"SEE_OTHER", 303},
	{"NOT_MODIFIED", 304},
	{"TEMPORARY_REDIRECT", 307},
	{"PERMANENT_REDIRECT", 308},
	{"BAD_REQUEST", 400},
	{"UNAUTHORIZED", 401},
	{"PAYMENT_REQUIRED", 402},
	{"FORBIDDEN", 403},
	{"NOT_FOUND", 404},
	{"METHOD_NOT_ALLOWED", 405},
	{"NOT_ACCEPTABLE", 406},
	{"CONFLICT", 409},
	{"GONE", 410},
	{"UNPROCESSABLE", 422},
	{"TOO_MANY_REQUESTS", 429},
	{"INTERNAL_ERROR", 500},
	{"INTERNAL_SERVER_ERROR", 500},
	{"NOT_IMPLEMENTED", 501},
	{"BAD_GATEWAY", 502},
	{"SERVICE_UNAVAILABLE", 503},
	{"GATEWAY_TIMEOUT", 504},
	{"VERSION_NOT_SUPPORTED", 505},
};

/* name, value, ..., NULL */
static void add_words(lua_State *L, const char *field, const char *const *words)
{
	lua_newtable(L);
	for (; words[0]; words += 2) {
		lua_pushstring(L, words[1]);
		lua_setfield(L, -2, words[0]);
	}
	lua_setfield(L, -2, field);
}

static void add_constants(lua_State *L)
{
	static const char *const methods[] = {"GET", "GET", "POST", "POST", "PUT", "PUT", "DELETE", "DELETE", "PATCH",
		"PATCH", "HEAD", "HEAD", "OPTIONS", "OPTIONS", NULL};
	static const char *const contents[] = {"JSON", "application/json", "FORM", "application/x-www-form-urlencoded",
		"MULTIPART", "multipart/form-data", "TEXT", "text/plain", "STREAM", "application/octet-stream", NULL};
	static const char *const transfers[] = {"CHUNKED", "chunked", "SSE", "sse", NULL};
	static const char *const errors[] = {"PARSE_FAILED", "PARSE_FAILED", "INVALID_STATE", "INVALID_STATE",
		"WRITE_FAILED", "WRITE_FAILED", "STREAM_ERROR", "STREAM_ERROR", NULL};

	add_words(L, "METHOD", methods);
	add_words(L, "CONTENT", contents);
	add_words(L, "TRANSFER", transfers);
	add_words(L, "ERROR", errors);
	lua_newtable(L);
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		lua_pushinteger(L, statuses[i].code);
		lua_setfield(L, -2, statuses[i].name);
	}
	lua_setfield(L, -2, "STATUS");
}

int bind_http_open(struct lua_State *L)
{
	static const luaL_Reg functions[] = {{"request", l_request}, {"response", l_response}, {NULL, NULL}};

	stream_register(L);
	http_request_register(L);
	http_response_register(L);
	http_multipart_register(L);
	luaL_newlib(L, functions);
	add_constants(L);
	return 1;
}
