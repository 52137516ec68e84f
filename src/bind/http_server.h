/*
 * http_server.h - what the files of the Lua module `http` (http_server*.c) share: the objects, and what one request keeps for them.
 *
 * Objects hold no reference: they name the call they were made in, and are good as long as that call runs and its client is there. So they need no finalizer,
 * and one that a function kept from an earlier request can do no harm. Owner thread of the worker.
 */
#ifndef BIND_HTTP_SERVER_H
#define BIND_HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "bind/http_current.h"

struct lua_State;
struct http_form;

struct http_request_object {
	uint64_t number; /* current_number() of its call */
	uint64_t max_body;
	uint32_t timeout_ms;
};

struct http_response_object {
	uint64_t number;
};

/* What a request keeps for its handler; with the exchange. */
struct http_handler {
	bool body_taken; /* by body(), stream() or parse_multipart() */
	bool sse;        /* set_transfer("sse") */
	struct http_form *form;
};
struct http_handler *http_handler_of(struct exchange *x);

/* exchange_body_read(), but what was thrown away because the response had begun (RFC 9112 section 9.3 lets a server do so) is no end: EXCHANGE_BODY_GONE. */
enum exchange_body http_body_read(struct exchange *x, struct buf *into, size_t max);

/* Argument 1 as that object (raises otherwise), and its exchange: NULL when its call is over. */
struct http_request_object *http_check_request(struct lua_State *L, struct exchange **ret_exchange);
/* The exchange of the running call if that is call `number`, else NULL. */
struct exchange *http_exchange_of_call(struct lua_State *L, uint64_t number);

/* nil, Internal "no HTTP request context found" ("no context available" outside of calls). */
int http_push_no_request(struct lua_State *L);
/* nil and an error whose details say `cause`. */
int http_push_err_cause(struct lua_State *L, enum err_kind kind, const char *text, const char *cause);

/* Add the value on top of the stack to what table `t` has under the name below it; pops both. The first one is kept as it is, several
 * become a list. */
void http_gather(struct lua_State *L, int t);

/* Methods of a request that wait; http_server_body.c, http_server_multipart.c. */
int http_request_body(struct lua_State *L);
int http_request_body_json(struct lua_State *L);
int http_request_stream(struct lua_State *L);
int http_request_parse_multipart(struct lua_State *L);

void http_request_register(struct lua_State *L);
void http_request_push(struct lua_State *L, uint64_t max_body, uint32_t timeout_ms);
void http_response_register(struct lua_State *L);
void http_response_push(struct lua_State *L);
void http_multipart_register(struct lua_State *L);

#endif
